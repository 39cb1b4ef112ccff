// Moving lanes of f32x16 about: pairs to even and odd lanes and back, and the transpose of sixteen rows.
#pragma once

#include <cstddef>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::simd {

namespace detail {

/// Patterns for two vectors of W lanes, the second one's lanes numbered W to 2W - 1.
template <std::size_t W>
struct pattern {
    static constexpr std::size_t even(std::size_t i) { return 2 * i; }
    static constexpr std::size_t odd(std::size_t i) { return 2 * i + 1; }
    static constexpr std::size_t low(std::size_t i) { return i / 2 + i % 2 * W; }
    static constexpr std::size_t high(std::size_t i) { return W / 2 + i / 2 + i % 2 * W; }
    /// What exchanges blocks of Step lanes between two rows, as one stage of a transpose.
    template <std::size_t Step>
    static constexpr std::size_t upper(std::size_t i) {
        return (i & Step) != 0 ? i - Step + W : i;
    }
    template <std::size_t Step>
    static constexpr std::size_t lower(std::size_t i) {
        return (i & Step) != 0 ? i + W : i + Step;
    }
};

template <std::size_t W, class Vector, std::size_t... I>
TOKENWORKS_INLINE void split(const Vector& a, const Vector& b, Vector& even, Vector& odd, std::index_sequence<I...>) {
    even = __builtin_shufflevector(a, b, static_cast<int>(pattern<W>::even(I))...);
    odd = __builtin_shufflevector(a, b, static_cast<int>(pattern<W>::odd(I))...);
}

template <std::size_t W, class Vector, std::size_t... I>
TOKENWORKS_INLINE void join(const Vector& even, const Vector& odd, Vector& a, Vector& b, std::index_sequence<I...>) {
    a = __builtin_shufflevector(even, odd, static_cast<int>(pattern<W>::low(I))...);
    b = __builtin_shufflevector(even, odd, static_cast<int>(pattern<W>::high(I))...);
}

template <std::size_t W, std::size_t Step, class Vector, std::size_t... I>
TOKENWORKS_INLINE void exchange(Vector& a, Vector& b, std::index_sequence<I...>) {
    const Vector upper = __builtin_shufflevector(a, b, static_cast<int>(pattern<W>::template upper<Step>(I))...);
    b = __builtin_shufflevector(a, b, static_cast<int>(pattern<W>::template lower<Step>(I))...);
    a = upper;
}

template <std::size_t W, std::size_t Step, class Vector>
TOKENWORKS_INLINE void transpose_stages(Vector (&rows)[W]) {
    for(std::size_t i = 0; i < W; ++i) {
        if((i & Step) == 0) {
            exchange<W, Step>(rows[i], rows[i + Step], std::make_index_sequence<W>{});
        }
    }
    if constexpr(2 * Step < W) {
        transpose_stages<W, 2 * Step>(rows);
    }
}

} // namespace detail

/// Whether lanes are held in the compiler's vector types, which the patterns above work on.
template <class Isa>
concept shuffles = requires { typename f32x16<Isa>::native; };

/// 32 values as their even and their odd ones.
template <class Isa>
TOKENWORKS_INLINE void load_pairs(const float* from, f32x16<Isa>& even, f32x16<Isa>& odd) {
    if constexpr(shuffles<Isa>) {
        constexpr auto width = static_cast<std::size_t>(f32x16<Isa>::width);
        constexpr std::size_t parts = lanes / width;
        const f32x16<Isa> whole[2] = {f32x16<Isa>::load(from), f32x16<Isa>::load(from + lanes)};
        for(std::size_t i = 0; i < parts; ++i) {
            const auto& a = whole[2 * i / parts].v[2 * i % parts];
            const auto& b = whole[(2 * i + 1) / parts].v[(2 * i + 1) % parts];
            detail::split<width>(a, b, even.v[i], odd.v[i], std::make_index_sequence<width>{});
        }
    } else {
        float a[lanes];
        float b[lanes];
        for(std::size_t i = 0; i < lanes; ++i) {
            a[i] = from[2 * i];
            b[i] = from[2 * i + 1];
        }
        even = f32x16<Isa>::load(static_cast<const float*>(a));
        odd = f32x16<Isa>::load(static_cast<const float*>(b));
    }
}

/// The reverse of load_pairs.
template <class Isa>
TOKENWORKS_INLINE void store_pairs(const f32x16<Isa>& even, const f32x16<Isa>& odd, float* to) {
    if constexpr(shuffles<Isa>) {
        constexpr auto width = static_cast<std::size_t>(f32x16<Isa>::width);
        constexpr std::size_t parts = lanes / width;
        f32x16<Isa> whole[2];
        for(std::size_t i = 0; i < parts; ++i) {
            auto& a = whole[2 * i / parts].v[2 * i % parts];
            auto& b = whole[(2 * i + 1) / parts].v[(2 * i + 1) % parts];
            detail::join<width>(even.v[i], odd.v[i], a, b, std::make_index_sequence<width>{});
        }
        whole[0].store(to);
        whole[1].store(to + lanes);
    } else {
        float a[lanes];
        float b[lanes];
        even.store(static_cast<float*>(a));
        odd.store(static_cast<float*>(b));
        for(std::size_t i = 0; i < lanes; ++i) {
            to[2 * i] = a[i];
            to[2 * i + 1] = b[i];
        }
    }
}

/// Sixteen rows of sixteen values, turned: to[column * to_stride + row] = rows[row][column].
/// @param rows  sixteen pointers to values of any type that f32x16 loads
template <class Isa, class T>
TOKENWORKS_INLINE void transpose(const T* const (&rows)[lanes], float* to, std::size_t to_stride) {
    if constexpr(shuffles<Isa>) {
        constexpr auto width = static_cast<std::size_t>(f32x16<Isa>::width);
        constexpr std::size_t parts = lanes / width;
        for(std::size_t block = 0; block < parts; ++block) { // of rows
            f32x16<Isa> wide[width];
            for(std::size_t i = 0; i < width; ++i) {
                wide[i] = f32x16<Isa>::load(rows[block * width + i]);
            }
            for(std::size_t part = 0; part < parts; ++part) { // of columns
                typename f32x16<Isa>::vector square[width];
                for(std::size_t i = 0; i < width; ++i) {
                    square[i] = wide[i].v[part];
                }
                detail::transpose_stages<width, 1>(square);
                for(std::size_t i = 0; i < width; ++i) {
                    *reinterpret_cast<typename f32x16<Isa>::native::f32_unaligned*>(
                        to + (part * width + i) * to_stride + block * width) = square[i];
                }
            }
        }
    } else {
        for(std::size_t row = 0; row < lanes; ++row) {
            for(std::size_t column = 0; column < lanes; ++column) {
                to[column * to_stride + row] = static_cast<float>(rows[row][column]);
            }
        }
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::simd
