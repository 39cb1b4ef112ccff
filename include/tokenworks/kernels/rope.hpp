// Rotary position embeddings: each pair of a head's values is turned by its frequency times the token's position.
//
// Two steps. rope_angles turns positions into cosines and sines, once for all layers of a forward pass; rope applies
// them. Angles are formed and reduced in double precision: a float angle at position 100000 is off by 0.004 radians.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/simd_shuffle.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/rope_table.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

namespace detail {

/// Turns `count` pairs of one head: x[i] with x[i + distance] for halves, x[2i] with x[2i + 1] for interleaved ones.
template <class Isa>
struct rope_head {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const float* x, const float* cosines, const float* sines, float* out,
                                      std::size_t count, std::size_t distance, rope_pairing pairing) {
        if(pairing == rope_pairing::halves) {
            turn_halves(x, cosines, sines, out, count, distance);
        } else {
            turn_interleaved(x, cosines, sines, out, count);
        }
    }

private:
    static TOKENWORKS_INLINE void turn(const vector& a, const vector& b, const vector& c, const vector& s,
                                       vector& a_out, vector& b_out) {
        a_out = fma(a, c, vector::zero() - b * s);
        const vector across = a * s;
        b_out = fma(b, c, across);
    }

    static TOKENWORKS_INLINE void turn_halves(const float* x, const float* cosines, const float* sines, float* out,
                                              std::size_t count, std::size_t distance) {
        vector a;
        vector b;
        std::size_t i = 0;
        for(; i + simd::lanes <= count; i += simd::lanes) {
            turn(vector::load(x + i), vector::load(x + distance + i), vector::load(cosines + i),
                 vector::load(sines + i), a, b);
            a.store(out + i);
            b.store(out + distance + i);
        }
        if(const std::size_t rest = count - i; rest != 0) {
            turn(simd::load_partial<Isa>(x + i, rest), simd::load_partial<Isa>(x + distance + i, rest),
                 simd::load_partial<Isa>(cosines + i, rest), simd::load_partial<Isa>(sines + i, rest), a, b);
            simd::store_partial(a, out + i, rest);
            simd::store_partial(b, out + distance + i, rest);
        }
    }

    static TOKENWORKS_INLINE void turn_interleaved(const float* x, const float* cosines, const float* sines, float* out,
                                                   std::size_t count) {
        vector even;
        vector odd;
        vector a;
        vector b;
        std::size_t i = 0;
        for(; i + simd::lanes <= count; i += simd::lanes) {
            simd::load_pairs<Isa>(x + 2 * i, even, odd);
            turn(even, odd, vector::load(cosines + i), vector::load(sines + i), a, b);
            simd::store_pairs<Isa>(a, b, out + 2 * i);
        }
        if(const std::size_t rest = count - i; rest != 0) {
            float padded[2 * simd::lanes] = {};
            std::copy_n(x + 2 * i, 2 * rest, static_cast<float*>(padded));
            simd::load_pairs<Isa>(static_cast<const float*>(padded), even, odd);
            turn(even, odd, simd::load_partial<Isa>(cosines + i, rest), simd::load_partial<Isa>(sines + i, rest), a, b);
            simd::store_pairs<Isa>(a, b, static_cast<float*>(padded));
            std::copy_n(static_cast<const float*>(padded), 2 * rest, out + 2 * i);
        }
    }
};

/// Of the pairs from `first` on.
inline void angles_of(std::int32_t position, const rope_table& table, std::size_t first, std::size_t count,
                      float* cosines, float* sines) noexcept {
    const rope_table::place at = table.place_of(position);
    const double magnitude = at.is_null ? 0 : table.magnitude();
    for(std::size_t i = 0; i < count; ++i) {
        const double angle = at.along[table.axis_of(first + i)] * table.frequencies()[first + i];
        cosines[i] = static_cast<float>(magnitude * std::cos(angle));
        sines[i] = static_cast<float>(magnitude * std::sin(angle));
    }
}

/// Copies the values that are not turned.
inline void pass_on(const float* from, float* to, std::size_t begin, std::size_t end) noexcept {
    if(from != to) {
        std::copy(from + begin, from + end, to + begin);
    }
}

} // namespace detail

/// Cosines and sines of every pair's angle at every position, times the table's magnitude.
///   cosines[t,i] = magnitude * cos(positions[t] * frequency[i]), sines alike
/// @param positions       [T], tokens from the start of the sequence
/// @param cosines, sines  [T,W/2]
/// @throws                shape_error naming the two extents that disagree
/// @note                  double precision inside, each result rounded once to float; allocates nothing
template <class Cosines, class Sines>
void rope_angles(view<const std::int32_t, dyn> positions, const rope_table& table, Cosines&& cosines, Sines&& sines,
                 const execution& how = {}) {
    const auto c = detail::as_view(cosines);
    const auto s = detail::as_view(sines);
    detail::require_operand<float, 2, std::remove_const_t<decltype(c)>>();
    detail::require_operand<float, 2, std::remove_const_t<decltype(s)>>();
    detail::require_writable<std::remove_const_t<decltype(c)>>();
    detail::require_writable<std::remove_const_t<decltype(s)>>();
    detail::require_equal("rope_angles", "positions have T", positions.size(), "cosines have T", c.extent(0));
    detail::require_equal("rope_angles", "the table has W/2", table.width() / 2, "cosines have W/2", c.extent(1));
    detail::require_same_shape("rope_angles", "cosines", c, "sines", s);
    detail::require_dense_rows("rope_angles", "cosines", c);
    detail::require_dense_rows("rope_angles", "sines", s);
    parallel_for(how, positions.size(), detail::row_grain(table.width() / 2, 1024), [&](work_range rows) {
        for(std::size_t t = rows.begin; t < rows.end; ++t) {
            detail::angles_of(positions(t), table, 0, table.width() / 2, c.data() + t * c.stride(0),
                              s.data() + t * s.stride(0));
        }
    });
}

