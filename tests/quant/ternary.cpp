#include <array>
#include <cstdint>

#include <tokenworks/quant/ternary.hpp>

#include "quant/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks;

TEMPLATE_TEST_CASE("ternary formats decode like gguf", "", quant::tq1_0, quant::tq2_0) {
    golden::check_decode<TestType>();
}

TEST_CASE("a byte of tq1_0 holds five digits") {
    // 243 combinations, each written as the reference does: ceil(256 * n / 243).
    for(unsigned n = 0; n < 243; ++n) {
        quant::tq1_0 block;
        block.d = {0x00, 0x3c}; // 1
        block.codes.fill(static_cast<std::uint8_t>((n * 256 + 242) / 243));
        block.last.fill(0);
        std::array<float, 256> out;
        quant::decode(block, out.data());
        unsigned rest = n;
        for(std::size_t digit = 5; digit-- > 0;) {
            const float expected = static_cast<float>(rest % 3) - 1.0F;
            rest /= 3;
            REQUIRE(out[32 * digit + 7] == expected);
            REQUIRE(out[160 + 16 * digit + 15] == expected);
        }
        REQUIRE(out[255] == -1.0F);
    }
}
