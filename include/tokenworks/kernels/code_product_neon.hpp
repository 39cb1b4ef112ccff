// Integer panels times quantised activations on AArch64 with the dot product instructions. See code_product.hpp.
//
// A register is 4 rows x 4 columns; sdot multiplies it with four activations picked by lane from a register of sixteen.
// Bytes become signed by flipping the top bit, so no start value is needed for them; nibbles are small enough as they
// are.
#pragma once

#include <tokenworks/config.hpp>

#if TOKENWORKS_ARM64

#include <cstddef>
#include <cstdint>

#include <arm_neon.h>

#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/panel_format.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

template <scale_kind Kind>
TOKENWORKS_TARGET_NEON TOKENWORKS_INLINE void load_scales(const std::byte* at, const simd::f32x16<simd::neon>& super,
                                                          simd::f32x16<simd::neon>& out) noexcept {
    using vector = simd::f32x16<simd::neon>;
    if constexpr(Kind == scale_kind::half) {
        out = vector::load(reinterpret_cast<const f16*>(at));
    } else if constexpr(Kind == scale_kind::single) {
        out = vector::load(reinterpret_cast<const float*>(at));
    } else {
        out = super * vector::load(reinterpret_cast<const std::int8_t*>(at));
    }
}

/// Weights of four rows, columns 4 g … 4 g + 3, as signed bytes.
template <class Panel>
TOKENWORKS_TARGET_NEON TOKENWORKS_INLINE int8x16_t load_weights(const std::byte* record, std::size_t g,
                                                                std::size_t quarter) noexcept {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(record);
    if constexpr(Panel::bits != 8) {
        const uint8x16_t packed = vld1q_u8(bytes + 64 * (g / 2) + 16 * quarter);
        uint8x16_t code = g % 2 == 0 ? vandq_u8(packed, vdupq_n_u8(15)) : vshrq_n_u8(packed, 4);
        if constexpr(Panel::planes != 0) {
            const uint8x8_t bit = vcreate_u8(0x8040201008040201ULL);
            for(std::size_t p = 0; p < Panel::planes; ++p) {
                const std::uint8_t* const plane = bytes + Panel::plane_offset(p, g) + 2 * quarter;
                const uint8x16_t is_set =
                    vtstq_u8(vcombine_u8(vdup_n_u8(plane[0]), vdup_n_u8(plane[1])), vcombine_u8(bit, bit));
                code = vaddq_u8(code, vandq_u8(is_set, vdupq_n_u8(static_cast<std::uint8_t>(16U << p))));
            }
            code = vaddq_u8(code, vdupq_n_u8(static_cast<std::uint8_t>(Panel::least)));
        }
        return vreinterpretq_s8_u8(code);
    } else {
        return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(bytes + 64 * g + 16 * quarter), vdupq_n_u8(128)));
    }
}

template <class Panel>
TOKENWORKS_TARGET_NEON void code_product_neon(const std::byte* panel, std::size_t blocks, const quantized_block* y,
                                              std::size_t tokens, float* acc) noexcept {
    using vector = simd::f32x16<simd::neon>;
    vector super = vector::zero();
    vector super_min = vector::zero();
    vector scale[2];
    vector offset[2];
    for(std::size_t group = 0; group < blocks; group += Panel::group) {
        if constexpr(Panel::kind == scale_kind::super) {
            load_scales<scale_kind::half>(panel, super, super);
            if constexpr(Panel::has_min) {
                load_scales<scale_kind::half>(panel + 32, super, super_min);
            }
        }
        const std::byte* record = panel + Panel::header_bytes;
        panel += Panel::group_bytes;
        for(std::size_t b = 0; b < Panel::group; ++b, record += Panel::record_bytes, y += tokens) {
            TOKENWORKS_UNROLL(2)
            for(int s = 0; s < Panel::per_block; ++s) {
                const std::byte* const at =
                    record + Panel::code_bytes + 16 * Panel::scale_size * static_cast<std::size_t>(s);
                load_scales<Panel::kind>(at, super, scale[s]);
                if constexpr(Panel::has_min) {
                    load_scales<Panel::kind>(at + Panel::scale_bytes, super_min, offset[s]);
                }
            }
            TOKENWORKS_UNROLL(4)
            for(std::size_t quarter = 0; quarter < 4; ++quarter) {
                int8x16_t weights[8];
                TOKENWORKS_UNROLL(8)
                for(std::size_t g = 0; g < 8; ++g) {
                    weights[g] = load_weights<Panel>(record, g, quarter);
                }
                for(std::size_t t = 0; t < tokens; ++t) {
                    const int8x16_t low = vld1q_s8(y[t].codes);
                    const int8x16_t high = vld1q_s8(y[t].codes + 16);
                    int32x4_t sums[2] = {vdupq_n_s32(Panel::zero == 8 ? y[t].start_8 : 0), vdupq_n_s32(0)};
                    sums[0] = vdotq_laneq_s32(sums[0], weights[0], low, 0);
                    sums[1] = vdotq_laneq_s32(sums[1], weights[4], high, 0);
                    sums[0] = vdotq_laneq_s32(sums[0], weights[1], low, 1);
                    sums[1] = vdotq_laneq_s32(sums[1], weights[5], high, 1);
                    sums[0] = vdotq_laneq_s32(sums[0], weights[2], low, 2);
                    sums[1] = vdotq_laneq_s32(sums[1], weights[6], high, 2);
                    sums[0] = vdotq_laneq_s32(sums[0], weights[3], low, 3);
                    sums[1] = vdotq_laneq_s32(sums[1], weights[7], high, 3);
                    if constexpr(Panel::per_block == 1) {
                        sums[0] = vaddq_s32(sums[0], sums[1]);
                    }
                    float* const to = acc + panel_rows * t + 4 * quarter;
                    float32x4_t sum = vld1q_f32(to);
                    TOKENWORKS_UNROLL(2)
                    for(int s = 0; s < Panel::per_block; ++s) {
                        const float32x4_t ws = reinterpret_cast<float32x4_t>(scale[s].v[quarter]);
                        sum = vfmaq_f32(sum, vcvtq_f32_s32(sums[s]), vmulq_n_f32(ws, y[t].scale));
                        if constexpr(Panel::has_min) {
                            const float total = Panel::per_block == 2 ? y[t].scaled_sum_half[s] : y[t].scaled_sum;
                            sum = vfmaq_n_f32(sum, reinterpret_cast<float32x4_t>(offset[s].v[quarter]), total);
                        }
                    }
                    vst1q_f32(to, sum);
                }
            }
        }
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail

#endif