/// Turns every head of every row by the row's angles; values behind the first W are passed on.
///   with pairs (a, b) = (x[t,h,i], x[t,h,i+W/2]) or (x[t,h,2i], x[t,h,2i+1]), after the pairing:
///   out_a = a * cosines[t,i] - b * sines[t,i],   out_b = b * cosines[t,i] + a * sines[t,i]
/// @param x               [T,H,D]; last axis contiguous
/// @param cosines, sines  [T,W/2], W <= D, from rope_angles; last axis contiguous
/// @param out             [T,H,D]; may be x itself
/// @throws                shape_error naming the two extents that disagree
/// @note                  a row's result depends on the row alone; O(T*H*D); allocates nothing
template <class X, class Cosines, class Sines, class Out>
void rope(const X& x, const Cosines& cosines, const Sines& sines, rope_pairing pairing, Out&& out,
          const execution& how = {}) {
    const auto from = detail::as_view(x);
    const auto c = detail::as_view(cosines);
    const auto s = detail::as_view(sines);
    const auto to = detail::as_view(out);
    using from_type = std::remove_const_t<decltype(from)>;
    detail::require_operand<float, 3, from_type>();
    detail::require_operand<float, 2, std::remove_const_t<decltype(c)>>();
    detail::require_operand<float, 2, std::remove_const_t<decltype(s)>>();
    detail::require_operand<float, 3, std::remove_const_t<decltype(to)>>();
    detail::require_writable<std::remove_const_t<decltype(to)>>();
    static_assert(detail::may_agree<from_type, 0, std::remove_const_t<decltype(c)>, 0>,
                  "tokenworks: rope: x and the cosines must have as many rows");
    detail::require_same_shape("rope", "x", from, "out", to);
    detail::require_same_shape("rope", "cosines", c, "sines", s);
    detail::require_equal("rope", "x has T", from.extent(0), "cosines have T", c.extent(0));
    detail::require_dense_rows("rope", "x", from);
    detail::require_dense_rows("rope", "cosines", c);
    detail::require_dense_rows("rope", "sines", s);
    detail::require_dense_rows("rope", "out", to);
    const std::size_t pairs = c.extent(1);
    const std::size_t width = from.extent(2);
    if(pairs > width / 2) {
        detail::raise_extents("rope", "x has D", width, "cosines have W", 2 * pairs);
    }
    const std::size_t heads = from.extent(1);
    parallel_for(how, from.extent(0) * heads, detail::row_grain(width), [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            const std::size_t t = i / heads;
            const std::size_t h = i % heads;
            const float* source = from.data() + t * from.stride(0) + h * from.stride(1);
            float* target = to.data() + t * to.stride(0) + h * to.stride(1);
            simd::dispatch<detail::rope_head>(how.set, source, static_cast<const float*>(c.data() + t * c.stride(0)),
                                              static_cast<const float*>(s.data() + t * s.stride(0)), target, pairs,
                                              pairs, pairing);
            detail::pass_on(source, target, 2 * pairs, width);
        }
    });
}

/// The same straight from positions, for one use: angles are computed a row at a time and not kept.
/// @param positions  [T], tokens from the start of the sequence
/// @throws           shape_error naming the two extents that disagree
template <class X, class Out>
void rope(const X& x, view<const std::int32_t, dyn> positions, const rope_table& table, Out&& out,
          const execution& how = {}) {
    const auto from = detail::as_view(x);
    const auto to = detail::as_view(out);
    detail::require_operand<float, 3, std::remove_const_t<decltype(from)>>();
    detail::require_operand<float, 3, std::remove_const_t<decltype(to)>>();
    detail::require_writable<std::remove_const_t<decltype(to)>>();
    detail::require_same_shape("rope", "x", from, "out", to);
    detail::require_equal("rope", "x has T", from.extent(0), "positions have T", positions.size());
    detail::require_dense_rows("rope", "x", from);
    detail::require_dense_rows("rope", "out", to);
    const std::size_t pairs = table.width() / 2;
    const std::size_t width = from.extent(2);
    if(pairs > width / 2) {
        detail::raise_extents("rope", "x has D", width, "the table has W", 2 * pairs);
    }
    const bool halves = table.pairing() == rope_pairing::halves;
    constexpr std::size_t chunk = 64; // pairs
    parallel_for(how, from.extent(0), 1, [&](work_range range) {
        float cosines[chunk];
        float sines[chunk];
        for(std::size_t t = range.begin; t < range.end; ++t) {
            const float* source = from.data() + t * from.stride(0);
            float* target = to.data() + t * to.stride(0);
            for(std::size_t first = 0; first < pairs; first += chunk) {
                const std::size_t count = std::min(chunk, pairs - first);
                detail::angles_of(positions(t), table, first, count, static_cast<float*>(cosines),
                                  static_cast<float*>(sines));
                const std::size_t begin = halves ? first : 2 * first;
                for(std::size_t h = 0; h < from.extent(1); ++h) {
                    simd::dispatch<detail::rope_head>(how.set, source + h * from.stride(1) + begin,
                                                      static_cast<const float*>(cosines),
                                                      static_cast<const float*>(sines),
                                                      target + h * to.stride(1) + begin, count, pairs, table.pairing());
                }
            }
            for(std::size_t h = 0; h < from.extent(1); ++h) {
                detail::pass_on(source + h * from.stride(1), target + h * to.stride(1), 2 * pairs, width);
            }
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
