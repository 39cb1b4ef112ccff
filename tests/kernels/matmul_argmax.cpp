#include <tokenworks/kernels/matmul_argmax.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/matmul.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/teams.hpp"
#include "support/weights.hpp"

using namespace tokenworks;
using kernels::best_column;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float none = std::numeric_limits<float>::quiet_NaN();

best_column best(const std::vector<float>& values, const execution& how = {}) { return kernels::best_of(values, how); }

} // namespace

TEST_CASE("the best column is the first of the largest, and says where values are no numbers") {
    support::for_each_isa([](execution how) {
        CAPTURE(name(how.set));
        for(const std::size_t n: {1U, 16U, 17U, 300U}) {
            std::vector<float> x = support::random_floats(n, static_cast<unsigned>(n));
            CHECK(best(x, how).is_valid());
            CHECK(best(x, how).column() == kernels::argmax(view<const float, dyn>{x}, how));
            x[n - 1] = x[n / 2] = 50;
            CHECK(best(x, how).column() == n / 2);
            x[n / 3] = none;
            CHECK_FALSE(best(x, how).is_comparable());
            x[n / 3] = infinity;
            CHECK_FALSE(best(x, how).is_comparable());
            x.assign(n, -infinity);
            CHECK(best(x, how).is_comparable());
            CHECK_FALSE(best(x, how).is_valid());
            x[n - 1] = std::numeric_limits<float>::lowest();
            CHECK(best(x, how).is_valid());
            CHECK(best(x, how).column() == n - 1);
        }
    });
}

TEST_CASE("merging keeps the largest value, then the lowest column, then says what is no number") {
    const float rising[] = {-3e38F, -1, -1e-40F, 0, 1e-40F, 1, 3e38F};
    for(std::size_t i = 0; i < std::size(rising); ++i) {
        for(std::size_t j = 0; j < std::size(rising); ++j) {
            best_column a{7, rising[i]};
            a.merge({9, rising[j]});
            CHECK(a.column() == (rising[j] > rising[i] ? 9U : 7U));
            best_column b{9, rising[i]};
            b.merge({7, rising[j]});
            CHECK(b.column() == (rising[j] >= rising[i] ? 7U : 9U));
        }
    }
    best_column zero{5, 0.0F};
    zero.merge({3, -0.0F});
    CHECK(zero.column() == 3);
    zero.merge({4, 0.0F});
    CHECK(zero.column() == 3);
    zero.merge(best_column::invalid());
    CHECK_FALSE(zero.is_comparable());
    zero.merge({0, 3e38F});
    CHECK_FALSE(zero.is_comparable());
    CHECK_FALSE(best_column{}.is_valid());
}

TEST_CASE("the argmax inside a product is that of the product, whatever the threads") {
    constexpr std::size_t columns = 64;
    for(const dtype type: {dtype::q4_0, dtype::q8_0}) {
        for(const std::size_t outputs: {1U, 15U, 256U, 1000U}) {
            const auto w = kernels::pack(type, support::random_blocks(type, outputs * columns, 3), outputs, columns);
            const std::vector<float> bias = support::random_floats(outputs, 4);
            for(const std::size_t rows: {1U, 5U, 33U}) {
                const std::vector<float> x = support::random_floats(rows * columns, 5);
                support::for_each_team([&](const execution& how) {
                    CAPTURE(info(type).name, outputs, rows);
                    std::vector<std::byte> memory(kernels::quantized_rows::bytes(rows, columns));
                    const auto codes =
                        kernels::quantize_rows(view<const float, dyn, dyn>{x, rows, columns}, memory, how);
                    std::vector<float> out(rows * outputs);
                    const view<float, dyn, dyn> all{out.data(), rows, outputs};
                    // Rounded so hard that many are equal, and capped.
                    kernels::matmul(codes, w, all, {.bias = bias}, how);
                    kernels::scale(all, 1e-38F, all, how);
                    kernels::soft_cap(all, 1e-30F, all, how);
                    std::vector<best_column> found(rows);
                    const kernels::argmax_options options{.scale = 1e-38F, .softcap = 1e-30F, .bias = bias};
                    kernels::matmul_argmax(codes, w, found, options, how);
                    std::vector<best_column> plain(rows);
                    CHECK(support::allocations_during([&] { kernels::matmul_argmax(codes, w, plain, {}, how); }) == 0);
                    for(std::size_t t = 0; t < rows; ++t) {
                        CHECK(found[t].column() == kernels::argmax(all.row(t), how));
                    }
                    kernels::matmul(codes, w, all, {}, how);
                    for(std::size_t t = 0; t < rows; ++t) {
                        CHECK(plain[t].is_valid());
                        CHECK(plain[t].column() == kernels::argmax(all.row(t), how));
                    }
                });
            }
        }
    }
}

TEST_CASE("argmax inside a product: what is no number, and operands that disagree") {
    constexpr std::size_t columns = 32;
    const auto w = kernels::pack(dtype::q8_0, support::random_blocks(dtype::q8_0, 40 * columns, 6), 40, columns);
    std::vector<float> x = support::random_floats(2 * columns, 7);
    x[columns + 3] = none;
    std::vector<std::byte> memory(kernels::quantized_rows::bytes(2, columns));
    const auto codes = kernels::quantize_rows(view<const float, dyn, dyn>{x, 2, columns}, memory);
    std::vector<best_column> found(2);
    kernels::matmul_argmax(codes, w, found);
    CHECK(found[0].is_valid());
    CHECK_FALSE(found[1].is_comparable());
    CHECK_THROWS_AS(kernels::matmul_argmax(codes, w, std::span{found}.first(1)), shape_error);
    const std::vector<float> bias(39);
    CHECK_THROWS_AS(kernels::matmul_argmax(codes, w, found, {.bias = bias}), shape_error);
    const std::vector<float> plain(40 * columns);
    const auto floats = kernels::pack(dtype::f32, std::as_bytes(std::span{plain}), 40, columns);
    CHECK_THROWS_AS(kernels::matmul_argmax(codes, floats, found), argument_error);
}
