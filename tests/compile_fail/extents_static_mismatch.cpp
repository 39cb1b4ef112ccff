// error: a shape with this static extent cannot become a shape with another static extent
#include <tokenworks/core/extents.hpp>

namespace tw = tokenworks;

int main() {
    const tw::extents<4, 8> fixed;
    const tw::extents<tw::dyn, 8> shape = fixed;
#if defined(TOKENWORKS_EXPECT_ERROR)
    const tw::extents<tw::dyn, 9> other = fixed;
    static_cast<void>(other);
#endif
    return shape.extent(0) == 4 ? 0 : 1;
}
