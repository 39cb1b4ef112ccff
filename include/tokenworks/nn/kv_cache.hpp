// Keys and values of the tokens of one sequence, for every layer.
//
// A layer's keys lie as [G][capacity][D]: what one head reads is one stream. Storage is float32, float16 (the default)
// or q8_0 blocks of 32 values; what is stored for a token never depends on the tokens around it.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/quant/encode_legacy.hpp>
#include <tokenworks/quant/legacy.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

namespace detail {

/// Rounds a row of floats to f16, to nearest even.
template <class Isa>
struct store_half {
    static TOKENWORKS_INLINE void run(const float* from, f16* to, std::size_t count) {
        std::size_t i = 0;
        for(; i + simd::lanes <= count; i += simd::lanes) {
            simd::f32x16<Isa>::load(from + i).store(to + i);
        }
        for(; i < count; ++i) {
            to[i] = f16{from[i]};
        }
    }
};

} // namespace detail

/// The cache of one sequence. Memory is reserved at once, and touched as tokens come.
class kv_cache {
public:
    /// @param capacity  tokens
    /// @param type      f32, f16 or q8_0
    /// @throws unsupported_error for another type; argument_error where q8_0 blocks do not fit the head widths, or
    ///         the sizes overflow; std::bad_alloc
    kv_cache(std::size_t layers, std::size_t kv_heads, std::size_t key_width, std::size_t value_width,
             std::size_t capacity, dtype type = dtype::f16)
        : kv_heads_{kv_heads}, key_width_{key_width}, value_width_{value_width}, capacity_{capacity}, type_{type} {
        if(type != dtype::f32 && type != dtype::f16 && type != dtype::q8_0) {
            throw unsupported_error("kv_cache: keys and values of type " + std::string{info(type).name});
        }
        const std::size_t block = info(type).block_size;
        if(key_width % block != 0 || value_width % block != 0) {
            throw argument_error("kv_cache: heads of width " + std::to_string(key_width) + " and " +
                                 std::to_string(value_width) + " are no whole " + std::string{info(type).name} +
                                 " blocks");
        }
        layers_.reserve(layers);
        for(std::size_t i = 0; i < layers; ++i) {
            layers_.push_back({huge_buffer{bytes_of(key_width)}, huge_buffer{bytes_of(value_width)}});
        }
    }

    kv_cache(kv_cache&&) noexcept = default;
    kv_cache& operator=(kv_cache&&) noexcept = default;

    /// Tokens held.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] dtype type() const noexcept { return type_; }
    /// Bytes reserved.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return layers_.size() * (bytes_of(key_width_) + bytes_of(value_width_));
    }

    /// @throws capacity_error naming both numbers, where `more` tokens do not fit
    void require_room(std::size_t more) const {
        if(more > capacity_ - size_) {
            throw capacity_error("kv_cache: " + std::to_string(size_) + " tokens and " + std::to_string(more) +
                                 " more do not fit a context of " + std::to_string(capacity_));
        }
    }

    /// Forgets all but the first n tokens.
    /// @throws argument_error where there are fewer
    void truncate(std::size_t n) {
        if(n > size_) {
            throw argument_error("kv_cache: cannot keep " + std::to_string(n) + " of " + std::to_string(size_) +
                                 " tokens");
        }
        size_ = n;
    }

    /// Counts tokens that every layer has stored.
    void advance(std::size_t count) {
        require_room(count);
        size_ += count;
    }

    /// Stores the keys and values of the next tokens in one layer, behind those that are counted.
    /// @param keys  [T, G*D]   @param values  [T, G*Dv]
    /// @throws shape_error where they are not those of the model that the cache was made for; capacity_error
    void store(std::size_t layer, const_rows keys, const_rows values, const execution& how) {
        require_shape(layer, keys, values);
        require_room(keys.extent(0));
        write(layers_[layer].keys, keys, key_width_, how);
        write(layers_[layer].values, values, value_width_, how);
    }

    /// Calls use(k, v) with the first `count` keys and values of a layer, [S,G,D] of the storage type.
    template <class Use>
    void read(std::size_t layer, std::size_t count, Use&& use) const {
        switch(type_) {
        case dtype::f32:
            return use(rows_of<float>(layers_[layer].keys, key_width_, count),
                       rows_of<float>(layers_[layer].values, value_width_, count));
        case dtype::q8_0:
            return use(rows_of<quant::q8_0>(layers_[layer].keys, key_width_ / quant::q8_0::size, count),
                       rows_of<quant::q8_0>(layers_[layer].values, value_width_ / quant::q8_0::size, count));
        default:
            return use(rows_of<f16>(layers_[layer].keys, key_width_, count),
                       rows_of<f16>(layers_[layer].values, value_width_, count));
        }
    }

