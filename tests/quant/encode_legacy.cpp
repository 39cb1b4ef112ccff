#include <array>
#include <cstdint>

#include <tokenworks/quant/encode_legacy.hpp>

#include "quant/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks;

// Bounds: a step of s = range / (2^bits - 1) has an error of s / sqrt(12); the range of 32 normal numbers is about 4.2
// (Q8_0 and Q4_0 span twice the largest, 2.1 each side).
TEST_CASE("q8_0 encodes like ggml") { golden::check_encode<quant::q8_0>(0.006); }
TEST_CASE("q4_0 encodes like ggml") { golden::check_encode<quant::q4_0>(0.1); }
TEST_CASE("q4_1 encodes like ggml") { golden::check_encode<quant::q4_1>(0.1); }
TEST_CASE("q5_0 encodes like ggml") { golden::check_encode<quant::q5_0>(0.05); }
TEST_CASE("q5_1 encodes like ggml") { golden::check_encode<quant::q5_1>(0.05); }
TEST_CASE("iq4_nl encodes like ggml") { golden::check_encode<quant::iq4_nl>(0.085); }

TEST_CASE("nearest_iq4 takes the greater of two equally near") {
    std::array<float, 32> x{};
    for(std::size_t k = 1; k < 16; ++k) {
        x[2 * k] = static_cast<float>(quant::iq4_values[k - 1] + quant::iq4_values[k]) / 2.0F;
        x[2 * k + 1] = std::nextafter(x[2 * k], -1000.0F);
    }
    std::array<std::uint8_t, 32> codes;
    quant::detail::nearest_iq4(x, codes);
    for(std::size_t k = 1; k < 16; ++k) {
        CHECK(codes[2 * k] == k);
        CHECK(codes[2 * k + 1] == k - 1);
    }
}

TEST_CASE("the value of largest magnitude is kept") {
    std::array<float, 32> x{};
    x[5] = 3.0F;
    x[6] = -4.0F;
    quant::q4_0 block;
    quant::encode(x.data(), block);
    std::array<float, 32> out;
    quant::decode(block, out.data());
    CHECK(out[6] == -4.0F);
    CHECK(out[5] == 3.0F);
    CHECK(out[0] == 0.0F);
}
