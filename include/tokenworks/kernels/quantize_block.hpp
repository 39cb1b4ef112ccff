// 32 activations as 8-bit codes, on every instruction set, to the same bits.
//
// codes = round(x / d). Of d = max|x| / 127, / 126 and / 125 the one is taken that leaves the smallest squared error:
// the largest value is exact with each, where the others fall is chance, and the best of three throws has an eighth
// less error than the first. Errors are compared as integers, in 1/256 of a code, so the choice is the same everywhere.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <xsimd/xsimd.hpp>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>

#if TOKENWORKS_X86
#include <immintrin.h>
#elif TOKENWORKS_ARM64
#include <arm_neon.h>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// 32 activations of one row. The integer sums come ready as the value that a product's accumulator starts with:
/// -z * sum of the codes, for the zero points z = 8 and z = 128 of the packed weights.
struct quantized_block {
    std::int8_t codes[32];          ///< in [-127, 127]
    float scale;                    ///< x is about scale * code; NaN where a value was not finite
    std::int32_t start_8;           ///< -8 * sum
    std::int32_t start_128;         ///< -128 * sum
    float scaled_sum;               ///< scale * sum
    std::int32_t start_128_half[2]; ///< -128 * sum of either half
    float scaled_sum_half[2];       ///< scale * sum of either half
};
static_assert(sizeof(quantized_block) == 64);

namespace detail {

/// What the largest value of a block may become.
inline constexpr std::int32_t code_levels[] = {127, 126, 125};

/// Blocks below count as zero, for the inverse of their scale would overflow.
inline constexpr float least_magnitude = 1e-30F;

/// Blocks that are quantised in one call.
inline constexpr std::size_t blocks_at_once = 16;

/// Of the block whose largest magnitude has these bits.
struct block_range {
    float most;

    TOKENWORKS_INLINE explicit block_range(std::uint32_t magnitude) noexcept : most{std::bit_cast<float>(magnitude)} {}

