// Where attention reads keys and values from, whatever they are stored as: 16 keys turned so that they fill the lanes
// of a vector, and rows of values as floats. Conversions are exact, so the storage does not change the order of sums.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/simd_shuffle.hpp>
#include <tokenworks/kernels/key_blocks.hpp>
#include <tokenworks/quant/legacy.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// A row of D values a key: the layout of a plain [S,G,D] view.
template <class T>
struct row_source {
    using element = T;
    static constexpr bool is_turned = false;

    const T* data;
    std::size_t key_stride;
    std::size_t group_stride;

    [[nodiscard]] TOKENWORKS_INLINE const T* at(std::size_t group, std::size_t key, std::size_t column) const {
        return data + group * group_stride + key * key_stride + column;
    }

    /// to[d][lane] = value column + d of key + lane. Lanes behind the last key repeat it; nobody reads them.
    template <class Isa>
    TOKENWORKS_INLINE void turn(std::size_t group, std::size_t key, std::size_t key_count, std::size_t column,
                                std::size_t columns, float* to) const {
        const T* first = data + group * group_stride + key * key_stride + column;
        if(key + simd::lanes <= key_count) {
            turn_rows<Isa>(all_rows{first, key_stride}, columns, to);
        } else {
            turn_rows<Isa>(rows_up_to{first, key_stride, key_count - 1 - key}, columns, to);
        }
    }

    /// Columns of keys begin … end - 1 as floats, rows of `stride`, padded with zeros to whole vectors.
    template <class Isa>
    TOKENWORKS_INLINE void widen(std::size_t group, std::size_t begin, std::size_t end, std::size_t column,
                                 std::size_t columns, float* to, std::size_t stride) const {
        const T* from = at(group, begin, column);
        for(std::size_t key = begin; key < end; ++key, from += key_stride, to += stride) {
            std::size_t c = 0;
            for(; c + simd::lanes <= columns; c += simd::lanes) {
                simd::f32x16<Isa>::load(from + c).store(to + c);
            }
            if(c < columns) {
                simd::load_partial<Isa>(from + c, columns - c).store(to + c);
            }
        }
    }

private:
    struct all_rows {
        const T* first;
        std::size_t stride;
        TOKENWORKS_INLINE const T* operator()(std::size_t row) const { return first + row * stride; }
    };
    struct rows_up_to {
        const T* first;
        std::size_t stride;
        std::size_t last;
        TOKENWORKS_INLINE const T* operator()(std::size_t row) const { return first + std::min(row, last) * stride; }
    };

    template <class Isa, class Rows>
    static TOKENWORKS_INLINE void turn_rows(Rows rows, std::size_t columns, float* to) {
        std::size_t d = 0;
        for(; d + simd::lanes <= columns; d += simd::lanes) {
            simd::transpose<Isa>(rows, to + d * simd::lanes);
            rows.first += simd::lanes;
        }
        for(std::size_t row = 0; row < simd::lanes; ++row) {
            for(std::size_t rest = d; rest < columns; ++rest) {
                to[rest * simd::lanes + row] = static_cast<float>(rows(row)[rest - d]);
            }
        }
    }
};

/// The same for rows of 8-bit blocks; D is a multiple of 32.
template <>
struct row_source<quant::q8_0> {
    using element = quant::q8_0;
    static constexpr bool is_turned = false;

    const quant::q8_0* data;
    std::size_t key_stride; ///< blocks
    std::size_t group_stride;

    template <class Isa>
    TOKENWORKS_INLINE void turn(std::size_t group, std::size_t key, std::size_t key_count, std::size_t column,
                                std::size_t columns, float* to) const {
        float wide[simd::lanes * quant::q8_0::size];
        for(std::size_t d = 0; d < columns; d += quant::q8_0::size) {
            const quant::q8_0* first = data + group * group_stride + (column + d) / quant::q8_0::size;
            for(std::size_t row = 0; row < simd::lanes; ++row) {
                widen_block<Isa>(first[std::min(key + row, key_count - 1) * key_stride],
                                 wide + row * quant::q8_0::size);
            }
            for(std::size_t half = 0; half < quant::q8_0::size; half += simd::lanes) {
                const float* const from = wide + half;
                simd::transpose<Isa>(wide_rows{from}, to + (d + half) * simd::lanes);
            }
        }
    }

    template <class Isa>
    TOKENWORKS_INLINE void widen(std::size_t group, std::size_t begin, std::size_t end, std::size_t column,
                                 std::size_t columns, float* to, std::size_t stride) const {
        for(std::size_t key = begin; key < end; ++key, to += stride) {
            const quant::q8_0* from = data + group * group_stride + key * key_stride + column / quant::q8_0::size;
            for(std::size_t c = 0; c < columns; c += quant::q8_0::size) {
                widen_block<Isa>(*from++, to + c);
            }
        }
    }

private:
    struct wide_rows {
        const float* first;
        TOKENWORKS_INLINE const float* operator()(std::size_t row) const { return first + row * quant::q8_0::size; }
    };

    /// Exact: a product of 11 and 7 bits.
    template <class Isa>
    static TOKENWORKS_INLINE void widen_block(const quant::q8_0& block, float* to) {
        const float scale = quant::detail::load_half(block.d);
        (simd::f32x16<Isa>::load(block.codes.data()) * scale).store(to);
        (simd::f32x16<Isa>::load(block.codes.data() + simd::lanes) * scale).store(to + simd::lanes);
    }
};

/// Keys that lie 64 side by side, of a type that is read in place.
template <class T>
struct block_source {
    using element = T;
    static constexpr bool is_turned = true;

    const T* data;
    std::size_t key_width;
    std::size_t group_stride;

    static constexpr std::size_t side_by_side = key_blocks<T>::side_by_side;

    template <class Isa>
    TOKENWORKS_INLINE void turn(std::size_t group, std::size_t key, std::size_t, std::size_t column,
                                std::size_t columns, float* to) const {
        const T* from = data + group * group_stride + key / side_by_side * side_by_side * key_width +
                        column * side_by_side + key % side_by_side;
        for(std::size_t d = 0; d < columns; ++d) {
            simd::f32x16<Isa>::load(from + d * side_by_side).store(to + d * simd::lanes);
        }
    }
};

/// The same for 8 bits.
template <>
struct block_source<q8_keys> {
    using element = q8_keys;
    static constexpr bool is_turned = false;

    const q8_keys* data;
    std::size_t key_width;
    std::size_t group_stride;

    template <class Isa>
    TOKENWORKS_INLINE void turn(std::size_t group, std::size_t key, std::size_t, std::size_t column,
                                std::size_t columns, float* to) const {
        constexpr std::size_t width = quant::q8_0::size;
        const q8_keys* from = data + group * group_stride + (key / simd::lanes * key_width + column) / width;
        for(std::size_t d = 0; d < columns; d += width, ++from) {
            const auto scales = simd::f32x16<Isa>::load(from->scales);
            for(std::size_t i = 0; i < width; ++i) {
                (simd::f32x16<Isa>::load(from->codes[i]) * scales).store(to + (d + i) * simd::lanes);
            }
        }
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
