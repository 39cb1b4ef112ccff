// error: attention: the number of key heads G must divide the number of query heads H
#include <tokenworks/kernels/attention.hpp>

namespace tw = tokenworks;

int main() {
    float memory[2 * 8 * 64] = {};
    float result[2 * 8 * 64];
    const tw::view<const float, tw::dyn, 8, 64> q{memory, 2};
    const tw::view<const float, tw::dyn, 4, 64> k{memory, 2};
    const tw::view<float, tw::dyn, 8, 64> out{result, 2};
    tw::kernels::attention(q, k, k, {}, out);
#if defined(TOKENWORKS_EXPECT_ERROR)
    const tw::view<const float, tw::dyn, 3, 64> wrong{memory, 2};
    tw::kernels::attention(q, wrong, wrong, {}, out);
#endif
    return result[0] == 0 ? 0 : 1;
}
