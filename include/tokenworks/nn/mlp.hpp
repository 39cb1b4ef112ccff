// Feed-forward layers.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/linear.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

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

    /// @param x  [T,C]   @param to  [T,C]
    void operator()(context& c, const activations& x, destination to) const {
        const arena::scope scratch{c.scratch};
        const rows gated = c.scratch_rows(x.values().extent(0), gate.out_width());
        const rows raised = c.scratch_rows(x.values().extent(0), up.out_width());
        project(c, x, {{gate, gated}, {up, raised}});
        kernels::glu(activation, gated, raised, gated, c.how);
        down(c, activations{c, gated}, to);
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

    /// @param x  [T,C]   @param to  [T,C]
    void operator()(context& c, const activations& x, destination to) const {
        const arena::scope scratch{c.scratch};
        const rows raised = c.scratch_rows(x.values().extent(0), up.out_width());
        up(c, x, raised);
        kernels::activate(activation, raised, raised, c.how);
        down(c, activations{c, raised}, to);
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