    [[nodiscard]] TOKENWORKS_INLINE bool is_zero() const noexcept { return most < least_magnitude; }
    [[nodiscard]] TOKENWORKS_INLINE float scale(std::int32_t level) const noexcept {
        return is_zero() ? 0.0F : most / static_cast<float>(level);
    }
    /// Turns values into codes of 8 fraction bits.
    [[nodiscard]] TOKENWORKS_INLINE float factor(std::int32_t level) const noexcept {
        return is_zero() ? 0.0F : static_cast<float>(level) / most * 256.0F;
    }
};

/// Which level has the smallest squared error, measured in values; the first of equals.
/// @param errors  one a level, in (1/256 of its code)^2, at most 2^19
[[nodiscard]] TOKENWORKS_INLINE std::size_t best_level(const std::int32_t* errors) noexcept {
    // Errors divide by level^2; all are brought to one denominator instead, below 2^47. No branch: it would be chance.
    constexpr auto square = [](std::int64_t n) { return n * n; };
    const std::int64_t first = errors[0] * square(code_levels[1] * code_levels[2]);
    const std::int64_t second = errors[1] * square(code_levels[0] * code_levels[2]);
    const std::int64_t third = errors[2] * square(code_levels[0] * code_levels[1]);
    const std::int64_t least = second < first ? second : first;
    const std::size_t index = second < first ? 1 : 0;
    return third < least ? 2 : index;
}

TOKENWORKS_INLINE void finish_block(quantized_block& out, float scale, std::int32_t first,
                                    std::int32_t second) noexcept {
    const std::int32_t sum = first + second;
    out.scale = scale;
    out.start_8 = -8 * sum;
    out.start_128 = -128 * sum;
    out.scaled_sum = scale * static_cast<float>(sum);
    out.start_128_half[0] = -128 * first;
    out.start_128_half[1] = -128 * second;
    out.scaled_sum_half[0] = scale * static_cast<float>(first);
    out.scaled_sum_half[1] = scale * static_cast<float>(second);
}

/// A block with a value that is not finite: everything multiplied by it is NaN.
TOKENWORKS_NOINLINE inline void spoil_block(quantized_block& out) noexcept {
    std::fill_n(static_cast<std::int8_t*>(out.codes), 32, std::int8_t{0});
    finish_block(out, std::numeric_limits<float>::quiet_NaN(), 0, 0);
}

inline constexpr std::uint32_t first_not_finite = 0x7f800000U;

/// The nearest code of a value with 8 fraction bits; halves go up.
[[nodiscard]] TOKENWORKS_INLINE std::int32_t code_of(std::int32_t fixed) noexcept { return (fixed + 128) >> 8; }

/// Quantises up to blocks_at_once blocks, the 32 values at x[i] into *out[i].
template <class Isa>
struct block_quantizer {
    static TOKENWORKS_INLINE void run(const float* const* x, std::size_t count, quantized_block* const* out) noexcept {
        for(std::size_t i = 0; i < count; ++i) {
            run_one(x[i], *out[i]);
        }
    }

private:
    static TOKENWORKS_INLINE void run_one(const float* x, quantized_block& out) noexcept {
        using batch = xsimd::batch<float>;
        using whole = xsimd::batch<std::int32_t>;
        std::uint32_t most = 0;
        for(std::size_t i = 0; i < 32; ++i) {
            most = std::max(most, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffU);
        }
        if(most >= first_not_finite) {
            spoil_block(out);
            return;
        }
        const block_range range{most};
        std::int32_t fixed[32];
        const auto make_fixed = [&](std::int32_t level) {
            const batch factor(range.factor(level));
            for(std::size_t i = 0; i < 32; i += batch::size) {
                const whole rounded = xsimd::nearbyint_as_int(batch::load_unaligned(x + i) * factor);
                rounded.store_unaligned(fixed + i);
            }
        };
        std::int32_t errors[3] = {0, 0, 0};
        for(std::size_t j = 0; j < 3; ++j) {
            make_fixed(code_levels[j]);
            for(const std::int32_t value: fixed) {
                const std::int32_t rest = value - code_of(value) * 256;
                errors[j] += rest * rest;
            }
        }
        const std::int32_t level = code_levels[best_level(errors)];
        make_fixed(level);
        std::int32_t sums[2] = {0, 0};
        for(std::size_t i = 0; i < 32; ++i) {
            const std::int32_t code = code_of(fixed[i]);
            out.codes[i] = static_cast<std::int8_t>(code);
            sums[i / 16] += code;
        }
        finish_block(out, range.scale(level), sums[0], sums[1]);
    }
};

#if TOKENWORKS_X86

template <>
struct block_quantizer<simd::avx2> {
    /// In passes over several blocks: one block is a long chain of instructions that wait for each other, and the
    /// processor does not look far enough ahead to work on the next one meanwhile.
    TOKENWORKS_TARGET_AVX2 static inline void run(const float* const* x, std::size_t count,
                                                  quantized_block* const* out) noexcept {
        alignas(32) std::uint32_t most[blocks_at_once] = {};
        alignas(32) float factors[3][blocks_at_once];
        alignas(32) float scales[3][blocks_at_once];
        std::size_t level[blocks_at_once];
        for(std::size_t i = 0; i < count; ++i) {
            most[i] = largest_magnitude(x[i]);
        }
        for(std::size_t i = 0; i < count; i += 8) {
            const __m256 range = _mm256_load_ps(reinterpret_cast<const float*>(most + i));
            const __m256 not_zero = _mm256_cmp_ps(range, _mm256_set1_ps(least_magnitude), _CMP_GE_OQ);
            TOKENWORKS_UNROLL(3)
            for(std::size_t j = 0; j < 3; ++j) {
                const __m256 top = _mm256_set1_ps(static_cast<float>(code_levels[j]));
                const __m256 factor = _mm256_mul_ps(_mm256_div_ps(top, range), _mm256_set1_ps(256.0F));
                _mm256_store_ps(factors[j] + i, _mm256_and_ps(factor, not_zero));
                _mm256_store_ps(scales[j] + i, _mm256_and_ps(_mm256_div_ps(range, top), not_zero));
            }
        }
        for(std::size_t i = 0; i < count; ++i) {
            level[i] = choose_level(x[i], factors[0][i], factors[1][i], factors[2][i]);
        }
        for(std::size_t i = 0; i < count; ++i) {
            if(most[i] >= first_not_finite) {
                spoil_block(*out[i]);
            } else {
                encode(x[i], factors[level[i]][i], scales[level[i]][i], *out[i]);
            }
        }
    }

private:
    /// 32 values with 8 fraction bits in 16, in the order that packing leaves them in.
    struct fixed_values {
        __m256i low;
        __m256i high;

