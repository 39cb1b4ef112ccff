// error: a shape with these static extents has more elements than fit in memory
#include <tokenworks/core/extents.hpp>

namespace tw = tokenworks;

int main() {
    const tw::extents<65536, 65536> large;
#if defined(TOKENWORKS_EXPECT_ERROR)
    const tw::extents<(1UL << 32), (1UL << 32)> larger;
    static_cast<void>(larger);
#endif
    return large.rank() == 2 ? 0 : 1;
}
