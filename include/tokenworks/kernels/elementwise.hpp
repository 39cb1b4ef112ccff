// Sums, products and the like, value by value.
//
// A result depends on its own operands alone, so work is cut anywhere: pieces of 4096 values along rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/vector_math.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

namespace detail {

struct piece {
    const float* a;
    const float* b; ///< unused by functions of one operand
    float* out;
    std::size_t length;
    float number;
};

/// The loop over a piece for a function `Op::apply<Isa>(a, b, number)`.
template <class Op>
struct on_piece {
    template <class Isa>
    struct kernel {
        using vector = simd::f32x16<Isa>;
        static TOKENWORKS_INLINE void run(piece p) {
            std::size_t i = 0;
            for(; i + simd::lanes <= p.length; i += simd::lanes) {
                const vector a = vector::load(p.a + i);
                vector b = a;
                if constexpr(Op::operands == 2) {
                    b = vector::load(p.b + i);
                }
                Op::template apply<Isa>(a, b, p.number).store(p.out + i);
            }
            if(const std::size_t rest = p.length - i; rest != 0) {
                const vector a = simd::load_partial<Isa>(p.a + i, rest);
                vector b = a;
                if constexpr(Op::operands == 2) {
                    b = simd::load_partial<Isa>(p.b + i, rest);
                }
                simd::store_partial(Op::template apply<Isa>(a, b, p.number), p.out + i, rest);
            }
        }
    };
};

inline constexpr std::size_t piece_length = 4096;

/// Calls body(row, begin, length) for pieces of all rows, spread over the team.
template <class Body>
void for_each_piece(const execution& how, std::size_t rows, std::size_t length, Body&& body) {
    const std::size_t pieces = (length + piece_length - 1) / piece_length;
    parallel_for(how, rows * pieces, row_grain(std::min(length, piece_length)), [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            const std::size_t begin = i % pieces * piece_length;
            body(i / pieces, begin, std::min(piece_length, length - begin));
        }
    });
}

template <class Op, class A, class Out>
void map(const char* operation, const A& a, const Out& out, float number, const execution& how) {
    require_operand<float, A::rank(), A>();
    require_operand<float, A::rank(), Out>();
    require_writable<Out>();
    require_same_shape(operation, "x", a, "out", out);
    const row_walk from{operation, "x", a};
    const row_walk to{operation, "out", out};
    for_each_piece(how, from.count, from.length, [&](std::size_t row, std::size_t begin, std::size_t length) {
        const float* x = from[row] + begin;
        simd::dispatch<on_piece<Op>::template kernel>(how.set, piece{x, x, to[row] + begin, length, number});
    });
}

template <class Op, class A, class B, class Out>
void zip(const char* operation, const char* a_name, const A& a, const char* b_name, const B& b, const Out& out,
         float number, const execution& how) {
    require_operand<float, A::rank(), A>();
    require_operand<float, A::rank(), B>();
    require_operand<float, A::rank(), Out>();
    require_writable<Out>();
    require_same_shape(operation, a_name, a, b_name, b);
    require_same_shape(operation, a_name, a, "out", out);
    const row_walk left{operation, a_name, a};
    const row_walk right{operation, b_name, b};
    const row_walk to{operation, "out", out};
    for_each_piece(how, left.count, left.length, [&](std::size_t row, std::size_t begin, std::size_t length) {
        simd::dispatch<on_piece<Op>::template kernel>(
            how.set, piece{left[row] + begin, right[row] + begin, to[row] + begin, length, number});
    });
}

struct add_op {
    static constexpr int operands = 2;
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>& b, float) {
        return a + b;
    }
};
struct add_scaled_op {
    static constexpr int operands = 2;
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>& b, float number) {
        return fma(b, number, a);
    }
};
struct multiply_op {
    static constexpr int operands = 2;
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>& b, float) {
        return a * b;
    }
};
struct scale_op {
    static constexpr int operands = 1;
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& a, const simd::f32x16<Isa>&, float number) {
        return a * number;
    }
};
struct soft_cap_op {
    static constexpr int operands = 1;
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
    detail::zip<detail::add_op>("add", "a", detail::as_view(a), "b", detail::as_view(b), detail::as_view(out), 0.0F,
                                how);
}

/// out = a + factor * b, rounded once on machines with a fused operation. Shapes as in add.
template <class A, class B, class Out>
void add_scaled(const A& a, const B& b, float factor, Out&& out, const execution& how = {}) {
    detail::zip<detail::add_scaled_op>("add_scaled", "a", detail::as_view(a), "b", detail::as_view(b),
                                       detail::as_view(out), factor, how);
}

/// out = a * b, value by value. Shapes as in add.
template <class A, class B, class Out>
void multiply(const A& a, const B& b, Out&& out, const execution& how = {}) {
    detail::zip<detail::multiply_op>("multiply", "a", detail::as_view(a), "b", detail::as_view(b), detail::as_view(out),
                                     0.0F, how);
}

/// out = factor * x. Both of one shape [...], last axes contiguous; out may be x.
/// @throws shape_error naming both shapes
template <class X, class Out>
void scale(const X& x, float factor, Out&& out, const execution& how = {}) {
    detail::map<detail::scale_op>("scale", detail::as_view(x), detail::as_view(out), factor, how);
}

/// out = cap * tanh(x / cap): keeps values within (-cap, cap). Shapes as in scale.
/// @throws argument_error where cap is not positive
template <class X, class Out>
void soft_cap(const X& x, float cap, Out&& out, const execution& how = {}) {
    if(!(cap > 0)) {
        detail::raise<argument_error>("soft_cap: the cap is " + std::to_string(cap) + ", which must be above 0");
    }
    detail::map<detail::soft_cap_op>("soft_cap", detail::as_view(x), detail::as_view(out), cap, how);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
