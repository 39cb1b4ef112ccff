// The input of linear layers: rows of floats, and their 8-bit form once a quantised weight has asked for it.
//
// Queries, keys and values read the same rows, as do gate and up: whoever comes first quantises, the others reuse it.
#pragma once

#include <cstddef>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>
#include <tokenworks/nn/context.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// [T,C] rows in the context's scratch memory or elsewhere; lives within the arena scope it was made in.
class activations {
public:
    activations(context& c, const_rows values)
        : values_{values},
          memory_{c.scratch.take<std::byte>(kernels::quantized_rows::bytes(values.extent(0), values.extent(1)))} {}

    [[nodiscard]] const_rows values() const noexcept { return values_; }

    /// The rows as 8-bit blocks, made on the first call.
    [[nodiscard]] const kernels::quantized_rows& quantized(const context& c) const;

private:
    const_rows values_;
    std::span<std::byte> memory_;
    mutable kernels::quantized_rows quantized_;
    mutable bool is_quantized_ = false;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION const kernels::quantized_rows& activations::quantized(const context& c) const {
    if(!is_quantized_) {
        quantized_ = kernels::quantize_rows(values_, memory_, c.how);
        is_quantized_ = true;
    }
    return quantized_;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
