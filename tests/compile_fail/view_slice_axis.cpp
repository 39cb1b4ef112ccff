// error: slice: the view has no such axis
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<float, 4, 8> v{memory};
    const auto part = v.slice<1>(0, 4);
#if defined(TOKENWORKS_EXPECT_ERROR)
    static_cast<void>(v.slice<2>(0, 4));
#endif
    return part(1, 2) == 0 ? 0 : 1;
}
