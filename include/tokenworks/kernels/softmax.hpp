// Softmax and its logarithm over the last axis.
//
// Three passes over a row (maximum, exponentials and their sum, division), which stays in the cache. The sum has the
// order of row_sums.hpp: a row's result depends on the row alone.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/row_sums.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

namespace detail {

/// e^(x - most), kept in `out` unless that is nullptr.
template <class Isa>
struct exponential_term {
    using vector = simd::f32x16<Isa>;
    const float* x;
    float* out;
    float most;

    TOKENWORKS_INLINE void whole(std::size_t i, vector& sum) const {
        const vector e = simd::exp(vector::load(x + i) - vector::broadcast(most));
        if(out != nullptr) {
            e.store(out + i);
        }
        sum = sum + e;
    }
    TOKENWORKS_INLINE void part(std::size_t i, std::size_t n, vector& sum) const {
        constexpr float nothing = -std::numeric_limits<float>::infinity();
        const vector e = simd::exp(simd::load_partial<Isa>(x + i, n, nothing) - vector::broadcast(most));
        if(out != nullptr) {
            simd::store_partial(e, out + i, n);
        }
        // Where `most` is no finite number the lanes behind the row are not zero, but then neither is the sum finite.
        sum = sum + e;
    }
};

template <class Isa>
TOKENWORKS_INLINE float largest(const float* x, std::size_t length) {
    using vector = simd::f32x16<Isa>;
    constexpr float nothing = -std::numeric_limits<float>::infinity();
    vector even = vector::broadcast(nothing);
    vector odd = even;
    std::size_t i = 0;
    for(; i + 2 * simd::lanes <= length; i += 2 * simd::lanes) {
        even = max(even, vector::load(x + i));
        odd = max(odd, vector::load(x + i + simd::lanes));
    }
    if(i + simd::lanes <= length) {
        even = max(even, vector::load(x + i));
        i += simd::lanes;
    }
    if(i < length) {
        odd = max(odd, simd::load_partial<Isa>(x + i, length - i, nothing));
    }
    return simd::reduce_max(max(even, odd));
}

template <class Isa>
struct softmax_row {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const float* x, float* out, std::size_t length) {
        const float most = largest<Isa>(x, length);
        const float total = sum_row<Isa>(length, exponential_term<Isa>{x, out, most});
        const float factor = 1.0F / total;
        std::size_t i = 0;
        for(; i + simd::lanes <= length; i += simd::lanes) {
            (vector::load(out + i) * factor).store(out + i);
        }
        if(const std::size_t rest = length - i; rest != 0) {
            simd::store_partial(simd::load_partial<Isa>(out + i, rest) * factor, out + i, rest);
        }
    }
};

template <class Isa>
struct log_softmax_row {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const float* x, float* out, std::size_t length) {
        const float most = largest<Isa>(x, length);
        const float total = sum_row<Isa>(length, exponential_term<Isa>{x, nullptr, most});
        const vector shift = vector::broadcast(most);
        const vector logarithm = vector::broadcast(std::log(total));
        std::size_t i = 0;
        for(; i + simd::lanes <= length; i += simd::lanes) {
            ((vector::load(x + i) - shift) - logarithm).store(out + i);
        }
        if(const std::size_t rest = length - i; rest != 0) {
            simd::store_partial((simd::load_partial<Isa>(x + i, rest) - shift) - logarithm, out + i, rest);
        }
    }
};

template <template <class> class Kernel, class X, class Out>
void for_each_row(const char* operation, const X& x, const Out& out, const execution& how) {
    require_operand<float, X::rank(), X>();
    require_operand<float, X::rank(), Out>();
    require_writable<Out>();
    require_same_shape(operation, "x", x, "out", out);
    const row_walk from{operation, "x", x};
    const row_walk to{operation, "out", out};
    parallel_for(how, from.count, row_grain(from.length, 4096), [&](work_range rows) {
        for(std::size_t i = rows.begin; i < rows.end; ++i) {
            simd::dispatch<Kernel>(how.set, static_cast<const float*>(from[i]), to[i], from.length);
        }
    });
}

} // namespace detail

/// Each row as probabilities.
///   out[...,i] = e^(x[...,i] - m) / sum_j e^(x[...,j] - m),   m = max_j x[...,j]
/// @param x    [...,n]; last axis contiguous
/// @param out  like x; may be x itself
/// @throws     shape_error naming both shapes
/// @note       -inf becomes 0. A row that holds NaN or +inf, or -inf only, becomes NaN throughout: it has no
///             distribution, and the caller decides whose error that is
template <class X, class Out>
void softmax(const X& x, Out&& out, const execution& how = {}) {
    detail::for_each_row<detail::softmax_row>("softmax", detail::as_view(x), detail::as_view(out), how);
}

/// The logarithm of softmax, without its loss of small values.
///   out[...,i] = x[...,i] - m - ln sum_j e^(x[...,j] - m),   m = max_j x[...,j]
/// Shapes, errors and special values as in softmax, but -inf stays -inf.
template <class X, class Out>
void log_softmax(const X& x, Out&& out, const execution& how = {}) {
    detail::for_each_row<detail::log_softmax_row>("log_softmax", detail::as_view(x), detail::as_view(out), how);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
