#include <cstddef>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/layer_norm.hpp>

#include "reference/norm.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

TEST_CASE("layer_norm follows the definition at every length") {
    support::for_each_isa([](execution how) {
        for(const std::size_t n: support::lengths) {
            for(const std::size_t offset: {0U, 1U}) {
                CAPTURE(name(how.set), n, offset);
                const auto x = support::random_floats(n + offset, 1);
                const auto weight = support::random_floats(n, 2);
                const auto bias = support::random_floats(n, 3);
                std::vector<float> out(n + offset + 1, -7.0F);
                const view<const float, dyn> row{x.data() + offset, n};
                const view<float, dyn> to{out.data() + offset, n};
                kernels::layer_norm(row, weight, bias, to, {}, how);
                CHECK(support::nmse(reference::layer_norm(row.as_span(), weight, bias, 1e-5), to.as_span()) < 1e-12);
                kernels::layer_norm(row, std::vector<float>{}, std::vector<float>{}, to, {.epsilon = 1e-3F}, how);
                CHECK(support::nmse(reference::layer_norm(row.as_span(), {}, {}, 1e-3), to.as_span()) < 1e-12);
                CHECK(out.back() == -7.0F);
            }
        }
    });
}

TEST_CASE("layer_norm keeps its accuracy where the mean is a thousand times the deviation") {
    support::for_each_isa([](execution how) {
        auto x = support::random_floats(1000, 4);
        for(float& value: x) {
            value += 1000.0F;
        }
        std::vector<float> out(x.size());
        kernels::layer_norm(x, std::vector<float>{}, std::vector<float>{}, out, {}, how);
        CHECK(support::nmse(reference::layer_norm(x, {}, {}, 1e-5), out) < 1e-8); // the mean itself is rounded to 6e-5
    });
}

TEST_CASE("layer_norm gives the same bits on any number of threads, and in place") {
    constexpr std::size_t rows = 40;
    constexpr std::size_t width = 577;
    const auto x = support::random_floats(rows * width, 5);
    const auto weight = support::random_floats(width, 6);
    std::vector<float> one(rows * width);
    const view<const float, dyn, dyn> from{x.data(), rows, width};
    kernels::layer_norm(from, weight, weight, view<float, dyn, dyn>{one.data(), rows, width});
    thread_team team{3};
    auto out = x;
    const view<float, dyn, dyn> same{out.data(), rows, width};
    kernels::layer_norm(same, weight, weight, same, {}, {best_isa(), &team});
    CHECK(support::same_bits(out, one));
}

TEST_CASE("layer_norm names extents that disagree") {
    std::vector<float> x(12);
    const view<float, dyn, dyn> rows{x.data(), 3, 4};
    const std::vector<float> four(4);
    CHECK_THROWS_WITH(kernels::layer_norm(rows, std::vector<float>(5), four, rows),
                      ContainsSubstring("x has C=4, weight has C=5"));
    CHECK_THROWS_WITH(kernels::layer_norm(rows, four, std::vector<float>(3), rows),
                      ContainsSubstring("x has C=4, bias has C=3"));
}
