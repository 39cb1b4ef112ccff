// The inner loops of attention: a few query rows against a block of keys and values.
//
// Each is a function of its own for every instruction set, number of rows and element type, called through a table
// (attention_loops.hpp), so that the code around them exists once. Whatever the number of rows, an output is one chain
// of fused operations in the same order.
#pragma once

#include <algorithm>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

inline constexpr std::size_t key_block = 64;     ///< keys a step of the online softmax
inline constexpr std::size_t block_columns = 64; ///< values of D at a time

/// One query of one head.
struct attention_row {
    const float* q;
    float* out;
    std::size_t first; ///< keys first … last - 1 are seen
    std::size_t last;
    std::size_t position;
    float most; ///< largest score so far
    float sink;
    float slope;
};

template <class Isa>
inline constexpr std::size_t vectors_at_once = 1;
template <>
inline constexpr std::size_t vectors_at_once<simd::avx512> = 4;

/// Few rows, as in decoding, wait for the memory that keys and values come from.
template <std::size_t Rows>
inline constexpr bool asks_ahead = Rows <= 4;
inline constexpr std::size_t columns_ahead = 64; ///< of keys: 8 KiB of f16
inline constexpr std::size_t keys_ahead = 64;    ///< of values

/// Whether vector j of several that lie side by side is the first in its line of cache.
template <class Element>
[[nodiscard]] constexpr bool begins_line(std::size_t j) noexcept {
    return j * simd::lanes * sizeof(Element) % 64 == 0;
}

/// A block of keys for score_rows.
struct key_stretch {
    const void* keys;          ///< of Element: 16 keys of a column side by side
    std::size_t vector_stride; ///< elements from 16 keys to the next 16
    std::size_t column_stride; ///< elements from one column to the next
    std::size_t vectors;       ///< that hold keys; more may be read, and their scores written
    std::size_t column;        ///< which stretch of D this is
    std::size_t columns;
    float* scores; ///< [rows][key_block]
};

/// scores[row][key] += sum_d q[row][d] * keys[d][key], d over one stretch of D.
template <class Isa, class Element, std::size_t Rows>
struct score_rows {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const attention_row* rows, std::size_t first, const key_stretch* stretch) {
        constexpr std::size_t step = vectors_at_once<Isa>;
        for(std::size_t j = 0; j < stretch->vectors; j += step) {
            multiply<step>(rows + first, *stretch, first, j);
        }
    }

private:
    template <std::size_t Vectors>
    static TOKENWORKS_INLINE void multiply(const attention_row* rows, const key_stretch& stretch, std::size_t first,
                                           std::size_t index) {
        const float* q[Rows];
        vector sum[Rows][Vectors];
        float* to = stretch.scores + first * key_block + index * simd::lanes;
        TOKENWORKS_UNROLL(8)
        for(std::size_t i = 0; i < Rows; ++i) {
            q[i] = rows[i].q + stretch.column;
            TOKENWORKS_UNROLL(8)
            for(std::size_t j = 0; j < Vectors; ++j) {
                sum[i][j] = stretch.column == 0 ? vector::zero() : vector::load(to + i * key_block + j * simd::lanes);
            }
        }
        const Element* from = static_cast<const Element*>(stretch.keys) + index * stretch.vector_stride;
        const std::size_t stride = stretch.vector_stride;
        for(std::size_t d = 0; d < stretch.columns; ++d) {
            vector k[Vectors];
            TOKENWORKS_UNROLL(8)
            for(std::size_t j = 0; j < Vectors; ++j) {
                k[j] = vector::load(from + j * stride);
                if(asks_ahead<Rows> && begins_line<Element>(j)) {
                    __builtin_prefetch(from + j * stride + columns_ahead * stretch.column_stride);
                }
            }
            from += stretch.column_stride;
            TOKENWORKS_UNROLL(8)
            for(std::size_t i = 0; i < Rows; ++i) {
                const float factor = q[i][d];
                TOKENWORKS_UNROLL(8)
                for(std::size_t j = 0; j < Vectors; ++j) {
                    sum[i][j] = fma(k[j], factor, sum[i][j]);
                }
            }
        }
        TOKENWORKS_UNROLL(8)
        for(std::size_t i = 0; i < Rows; ++i) {
            TOKENWORKS_UNROLL(8)
            for(std::size_t j = 0; j < Vectors; ++j) {
                sum[i][j].store(to + i * key_block + j * simd::lanes);
            }
        }
    }
};

