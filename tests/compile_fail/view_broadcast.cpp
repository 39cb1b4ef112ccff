// error: broadcast_to: an extent must be 1 or equal the new shape.s, last axes aligned
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<float, 4, 8> v{memory};
    const auto wide = v.broadcast_to(tw::extents<2, 4, 8>{});
#if defined(TOKENWORKS_EXPECT_ERROR)
    static_cast<void>(v.broadcast_to(tw::extents<2, 8, 8>{}));
#endif
    return wide(1, 2, 3) == 0 ? 0 : 1;
}
