#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>

#include "reference/matmul.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
using kernels::quantize_rows;
using kernels::quantized_block;
using kernels::quantized_rows;

namespace {

using rows_view = view<const float, dyn, dyn>;

std::vector<std::byte> memory_for(std::size_t rows, std::size_t columns) {
    return std::vector<std::byte>(quantized_rows::bytes(rows, columns));
}

bool same_block(const quantized_block& a, const quantized_block& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

} // namespace

TEST_CASE("activations are quantised as defined, on every instruction set") {
    for(const std::size_t columns: {1U, 31U, 32U, 33U, 64U, 100U, 576U}) {
        for(const std::size_t rows: {1U, 2U, 15U, 16U, 17U, 37U}) {
            CAPTURE(columns, rows);
            const std::vector<float> x = support::random_floats(rows * columns, 5, 3.0F);
            auto memory = memory_for(rows, columns);
            support::for_each_isa([&](execution how) {
                CAPTURE(name(how.set));
                const quantized_rows q = quantize_rows(rows_view{x, rows, columns}, memory, how);
                REQUIRE(q.rows() == rows);
                REQUIRE(q.columns() == columns);
                REQUIRE(q.blocks() == (columns + 31) / 32);
                bool same = true;
                for(std::size_t t = 0; t < rows; ++t) {
                    const auto expected = reference::quantize(std::span{x}.subspan(t * columns, columns));
                    for(std::size_t b = 0; b < q.blocks(); ++b) {
                        const quantized_block& block = q.block(t, b);
                        int sums[2] = {0, 0};
                        for(std::size_t k = 0; k < 32; ++k) {
                            same = same && block.codes[k] == expected.codes[32 * b + k];
                            sums[k / 16] += expected.codes[32 * b + k];
                        }
                        const float scale = expected.scales[b];
                        same = same && block.scale == scale && block.start_8 == -8 * (sums[0] + sums[1]) &&
                               block.start_128 == -128 * (sums[0] + sums[1]) &&
                               block.scaled_sum == scale * static_cast<float>(sums[0] + sums[1]);
                        for(std::size_t s = 0; s < 2; ++s) {
                            same = same && block.start_128_half[s] == -128 * sums[s] &&
                                   block.scaled_sum_half[s] == scale * static_cast<float>(sums[s]);
                        }
                    }
                }
                REQUIRE(same);
            });
        }
    }
}

TEST_CASE("a row's blocks depend on that row alone") {
    constexpr std::size_t rows = 37;
    constexpr std::size_t columns = 1000;
    std::vector<float> x = support::random_floats(rows * columns + 1, 6);
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        for(const unsigned threads: {1U, 2U, 3U}) {
            thread_team team{threads};
            how.threads = &team;
            for(const std::size_t shift: {0U, 1U}) { // a row that starts anywhere
                auto memory = memory_for(rows, columns);
                auto one_memory = memory_for(1, columns);
                const auto q = quantize_rows(rows_view{x.data() + shift, rows, columns}, memory, how);
                bool same = true;
                for(std::size_t t = 0; t < rows; ++t) {
                    const rows_view row{x.data() + shift + t * columns, 1, columns};
                    const auto one = quantize_rows(row, one_memory, execution{how.set, nullptr});
                    for(std::size_t b = 0; b < q.blocks(); ++b) {
                        same = same && same_block(q.block(t, b), one.block(0, b));
                    }
                }
                REQUIRE(same);
            }
        }
    });
}

