#include <cstddef>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/rms_norm.hpp>

#include "reference/norm.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;

TEST_CASE("rms_norm follows the definition at every length") {
    support::for_each_isa([](execution how) {
        for(const std::size_t n: support::lengths) {
            for(const std::size_t offset: {0U, 1U, 3U}) { // misaligned by so many floats
                CAPTURE(name(how.set), n, offset);
                const auto x = support::random_floats(n + offset, 1);
                const auto weight = support::random_floats(n + offset, 2);
                std::vector<float> out(n + offset + 1, -7.0F);
                const view<const float, dyn> row{x.data() + offset, n};
                const view<const float, dyn> scale{weight.data() + offset, n};
                kernels::rms_norm(row, scale, view<float, dyn>{out.data() + offset, n}, {.epsilon = 1e-6F}, how);
                const auto expected = reference::rms_norm(row.as_span(), scale.as_span(), 1e-6);
                CHECK(support::nmse(expected, {out.data() + offset, n}) < 1e-13);
                CHECK(out.back() == -7.0F);
            }
        }
    });
}

TEST_CASE("rms_norm options: no weight, one added to it, in place") {
    const auto x = support::random_floats(100, 3);
    const auto weight = support::random_floats(100, 4, 0.1F);
    support::for_each_isa([&](execution how) {
        auto out = x;
        kernels::rms_norm(out, std::vector<float>{}, out, {}, how);
        CHECK(support::nmse(reference::rms_norm(x, {}, 1e-5), out) < 1e-13);
        out = x;
        kernels::rms_norm(out, weight, out, {.weight_plus_one = true}, how);
        CHECK(support::nmse(reference::rms_norm(x, weight, 1e-5, 1), out) < 1e-13);
    });
}

TEST_CASE("rms_norm of large, small and zero rows stays finite") {
    support::for_each_isa([](execution how) {
        for(const float value: {1e4F, -1e4F, 1e-20F, 0.0F}) {
            std::vector<float> x(48, value);
            kernels::rms_norm(x, std::vector<float>{}, x, {.epsilon = 1e-6F}, how);
            const double expected =
                static_cast<double>(value) / std::sqrt(static_cast<double>(value) * static_cast<double>(value) + 1e-6);
            CHECK(static_cast<double>(x[47]) == Approx(expected).epsilon(1e-6));
        }
    });
}

TEST_CASE("a row's norm does not depend on other rows, strides or threads") {
    constexpr std::size_t rows = 50;
    constexpr std::size_t width = 576;
    const auto x = support::random_floats(rows * width, 5);
    const auto weight = support::random_floats(width, 6);
    std::vector<float> together(rows * width);
    const view<const float, dyn, dyn> from{x.data(), rows, width};
    kernels::rms_norm(from, weight, view<float, dyn, dyn>{together.data(), rows, width});
    for(const unsigned threads: {2U, 3U}) {
        thread_team team{threads};
        std::vector<float> out(rows * width);
        kernels::rms_norm(from, weight, view<float, dyn, dyn>{out.data(), rows, width}, {}, {best_isa(), &team});
        CHECK(support::same_bits(out, together));
    }
    std::vector<float> alone(width);
    kernels::rms_norm(from.row(17), weight, alone);
    CHECK(support::same_bits(alone, view<const float, dyn, dyn>{together.data(), rows, width}.row(17).as_span()));
    const auto every_other =
        strided_view<const float, dyn, dyn>{x.data(), extents<dyn, dyn>{rows / 2, width}, {2 * width, 1}};
    std::vector<float> half(rows / 2 * width);
    kernels::rms_norm(every_other, weight, view<float, dyn, dyn>{half.data(), rows / 2, width});
    const view<const float, dyn, dyn> halves{half.data(), rows / 2, width};
    CHECK(support::same_bits(halves.row(3).as_span(),
                             view<const float, dyn, dyn>{together.data(), rows, width}.row(6).as_span()));
}

TEST_CASE("rms_norm names extents that disagree") {
    std::vector<float> x(12);
    const view<float, dyn, dyn> rows{x.data(), 3, 4};
    CHECK_THROWS_WITH(kernels::rms_norm(rows, std::vector<float>(5), rows),
                      ContainsSubstring("rms_norm: x has C=4, weight has C=5"));
    CHECK_THROWS_WITH(kernels::rms_norm(rows, std::vector<float>(4), view<float, dyn, dyn>{x.data(), 4, 3}),
                      ContainsSubstring("rms_norm: x is [3,4], out is [4,3]"));
    CHECK_THROWS_AS(kernels::rms_norm(rows.transpose(), std::vector<float>(3), rows.transpose()), shape_error);
}
