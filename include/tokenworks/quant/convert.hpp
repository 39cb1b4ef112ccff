// Between float32 and every element type at run time: decode (all types) and encode (those with an encoder).
//
// Sources and destinations may lie at any address. Both work block by block, so a caller may split a row at multiples
// of info(type).block_size and get the same bytes.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/float8.hpp>
#include <tokenworks/quant/codes.hpp>
#include <tokenworks/quant/encode_k.hpp>
#include <tokenworks/quant/encode_legacy.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

namespace detail {

using tokenworks::detail::raise;

template <class Block>
concept encodable = requires(const float* values, Block& out) {
    encode(values, out);
};

/// Blocks in `elements` elements, after checking that `bytes` bytes are what they take.
[[nodiscard]] inline std::size_t count_blocks(const char* operation, dtype type, std::size_t bytes,
                                              std::size_t elements) {
    const dtype_info row = info(type);
    if(elements % row.block_size != 0) {
        raise<shape_error>({operation, " ", row.name, ": ", elements, " elements are not a multiple of the block size ",
                            row.block_size});
    }
    const std::size_t blocks = elements / row.block_size;
    if(blocks * row.block_bytes != bytes) {
        raise<shape_error>({operation, " ", row.name, ": ", elements, " elements take ", blocks * row.block_bytes,
                            " bytes, not ", bytes});
    }
    return blocks;
}

inline void copy(const void* from, std::size_t bytes, void* to) noexcept {
    if(bytes > 0) { // an empty span may be null
        std::memcpy(to, from, bytes);
    }
}

template <class T>
inline void decode_plain(const std::byte* TOKENWORKS_RESTRICT from, std::size_t count, float* TOKENWORKS_RESTRICT to) {
    for(std::size_t i = 0; i < count; ++i) {
        T value;
        std::memcpy(&value, from + i * sizeof(T), sizeof(T));
        to[i] = static_cast<float>(value);
    }
}

template <class T>
inline void encode_plain(const float* TOKENWORKS_RESTRICT from, std::size_t count, std::byte* TOKENWORKS_RESTRICT to) {
    for(std::size_t i = 0; i < count; ++i) {
        const auto value = static_cast<T>(from[i]);
        std::memcpy(to + i * sizeof(T), &value, sizeof(T));
    }
}

/// Whether a half's bytes are neither infinite nor NaN.
[[nodiscard]] inline bool finite_half(const bytes<2>& half) noexcept {
    return (load16(half.data()) & 0x7c00U) != 0x7c00U;
}

template <class Block>
[[nodiscard]] inline bool finite_scales(const Block& block) noexcept {
    bool finite = finite_half(block.d);
    if constexpr(requires { block.m; }) {
        finite = finite && finite_half(block.m);
    }
    if constexpr(requires { block.dmin; }) {
        finite = finite && finite_half(block.dmin);
    }
    return finite;
}

[[noreturn]] TOKENWORKS_COLD inline void refuse_block(dtype type, std::size_t index, const char* reason) {
    const dtype_info row = info(type);
    raise<argument_error>({"encode ", row.name, ": a value in elements ", index * row.block_size, " to ",
                           (index + 1) * row.block_size - 1, " is ", reason});
}

/// @param importance  [blocks * Block::size], or null
template <class Block>
inline void encode_blocks(const float* from, const float* importance, std::size_t blocks, std::byte* to) {
    for(std::size_t b = 0; b < blocks; ++b, from += Block::size, to += sizeof(Block)) {
        float largest = 0.0F;
        bool finite = true;
        for(std::size_t i = 0; i < Block::size; ++i) {
            const float magnitude = std::abs(from[i]);
            largest = magnitude > largest ? magnitude : largest;
            finite &= magnitude <= std::numeric_limits<float>::max();
        }
        if(!finite) {
            refuse_block(Block::type, b, "infinite or NaN");
        }
        Block block;
        // No format reaches 2^32; below it no sum of an encoder overflows unnoticed.
        if(largest < 0x1p32F) {
            if constexpr(requires { encode(from, block, importance); }) {
                encode(from, block, importance == nullptr ? nullptr : importance + b * Block::size);
            } else {
                encode(from, block);
            }
        }
        if(!(largest < 0x1p32F) || !finite_scales(block)) {
            refuse_block(Block::type, b, "too large for the format's half-precision scale");
        }
        std::memcpy(to, &block, sizeof(Block));
    }
}

} // namespace detail

