// Integer panels times quantised activations on AVX-512 with VNNI and on AVX2. See code_product.hpp for what they
// compute.
//
// AVX-512: one register is 16 rows x 4 columns; vpdpbusd multiplies it with four activations, which the instruction
// itself broadcasts from memory. Eight of them, a conversion and one fused multiply-add make a block of 16 x 32. The
// instruction is written as assembly because GCC 12 does not fold the broadcast. Weights stay in registers while the
// tokens of a tile stream by; with one token, the panel is a single sequential stream.
// AVX2: vpmaddubsw adds pairs in 16 bits, which saturates for bytes above 127. Nibbles fit, even eight pairs of a block
// (15 * 127 * 16 = 30480); for bytes the sign moves to the activation (128 * 127 * 2 = 32512 fits). With AVX-VNNI
// vpdpbusd does it all, on half as wide registers as AVX-512's.
//
// Intrinsics that GCC 12 implements with an uninitialised operand (it then warns in the caller) are avoided.
#pragma once

#include <tokenworks/config.hpp>

#if TOKENWORKS_X86

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/panel_format.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

struct four_codes {
    std::int8_t value[4];
};

using i32x16 = simd::detail::native<16>::i32;
using u16x32 = std::uint16_t __attribute__((vector_size(64)));

/// sum[lane] += weights[lane][0..3] * y[0..3]
TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void dot_four(__m512i& sum, const __m512i& weights,
                                                         const std::int8_t* y) noexcept {
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(weights), "m"(*reinterpret_cast<const four_codes*>(y)));
}

TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void to_float(const __m512i& whole, __m512& out) noexcept {
    out = reinterpret_cast<__m512>(
        __builtin_convertvector(reinterpret_cast<i32x16>(whole), simd::detail::native<16>::f32));
}

TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void high_nibbles(const __m512i& packed, __m512i& out) noexcept {
    out = reinterpret_cast<__m512i>(reinterpret_cast<u16x32>(packed) >> 4);
    out = _mm512_and_si512(out, _mm512_set1_epi8(15));
}

/// The nibbles of column group g.
TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void load_nibbles(const std::byte* record, int g, __m512i& out) noexcept {
    const __m512i packed = _mm512_loadu_si512(record + 64 * (g / 2));
    if(g % 2 == 0) {
        out = _mm512_and_si512(packed, _mm512_set1_epi8(15));
    } else {
        high_nibbles(packed, out);
    }
}

/// Column group g of a record of 5-, 6- or 8-bit codes, as bytes code + 128.
template <class Panel>
TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void load_bytes(const std::byte* record, int g, __m512i& out) noexcept {
    if constexpr(Panel::bits == 8) {
        out = _mm512_loadu_si512(record + 64 * g);
    } else {
        load_nibbles(record, g, out);
        out = _mm512_add_epi8(out, _mm512_set1_epi8(static_cast<char>(128 + Panel::least)));
        TOKENWORKS_UNROLL(2)
        for(int p = 0; p < Panel::planes; ++p) {
            __mmask64 bits;
            __builtin_memcpy(&bits,
                             record + Panel::plane_offset(static_cast<std::size_t>(p), static_cast<std::size_t>(g)), 8);
            out = _mm512_mask_add_epi8(out, bits, out, _mm512_set1_epi8(static_cast<char>(16 << p)));
        }
    }
}

/// Sixteen halves, floats, or int8 factors times `super`.
template <scale_kind Kind>
TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void load_scales(const std::byte* at, const __m512& super,
                                                            __m512& out) noexcept {
    using vector = simd::f32x16<simd::avx512>;
    if constexpr(Kind == scale_kind::half) {
        out = reinterpret_cast<__m512>(vector::load(reinterpret_cast<const f16*>(at)).v[0]);
    } else if constexpr(Kind == scale_kind::single) {
        out = _mm512_loadu_ps(at);
    } else {
        out =
            _mm512_mul_ps(super, reinterpret_cast<__m512>(vector::load(reinterpret_cast<const std::int8_t*>(at)).v[0]));
    }
}

/// The scales, and offsets where there are any, of one record.
template <class Panel>
struct record_scales {
    __m512 scale[Panel::per_block];
    __m512 offset[Panel::per_block];

    TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void load(const std::byte* at, const __m512& super,
                                                         const __m512& super_min) noexcept {
        TOKENWORKS_UNROLL(2)
        for(int s = 0; s < Panel::per_block; ++s) {
            load_scales<Panel::kind>(at + 16 * Panel::scale_size * static_cast<std::size_t>(s), super, scale[s]);
            if constexpr(Panel::has_min) {
                const std::byte* const min = at + Panel::scale_bytes;
                load_scales<Panel::kind>(min + 16 * Panel::scale_size * static_cast<std::size_t>(s), super_min,
                                         offset[s]);
            }
        }
    }