        TOKENWORKS_TARGET_AVX2 TOKENWORKS_INLINE void make(const float* x, float factor) noexcept {
            const __m256 all = _mm256_set1_ps(factor);
            low = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), all)),
                                     _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), all)));
            high = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16), all)),
                                      _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 24), all)));
        }
    };

    TOKENWORKS_TARGET_AVX2 static TOKENWORKS_INLINE std::uint32_t largest_magnitude(const float* x) noexcept {
        __m256i wide[4];
        TOKENWORKS_UNROLL(4)
        for(int i = 0; i < 4; ++i) {
            wide[i] = _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + 8 * i)),
                                       _mm256_set1_epi32(0x7fffffff));
        }
        wide[0] = _mm256_max_epu32(_mm256_max_epu32(wide[0], wide[1]), _mm256_max_epu32(wide[2], wide[3]));
        __m128i most = _mm_max_epu32(_mm256_castsi256_si128(wide[0]), _mm256_extracti128_si256(wide[0], 1));
        most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0x4e));
        most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0xb1));
        return static_cast<std::uint32_t>(_mm_cvtsi128_si32(most));
    }

    TOKENWORKS_TARGET_AVX2 static TOKENWORKS_INLINE __m256i squared_rests(const __m256i& fixed) noexcept {
        const __m256i half = _mm256_set1_epi16(128);
        const __m256i rest =
            _mm256_sub_epi16(_mm256_and_si256(_mm256_add_epi16(fixed, half), _mm256_set1_epi16(255)), half);
        return _mm256_madd_epi16(rest, rest);
    }

    TOKENWORKS_TARGET_AVX2 static TOKENWORKS_INLINE std::size_t choose_level(const float* x, float first, float second,
                                                                             float third) noexcept {
        const float factors[3] = {first, second, third};
        __m256i squares[3];
        TOKENWORKS_UNROLL(3)
        for(int i = 0; i < 3; ++i) {
            fixed_values fixed;
            fixed.make(x, factors[i]);
            squares[i] = _mm256_add_epi32(squared_rests(fixed.low), squared_rests(fixed.high));
        }
        const __m256i pairs =
            _mm256_hadd_epi32(_mm256_hadd_epi32(squares[0], squares[1]), _mm256_hadd_epi32(squares[2], squares[2]));
        std::int32_t errors[4];
        _mm_storeu_si128(reinterpret_cast<__m128i*>(errors),
                         _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1)));
        return best_level(errors);
    }

    TOKENWORKS_TARGET_AVX2 static TOKENWORKS_INLINE void encode(const float* x, float factor, float scale,
                                                                quantized_block& out) noexcept {
        fixed_values fixed;
        fixed.make(x, factor);
        const __m256i half = _mm256_set1_epi16(128);
        const __m256i low = _mm256_srai_epi16(_mm256_add_epi16(fixed.low, half), 8);
        const __m256i high = _mm256_srai_epi16(_mm256_add_epi16(fixed.high, half), 8);
        const __m256i codes =
            _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.codes), codes);
        // Sums of eight unsigned bytes each, 128 too large.
        const __m256i eights = _mm256_sad_epu8(_mm256_xor_si256(codes, _mm256_set1_epi8(-128)), _mm256_setzero_si256());
        const __m256i halves = _mm256_add_epi64(eights, _mm256_shuffle_epi32(eights, 0x4e));
        finish_block(out, scale, _mm256_cvtsi256_si32(halves) - 16 * 128,
                     _mm_cvtsi128_si32(_mm256_extracti128_si256(halves, 1)) - 16 * 128);
    }
};

