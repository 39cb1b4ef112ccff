#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include <tokenworks/quant/iq_quants.hpp>

#include "quant/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks;
namespace qd = tokenworks::quant::detail;

TEMPLATE_TEST_CASE("IQ formats decode like gguf", "", quant::iq1_s, quant::iq1_m, quant::iq2_xxs, quant::iq2_xs,
                   quant::iq2_s, quant::iq3_xxs, quant::iq3_s) {
    golden::check_decode<TestType>();
}

TEST_CASE("codebooks hold distinct words with fields in range") {
    const auto check = [](const auto& grid, unsigned bits, unsigned largest) {
        std::vector<std::uint16_t> words{grid.begin(), grid.end()};
        for(const unsigned word: words) {
            for(unsigned shift = 0; shift < 16; shift += bits) {
                REQUIRE(((word >> shift) & ((1U << bits) - 1)) <= largest);
            }
        }
        std::sort(words.begin(), words.end());
        REQUIRE(std::adjacent_find(words.begin(), words.end()) == words.end());
    };
    check(qd::iq1_s_grid, 2, 2);
    check(qd::iq2_xxs_grid, 2, 2);
    check(qd::iq2_xs_grid, 2, 2);
    check(qd::iq2_s_grid, 2, 2);
    check(qd::iq3_xxs_grid, 4, 7);
    check(qd::iq3_s_grid, 4, 7);
}

TEST_CASE("words expand to magnitudes in registers") {
    STATIC_REQUIRE(qd::spread_pairs(0b11'10'01'00'11'10'01'00) == 0x0302010003020100U);
    STATIC_REQUIRE(qd::spread_nibbles(0x4321, 0x8765) == 0x0807060504030201U);
    STATIC_REQUIRE(qd::iq2_magnitudes(0b10'01'00'10'01'00'10'01) == 0x2b19082b19082b19U);
    STATIC_REQUIRE(qd::iq3_xxs_magnitudes(0x3210, 0x7654) == 0x3e342c241c140c04U);
    STATIC_REQUIRE(qd::iq3_s_magnitudes(0x3210, 0x7654) == 0x0f0d0b0907050301U);
    STATIC_REQUIRE(qd::iq1_codes(0b10'01'00'00'00'00'00'00, false) == 0x0901f9f9f9f9f9f9U); // 9, 1, -7
    STATIC_REQUIRE(qd::iq1_codes(0b10'01'00'00'00'00'00'00, true) == 0x07fff7f7f7f7f7f7U);  // 7, -1, -9
}

TEST_CASE("signs negate bytes and their number is even") {
    for(unsigned signs = 0; signs < 256; ++signs) {
        for(const std::uint64_t magnitude: {1U, 8U, 43U, 62U, 127U}) {
            const std::uint64_t out = qd::negate(magnitude * qd::each_byte, signs);
            for(unsigned i = 0; i < 8; ++i) {
                const auto byte = static_cast<std::int8_t>(static_cast<std::uint8_t>(out >> (8 * i)));
                const int expected = static_cast<int>(magnitude) * (((signs >> i) & 1U) != 0 ? -1 : 1);
                REQUIRE(byte == expected);
            }
        }
    }
    for(unsigned seven = 0; seven < 128; ++seven) {
        REQUIRE((qd::complete_signs(seven) & 127U) == seven);
        REQUIRE(std::popcount(qd::complete_signs(seven)) % 2 == 0);
        REQUIRE(qd::complete_signs(seven + 128) == qd::complete_signs(seven)); // higher bits are another's
    }
}
