// Encoders of Q4_K, Q5_K and Q6_K: a search for the scales (and minimums) of each group, then of the block.
//
// Each gives the bytes of ggml's reference quantiser (quantize_row_*_ref of ggml-quants.c, no importance matrix),
// whatever flags this is compiled with: the same float32 operations in the same order, each rounded on its own.
// With the importance of each value the same searches weigh errors by it, as ggml's quantize_row_*_impl do.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/quant/block.hpp>
#include <tokenworks/quant/fit_scale.hpp>
#include <tokenworks/quant/k_quants.hpp>
#include <tokenworks/quant/rounding.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

namespace detail {

/// Scales, minimums and codes of a block of Q4_K (Most = 15) or Q5_K (Most = 31).
/// @param importance  [256] or null
template <int Most, int Steps, class Block>
[[nodiscard]] inline std::array<std::uint8_t, 256> encode_affine(const float* values, float first, Block& out,
                                                                 const float* importance) noexcept {
    std::array<affine_fit, 8> fits;
    std::array<std::array<float, 32>, 8> rows;
    std::array<std::array<float, 32>, 8> fitted;
    float max_scale = 0.0F;
    float max_min = 0.0F;
    for(std::size_t j = 0; j < 8; ++j) {
        std::array<float, 32>& x = rows[j];
        std::copy_n(values + 32 * j, 32, x.begin());
        std::array<float, 32> weight;
        if(importance != nullptr) {
            weigh(x, importance + 32 * j, 2 * mean_square(values, 256), weight);
            fits[j] = fit_affine<Most>(x, weight, fitted[j]);
        } else {
            multiply(x, x, weight);
            const float mean = std::sqrt(sum_in_order(weight) / 32.0F);
            for(std::size_t i = 0; i < 32; ++i) {
                weight[i] = mean + std::abs(x[i]);
            }
            fits[j] = fit_affine<Most, Steps>(x, weight, first, 0.1F, fitted[j]);
        }
        max_scale = std::max(max_scale, fits[j].scale);
        max_min = std::max(max_min, fits[j].min);
    }
    const float scale_factor = max_scale > 0.0F ? 63.0F / max_scale : 0.0F;
    const float min_factor = max_min > 0.0F ? 63.0F / max_min : 0.0F;
    out.scales = {};
    for(std::size_t j = 0; j < 8; ++j) {
        // A scale below zero wraps to a large one, as in the reference.
        const auto scale = static_cast<std::uint8_t>(nearest_int(product(scale_factor, fits[j].scale)));
        const auto min = static_cast<std::uint8_t>(nearest_int(product(min_factor, fits[j].min)));
        pack_scale(out.scales, j, {std::min<std::uint8_t>(scale, 63), std::min<std::uint8_t>(min, 63)});
    }
    store_half(out.d, f16{max_scale / 63.0F});
    store_half(out.dmin, f16{max_min / 63.0F});

    std::array<std::uint8_t, 256> codes;
    for(std::size_t j = 0; j < 8; ++j) {
        const scale_and_min packed = unpack_scale(out.scales, j);
        const float d = load_half(out.d) * static_cast<float>(packed.scale);
        const float min = load_half(out.dmin) * static_cast<float>(packed.min); // exact
        for(std::size_t i = 0; i < 32; ++i) {
            const int code = d != 0.0F
                                 ? std::clamp(nearest_int((rows[j][i] + min) / d), 0, Most)
                                 : static_cast<int>(fitted[j][i]); // the search's, where nothing is left to divide by
            codes[32 * j + i] = static_cast<std::uint8_t>(code);
        }
    }
    return codes;
}

} // namespace detail

/// Encodes 256 finite values.
/// @param importance  [256] of the values' errors, not negative; null: by their size alone
inline void encode(const float* values, q4_k& out, const float* importance = nullptr) noexcept {
    const auto codes = detail::encode_affine<15, 20>(values, -1.0F, out, importance);
    for(std::size_t i = 0; i < 128; ++i) {
        const std::size_t at = 64 * (i / 32) + i % 32;
        out.codes[i] = static_cast<std::uint8_t>(codes[at] | (codes[at + 32] << 4));
    }
}

/// Encodes 256 finite values.
/// @param importance  [256] of the values' errors, not negative; null: by their size alone
inline void encode(const float* values, q5_k& out, const float* importance = nullptr) noexcept {
    const auto codes = detail::encode_affine<31, 15>(values, -0.5F, out, importance);
    out.high = {};
    for(std::size_t i = 0; i < 128; ++i) {
        const std::size_t at = 64 * (i / 32) + i % 32;
        const int high = (codes[at] >> 4) | ((codes[at + 32] >> 4) << 1);
        out.codes[i] = static_cast<std::uint8_t>((codes[at] & 15) | (codes[at + 32] << 4));
        out.high[i % 32] = static_cast<std::uint8_t>(out.high[i % 32] | high << (2 * (i / 32)));
    }
}

/// Encodes 256 finite values.
/// @param importance  [256] of the values' errors, not negative; null: by their size alone
inline void encode(const float* values, q6_k& out, const float* importance = nullptr) noexcept {
    using row = std::array<float, 16>;
    std::array<row, 16> rows;
    std::array<row, 16> fitted;
    row scales;
    for(std::size_t k = 0; k < 16; ++k) {
        std::copy_n(values + 16 * k, 16, rows[k].begin());
        row weight;
        if(importance != nullptr) {
            std::copy_n(importance + 16 * k, 16, weight.begin());
        } else {
            detail::multiply(rows[k], rows[k], weight);
        }
        scales[k] = detail::fit_symmetric<32>(rows[k], weight, fitted[k]);
    }
    float max_scale = 0.0F;
    for(const float scale: scales) {
        max_scale = std::abs(scale) > std::abs(max_scale) ? scale : max_scale;
    }
    out = {};
    if(std::abs(max_scale) < 1e-15F) {
        return;
    }
    const float factor = -128.0F / max_scale;
    detail::store_half(out.d, f16{1.0F / factor});
    std::array<int, 256> codes;
    for(std::size_t k = 0; k < 16; ++k) {
        const int scale = std::min(127, detail::nearest_int(detail::product(factor, scales[k])));
        out.scales[k] = static_cast<std::int8_t>(scale);
        const float d = detail::load_half(out.d) * static_cast<float>(out.scales[k]);
        for(std::size_t i = 0; i < 16; ++i) {
            codes[16 * k + i] = 32 + (d != 0.0F ? std::clamp(detail::nearest_int(rows[k][i] / d), -32, 31)
                                                : static_cast<int>(fitted[k][i]));
        }
    }
    for(std::size_t half = 0; half < 2; ++half) {
        for(std::size_t i = 0; i < 32; ++i) {
            const int* code = codes.data() + 128 * half + i;
            out.low[64 * half + i] = static_cast<std::uint8_t>((code[0] & 15) | ((code[64] & 15) << 4));
            out.low[64 * half + 32 + i] = static_cast<std::uint8_t>((code[32] & 15) | ((code[96] & 15) << 4));
            out.high[32 * half + i] = static_cast<std::uint8_t>((code[0] >> 4) | ((code[32] >> 4) << 2) |
                                                                ((code[64] >> 4) << 4) | ((code[96] >> 4) << 6));
        }
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
