// The 16-bit floating point types: IEEE 754 binary16 (f16) and bfloat16 (bf16), as storage; arithmetic is in float.
//
// Conversions are plain integer code with selects instead of branches, so that loops over them vectorise, and give the
// same bits in constant expressions and on every processor. Compiler extensions such as _Float16 were rejected: GCC 12
// and Clang 14 do not offer them on the same targets.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

namespace detail {

/// Magnitude of a float with few exponent bits: a biased exponent above ManBits bits of mantissa, no sign.
/// Rounds to nearest even; values too large run on past the largest exponent, which the caller handles.
/// @param magnitude  bits of a finite float32 without its sign
template <int Bias, int ManBits>
[[nodiscard]] constexpr std::uint32_t pack_float(std::uint32_t magnitude) noexcept {
    constexpr std::uint32_t smallest_normal = std::uint32_t{128 - Bias} << 23;
    // A power of two whose last place is the smallest denormal: adding it makes the addition do the rounding.
    constexpr std::uint32_t rounder = std::uint32_t{127 + 24 - Bias - ManBits} << 23;
    constexpr int shift = 23 - ManBits;
    const float sum = std::bit_cast<float>(magnitude) + std::bit_cast<float>(rounder);
    const std::uint32_t denormal = std::bit_cast<std::uint32_t>(sum) - rounder;
    const std::uint32_t half = ((1U << (shift - 1)) - 1U) + ((magnitude >> shift) & 1U);
    const std::uint32_t normal = (magnitude - (std::uint32_t{127 - Bias} << 23) + half) >> shift;
    return magnitude < smallest_normal ? denormal : normal;
}

/// The inverse of pack_float, as float32 bits. With Specials, the largest exponent means Inf and NaN, as in IEEE 754.
template <int Bias, int ManBits, bool Specials>
[[nodiscard]] constexpr std::uint32_t unpack_float(std::uint32_t magnitude) noexcept {
    constexpr float quantum = std::bit_cast<float>(std::uint32_t{128 - Bias - ManBits} << 23);
    constexpr std::uint32_t rebias = std::uint32_t{127 - Bias} << 23;
    constexpr std::uint32_t first_special = std::uint32_t{2 * Bias + 1} << ManBits;
    const float small = static_cast<float>(static_cast<std::int32_t>(magnitude)) * quantum;
    const std::uint32_t normal = (magnitude << (23 - ManBits)) + rebias;
    const std::uint32_t finite = magnitude < (1U << ManBits) ? std::bit_cast<std::uint32_t>(small) : normal;
    return Specials && magnitude >= first_special ? finite + rebias : finite; // exponent field 255
}

} // namespace detail

/// IEEE 754 binary16: 1 sign, 5 exponent, 10 mantissa bits; largest finite value 65504, smallest 2^-24.
struct f16 {
    std::uint16_t bits;

    f16() = default;
    /// Rounds to nearest even; beyond 65504 (from 65520 on) gives infinity; NaN stays NaN and becomes quiet.
    constexpr explicit f16(float value) noexcept : bits{encode(std::bit_cast<std::uint32_t>(value))} {}
    /// Exact. A NaN keeps its payload.
    constexpr operator float() const noexcept {
        const std::uint32_t magnitude = detail::unpack_float<15, 10, true>(bits & 0x7fffU);
        return std::bit_cast<float>(magnitude | ((bits & 0x8000U) << 16));
    }
    [[nodiscard]] static constexpr f16 from_bits(std::uint16_t bits) noexcept {
        f16 out{0.0F};
        out.bits = bits;
        return out;
    }

private:
    static constexpr std::uint16_t encode(std::uint32_t value) noexcept {
        const std::uint32_t sign = (value >> 16) & 0x8000U;
        const std::uint32_t magnitude = value & 0x7fffffffU;
        const std::uint32_t finite = detail::pack_float<15, 10>(magnitude);
        const std::uint32_t special = magnitude > 0x7f800000U ? 0x7e00U | ((magnitude >> 13) & 0x1ffU) : 0x7c00U;
        return static_cast<std::uint16_t>(sign | (magnitude >= 0x47800000U ? special : finite));
    }
};

/// bfloat16: the upper half of a float32.
struct bf16 {
    std::uint16_t bits;

    bf16() = default;
    /// Rounds to nearest even, denormals too; NaN stays NaN and becomes quiet.
    constexpr explicit bf16(float value) noexcept : bits{encode(std::bit_cast<std::uint32_t>(value))} {}
    /// Exact. A NaN keeps its payload.
    constexpr operator float() const noexcept { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
    [[nodiscard]] static constexpr bf16 from_bits(std::uint16_t bits) noexcept {
        bf16 out{0.0F};
        out.bits = bits;
        return out;
    }

private:
    static constexpr std::uint16_t encode(std::uint32_t value) noexcept {
        const bool nan = (value & 0x7fffffffU) > 0x7f800000U;
        const std::uint32_t rounded = value + 0x7fffU + ((value >> 16) & 1U);
        return static_cast<std::uint16_t>(nan ? (value >> 16) | 0x40U : rounded >> 16);
    }
};

static_assert(sizeof(f16) == 2 && std::is_trivial_v<f16> && std::is_standard_layout_v<f16>);
static_assert(sizeof(bf16) == 2 && std::is_trivial_v<bf16> && std::is_standard_layout_v<bf16>);

} // namespace tokenworks::inline TOKENWORKS_ABI
