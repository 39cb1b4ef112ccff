#include <array>
#include <cstdint>

#include <tokenworks/quant/k_quants.hpp>

#include "quant/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks;

TEMPLATE_TEST_CASE("K formats decode like gguf and ggml", "", quant::q2_k, quant::q3_k, quant::q4_k, quant::q5_k,
                   quant::q6_k, quant::q8_k) {
    golden::check_decode<TestType>();
}

TEST_CASE("six-bit scales pack and unpack") {
    for(std::uint8_t value = 0; value < 64; ++value) {
        std::array<std::uint8_t, 12> packed{};
        for(std::size_t j = 0; j < 8; ++j) {
            const auto scale = static_cast<std::uint8_t>((value + 5 * j) % 64);
            quant::detail::pack_scale(packed, j, {scale, static_cast<std::uint8_t>(63 - scale)});
        }
        for(std::size_t j = 0; j < 8; ++j) {
            const auto [scale, min] = quant::detail::unpack_scale(packed, j);
            REQUIRE(scale == (value + 5 * j) % 64);
            REQUIRE(min == 63 - scale);
        }
    }
}
