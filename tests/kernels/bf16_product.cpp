#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <tokenworks/kernels/bf16_product.hpp>

#include "support/kernels.hpp"

using namespace tokenworks;
namespace inner = tokenworks::kernels::detail;

namespace {

struct task {
    std::vector<float> x;    ///< [tokens][columns]
    std::vector<bf16> panel; ///< [pairs][16][2]
    std::size_t columns;
    std::size_t tokens;

    task(std::size_t k, std::size_t t) : x(support::random_floats(t * k, 7)), columns{k}, tokens{t} {
        const std::vector<float> w = support::random_floats(k * 16, 8);
        panel.assign((k + 1) / 2 * 32, bf16(0.0F));
        for(std::size_t i = 0; i < k; ++i) {
            for(std::size_t row = 0; row < 16; ++row) {
                panel[2 * (i / 2 * 16 + row) + i % 2] = bf16(w[i * 16 + row]);
            }
        }
    }
};

std::vector<float> run(const task& what, const inner::bf16_loops& loops) {
    std::vector<float> y(what.tokens * inner::bf16_block);
    std::vector<float> total(what.tokens * 16, 0.25F);
    loops.round(what.x.data(), what.columns, what.tokens, what.columns, y.data());
    loops.multiply(what.panel.data(), what.panel.data(), (what.columns + 1) / 2, y.data(), what.tokens, total.data());
    return total;
}

/// The documented order, one number at a time.
std::vector<float> in_order(const task& what) {
    std::vector<float> total(what.tokens * 16, 0.25F);
    for(std::size_t t = 0; t < what.tokens; ++t) {
        for(std::size_t row = 0; row < 16; ++row) {
            std::array<float, 4> chain{};
            for(std::size_t p = 0; p < (what.columns + 1) / 2; ++p) {
                for(const std::size_t k: {2 * p + 1, 2 * p}) {
                    const float x = k < what.columns ? float{bf16(what.x[t * what.columns + k])} : 0.0F;
                    const float w{what.panel[2 * (p * 16 + row) + k % 2]};
                    chain[p % 4] = std::fma(w, x, chain[p % 4]);
                }
            }
            total[t * 16 + row] += (chain[0] + chain[1]) + (chain[2] + chain[3]);
        }
    }
    return total;
}

} // namespace

TEST_CASE("bf16 products have the same bits on every instruction set with fused multiply-add") {
    for(const std::size_t columns: {1U, 2U, 7U, 8U, 31U, 32U, 33U, 255U, 256U}) {
        for(const std::size_t tokens: {1U, 2U, 3U, 4U, 11U, 12U, 13U, 17U, 24U}) {
            CAPTURE(columns, tokens);
            const task what{columns, tokens};
            const std::vector<float> expected = in_order(what);
            support::for_each_isa([&](execution how) {
                CAPTURE(name(how.set));
                if(how.set != isa::portable) {
                    CHECK(support::same_bits(run(what, inner::bf16_loops_for(how.set)), expected));
                }
            });
#if TOKENWORKS_X86
            if(is_supported(isa::avx512)) { // as on a processor without AVX512-BF16
                CHECK(support::same_bits(run(what, inner::bf16_loops_on<simd::avx512>()), expected));
            }
#endif
        }
    }
}

TEST_CASE("activations are rounded to bf16 as bf16 does it, NaN and infinity included") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    std::vector<float> x = support::random_floats(inner::bf16_block, 9);
    x[3] = infinity;
    x[17] = -infinity;
    x[40] = std::bit_cast<float>(0x7fffffffU); // a NaN whose rounding would overflow
    x[41] = std::bit_cast<float>(0x7f7fffffU); // rounds to infinity
    x[42] = std::bit_cast<float>(0x3f808000U); // a tie, to even
    x[43] = std::bit_cast<float>(0x3f818000U);
    x[44] = -0.0F;
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        inner::bf16_loops loops = inner::bf16_loops_for(how.set);
#if TOKENWORKS_X86
        if(how.set == isa::avx512) { // whose own form may be pairs
            loops = inner::bf16_loops_on<simd::avx512>();
        }
#endif
        std::vector<float> y(inner::bf16_block);
        loops.round(x.data(), x.size(), 1, x.size(), y.data());
        for(std::size_t k = 0; k < x.size(); ++k) {
            const float expected{bf16(x[k])};
            CHECK((std::isnan(expected)
                       ? std::isnan(y[k])
                       : std::bit_cast<std::uint32_t>(y[k]) == std::bit_cast<std::uint32_t>(expected)));
        }
    });
    if(is_supported(isa::avx512)) {
        std::vector<float> y(inner::bf16_block);
        const inner::bf16_loops loops = inner::bf16_loops_for(isa::avx512);
        loops.round(x.data(), x.size(), 1, x.size(), y.data());
        const task one{256, 1};
        std::vector<float> total(16);
        loops.multiply(one.panel.data(), one.panel.data(), 128, y.data(), 1, total.data());
        CHECK(std::all_of(total.begin(), total.end(), [](float value) { return std::isnan(value); }));
    }
}
