// Moving lanes of f32x16 about: pairs to even and odd lanes and back, and the transpose of sixteen rows.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::simd {

namespace detail {

// Shuffles within quarters of four lanes, as x86 has them, and of whole quarters. `To` receives, per quarter:
//   low    a0 b0 a1 b1        low_pairs    a0 a1 b0 b1
//   high   a2 b2 a3 b3        high_pairs   a2 a3 b2 b3
#if TOKENWORKS_ANY_X86_ASSEMBLY

template <class Vector>
TOKENWORKS_INLINE void interleave(const Vector& a, const Vector& b, Vector& low, Vector& high) {
    __asm__("vunpcklps %2, %1, %0" : "=v"(low) : "v"(a), "v"(b));
    __asm__("vunpckhps %2, %1, %0" : "=v"(high) : "v"(a), "v"(b));
}
template <class Vector>
TOKENWORKS_INLINE void interleave_pairs(const Vector& a, const Vector& b, Vector& low, Vector& high) {
    __asm__("vunpcklpd %2, %1, %0" : "=v"(low) : "v"(a), "v"(b));
    __asm__("vunpckhpd %2, %1, %0" : "=v"(high) : "v"(a), "v"(b));
}
/// Per quarter: a0 a2 b0 b2 and a1 a3 b1 b3.
template <class Vector>
TOKENWORKS_INLINE void even_and_odd(const Vector& a, const Vector& b, Vector& even, Vector& odd) {
    __asm__("vshufps $0x88, %2, %1, %0" : "=v"(even) : "v"(a), "v"(b));
    __asm__("vshufps $0xdd, %2, %1, %0" : "=v"(odd) : "v"(a), "v"(b));
}
/// Quarters 0 and 2, and 1 and 3, of a and then of b; with two quarters, the first ones and the second ones.
template <int Width>
TOKENWORKS_INLINE void split_quarters(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                                      typename native<Width>::f32& even, typename native<Width>::f32& odd) {
    if constexpr(Width == 16) {
        __asm__("vshuff32x4 $0x88, %2, %1, %0" : "=v"(even) : "v"(a), "v"(b));
        __asm__("vshuff32x4 $0xdd, %2, %1, %0" : "=v"(odd) : "v"(a), "v"(b));
    } else {
        __asm__("vperm2f128 $0x20, %2, %1, %0" : "=x"(even) : "x"(a), "x"(b));
        __asm__("vperm2f128 $0x31, %2, %1, %0" : "=x"(odd) : "x"(a), "x"(b));
    }
}

#else

template <class Vector, std::size_t... I>
TOKENWORKS_INLINE void shuffle_lanes(const Vector& a, const Vector& b, Vector& to, std::index_sequence<I...>) {
    to = __builtin_shufflevector(a, b, static_cast<int>(I)...);
}

/// Lane i of a pattern that is the same in every quarter: p0 … p3 are 0 to 3 for lanes of a, 4 to 7 for lanes of b.
[[nodiscard]] constexpr std::size_t lane_of(std::size_t width, std::size_t i, std::size_t p0, std::size_t p1,
                                            std::size_t p2, std::size_t p3) {
    const std::size_t from = i % 4 == 0 ? p0 : i % 4 == 1 ? p1 : i % 4 == 2 ? p2 : p3;
    return i / 4 * 4 + from % 4 + from / 4 * width;
}

template <std::size_t P0, std::size_t P1, std::size_t P2, std::size_t P3, class Vector, std::size_t... I>
TOKENWORKS_INLINE void shuffle_quarters(const Vector& a, const Vector& b, Vector& to, std::index_sequence<I...>) {
    to = __builtin_shufflevector(
        a, b, std::integral_constant<int, static_cast<int>(lane_of(sizeof...(I), I, P0, P1, P2, P3))>::value...);
}

template <class Vector>
inline constexpr std::size_t lane_count = sizeof(Vector) / sizeof(float);

template <class Vector>
TOKENWORKS_INLINE void interleave(const Vector& a, const Vector& b, Vector& low, Vector& high) {
    shuffle_quarters<0, 4, 1, 5>(a, b, low, std::make_index_sequence<lane_count<Vector>>{});
    shuffle_quarters<2, 6, 3, 7>(a, b, high, std::make_index_sequence<lane_count<Vector>>{});
}
template <class Vector>
TOKENWORKS_INLINE void interleave_pairs(const Vector& a, const Vector& b, Vector& low, Vector& high) {
    shuffle_quarters<0, 1, 4, 5>(a, b, low, std::make_index_sequence<lane_count<Vector>>{});
    shuffle_quarters<2, 3, 6, 7>(a, b, high, std::make_index_sequence<lane_count<Vector>>{});
}
/// Per quarter: a0 a2 b0 b2 and a1 a3 b1 b3.
template <class Vector>
TOKENWORKS_INLINE void even_and_odd(const Vector& a, const Vector& b, Vector& even, Vector& odd) {
    shuffle_quarters<0, 2, 4, 6>(a, b, even, std::make_index_sequence<lane_count<Vector>>{});
    shuffle_quarters<1, 3, 5, 7>(a, b, odd, std::make_index_sequence<lane_count<Vector>>{});
}
/// Quarters 0 and 2, and 1 and 3, of a and then of b; with two quarters, the first ones and the second ones.
template <int Width>
TOKENWORKS_INLINE void split_quarters(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                                      typename native<Width>::f32& even, typename native<Width>::f32& odd) {
    if constexpr(Width == 16) {
        shuffle_lanes(a, b, even, std::index_sequence<0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27>{});
        shuffle_lanes(a, b, odd, std::index_sequence<4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31>{});
    } else {
        shuffle_lanes(a, b, even, std::index_sequence<0, 1, 2, 3, 8, 9, 10, 11>{});
        shuffle_lanes(a, b, odd, std::index_sequence<4, 5, 6, 7, 12, 13, 14, 15>{});
    }
}

#endif

/// Width rows of Width lanes, in place.
template <int Width>
TOKENWORKS_INLINE void transpose_square(typename native<Width>::f32* rows) {
    using vector = typename native<Width>::f32;
    constexpr auto width = static_cast<std::size_t>(Width);
    TOKENWORKS_UNROLL(16)
    for(std::size_t i = 0; i < width; i += 4) { // each quarter turned in itself
        vector low[2];
        vector high[2];
        interleave(rows[i], rows[i + 1], low[0], high[0]);
        interleave(rows[i + 2], rows[i + 3], low[1], high[1]);
        interleave_pairs(low[0], low[1], rows[i], rows[i + 1]);
        interleave_pairs(high[0], high[1], rows[i + 2], rows[i + 3]);
    }
    if constexpr(Width == 8) {
        TOKENWORKS_UNROLL(16)
        for(std::size_t i = 0; i < 4; ++i) {
            vector even;
            split_quarters<Width>(rows[i], rows[i + 4], even, rows[i + 4]);
            rows[i] = even;
        }
    } else if constexpr(Width == 16) {
        TOKENWORKS_UNROLL(16)
        for(std::size_t i = 0; i < 4; ++i) {
            vector even[2];
            vector odd[2];
            split_quarters<Width>(rows[i], rows[i + 4], even[0], odd[0]);
            split_quarters<Width>(rows[i + 8], rows[i + 12], even[1], odd[1]);
            split_quarters<Width>(even[0], even[1], rows[i], rows[i + 8]);
            split_quarters<Width>(odd[0], odd[1], rows[i + 4], rows[i + 12]);
        }
    }
}

/// 2 * Width consecutive lanes as their even and their odd ones.
template <int Width>
TOKENWORKS_INLINE void split(const typename native<Width>::f32& a, const typename native<Width>::f32& b,
                             typename native<Width>::f32& even, typename native<Width>::f32& odd) {
    using vector = typename native<Width>::f32;
    if constexpr(Width == 4) {
        even_and_odd(a, b, even, odd);
    } else {
        vector x;
        vector y;
        split_quarters<Width>(a, b, x, y); // quarters 0 2 4 6 and 1 3 5 7, or 0 2 and 1 3
        even_and_odd(x, y, even, odd);
    }
}

/// The reverse.
template <int Width>
TOKENWORKS_INLINE void join(const typename native<Width>::f32& even, const typename native<Width>::f32& odd,
                            typename native<Width>::f32& a, typename native<Width>::f32& b) {
    using vector = typename native<Width>::f32;
    vector low;
    vector high;
    interleave(even, odd, low, high); // quarters of a and b in turn: low has 0 2 4 6, high 1 3 5 7
    if constexpr(Width == 4) {
        a = low;
        b = high;
    } else if constexpr(Width == 8) {
        split_quarters<Width>(low, high, a, b);
    } else {
        vector x;
        vector y;
        split_quarters<Width>(low, high, x, y); // 0 4 1 5 and 2 6 3 7
        split_quarters<Width>(x, y, a, b);      // 0 1 2 3 and 4 5 6 7
    }
}

} // namespace detail

