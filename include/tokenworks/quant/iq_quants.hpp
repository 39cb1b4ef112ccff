// The "IQ" formats of 1 to 3 bits: groups of 8 (or 4) magnitudes come from a codebook, signs are stored apart.
//
// A codebook word is expanded in a 64-bit register, a byte an element, instead of through tables of expanded bytes: the
// tables of all formats together then take 9 KiB. Layouts and tables: ggml-common.h of ggml.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/quant/block.hpp>
#include <tokenworks/quant/iq_tables.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

/// value = d * (2 * scale + 1) * (c +- 1/8), c in {-1, 0, 1}; a sign and a scale per 32; 1.5625 bits an element.
struct iq1_s {
    static constexpr dtype type = dtype::iq1_s;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<32> low;
    detail::bytes<16> high; ///< per 32 elements: four times 3 index bits, 3 bits of scale, the sign of the 1/8
};

/// As IQ1_S, with a scale per 16 and a sign per 8; d in four nibbles of the scales; 1.75 bits an element.
struct iq1_m {
    static constexpr dtype type = dtype::iq1_m;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 16;
    static constexpr bool has_min = false;
    detail::bytes<32> low;
    detail::bytes<16> high;
    detail::bytes<8> scales;
};

/// value = +-d * (scale + 1/2) / 4 * {8, 25, 43}; 2.0625 bits an element.
struct iq2_xxs {
    static constexpr dtype type = dtype::iq2_xxs;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<64> codes; ///< per 32 elements: four indices, four times 7 signs, 4 bits of scale
};

/// As IQ2_XXS, with a larger codebook and a scale per 16; 2.3125 bits an element.
struct iq2_xs {
    static constexpr dtype type = dtype::iq2_xs;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 16;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<64> codes; ///< per 8 elements: 9 bits of index, 7 signs
    detail::bytes<8> scales;
};

/// As IQ2_XS, with a larger codebook and all signs stored; 2.5625 bits an element.
struct iq2_s {
    static constexpr dtype type = dtype::iq2_s;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 16;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<32> low;
    detail::bytes<32> signs;
    detail::bytes<8> high;
    detail::bytes<8> scales;
};

/// value = +-d * (scale + 1/2) / 2 * {4, 12, 20, 28, 36, 44, 52, 62}; 3.0625 bits an element.
struct iq3_xxs {
    static constexpr dtype type = dtype::iq3_xxs;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<64> codes; ///< an index per 4 elements
    detail::bytes<32> signs; ///< per 32 elements: four times 7 signs, 4 bits of scale
};

/// value = +-d * (2 * scale + 1) * {1, 3, 5, ... 15}; 3.4375 bits an element.
struct iq3_s {
    static constexpr dtype type = dtype::iq3_s;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<64> low;
    detail::bytes<8> high;
    detail::bytes<32> signs;
    detail::bytes<4> scales;
};

static_assert(detail::fits_file<iq1_s> && detail::fits_file<iq1_m> && detail::fits_file<iq2_xxs> &&
              detail::fits_file<iq2_xs> && detail::fits_file<iq2_s> && detail::fits_file<iq3_xxs> &&
              detail::fits_file<iq3_s>);

