// Group normalisation: Wu and He, "Group Normalization", 2018.
//
// A group is some neighbouring channels of all pixels of an image. Two passes, as in layer_norm.hpp. Sums are made of
// 64 pixels at a time, channel by channel in float, and then of these in double, from the first pixels to the last: the
// order depends on the shape alone, and pixels are read as they lie.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

struct group_norm_options {
    std::size_t groups = 32; ///< divides the channels
    float epsilon = 1e-6F;
};

namespace detail {

inline constexpr std::size_t group_norm_pixels = 64; ///< that are added up in float

/// Sixteen channels of up to group_norm_pixels rows: their sums, or where `means` is given those of the squared
/// distances from it.
template <class Isa>
struct channel_sums {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const float* x, std::size_t stride, std::size_t rows, std::size_t width,
                                      const float* means, float* out) {
        float padded[simd::lanes] = {};
        vector mean = vector::broadcast(0.0F);
        if(means != nullptr) {
            std::copy_n(means, width, padded);
            mean = vector::load(padded);
        }
        vector sum = vector::broadcast(0.0F);
        for(std::size_t t = 0; t < rows; ++t) {
            const float* row = x + t * stride;
            if(width < simd::lanes) {
                std::copy_n(row, width, padded);
                row = padded;
            }
            const vector value = vector::load(row) - mean;
            sum = means == nullptr ? sum + value : fma(value, value, sum);
        }
        sum.store(padded);
        std::copy_n(padded, width, out);
    }
};

/// Sixteen channels of some rows: (x - mean) * scale + bias.
template <class Isa>
struct channel_norm {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const float* x, float* out, std::size_t stride, std::size_t rows,
                                      std::size_t width, const float* means, const float* scales, const float* biases) {
        float padded[3][simd::lanes] = {};
        std::copy_n(means, width, padded[0]);
        std::copy_n(scales, width, padded[1]);
        std::copy_n(biases, width, padded[2]);
        const vector mean = vector::load(padded[0]);
        const vector scale = vector::load(padded[1]);
        const vector bias = vector::load(padded[2]);
        for(std::size_t t = 0; t < rows; ++t) {
            const float* row = x + t * stride;
            if(width < simd::lanes) {
                std::copy_n(row, width, padded[0]);
                row = padded[0];
            }
            const vector result = fma(vector::load(row) - mean, scale, bias);
            if(width < simd::lanes) {
                result.store(padded[0]);
                std::copy_n(padded[0], width, out + t * stride);
            } else {
                result.store(out + t * stride);
            }
        }
    }
};

/// The scratch of group_norm, taken apart.
struct group_norm_scratch {
    std::span<float> partial; ///< [blocks, C]
    std::span<float> means;   ///< [C], of a channel's group
    std::span<float> scales;  ///< [C]
};

/// Adds up what blocks of pixels have, group by group.
inline double group_total(std::span<const float> partial, std::size_t channels, std::size_t first, std::size_t width) {
    double total = 0;
    for(std::size_t block = 0; block < partial.size() / channels; ++block) {
        for(std::size_t c = first; c < first + width; ++c) {
            total += static_cast<double>(partial[block * channels + c]);
        }
    }
    return total;
}

} // namespace detail

/// Floats of scratch that group_norm takes for P pixels of C channels.
[[nodiscard]] constexpr std::size_t group_norm_scratch_size(std::size_t pixels, std::size_t channels) noexcept {
    return ((pixels + detail::group_norm_pixels - 1) / detail::group_norm_pixels + 2) * channels;
}

