#include <tokenworks/kernels/clamped_swiglu.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "reference/activation.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

TEST_CASE("clamped_swiglu: both inputs clamped, one added, on both sides of the limit", "[kernels]") {
    support::for_each_isa([](execution how) {
        for(const std::size_t n: support::lengths) {
            CAPTURE(name(how.set), n);
            const auto gate = support::random_floats(n, 1, 4.0F);
            const auto up = support::random_floats(n, 2, 4.0F);
            std::vector<float> out(n);
            kernels::glu(kernels::clamped_swiglu{3}, gate, up, out, how);
            std::vector<double> expected;
            for(std::size_t i = 0; i < n; ++i) {
                const double g = std::min(static_cast<double>(gate[i]), 3.0);
                const double u = std::clamp(static_cast<double>(up[i]), -3.0, 3.0);
                expected.push_back(reference::gelu_quick(g) * (u + 1));
            }
            CHECK(support::nmse(expected, out) < 1e-12);
        }
    });
    std::vector<float> x(3);
    std::vector<float> y(4);
    CHECK_THROWS_AS(kernels::glu(kernels::clamped_swiglu{}, x, y, x), shape_error);
}