namespace detail {

inline constexpr std::uint64_t each_byte = 0x0101010101010101U;

/// Eight fields of 2 bits to eight bytes.
[[nodiscard]] constexpr std::uint64_t spread_pairs(std::uint64_t word) noexcept {
    word = (word | (word << 24)) & 0x000000ff000000ffU;
    word = (word | (word << 12)) & 0x000f000f000f000fU;
    return (word | (word << 6)) & (3 * each_byte);
}

/// Two words of four fields of 4 bits to eight bytes.
[[nodiscard]] constexpr std::uint64_t spread_nibbles(std::uint64_t first, std::uint64_t second) noexcept {
    std::uint64_t word = first | (second << 32);
    word = (word | (word << 8)) & 0x00ff00ff00ff00ffU;
    return (word | (word << 4)) & (15 * each_byte);
}

/// Magnitudes 8, 25, 43 for fields 0, 1, 2.
[[nodiscard]] constexpr std::uint64_t iq2_magnitudes(std::uint64_t word) noexcept {
    const std::uint64_t field = spread_pairs(word);
    return 8 * each_byte + 17 * field + ((field >> 1) & each_byte);
}

/// Magnitudes 4, 12, ... 52 for fields 0 to 6, and 62 for 7.
[[nodiscard]] constexpr std::uint64_t iq3_xxs_magnitudes(std::uint64_t first, std::uint64_t second) noexcept {
    const std::uint64_t field = spread_nibbles(first, second);
    const std::uint64_t seven = field & (field >> 1) & (field >> 2) & each_byte;
    return 4 * each_byte + 8 * field + 2 * seven;
}

/// Magnitudes 1, 3, ... 15.
[[nodiscard]] constexpr std::uint64_t iq3_s_magnitudes(std::uint64_t first, std::uint64_t second) noexcept {
    return each_byte + 2 * spread_nibbles(first, second);
}

/// 8 * (field - 1) + 1, or - 1 where minus is set.
[[nodiscard]] constexpr std::uint64_t iq1_codes(std::uint64_t word, bool minus) noexcept {
    const std::uint64_t biased = (128 - 8 + 1) * each_byte + 8 * spread_pairs(word) - (minus ? 2 * each_byte : 0);
    return biased ^ (128 * each_byte);
}

/// Negates the bytes (1 to 127) whose bit in signs is set.
[[nodiscard]] constexpr std::uint64_t negate(std::uint64_t magnitudes, unsigned signs) noexcept {
    const std::uint64_t selected = (signs * each_byte) & 0x8040201008040201U;
    const std::uint64_t ones = ((selected + 0x7f * each_byte) >> 7) & each_byte;
    return (magnitudes ^ (ones * 255U)) + ones;
}

/// Seven stored signs and the eighth, which makes their number even.
[[nodiscard]] constexpr unsigned complete_signs(std::uint32_t seven) noexcept {
    seven &= 127U;
    return seven | static_cast<unsigned>(std::popcount(seven) & 1) << 7;
}

/// Scales per 16 elements from nibbles, times d (scale + 1/2) / 4: IQ2_XS and IQ2_S.
template <class Block>
inline void unpack_iq2_scales(const Block& block, float* scales) noexcept {
    const float d = load_half(block.d);
    for(std::size_t i = 0; i < 8; ++i) {
        scales[2 * i] = d * (0.5F + static_cast<float>(block.scales[i] & 15)) * 0.25F;
        scales[2 * i + 1] = d * (0.5F + static_cast<float>(block.scales[i] >> 4)) * 0.25F;
    }
}

} // namespace detail

/// See codes.hpp for what decode_codes yields. The 1/8 is in the codes, which are eight times as large here.
inline void decode_codes(const iq1_s& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    const float d = detail::load_half(block.d);
    for(std::size_t g = 0; g < 8; ++g) {
        const std::uint32_t high = detail::load16(&block.high[2 * g]);
        for(std::size_t l = 0; l < 4; ++l) {
            const std::size_t index = block.low[4 * g + l] | ((high >> (3 * l)) & 7U) << 8;
            detail::store_codes(codes + 32 * g + 8 * l, detail::iq1_codes(detail::iq1_s_grid[index], high >= 0x8000U));
        }
        const float scale = d * static_cast<float>(2 * ((high >> 12) & 7U) + 1);
        scales[2 * g] = scales[2 * g + 1] = scale * 0.125F;
    }
    detail::fill<iq1_s>(mins, 0.0F);
}

inline void decode_codes(const iq1_m& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    std::uint32_t d_bits = 0;
    for(std::size_t i = 0; i < 4; ++i) {
        d_bits |= (static_cast<std::uint32_t>(block.scales[2 * i + 1]) >> 4) << (4 * i);
    }
    const float d = f16::from_bits(static_cast<std::uint16_t>(d_bits));
    for(std::size_t g = 0; g < 16; ++g) {
        for(std::size_t l = 0; l < 2; ++l) {
            const unsigned high = (static_cast<unsigned>(block.high[g]) >> (4 * l)) & 15U;
            const std::size_t index = block.low[2 * g + l] | (high & 7U) << 8;
            detail::store_codes(codes + 16 * g + 8 * l, detail::iq1_codes(detail::iq1_s_grid[index], high >= 8));
        }
        const std::uint32_t packed = detail::load16(&block.scales[2 * (g / 4)]) >> (3 * (g % 4));
        scales[g] = d * static_cast<float>(2 * (packed & 7U) + 1) * 0.125F;
    }
    detail::fill<iq1_m>(mins, 0.0F);
}

