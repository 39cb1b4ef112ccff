// error: conver|no viable
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<const float, 4, 8> read{memory};
    const tw::view<const float, tw::dyn, 8> same = read;
#if defined(TOKENWORKS_EXPECT_ERROR)
    const tw::view<float, 4, 8> write = read;
    static_cast<void>(write);
#endif
    return same(1, 2) == 0 ? 0 : 1;
}
