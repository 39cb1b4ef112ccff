// The layout in which a cache keeps keys: 64 keys side by side, so that attention loads vectors of keys, and reads all
// keys of a head as one stream.
//
//   [G][capacity/64][D][64]            of float, f16 or bf16
//   [G][capacity/64][D/32] of q8_keys  for 8 bits: 32 values of 64 keys, each with its own scale
//   [G][capacity/64][D/32] of q4_keys  for 4 bits
//
// A key is written once and read at every later step, so it is turned when it is written. Values need no such layout:
// [G][capacity][D] rows are what attention reads fastest, seen as a [S,G,D] view with strides (D, capacity * D, 1).
// Attention gives the same bits as for a [S,G,D] view of the same numbers.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype_of.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/simd_shuffle.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/quant/encode_legacy.hpp>
#include <tokenworks/quant/legacy.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// 32 values of 64 keys as 8-bit codes; value d of key i is scales[i] * codes[d][i]. 8.5 bits a value.
struct q8_keys {
    f16 scales[64];
    std::int8_t codes[32][64];
};
static_assert(sizeof(q8_keys) == 64 * sizeof(quant::q8_0));

/// The same in 4 bits, 4.5 a value. Value d of key i is scales[i] * (code - 8), the code a nibble of codes[d][i % 32]:
/// the low one of keys 0 to 31, the high one of the others.
struct q4_keys {
    f16 scales[64];
    std::uint8_t codes[32][32];
};
static_assert(sizeof(q4_keys) == 64 * sizeof(quant::q4_0));

namespace detail {

/// What holds keys of a type: the type itself, or blocks of 32 values of 64 keys.
template <class T>
struct key_storage {
    using type = T;
    static constexpr std::size_t values_each = 1;
};
template <>
struct key_storage<quant::q8_0> {
    using type = q8_keys;
    static constexpr std::size_t values_each = quant::q8_0::size;
};
template <>
struct key_storage<quant::q4_0> {
    using type = q4_keys;
    static constexpr std::size_t values_each = quant::q4_0::size;
};

template <class T>
concept attention_storage = std::same_as<T, float> || std::same_as<T, f16> || std::same_as<T, bf16> ||
    std::same_as<T, quant::q8_0> || std::same_as<T, quant::q4_0>;

} // namespace detail

/// Keys of all heads, 64 side by side, in the caller's memory. Not an owner; copies refer to the same keys.
/// T is float, f16, bf16, quant::q8_0 or quant::q4_0, const where it only reads.
template <class T>
class key_blocks {
public:
    static constexpr std::size_t step =
        64; ///< keys side by side; attention reads them all, whether they are there or not
    using value_type = std::remove_const_t<T>;
    static_assert(detail::attention_storage<value_type>,
                  "tokenworks: key_blocks are of float, f16, bf16, quant::q8_0 or quant::q4_0");
    static constexpr std::size_t values_each = detail::key_storage<value_type>::values_each; ///< along D
    using plain_storage = typename detail::key_storage<value_type>::type;
    using storage_type = std::conditional_t<std::is_const_v<T>, const plain_storage, plain_storage>;

    key_blocks() = default;

    /// Elements of storage_type that a cache takes. Capacity is rounded up to a multiple of 64 keys.
    /// @throws shape_error where keys in blocks are not a multiple of 32 wide, or the product overflows
    [[nodiscard]] static std::size_t storage_size(std::size_t groups, std::size_t capacity, std::size_t width) {
        if(width % values_each != 0) {
            detail::raise<shape_error>(
                {"key_blocks: D=", width, " is no multiple of 32, as ", info(dtype_of<value_type>).name, " needs"});
        }
        const std::size_t blocks = capacity / step + (capacity % step != 0 ? 1 : 0);
        return dims<3>{groups, blocks, values_each == 1 ? width * step : width / values_each}.size();
    }

    /// On storage_size(groups, capacity, width) elements at `data`. They need no initial value.
    key_blocks(storage_type* data, std::size_t groups, std::size_t capacity, std::size_t width)
        : data_{data},
          groups_{groups},
          capacity_{(capacity + step - 1) / step * step},
          width_{width},
          group_stride_{groups == 0 ? 0 : storage_size(groups, capacity, width) / groups} {}

    /// Reading is always possible.
    operator key_blocks<const value_type>() const noexcept requires(!std::is_const_v<T>) { return {*this, 0}; }

    [[nodiscard]] storage_type* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t groups() const noexcept { return groups_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// D
    [[nodiscard]] std::size_t width() const noexcept { return width_; }
    /// Elements from one head to the next.
    [[nodiscard]] std::size_t group_stride() const noexcept { return group_stride_; }
    /// Heads first … first + count - 1 alone.
    /// @throws shape_error where there are fewer
    [[nodiscard]] key_blocks heads(std::size_t first, std::size_t count) const {
        if(first > groups_ || count > groups_ - first) {
            detail::raise_extents("key_blocks", "heads up to", first + count, "the cache has G", groups_);
        }
        key_blocks part = *this;
        part.data_ += first * group_stride_;
        part.groups_ = count;
        return part;
    }

private:
    template <class U>
    friend class key_blocks;

    template <class U>
    key_blocks(const key_blocks<U>& other, int) noexcept
        : data_{other.data_},
          groups_{other.groups_},
          capacity_{other.capacity_},
          width_{other.width_},
          group_stride_{other.group_stride_} {}

    storage_type* data_ = nullptr;
    std::size_t groups_ = 0;
    std::size_t capacity_ = 0;
    std::size_t width_ = 0;
    std::size_t group_stride_ = 0;
};

namespace detail {

/// Writes up to sixteen keys of a block of 64, as elements of T.
template <class T>
struct key_writer {
    template <class Isa>
    struct kernel {
        /// @param keys  `count` rows of `width` values, `stride` apart
        /// @param to    the block's [width][64], at the place of the first key
        static TOKENWORKS_INLINE void run(const float* keys, std::size_t stride, std::size_t count, std::size_t width,
                                          T* to) {
            std::size_t d = 0;
            if(count == simd::lanes) {
                float square[simd::lanes * simd::lanes];
                for(; d + simd::lanes <= width; d += simd::lanes) {
                    simd::transpose<Isa>(rows{keys + d, stride}, static_cast<float*>(square));
                    for(std::size_t i = 0; i < simd::lanes; ++i) {
                        store(simd::f32x16<Isa>::load(static_cast<const float*>(square) + i * simd::lanes),
                              to + (d + i) * stride_of_columns);
                    }
                }
            }
            for(; d < width; d += simd::lanes) {
                const std::size_t part = std::min(simd::lanes, width - d);
                for(std::size_t key = 0; key < count; ++key) {
                    T narrow[simd::lanes];
                    store(simd::load_partial<Isa>(keys + key * stride + d, part), static_cast<T*>(narrow));
                    for(std::size_t i = 0; i < part; ++i) {
                        to[(d + i) * stride_of_columns + key] = narrow[i];
                    }
                }
            }
        }

