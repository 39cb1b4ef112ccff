// One layer of a decoder or encoder: attention, then feed-forward, each added to the residual stream; between them,
// where there is another sequence to look at, attention to that.
//
// The order of norms is what families differ in; it is data here, and the code reads like their papers' figures.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

#include <tokenworks/config.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/attention.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/cross_attention.hpp>
#include <tokenworks/nn/mixture.hpp>
#include <tokenworks/nn/mlp.hpp>
#include <tokenworks/nn/norm.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// Whichever feed-forward a configuration asks for.
using feed_forward = std::variant<gated_mlp<kernels::any_activation>, mlp<kernels::any_activation>, mixture>;

struct decoder_layer {
    attention attend;
    feed_forward mlp;
    std::optional<norm> before_attention{};
    std::optional<norm> after_attention{};
    std::optional<norm> before_mlp{};
    std::optional<norm> after_mlp{};
    std::optional<cross_attention> cross{}; ///< between attention and feed-forward
    std::optional<norm> before_cross{};
    std::optional<norm> after_cross{};
    bool parallel = false;  ///< attention and feed-forward read the same input
    bool norm_sums = false; ///< the norms after a part are of the sum with the residual, as in the first transformers
    float residual_scale = 1;

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return attend.bytes() + (cross ? cross->bytes() : 0) +
               std::visit([](const auto& layer) { return layer.bytes(); }, mlp);
    }

    /// @param x  [T,C], the residual stream, updated in place
    void operator()(context& c, rows x) const;

private:
    static activations normalized(context& c, const std::optional<norm>& layer, rows x, bool quantize);

    static rows copied(context& c, rows x);

    [[nodiscard]] bool mlp_takes_quantized() const noexcept {
        return std::visit([](const auto& layer) { return layer.takes_quantized(); }, mlp);
    }

    void run_mlp(context& c, const activations& input, destination to) const;

    /// x += residual_scale * after(body), or x = after(x + residual_scale * body)
    template <class Body>
    void branch(context& c, rows x, const std::optional<norm>& after, Body body) const {
        if((!after || norm_sums) && residual_scale == 1) {
            body(add_to(x));
            if(after) {
                (*after)(c, x, x);
            }
            return;
        }
        const rows result = c.scratch_rows(x.extent(0), x.extent(1));
        body(result);
        if(after && !norm_sums) {
            (*after)(c, result, result);
        }
        kernels::add_scaled(x, result, residual_scale, x, c.how);
        if(after && norm_sums) {
            (*after)(c, x, x);
        }
    }
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void decoder_layer::operator()(context& c, rows x) const {
    const arena::scope scratch{c.scratch};
    if(parallel) {
        // Both read x as it was; feed-forward may have a norm of its own.
        const activations input =
            before_attention ? (*before_attention)(c, x, attend.takes_quantized()) : activations{c, copied(c, x)};
        std::optional<activations> own;
        if(before_mlp) {
            own = (*before_mlp)(c, x, mlp_takes_quantized());
        }
        branch(c, x, after_attention, [&](destination to) { attend(c, input, to); });
        branch(c, x, after_mlp, [&](destination to) { run_mlp(c, own ? *own : input, to); });
        c.observe("layer", x);
        return;
    }
    {
        const arena::scope inner{c.scratch};
        const activations input = normalized(c, before_attention, x, attend.takes_quantized());
        branch(c, x, after_attention, [&](destination to) { attend(c, input, to); });
        c.observe("attention", x);
    }
    if(cross) {
        const arena::scope inner{c.scratch};
        const activations input = normalized(c, before_cross, x, cross->takes_quantized());
        branch(c, x, after_cross, [&](destination to) { (*cross)(c, input, to); });
        c.observe("cross_attention", x);
    }
    {
        const arena::scope inner{c.scratch};
        const activations input = normalized(c, before_mlp, x, mlp_takes_quantized());
        branch(c, x, after_mlp, [&](destination to) { run_mlp(c, input, to); });
        c.observe("layer", x);
    }
}

TOKENWORKS_FUNCTION activations decoder_layer::normalized(context& c, const std::optional<norm>& layer, rows x,
                                                          bool quantize) {
    return layer ? (*layer)(c, x, quantize) : activations{c, x};
}

TOKENWORKS_FUNCTION rows decoder_layer::copied(context& c, rows x) {
    const rows copy = c.scratch_rows(x.extent(0), x.extent(1));
    std::ranges::copy(x.as_span(), copy.data());
    return copy;
}

TOKENWORKS_FUNCTION void decoder_layer::run_mlp(context& c, const activations& input, destination to) const {
    std::visit([&](const auto& layer) { layer(c, input, to); }, mlp);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
