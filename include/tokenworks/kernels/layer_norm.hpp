// Layer normalisation: Ba, Kiros and Hinton, "Layer Normalization", 2016.
//
// Two passes, mean first and then the deviations from it: one pass over x and x^2 loses everything where the mean is
// large. Sums are those of row_sums.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/row_sums.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

struct layer_norm_options {
    float epsilon = 1e-5F;
};

namespace detail {

template <class Isa>
struct layer_norm_row {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const float* x, const float* weight, const float* bias, float* out,
                                      std::size_t length, float epsilon) {
        if(length == 0) {
            return;
        }
        const float count = static_cast<float>(length);
        const float mean = sum<Isa>(x, length) / count;
        const float variance = sum_of_squares<Isa>(x, length, mean) / count;
        const float scale = 1.0F / std::sqrt(variance + epsilon);
        std::size_t i = 0;
        for(; i + simd::lanes <= length; i += simd::lanes) {
            finish(x + i, weight == nullptr ? nullptr : weight + i, bias == nullptr ? nullptr : bias + i, mean, scale,
                   out + i);
        }
        if(const std::size_t rest = length - i; rest != 0) {
            float padded[3][simd::lanes] = {};
            std::copy_n(x + i, rest, padded[0]);
            if(weight != nullptr) {
                std::copy_n(weight + i, rest, padded[1]);
            }
            if(bias != nullptr) {
                std::copy_n(bias + i, rest, padded[2]);
            }
            finish(padded[0], weight == nullptr ? nullptr : padded[1], bias == nullptr ? nullptr : padded[2], mean,
                   scale, padded[0]);
            std::copy_n(padded[0], rest, out + i);
        }
    }

private:
    /// Sixteen values.
    static TOKENWORKS_INLINE void finish(const float* x, const float* weight, const float* bias, float mean,
                                         float scale, float* out) {
        vector y = (vector::load(x) - vector::broadcast(mean)) * scale;
        if(weight != nullptr) {
            y = y * vector::load(weight);
        }
        if(bias != nullptr) {
            y = y + vector::load(bias);
        }
        y.store(out);
    }
};

} // namespace detail

/// Each row with its mean taken off, divided by its deviation.
///   out[t,c] = (x[t,c] - mean) / sqrt(mean_c((x[t,c] - mean)^2) + epsilon) * weight[c] + bias[c]
/// @param x       [...,C]; last axis contiguous
/// @param weight  [C]; a view of no elements stands for ones
/// @param bias    [C]; a view of no elements stands for zeros
/// @param out     like x; may be x itself
/// @throws        shape_error naming the two extents that disagree
/// @note          a row's result depends on the row alone; O(T*C); allocates nothing
template <class X, class Weight, class Bias, class Out>
void layer_norm(const X& x, const Weight& weight, const Bias& bias, Out&& out, const layer_norm_options& options = {},
                const execution& how = {}) {
    const auto from = detail::as_view(x);
    const auto scale = detail::as_view(weight);
    const auto shift = detail::as_view(bias);
    const auto to = detail::as_view(out);
    using from_type = std::remove_const_t<decltype(from)>;
    using scale_type = std::remove_const_t<decltype(scale)>;
    using shift_type = std::remove_const_t<decltype(shift)>;
    constexpr std::size_t last = from_type::rank() - 1;
    detail::require_operand<float, from_type::rank(), from_type>();
    detail::require_operand<float, 1, scale_type>();
    detail::require_operand<float, 1, shift_type>();
    detail::require_operand<float, from_type::rank(), std::remove_const_t<decltype(to)>>();
    detail::require_writable<std::remove_const_t<decltype(to)>>();
    static_assert(scale_type::static_extent(0) == 0 || detail::may_agree<from_type, last, scale_type, 0>,
                  "tokenworks: layer_norm: the weight must be as long as the last axis of x");
    static_assert(shift_type::static_extent(0) == 0 || detail::may_agree<from_type, last, shift_type, 0>,
                  "tokenworks: layer_norm: the bias must be as long as the last axis of x");
    detail::require_same_shape("layer_norm", "x", from, "out", to);
    detail::require_dense_rows("layer_norm", "weight", scale);
    detail::require_dense_rows("layer_norm", "bias", shift);
    const detail::row_walk source{"layer_norm", "x", from};
    const detail::row_walk target{"layer_norm", "out", to};
    if(!scale.empty()) {
        detail::require_equal("layer_norm", "x has C", source.length, "weight has C", scale.extent(0));
    }
    if(!shift.empty()) {
        detail::require_equal("layer_norm", "x has C", source.length, "bias has C", shift.extent(0));
    }
    parallel_for(how, source.count, detail::row_grain(source.length), [&](work_range rows) {
        for(std::size_t i = rows.begin; i < rows.end; ++i) {
            simd::dispatch<detail::layer_norm_row>(how.set, source[i], scale.empty() ? nullptr : scale.data(),
                                                   shift.empty() ? nullptr : shift.data(), target[i], source.length,
                                                   options.epsilon);
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