/// Each group of channels with its mean over all pixels taken off, divided by its deviation.
///   out[p,c] = (x[p,c] - mean_g) / sqrt(mean_g((x - mean_g)^2) + epsilon) * weight[c] + bias[c]
/// @param x             [P,C]
/// @param weight, bias  [C]
/// @param scratch       at least group_norm_scratch_size(P, C)
/// @param out           [P,C]; may be x itself
/// @throws shape_error naming the two extents that disagree; argument_error where the groups do not divide the channels
/// @note   bitwise the same whatever the number of threads; O(P*C); allocates nothing
TOKENWORKS_FUNCTION void group_norm(view<const float, dyn, dyn> x, view<const float, dyn> weight,
                                    view<const float, dyn> bias, std::span<float> scratch, view<float, dyn, dyn> out,
                                    const group_norm_options& options = {}, const execution& how = {});

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void group_norm(view<const float, dyn, dyn> x, view<const float, dyn> weight,
                                    view<const float, dyn> bias, std::span<float> scratch, view<float, dyn, dyn> out,
                                    const group_norm_options& options, const execution& how) {
    constexpr std::size_t lanes = simd::lanes;
    constexpr std::size_t block_rows = detail::group_norm_pixels;
    const std::size_t count = x.extent(0);
    const std::size_t channels = x.extent(1);
    detail::require_equal("group_norm", "x has C", channels, "weight has C", weight.extent(0));
    detail::require_equal("group_norm", "x has C", channels, "bias has C", bias.extent(0));
    detail::require_equal("group_norm", "x has P", count, "out has P", out.extent(0));
    detail::require_equal("group_norm", "x has C", channels, "out has C", out.extent(1));
    if(options.groups == 0 || channels % options.groups != 0) {
        tokenworks::detail::raise<argument_error>(
            {"group_norm: ", options.groups, " groups do not divide ", channels, " channels"});
    }
    if(scratch.size() < group_norm_scratch_size(count, channels)) {
        tokenworks::detail::raise<shape_error>(
            {"group_norm: scratch has ", scratch.size(), ", needed are ", group_norm_scratch_size(count, channels)});
    }
    if(count == 0 || channels == 0) {
        return;
    }
    const std::size_t blocks = (count + block_rows - 1) / block_rows;
    const detail::group_norm_scratch use{scratch.first(blocks * channels), scratch.subspan(blocks * channels, channels),
                                         scratch.subspan((blocks + 1) * channels, channels)};
    const std::size_t grain = detail::row_grain(block_rows * channels);
    const auto for_strips = [&](auto&& body) {
        parallel_for(how, blocks, grain, [&](work_range range) {
            for(std::size_t block = range.begin; block < range.end; ++block) {
                const std::size_t rows = std::min(block_rows, count - block * block_rows);
                for(std::size_t c = 0; c < channels; c += lanes) {
                    body(block, rows, c, std::min(lanes, channels - c));
                }
            }
        });
    };
    const auto add_up = [&](const float* means) {
        for_strips([&](std::size_t block, std::size_t rows, std::size_t c, std::size_t width) {
            simd::dispatch<detail::channel_sums>(how.set, x.row(block * block_rows).data() + c, channels, rows, width,
                                                 means == nullptr ? nullptr : means + c,
                                                 use.partial.data() + block * channels + c);
        });
    };
    const std::size_t group = channels / options.groups;
    const double values = static_cast<double>(count) * static_cast<double>(group);
    add_up(nullptr);
    for(std::size_t g = 0; g < options.groups; ++g) {
        const double mean = detail::group_total(use.partial, channels, g * group, group) / values;
        std::fill_n(use.means.data() + g * group, group, static_cast<float>(mean));
    }
    add_up(use.means.data());
    for(std::size_t g = 0; g < options.groups; ++g) {
        const double variance = detail::group_total(use.partial, channels, g * group, group) / values;
        const double scale = 1.0 / std::sqrt(variance + static_cast<double>(options.epsilon));
        for(std::size_t c = g * group; c < (g + 1) * group; ++c) {
            use.scales[c] = static_cast<float>(scale * static_cast<double>(weight.data()[c]));
        }
    }
    for_strips([&](std::size_t block, std::size_t rows, std::size_t c, std::size_t width) {
        simd::dispatch<detail::channel_norm>(how.set, x.row(block * block_rows).data() + c,
                                             out.row(block * block_rows).data() + c, channels, rows, width,
                                             use.means.data() + c, use.scales.data() + c, bias.data() + c);
    });
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
