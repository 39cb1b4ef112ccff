// Two-dimensional convolution of pixels whose channels lie side by side.
//
//   out[y,x,n] = bias[n] + sum_{i,j,c} in[y*stride + i - top, x*stride + j - left, c] * w[n, (i*KW + j)*C + c]
// The windows of some pixels at a time are copied side by side, [P, KH*KW*C], and go through the matrix product: it has
// every type of weights, and its order of sums, which depends on the window alone. A direct loop was left out: it would
// be a second product of floats. Windows of one pixel are not copied.
//
//   const kernels::window by{.height = 3, .width = 3, .top = 1, .left = 1, .bottom = 1, .right = 1};
//   kernels::convolution(image, filters, by, patches, out);
#pragma once

#include <algorithm>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// What a convolution sees at once, how it steps, and how many zeros stand around the image.
struct window {
    std::size_t height = 1;
    std::size_t width = 1;
    std::size_t stride = 1; ///< pixels from one window to the next, both ways
    std::size_t top = 0;
    std::size_t left = 0;
    std::size_t bottom = 0;
    std::size_t right = 0;

    /// Rows of the result of an image of so many; 0 where no window fits.
    [[nodiscard]] constexpr std::size_t rows(std::size_t image_height) const noexcept {
        return steps(image_height + top + bottom, height);
    }
    [[nodiscard]] constexpr std::size_t columns(std::size_t image_width) const noexcept {
        return steps(image_width + left + right, width);
    }
    /// Whether windows are single pixels, as they are.
    [[nodiscard]] constexpr bool is_pixel() const noexcept {
        return height == 1 && width == 1 && stride == 1 && top + left + bottom + right == 0;
    }
    friend bool operator==(const window&, const window&) = default;

private:
    [[nodiscard]] constexpr std::size_t steps(std::size_t length, std::size_t size) const noexcept {
        return length < size || stride == 0 ? 0 : (length - size) / stride + 1;
    }
};

using pixel_view = view<float, dyn, dyn, dyn>; ///< [H,W,C]
using const_pixel_view = view<const float, dyn, dyn, dyn>;

/// The windows of some pixels of the result, row by row of it, one after the other.
/// @param x      [H,W,C]
/// @param first  of the result's pixels: y * columns + x
/// @param out    [P, KH*KW*C]: rows of a window, in them its pixels, in them channels
/// @throws shape_error where out is of another width, or there are not so many pixels
/// @note   allocates nothing
TOKENWORKS_FUNCTION void gather_windows(const_pixel_view x, const window& by, std::size_t first,
                                        view<float, dyn, dyn> out, const execution& how = {});

/// @param x        [H,W,C]
/// @param filters  [N, KH*KW*C], of any type that weights have; in the order of gather_windows
/// @param patches  scratch, [P, KH*KW*C] with P of at least 1; not looked at where windows are single pixels
/// @param out      [H',W',N]; must not overlap x
/// @param options  as the product has them: a bias, and whether to add to what out holds
/// @throws shape_error naming both extents
/// @note   bitwise the same whatever P and the number of threads; allocates nothing
TOKENWORKS_FUNCTION void convolution(const_pixel_view x, const packed_matrix& filters, const window& by,
                                     view<float, dyn, dyn> patches, pixel_view out, const matmul_options& options = {},
                                     const execution& how = {});

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// One window, [KH,KW,C].
inline void copy_window(const_pixel_view x, const window& by, std::size_t row, std::size_t column, float* to) {
    const std::size_t height = x.extent(0);
    const std::size_t width = x.extent(1);
    const std::size_t channels = x.extent(2);
    // Columns of the window that lie in the image.
    const std::size_t from = column * by.stride;
    const std::size_t skip = std::min(by.width, by.left - std::min(by.left, from));
    const std::size_t begin = from + skip - std::min(by.left, from + skip);
    const std::size_t count = begin >= width ? 0 : std::min(by.width - skip, width - begin);
    for(std::size_t i = 0; i < by.height; ++i, to += by.width * channels) {
        const std::size_t y = row * by.stride + i;
        if(y < by.top || y - by.top >= height || count == 0) {
            std::fill_n(to, by.width * channels, 0.0F);
            continue;
        }
        const float* const source = x.data() + ((y - by.top) * width + begin) * channels;
        std::fill_n(to, skip * channels, 0.0F);
        std::copy_n(source, count * channels, to + skip * channels);
        std::fill_n(to + (skip + count) * channels, (by.width - skip - count) * channels, 0.0F);
    }
}

} // namespace detail

TOKENWORKS_FUNCTION void gather_windows(const_pixel_view x, const window& by, std::size_t first,
                                        view<float, dyn, dyn> out, const execution& how) {
    const std::size_t columns = by.columns(x.extent(1));
    const std::size_t count = by.rows(x.extent(0)) * columns;
    const std::size_t length = by.height * by.width * x.extent(2);
    detail::require_equal("gather_windows", "a window has", length, "out has", out.extent(1));
    if(first > count || out.extent(0) > count - first) {
        tokenworks::detail::raise<shape_error>(
            {"gather_windows: pixels ", first, " to ", first + out.extent(0), " of ", count});
    }
    parallel_for(how, out.extent(0), detail::row_grain(length), [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            const std::size_t pixel = first + i;
            detail::copy_window(x, by, pixel / columns, pixel % columns, out.row(i).data());
        }
    });
}

TOKENWORKS_FUNCTION void convolution(const_pixel_view x, const packed_matrix& filters, const window& by,
                                     view<float, dyn, dyn> patches, pixel_view out, const matmul_options& options,
                                     const execution& how) {
    const std::size_t rows = by.rows(x.extent(0));
    const std::size_t columns = by.columns(x.extent(1));
    const std::size_t length = by.height * by.width * x.extent(2);
    detail::require_equal("convolution", "a window has", length, "filters has K", filters.columns());
    detail::require_equal("convolution", "the windows give H", rows, "out has H", out.extent(0));
    detail::require_equal("convolution", "the windows give W", columns, "out has W", out.extent(1));
    detail::require_equal("convolution", "filters has N", filters.rows(), "out has N", out.extent(2));
    const std::size_t count = rows * columns;
    if(by.is_pixel()) {
        matmul(view<const float, dyn, dyn>{x.data(), count, length}, filters,
               view<float, dyn, dyn>{out.data(), count, filters.rows()}, options, how);
        return;
    }
    detail::require_equal("convolution", "a window has", length, "patches has K", patches.extent(1));
    if(count != 0 && patches.extent(0) == 0) {
        tokenworks::detail::raise<shape_error>({"convolution: patches has no rows"});
    }
    for(std::size_t first = 0; first < count; first += patches.extent(0)) {
        const std::size_t some = std::min(patches.extent(0), count - first);
        const view<float, dyn, dyn> windows{patches.data(), some, length};
        gather_windows(x, by, first, windows, how);
        matmul(view<const float, dyn, dyn>{windows.data(), some, length}, filters,
               view<float, dyn, dyn>{out.data() + first * filters.rows(), some, filters.rows()}, options, how);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
