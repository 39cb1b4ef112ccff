// The "K" formats: 256 elements in groups of 16 or 32, whose scales (and minimums) are small integers times a
// half-precision factor of the block. Layouts and packing: ggml-common.h and ggml-quants.c of ggml.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/quant/block.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

/// value = d * scale * code - dmin * min; codes of 2 bits, scales (low nibble) and minimums (high) of 4; 2.625 bits.
struct q2_k {
    static constexpr dtype type = dtype::q2_k;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 16;
    static constexpr bool has_min = true;
    detail::bytes<16> scales;
    detail::bytes<64> codes;
    detail::bytes<2> d;
    detail::bytes<2> dmin;
};

/// value = d * (scale - 32) * (code - 4); codes of 3 bits, scales of 6; 3.4375 bits an element.
struct q3_k {
    static constexpr dtype type = dtype::q3_k;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 16;
    static constexpr bool has_min = false;
    detail::bytes<32> high;
    detail::bytes<64> codes;
    detail::bytes<12> scales;
    detail::bytes<2> d;
};

/// value = d * scale * code - dmin * min; codes of 4 bits, scales and minimums of 6; 4.5 bits an element.
struct q4_k {
    static constexpr dtype type = dtype::q4_k;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = true;
    detail::bytes<2> d;
    detail::bytes<2> dmin;
    detail::bytes<12> scales;
    detail::bytes<128> codes;
};

/// Q4_K with a fifth bit; 5.5 bits an element.
struct q5_k {
    static constexpr dtype type = dtype::q5_k;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = true;
    detail::bytes<2> d;
    detail::bytes<2> dmin;
    detail::bytes<12> scales;
    detail::bytes<32> high;
    detail::bytes<128> codes;
};

/// value = d * scale * (code - 32); codes of 6 bits, signed scales of 8; 6.5625 bits an element.
struct q6_k {
    static constexpr dtype type = dtype::q6_k;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 16;
    static constexpr bool has_min = false;
    detail::bytes<128> low;
    detail::bytes<64> high;
    std::array<std::int8_t, 16> scales;
    detail::bytes<2> d;
};

/// value = d * code with a float32 scale, and the sums of 16 codes each; for activations only.
struct q8_k {
    static constexpr dtype type = dtype::q8_k;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 256;
    static constexpr bool has_min = false;
    detail::bytes<4> d;
    std::array<std::int8_t, 256> codes;
    detail::bytes<32> sums;
};

static_assert(detail::fits_file<q2_k> && detail::fits_file<q3_k> && detail::fits_file<q4_k> &&
              detail::fits_file<q5_k> && detail::fits_file<q6_k> && detail::fits_file<q8_k>);

namespace detail {

struct scale_and_min {
    std::uint8_t scale;
    std::uint8_t min;
};

/// Scale and minimum (6 bits each) of group j in 0..7 of Q4_K and Q5_K. Bytes 0-3 and 4-7 hold those of groups 0-3 in
/// their low bits; bytes 8-11 the low nibbles of groups 4-7, whose top bits fill up bytes 0-7.
[[nodiscard]] constexpr scale_and_min unpack_scale(const bytes<12>& packed, std::size_t j) noexcept {
    if(j < 4) {
        return {static_cast<std::uint8_t>(packed[j] & 63), static_cast<std::uint8_t>(packed[j + 4] & 63)};
    }
    return {static_cast<std::uint8_t>((packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4)),
            static_cast<std::uint8_t>((packed[j + 4] >> 4) | ((packed[j] >> 6) << 4))};
}

/// The inverse, for an all-zero array filled with j rising.
constexpr void pack_scale(bytes<12>& packed, std::size_t j, scale_and_min value) noexcept {
    if(j < 4) {
        packed[j] = value.scale;
        packed[j + 4] = value.min;
    } else {
        packed[j + 4] = static_cast<std::uint8_t>((value.scale & 15) | ((value.min & 15) << 4));
        packed[j - 4] = static_cast<std::uint8_t>(packed[j - 4] | ((value.scale >> 4) << 6));
        packed[j] = static_cast<std::uint8_t>(packed[j] | ((value.min >> 4) << 6));
    }
}

/// Scale of group k in 0..15 of Q3_K, 0 to 63: low nibbles in bytes 0-7, high pairs of bits in bytes 8-11.
[[nodiscard]] constexpr int unpack_q3_scale(const bytes<12>& packed, std::size_t k) noexcept {
    const int low = k < 8 ? packed[k] & 15 : packed[k - 8] >> 4;
    const int high = (packed[8 + k % 4] >> (2 * (k / 4))) & 3;
    return low | (high << 4);
}

/// Scales and minimums of Q4_K and Q5_K.
template <class Block>
inline void unpack_scales(const Block& block, float* TOKENWORKS_RESTRICT scales,
                          float* TOKENWORKS_RESTRICT mins) noexcept {
    const float d = load_half(block.d);
    const float dmin = load_half(block.dmin);
    for(std::size_t j = 0; j < 8; ++j) {
        const scale_and_min packed = unpack_scale(block.scales, j);
        scales[2 * j] = scales[2 * j + 1] = d * static_cast<float>(packed.scale);
        mins[2 * j] = mins[2 * j + 1] = dmin * static_cast<float>(packed.min);
    }
}

} // namespace detail

