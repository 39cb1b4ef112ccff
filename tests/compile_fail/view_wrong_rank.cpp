// error: conver|no viable
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<float, 4, 8> v{memory};
    const tw::view<const float, tw::dyn> flat = v.flatten();
#if defined(TOKENWORKS_EXPECT_ERROR)
    const tw::view<const float, tw::dyn> wrong = v;
    static_cast<void>(wrong);
#endif
    return flat.size() == 32 ? 0 : 1;
}
