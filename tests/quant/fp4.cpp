#include <array>
#include <cmath>
#include <cstdint>

#include <tokenworks/quant/fp4.hpp>

#include "quant/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks;

TEMPLATE_TEST_CASE("four-bit floats decode like gguf", "", quant::mxfp4, quant::nvfp4) {
    golden::check_decode<TestType>();
}

TEST_CASE("an E8M0 scale is a power of two, halved") {
    for(unsigned exponent = 0; exponent < 256; ++exponent) {
        const double expected = std::ldexp(1.0, static_cast<int>(exponent) - 128);
        REQUIRE(static_cast<double>(quant::detail::half_of_e8m0(exponent)) == expected);
    }
}

TEST_CASE("mxfp4 holds the E2M1 values") {
    quant::mxfp4 block;
    block.exponent = 128; // 2
    for(std::size_t i = 0; i < 16; ++i) {
        block.codes[i] = static_cast<std::uint8_t>(i | (15 - i) << 4);
    }
    std::array<float, 32> out;
    quant::decode(block, out.data());
    const std::array<float, 8> values{0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
    for(std::size_t i = 0; i < 8; ++i) {
        CHECK(out[i] == 2 * values[i]);
        CHECK(out[8 + i] == -2 * values[i]);
        CHECK(out[31 - i] == 2 * values[i]);
    }
}
