// The inner loops of attention: a few query rows against a block of keys and values.
//
// Each is a function of its own for every instruction set, number of rows and element type, called through a table
// (attention_loops.hpp), so that the code around them exists once. Whatever the number of rows, an output is one chain
// of fused operations in the same order.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/attention_source.hpp>
#include <tokenworks/kernels/key_blocks.hpp>

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
    const float* bias; ///< of a key at the row's own position, among its neighbours; null where there is none
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
    const void* keys;          ///< of Element, 16 keys of a column side by side; or q8_keys, q4_keys
    std::size_t vector_stride; ///< elements from 16 keys to the next 16
    std::size_t column_stride; ///< elements from one column to the next
    std::size_t vectors;       ///< that hold keys; more may be read, and their scores written
    std::size_t column;        ///< which stretch of D this is
    std::size_t columns;
    float* scores; ///< [rows][key_block]
};

/// Reads one column after the other of 16 keys, or several times 16, as floats.
template <class Isa, class Element, std::size_t Vectors, bool AsksAhead>
class key_reader {
public:
    TOKENWORKS_INLINE key_reader(const key_stretch& stretch, std::size_t index)
        : from_{static_cast<const Element*>(stretch.keys) + index * stretch.vector_stride},
          vector_stride_{stretch.vector_stride},
          column_stride_{stretch.column_stride} {}

    TOKENWORKS_INLINE void next(simd::f32x16<Isa> (&k)[Vectors]) {
        TOKENWORKS_UNROLL(8)
        for(std::size_t j = 0; j < Vectors; ++j) {
            k[j] = simd::f32x16<Isa>::load(from_ + j * vector_stride_);
            if(AsksAhead && begins_line<Element>(j)) {
                __builtin_prefetch(from_ + j * vector_stride_ + columns_ahead * column_stride_);
            }
        }
        from_ += column_stride_;
    }

private:
    const Element* from_;
    std::size_t vector_stride_;
    std::size_t column_stride_;
};

/// The same of keys in blocks of 32 values.
template <class Isa, class Element, std::size_t Vectors, bool AsksAhead>
    requires(std::same_as<Element, q8_keys> || std::same_as<Element, q4_keys>)
class key_reader<Isa, Element, Vectors, AsksAhead> {
public:
    TOKENWORKS_INLINE key_reader(const key_stretch& stretch, std::size_t index)
        : block_{static_cast<const Element*>(stretch.keys)}, index_{index} {
        load_scales();
    }

    TOKENWORKS_INLINE void next(simd::f32x16<Isa> (&k)[Vectors]) {
        if(column_ == 32) {
            column_ = 0;
            ++block_;
            load_scales();
        }
        if(AsksAhead) {
            __builtin_prefetch(reinterpret_cast<const std::byte*>(block_->codes[column_]) + bytes_ahead);
        }
        TOKENWORKS_UNROLL(8)
        for(std::size_t j = 0; j < Vectors; ++j) {
            k[j] = codes_of<Isa>(*block_, column_, index_ + j) * scales_[j];
        }
        ++column_;
    }

private:
    static constexpr std::size_t bytes_ahead = 4096;

    TOKENWORKS_INLINE void load_scales() {
        TOKENWORKS_UNROLL(8)
        for(std::size_t j = 0; j < Vectors; ++j) {
            scales_[j] = simd::f32x16<Isa>::load(block_->scales + (index_ + j) * simd::lanes);
        }
    }

    const Element* block_;
    std::size_t index_; ///< of the first vector of 16 keys
    std::size_t column_ = 0;
    simd::f32x16<Isa> scales_[Vectors];
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
        key_reader<Isa, Element, Vectors, asks_ahead<Rows>> keys{stretch, index};
        for(std::size_t d = 0; d < stretch.columns; ++d) {
            vector k[Vectors];
            keys.next(k);
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
    const void* values;   ///< of Element: the row of the block's first key, from `column` on
    std::size_t stride;   ///< elements from one key to the next
    std::size_t column;   ///< which stretch of D this is
    std::size_t columns;
};

/// Reads one key after the other: 16 of its columns, or several times 16, as floats.
template <class Isa, class Element, std::size_t Vectors, bool AsksAhead>
class value_reader {
public:
    /// @param first   key of the block   @param column  of the stretch
    TOKENWORKS_INLINE value_reader(const value_stretch& stretch, std::size_t first, std::size_t column)
        : from_{static_cast<const Element*>(stretch.values) + first * stretch.stride + column},
          stride_{stretch.stride} {}

    TOKENWORKS_INLINE void next(simd::f32x16<Isa> (&v)[Vectors]) {
        TOKENWORKS_UNROLL(8)
        for(std::size_t j = 0; j < Vectors; ++j) {
            v[j] = simd::f32x16<Isa>::load(from_ + j * simd::lanes);
            if(AsksAhead && begins_line<Element>(j)) {
                __builtin_prefetch(from_ + keys_ahead * stride_ + j * simd::lanes);
            }
        }
        from_ += stride_;
    }

private:
    const Element* from_;
    std::size_t stride_;
};

/// The same of values in blocks of 32.
template <class Isa, class Element, std::size_t Vectors, bool AsksAhead>
    requires(key_storage<Element>::values_each == 32)
class value_reader<Isa, Element, Vectors, AsksAhead> {
public:
    TOKENWORKS_INLINE value_reader(const value_stretch& stretch, std::size_t first, std::size_t column)
        : from_{static_cast<const Element*>(stretch.values) + first * stretch.stride + column / 32},
          stride_{stretch.stride},
          high_{column % 32 != 0} {}

    TOKENWORKS_INLINE void next(simd::f32x16<Isa> (&v)[Vectors]) {
        if(AsksAhead) {
            __builtin_prefetch(from_ + keys_ahead * stride_);
        }
        if constexpr(Vectors == 1) {
            const float scale = scale_of(*from_);
            v[0] = high_ ? widen_half<Isa, 1>(*from_, scale) : widen_half<Isa, 0>(*from_, scale);
        } else {
            static_assert(Vectors % 2 == 0);
            TOKENWORKS_UNROLL(8)
            for(std::size_t j = 0; j < Vectors; j += 2) {
                const float scale = scale_of(from_[j / 2]);
                v[j] = widen_half<Isa, 0>(from_[j / 2], scale);
                v[j + 1] = widen_half<Isa, 1>(from_[j / 2], scale);
            }
        }
        from_ += stride_;
    }

private:
    const Element* from_;
    std::size_t stride_;
    bool high_;
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
        value_reader<Isa, Element, Vectors, asks_ahead<Rows>> values{stretch, from - stretch.begin, c};
        const std::size_t keys = to - from;
        for(std::size_t key = 0; key < keys; ++key) {
            vector v[Vectors];
            values.next(v);
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
