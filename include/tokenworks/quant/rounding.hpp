// Arithmetic whose result must not depend on compiler flags, for the encoders.
//
// A compiler may fuse a product and a sum that follow each other into one instruction with one rounding (and does, with
// -march=haswell or on AArch64), which would change the bytes that an encoder writes. So products that are added to
// something pass through memory that the compiler must assume changed: it can still vectorise the loop that fills an
// array, but not look through it. (GCC 12 has nothing that is vectorised and stops contraction: its
// __builtin_assoc_barrier does not, and it ignores the FP_CONTRACT pragma.)
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant::detail {

/// Every element of the array has been rounded to float32 from here on.
template <std::size_t N>
inline void settle(std::array<float, N>& values) noexcept {
    asm("" : "+m"(values));
}

/// a * b, rounded.
[[nodiscard]] inline float product(float a, float b) noexcept {
    float out = a * b;
    asm("" : "+m"(out));
    return out;
}

/// a * b, rounded.
template <std::size_t N>
inline void multiply(const std::array<float, N>& a, const std::array<float, N>& b, std::array<float, N>& out) noexcept {
    for(std::size_t i = 0; i < N; ++i) {
        out[i] = a[i] * b[i];
    }
    settle(out);
}

/// The sum from the first to the last.
template <std::size_t N>
[[nodiscard]] inline float sum_in_order(const std::array<float, N>& values) noexcept {
    float sum = 0.0F;
    for(const float value: values) {
        sum += value;
    }
    return sum;
}

struct interval {
    float least;
    float greatest;
};

/// The least and the greatest value; of zeros of both signs, the first.
template <std::size_t N>
[[nodiscard]] inline interval range_of(const std::array<float, N>& values) noexcept {
    interval out{values[0], values[0]};
    for(const float value: values) {
        out.least = value < out.least ? value : out.least;
        out.greatest = value > out.greatest ? value : out.greatest;
    }
    return out;
}

/// The nearest integer, the even one of two, for |value| < 2^22; some integer of that range for any other value. The
/// sum with 1.5 * 2^23 has a last place of one, so its mantissa is the integer (as in ggml, whose results for values
/// out of range this shares). The argument must be rounded already: see product.
[[nodiscard]] inline int nearest_int(float value) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value + 12582912.0F);
    return static_cast<int>(bits & 0x007fffffU) - 0x00400000;
}

/// value without its fraction, or 0 where it is negative, NaN or 256 and more.
[[nodiscard]] inline int truncate_byte(float value) noexcept {
    return static_cast<int>(value >= 0.0F && value < 256.0F ? value : 0.0F);
}

/// The nearest integer, halves away from zero, or 0 where value is NaN or beyond +-255.
[[nodiscard]] inline int round_byte(float value) noexcept {
    const float inside = value > -256.0F && value < 256.0F ? value : 0.0F;
    const int whole = static_cast<int>(inside);
    const float rest = inside - static_cast<float>(whole);
    return whole + static_cast<int>(rest >= 0.5F) - static_cast<int>(rest <= -0.5F);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant::detail