TEST_CASE("activations that are zero, tiny, huge or not finite") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    std::vector<float> x(6 * 64, 1.0F);
    std::fill_n(x.begin(), 32, 0.0F);                                           // row 0, block 0
    std::fill_n(x.begin() + 64, 32, 1e-38F);                                    // row 1
    std::fill_n(x.begin() + 128, 32, std::numeric_limits<float>::max());        // row 2
    x[192 + 5] = std::numeric_limits<float>::quiet_NaN();                       // row 3
    x[256 + 31] = -infinity;                                                    // row 4
    std::fill_n(x.begin() + 320, 32, std::numeric_limits<float>::denorm_min()); // row 5
    auto memory = memory_for(6, 64);
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        const auto q = quantize_rows(rows_view{x, 6, 64}, memory, how);
        for(const std::size_t row: {0U, 1U, 5U}) {
            CHECK(q.block(row, 0).scale == 0);
            CHECK(q.block(row, 0).codes[0] == 0);
            CHECK(q.block(row, 0).start_8 == 0);
        }
        CHECK(std::isfinite(q.block(2, 0).scale));
        CHECK(q.block(2, 0).codes[31] == 127);
        for(const std::size_t row: {3U, 4U}) {
            CHECK(std::isnan(q.block(row, 0).scale));
            CHECK(std::isnan(q.block(row, 0).scaled_sum));
            CHECK(std::isnan(q.block(row, 0).scaled_sum_half[1]));
            CHECK(q.block(row, 0).codes[0] == 0);
        }
        for(std::size_t row = 0; row < 6; ++row) { // the neighbours are as always
            CHECK(q.block(row, 1).codes[7] == 127);
            CHECK(q.block(row, 1).scale == 1.0F / 127.0F);
        }
    });
}

TEST_CASE("quantize_rows takes strided rows and refuses what does not fit") {
    const std::vector<float> x = support::random_floats(4 * 64, 7);
    const rows_view all{x, 4, 64};
    auto memory = memory_for(4, 32);
    const auto part = quantize_rows(all.slice<1>(32, 32), memory);
    auto whole_memory = memory_for(4, 64);
    const auto whole = quantize_rows(all, whole_memory);
    for(std::size_t t = 0; t < 4; ++t) {
        CHECK(same_block(part.block(t, 0), whole.block(t, 1)));
    }
    memory.pop_back();
    CHECK_THROWS_AS(quantize_rows(all.slice<1>(32, 32), memory), argument_error);
    CHECK_THROWS_AS(quantize_rows(all.transpose(), whole_memory), shape_error);
    std::vector<std::byte> empty(quantized_rows::bytes(0, 0));
    CHECK(quantize_rows(rows_view{x.data(), 0, 0}, empty).rows() == 0);
    CHECK(quantize_rows(rows_view{x.data(), 0, 64}, empty).blocks() == 2);
    CHECK(quantize_rows(rows_view{x.data(), 3, 0}, empty).blocks() == 0);
}

TEST_CASE("activations quantised in parts have the bits of the whole, whatever the parts") {
    constexpr std::size_t rows = 37;
    constexpr std::size_t columns = 200;
    const std::vector<float> x = support::random_floats(rows * columns, 8, 2.0F);
    auto memory = memory_for(rows, columns);
    auto parts = memory_for(rows, columns);
    support::for_each_isa([&](execution how) {
        const quantized_rows whole = quantize_rows(rows_view{x, rows, columns}, memory, how);
        parts.assign(parts.size(), std::byte{0xee});
        const quantized_rows q{parts, rows, columns};
        for(const auto& [begin_row, end_row]: {std::pair{0, 3}, {3, 30}, {30, 37}, {12, 12}}) {
            for(const auto& [begin, end]: {std::pair{0, 1}, {1, 5}, {5, 7}}) {
                kernels::quantize_part(rows_view{x, rows, columns},
                                       {static_cast<std::size_t>(begin_row), static_cast<std::size_t>(end_row),
                                        static_cast<std::size_t>(begin), static_cast<std::size_t>(end)},
                                       q, how.set);
            }
        }
        bool same = true;
        for(std::size_t t = 0; t < rows; ++t) {
            for(std::size_t b = 0; b < whole.blocks(); ++b) {
                same = same && same_block(q.block(t, b), whole.block(t, b));
            }
        }
        CHECK(same);
    });
    CHECK_THROWS_AS(quantized_rows(std::span{parts}.first(quantized_rows::bytes(rows, columns) - 1), rows, columns),
                    argument_error);
}
