// error: a shape with this static extent cannot become a shape with another static extent
#include <tokenworks/core/tensor.hpp>

namespace tw = tokenworks;

int main() {
    tw::tensor_of<float, 4, 8> a;
    const tw::view<float, tw::dyn, 8> v = a;
#if defined(TOKENWORKS_EXPECT_ERROR)
    const tw::view<float, tw::dyn, 9> wrong = a;
    static_cast<void>(wrong);
#endif
    return v(3, 7) == 0 ? 0 : 1;
}
