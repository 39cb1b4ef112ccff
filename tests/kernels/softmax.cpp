#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/softmax.hpp>

#include "reference/softmax.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

double total(const std::vector<float>& x) { return std::accumulate(x.begin(), x.end(), 0.0); }

} // namespace

TEST_CASE("softmax follows the definition, and its rows sum to one") {
    support::for_each_isa([](execution how) {
        for(const std::size_t n: support::lengths) {
            for(const std::size_t offset: {0U, 1U}) {
                CAPTURE(name(how.set), n, offset);
                const auto x = support::random_floats(n + offset, 1, 3.0F);
                std::vector<float> out(n + offset + 1, -7.0F);
                const view<const float, dyn> row{x.data() + offset, n};
                const view<float, dyn> to{out.data() + offset, n};
                kernels::softmax(row, to, how);
                CHECK(support::nmse(reference::softmax(row.as_span()), to.as_span()) < 1e-13);
                if(n > 0) {
                    CHECK(std::abs(
                              std::accumulate(out.begin() + static_cast<std::ptrdiff_t>(offset), out.end() - 1, 0.0) -
                              1.0) < 1e-6);
                }
                kernels::log_softmax(row, to, how);
                CHECK(support::nmse(reference::log_softmax(row.as_span()), to.as_span()) < 1e-13);
                CHECK(out.back() == -7.0F);
            }
        }
    });
}

TEST_CASE("softmax of extreme logits") {
    support::for_each_isa([](execution how) {
        CAPTURE(name(how.set));
        std::vector<float> far{-1e4F, 1e4F, 0.0F, 1e4F};
        kernels::softmax(far, far, how);
        CHECK(far == std::vector<float>{0.0F, 0.5F, 0.0F, 0.5F});

        std::vector<float> single(37, -infinity);
        single[20] = -1e4F;
        kernels::softmax(single, single, how);
        CHECK(single[20] == 1.0F);
        CHECK(total(single) == 1.0);

        std::vector<float> logs{0.0F, -1e4F, -infinity};
        kernels::log_softmax(logs, logs, how);
        CHECK(logs == std::vector<float>{0.0F, -1e4F, -infinity});
    });
}

TEST_CASE("softmax of a row without a distribution is NaN throughout") {
    support::for_each_isa([](execution how) {
        for(const float bad: {-infinity, infinity, std::numeric_limits<float>::quiet_NaN()}) {
            for(const std::size_t n: {1U, 16U, 19U}) {
                std::vector<float> x(n, bad == -infinity ? -infinity : 1.0F);
                x[n / 2] = bad;
                std::vector<float> out(n);
                kernels::softmax(x, out, how);
                CHECK(std::ranges::all_of(out, [](float value) { return std::isnan(value); }));
            }
        }
    });
}

TEST_CASE("softmax rows are independent of each other and of threads") {
    constexpr std::size_t rows = 60;
    constexpr std::size_t width = 321;
    const auto x = support::random_floats(rows * width, 5, 2.0F);
    std::vector<float> one(rows * width);
    const view<const float, dyn, dyn, dyn> from{x.data(), 6, 10, width};
    kernels::softmax(from, view<float, dyn, dyn, dyn>{one.data(), 6, 10, width});
    for(const unsigned threads: {2U, 3U}) {
        thread_team team{threads};
        std::vector<float> out(rows * width);
        kernels::softmax(from, view<float, dyn, dyn, dyn>{out.data(), 6, 10, width}, {best_isa(), &team});
        CHECK(support::same_bits(out, one));
    }
    std::vector<float> alone(width);
    kernels::softmax(from.row(2).row(5), alone);
    CHECK(support::same_bits(alone, view<const float, dyn, dyn>{one.data(), rows, width}.row(25).as_span()));
    // Axes in another order: [10,6,n] seen through strides.
    std::vector<float> turned(rows * width);
    kernels::softmax(from.permute<1, 0, 2>(), view<float, dyn, dyn, dyn>{turned.data(), 10, 6, width});
    CHECK(support::same_bits(view<const float, dyn, dyn>{turned.data(), rows, width}.row(5 * 6 + 2).as_span(), alone));
}

TEST_CASE("softmax names shapes that disagree") {
    std::vector<float> x(12);
    CHECK_THROWS_WITH(kernels::softmax(view<float, dyn, dyn>{x.data(), 3, 4}, view<float, dyn, dyn>{x.data(), 4, 3}),
                      ContainsSubstring("softmax: x is [3,4], out is [4,3]"));
}
