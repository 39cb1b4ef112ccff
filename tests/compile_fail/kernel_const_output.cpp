// error: the output of a kernel is a view of const elements
#include <tokenworks/kernels/softmax.hpp>

namespace tw = tokenworks;

int main() {
    float memory[4] = {1, 1, 1, 1};
    const tw::view<float, 4> x{memory};
    tw::kernels::softmax(x, x);
#if defined(TOKENWORKS_EXPECT_ERROR)
    tw::kernels::softmax(x, x.as_const());
#endif
    return memory[0] == 0.25F ? 0 : 1;
}
