#include <array>
#include <cmath>
#include <cstddef>
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
        for(std::size_t rows = 1; rows <= most; ++rows) {
            CAPTURE(steps, rows);
            const std::vector<float> expected = in_order(panel, steps, x, stride, rows);
            support::for_each_isa([&](const execution& how) {
                if(how.set == isa::portable) {
                    return; // which may round twice
                }
                std::vector<float> total(rows * 16, 0.5F);
                inner::float_product<float>::run(how.set, panel.data(), steps, x.data(), stride, rows, total.data());
                CHECK(support::same_bits(total, expected));
            });
        }
    }
}