// Wider registers gain nothing on 32 values.
template <>
struct block_quantizer<simd::avx512>: block_quantizer<simd::avx2> {};

#elif TOKENWORKS_ARM64

template <>
struct block_quantizer<simd::neon> {
    TOKENWORKS_TARGET_NEON static inline void run(const float* const* x, std::size_t count,
                                                  quantized_block* const* out) noexcept {
        for(std::size_t i = 0; i < count; ++i) {
            run_one(x[i], *out[i]);
        }
    }

private:
    TOKENWORKS_TARGET_NEON static inline void run_one(const float* x, quantized_block& out) noexcept {
        const uint32x4_t magnitude = vdupq_n_u32(0x7fffffffU);
        uint32x4_t most = vdupq_n_u32(0);
        for(int i = 0; i < 8; ++i) {
            most = vmaxq_u32(most, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + 4 * i)), magnitude));
        }
        const std::uint32_t bits = vmaxvq_u32(most);
        if(bits >= first_not_finite) {
            spoil_block(out);
            return;
        }
        const block_range range{bits};
        std::int32_t errors[3];
        for(int j = 0; j < 3; ++j) {
            const float factor = range.factor(code_levels[j]);
            int32x4_t squares = vdupq_n_s32(0);
            for(int i = 0; i < 8; ++i) {
                const int32x4_t fixed = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4 * i), factor));
                const int32x4_t code = vshrq_n_s32(vaddq_s32(fixed, vdupq_n_s32(128)), 8);
                const int32x4_t rest = vsubq_s32(fixed, vshlq_n_s32(code, 8));
                squares = vmlaq_s32(squares, rest, rest);
            }
            errors[j] = vaddvq_s32(squares);
        }
        const std::int32_t level = code_levels[best_level(errors)];
        const float factor = range.factor(level);
        std::int32_t sums[2];
        for(int i = 0; i < 2; ++i) {
            int32x4_t rounded[4];
            for(int j = 0; j < 4; ++j) {
                const int32x4_t fixed = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 16 * i + 4 * j), factor));
                rounded[j] = vshrq_n_s32(vaddq_s32(fixed, vdupq_n_s32(128)), 8);
            }
            const int16x8_t low = vcombine_s16(vqmovn_s32(rounded[0]), vqmovn_s32(rounded[1]));
            const int16x8_t high = vcombine_s16(vqmovn_s32(rounded[2]), vqmovn_s32(rounded[3]));
            const int8x16_t codes = vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
            vst1q_s8(out.codes + 16 * i, codes);
            sums[i] = vaddlvq_s8(codes);
        }
        finish_block(out, range.scale(level), sums[0], sums[1]);
    }
};

#endif

/// Blocks begin … end - 1 of `rows` rows (row stride in floats) into out, where block b of row t lies at
/// [(b - begin) * step + t]. Values from column `columns` on count as zero.
template <class Isa>
struct tile_quantizer {
    static TOKENWORKS_INLINE void run(const float* x, std::size_t stride, std::size_t rows, std::size_t columns,
                                      std::size_t begin, std::size_t end, quantized_block* out,
                                      std::size_t step) noexcept {
        const float* from[blocks_at_once];
        quantized_block* to[blocks_at_once];
        float padded[blocks_at_once][32];
        std::size_t count = 0;
        for(std::size_t b = begin; b < end; ++b) {
            for(std::size_t t = 0; t < rows; ++t) {
                from[count] = x + t * stride + 32 * b;
                to[count] = out + (b - begin) * step + t;
                if(32 * b + 32 > columns) {
                    std::fill_n(static_cast<float*>(padded[count]), 32, 0.0F);
                    std::copy_n(from[count], columns - 32 * b, static_cast<float*>(padded[count]));
                    from[count] = static_cast<const float*>(padded[count]);
                }
                if(++count == blocks_at_once) {
                    block_quantizer<Isa>::run(from, count, to);
                    count = 0;
                }
            }
        }
        block_quantizer<Isa>::run(from, count, to);
    }
};

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
