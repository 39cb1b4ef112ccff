// error: conver|no viable
#include <vector>

#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    std::vector<float> memory(8);
    const tw::view<float, tw::dyn> v = memory;
#if defined(TOKENWORKS_EXPECT_ERROR)
    const tw::view<const float, tw::dyn> gone = std::vector<float>(8);
    static_cast<void>(gone);
#endif
    return v(1) == 0 ? 0 : 1;
}
