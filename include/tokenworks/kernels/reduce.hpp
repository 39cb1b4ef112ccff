// One number from a row: where its largest value is, and whether all values are finite.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/softmax.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

namespace detail {

template <class Isa>
struct argmax_row {
    /// The largest value of each stretch is found lane by lane; only the stretch that holds the winner is searched.
    static TOKENWORKS_INLINE std::size_t run(const float* x, std::size_t length) {
        constexpr std::size_t stretch = 1024;
        float most = -std::numeric_limits<float>::infinity();
        std::size_t best = 0;
        for(std::size_t begin = 0; begin < length; begin += stretch) {
            const float here = largest<Isa>(x + begin, std::min(stretch, length - begin));
            if(here > most) {
                most = here;
                best = begin;
            }
        }
        for(std::size_t i = best; i < length; ++i) {
            if(x[i] == most) {
                return i;
            }
        }
        return 0; // NaN and nothing else
    }
};

template <class Isa>
struct finite_row {
    using vector = simd::f32x16<Isa>;
    /// 0 * x is 0 for finite x and NaN otherwise.
    static TOKENWORKS_INLINE bool run(const float* x, std::size_t length) {
        vector sum = vector::zero();
        std::size_t i = 0;
        for(; i + simd::lanes <= length; i += simd::lanes) {
            sum = fma(vector::load(x + i), 0.0F, sum);
        }
        if(i < length) {
            sum = fma(simd::load_partial<Isa>(x + i, length - i), 0.0F, sum);
        }
        return simd::reduce_add(sum) == 0.0F;
    }
};

} // namespace detail

/// The index of the largest value, the first one where several are equal. NaN is never the largest; where there is
/// nothing else, the result is 0.
/// @param x  [n]; contiguous, n > 0
/// @throws   argument_error where x is empty
template <class X>
[[nodiscard]] std::size_t argmax(const X& x, const execution& how = {}) {
    const auto from = detail::as_view(x);
    detail::require_operand<float, 1, std::remove_const_t<decltype(from)>>();
    detail::require_dense_rows("argmax", "x", from);
    if(from.empty()) {
        detail::raise<argument_error>({"argmax: x is empty"});
    }
    return simd::dispatch<detail::argmax_row>(how.set, static_cast<const float*>(from.data()), from.size());
}

/// Whether any value is NaN or infinite.
/// @param x  [...]; last axis contiguous
template <class X>
[[nodiscard]] bool has_non_finite(const X& x, const execution& how = {}) {
    const auto from = detail::as_view(x);
    using from_type = std::remove_const_t<decltype(from)>;
    detail::require_operand<float, from_type::rank(), from_type>();
    const detail::row_walk rows{"has_non_finite", "x", from};
    for(std::size_t i = 0; i < rows.count; ++i) {
        if(!simd::dispatch<detail::finite_row>(how.set, static_cast<const float*>(rows[i]), rows.length)) {
            return true;
        }
    }
    return false;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
