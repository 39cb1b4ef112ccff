#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <tokenworks/kernels/chained_block.hpp>
#include <tokenworks/kernels/float_product.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
namespace inner = tokenworks::kernels::detail;

namespace {

/// The documented order, one number at a time.
std::vector<float> in_order(const std::vector<float>& panel, std::size_t steps, const std::vector<float>& x,
                            std::size_t stride, std::size_t rows) {
    std::vector<float> total(rows * 16, 0.5F);
    for(std::size_t row = 0; row < rows; ++row) {
        for(std::size_t lane = 0; lane < 16; ++lane) {
            std::array<float, 4> chain{};
            for(std::size_t k = 0; k < steps; ++k) {
                chain[k % 4] = std::fma(panel[k * 16 + lane], x[row * stride + k], chain[k % 4]);
            }
            total[row * 16 + lane] += (chain[0] + chain[1]) + (chain[2] + chain[3]);
        }
    }
    return total;
}

} // namespace

TEST_CASE("chained_block: any number of rows has the bits of the documented order") {
    constexpr std::size_t stride = 131;
    constexpr std::size_t most = 41;
    const std::vector<float> x = support::random_floats(most * stride, 1);
    for(const std::size_t steps: {1U, 2U, 3U, 4U, 5U, 7U, 126U, 128U}) {
        // ask_ahead only asks for memory behind the block: no value of it is read.
        const std::vector<float> panel = support::random_floats(steps * 16, 2);
        const std::vector<float> other = support::random_floats(steps * 16, 3);
        for(std::size_t rows = 1; rows <= most; ++rows) {
            CAPTURE(steps, rows);
            const std::vector<float> expected = in_order(panel, steps, x, stride, rows);
            const std::vector<float> expected_of_other = in_order(other, steps, x, stride, rows);
            support::for_each_isa([&](const execution& how) {
                if(how.set == isa::portable) {
                    return; // which may round twice
                }
                using product = inner::float_product<float>;
                std::vector<float> total(rows * 16, 0.5F);
                product::run(how.set, {panel.data(), total.data()}, nullptr, steps, x.data(), stride, rows);
                CHECK(support::same_bits(total, expected));
                // Two panels at once.
                std::vector<float> both(2 * rows * 16, 0.5F);
                const product::sums second{other.data(), both.data() + rows * 16};
                product::run(how.set, {panel.data(), both.data()}, &second, steps, x.data(), stride, rows);
                CHECK(support::same_bits(std::span{both}.first(rows * 16), expected));
                CHECK(support::same_bits(std::span{both}.subspan(rows * 16), expected_of_other));
            });
        }
    }
}
