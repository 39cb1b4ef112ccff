// error: deleted
#include <tokenworks/core/tensor.hpp>

namespace tw = tokenworks;

int main() {
    tw::tensor_of<float, tw::dyn> a{4};
    tw::tensor_of<float, tw::dyn> b = a.clone();
#if defined(TOKENWORKS_EXPECT_ERROR)
    b = a;
#endif
    return b.size() == 4 ? 0 : 1;
}
