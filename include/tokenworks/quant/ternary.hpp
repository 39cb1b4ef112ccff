// Ternary formats: 256 elements of -1, 0 or 1 with one half-precision scale (BitNet b1.58, TriLM).
//
// Layouts and packing: ggml-common.h and ggml-quants.c of ggml.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/quant/block.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

/// Five elements a byte (four in the last four bytes); 1.6875 bits an element. A byte is the fraction, in 256ths and
/// rounded up, whose digits in base 3 after the point are the elements plus one.
struct tq1_0 {
    static constexpr dtype type = dtype::tq1_0;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 256;
    static constexpr bool has_min = false;
    detail::bytes<48> codes;
    detail::bytes<4> last;
    detail::bytes<2> d;
};

/// Four elements a byte; 2.0625 bits an element. The code 3 stands for 2.
struct tq2_0 {
    static constexpr dtype type = dtype::tq2_0;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 256;
    static constexpr bool has_min = false;
    detail::bytes<64> codes;
    detail::bytes<2> d;
};

static_assert(detail::fits_file<tq1_0> && detail::fits_file<tq2_0>);

namespace detail {

/// The n-th digit of Count bytes, for n rising: Count * Digits codes.
template <std::size_t Count, std::size_t Digits>
inline void unpack_trits(const std::uint8_t* TOKENWORKS_RESTRICT packed,
                         std::int8_t* TOKENWORKS_RESTRICT codes) noexcept {
    constexpr std::array<unsigned, 5> power{1, 3, 9, 27, 81};
    for(std::size_t n = 0; n < Digits; ++n) {
        for(std::size_t i = 0; i < Count; ++i) {
            const unsigned shifted = (packed[i] * power[n]) & 255U;
            codes[Count * n + i] = static_cast<std::int8_t>(static_cast<int>((shifted * 3U) >> 8) - 1);
        }
    }
}

} // namespace detail

/// See codes.hpp for what decode_codes yields.
inline void decode_codes(const tq1_0& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    detail::unpack_trits<32, 5>(block.codes.data(), codes);
    detail::unpack_trits<16, 5>(block.codes.data() + 32, codes + 160);
    detail::unpack_trits<4, 4>(block.last.data(), codes + 240);
    detail::fill<tq1_0>(scales, detail::load_half(block.d));
    detail::fill<tq1_0>(mins, 0.0F);
}

inline void decode_codes(const tq2_0& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    for(std::size_t half = 0; half < 2; ++half) {
        for(std::size_t j = 0; j < 4; ++j) {
            for(std::size_t i = 0; i < 32; ++i) {
                const int code = (block.codes[32 * half + i] >> (2 * j)) & 3;
                codes[128 * half + 32 * j + i] = static_cast<std::int8_t>(code - 1);
            }
        }
    }
    detail::fill<tq2_0>(scales, detail::load_half(block.d));
    detail::fill<tq2_0>(mins, 0.0F);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
