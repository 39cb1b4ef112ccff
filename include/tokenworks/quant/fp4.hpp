// Four-bit floating point formats: E2M1 elements (0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives) with 8-bit scales.
//
// Codes are the values doubled, which makes them integers; scales are halved to match. The negative zero decodes to
// plus zero times the scale, as in ggml. Layouts: ggml-common.h of ggml; MXFP4 is of the OCP Microscaling specification
// 1.0 (2023), NVFP4 of NVIDIA's Blackwell (here without its second, per-tensor scale, which a GGUF keeps apart).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/quant/block.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::quant {

/// 32 elements and a power of two (E8M0, 2^(exponent - 127)); 4.25 bits an element. An exponent of 255, a NaN to the
/// specification, is 2^128 here as in gguf and ggml.
struct mxfp4 {
    static constexpr dtype type = dtype::mxfp4;
    static constexpr std::size_t size = 32;
    static constexpr std::size_t group = 32;
    static constexpr bool has_min = false;
    std::uint8_t exponent;
    detail::bytes<16> codes;
};

/// Four groups of 16 elements, each with an unsigned E4M3 scale; 4.5 bits an element. The scale's sign bit is ignored;
/// the scale 0x7f (a NaN) is zero, and 0xff is 480, both as in gguf and ggml.
struct nvfp4 {
    static constexpr dtype type = dtype::nvfp4;
    static constexpr std::size_t size = 64;
    static constexpr std::size_t group = 16;
    static constexpr bool has_min = false;
    detail::bytes<4> scales;
    detail::bytes<32> codes;
};

static_assert(detail::fits_file<mxfp4> && detail::fits_file<nvfp4>);

namespace detail {

/// E2M1 values, doubled.
inline constexpr std::array<std::int8_t, 16> e2m1_doubled{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// 2^(exponent - 128), a denormal for exponents 0 and 1.
[[nodiscard]] constexpr float half_of_e8m0(std::uint32_t exponent) noexcept {
    return std::bit_cast<float>(exponent < 2 ? 0x00200000U << exponent : (exponent - 1) << 23);
}

[[nodiscard]] constexpr float half_of_ue4m3(std::uint32_t bits) noexcept {
    const float value = std::bit_cast<float>(tokenworks::detail::unpack_float<7, 3, false>(bits & 0x7fU));
    return bits == 0x7fU ? 0.0F : value * 0.5F;
}

} // namespace detail

/// See codes.hpp for what decode_codes yields.
inline void decode_codes(const mxfp4& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    detail::look_up_nibbles<16>(detail::e2m1_doubled, block.codes.data(), codes);
    detail::fill<mxfp4>(scales, detail::half_of_e8m0(block.exponent));
    detail::fill<mxfp4>(mins, 0.0F);
}

inline void decode_codes(const nvfp4& block, std::int8_t* TOKENWORKS_RESTRICT codes, float* TOKENWORKS_RESTRICT scales,
                         float* TOKENWORKS_RESTRICT mins) noexcept {
    for(std::size_t g = 0; g < 4; ++g) {
        detail::look_up_nibbles<8>(detail::e2m1_doubled, &block.codes[8 * g], codes + 16 * g);
        scales[g] = detail::half_of_ue4m3(block.scales[g]);
        mins[g] = 0.0F;
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::quant
