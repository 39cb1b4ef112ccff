#include <array>
#include <cstdint>

#include <tokenworks/quant/legacy.hpp>

#include "quant/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks;

TEMPLATE_TEST_CASE("legacy formats decode like gguf", "", quant::q4_0, quant::q4_1, quant::q5_0, quant::q5_1,
                   quant::q8_0) {
    golden::check_decode<TestType>();
}

TEST_CASE("q8_1 decodes like q8_0 with the same scale") {
    quant::q8_1 block;
    block.d = {0x00, 0x38}; // 0.5
    block.s = {0xff, 0xff}; // not used
    for(std::size_t i = 0; i < 32; ++i) {
        block.codes[i] = static_cast<std::int8_t>(static_cast<int>(i) * 8 - 128);
    }
    std::array<float, 32> out;
    quant::decode(block, out.data());
    for(std::size_t i = 0; i < 32; ++i) {
        CHECK(out[i] == static_cast<float>(i) * 4.0F - 64.0F);
    }
}

TEST_CASE("the fifth bits of q5 belong to the elements in order") {
    quant::q5_0 block;
    block.d = {0x00, 0x3c}; // 1
    block.high = {0x01, 0x00, 0x00, 0x80};
    block.codes = {};
    block.codes[0] = 0x21;
    std::array<float, 32> out;
    quant::decode(block, out.data());
    CHECK(out[0] == 1.0F); // 16 + 1 - 16
    CHECK(out[1] == -16.0F);
    CHECK(out[16] == -14.0F); // high nibble
    CHECK(out[31] == 0.0F);
}
