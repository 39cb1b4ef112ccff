// error: rms_norm: the weight must be as long as the last axis of x
#include <tokenworks/kernels/rms_norm.hpp>

namespace tw = tokenworks;

int main() {
    float memory[64] = {};
    const tw::view<float, tw::dyn, 16> x{memory, 4};
    tw::kernels::rms_norm(x, tw::view<const float, 16>{memory}, x);
#if defined(TOKENWORKS_EXPECT_ERROR)
    tw::kernels::rms_norm(x, tw::view<const float, 15>{memory}, x);
#endif
    return memory[0] == 0 ? 0 : 1;
}
