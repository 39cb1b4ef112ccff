// Activation functions, alone and in gated linear units.
//
// An activation is a tag type with a function of sixteen lanes, so that gated_mlp<kernels::silu> says what it computes
// and the function is inlined into the loop. A type of your own joins by the same member:
//   struct leaky {
//       template <class Isa>
//       static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) { return max(x, x * 0.1F); }
//   };
// any_activation chooses among those here at run time, once a call.
#pragma once

#include <cstdint>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/vector_math.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// x / (1 + e^-x), to 4 ulp. Also called swish.
struct silu {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        using vector = simd::f32x16<Isa>;
        return x / (vector::broadcast(1.0F) + simd::exp(vector::zero() - x));
    }
};

/// x * P(N <= x) for a standard normal N, to 8 ulp; on the portable instruction set to 8 + x^2/2 ulp.
/// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
struct gelu {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        return detail::gelu<Isa>(x);
    }
};

/// The approximation x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) / 2 of gelu: to 1e-6 of |x|, absolutely.
/// Evaluated as x / (1 + e^-2u), which equals it.
struct gelu_tanh {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        using vector = simd::f32x16<Isa>;
        constexpr float twice = 1.5957691216057308F; // 2 * sqrt(2/pi)
        const vector slope = fma(x * x, -twice * 0.044715F, vector::broadcast(-twice));
        return x / (vector::broadcast(1.0F) + simd::exp(x * slope));
    }
};

/// x * sigmoid(1.702 x), the approximation of gelu in OpenAI's CLIP; to 1e-6 of |x|, absolutely.
struct gelu_quick {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        return x / (simd::f32x16<Isa>::broadcast(1.0F) + simd::exp(x * -1.702F));
    }
};

/// max(x, 0), exact; NaN stays NaN.
struct relu {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        return max(x, simd::f32x16<Isa>::zero());
    }
};

/// max(x, 0)^2. So et al., "Primer", 2021.
struct relu_squared {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        const auto y = relu::apply<Isa>(x);
        return y * y;
    }
};

/// 1 / (1 + e^-x), to 4 ulp.
struct sigmoid {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        return detail::sigmoid<Isa>(x);
    }
};

/// tanh x, to 4 ulp.
struct tanh {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        return detail::tanh<Isa>(x);
    }
};

/// x itself: the gate of a bilinear unit.
struct identity {
    template <class Isa>
    static TOKENWORKS_INLINE simd::f32x16<Isa> apply(const simd::f32x16<Isa>& x) {
        return x;
    }
};

enum class activation_kind : std::uint8_t {
    silu,
    gelu,
    gelu_tanh,
    gelu_quick,
    relu,
    relu_squared,
    sigmoid,
    tanh,
    identity,
};

/// An activation that is known at run time only.
struct any_activation {
    activation_kind kind = activation_kind::silu;
};

namespace detail {

template <class Activation>
struct activate_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& x, const simd::f32x16<Isa>&, float) {
        return Activation::template apply<Isa>(x);
    }
};

template <class Activation>
struct glu_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& gate, const simd::f32x16<Isa>& up, float) {
        return Activation::template apply<Isa>(gate) * up;
    }
};

/// The kernel of that kind.
[[nodiscard]] inline piece_function activation_function(activation_kind kind) noexcept {
    switch(kind) {
    case activation_kind::gelu:
        return run_piece<activate_op<kernels::gelu>>;
    case activation_kind::gelu_tanh:
        return run_piece<activate_op<gelu_tanh>>;
    case activation_kind::gelu_quick:
        return run_piece<activate_op<gelu_quick>>;
    case activation_kind::relu:
        return run_piece<activate_op<relu>>;
    case activation_kind::relu_squared:
        return run_piece<activate_op<relu_squared>>;
    case activation_kind::sigmoid:
        return run_piece<activate_op<kernels::sigmoid>>;
    case activation_kind::tanh:
        return run_piece<activate_op<kernels::tanh>>;
    case activation_kind::identity:
        return run_piece<activate_op<identity>>;
    case activation_kind::silu:
        break;
    }
    return run_piece<activate_op<silu>>;
}

} // namespace detail

/// out = activation(x), value by value.
/// @param x    [...]; last axis contiguous
/// @param out  like x; may be x itself
/// @throws     shape_error naming both shapes
template <class Activation, class X, class Out>
void activate(Activation, const X& x, Out&& out, const execution& how = {}) {
    detail::map("activate", detail::as_view(x), detail::as_view(out), 0.0F, how,
                detail::run_piece<detail::activate_op<Activation>>);
}

template <class X, class Out>
void activate(any_activation activation, const X& x, Out&& out, const execution& how = {}) {
    detail::map("activate", detail::as_view(x), detail::as_view(out), 0.0F, how,
                detail::activation_function(activation.kind));
}

/// A gated linear unit: out = activation(gate) * up. With silu it is SwiGLU, with gelu GeGLU, with relu ReGLU.
/// Shazeer, "GLU Variants Improve Transformer", 2020.
/// @param gate, up  [T,F]; last axis contiguous
/// @param out       [T,F]; may be gate or up
/// @throws          shape_error naming both shapes
template <class Activation, class Gate, class Up, class Out>
void glu(Activation, const Gate& gate, const Up& up, Out&& out, const execution& how = {}) {
    detail::zip("glu", "gate", detail::as_view(gate), "up", detail::as_view(up), detail::as_view(out), 0.0F, how,
                detail::run_piece<detail::glu_op<Activation>>);
}

/// The same in two steps, so that a program does not carry every activation twice; the result is the same to the bit.
template <class Gate, class Up, class Out>
void glu(any_activation activation, const Gate& gate, const Up& up, Out&& out, const execution& how = {}) {
    const detail::piece_function activate_piece = detail::activation_function(activation.kind);
    detail::zip("glu", "gate", detail::as_view(gate), "up", detail::as_view(up), detail::as_view(out), 0.0F, how,
                [&](isa set, const detail::piece& p) {
                    float activated[detail::piece_length];
                    activate_piece(set, {p.a, p.a, activated, p.length, 0.0F});
                    detail::run_piece<detail::multiply_op>(set, {activated, p.b, p.out, p.length, 0.0F});
                });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
