// Activations as 8-bit codes, the right operand of every product with quantised weights.
//
// Each row of x is cut into blocks of 32; a block keeps codes = round(x / d) and the sums that zero points and minimums
// of the weights need. Of d = max|x| / 127, / 126 and / 125 the one is taken that leaves the smallest squared error:
// the largest value is exact with each, where the others fall is chance, and the best of three throws has an eighth
// less error than the first. Errors are compared as integers, in 1/256 of a code, so the choice is the same everywhere.
// So that a kernel reads one stream, a block is one cache line, and the blocks of up to 16 rows (a tile) lie side by
// side: [T/16][K/32][rows of the tile]. A model quantises once and multiplies by several matrices.
//
// All instruction sets give the same bits.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include <xsimd/xsimd.hpp>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>

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

/// [T,K] activations as blocks in the caller's memory. Not an owner; made by quantize_rows.
class quantized_rows {
public:
    /// Rows whose blocks lie side by side.
    static constexpr std::size_t tile = 16;

    quantized_rows() = default;

    /// Bytes that quantize_rows needs for [T,K], with room to align them.
    [[nodiscard]] static constexpr std::size_t bytes(std::size_t rows, std::size_t columns) noexcept {
        return rows * ((columns + 31) / 32) * sizeof(quantized_block) + sizeof(quantized_block) - 1;
    }

    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::size_t columns() const noexcept { return columns_; }
    /// Blocks of a row.
    [[nodiscard]] std::size_t blocks() const noexcept { return (columns_ + 31) / 32; }
    /// Rows in tile number i.
    [[nodiscard]] std::size_t tile_rows(std::size_t i) const noexcept { return std::min(tile, rows_ - i * tile); }
    /// The blocks [K/32][tile_rows(i)] of tile number i.
    [[nodiscard]] const quantized_block* tile_blocks(std::size_t i) const noexcept {
        return data_ + i * tile * blocks();
    }
    /// One block of one row.
    [[nodiscard]] const quantized_block& block(std::size_t row, std::size_t index) const noexcept {
        const std::size_t i = row / tile;
        return tile_blocks(i)[index * tile_rows(i) + row % tile];
    }

private:
    friend quantized_rows quantize_rows(strided_view<const float, dyn, dyn> x, std::span<std::byte> memory,
                                        const execution& how);

    quantized_rows(const quantized_block* data, std::size_t rows, std::size_t columns) noexcept
        : data_{data}, rows_{rows}, columns_{columns} {}

    const quantized_block* data_ = nullptr;
    std::size_t rows_ = 0;
    std::size_t columns_ = 0;
};

namespace detail {

/// What the largest value of a block may become.
inline constexpr std::int32_t code_levels[] = {127, 126, 125};

/// Of the block whose largest magnitude has these bits. Magnitudes below 1e-30 count as zero, for their inverse would
/// overflow.
struct block_range {
    float most;

    TOKENWORKS_INLINE explicit block_range(std::uint32_t magnitude) noexcept : most{std::bit_cast<float>(magnitude)} {}

