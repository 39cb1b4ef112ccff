// error: matmul: x \[T,K\] and w \[N,K\] differ in K
// error: matmul: w \[N,K\] and out \[T,N\] differ in N
// error: matmul: x \[T,K\] and out \[T,N\] differ in T
#include <tokenworks/kernels/matmul.hpp>

namespace tw = tokenworks;

int main() {
    float memory[64] = {};
    const tw::view<const float, 2, 8> x{memory};
    const tw::view<const float, 3, 8> w{memory};
    float result[6] = {};
    tw::kernels::matmul(x, w, tw::view<float, 2, 3>{result});
#if defined(TOKENWORKS_EXPECT_ERROR) && TOKENWORKS_EXPECT_ERROR == 1
    tw::kernels::matmul(x, tw::view<const float, 3, 9>{memory, 3, 9}, tw::view<float, 2, 3>{result});
#elif defined(TOKENWORKS_EXPECT_ERROR) && TOKENWORKS_EXPECT_ERROR == 2
    tw::kernels::matmul(x, w, tw::view<float, 2, 4>{memory, 2, 4});
#elif defined(TOKENWORKS_EXPECT_ERROR)
    tw::kernels::matmul(x, w, tw::view<float, 3, 3>{memory, 3, 3});
#endif
    return result[0] == 0 ? 0 : 1;
}
