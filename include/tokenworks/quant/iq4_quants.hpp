// The four-bit "IQ" formats: a code is an index into sixteen fixed values that lie closer together near zero.
//
// Layouts and values: ggml-common.h of ggml.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/quant/block.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

/// value = d * iq4_values[code]; 4.5 bits an element.
struct iq4_nl {
    static constexpr dtype type = dtype::iq4_nl;
    static constexpr std::size_t size = 32;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<16> codes;
};

/// value = d * (scale - 32) * iq4_values[code], scales of 6 bits per 32 elements; 4.25 bits an element.
struct iq4_xs {
    static constexpr dtype type = dtype::iq4_xs;
    static constexpr std::size_t size = 256;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    detail::bytes<2> d;
    detail::bytes<2> scales_high;
    detail::bytes<4> scales_low;
    detail::bytes<128> codes;
};

static_assert(detail::fits_file<iq4_nl> && detail::fits_file<iq4_xs>);

/// What the codes of IQ4_NL and IQ4_XS stand for.
inline constexpr std::array<std::int8_t, 16> iq4_values{-127, -104, -83, -65, -49, -35, -22, -10,
                                                        1,    13,   25,  38,  53,  69,  89,  113};

/// See codes.hpp for what decode_codes yields.
inline void decode_codes(const iq4_nl& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    detail::look_up_nibbles<16>(iq4_values, block.codes.data(), codes);
    detail::fill<iq4_nl>(scales, detail::load_half(block.d));
    detail::fill<iq4_nl>(mins, 0.0F);
}

inline void decode_codes(const iq4_xs& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    const float d = detail::load_half(block.d);
    const std::uint32_t high = detail::load16(block.scales_high.data());
    for(std::size_t g = 0; g < 8; ++g) {
        detail::look_up_nibbles<16>(iq4_values, &block.codes[16 * g], codes + 32 * g);
        const std::uint32_t low = (static_cast<std::uint32_t>(block.scales_low[g / 2]) >> (4 * (g % 2))) & 15U;
        const int scale = static_cast<int>(low | ((high >> (2 * g)) & 3U) << 4) - 32;
        scales[2 * g] = scales[2 * g + 1] = d * static_cast<float>(scale);
    }
    detail::fill<iq4_xs>(mins, 0.0F);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
