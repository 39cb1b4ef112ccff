// Encoders of Q4_K, Q5_K and Q6_K: a search for the scales (and minimums) of each group, then of the block.
//
// Each gives the bytes of ggml's reference quantiser (quantize_row_*_ref of ggml-quants.c, no importance matrix),
// whatever flags this is compiled with: the same float32 operations in the same order, each rounded on its own.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/quant/block.hpp>
#include <tokenworks/quant/k_quants.hpp>
#include <tokenworks/quant/rounding.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

namespace detail {

/// A fit  value = scale * code - min  of a group, min >= 0.
struct affine_fit {
    float scale;
    float min;
};

/// codes[i] = the integer nearest to (x[i] + shift) * factor, within 0 and Most.
template <int Most, std::size_t N>
inline void affine_codes(const std::array<float, N>& x, float shift, float factor,
                         std::array<float, N>& codes) noexcept {
    for(std::size_t i = 0; i < N; ++i) {
        codes[i] = factor * (x[i] + shift);
    }
    settle(codes);
    for(std::size_t i = 0; i < N; ++i) {
        codes[i] = static_cast<float>(std::clamp(nearest_int(codes[i]), 0, Most));
    }
}

/// sum of weight * (scale * code + low - x)^2
template <std::size_t N>
[[nodiscard]] inline float affine_error(const std::array<float, N>& x, const std::array<float, N>& weight,
                                        const std::array<float, N>& codes, float scale, float low) noexcept {
    std::array<float, N> error;
    for(std::size_t i = 0; i < N; ++i) {
        error[i] = scale * codes[i];
    }
    settle(error);
    for(std::size_t i = 0; i < N; ++i) {
        const float difference = error[i] + low - x[i];
        error[i] = weight[i] * (difference * difference);
    }
    settle(error);
    return sum_in_order(error);
}

/// Least squares over code assignments: for Steps + 1 scales around (max - min) / Most, assigns codes, solves for the
/// best scale and offset (at most 0) of that assignment, and keeps the fit with the least weighted square error.
/// @param first  the first scale divides the range by Most + first; each next by 0.1 more
/// @param codes  those of the best fit found
template <int Most, int Steps, std::size_t N>
[[nodiscard]] inline affine_fit fit_affine(const std::array<float, N>& x, const std::array<float, N>& weight,
                                           float first, std::array<float, N>& codes) noexcept {
    std::array<float, N> trial;
    std::array<float, N> weight_code;
    std::array<float, N> weight_code2;
    std::array<float, N> weight_code_x;
    multiply(weight, x, trial);
    const float sum_w = sum_in_order(weight);
    const float sum_x = sum_in_order(trial);
    const auto [least, max] = range_of(x);
    float low = std::min(least, 0.0F);
    if(max == low) {
        codes.fill(0.0F);
        return {0.0F, -low};
    }
    const float factor = static_cast<float>(Most) / (max - low);
    float scale = 1.0F / factor;
    affine_codes<Most>(x, -low, factor, codes);
    float best_error = affine_error(x, weight, codes, scale, low);
    for(int step = 0; step <= Steps; ++step) {
        const float divisor = first + product(0.1F, static_cast<float>(step)) + static_cast<float>(Most);
        affine_codes<Most>(x, -low, divisor / (max - low), trial);
        multiply(weight, trial, weight_code);
        multiply(weight_code, trial, weight_code2);
        multiply(weight_code, x, weight_code_x);
        float sum_l = 0.0F;
        float sum_l2 = 0.0F;
        float sum_xl = 0.0F;
        for(std::size_t i = 0; i < N; ++i) {
            sum_l += weight_code[i];
            sum_l2 += weight_code2[i];
            sum_xl += weight_code_x[i];
        }
        const float determinant = product(sum_w, sum_l2) - product(sum_l, sum_l);
        if(!(determinant > 0.0F)) {
            continue;
        }
        float trial_scale = (product(sum_w, sum_xl) - product(sum_x, sum_l)) / determinant;
        float trial_low = (product(sum_l2, sum_x) - product(sum_l, sum_xl)) / determinant;
        if(trial_low > 0.0F) {
            trial_low = 0.0F;
            trial_scale = sum_xl / sum_l2;
        }
        const float error = affine_error(x, weight, trial, trial_scale, trial_low);
        if(error < best_error) {
            codes = trial;
            best_error = error;
            scale = trial_scale;
            low = trial_low;
        }
    }
    return {scale, -low};
}

/// Scales, minimums and codes of a block of Q4_K (Most = 15) or Q5_K (Most = 31).
template <int Most, int Steps, class Block>
[[nodiscard]] inline std::array<std::uint8_t, 256> encode_affine(const float* values, float first,
                                                                 Block& out) noexcept {
    std::array<affine_fit, 8> fits;
    std::array<std::array<float, 32>, 8> rows;
    std::array<std::array<float, 32>, 8> fitted;
    float max_scale = 0.0F;
    float max_min = 0.0F;
    for(std::size_t j = 0; j < 8; ++j) {
        std::array<float, 32>& x = rows[j];
        std::copy_n(values + 32 * j, 32, x.begin());
        std::array<float, 32> weight;
        multiply(x, x, weight);
        const float mean = std::sqrt(sum_in_order(weight) / 32.0F);
        for(std::size_t i = 0; i < 32; ++i) {
            weight[i] = mean + std::abs(x[i]);
        }
        fits[j] = fit_affine<Most, Steps>(x, weight, first, fitted[j]);
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

/// Sums over a group for a trial  value = scale * code,  each value weighted with its square.
struct symmetric_sums {
    float with_value; ///< sum of x^2 * x * code
    float with_code;  ///< sum of x^2 * code * code
};

using row16 = std::array<float, 16>;

/// codes[i] = the integer nearest to x[i] * factor, within -32 and 31.
inline void symmetric_codes(const row16& x, float factor, row16& codes) noexcept {
    for(std::size_t i = 0; i < 16; ++i) {
        codes[i] = factor * x[i];
    }
    settle(codes);
    for(std::size_t i = 0; i < 16; ++i) {
        codes[i] = static_cast<float>(std::clamp(nearest_int(codes[i]), -32, 31));
    }
}

[[nodiscard]] inline symmetric_sums sum_symmetric(const row16& cube, const row16& square, const row16& codes) noexcept {
    row16 with_value;
    row16 weighted;
    row16 with_code;
    multiply(cube, codes, with_value);
    multiply(square, codes, weighted);
    multiply(weighted, codes, with_code);
    return {sum_in_order(with_value), sum_in_order(with_code)};
}

/// The scale of 19 around extreme / -32 that explains most of the group, and its codes.
[[nodiscard]] inline float fit_symmetric(const row16& x, row16& codes) noexcept {
    float largest = 0.0F;
    float extreme = 0.0F;
    for(const float value: x) {
        if(std::abs(value) > largest) {
            largest = std::abs(value);
            extreme = value;
        }
    }
    if(largest < 1e-15F) {
        codes.fill(-32.0F);
        return 0.0F;
    }
    row16 square;
    row16 cube;
    row16 trial;
    multiply(x, x, square);
    multiply(square, x, cube);
    symmetric_codes(x, -32.0F / extreme, codes);
    symmetric_sums sums = sum_symmetric(cube, square, codes);
    float scale = sums.with_code != 0.0F ? sums.with_value / sums.with_code : 0.0F;
    float best = scale * sums.with_value;
    for(int step = -9; step <= 9; ++step) {
        if(step == 0) {
            continue;
        }
        symmetric_codes(x, -(32.0F + product(0.1F, static_cast<float>(step))) / extreme, trial);
        sums = sum_symmetric(cube, square, trial);
        if(sums.with_code > 0.0F && sums.with_value * sums.with_value > best * sums.with_code) {
            codes = trial;
            scale = sums.with_value / sums.with_code;
            best = scale * sums.with_value;
        }
    }
    return scale;
}

} // namespace detail

/// Encodes 256 finite values.
inline void encode(const float* values, q4_k& out) noexcept {
    const auto codes = detail::encode_affine<15, 20>(values, -1.0F, out);
    for(std::size_t i = 0; i < 128; ++i) {
        const std::size_t at = 64 * (i / 32) + i % 32;
        out.codes[i] = static_cast<std::uint8_t>(codes[at] | (codes[at + 32] << 4));
    }
}

/// Encodes 256 finite values.
inline void encode(const float* values, q5_k& out) noexcept {
    const auto codes = detail::encode_affine<31, 15>(values, -0.5F, out);
    out.high = {};
    for(std::size_t i = 0; i < 128; ++i) {
        const std::size_t at = 64 * (i / 32) + i % 32;
        const int high = (codes[at] >> 4) | ((codes[at + 32] >> 4) << 1);
        out.codes[i] = static_cast<std::uint8_t>((codes[at] & 15) | (codes[at + 32] << 4));
        out.high[i % 32] = static_cast<std::uint8_t>(out.high[i % 32] | high << (2 * (i / 32)));
    }
}

/// Encodes 256 finite values.
inline void encode(const float* values, q6_k& out) noexcept {
    std::array<detail::row16, 16> rows;
    std::array<detail::row16, 16> fitted;
    detail::row16 scales;
    for(std::size_t k = 0; k < 16; ++k) {
        std::copy_n(values + 16 * k, 16, rows[k].begin());
        scales[k] = detail::fit_symmetric(rows[k], fitted[k]);
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
