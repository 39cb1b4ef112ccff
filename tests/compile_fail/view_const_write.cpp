// error: read-only|const value|const-qualified
#include <tokenworks/core/view.hpp>

namespace tw = tokenworks;

int main() {
    float memory[32] = {};
    const tw::view<float, 4, 8> v{memory};
    const tw::view<const float, 4, 8> read = v;
    v(1, 2) = 1;
#if defined(TOKENWORKS_EXPECT_ERROR)
    read(1, 2) = 1;
#endif
    return read(1, 2) == 1 ? 0 : 1;
}
