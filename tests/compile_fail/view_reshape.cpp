// error: reshape: the new shape must have as many elements as the view
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<float, 4, 8> v{memory};
    const auto same = v.reshape(tw::extents<2, 16>{});
#if defined(TOKENWORKS_EXPECT_ERROR)
    static_cast<void>(v.reshape(tw::extents<2, 15>{}));
#endif
    return same(1, 2) == 0 ? 0 : 1;
}
