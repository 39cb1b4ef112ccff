// Sums over one row, in an order that its length alone decides: value i goes to lane i % 16 of chain i / 16 % 4 (what
// remains of less than 16 values to chain 3), the chains are added as (0 + 1) + (2 + 3), the lanes as the tree of
// simd::reduce_add. Four chains hide the latency of an addition, and 64 partial sums keep rounding errors down to those
// of length / 64 terms.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// Adds term(i, n) of vectors of 16 values; term must fill lanes behind n with zero.
template <class Isa, class Term>
TOKENWORKS_INLINE float sum_row(std::size_t length, Term term) {
    using vector = simd::f32x16<Isa>;
    vector chain[4] = {vector::zero(), vector::zero(), vector::zero(), vector::zero()};
    std::size_t i = 0;
    for(; i + 4 * simd::lanes <= length; i += 4 * simd::lanes) {
        term.whole(i, chain[0]);
        term.whole(i + simd::lanes, chain[1]);
        term.whole(i + 2 * simd::lanes, chain[2]);
        term.whole(i + 3 * simd::lanes, chain[3]);
    }
    if(i + simd::lanes <= length) {
        term.whole(i, chain[0]);
        i += simd::lanes;
    }
    if(i + simd::lanes <= length) {
        term.whole(i, chain[1]);
        i += simd::lanes;
    }
    if(i + simd::lanes <= length) {
        term.whole(i, chain[2]);
        i += simd::lanes;
    }
    if(i < length) {
        term.part(i, length - i, chain[3]);
    }
    return simd::reduce_add((chain[0] + chain[1]) + (chain[2] + chain[3]));
}

template <class Isa>
struct plain_term {
    using vector = simd::f32x16<Isa>;
    const float* x;
    TOKENWORKS_INLINE void whole(std::size_t i, vector& sum) const { sum = sum + vector::load(x + i); }
    TOKENWORKS_INLINE void part(std::size_t i, std::size_t n, vector& sum) const {
        sum = sum + simd::load_partial<Isa>(x + i, n);
    }
};

/// (x - center)^2
template <class Isa>
struct square_term {
    using vector = simd::f32x16<Isa>;
    const float* x;
    float center;
    TOKENWORKS_INLINE void whole(std::size_t i, vector& sum) const {
        const vector y = vector::load(x + i) - vector::broadcast(center);
        sum = fma(y, y, sum);
    }
    TOKENWORKS_INLINE void part(std::size_t i, std::size_t n, vector& sum) const {
        const vector y = simd::load_partial<Isa>(x + i, n, center) - vector::broadcast(center);
        sum = fma(y, y, sum);
    }
};

template <class Isa>
TOKENWORKS_INLINE float sum(const float* x, std::size_t length) {
    return sum_row<Isa>(length, plain_term<Isa>{x});
}

template <class Isa>
TOKENWORKS_INLINE float sum_of_squares(const float* x, std::size_t length, float center = 0.0F) {
    return sum_row<Isa>(length, square_term<Isa>{x, center});
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
