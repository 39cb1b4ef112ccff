// Functions of sixteen lanes that activations and attention are made of, without libm: no calls, no tables, no
// branches. Errors are stated in units in the last place (ulp) of the exact result and measured in
// tests/kernels/vector_math.cpp.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// Horner's scheme, the highest power first.
template <class Isa, std::size_t N>
TOKENWORKS_INLINE simd::f32x16<Isa> polynomial(const simd::f32x16<Isa>& x, const float (&coefficients)[N]) {
    using vector = simd::f32x16<Isa>;
    vector p = vector::broadcast(coefficients[0]);
    TOKENWORKS_UNROLL(16)
    for(std::size_t i = 1; i < N; ++i) {
        p = fma(p, x, vector::broadcast(coefficients[i]));
    }
    return p;
}

/// 1 / (1 + e^-x), to 4 ulp.
template <class Isa>
TOKENWORKS_INLINE simd::f32x16<Isa> sigmoid(const simd::f32x16<Isa>& x) {
    using vector = simd::f32x16<Isa>;
    const vector one = vector::broadcast(1.0F);
    return one / (one + simd::exp(vector::zero() - x));
}

/// tanh x, to 4 ulp: an odd polynomial (Cephes, tanhf) below 0.625, 1 - 2 / (e^2x + 1) above.
template <class Isa>
TOKENWORKS_INLINE simd::f32x16<Isa> tanh(const simd::f32x16<Isa>& x) {
    using vector = simd::f32x16<Isa>;
    static constexpr float odd[] = {-5.70498872745e-3F, 2.06390887954e-2F, -5.37397155531e-2F, 1.33314422036e-1F,
                                    -3.33332819422e-1F};
    const vector one = vector::broadcast(1.0F);
    const vector magnitude = abs(x);
    const vector square = x * x;
    const vector near = fma(polynomial<Isa>(square, odd) * square, x, x);
    const vector far = one - vector::broadcast(2.0F) / (simd::exp(magnitude + magnitude) + one);
    const vector signed_far = select_less(x, vector::zero(), vector::zero() - far, far);
    return select_less(magnitude, vector::broadcast(0.625F), near, signed_far);
}

/// x * P(N <= x) for a standard normal N: the Gaussian error linear unit, to 8 ulp also in the negative tail
/// (to 8 + x^2/2 ulp where there is no fused operation).
/// The upper tail of |x| is e^(-x^2/2) times a polynomial in t = 1 / (1 + 0.24 |x|), fitted to 0.05 ulp.
template <class Isa>
TOKENWORKS_INLINE simd::f32x16<Isa> gelu(const simd::f32x16<Isa>& x) {
    using vector = simd::f32x16<Isa>;
    static constexpr float tail_of_t[] = {0.0254139590F, -0.1239941146F, 0.2038741657F, -0.1419840067F, 0.1394075720F,
                                          0.0293414585F, 0.0873155168F,  0.0890392164F, 0.0958433707F,  0.0957428637F};
    const vector one = vector::broadcast(1.0F);
    const vector t = one / fma(abs(x), 0.24F, one);
    const vector square = x * x;
    const vector lost = fma(x, x, vector::zero() - square); // what rounding took from the square
    const vector e = simd::exp(square * -0.5F);
    const vector tail = polynomial<Isa>(t, tail_of_t) * t * fma(lost * -0.5F, e, e);
    // Beyond 14 the tail is zero, and 0 * lost must not make it NaN.
    const vector safe = select_less(abs(x), vector::broadcast(14.0F), tail, vector::zero());
    return x * select_less(x, vector::zero(), safe, one - safe);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
