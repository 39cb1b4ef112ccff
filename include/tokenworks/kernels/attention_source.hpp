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

/// Half a block of 32 values, 16 values, as floats. Exact: a product of 11 and at most 7 bits.
template <class Isa, std::size_t Half>
[[nodiscard]] TOKENWORKS_INLINE simd::f32x16<Isa> widen_half(const quant::q8_0& block, float scale) {
    return simd::f32x16<Isa>::load(block.codes.data() + Half * simd::lanes) * scale;
}
template <class Isa, std::size_t Half>
[[nodiscard]] TOKENWORKS_INLINE simd::f32x16<Isa> widen_half(const quant::q4_0& block, float scale) {
    return simd::f32x16<Isa>::template load_nibbles<Half == 1>(block.codes.data()) * scale;
}

/// The scale of a block.
template <class Block>
[[nodiscard]] TOKENWORKS_INLINE float scale_of(const Block& block) {
    return quant::detail::load_half(block.d);
}

/// The same for rows of blocks of 32 values; D is a multiple of 32.
template <class Block>
    requires(key_storage<Block>::values_each == 32)
struct row_source<Block> {
    using element = Block;
    static constexpr bool is_turned = false;
    static constexpr std::size_t width = 32;

    const Block* data;
    std::size_t key_stride; ///< blocks
    std::size_t group_stride;

    template <class Isa>
    TOKENWORKS_INLINE void turn(std::size_t group, std::size_t key, std::size_t key_count, std::size_t column,
                                std::size_t columns, float* to) const {
        float wide[simd::lanes * width];
        for(std::size_t d = 0; d < columns; d += width) {
            const Block* first = data + group * group_stride + (column + d) / width;
            for(std::size_t row = 0; row < simd::lanes; ++row) {
                widen_block<Isa>(first[std::min(key + row, key_count - 1) * key_stride], wide + row * width);
            }
            for(std::size_t half = 0; half < width; half += simd::lanes) {
                const float* const from = wide + half;
                simd::transpose<Isa>(wide_rows{from}, to + (d + half) * simd::lanes);
            }
        }
    }

    template <class Isa>
    TOKENWORKS_INLINE void widen(std::size_t group, std::size_t begin, std::size_t end, std::size_t column,
                                 std::size_t columns, float* to, std::size_t stride) const {
        for(std::size_t key = begin; key < end; ++key, to += stride) {
            const Block* from = data + group * group_stride + key * key_stride + column / width;
            for(std::size_t c = 0; c < columns; c += width) {
                widen_block<Isa>(*from++, to + c);
            }
        }
    }

private:
    struct wide_rows {
        const float* first;
        TOKENWORKS_INLINE const float* operator()(std::size_t row) const { return first + row * width; }
    };

    template <class Isa>
    static TOKENWORKS_INLINE void widen_block(const Block& block, float* to) {
        const float scale = scale_of(block);
        widen_half<Isa, 0>(block, scale).store(to);
        widen_half<Isa, 1>(block, scale).store(to + simd::lanes);
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

    static constexpr std::size_t side_by_side = key_blocks<T>::step;

    /// Bytes of a key of one head.
    [[nodiscard]] std::size_t key_bytes() const noexcept { return key_width * sizeof(T); }

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

/// One column of 16 keys in a block, before their scales: keys 16 * place and those behind.
template <class Isa>
[[nodiscard]] TOKENWORKS_INLINE simd::f32x16<Isa> codes_of(const q8_keys& block, std::size_t column,
                                                           std::size_t place) {
    return simd::f32x16<Isa>::load(block.codes[column] + place * simd::lanes);
}
template <class Isa>
[[nodiscard]] TOKENWORKS_INLINE simd::f32x16<Isa> codes_of(const q4_keys& block, std::size_t column,
                                                           std::size_t place) {
    const std::uint8_t* const from = block.codes[column] + place % 2 * simd::lanes;
    return place < 2 ? simd::f32x16<Isa>::template load_nibbles<false>(from)
                     : simd::f32x16<Isa>::template load_nibbles<true>(from);
}

/// The same for keys in blocks.
template <class Blocks>
    requires(std::same_as<Blocks, q8_keys> || std::same_as<Blocks, q4_keys>)
struct block_source<Blocks> {
    using element = Blocks;
    static constexpr bool is_turned = true;
    static constexpr std::size_t side_by_side = 64;
    static constexpr std::size_t width = 32;

    const Blocks* data;
    std::size_t key_width;
    std::size_t group_stride;

    [[nodiscard]] std::size_t key_bytes() const noexcept { return key_width / width * (sizeof(Blocks) / side_by_side); }

    template <class Isa>
    TOKENWORKS_INLINE void turn(std::size_t group, std::size_t key, std::size_t, std::size_t column,
                                std::size_t columns, float* to) const {
        const Blocks* from = data + group * group_stride + (key / side_by_side * key_width + column) / width;
        const std::size_t place = key % side_by_side / simd::lanes;
        for(std::size_t d = 0; d < columns; d += width, ++from) {
            const auto scales = simd::f32x16<Isa>::load(from->scales + place * simd::lanes);
            for(std::size_t i = 0; i < width; ++i) {
                (codes_of<Isa>(*from, i, place) * scales).store(to + (d + i) * simd::lanes);
            }
        }
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
