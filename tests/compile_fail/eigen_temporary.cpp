// error: as_view: a temporary Eigen matrix would be gone before the view
#include <tokenworks/core/eigen.hpp>

namespace tw = tokenworks;

int main() {
    Eigen::MatrixXf m = Eigen::MatrixXf::Zero(2, 3);
    const auto v = tw::as_view(m);
#if defined(TOKENWORKS_EXPECT_ERROR)
    static_cast<void>(tw::as_view(Eigen::MatrixXf(2, 3)));
#endif
    return v(1, 2) == 0 ? 0 : 1;
}
