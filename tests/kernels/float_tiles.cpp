#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/weights.hpp"

using namespace tokenworks;

namespace {

/// The bf16 parts of a float, or the float rounded to one.
std::vector<float> parts_of(float x, kernels::matmul_precision precision) {
    if(precision == kernels::matmul_precision::medium) {
        return {float{bf16(x)}};
    }
    std::vector<float> parts;
    for(int i = 0; i < 3; ++i) {
        parts.push_back(std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xffff0000U));
        x -= parts.back();
    }
    return parts;
}

/// The sum in the order that the header promises.
float promised_sum(const std::vector<float>& x, const std::vector<bf16>& w, std::size_t columns,
                   kernels::matmul_precision precision) {
    float sum = 0;
    for(std::size_t block = 0; block < columns; block += 32) {
        for(std::size_t part = 0; part < parts_of(0, precision).size(); ++part) {
            float chains[2] = {0, 0};
            for(std::size_t k = block; k < std::min(columns, block + 32); ++k) {
                chains[k % 2] = std::fma(parts_of(x[k], precision)[part], float{w[k]}, chains[k % 2]);
            }
            sum += chains[0] + chains[1];
        }
    }
    return sum;
}

} // namespace

TEST_CASE("float_tiles: sums are added in the promised order, for one row and for many") {
    if(!is_supported(isa::amx)) {
        return;
    }
    for(const auto precision: {kernels::matmul_precision::highest, kernels::matmul_precision::medium}) {
        for(const std::size_t columns: {1U, 31U, 32U, 77U, 128U, 576U}) {
            CAPTURE(columns);
            constexpr std::size_t rows = 37;
            constexpr std::size_t most = 33;
            const std::vector<float> values = support::random_floats(rows * columns, 5);
            const std::vector<bf16> w(values.begin(), values.end());
            const kernels::packed_matrix packed =
                kernels::pack(dtype::bf16, std::as_bytes(std::span{w}), rows, columns, {}, {}, nullptr, precision);
            const std::vector<float> x = support::random_floats(most * columns, 6);
            std::vector<float> expected(most * rows);
            for(std::size_t t = 0; t < most; ++t) {
                for(std::size_t n = 0; n < rows; ++n) {
                    const auto row = static_cast<std::ptrdiff_t>(t * columns);
                    const auto from = static_cast<std::ptrdiff_t>(n * columns);
                    const auto end = static_cast<std::ptrdiff_t>(columns);
                    expected[t * rows + n] =
                        promised_sum({x.begin() + row, x.begin() + row + end},
                                     {w.begin() + from, w.begin() + from + end}, columns, precision);
                }
            }
            for(const std::size_t tokens: {1U, 3U, 16U, 17U, 33U}) {
                CAPTURE(tokens);
                std::vector<float> out(tokens * rows);
                kernels::matmul(view<const float, dyn, dyn>{x.data(), tokens, columns}, packed,
                                view<float, dyn, dyn>{out.data(), tokens, rows}, {}, execution{isa::amx});
                CHECK(support::same_bits(
                    out, {expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(out.size())}));
            }
        }
    }
}

TEST_CASE("float_tiles: floats in parts are added in the promised order, for one row and for many") {
    if(!is_supported(isa::amx)) {
        return;
    }
    using enum kernels::matmul_precision;
    for(const std::size_t columns: {1U, 31U, 32U, 77U, 128U, 576U}) {
        CAPTURE(columns);
        constexpr std::size_t rows = 37;
        constexpr std::size_t most = 33;
        const std::vector<float> w = support::random_floats(rows * columns, 15);
        const std::vector<float> x = support::random_floats(most * columns, 16);
        const kernels::packed_matrix packed =
            kernels::pack(dtype::f32, std::as_bytes(std::span{w}), rows, columns, {}, {}, nullptr, bf16_x6);
        std::vector<float> expected(most * rows);
        for(std::size_t t = 0; t < most; ++t) {
            for(std::size_t n = 0; n < rows; ++n) {
                float sum = 0;
                for(std::size_t block = 0; block < columns; block += 32) {
                    for(const auto& [of_x, of_w]: {std::pair{0, 0}, {1, 0}, {2, 0}, {1, 1}, {0, 1}, {0, 2}}) {
                        float chains[2] = {0, 0};
                        for(std::size_t k = block; k < std::min(columns, block + 32); ++k) {
                            chains[k % 2] =
                                std::fma(parts_of(x[t * columns + k], highest)[std::size_t(of_x)],
                                         parts_of(w[n * columns + k], highest)[std::size_t(of_w)], chains[k % 2]);
                        }
                        sum += chains[0] + chains[1];
                    }
                }
                expected[t * rows + n] = sum;
            }
        }
        for(const std::size_t tokens: {1U, 3U, 16U, 17U, 33U}) {
            CAPTURE(tokens);
            std::vector<float> out(tokens * rows);
            kernels::matmul(view<const float, dyn, dyn>{x.data(), tokens, columns}, packed,
                            view<float, dyn, dyn>{out.data(), tokens, rows}, {}, execution{isa::amx});
            CHECK(support::same_bits(out,
                                     {expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(out.size())}));
        }
    }
}

TEST_CASE("float_tiles: a row that is not finite gives NaN, and no other row does") {
    if(!is_supported(isa::amx)) {
        return;
    }
    constexpr std::size_t columns = 64;
    const std::vector<float> values = support::random_floats(16 * columns, 7);
    const std::vector<bf16> w(values.begin(), values.end());
    const kernels::packed_matrix packed = kernels::pack(dtype::bf16, std::as_bytes(std::span{w}), 16, columns);
    std::vector<float> x = support::random_floats(3 * columns, 8);
    x[columns + 5] = std::numeric_limits<float>::infinity();
    std::vector<float> out(3 * 16);
    kernels::matmul(view<const float, dyn, dyn>{x.data(), 3, columns}, packed, view<float, dyn, dyn>{out.data(), 3, 16},
                    {}, execution{isa::amx});
    for(std::size_t n = 0; n < 16; ++n) {
        CHECK(std::isfinite(out[n]));
        CHECK(std::isnan(out[16 + n]));
        CHECK(std::isfinite(out[32 + n]));
    }
}
