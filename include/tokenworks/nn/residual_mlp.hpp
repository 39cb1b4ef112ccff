// A feed-forward layer with biases and a way around it that is linear: what makes rows of patches, and patches of rows.
// Das et al., "Long-term Forecasting with TiDE", 2023 (residual block); Chronos-Bolt, TimesFM.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/mlp.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// down(activation(up(x))) + skip(x).
struct residual_mlp {
    mlp<kernels::any_activation> way{};
    linear skip{}; ///< [N,K]

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept { return way.bytes() + skip.bytes(); }

    /// @param x  [T,K]   @param to  [T,N]
    void operator()(context& c, const activations& x, rows to) const {
        skip(c, x, to);
        way(c, x, add_to(to));
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
