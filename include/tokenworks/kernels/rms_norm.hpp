// Root mean square normalisation: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
//
// The sum of squares runs over 16 lanes, lane j taking x[j], x[j + 16], …, in four interleaved chains that are added
// pairwise: an order that the row's length alone decides, with an error that grows like C / 64 roundings.
#pragma once

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

struct rms_norm_options {
    float epsilon = 1e-5F;
    bool weight_plus_one = false; ///< multiply by 1 + weight, as checkpoints of Gemma store it
};

namespace detail {

template <class Isa>
struct rms_norm_row {
    using vector = simd::f32x16<Isa>;

    /// weight may be nullptr: all ones
    static TOKENWORKS_INLINE void run(const float* x, const float* weight, float* out, std::size_t length,
                                      rms_norm_options options) {
        if(length == 0) {
            return;
        }
        const float mean = sum_of_squares<Isa>(x, length) / static_cast<float>(length);
        const float scale = 1.0F / std::sqrt(mean + options.epsilon);
        const vector offset = vector::broadcast(options.weight_plus_one ? 1.0F : 0.0F);
        std::size_t i = 0;
        for(; i + simd::lanes <= length; i += simd::lanes) {
            vector y = vector::load(x + i) * scale;
            if(weight != nullptr) {
                y = y * (vector::load(weight + i) + offset);
            }
            y.store(out + i);
        }
        if(const std::size_t rest = length - i; rest != 0) {
            vector y = simd::load_partial<Isa>(x + i, rest) * scale;
            if(weight != nullptr) {
                y = y * (simd::load_partial<Isa>(weight + i, rest) + offset);
            }
            simd::store_partial(y, out + i, rest);
        }
    }
};

} // namespace detail

/// Each row divided by its root mean square.
///   out[t,c] = x[t,c] / sqrt(mean_c(x[t,c]^2) + epsilon) * weight[c]
/// @param x       [...,C]; last axis contiguous
/// @param weight  [C]; a view of no elements stands for ones
/// @param out     like x; may be x itself
/// @throws        shape_error naming the two extents that disagree
/// @note          a row's result depends on the row alone; O(T*C); allocates nothing
template <class X, class Weight, class Out>
void rms_norm(const X& x, const Weight& weight, Out&& out, const rms_norm_options& options = {},
              const execution& how = {}) {
    const auto from = detail::as_view(x);
    const auto scale = detail::as_view(weight);
    const auto to = detail::as_view(out);
    using from_type = std::remove_const_t<decltype(from)>;
    using scale_type = std::remove_const_t<decltype(scale)>;
    detail::require_operand<float, from_type::rank(), from_type>();
    detail::require_operand<float, 1, scale_type>();
    detail::require_operand<float, from_type::rank(), std::remove_const_t<decltype(to)>>();
    detail::require_writable<std::remove_const_t<decltype(to)>>();
    static_assert(scale_type::static_extent(0) == 0 ||
                      detail::may_agree<from_type, from_type::rank() - 1, scale_type, 0>,
                  "tokenworks: rms_norm: the weight must be as long as the last axis of x");
    detail::require_same_shape("rms_norm", "x", from, "out", to);
    detail::require_dense_rows("rms_norm", "weight", scale);
    const detail::row_walk source{"rms_norm", "x", from};
    const detail::row_walk target{"rms_norm", "out", to};
    if(!scale.empty()) {
        detail::require_equal("rms_norm", "x has C", source.length, "weight has C", scale.extent(0));
    }
    parallel_for(how, source.count, detail::row_grain(source.length), [&](work_range rows) {
        for(std::size_t i = rows.begin; i < rows.end; ++i) {
            simd::dispatch<detail::rms_norm_row>(how.set, source[i], scale.empty() ? nullptr : scale.data(), target[i],
                                                 source.length, options);
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