    [[nodiscard]] TOKENWORKS_INLINE bool is_zero() const noexcept { return most < 1e-30F; }
    [[nodiscard]] TOKENWORKS_INLINE float scale(std::int32_t level) const noexcept {
        return is_zero() ? 0.0F : most / static_cast<float>(level);
    }
    /// Turns values into codes of 8 fraction bits.
    [[nodiscard]] TOKENWORKS_INLINE float factor(std::int32_t level) const noexcept {
        return is_zero() ? 0.0F : static_cast<float>(level) / most * 256.0F;
    }
};

/// The level with the smallest squared error, measured in values; the first of equals.
/// @param errors  one a level, in (1/256 of its code)^2, at most 2^19
[[nodiscard]] TOKENWORKS_INLINE std::int32_t best_level(const std::int32_t* errors) noexcept {
    // Errors divide by level^2; all are brought to one denominator instead, below 2^47.
    constexpr auto square = [](std::int64_t n) { return n * n; };
    const std::int64_t first = errors[0] * square(code_levels[1] * code_levels[2]);
    const std::int64_t second = errors[1] * square(code_levels[0] * code_levels[2]);
    const std::int64_t third = errors[2] * square(code_levels[0] * code_levels[1]);
    const std::int64_t least = second < first ? second : first;
    const std::int32_t level = second < first ? code_levels[1] : code_levels[0];
    return third < least ? code_levels[2] : level;
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

/// One block; x has 32 values.
template <class Isa>
struct block_quantizer {
    static TOKENWORKS_INLINE void run(const float* x, quantized_block& out) noexcept {
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
        const std::int32_t level = best_level(errors);
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
    TOKENWORKS_TARGET_AVX2 static inline void run(const float* x, quantized_block& out) noexcept {
        __m256 values[4];
        __m256i wide[4];
        TOKENWORKS_UNROLL(4)
        for(int i = 0; i < 4; ++i) {
            values[i] = _mm256_loadu_ps(x + 8 * i);
            wide[i] = _mm256_and_si256(_mm256_castps_si256(values[i]), _mm256_set1_epi32(0x7fffffff));
        }
        wide[0] = _mm256_max_epu32(_mm256_max_epu32(wide[0], wide[1]), _mm256_max_epu32(wide[2], wide[3]));
        __m128i most = _mm_max_epu32(_mm256_castsi256_si128(wide[0]), _mm256_extracti128_si256(wide[0], 1));
        most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0x4e));
        most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0xb1));
        const auto bits = static_cast<std::uint32_t>(_mm_cvtsi128_si32(most));
        if(bits >= first_not_finite) {
            spoil_block(out);
            return;
        }
        const block_range range{bits};
        // Which level wins is chance, so nothing branches on it.
        __m256i squares[3];
        TOKENWORKS_UNROLL(3)
        for(int i = 0; i < 3; ++i) {
            fixed_values fixed;
            fixed.make(values, range.factor(code_levels[i]));
            squares[i] = _mm256_add_epi32(squared_rests(fixed.low), squared_rests(fixed.high));
        }
        const __m256i pairs =
            _mm256_hadd_epi32(_mm256_hadd_epi32(squares[0], squares[1]), _mm256_hadd_epi32(squares[2], squares[2]));
        std::int32_t errors[4];
        _mm_storeu_si128(reinterpret_cast<__m128i*>(errors),
                         _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1)));
        const std::int32_t level = best_level(errors);

        fixed_values fixed;
        fixed.make(values, range.factor(level));
        const __m256i half = _mm256_set1_epi16(128);
        const __m256i low = _mm256_srai_epi16(_mm256_add_epi16(fixed.low, half), 8);
        const __m256i high = _mm256_srai_epi16(_mm256_add_epi16(fixed.high, half), 8);
        const __m256i codes =
            _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.codes), codes);
        // Sums of eight unsigned bytes each, 128 too large.
        const __m256i eights = _mm256_sad_epu8(_mm256_xor_si256(codes, _mm256_set1_epi8(-128)), _mm256_setzero_si256());
        const __m256i halves = _mm256_add_epi64(eights, _mm256_shuffle_epi32(eights, 0x4e));
        finish_block(out, range.scale(level), _mm256_cvtsi256_si32(halves) - 16 * 128,
                     _mm_cvtsi128_si32(_mm256_extracti128_si256(halves, 1)) - 16 * 128);
    }

private:
    /// 32 values with 8 fraction bits in 16, in the order that packing leaves them in.
    struct fixed_values {
        __m256i low;
        __m256i high;

        TOKENWORKS_TARGET_AVX2 TOKENWORKS_INLINE void make(const __m256 (&values)[4], float factor) noexcept {
            const __m256 all = _mm256_set1_ps(factor);
            low = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(values[0], all)),
                                     _mm256_cvtps_epi32(_mm256_mul_ps(values[1], all)));
            high = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(values[2], all)),
                                      _mm256_cvtps_epi32(_mm256_mul_ps(values[3], all)));
        }
    };

    TOKENWORKS_TARGET_AVX2 static TOKENWORKS_INLINE __m256i squared_rests(const __m256i& fixed) noexcept {
        const __m256i half = _mm256_set1_epi16(128);
        const __m256i rest =
            _mm256_sub_epi16(_mm256_and_si256(_mm256_add_epi16(fixed, half), _mm256_set1_epi16(255)), half);
        return _mm256_madd_epi16(rest, rest);
    }
};

