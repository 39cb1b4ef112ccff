// Feed-forward layers.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/clamped_swiglu.hpp> // its glu must be known where layers call one
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/linear.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

namespace detail {

[[nodiscard]] inline strided_view<float, dyn, dyn> part_of(rows x, const kernels::product_part& part) {
    return {x.row(part.begin_row).data() + part.begin_column,
            extents<dyn, dyn>{part.end_row - part.begin_row, part.end_column - part.begin_column},
            {x.extent(1), 1}};
}

/// Quantises the columns of a part into `form`, if there is one. Parts are units of 32 columns.
inline void quantize(rows x, const kernels::product_part& part, const kernels::quantized_rows* form, isa set) {
    if(form != nullptr) {
        kernels::quantize_part(x, {part.begin_row, part.end_row, part.begin_column / 32, (part.end_column + 31) / 32},
                               *form, set);
    }
}

} // namespace detail

/// down(activation(gate(x)) * up(x)). Shazeer, "GLU Variants Improve Transformer", 2020.
/// Activation is a tag of kernels/activation.hpp, or kernels::any_activation where it is known at run time only.
template <class Activation>
struct gated_mlp {
    linear gate; ///< [F,C]
    linear up;   ///< [F,C]
    linear down; ///< [C,F]
    [[no_unique_address]] Activation activation{};

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept { return gate.bytes() + up.bytes() + down.bytes(); }
    /// Whether it takes the 8-bit form of its input.
    [[nodiscard]] bool takes_quantized() const noexcept { return gate.takes_quantized() && up.takes_quantized(); }

    /// @param x  [T,C]   @param to  [T,C]
    void operator()(context& c, const activations& x, destination to) const {
        const arena::scope scratch{c.scratch};
        const rows gated = c.scratch_rows(x.values().extent(0), gate.out_width());
        const rows raised = c.scratch_rows(x.values().extent(0), up.out_width());
        const activations hidden{c, gated};
        const kernels::quantized_rows* form = down.takes_quantized() ? &hidden.begin_quantized() : nullptr;
        project_side_by_side(c, x, {gate, gated}, {up, raised}, [&](const kernels::product_part& part) {
            const auto joined = detail::part_of(gated, part);
            kernels::glu(activation, joined, detail::part_of(raised, part), joined, {.set = c.how.set});
            detail::quantize(gated, part, form, c.how.set);
        });
        down(c, hidden, to);
    }
};

/// down(activation(up(x))).
template <class Activation>
struct mlp {
    linear up;   ///< [F,C]
    linear down; ///< [C,F]
    [[no_unique_address]] Activation activation{};

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept { return up.bytes() + down.bytes(); }
    /// Whether it takes the 8-bit form of its input.
    [[nodiscard]] bool takes_quantized() const noexcept { return up.takes_quantized(); }

    /// @param x  [T,C]   @param to  [T,C]
    void operator()(context& c, const activations& x, destination to) const {
        const arena::scope scratch{c.scratch};
        const rows raised = c.scratch_rows(x.values().extent(0), up.out_width());
        const activations hidden{c, raised};
        const kernels::quantized_rows* form = down.takes_quantized() ? &hidden.begin_quantized() : nullptr;
        project(c, x, {{up, raised, 32, [&](const kernels::product_part& part) {
                            const auto made = detail::part_of(raised, part);
                            kernels::activate(activation, made, made, {.set = c.how.set});
                            detail::quantize(raised, part, form, c.how.set);
                        }}});
        down(c, hidden, to);
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