    /// acc + float(sums) * (scale * y.scale) + offset * y's sums
    TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void add(__m512& acc, const __m512i& first, const __m512i& second,
                                                        const quantized_block& y) const noexcept {
        __m512 dot;
        const __m512 d = _mm512_set1_ps(y.scale);
        if constexpr(Panel::per_block == 1) {
            to_float(_mm512_add_epi32(first, second), dot);
            acc = _mm512_fmadd_ps(dot, _mm512_mul_ps(scale[0], d), acc);
            if constexpr(Panel::has_min) {
                acc = _mm512_fmadd_ps(offset[0], _mm512_set1_ps(y.scaled_sum), acc);
            }
        } else {
            to_float(first, dot);
            acc = _mm512_fmadd_ps(dot, _mm512_mul_ps(scale[0], d), acc);
            if constexpr(Panel::has_min) {
                acc = _mm512_fmadd_ps(offset[0], _mm512_set1_ps(y.scaled_sum_half[0]), acc);
            }
            to_float(second, dot);
            acc = _mm512_fmadd_ps(dot, _mm512_mul_ps(scale[1], d), acc);
            if constexpr(Panel::has_min) {
                acc = _mm512_fmadd_ps(offset[1], _mm512_set1_ps(y.scaled_sum_half[1]), acc);
            }
        }
    }
};

/// Two integer accumulators that start at -zero * sum, for the first and the second 16 columns (or both in the first).
template <class Panel>
TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void start_sums(const quantized_block& y, __m512i& first,
                                                           __m512i& second) noexcept {
    second = _mm512_setzero_si512();
    if constexpr(Panel::per_block == 2) {
        first = _mm512_set1_epi32(y.start_128_half[0]);
        second = _mm512_set1_epi32(y.start_128_half[1]);
    } else if constexpr(Panel::zero == 128) {
        first = _mm512_set1_epi32(y.start_128);
    } else if constexpr(Panel::zero == 8) {
        first = _mm512_set1_epi32(y.start_8);
    } else {
        first = _mm512_setzero_si512();
    }
}

/// One token. Nibbles stay where they are: the high ones count 16-fold, and their sum is shifted at the end.
template <class Panel>
TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void multiply_one(const std::byte* record,
                                                             const record_scales<Panel>& scales,
                                                             const quantized_block& y, __m512& acc) noexcept {
    __m512i first;
    __m512i second;
    start_sums<Panel>(y, first, second);
    if constexpr(Panel::bits == 4) {
        TOKENWORKS_UNROLL(4)
        for(int g = 0; g < 4; ++g) {
            const __m512i packed = _mm512_loadu_si512(record + 64 * g);
            dot_four(first, _mm512_and_si512(packed, _mm512_set1_epi8(15)), y.codes + 8 * g);
            dot_four(second, _mm512_and_si512(_mm512_set1_epi8(-16), packed), y.codes + 8 * g + 4);
        }
        second = reinterpret_cast<__m512i>(reinterpret_cast<i32x16>(second) >> 4);
    } else {
        TOKENWORKS_UNROLL(4)
        for(int g = 0; g < 4; ++g) {
            __m512i weights[2];
            load_bytes<Panel>(record, g, weights[0]);
            load_bytes<Panel>(record, g + 4, weights[1]);
            dot_four(first, weights[0], y.codes + 4 * g);
            dot_four(second, weights[1], y.codes + 4 * (g + 4));
        }
    }
    scales.add(acc, first, second, y);
}

/// All tokens of a tile with weights in registers; acc lives in the first-level cache.
template <class Panel>
TOKENWORKS_TARGET_AVX512 TOKENWORKS_INLINE void
multiply_tile(const std::byte* record, const record_scales<Panel>& scales, const quantized_block* y, std::size_t tokens,
              float* acc) noexcept {
    __m512i weights[8];
    TOKENWORKS_UNROLL(8)
    for(int g = 0; g < 8; ++g) {
        if constexpr(Panel::bits == 4) {
            load_nibbles(record, g, weights[g]);
        } else {
            load_bytes<Panel>(record, g, weights[g]);
        }
    }
    TOKENWORKS_UNROLL(2)
    for(std::size_t t = 0; t < tokens; ++t) {
        __m512i first;
        __m512i second;
        start_sums<Panel>(y[t], first, second);
        TOKENWORKS_UNROLL(4)
        for(int g = 0; g < 4; ++g) {
            dot_four(first, weights[g], y[t].codes + 4 * g);
            dot_four(second, weights[g + 4], y[t].codes + 4 * (g + 4));
        }
        __m512 sum = _mm512_loadu_ps(acc + 16 * t);
        scales.add(sum, first, second, y[t]);
        _mm512_storeu_ps(acc + 16 * t, sum);
    }
}

