// A linear layer: packed weights, a bias if there is one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// out = x * weight^T + bias. The weight is shared, so that a head can be the embedding table.
class linear {
public:
    linear() = default;
    explicit linear(kernels::packed_matrix weight, std::vector<float> bias = {})
        : linear{std::make_shared<const kernels::packed_matrix>(std::move(weight)), std::move(bias)} {}
    /// @throws shape_error where the bias is neither empty nor [N]
    explicit linear(std::shared_ptr<const kernels::packed_matrix> weight, std::vector<float> bias = {})
        : weight_{std::move(weight)}, bias_{std::move(bias)} {
        if(!bias_.empty() && bias_.size() != out_width()) {
            tokenworks::detail::raise<shape_error>(
                {"linear: weight has N=", out_width(), ", bias has N=", bias_.size()});
        }
    }

    [[nodiscard]] std::size_t out_width() const noexcept { return weight_ == nullptr ? 0 : weight_->rows(); }
    [[nodiscard]] std::size_t in_width() const noexcept { return weight_ == nullptr ? 0 : weight_->columns(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return weight_ == nullptr ? 0 : weight_->bytes(); }

    /// Whether products take the 8-bit form of the input.
    [[nodiscard]] bool takes_quantized() const noexcept { return weight_->needs_quantized_activations(); }

    /// @param x  [T,K]   @param to  [T,N]
    void operator()(context& c, const activations& x, destination to) const;

    /// The layer's product as the kernels take it.
    [[nodiscard]] kernels::matmul_task product(destination to) const noexcept {
        return {*weight_, to.out, {.add = to.add, .bias = view<const float, dyn>{bias_}}};
    }

private:
    std::shared_ptr<const kernels::packed_matrix> weight_;
    std::vector<float> bias_;
};

/// A layer, and where its result goes.
struct projection {
    const linear& layer;
    destination to;
};

/// Several layers of one input: queries, keys and values, or gate and up. The same bits as one after the other, but
/// threads meet once.
/// @param x  [T,K]   @param layers  up to eight
template <std::size_t N>
void project(context& c, const activations& x, const projection (&layers)[N]) {
    static_assert(N <= 8, "tokenworks: project takes up to eight layers");
    if(!std::ranges::all_of(layers, [](const projection& each) { return each.layer.takes_quantized(); })) {
        for(const projection& each: layers) {
            each.layer(c, x, each.to);
        }
        return;
    }
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        const kernels::matmul_task tasks[] = {layers[I].layer.product(layers[I].to)...};
        kernels::matmul(x.quantized(c), tasks, c.how);
    }
    (std::make_index_sequence<N>{});
}

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void linear::operator()(context& c, const activations& x, destination to) const {
    const kernels::matmul_task task = product(to);
    if(takes_quantized()) {
        kernels::matmul(x.quantized(c), task.w, task.out, task.options, c.how);
    } else {
        kernels::matmul(x.values(), task.w, task.out, task.options, c.how);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
