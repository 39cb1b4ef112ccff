// Sums, products and the like, value by value.
//
// A result depends on its own operands alone, so work is cut anywhere: pieces of 4096 values along rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/function_ref.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/vector_math.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

namespace detail {

struct piece {
    const float* a;
    const float* b; ///< a again for functions of one operand
    float* out;
    std::size_t length;
    float number;
};

/// The loop over a piece for a function `Op::apply<Isa>(a, b, number)`. The last, incomplete vector goes through memory
/// on the stack, so that the function is compiled once and not a second time for the rest.
template <class Op>
struct on_piece {
    template <class Isa>
    struct kernel {
        using vector = simd::f32x16<Isa>;
        static TOKENWORKS_INLINE void run(piece p) {
            float rest[3][simd::lanes] = {};
            for(std::size_t i = 0; i < p.length; i += simd::lanes) {
                const float* a = p.a + i;
                const float* b = p.b + i;
                float* out = p.out + i;
                const std::size_t left = p.length - i;
                if(left < simd::lanes) {
                    std::copy_n(a, left, rest[0]);
                    std::copy_n(b, left, rest[1]);
                    a = rest[0];
                    b = rest[1];
                    out = rest[2];
                }
                Op::template apply<Isa>(vector::load(a), vector::load(b), p.number).store(out);
                if(left < simd::lanes) {
                    std::copy_n(rest[2], left, p.out + i);
                }
            }
        }
    };
};

/// A kernel for pieces, on an instruction set. Everything around it is compiled once for all functions.
using piece_function = void (*)(isa set, const piece& p);

template <class Op>
void run_piece(isa set, const piece& p) {
    simd::dispatch<on_piece<Op>::template kernel>(set, p);
}

inline constexpr std::size_t piece_length = 4096;

/// Calls f on pieces of all rows, spread over the team. a and b may be the same operand.
inline void for_each_piece(const row_walk<const float>& a, const row_walk<const float>& b, const row_walk<float>& out,
                           float number, const execution& how, function_ref<void(isa, const piece&)> f) {
    const std::size_t length = a.length;
    const std::size_t pieces = (length + piece_length - 1) / piece_length;
    parallel_for(how, a.count * pieces, row_grain(std::min(length, piece_length)), [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            const std::size_t row = i / pieces;
            const std::size_t begin = i % pieces * piece_length;
            f(how.set,
              piece{a[row] + begin, b[row] + begin, out[row] + begin, std::min(piece_length, length - begin), number});
        }
    });
}

template <class A, class Out>
void map(const char* operation, const A& a, const Out& out, float number, const execution& how,
         function_ref<void(isa, const piece&)> f) {
    require_operand<float, A::rank(), A>();
    require_operand<float, A::rank(), Out>();
    require_writable<Out>();
    require_same_shape(operation, "x", a, "out", out);
    const row_walk from{operation, "x", a.as_const()};
    for_each_piece(from, from, row_walk{operation, "out", out}, number, how, f);
}

template <class A, class B, class Out>
void zip(const char* operation, const char* a_name, const A& a, const char* b_name, const B& b, const Out& out,
         float number, const execution& how, function_ref<void(isa, const piece&)> f) {
    require_operand<float, A::rank(), A>();
    require_operand<float, A::rank(), B>();
    require_operand<float, A::rank(), Out>();
    require_writable<Out>();
    require_same_shape(operation, a_name, a, b_name, b);
    require_same_shape(operation, a_name, a, "out", out);
    for_each_piece(row_walk{operation, a_name, a.as_const()}, row_walk{operation, b_name, b.as_const()},
                   row_walk{operation, "out", out}, number, how, f);
}

struct add_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>& b, float) {
        return a + b;
    }
};
struct add_scaled_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>& b, float number) {
        return fma(b, number, a);
    }
};
struct multiply_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>& b, float) {
        return a * b;
    }
};
struct scale_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>&, float number) {
        return a * number;
    }
};
struct clip_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>&, float number) {
        using vector = simd::f32x16<Isa>;
        return max(min(a, vector::broadcast(number)), vector::broadcast(-number));
    }
};
struct soft_cap_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>&, float number) {
        return tanh(a * (1.0F / number)) * number;
    }
};

} // namespace detail

/// out = a + b, value by value. All of one shape [...], last axes contiguous; out may be a or b.
/// @throws shape_error naming both shapes
template <class A, class B, class Out>
void add(const A& a, const B& b, Out&& out, const execution& how = {}) {
    detail::zip("add", "a", detail::as_view(a), "b", detail::as_view(b), detail::as_view(out), 0.0F, how,
                detail::run_piece<detail::add_op>);
}

/// out = a + factor * b, rounded once on machines with a fused operation. Shapes as in add.
template <class A, class B, class Out>
void add_scaled(const A& a, const B& b, float factor, Out&& out, const execution& how = {}) {
    detail::zip("add_scaled", "a", detail::as_view(a), "b", detail::as_view(b), detail::as_view(out), factor, how,
                detail::run_piece<detail::add_scaled_op>);
}

/// out = a * b, value by value. Shapes as in add.
template <class A, class B, class Out>
void multiply(const A& a, const B& b, Out&& out, const execution& how = {}) {
    detail::zip("multiply", "a", detail::as_view(a), "b", detail::as_view(b), detail::as_view(out), 0.0F, how,
                detail::run_piece<detail::multiply_op>);
}

/// out = factor * x. Both of one shape [...], last axes contiguous; out may be x.
/// @throws shape_error naming both shapes
template <class X, class Out>
void scale(const X& x, float factor, Out&& out, const execution& how = {}) {
    detail::map("scale", detail::as_view(x), detail::as_view(out), factor, how, detail::run_piece<detail::scale_op>);
}

/// out = cap * tanh(x / cap): keeps values within (-cap, cap). Shapes as in scale.
/// @throws argument_error where cap is not positive
template <class X, class Out>
void soft_cap(const X& x, float cap, Out&& out, const execution& how = {}) {
    if(!(cap > 0)) {
        detail::raise<argument_error>({"soft_cap: the cap is ", cap, ", which must be above 0"});
    }
    detail::map("soft_cap", detail::as_view(x), detail::as_view(out), cap, how, detail::run_piece<detail::soft_cap_op>);
}

/// out = x, kept within -bound … bound; what NaN becomes depends on the instruction set. Shapes as in scale.
template <class X, class Out>
void clip(const X& x, float bound, Out&& out, const execution& how = {}) {
    detail::map("clip", detail::as_view(x), detail::as_view(out), bound, how, detail::run_piece<detail::clip_op>);
}

/// Scales x by the factor and then caps it, in place, as models do with their logits; 1 and 0 leave it as it is.
/// @throws as scale and soft_cap
template <class X>
void scale_and_cap(X&& x, float factor, float cap, const execution& how = {}) {
    if(factor != 1) {
        scale(x, factor, x, how);
    }
    if(cap > 0) {
        soft_cap(x, cap, x, how);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