private:
    struct layer_memory {
        huge_buffer keys;
        huge_buffer values;
    };

    void require_shape(std::size_t layer, const_rows keys, const_rows values) const {
        if(layer >= layers_.size() || keys.extent(1) != kv_heads_ * key_width_ ||
           values.extent(1) != kv_heads_ * value_width_ || keys.extent(0) != values.extent(0)) {
            throw shape_error("kv_cache: keys " + to_string(keys.extents()) + " and values " +
                              to_string(values.extents()) + " of layer " + std::to_string(layer) + " for a cache of " +
                              std::to_string(layers_.size()) + " layers, G=" + std::to_string(kv_heads_) +
                              ", D=" + std::to_string(key_width_) + " and " + std::to_string(value_width_));
        }
    }

    [[nodiscard]] std::size_t row_bytes(std::size_t width) const noexcept {
        return width / info(type_).block_size * info(type_).block_bytes;
    }

    [[nodiscard]] std::size_t bytes_of(std::size_t width) const {
        const auto count = checked_mul(kv_heads_, capacity_);
        const auto blocks = count ? checked_mul(*count, width / info(type_).block_size) : std::nullopt;
        const auto total = blocks ? checked_mul(*blocks, info(type_).block_bytes) : std::nullopt;
        const auto size = total ? checked_size(*total) : std::nullopt;
        if(!size) {
            throw argument_error("kv_cache: a capacity of " + std::to_string(capacity_) +
                                 " tokens is too large for heads of width " + std::to_string(width));
        }
        return *size;
    }

    template <class T>
    [[nodiscard]] strided_view<const T, dyn, dyn, dyn> rows_of(const huge_buffer& memory, std::size_t elements,
                                                               std::size_t count) const noexcept {
        return {reinterpret_cast<const T*>(memory.data()),
                extents<dyn, dyn, dyn>{count, kv_heads_, elements},
                {elements, capacity_ * elements, 1}};
    }

    void write(huge_buffer& memory, const_rows from, std::size_t width, const execution& how) const {
        const std::size_t bytes = row_bytes(width);
        parallel_for(how, from.extent(0), 32, [&](work_range range) {
            for(std::size_t t = range.begin; t < range.end; ++t) {
                for(std::size_t g = 0; g < kv_heads_; ++g) {
                    const float* const source = from.data() + t * from.stride(0) + g * width;
                    std::byte* const target = memory.data() + (g * capacity_ + size_ + t) * bytes;
                    write_row(source, target, width, how.set);
                }
            }
        });
    }

    void write_row(const float* from, std::byte* to, std::size_t width, isa set) const {
        if(type_ == dtype::f16) {
            simd::dispatch<detail::store_half>(set, from, reinterpret_cast<f16*>(to), width);
        } else if(type_ == dtype::f32) {
            std::memcpy(to, from, width * sizeof(float));
        } else {
            for(std::size_t i = 0; i < width; i += quant::q8_0::size, to += sizeof(quant::q8_0)) {
                quant::q8_0 block;
                quant::encode(from + i, block);
                std::memcpy(to, &block, sizeof block);
            }
        }
    }

    std::vector<layer_memory> layers_;
    std::size_t kv_heads_;
    std::size_t key_width_;
    std::size_t value_width_;
    std::size_t capacity_;
    std::size_t size_ = 0;
    dtype type_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