// Wider registers gain nothing on 32 values.
template <>
struct block_quantizer<simd::avx512>: block_quantizer<simd::avx2> {};

#elif TOKENWORKS_ARM64

template <>
struct block_quantizer<simd::neon> {
    TOKENWORKS_TARGET_NEON static inline void run(const float* x, quantized_block& out) noexcept {
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
        const std::int32_t level = best_level(errors);
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
/// [(b - begin) * rows + t]. Values from column `columns` on count as zero.
template <class Isa>
struct tile_quantizer {
    static TOKENWORKS_INLINE void run(const float* x, std::size_t stride, std::size_t rows, std::size_t columns,
                                      std::size_t begin, std::size_t end, quantized_block* out) noexcept {
        for(std::size_t b = begin; b < end; ++b) {
            for(std::size_t t = 0; t < rows; ++t) {
                const float* from = x + t * stride + 32 * b;
                float padded[32];
                if(32 * b + 32 > columns) {
                    std::fill_n(static_cast<float*>(padded), 32, 0.0F);
                    std::copy_n(from, columns - 32 * b, static_cast<float*>(padded));
                    from = static_cast<const float*>(padded);
                }
                block_quantizer<Isa>::run(from, *out++);
            }
        }
    }
};

} // namespace detail

/// Quantises rows of activations to 8 bits.
/// @param x       [T,K]; the elements of a row lie side by side; K need not be a multiple of 32
/// @param memory  at least quantized_rows::bytes(T,K) bytes, which the result refers to
/// @throws argument_error where the memory is too small, shape_error where a row has gaps
/// @note  a block with an infinity or NaN has scale NaN; the largest error of a block is 1/250 of its maximum
inline quantized_rows quantize_rows(strided_view<const float, dyn, dyn> x, std::span<std::byte> memory,
                                    const execution& how = {}) {
    const std::size_t rows = x.extent(0);
    const std::size_t columns = x.extent(1);
    const std::size_t blocks = (columns + 31) / 32;
    if(columns > 1 && x.stride(1) != 1) {
        tokenworks::detail::raise<shape_error>("quantize_rows: the elements of a row of x must lie side by side, not " +
                                               std::to_string(x.stride(1)) + " apart");
    }
    if(memory.size() < quantized_rows::bytes(rows, columns)) {
        tokenworks::detail::raise<argument_error>("quantize_rows: " + std::to_string(memory.size()) + " bytes for [" +
                                                  std::to_string(rows) + "," + std::to_string(columns) + "], need " +
                                                  std::to_string(quantized_rows::bytes(rows, columns)));
    }
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    const std::size_t skip = (sizeof(quantized_block) - address % sizeof(quantized_block)) % sizeof(quantized_block);
    auto* const data = reinterpret_cast<quantized_block*>(memory.data() + skip);
    // Handing work to threads costs about as much as a few hundred blocks.
    const std::size_t grain = rows == 0 ? 1 : std::max<std::size_t>(1, 256 / rows);
    parallel_for(how, blocks, grain, [&](work_range part) {
        for(std::size_t first = 0; first < rows; first += quantized_rows::tile) {
            const std::size_t count = std::min(quantized_rows::tile, rows - first);
            const float* const from = x.data() + first * x.stride(0);
            quantized_block* const to = data + first * blocks + part.begin * count;
            simd::dispatch<detail::tile_quantizer>(how.set, from, x.stride(0), count, columns, part.begin, part.end,
                                                   to);
        }
    });
    return {data, rows, columns};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
