// Arithmetic on numbers that came from outside: a result that does not fit is reported, never wrapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// a + b, or nothing where that exceeds 64 bits.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) noexcept {
    if(b > std::numeric_limits<std::uint64_t>::max() - a) {
        return std::nullopt;
    }
    return a + b;
}

/// a * b, or nothing where that exceeds 64 bits.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) noexcept {
    if(a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a) {
        return std::nullopt;
    }
    return a * b;
}

/// a rounded up to the next multiple of alignment, which must not be zero.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_pad(std::uint64_t a, std::uint64_t alignment) noexcept {
    const std::uint64_t rest = a % alignment;
    return rest == 0 ? std::optional{a} : checked_add(a, alignment - rest);
}

/// value as std::size_t, or nothing where it does not fit.
[[nodiscard]] constexpr std::optional<std::size_t> checked_size(std::uint64_t value) noexcept {
    if(value > std::numeric_limits<std::size_t>::max() / 2) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(value);
}

} // namespace tokenworks::inline TOKENWORKS_ABI
