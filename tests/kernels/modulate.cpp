#include <tokenworks/kernels/modulate.hpp>

#include <cstddef>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
using matrix = view<float, dyn, dyn>;
using const_matrix = view<const float, dyn, dyn>;

TEST_CASE("modulate and add_gated follow their formulas, on any number of threads") {
    thread_team team{3};
    for(const std::size_t width: support::lengths) {
        constexpr std::size_t rows = 5;
        const auto x = support::random_floats(rows * width, 1);
        const auto shift = support::random_floats(width, 2);
        const auto scale = support::random_floats(width, 3);
        std::vector<float> out(x.size());
        kernels::modulate(const_matrix{x.data(), rows, width}, shift, scale, matrix{out.data(), rows, width},
                          {best_isa(), &team});
        std::vector<float> sums = support::random_floats(rows * width, 4);
        const std::vector<float> before = sums;
        kernels::add_gated(const_matrix{x.data(), rows, width}, scale, matrix{sums.data(), rows, width});
        std::vector<double> modulated;
        std::vector<double> added;
        for(std::size_t i = 0; i < x.size(); ++i) {
            const auto factor = static_cast<double>(scale[i % width]);
            modulated.push_back(static_cast<double>(x[i]) * (1 + factor) + static_cast<double>(shift[i % width]));
            added.push_back(static_cast<double>(before[i]) + factor * static_cast<double>(x[i]));
        }
        CHECK(support::nmse(modulated, out) < 1e-13);
        CHECK(support::nmse(added, sums) < 1e-13);
    }
    std::vector<float> x(6);
    const std::vector<float> two(2);
    const std::vector<float> three(3);
    CHECK_THROWS_WITH(kernels::modulate(const_matrix{x.data(), 2, 3}, two, three, matrix{x.data(), 2, 3}),
                      ContainsSubstring("x has C=3, shift has C=2"));
    CHECK_THROWS_AS(kernels::add_gated(const_matrix{x.data(), 2, 3}, two, matrix{x.data(), 2, 3}), shape_error);
}
