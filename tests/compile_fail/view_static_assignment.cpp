// error: a shape with this static extent cannot become a shape with another static extent
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    tw::view<float, tw::dyn, 8> v{memory, 4};
    v = tw::view<float, 4, 8>{memory};
#if defined(TOKENWORKS_EXPECT_ERROR)
    v = tw::view<float, 8, 4>{memory};
#endif
    return v.extent(0) == 4 ? 0 : 1;
}
