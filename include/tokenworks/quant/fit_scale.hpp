// Searches for the scale (and the minimum) of a group of values, by least squares over assignments of codes.
//
// As ggml's make_qx_quants and make_qkx2_quants / make_qkx3_quants (ggml-quants.c), in the same order of float32
// operations, each rounded on its own.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/quant/rounding.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant::detail {

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
/// @param first   the first scale divides the range by Most + first; each next by `stride` more
/// @param codes   those of the best fit found
template <int Most, int Steps, std::size_t N>
[[nodiscard]] inline affine_fit fit_affine(const std::array<float, N>& x, const std::array<float, N>& weight,
                                           float first, float stride, std::array<float, N>& codes) noexcept {
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
        const float divisor = first + product(stride, static_cast<float>(step)) + static_cast<float>(Most);
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

/// The same over the scales that ggml tries where there is an importance.
template <int Most, std::size_t N>
[[nodiscard]] inline affine_fit fit_affine(const std::array<float, N>& x, const std::array<float, N>& weight,
                                           std::array<float, N>& codes) noexcept {
    return fit_affine<Most, 36>(x, weight, -0.9F, 0.05F, codes);
}

/// What an error counts: the importance, more for large values.
/// @param mean  of squares
template <std::size_t N>
inline void weigh(const std::array<float, N>& x, const float* importance, float mean,
                  std::array<float, N>& weight) noexcept {
    for(std::size_t i = 0; i < N; ++i) {
        weight[i] = importance[i] * std::sqrt(mean + x[i] * x[i]);
    }
}

[[nodiscard]] inline float mean_square(const float* values, std::size_t count) noexcept {
    float sum = 0.0F;
    for(std::size_t i = 0; i < count; ++i) {
        sum += values[i] * values[i];
    }
    return sum / static_cast<float>(count);
}

/// Sums over a group for a trial  value = scale * code.
struct symmetric_sums {
    float with_value; ///< sum of weight * x * code
    float with_code;  ///< sum of weight * code * code
};

/// codes[i] = the integer nearest to x[i] * factor, within -Most and Most - 1.
template <int Most, std::size_t N>
inline void symmetric_codes(const std::array<float, N>& x, float factor, std::array<float, N>& codes) noexcept {
    for(std::size_t i = 0; i < N; ++i) {
        codes[i] = factor * x[i];
    }
    settle(codes);
    for(std::size_t i = 0; i < N; ++i) {
        codes[i] = static_cast<float>(std::clamp(nearest_int(codes[i]), -Most, Most - 1));
    }
}

template <std::size_t N>
[[nodiscard]] inline symmetric_sums sum_symmetric(const std::array<float, N>& weighted_x,
                                                  const std::array<float, N>& weight,
                                                  const std::array<float, N>& codes) noexcept {
    std::array<float, N> with_value;
    std::array<float, N> weighted;
    std::array<float, N> with_code;
    multiply(weighted_x, codes, with_value);
    multiply(weight, codes, weighted);
    multiply(weighted, codes, with_code);
    return {sum_in_order(with_value), sum_in_order(with_code)};
}

/// The scale of 19 around extreme / -Most that explains most of the group, and its codes.
template <int Most, std::size_t N>
[[nodiscard]] inline float fit_symmetric(const std::array<float, N>& x, const std::array<float, N>& weight,
                                         std::array<float, N>& codes) noexcept {
    float largest = 0.0F;
    float extreme = 0.0F;
    for(const float value: x) {
        if(std::abs(value) > largest) {
            largest = std::abs(value);
            extreme = value;
        }
    }
    constexpr auto most = static_cast<float>(Most);
    if(largest < 1e-15F) {
        codes.fill(-most);
        return 0.0F;
    }
    std::array<float, N> weighted_x;
    std::array<float, N> trial;
    multiply(weight, x, weighted_x);
    symmetric_codes<Most>(x, -most / extreme, codes);
    symmetric_sums sums = sum_symmetric(weighted_x, weight, codes);
    float scale = sums.with_code != 0.0F ? sums.with_value / sums.with_code : 0.0F;
    float best = scale * sums.with_value;
    for(int step = -9; step <= 9; ++step) {
        if(step == 0) {
            continue;
        }
        symmetric_codes<Most>(x, -(most + product(0.1F, static_cast<float>(step))) / extreme, trial);
        sums = sum_symmetric(weighted_x, weight, trial);
        if(sums.with_code > 0.0F && sums.with_value * sums.with_value > best * sums.with_code) {
            codes = trial;
            scale = sums.with_value / sums.with_code;
            best = scale * sums.with_value;
        }
    }
    return scale;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant::detail
