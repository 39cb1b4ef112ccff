// The layout in which a cache keeps keys: 16 keys side by side, so that attention loads a vector of keys at once.
//
//   [G][capacity/16][D][16]            of float, f16 or bf16
//   [G][capacity/16][D/32] of q8_keys  for 8 bits: 32 values of 16 keys, each with its own scale
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
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/quant/encode_legacy.hpp>
#include <tokenworks/quant/legacy.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// 32 values of 16 keys as 8-bit codes; value d of key i is scales[i] * codes[d][i]. 8.5 bits a value.
struct q8_keys {
    f16 scales[16];
    std::int8_t codes[32][16];
};
static_assert(sizeof(q8_keys) == 16 * sizeof(quant::q8_0));

/// What a cache of T is made of.
template <class T>
struct key_storage {
    using type = T;
    static constexpr std::size_t values_each = 1; ///< values of one key along D that an element covers, times 16 keys
};
template <>
struct key_storage<quant::q8_0> {
    using type = q8_keys;
};

/// Keys of all heads, 16 side by side, in the caller's memory. Not an owner; copies refer to the same keys.
/// T is float, f16, bf16 or quant::q8_0, const where it only reads.
template <class T>
class key_blocks {
public:
    static constexpr std::size_t lanes = 16;
    using value_type = std::remove_const_t<T>;
    static constexpr bool is_q8 = std::same_as<value_type, quant::q8_0>;
    using plain_storage = std::conditional_t<is_q8, q8_keys, value_type>;
    using storage_type = std::conditional_t<std::is_const_v<T>, const plain_storage, plain_storage>;

    static_assert(std::same_as<value_type, float> || std::same_as<value_type, f16> || std::same_as<value_type, bf16> ||
                      is_q8,
                  "tokenworks: key_blocks are of float, f16, bf16 or quant::q8_0");

    key_blocks() = default;

    /// Elements of storage_type that a cache takes. Capacity is rounded up to whole blocks of 16 keys.
    /// @throws shape_error where 8-bit keys are not a multiple of 32 wide, or the product overflows
    [[nodiscard]] static std::size_t storage_size(std::size_t groups, std::size_t capacity, std::size_t width) {
        if(is_q8 && width % quant::q8_0::size != 0) {
            detail::raise<shape_error>("key_blocks: D=" + std::to_string(width) + " is no multiple of 32, as q8_0 needs");
        }
        const std::size_t blocks = capacity / lanes + (capacity % lanes != 0 ? 1 : 0);
        const std::size_t a_block = is_q8 ? width / quant::q8_0::size : width * lanes;
        return dims<3>{groups, blocks, a_block}.size();
    }

    /// On storage_size(groups, capacity, width) elements at `data`. They need no initial value.
    key_blocks(storage_type* data, std::size_t groups, std::size_t capacity, std::size_t width)
        : data_{data},
          groups_{groups},
          capacity_{(capacity + lanes - 1) / lanes * lanes},
          width_{width},
          group_stride_{groups == 0 ? 0 : storage_size(groups, capacity, width) / groups} {}

    /// Reading is always possible.
    operator key_blocks<const value_type>() const noexcept
        requires(!std::is_const_v<T>)
    {
        return {*this, 0};
    }

    [[nodiscard]] storage_type* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t groups() const noexcept { return groups_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// D
    [[nodiscard]] std::size_t width() const noexcept { return width_; }
    /// Elements from one head to the next.
    [[nodiscard]] std::size_t group_stride() const noexcept { return group_stride_; }

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

inline void store_key(const float* key, std::size_t width, float* to) noexcept {
    for(std::size_t d = 0; d < width; ++d) {
        to[d * 16] = key[d];
    }
}
inline void store_key(const float* key, std::size_t width, f16* to) noexcept {
    for(std::size_t d = 0; d < width; ++d) {
        to[d * 16] = f16{key[d]};
    }
}
inline void store_key(const float* key, std::size_t width, bf16* to) noexcept {
    for(std::size_t d = 0; d < width; ++d) {
        to[d * 16] = bf16{key[d]};
    }
}

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