inline void decode_codes(const iq2_xxs& block, std::int8_t* TOKENWORKS_RESTRICT codes,
                         float* TOKENWORKS_RESTRICT scales, float* TOKENWORKS_RESTRICT mins) noexcept {
    const float d = detail::load_half(block.d);
    for(std::size_t g = 0; g < 8; ++g) {
        const std::uint32_t signs = detail::load32(&block.codes[8 * g + 4]);
        for(std::size_t l = 0; l < 4; ++l) {
            const std::uint64_t magnitudes = detail::iq2_magnitudes(detail::iq2_xxs_grid[block.codes[8 * g + l]]);
            detail::store_codes(codes + 32 * g + 8 * l,
                                detail::negate(magnitudes, detail::complete_signs(signs >> (7 * l))));
        }
        scales[2 * g] = scales[2 * g + 1] = d * (0.5F + static_cast<float>(signs >> 28)) * 0.25F;
    }
    detail::fill<iq2_xxs>(mins, 0.0F);
}

inline void decode_codes(const iq2_xs& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    for(std::size_t i = 0; i < 32; ++i) {
        const std::uint32_t packed = detail::load16(&block.codes[2 * i]);
        const std::uint64_t magnitudes = detail::iq2_magnitudes(detail::iq2_xs_grid[packed & 511U]);
        detail::store_codes(codes + 8 * i, detail::negate(magnitudes, detail::complete_signs(packed >> 9)));
    }
    detail::unpack_iq2_scales(block, scales);
    detail::fill<iq2_xs>(mins, 0.0F);
}

inline void decode_codes(const iq2_s& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    for(std::size_t i = 0; i < 32; ++i) {
        const std::size_t index = block.low[i] | ((static_cast<unsigned>(block.high[i / 4]) >> (2 * (i % 4))) & 3U)
                                                     << 8;
        const std::uint64_t magnitudes = detail::iq2_magnitudes(detail::iq2_s_grid[index]);
        detail::store_codes(codes + 8 * i, detail::negate(magnitudes, block.signs[i]));
    }
    detail::unpack_iq2_scales(block, scales);
    detail::fill<iq2_s>(mins, 0.0F);
}

inline void decode_codes(const iq3_xxs& block, std::int8_t* TOKENWORKS_RESTRICT codes,
                         float* TOKENWORKS_RESTRICT scales, float* TOKENWORKS_RESTRICT mins) noexcept {
    const float d = detail::load_half(block.d);
    for(std::size_t g = 0; g < 8; ++g) {
        const std::uint32_t signs = detail::load32(&block.signs[4 * g]);
        for(std::size_t l = 0; l < 4; ++l) {
            const std::uint8_t* index = &block.codes[8 * g + 2 * l];
            const std::uint64_t magnitudes =
                detail::iq3_xxs_magnitudes(detail::iq3_xxs_grid[index[0]], detail::iq3_xxs_grid[index[1]]);
            detail::store_codes(codes + 32 * g + 8 * l,
                                detail::negate(magnitudes, detail::complete_signs(signs >> (7 * l))));
        }
        scales[2 * g] = scales[2 * g + 1] = d * (0.5F + static_cast<float>(signs >> 28)) * 0.5F;
    }
    detail::fill<iq3_xxs>(mins, 0.0F);
}

inline void decode_codes(const iq3_s& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    const float d = detail::load_half(block.d);
    for(std::size_t g = 0; g < 8; ++g) {
        for(std::size_t l = 0; l < 4; ++l) {
            const unsigned high = static_cast<unsigned>(block.high[g]) >> (2 * l);
            const std::size_t first = block.low[8 * g + 2 * l] | (high & 1U) << 8;
            const std::size_t second = block.low[8 * g + 2 * l + 1] | (high & 2U) << 7;
            const std::uint64_t magnitudes =
                detail::iq3_s_magnitudes(detail::iq3_s_grid[first], detail::iq3_s_grid[second]);
            detail::store_codes(codes + 32 * g + 8 * l, detail::negate(magnitudes, block.signs[4 * g + l]));
        }
        const unsigned scale = (static_cast<unsigned>(block.scales[g / 2]) >> (4 * (g % 2))) & 15U;
        scales[2 * g] = scales[2 * g + 1] = d * static_cast<float>(2 * scale + 1);
    }
    detail::fill<iq3_s>(mins, 0.0F);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
