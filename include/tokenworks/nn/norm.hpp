// Normalisation layers: a weight and the kernel that uses it.
#pragma once

#include <utility>
#include <variant>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/layer_norm.hpp>
#include <tokenworks/kernels/rms_norm.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// x / sqrt(mean(x^2) + epsilon) * weight, a row at a time.
struct rms_norm {
    std::vector<float> weight; ///< [C]
    float epsilon = 1e-5F;

    /// @param x  [T,C]   @param out  [T,C]; may be x itself
    void operator()(context& c, const_rows x, rows out) const;
    /// The result in the context's scratch memory.
    [[nodiscard]] activations operator()(context& c, const_rows x) const;
};

/// (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias, a row at a time.
struct layer_norm {
    std::vector<float> weight; ///< [C]
    std::vector<float> bias;   ///< [C], or empty
    float epsilon = 1e-5F;

    void operator()(context& c, const_rows x, rows out) const;
    [[nodiscard]] activations operator()(context& c, const_rows x) const;
};

/// Whichever a configuration asks for.
class norm {
public:
    norm(rms_norm of) : layer_{std::move(of)} {}
    norm(layer_norm of) : layer_{std::move(of)} {}

    void operator()(context& c, const_rows x, rows out) const;
    [[nodiscard]] activations operator()(context& c, const_rows x) const;

private:
    std::variant<rms_norm, layer_norm> layer_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void rms_norm::operator()(context& c, const_rows x, rows out) const {
    kernels::rms_norm(x, view<const float, dyn>{weight}, out, {.epsilon = epsilon}, c.how);
}

TOKENWORKS_FUNCTION activations rms_norm::operator()(context& c, const_rows x) const {
    const rows out = c.scratch_rows(x.extent(0), x.extent(1));
    (*this)(c, x, out);
    return activations{c, out};
}

TOKENWORKS_FUNCTION void layer_norm::operator()(context& c, const_rows x, rows out) const {
    kernels::layer_norm(x, view<const float, dyn>{weight}, view<const float, dyn>{bias}, out, {.epsilon = epsilon},
                        c.how);
}

TOKENWORKS_FUNCTION activations layer_norm::operator()(context& c, const_rows x) const {
    const rows out = c.scratch_rows(x.extent(0), x.extent(1));
    (*this)(c, x, out);
    return activations{c, out};
}

TOKENWORKS_FUNCTION void norm::operator()(context& c, const_rows x, rows out) const {
    std::visit([&](const auto& layer) { layer(c, x, out); }, layer_);
}

TOKENWORKS_FUNCTION activations norm::operator()(context& c, const_rows x) const {
    return std::visit([&](const auto& layer) { return layer(c, x); }, layer_);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