template <class Panel>
TOKENWORKS_TARGET_AVX512 void code_product_avx512(const std::byte* panel, std::size_t blocks, const quantized_block* y,
                                                  std::size_t tokens, float* acc) noexcept {
    __m512 super = _mm512_setzero_ps();
    __m512 super_min = _mm512_setzero_ps();
    __m512 sum = _mm512_loadu_ps(acc);
    record_scales<Panel> scales;
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
            prefetch_record<Panel>(record);
            scales.load(record + Panel::code_bytes, super, super_min);
            if(tokens == 1) {
                multiply_one<Panel>(record, scales, *y, sum);
            } else {
                multiply_tile<Panel>(record, scales, y, tokens, acc);
            }
        }
    }
    if(tokens == 1) {
        _mm512_storeu_ps(acc, sum);
    }
}

// AVX2: rows 0-7 and 8-15 of a record one after the other; a register is 8 rows x 4 columns.

/// How AVX2 multiplies bytes: by pairs in 16 bits.
struct dot_by_pairs {
    static constexpr bool at_once = false;
};

#if TOKENWORKS_ANY_X86_ASSEMBLY

/// Four at once, for AVX-VNNI.
struct dot_at_once {
    static constexpr bool at_once = true;
    static TOKENWORKS_INLINE void add(__m256i& sum, const __m256i& weights, const __m256i& four) noexcept {
        __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(weights), "x"(four));
    }
};

#endif

/// Where the sums of a token begin, so that the zero point of the codes costs nothing.
template <class Panel>
TOKENWORKS_TARGET_AVX2 TOKENWORKS_INLINE void start_sums(const quantized_block& y, __m256i& first,
                                                         __m256i& second) noexcept {
    second = _mm256_setzero_si256();
    if constexpr(Panel::per_block == 2) {
        first = _mm256_set1_epi32(y.start_128_half[0]);
        second = _mm256_set1_epi32(y.start_128_half[1]);
    } else if constexpr(Panel::zero == 128) {
        first = _mm256_set1_epi32(y.start_128);
    } else if constexpr(Panel::zero == 8) {
        first = _mm256_set1_epi32(y.start_8);
    } else {
        first = _mm256_setzero_si256();
    }
}

/// The sums of either 16 columns of one token (or both in the first) from eight registers of weights.
template <class Panel, class Dot>
TOKENWORKS_TARGET_AVX2 TOKENWORKS_INLINE void dot_block(const __m256i (&weights)[8], const quantized_block& y,
                                                        __m256i& first, __m256i& second) noexcept {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i four[8];
    TOKENWORKS_UNROLL(8)
    for(int g = 0; g < 8; ++g) {
        std::int32_t codes;
        __builtin_memcpy(&codes, y.codes + 4 * g, 4);
        four[g] = _mm256_set1_epi32(codes);
    }
    if constexpr(Dot::at_once) {
        start_sums<Panel>(y, first, second);
        TOKENWORKS_UNROLL(4)
        for(int g = 0; g < 4; ++g) {
            Dot::add(first, weights[g], four[g]);
            Dot::add(second, weights[g + 4], four[g + 4]);
        }
    } else if constexpr(Panel::bits == 4) {
        __m256i pairs = _mm256_setzero_si256();
        TOKENWORKS_UNROLL(8)
        for(int g = 0; g < 8; ++g) {
            pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(weights[g], four[g]));
        }
        first = _mm256_madd_epi16(pairs, ones);
        second = _mm256_set1_epi32(Panel::zero == 8 ? y.start_8 : 0);
    } else {
        __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        TOKENWORKS_UNROLL(8)
        for(int g = 0; g < 8; ++g) {
            const __m256i signs = _mm256_sign_epi8(four[g], weights[g]);
            const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights[g]), signs);
            sums[g / 4] = _mm256_add_epi32(sums[g / 4], _mm256_madd_epi16(pairs, ones));
        }
        first = sums[0];
        second = sums[1];
    }
}

/// The nibbles of eight rows of column group g; `half` as below.
TOKENWORKS_TARGET_AVX2 TOKENWORKS_INLINE void load_nibbles(const std::byte* record, std::size_t g, std::size_t half,
                                                           __m256i& out) noexcept {
    const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(record + 64 * (g / 2) + 32 * half));
    out = _mm256_and_si256(g % 2 == 0 ? packed : _mm256_srli_epi16(packed, 4), _mm256_set1_epi8(15));
}