/// Elements of any type as float32: exact for f16, bf16, the 8-bit floats and small integers, rounded to nearest for
/// f64 and large integers, bit-equal to gguf 0.19 for block formats. A byte of a boolean counts as 1 unless it is 0.
/// @param src  [n * block_bytes / block_size] bytes at any address
/// @param dst  [n]; must not overlap src
/// @throws     shape_error naming both sizes where they do not fit; unsupported_error for a number that names no type
inline void decode(dtype type, std::span<const std::byte> src, std::span<float> dst) {
    if(!find_dtype(static_cast<std::uint32_t>(type))) {
        detail::raise<unsupported_error>({"decode: no element type has the number ", static_cast<std::uint32_t>(type)});
    }
    const std::size_t blocks = detail::count_blocks("decode", type, src.size(), dst.size());
    const std::byte* from = src.data();
    float* to = dst.data();
    switch(type) {
    case dtype::f32:
        return detail::copy(from, src.size(), to);
    case dtype::f64:
        return detail::decode_plain<double>(from, blocks, to);
    case dtype::f16:
        return detail::decode_plain<f16>(from, blocks, to);
    case dtype::bf16:
        return detail::decode_plain<bf16>(from, blocks, to);
    case dtype::f8_e4m3:
        return detail::decode_plain<f8_e4m3>(from, blocks, to);
    case dtype::f8_e5m2:
        return detail::decode_plain<f8_e5m2>(from, blocks, to);
    case dtype::i8:
        return detail::decode_plain<std::int8_t>(from, blocks, to);
    case dtype::i16:
        return detail::decode_plain<std::int16_t>(from, blocks, to);
    case dtype::i32:
        return detail::decode_plain<std::int32_t>(from, blocks, to);
    case dtype::i64:
        return detail::decode_plain<std::int64_t>(from, blocks, to);
    case dtype::u8:
        return detail::decode_plain<std::uint8_t>(from, blocks, to);
    case dtype::u16:
        return detail::decode_plain<std::uint16_t>(from, blocks, to);
    case dtype::u32:
        return detail::decode_plain<std::uint32_t>(from, blocks, to);
    case dtype::u64:
        return detail::decode_plain<std::uint64_t>(from, blocks, to);
    case dtype::boolean:
        for(std::size_t i = 0; i < blocks; ++i) {
            to[i] = from[i] != std::byte{0} ? 1.0F : 0.0F;
        }
        return;
    default:
        break;
    }
    visit_block(type, [&]<class Block>() {
        for(std::size_t b = 0; b < blocks; ++b) {
            decode(load_block<Block>(from + b * sizeof(Block)), to + b * Block::size);
        }
    });
}

/// Whether encode has that type.
[[nodiscard]] constexpr bool can_encode(dtype type) noexcept {
    switch(type) {
    case dtype::f32:
    case dtype::f64:
    case dtype::f16:
    case dtype::bf16:
    case dtype::f8_e4m3:
    case dtype::f8_e5m2:
    case dtype::q8_0:
    case dtype::q4_0:
    case dtype::q4_1:
    case dtype::q5_0:
    case dtype::q5_1:
    case dtype::q4_k:
    case dtype::q5_k:
    case dtype::q6_k:
    case dtype::iq4_nl:
        return true;
    default:
        return false;
    }
}

/// Float32 values as elements of another type. Float types round to nearest even (NaN and Inf as in core/float16.hpp
/// and float8.hpp); block formats give the bytes of ggml's reference quantiser, on every processor and with every flag.
/// @param src  [n]
/// @param dst  [n * block_bytes / block_size] bytes at any address; must not overlap src
/// @param importance  [n], finite and not negative, or empty: what the square of each value's error counts in the
/// choice
///                    of a block's scales (not of Q8_0, whose scale is no choice)
/// @throws     shape_error naming both sizes where they do not fit; unsupported_error where can_encode is false;
///             for block formats argument_error naming the block where a value is infinite or NaN, or where its scale
///             would be (from 65520 on, in halves)
/// @note       on an argument_error the blocks before the bad one are written
inline void encode(dtype type, std::span<const float> src, std::span<std::byte> dst,
                   std::span<const float> importance = {}) {
    if(!can_encode(type)) {
        detail::raise<unsupported_error>({"encode: there is no encoder for ", info(type).name});
    }
    const std::size_t blocks = detail::count_blocks("encode", type, dst.size(), src.size());
    if(!importance.empty() && importance.size() != src.size()) {
        detail::raise<shape_error>({"encode: an importance of ", importance.size(), " for ", src.size(), " values"});
    }
    const float* from = src.data();
    std::byte* to = dst.data();
    switch(type) {
    case dtype::f32:
        return detail::copy(from, dst.size(), to);
    case dtype::f64:
        return detail::encode_plain<double>(from, blocks, to);
    case dtype::f16:
        return detail::encode_plain<f16>(from, blocks, to);
    case dtype::bf16:
        return detail::encode_plain<bf16>(from, blocks, to);
    case dtype::f8_e4m3:
        return detail::encode_plain<f8_e4m3>(from, blocks, to);
    case dtype::f8_e5m2:
        return detail::encode_plain<f8_e5m2>(from, blocks, to);
    default:
        break;
    }
    visit_block(type, [&]<class Block>() {
        if constexpr(detail::encodable<Block>) {
            detail::encode_blocks<Block>(from, importance.empty() ? nullptr : importance.data(), blocks, to);
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
