// Rows scaled and shifted, or added with a gate, by vectors that a condition makes: what diffusion transformers do in
// place of weights of norms. Peebles and Xie, "Scalable Diffusion Models with Transformers", 2023.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// out[t,c] = x[t,c] * (1 + scale[c]) + shift[c]
/// @param x             [T,C]
/// @param shift, scale  [C]
/// @param out           [T,C]; may be x itself
/// @throws shape_error naming the two extents that disagree
/// @note   a value depends on its own operands alone; allocates nothing
inline void modulate(view<const float, dyn, dyn> x, view<const float, dyn> shift, view<const float, dyn> scale,
                     view<float, dyn, dyn> out, const execution& how = {}) {
    const std::size_t width = x.extent(1);
    detail::require_same_shape("modulate", "x", x, "out", out);
    detail::require_equal("modulate", "x has C", width, "shift has C", shift.extent(0));
    detail::require_equal("modulate", "x has C", width, "scale has C", scale.extent(0));
    parallel_for(how, x.extent(0), detail::row_grain(width), [&](work_range range) {
        for(std::size_t t = range.begin; t < range.end; ++t) {
            const float* const from = x.data() + t * width;
            float* const to = out.data() + t * width;
            for(std::size_t c = 0; c < width; ++c) {
                const float product = from[c] * (1.0F + scale.data()[c]);
                to[c] = product + shift.data()[c];
            }
        }
    });
}

/// out[t,c] += gate[c] * x[t,c]
/// @param x     [T,C]   @param gate  [C]   @param out  [T,C]
/// @throws as modulate
inline void add_gated(view<const float, dyn, dyn> x, view<const float, dyn> gate, view<float, dyn, dyn> out,
                      const execution& how = {}) {
    const std::size_t width = x.extent(1);
    detail::require_same_shape("add_gated", "x", x, "out", out);
    detail::require_equal("add_gated", "x has C", width, "gate has C", gate.extent(0));
    parallel_for(how, x.extent(0), detail::row_grain(width), [&](work_range range) {
        for(std::size_t t = range.begin; t < range.end; ++t) {
            const float* const from = x.data() + t * width;
            float* const to = out.data() + t * width;
            for(std::size_t c = 0; c < width; ++c) {
                const float product = gate.data()[c] * from[c];
                to[c] += product;
            }
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
