// error: the second view is written, so its elements must not be const
#include <tokenworks/core/copy.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<float, 4, 8> v{memory};
    tw::copy(v.as_const(), v);
#if defined(TOKENWORKS_EXPECT_ERROR)
    tw::copy(v, v.as_const());
#endif
    return v(1, 2) == 0 ? 0 : 1;
}