/// Whether lanes are held in the compiler's vector types, which the patterns above work on.
template <class Isa>
concept shuffles = requires {
    typename f32x16<Isa>::native;
};

/// 32 values as their even and their odd ones.
template <class Isa>
TOKENWORKS_INLINE void load_pairs(const float* from, f32x16<Isa>& even, f32x16<Isa>& odd) {
    if constexpr(shuffles<Isa>) {
        constexpr auto width = static_cast<std::size_t>(f32x16<Isa>::width);
        constexpr std::size_t parts = lanes / width;
        const f32x16<Isa> whole[2] = {f32x16<Isa>::load(from), f32x16<Isa>::load(from + lanes)};
        TOKENWORKS_UNROLL(4)
        for(std::size_t i = 0; i < parts; ++i) {
            const auto& a = whole[2 * i / parts].v[2 * i % parts];
            const auto& b = whole[(2 * i + 1) / parts].v[(2 * i + 1) % parts];
            detail::split<f32x16<Isa>::width>(a, b, even.v[i], odd.v[i]);
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
        TOKENWORKS_UNROLL(4)
        for(std::size_t i = 0; i < parts; ++i) {
            auto& a = whole[2 * i / parts].v[2 * i % parts];
            auto& b = whole[(2 * i + 1) / parts].v[(2 * i + 1) % parts];
            detail::join<f32x16<Isa>::width>(even.v[i], odd.v[i], a, b);
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

/// Sixteen rows of sixteen values, turned: to[column * 16 + row] = row_at(row)[column].
/// @param row_at  gives a pointer to values of any type that f32x16 loads
template <class Isa, class RowAt>
TOKENWORKS_INLINE void transpose(const RowAt& row_at, float* to) {
    if constexpr(shuffles<Isa>) {
        constexpr auto width = static_cast<std::size_t>(f32x16<Isa>::width);
        constexpr std::size_t parts = lanes / width;
        for(std::size_t block = 0; block < parts; ++block) { // of rows
            f32x16<Isa> wide[width];
            TOKENWORKS_UNROLL(16)
            for(std::size_t i = 0; i < width; ++i) {
                wide[i] = f32x16<Isa>::load(row_at(block * width + i));
            }
            TOKENWORKS_UNROLL(4)
            for(std::size_t part = 0; part < parts; ++part) { // of columns
                typename f32x16<Isa>::vector square[width];
                TOKENWORKS_UNROLL(16)
                for(std::size_t i = 0; i < width; ++i) {
                    square[i] = wide[i].v[part];
                }
                detail::transpose_square<f32x16<Isa>::width>(square);
                TOKENWORKS_UNROLL(16)
                for(std::size_t i = 0; i < width; ++i) {
                    *reinterpret_cast<typename f32x16<Isa>::native::f32_unaligned*>(to + (part * width + i) * lanes +
                                                                                    block * width) = square[i];
                }
            }
        }
    } else {
        for(std::size_t row = 0; row < lanes; ++row) {
            const auto* from = row_at(row);
            for(std::size_t column = 0; column < lanes; ++column) {
                to[column * lanes + row] = static_cast<float>(from[column]);
            }
        }
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::simd
