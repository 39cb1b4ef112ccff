// error: a shape with this static extent cannot become a shape with another static extent
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<float, 4, 8> v{memory};
    const tw::view<const float, tw::dyn, 8> rows = v;
#if defined(TOKENWORKS_EXPECT_ERROR)
    const tw::view<const float, tw::dyn, 16> wrong = v;
    static_cast<void>(wrong);
#endif
    return rows.extent(0) == 4 ? 0 : 1;
}
