// A linear layer: packed weights, a bias if there is one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
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
            throw shape_error("linear: weight has N=" + std::to_string(out_width()) +
                              ", bias has N=" + std::to_string(bias_.size()));
        }
    }

    [[nodiscard]] std::size_t out_width() const noexcept { return weight_ == nullptr ? 0 : weight_->rows(); }
    [[nodiscard]] std::size_t in_width() const noexcept { return weight_ == nullptr ? 0 : weight_->columns(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return weight_ == nullptr ? 0 : weight_->bytes(); }

    /// @param x  [T,K]   @param to  [T,N]
    void operator()(context& c, const activations& x, destination to) const {
        const kernels::matmul_options options{.add = to.add, .bias = view<const float, dyn>{bias_}};
        if(weight_->needs_quantized_activations()) {
            kernels::matmul(x.quantized(c), *weight_, to.out, options, c.how);
        } else {
            kernels::matmul(x.values(), *weight_, to.out, options, c.how);
        }
    }

private:
    std::shared_ptr<const kernels::packed_matrix> weight_;
    std::vector<float> bias_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
