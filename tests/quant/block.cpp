#include <array>
#include <cstddef>
#include <cstdint>

#include <tokenworks/quant/block.hpp>

#include "support/catch.hpp"

using namespace tokenworks;

namespace mine {

/// A block format of a user: 16 elements, a byte of scale.
struct tiny {
    static constexpr dtype type = dtype::u8;
    static constexpr std::size_t size = 16;
    static constexpr std::size_t group = 16;
    static constexpr bool has_min = true;
    std::uint8_t scale;
    std::array<std::int8_t, 16> codes;
};

void decode_codes(const tiny& block, std::int8_t* codes, float* scales, float* mins) {
    for(std::size_t i = 0; i < 16; ++i) {
        codes[i] = block.codes[i];
    }
    scales[0] = block.scale;
    mins[0] = 0.5F;
}

struct aligned {
    static constexpr dtype type = dtype::u8;
    static constexpr std::size_t size = 16;
    static constexpr std::size_t group = 16;
    static constexpr bool has_min = false;
    std::uint16_t scale;
};

} // namespace mine

TEST_CASE("a user's block format decodes") {
    STATIC_REQUIRE(quant::block_format<mine::tiny>);
    STATIC_REQUIRE_FALSE(quant::block_format<mine::aligned>); // cannot be read from any address
    STATIC_REQUIRE_FALSE(quant::block_format<float>);
    mine::tiny block{3, {}};
    for(std::size_t i = 0; i < 16; ++i) {
        block.codes[i] = static_cast<std::int8_t>(static_cast<int>(i) - 8);
    }
    std::array<float, 16> out;
    quant::decode(block, out.data());
    CHECK(out[0] == -24.5F);
    CHECK(out[8] == -0.5F);
    CHECK(out[15] == 20.5F);
}

TEST_CASE("codes are stored first byte first") {
    std::array<std::int8_t, 8> codes;
    quant::detail::store_codes(codes.data(), 0x08070605040302ffU);
    CHECK(codes == std::array<std::int8_t, 8>{-1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("numbers are read least byte first") {
    constexpr std::array<std::uint8_t, 4> bytes{0x00, 0x3c, 0x34, 0x12};
    STATIC_REQUIRE(quant::detail::load16(bytes.data()) == 0x3c00);
    STATIC_REQUIRE(quant::detail::load32(bytes.data()) == 0x12343c00);
    STATIC_REQUIRE(quant::detail::load_half({0x00, 0x3c}) == 1.0F);
    std::array<std::uint8_t, 2> half{};
    quant::detail::store_half(half, f16{-2.0F});
    CHECK(half == std::array<std::uint8_t, 2>{0x00, 0xc0});
}