    private:
        static constexpr std::size_t stride_of_columns = key_blocks<T>::step;

        struct rows {
            const float* first;
            std::size_t stride;
            TOKENWORKS_INLINE const float* operator()(std::size_t row) const { return first + row * stride; }
        };

        static TOKENWORKS_INLINE void store(const simd::f32x16<Isa>& x, T* to) {
            if constexpr(std::same_as<T, bf16>) {
                simd::store_partial(x, to, simd::lanes);
            } else {
                x.store(to);
            }
        }
    };
};

/// Writes one key in blocks.
inline void write_key(const float* key, std::size_t width, q8_keys* to, std::size_t lane) noexcept {
    for(std::size_t d = 0; d < width; d += quant::q8_0::size, ++to) {
        quant::q8_0 block;
        quant::encode(key + d, block);
        to->scales[lane] = f16{quant::detail::load_half(block.d)};
        for(std::size_t i = 0; i < quant::q8_0::size; ++i) {
            to->codes[i][lane] = block.codes[i];
        }
    }
}
inline void write_key(const float* key, std::size_t width, q4_keys* to, std::size_t lane) noexcept {
    const unsigned shift = lane < 32 ? 0 : 4;
    for(std::size_t d = 0; d < width; d += quant::q4_0::size, ++to) {
        quant::q4_0 block;
        quant::encode(key + d, block);
        to->scales[lane] = f16{quant::detail::load_half(block.d)};
        for(std::size_t i = 0; i < quant::q4_0::size; ++i) {
            const unsigned code = i < 16 ? block.codes[i] & 15U : block.codes[i - 16] >> 4U;
            std::uint8_t& pair = to->codes[i][lane % 32];
            pair = static_cast<std::uint8_t>((pair & (15U << (4 - shift))) | code << shift);
        }
    }
}

} // namespace detail

/// Stores keys at positions start … start + T - 1, rounded to nearest even where the storage is narrower.
/// @param keys  [T,G,D]; last axis contiguous
/// @param to    [G][capacity/64][D][64]
/// @throws      shape_error naming the two extents that disagree
/// @note        what is stored for a key depends on that key alone; allocates nothing
template <class Keys, class T>
void store_keys(const Keys& keys, std::size_t start, const key_blocks<T>& to, const execution& how = {}) {
    static_assert(!std::is_const_v<T>, "tokenworks: store_keys: these key_blocks are read-only");
    constexpr std::size_t step = key_blocks<T>::step;
    const auto from = detail::as_view(keys);
    detail::require_operand<float, 3, std::remove_const_t<decltype(from)>>();
    detail::require_equal("store_keys", "keys have G", from.extent(1), "the cache has G", to.groups());
    detail::require_equal("store_keys", "keys have D", from.extent(2), "the cache has D", to.width());
    detail::require_dense_rows("store_keys", "keys", from);
    const std::size_t count = from.extent(0);
    if(start > to.capacity() || count > to.capacity() - start) {
        detail::raise_extents("store_keys", "keys up to", start + count, "the cache has room for", to.capacity());
    }
    if(count == 0) {
        return;
    }
    const std::size_t a_block = to.capacity() == 0 ? 0 : to.group_stride() / (to.capacity() / step);
    // What one thread writes at a time: 16 keys; where two keys share a byte, all that may share it.
    constexpr std::size_t piece = std::same_as<T, quant::q4_0> ? step : simd::lanes;
    const std::size_t first = start / piece;
    const std::size_t pieces = (start + count - 1) / piece - first + 1;
    parallel_for(how, pieces, detail::row_grain(piece * to.groups() * to.width()), [&](work_range range) {
        for(std::size_t i = first + range.begin; i < first + range.end; ++i) {
            const std::size_t begin = std::max(start, i * piece);
            const std::size_t end = std::min(start + count, (i + 1) * piece);
            const std::size_t block = begin / step;
            for(std::size_t g = 0; g < to.groups(); ++g) {
                const float* source = from.data() + (begin - start) * from.stride(0) + g * from.stride(1);
                auto* target = to.data() + g * to.group_stride() + block * a_block;
                if constexpr(key_blocks<T>::values_each != 1) {
                    for(std::size_t key = begin; key < end; ++key, source += from.stride(0)) {
                        detail::write_key(source, to.width(), target, key % step);
                    }
                } else {
                    simd::dispatch<detail::key_writer<T>::template kernel>(how.set, source, from.stride(0), end - begin,
                                                                           to.width(), target + begin % step);
                }
            }
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