/// Eight rows of column group g of a record of 5-, 6- or 8-bit codes, as signed bytes; `half` as below.
template <class Panel>
TOKENWORKS_TARGET_AVX2 TOKENWORKS_INLINE void load_bytes(const std::byte* record, std::size_t g, std::size_t half,
                                                         __m256i& out) noexcept {
    if constexpr(Panel::bits == 8) {
        const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(record + 64 * g + 32 * half));
        out = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
    } else {
        load_nibbles(record, g, half, out);
        out = _mm256_add_epi8(out, _mm256_set1_epi8(Panel::least));
        const __m256i spread = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
        const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ULL));
        TOKENWORKS_UNROLL(2)
        for(std::size_t p = 0; p < Panel::planes; ++p) {
            std::int32_t bits;
            __builtin_memcpy(&bits, record + Panel::plane_offset(p, g) + 4 * half, 4);
            const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), spread);
            const __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
            out = _mm256_add_epi8(out, _mm256_and_si256(is_set, _mm256_set1_epi8(static_cast<char>(16 << p))));
        }
    }
}

/// Eight rows of one record times all tokens; `half` is 0 for rows 0-7, 1 for rows 8-15.
template <class Panel, class Dot>
TOKENWORKS_TARGET_AVX2 TOKENWORKS_INLINE void
multiply_half(const std::byte* record, std::size_t half, const simd::f32x16<simd::avx2> (&scale)[2],
              const simd::f32x16<simd::avx2> (&offset)[2], const quantized_block* y, std::size_t tokens,
              float* acc) noexcept {
    __m256i weights[8];
    TOKENWORKS_UNROLL(8)
    for(std::size_t g = 0; g < 8; ++g) {
        if constexpr(Panel::bits == 4) {
            load_nibbles(record, g, half, weights[g]);
        } else {
            load_bytes<Panel>(record, g, half, weights[g]);
            if constexpr(Dot::at_once) { // which takes unsigned weights
                weights[g] = _mm256_xor_si256(weights[g], _mm256_set1_epi8(-128));
            }
        }
    }
    for(std::size_t t = 0; t < tokens; ++t) {
        __m256i first;
        __m256i second;
        dot_block<Panel, Dot>(weights, y[t], first, second);
        float* const to = acc + 16 * t + 8 * half;
        __m256 sum = _mm256_loadu_ps(to);
        const __m256 d = _mm256_set1_ps(y[t].scale);
        if constexpr(Panel::per_block == 1) {
            first = _mm256_add_epi32(first, second);
        }
        TOKENWORKS_UNROLL(2)
        for(int s = 0; s < Panel::per_block; ++s) {
            const __m256 dot = _mm256_cvtepi32_ps(s == 0 ? first : second);
            sum = _mm256_fmadd_ps(dot, _mm256_mul_ps(reinterpret_cast<__m256>(scale[s].v[half]), d), sum);
            if constexpr(Panel::has_min) {
                const float total = Panel::per_block == 2 ? y[t].scaled_sum_half[s] : y[t].scaled_sum;
                sum = _mm256_fmadd_ps(reinterpret_cast<__m256>(offset[s].v[half]), _mm256_set1_ps(total), sum);
            }
        }
        _mm256_storeu_ps(to, sum);
    }
}

template <scale_kind Kind>
TOKENWORKS_TARGET_AVX2 TOKENWORKS_INLINE void load_scales(const std::byte* at, const simd::f32x16<simd::avx2>& super,
                                                          simd::f32x16<simd::avx2>& out) noexcept {
    using vector = simd::f32x16<simd::avx2>;
    if constexpr(Kind == scale_kind::half) {
        out = vector::load(reinterpret_cast<const f16*>(at));
    } else if constexpr(Kind == scale_kind::single) {
        out = vector::load(reinterpret_cast<const float*>(at));
    } else {
        out = super * vector::load(reinterpret_cast<const std::int8_t*>(at));
    }
}

template <class Panel, class Dot>
TOKENWORKS_TARGET_AVX2 void code_product_avx2(const std::byte* panel, std::size_t blocks, const quantized_block* y,
                                              std::size_t tokens, float* acc) noexcept {
    using vector = simd::f32x16<simd::avx2>;
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
            prefetch_record<Panel>(record);
            TOKENWORKS_UNROLL(2)
            for(int s = 0; s < Panel::per_block; ++s) {
                const std::byte* const at =
                    record + Panel::code_bytes + 16 * Panel::scale_size * static_cast<std::size_t>(s);
                load_scales<Panel::kind>(at, super, scale[s]);
                if constexpr(Panel::has_min) {
                    load_scales<Panel::kind>(at + Panel::scale_bytes, super_min, offset[s]);
                }
            }
            multiply_half<Panel, Dot>(record, 0, scale, offset, y, tokens, acc);
            multiply_half<Panel, Dot>(record, 1, scale, offset, y, tokens, acc);
        }
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail

#endif
