// Images made larger by whole factors: each pixel becomes a square of its like.
#pragma once

#include <algorithm>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// out[y,x,c] = in[y / factor, x / factor, c]
/// @param x    [H,W,C]   @param factor  at least 1
/// @param out  [factor*H, factor*W, C]; must not overlap x
/// @throws shape_error naming both extents
/// @note   allocates nothing
inline void upsample_nearest(view<const float, dyn, dyn, dyn> x, std::size_t factor, view<float, dyn, dyn, dyn> out,
                             const execution& how = {}) {
    detail::require_equal("upsample_nearest", "x gives H", factor * x.extent(0), "out has H", out.extent(0));
    detail::require_equal("upsample_nearest", "x gives W", factor * x.extent(1), "out has W", out.extent(1));
    detail::require_equal("upsample_nearest", "x has C", x.extent(2), "out has C", out.extent(2));
    const std::size_t channels = x.extent(2);
    const std::size_t length = out.extent(1) * channels;
    parallel_for(how, out.extent(0), detail::row_grain(length), [&](work_range range) {
        for(std::size_t y = range.begin; y < range.end; ++y) {
            const float* from = x.data() + y / factor * x.extent(1) * channels;
            float* to = out.data() + y * length;
            for(std::size_t column = 0; column < x.extent(1); ++column, from += channels) {
                for(std::size_t i = 0; i < factor; ++i, to += channels) {
                    std::copy_n(from, channels, to);
                }
            }
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
