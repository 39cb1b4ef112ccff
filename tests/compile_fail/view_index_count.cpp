// error: a view needs exactly one index for every axis
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<float, 4, 8> v{memory};
#if defined(TOKENWORKS_EXPECT_ERROR)
    v(1) = 1;
#endif
    return v(1, 2) == 0 ? 0 : 1;
}
