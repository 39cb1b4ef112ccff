// The 8-bit floating point types of the OCP specification "OFP8" (revision 1.0, 2023): E4M3 and E5M2, as storage.
//
// Encoding is the specification's saturating mode: what is too large, infinities included, becomes the largest finite
// value, because weights and activations that overflow should stay usable. (PyTorch's casts do not saturate.)
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/float16.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// OCP E4M3, "e4m3fn" elsewhere: bias 7, largest value 448, smallest 2^-9, no infinities, NaN is 0x7f and 0xff.
struct f8_e4m3 {
    std::uint8_t bits;

    f8_e4m3() = default;
    /// Rounds to nearest even and saturates: beyond 448, and from infinities, to 448; NaN stays NaN (0x7f with its
    /// sign).
    constexpr explicit f8_e4m3(float value) noexcept : bits{encode(std::bit_cast<std::uint32_t>(value))} {}
    /// Exact.
    constexpr operator float() const noexcept {
        const std::uint32_t code = bits & 0x7fU;
        const std::uint32_t magnitude = code == 0x7fU ? 0x7fc00000U : detail::unpack_float<7, 3, false>(code);
        return std::bit_cast<float>(magnitude | ((bits & 0x80U) << 24));
    }
    [[nodiscard]] static constexpr f8_e4m3 from_bits(std::uint8_t bits) noexcept {
        f8_e4m3 out{0.0F};
        out.bits = bits;
        return out;
    }

private:
    static constexpr std::uint8_t encode(std::uint32_t value) noexcept {
        const std::uint32_t magnitude = value & 0x7fffffffU;
        const std::uint32_t large = magnitude > 0x7f800000U ? 0x7fU : 0x7eU;
        // From 464 on (half-way to the next step) rounding would pass 448.
        const std::uint32_t code = magnitude >= 0x43e80000U ? large : detail::pack_float<7, 3>(magnitude);
        return static_cast<std::uint8_t>(((value >> 24) & 0x80U) | code);
    }
};

/// OCP E5M2: bias 15, largest finite value 57344, smallest 2^-16, infinities and NaNs as in IEEE 754.
struct f8_e5m2 {
    std::uint8_t bits;

    f8_e5m2() = default;
    /// Rounds to nearest even and saturates: beyond 57344, and from infinities, to 57344; NaN stays NaN (quiet).
    constexpr explicit f8_e5m2(float value) noexcept : bits{encode(std::bit_cast<std::uint32_t>(value))} {}
    /// Exact.
    constexpr operator float() const noexcept {
        const std::uint32_t magnitude = detail::unpack_float<15, 2, true>(bits & 0x7fU);
        return std::bit_cast<float>(magnitude | ((bits & 0x80U) << 24));
    }
    [[nodiscard]] static constexpr f8_e5m2 from_bits(std::uint8_t bits) noexcept {
        f8_e5m2 out{0.0F};
        out.bits = bits;
        return out;
    }

private:
    static constexpr std::uint8_t encode(std::uint32_t value) noexcept {
        const std::uint32_t magnitude = value & 0x7fffffffU;
        const std::uint32_t large = magnitude > 0x7f800000U ? 0x7eU | ((magnitude >> 21) & 1U) : 0x7bU;
        // From 61440 on (half-way to the next step) rounding would pass 57344.
        const std::uint32_t code = magnitude >= 0x47700000U ? large : detail::pack_float<15, 2>(magnitude);
        return static_cast<std::uint8_t>(((value >> 24) & 0x80U) | code);
    }
};

static_assert(sizeof(f8_e4m3) == 1 && std::is_trivial_v<f8_e4m3> && std::is_standard_layout_v<f8_e4m3>);
static_assert(sizeof(f8_e5m2) == 1 && std::is_trivial_v<f8_e5m2> && std::is_standard_layout_v<f8_e5m2>);

} // namespace tokenworks::inline TOKENWORKS_ABI
