// error: permute: name every axis of the view exactly once
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<float, 4, 8> v{memory};
    const auto turned = v.permute<1, 0>();
#if defined(TOKENWORKS_EXPECT_ERROR)
    static_cast<void>(v.permute<1, 1>());
#endif
    return turned(1, 2) == 0 ? 0 : 1;
}
