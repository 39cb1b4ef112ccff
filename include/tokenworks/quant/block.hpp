// What every block format has in common: the concept, reading a block from any address, and decoding to float.
//
// A block is a file's bytes: a struct of byte arrays (alignment 1) whose layout is the format's, usable as the element
// of a tensor. A format is described once, by decode_codes, as integers with float scales:
//   value[i] = scale[i / 16] * code[i] - min[i / 16]
// The integer kernels multiply with exactly these codes; decode evaluates the formula. In all formats with a minimum
// the product is exact in float32 (a half of 11 bits times at most 11 bits), so the result is rounded once, whether or
// not the compiler fuses the multiplication with the subtraction, and equals the gguf package's bit for bit.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/float16.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

/// A block format: `size` consecutive elements of a row in sizeof(Block) bytes.
///   type     the run-time dtype
///   size     elements a block holds, a multiple of 16
///   group    elements that share a scale and a minimum, a multiple of 16 that divides size
///   has_min  whether minimums may differ from zero
template <class Block>
concept block_format = std::is_trivially_copyable_v<Block> && alignof(Block) == 1 && requires {
    { Block::type } -> std::convertible_to<dtype>;
    { Block::size } -> std::convertible_to<std::size_t>;
    { Block::group } -> std::convertible_to<std::size_t>;
    { Block::has_min } -> std::convertible_to<bool>;
};

/// Copies a block out of a file's bytes, wherever they lie.
template <block_format Block>
[[nodiscard]] inline Block load_block(const std::byte* bytes) noexcept {
    Block block;
    std::memcpy(&block, bytes, sizeof(Block));
    return block;
}

/// Values of a block, bit-equal to the reference implementations (gguf 0.19, ggml); any NaN stands for any other.
///   out[i] = scale[i / group] * code[i] - min[i / group]
/// @param out  [Block::size]
template <block_format Block>
inline void decode(const Block& block, float* TOKENWORKS_RESTRICT out) noexcept {
    std::array<std::int8_t, Block::size> codes;
    std::array<float, Block::size / 16> scales;
    std::array<float, Block::size / 16> mins;
    decode_codes(block, codes.data(), scales.data(), mins.data());
    for(std::size_t g = 0; g < Block::size / 16; ++g) {
        const float scale = scales[g];
        if constexpr(Block::has_min) {
            const float min = mins[g];
            for(std::size_t i = 16 * g; i < 16 * g + 16; ++i) {
                out[i] = scale * static_cast<float>(codes[i]) - min;
            }
        } else {
            for(std::size_t i = 16 * g; i < 16 * g + 16; ++i) {
                out[i] = scale * static_cast<float>(codes[i]);
            }
        }
    }
}

namespace detail {

template <std::size_t N>
using bytes = std::array<std::uint8_t, N>;

/// The block's bytes are exactly those of the file.
template <block_format Block>
inline constexpr bool fits_file = sizeof(Block) == info(Block::type).block_bytes&& Block::size ==
                                      info(Block::type).block_size&& Block::size % Block::group == 0 &&
                                  Block::group % 16 == 0;

[[nodiscard]] constexpr std::uint32_t load16(const std::uint8_t* at) noexcept {
    return static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8;
}

[[nodiscard]] constexpr std::uint32_t load32(const std::uint8_t* at) noexcept {
    return load16(at) | load16(at + 2) << 16;
}

[[nodiscard]] constexpr float load_half(const bytes<2>& half) noexcept {
    return f16::from_bits(static_cast<std::uint16_t>(load16(half.data())));
}

constexpr void store_half(bytes<2>& half, f16 value) noexcept {
    half = {static_cast<std::uint8_t>(value.bits & 255U), static_cast<std::uint8_t>(value.bits >> 8)};
}

/// Eight codes at once: the lowest byte is the first code.
inline void store_codes(std::int8_t* to, std::uint64_t codes) noexcept {
    if constexpr(std::endian::native == std::endian::big) {
        for(int i = 0; i < 8; ++i) {
            to[i] = static_cast<std::int8_t>(static_cast<std::uint8_t>(codes >> (8 * i)));
        }
    } else {
        std::memcpy(to, &codes, 8);
    }
}

/// What the nibbles of N bytes stand for: the low ones, then the high ones. Codes are put together in registers, as
/// bytes stored one by one would stall the vector loads that read them next.
template <std::size_t N>
inline void look_up_nibbles(const std::array<std::int8_t, 16>& table, const std::uint8_t* TOKENWORKS_RESTRICT packed,
                            std::int8_t* TOKENWORKS_RESTRICT codes) noexcept {
    static_assert(N % 8 == 0);
    for(std::size_t part = 0; part < N; part += 8) {
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        TOKENWORKS_UNROLL(8)
        for(std::size_t i = 0; i < 8; ++i) {
            const std::uint8_t byte = packed[part + i];
            low |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(table[byte & 15U])) << (8 * i);
            high |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(table[byte >> 4])) << (8 * i);
        }
        store_codes(codes + part, low);
        store_codes(codes + N + part, high);
    }
}

template <class Block>
inline void fill(float* to, float value) noexcept {
    for(std::size_t i = 0; i < Block::size / 16; ++i) {
        to[i] = value;
    }
}

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
