// The first block formats of ggml: 32 elements with one half-precision scale (and minimum), 4, 5 or 8 bits an element.
//
// The low nibbles of `codes` are elements 0 to 15, the high nibbles 16 to 31; the fifth bits of Q5 are one 32-bit word,
// bit i for element i. Layouts: ggml-common.h of ggml.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/quant/block.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

/// value = d * (code - 8); 4.5 bits an element.
struct q4_0 {
    static constexpr dtype type = dtype::q4_0;
    static constexpr std::size_t size = 32;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<16> codes;
};

/// value = d * code + m; 5 bits an element.
struct q4_1 {
    static constexpr dtype type = dtype::q4_1;
    static constexpr std::size_t size = 32;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = true;
    detail::bytes<2> d;
    detail::bytes<2> m;
    detail::bytes<16> codes;
};

/// value = d * (code - 16); 5.5 bits an element.
struct q5_0 {
    static constexpr dtype type = dtype::q5_0;
    static constexpr std::size_t size = 32;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<4> high;
    detail::bytes<16> codes;
};

/// value = d * code + m; 6 bits an element.
struct q5_1 {
    static constexpr dtype type = dtype::q5_1;
    static constexpr std::size_t size = 32;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = true;
    detail::bytes<2> d;
    detail::bytes<2> m;
    detail::bytes<4> high;
    detail::bytes<16> codes;
};

/// value = d * code; 8.5 bits an element.
struct q8_0 {
    static constexpr dtype type = dtype::q8_0;
    static constexpr std::size_t size = 32;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    std::array<std::int8_t, 32> codes;
};

/// Q8_0 with s = d * (sum of the codes), which products with minimums use; for activations only.
struct q8_1 {
    static constexpr dtype type = dtype::q8_1;
    static constexpr std::size_t size = 32;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<2> s;
    std::array<std::int8_t, 32> codes;
};

static_assert(detail::fits_file<q4_0> && detail::fits_file<q4_1> && detail::fits_file<q5_0> &&
              detail::fits_file<q5_1> && detail::fits_file<q8_0> && detail::fits_file<q8_1>);

namespace detail {

/// 32 codes from 16 bytes of nibbles, less an offset.
inline void unpack_nibbles(const bytes<16>& packed, int offset, std::int8_t* TOKENWORKS_RESTRICT codes) noexcept {
    for(std::size_t i = 0; i < 16; ++i) {
        codes[i] = static_cast<std::int8_t>((packed[i] & 15) - offset);
        codes[i + 16] = static_cast<std::int8_t>((packed[i] >> 4) - offset);
    }
}

/// Adds 16 to the codes whose bit is set.
inline void add_fifth_bits(const bytes<4>& high, std::int8_t* TOKENWORKS_RESTRICT codes) noexcept {
    for(std::size_t i = 0; i < 4; ++i) {
        for(std::size_t bit = 0; bit < 8; ++bit) {
            const int fifth = ((high[i] >> bit) & 1) << 4;
            codes[8 * i + bit] = static_cast<std::int8_t>(codes[8 * i + bit] + fifth);
        }
    }
}

} // namespace detail

/// See codes.hpp for what decode_codes yields.
inline void decode_codes(const q4_0& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    detail::unpack_nibbles(block.codes, 8, codes);
    detail::fill<q4_0>(scales, detail::load_half(block.d));
    detail::fill<q4_0>(mins, 0.0F);
}

inline void decode_codes(const q4_1& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    detail::unpack_nibbles(block.codes, 0, codes);
    detail::fill<q4_1>(scales, detail::load_half(block.d));
    detail::fill<q4_1>(mins, -detail::load_half(block.m));
}

inline void decode_codes(const q5_0& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    detail::unpack_nibbles(block.codes, 16, codes);
    detail::add_fifth_bits(block.high, codes);
    detail::fill<q5_0>(scales, detail::load_half(block.d));
    detail::fill<q5_0>(mins, 0.0F);
}

inline void decode_codes(const q5_1& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    detail::unpack_nibbles(block.codes, 0, codes);
    detail::add_fifth_bits(block.high, codes);
    detail::fill<q5_1>(scales, detail::load_half(block.d));
    detail::fill<q5_1>(mins, -detail::load_half(block.m));
}

inline void decode_codes(const q8_0& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    std::memcpy(codes, block.codes.data(), block.codes.size());
    detail::fill<q8_0>(scales, detail::load_half(block.d));
    detail::fill<q8_0>(mins, 0.0F);
}

inline void decode_codes(const q8_1& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    std::memcpy(codes, block.codes.data(), block.codes.size());
    detail::fill<q8_1>(scales, detail::load_half(block.d));
    detail::fill<q8_1>(mins, 0.0F);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