/// A block of values for value_rows.
struct value_stretch {
    std::size_t begin; ///< keys begin … end - 1
    std::size_t end;
    const float* weights; ///< [rows][key_block]
    const void* values;   ///< of Element: the block's first key, at `column`
    std::size_t stride;   ///< elements from one key to the next
    std::size_t column;   ///< which stretch of D this is
    std::size_t columns;
};

/// out[row][column] += sum_key weights[row][key] * values[key][column], keys from … to - 1, which all rows see.
template <class Isa, class Element, std::size_t Rows>
struct value_rows {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const attention_row* rows, std::size_t first, const value_stretch* stretch,
                                      std::size_t from, std::size_t to) {
        constexpr std::size_t step = vectors_at_once<Isa> * simd::lanes;
        std::size_t c = 0;
        for(; c + step <= stretch->columns; c += step) {
            multiply<vectors_at_once<Isa>>(rows + first, *stretch, first, from, to, c, simd::lanes);
        }
        for(; c < stretch->columns; c += simd::lanes) {
            multiply<1>(rows + first, *stretch, first, from, to, c, std::min(simd::lanes, stretch->columns - c));
        }
    }

private:
    /// width < 16 in the last, incomplete vector of a row
    template <std::size_t Vectors>
    static TOKENWORKS_INLINE void multiply(const attention_row* rows, const value_stretch& stretch, std::size_t first,
                                           std::size_t from, std::size_t to, std::size_t c, std::size_t width) {
        vector sum[Rows][Vectors];
        TOKENWORKS_UNROLL(8)
        for(std::size_t i = 0; i < Rows; ++i) {
            const float* out = rows[i].out + stretch.column + c;
            if(Vectors == 1 && width < simd::lanes) {
                sum[i][0] = simd::load_partial<Isa>(out, width);
            } else {
                TOKENWORKS_UNROLL(8)
                for(std::size_t j = 0; j < Vectors; ++j) {
                    sum[i][j] = vector::load(out + j * simd::lanes);
                }
            }
        }
        const float* weight = stretch.weights + first * key_block + (from - stretch.begin);
        const Element* value =
            static_cast<const Element*>(stretch.values) + (from - stretch.begin) * stretch.stride + c;
        const std::size_t keys = to - from;
        for(std::size_t key = 0; key < keys; ++key) {
            vector v[Vectors];
            TOKENWORKS_UNROLL(8)
            for(std::size_t j = 0; j < Vectors; ++j) {
                v[j] = vector::load(value + j * simd::lanes);
                if(asks_ahead<Rows> && begins_line<Element>(j)) {
                    __builtin_prefetch(value + keys_ahead * stretch.stride + j * simd::lanes);
                }
            }
            value += stretch.stride;
            TOKENWORKS_UNROLL(8)
            for(std::size_t i = 0; i < Rows; ++i) {
                const float factor = weight[i * key_block + key];
                TOKENWORKS_UNROLL(8)
                for(std::size_t j = 0; j < Vectors; ++j) {
                    sum[i][j] = fma(v[j], factor, sum[i][j]);
                }
            }
        }
        TOKENWORKS_UNROLL(8)
        for(std::size_t i = 0; i < Rows; ++i) {
            float* out = rows[i].out + stretch.column + c;
            if(Vectors == 1 && width < simd::lanes) {
                simd::store_partial(sum[i][0], out, width);
            } else {
                TOKENWORKS_UNROLL(8)
                for(std::size_t j = 0; j < Vectors; ++j) {
                    sum[i][j].store(out + j * simd::lanes);
                }
            }
        }
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