/// See codes.hpp for what decode_codes yields.
inline void decode_codes(const q2_k& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    for(std::size_t half = 0; half < 2; ++half) {
        for(std::size_t j = 0; j < 4; ++j) {
            for(std::size_t i = 0; i < 32; ++i) {
                codes[128 * half + 32 * j + i] = static_cast<std::int8_t>((block.codes[32 * half + i] >> (2 * j)) & 3);
            }
        }
    }
    const float d = detail::load_half(block.d);
    const float dmin = detail::load_half(block.dmin);
    for(std::size_t k = 0; k < 16; ++k) {
        scales[k] = d * static_cast<float>(block.scales[k] & 15);
        mins[k] = dmin * static_cast<float>(block.scales[k] >> 4);
    }
}

inline void decode_codes(const q3_k& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    for(std::size_t half = 0; half < 2; ++half) {
        for(std::size_t j = 0; j < 4; ++j) {
            for(std::size_t i = 0; i < 32; ++i) {
                const int low = (block.codes[32 * half + i] >> (2 * j)) & 3;
                const int high = (block.high[i] >> (4 * half + j)) & 1;
                codes[128 * half + 32 * j + i] = static_cast<std::int8_t>(low + 4 * high - 4);
            }
        }
    }
    const float d = detail::load_half(block.d);
    for(std::size_t k = 0; k < 16; ++k) {
        scales[k] = d * static_cast<float>(detail::unpack_q3_scale(block.scales, k) - 32);
        mins[k] = 0.0F;
    }
}

inline void decode_codes(const q4_k& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    for(std::size_t quarter = 0; quarter < 4; ++quarter) {
        for(std::size_t i = 0; i < 32; ++i) {
            const int packed = block.codes[32 * quarter + i];
            codes[64 * quarter + i] = static_cast<std::int8_t>(packed & 15);
            codes[64 * quarter + 32 + i] = static_cast<std::int8_t>(packed >> 4);
        }
    }
    detail::unpack_scales(block, scales, mins);
}

inline void decode_codes(const q5_k& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    for(std::size_t quarter = 0; quarter < 4; ++quarter) {
        for(std::size_t i = 0; i < 32; ++i) {
            const int packed = block.codes[32 * quarter + i];
            const int high = block.high[i] >> (2 * quarter);
            codes[64 * quarter + i] = static_cast<std::int8_t>((packed & 15) | ((high & 1) << 4));
            codes[64 * quarter + 32 + i] = static_cast<std::int8_t>((packed >> 4) | ((high & 2) << 3));
        }
    }
    detail::unpack_scales(block, scales, mins);
}

inline void decode_codes(const q6_k& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    for(std::size_t half = 0; half < 2; ++half) {
        for(std::size_t j = 0; j < 4; ++j) {
            for(std::size_t i = 0; i < 32; ++i) {
                const int low = (block.low[64 * half + 32 * (j % 2) + i] >> (4 * (j / 2))) & 15;
                const int high = (block.high[32 * half + i] >> (2 * j)) & 3;
                codes[128 * half + 32 * j + i] = static_cast<std::int8_t>((low | (high << 4)) - 32);
            }
        }
    }
    const float d = detail::load_half(block.d);
    for(std::size_t k = 0; k < 16; ++k) {
        scales[k] = d * static_cast<float>(block.scales[k]);
        mins[k] = 0.0F;
    }
}

inline void decode_codes(const q8_k& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    std::memcpy(codes, block.codes.data(), block.codes.size());
    detail::fill<q8_k>(scales, std::bit_cast<float>(detail::load32(block.d.data())));
    detail::fill<q8_k>(mins, 0.0F);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
