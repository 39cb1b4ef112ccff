// Images of another size: what Pillow's resize gives, to the byte.
//
// Each result is a weighted sum of the pixels around its place, first along rows, then along columns; where an image
// shrinks, the filter grows with it. Weights are whole numbers of 22 bits, and the rows between the two passes are
// bytes, as in Pillow 13 (Resample.c), so that models see what they were trained on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <tokenworks/core/error.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// [H,W,3] of red, green and blue, 0 to 255.
using rgb_view = view<const std::uint8_t, dyn, dyn, dyn>;

/// An image that owns its pixels.
struct rgb_image {
    std::size_t height = 0;
    std::size_t width = 0;
    std::vector<std::uint8_t> values{}; ///< [H,W,3]

    [[nodiscard]] rgb_view view() const noexcept { return rgb_view{values.data(), height, width, std::size_t{3}}; }
};

/// The numbers are Pillow's.
enum class resampling : std::uint8_t { lanczos = 1, bilinear = 2, bicubic = 3 };

/// @param from  [H,W,3], not empty
/// @throws shape_error for an image of other channels, or of none; argument_error for a size of 0 or above 65536
[[nodiscard]] TOKENWORKS_FUNCTION rgb_image resized(rgb_view from, std::size_t height, std::size_t width,
                                                    resampling filter, const execution& how = {});

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// A filter at a distance from its middle, and how far it reaches.
[[nodiscard]] inline double filter_weight(resampling filter, double x) noexcept {
    const double d = std::abs(x);
    switch(filter) {
    case resampling::bilinear:
        return d < 1 ? 1 - d : 0;
    case resampling::bicubic: { // Keys, "Cubic Convolution Interpolation", 1981, with a = -0.5
        constexpr double a = -0.5;
        return d < 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
    }
    case resampling::lanczos:
        break;
    }
    const auto sinc = [](double v) { return v == 0 ? 1 : std::sin(v * std::numbers::pi) / (v * std::numbers::pi); };
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

[[nodiscard]] inline double filter_reach(resampling filter) noexcept {
    return filter == resampling::bilinear ? 1 : filter == resampling::bicubic ? 2 : 3;
}

/// Which places one result is made of, and their weights.
struct resize_taps {
    std::size_t first = 0;
    std::vector<std::int32_t> weights{};

    static constexpr int bits = 32 - 8 - 2;

    [[nodiscard]] static std::vector<resize_taps> of(std::size_t from, std::size_t to, resampling filter) {
        const double scale = static_cast<double>(from) / static_cast<double>(to);
        const double stretch = std::max(scale, 1.0);
        const double reach = filter_reach(filter) * stretch;
        std::vector<resize_taps> all(to);
        std::vector<double> weights;
        for(std::size_t i = 0; i < to; ++i) {
            const double middle = (static_cast<double>(i) + 0.5) * scale;
            const auto first = static_cast<std::size_t>(std::floor(std::max(0.0, middle - reach + 0.5)));
            const std::size_t end = std::min(from, static_cast<std::size_t>(std::floor(middle + reach + 0.5)));
            double sum = 0;
            weights.clear();
            for(std::size_t k = first; k < end; ++k) {
                weights.push_back(filter_weight(filter, (static_cast<double>(k) - middle + 0.5) * (1 / stretch)));
                sum += weights.back();
            }
            all[i].first = first;
            for(const double weight: weights) {
                const double whole = (sum == 0 ? weight : weight / sum) * (1 << bits);
                all[i].weights.push_back(static_cast<std::int32_t>(whole + (whole < 0 ? -0.5 : 0.5)));
            }
        }
        return all;
    }

    /// A result from values that lie `step` apart.
    [[nodiscard]] std::uint8_t apply(const std::uint8_t* values, std::size_t step) const noexcept {
        std::int32_t sum = 1 << (bits - 1);
        for(std::size_t k = 0; k < weights.size(); ++k) {
            sum += weights[k] * values[(first + k) * step];
        }
        return static_cast<std::uint8_t>(std::clamp(sum >> bits, 0, 255));
    }
};

inline void resize_width(rgb_image& image, std::size_t width, resampling filter, const execution& how) {
    if(width == image.width) {
        return;
    }
    rgb_image next{image.height, width, std::vector<std::uint8_t>(image.height * width * 3)};
    const std::vector<resize_taps> taps = resize_taps::of(image.width, width, filter);
    parallel_for(how, next.height, 8, [&](work_range range) {
        for(std::size_t y = range.begin; y < range.end; ++y) {
            const std::uint8_t* const line = image.values.data() + y * image.width * 3;
            for(std::size_t i = 0; i < width * 3; ++i) {
                next.values[y * width * 3 + i] = taps[i / 3].apply(line + i % 3, 3);
            }
        }
    });
    image = std::move(next);
}

inline void resize_height(rgb_image& image, std::size_t height, resampling filter, const execution& how) {
    if(height == image.height) {
        return;
    }
    const std::size_t line = image.width * 3;
    rgb_image next{height, image.width, std::vector<std::uint8_t>(height * line)};
    const std::vector<resize_taps> taps = resize_taps::of(image.height, height, filter);
    parallel_for(how, next.height, 8, [&](work_range range) {
        for(std::size_t y = range.begin; y < range.end; ++y) {
            for(std::size_t i = 0; i < line; ++i) {
                next.values[y * line + i] = taps[y].apply(image.values.data() + i, line);
            }
        }
    });
    image = std::move(next);
}

/// Pillow 13 does so where it loses more than two rows for each column; the order shows, as what lies between is bytes.
[[nodiscard]] inline bool begins_with_columns(const rgb_image& image, std::size_t height, std::size_t width) noexcept {
    const auto lost = [](std::size_t from, std::size_t to) {
        return static_cast<std::ptrdiff_t>(from) - static_cast<std::ptrdiff_t>(to);
    };
    return height < image.height && lost(image.height, height) > 2 * lost(image.width, width);
}

} // namespace detail

TOKENWORKS_FUNCTION rgb_image resized(rgb_view from, std::size_t height, std::size_t width, resampling filter,
                                      const execution& how) {
    constexpr std::size_t most = 65536;
    if(from.extent(2) != 3 || from.size() == 0) {
        tokenworks::detail::raise<shape_error>({"resized: from is ", to_string(from.extents()), ", expected [H,W,3]"});
    }
    if(height == 0 || height > most || width == 0 || width > most || from.extent(0) > most || from.extent(1) > most) {
        tokenworks::detail::raise<argument_error>({"resized: from ", from.extent(0), " x ", from.extent(1), " to ",
                                                   height, " x ", width, ", not in 1..", most});
    }
    rgb_image image{from.extent(0), from.extent(1), {from.data(), from.data() + from.size()}};
    if(detail::begins_with_columns(image, height, width)) {
        detail::resize_height(image, height, filter, how);
    }
    detail::resize_width(image, width, filter, how);
    detail::resize_height(image, height, filter, how);
    return image;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
