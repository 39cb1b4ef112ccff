// error: attention: queries and keys must have the same head width D
#include <tokenworks/kernels/attention.hpp>

namespace tw = tokenworks;

int main() {
    float memory[2 * 8 * 64] = {};
    float result[2 * 8 * 64];
    const tw::view<const float, tw::dyn, 8, 64> q{memory, 2};
    const tw::view<const float, tw::dyn, 8, 64> k{memory, 2};
    const tw::view<const float, tw::dyn, 8, 64> v{memory, 2};
    const tw::view<float, tw::dyn, 8, 64> out{result, 2};
    tw::kernels::attention(q, k, v, {.causal = true, .window = 256}, out);
#if defined(TOKENWORKS_EXPECT_ERROR)
    const tw::view<const float, tw::dyn, 8, 32> wrong{memory, 2};
    tw::kernels::attention(q, wrong, v, {.causal = true}, out);
#endif
    return result[0] == 0 ? 0 : 1;
}
