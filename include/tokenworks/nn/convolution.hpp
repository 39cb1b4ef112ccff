// Layers of convolutional networks: an image is rows of pixels, one after the other, each with its channels side by
// side.
//
//   const nn::image y = layer(c, x, c.scratch_rows(x.height * x.width, 64));
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/convolution.hpp>
#include <tokenworks/kernels/group_norm.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/nn/context.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// Pixels [H*W,C], and how many are side by side.
struct image {
    rows values;
    std::size_t height = 0;
    std::size_t width = 0;

    [[nodiscard]] std::size_t pixels() const noexcept { return height * width; }
    [[nodiscard]] std::size_t channels() const noexcept { return values.extent(1); }
    [[nodiscard]] kernels::pixel_view view3() const noexcept {
        return kernels::pixel_view{values.data(), height, width, channels()};
    }
};

/// A convolution with its filters and their biases.
struct convolution {
    kernels::packed_matrix filters; ///< [N, KH*KW*C]
    std::vector<float> bias{};      ///< [N], or empty
    kernels::window window{};

    [[nodiscard]] std::size_t bytes() const noexcept { return filters.bytes(); }
    [[nodiscard]] std::size_t out_channels() const noexcept { return filters.rows(); }
    /// The pixels that come of an image of so many.
    [[nodiscard]] std::size_t pixels(std::size_t height, std::size_t width) const noexcept {
        return window.rows(height) * window.columns(width);
    }

    /// @param to  [pixels(H, W), N]
    /// @throws shape_error
    image operator()(context& c, const image& x, destination to) const;
};

/// Channels normalised in groups over a whole image.
struct group_norm {
    std::vector<float> weight; ///< [C]
    std::vector<float> bias;   ///< [C]
    std::size_t groups = 32;
    float epsilon = 1e-6F;

    /// @param x  [P,C]   @param out  [P,C]; may be x itself
    void operator()(context& c, const_rows x, rows out) const;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION image convolution::operator()(context& c, const image& x, destination to) const {
    const arena::scope scratch{c.scratch};
    const image out{to.out, window.rows(x.height), window.columns(x.width)};
    if(to.out.extent(0) != out.pixels()) {
        tokenworks::detail::raise<shape_error>(
            {"convolution: ", out.height, " x ", out.width, " pixels come out, the result has ", to.out.extent(0)});
    }
    const std::size_t length = filters.columns();
    // About a megabyte of windows, so that they stay in the cache until they are multiplied.
    const std::size_t some =
        window.is_pixel() ? 0 : std::min(out.pixels(), std::max<std::size_t>(64, (std::size_t{1} << 18) / length));
    kernels::convolution(x.view3(), filters, window, c.scratch_rows(some, length), out.view3(),
                         {.add = to.add, .bias = view<const float, dyn>{bias}}, c.how);
    return out;
}

TOKENWORKS_FUNCTION void group_norm::operator()(context& c, const_rows x, rows out) const {
    const arena::scope scratch{c.scratch};
    const std::size_t size = kernels::group_norm_scratch_size(x.extent(0), x.extent(1));
    kernels::group_norm(x, view<const float, dyn>{weight}, view<const float, dyn>{bias}, c.scratch.take<float>(size),
                        out, {.groups = groups, .epsilon = epsilon}, c.how);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
