// error: deleted
#include <tokenworks/core/tensor.hpp>

namespace tw = tokenworks;

int main() {
    tw::tensor_of<float, 4> a;
    const auto v = a.view();
#if defined(TOKENWORKS_EXPECT_ERROR)
    const auto gone = tw::tensor_of<float, 4>{}.view();
#endif
    return v(3) == 0 ? 0 : 1;
}
