// Normalisation layers: a weight and the kernel that uses it.
#pragma once

#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
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
    void operator()(const execution& how, const_rows x, rows out) const;
    void operator()(context& c, const_rows x, rows out) const { (*this)(c.how, x, out); }
    /// The result in the context's scratch memory; its 8-bit form is made along with it if `quantize` is set, as layers
    /// want that say takes_quantized().
    [[nodiscard]] activations operator()(context& c, const_rows x, bool quantize = false) const;
};

/// (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias, a row at a time.
struct layer_norm {
    std::vector<float> weight; ///< [C]
    std::vector<float> bias;   ///< [C], or empty
    float epsilon = 1e-5F;

    void operator()(const execution& how, const_rows x, rows out) const;
    void operator()(context& c, const_rows x, rows out) const { (*this)(c.how, x, out); }
    [[nodiscard]] activations operator()(context& c, const_rows x, bool quantize = false) const;
};

/// Whichever a configuration asks for.
class norm {
public:
    norm(rms_norm of) : layer_{std::move(of)} {}
    norm(layer_norm of) : layer_{std::move(of)} {}

    void operator()(const execution& how, const_rows x, rows out) const;
    void operator()(context& c, const_rows x, rows out) const { (*this)(c.how, x, out); }
    [[nodiscard]] activations operator()(context& c, const_rows x, bool quantize = false) const;

private:
    std::variant<rms_norm, layer_norm> layer_;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

template <class Norm>
[[nodiscard]] activations normed(context& c, const Norm& layer, const_rows x, bool quantize) {
    const rows out = c.scratch_rows(x.extent(0), x.extent(1));
    return activations::made(c, out, quantize, [&](std::size_t first, std::size_t count, const execution& how) {
        layer(how, x.slice(first, count), out.slice(first, count));
    });
}

} // namespace detail

TOKENWORKS_FUNCTION void rms_norm::operator()(const execution& how, const_rows x, rows out) const {
    kernels::rms_norm(x, view<const float, dyn>{weight}, out, {.epsilon = epsilon}, how);
}

TOKENWORKS_FUNCTION activations rms_norm::operator()(context& c, const_rows x, bool quantize) const {
    return detail::normed(c, *this, x, quantize);
}

TOKENWORKS_FUNCTION void layer_norm::operator()(const execution& how, const_rows x, rows out) const {
    kernels::layer_norm(x, view<const float, dyn>{weight}, view<const float, dyn>{bias}, out, {.epsilon = epsilon},
                        how);
}

TOKENWORKS_FUNCTION activations layer_norm::operator()(context& c, const_rows x, bool quantize) const {
    return detail::normed(c, *this, x, quantize);
}

TOKENWORKS_FUNCTION void norm::operator()(const execution& how, const_rows x, rows out) const {
    std::visit([&](const auto& layer) { layer(how, x, out); }, layer_);
}

TOKENWORKS_FUNCTION activations norm::operator()(context& c, const_rows x, bool quantize) const {
    return std::visit([&](const auto& layer) { return layer(c, x, quantize); }, layer_);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
