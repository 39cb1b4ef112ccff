// Panels of bf16 weights times activations rounded to bf16, with sums in float.
//
//   total[t][row] += sum_k w[k][row] * bf16(x[t][k])
// Half the bits of a float product are enough to multiply what has eight: processors with AVX512-BF16 do two columns an
// instruction. The order is theirs, on every instruction set: columns in blocks of 256, each in the order of
// chained_block.hpp with a pair of columns a step, which adds its second column first, each by one fused multiply-add;
// blocks added to the total one by one. Numbers below 1e-38 may count as zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/simd_shuffle.hpp>
#include <tokenworks/kernels/chained_block.hpp>

#if TOKENWORKS_X86
#include <immintrin.h>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

inline constexpr std::size_t bf16_block = 256; ///< columns

/// Columns of up to `tokens` rows, at most 256, as the loops want them: row t at y + 256 t; an odd end is filled up
/// with zero.
using bf16_rounder = void (*)(const float* x, std::size_t stride, std::size_t tokens, std::size_t columns, float* y);

/// Adds one block of a panel [pairs][16][2] times `tokens` rounded rows to total [tokens][16].
/// @param next  what is read after it, which is asked for on the way; any address
using bf16_multiplier = void (*)(const bf16* panel, const bf16* next, std::size_t pairs, const float* y,
                                 std::size_t tokens, float* total);

template <class Isa>
struct round_rows {
    static TOKENWORKS_INLINE void run(const float* x, std::size_t stride, std::size_t tokens, std::size_t columns,
                                      float* y) {
        for(std::size_t t = 0; t < tokens; ++t, x += stride, y += bf16_block) {
            for(std::size_t k = 0; k < columns; ++k) {
                y[k] = float{bf16(x[k])};
            }
            if(columns % 2 != 0) {
                y[columns] = 0.0F;
            }
        }
    }
};

/// Pairs of columns as steps, for machines that multiply floats.
template <class Isa>
struct wide_pairs {
    using vector = simd::f32x16<Isa>;
    struct columns {
        vector first;
        vector second;
    };

    const bf16* panel;
    const bf16* next;

    TOKENWORKS_INLINE columns load(std::size_t pair) const {
        const bf16* const from = panel + 2 * simd::lanes * pair;
        columns both;
        if constexpr(simd::shuffles<Isa>) {
            using words = typename vector::native::u32;
            for(int i = 0; i < vector::parts; ++i) {
                words bits;
                std::memcpy(&bits, from + 2 * i * vector::width, sizeof bits);
                const words low = bits << 16;
                const words high = bits & 0xffff0000U;
                std::memcpy(&both.first.v[i], &low, sizeof low);
                std::memcpy(&both.second.v[i], &high, sizeof high);
            }
        } else {
            float even[simd::lanes];
            float odd[simd::lanes];
            for(std::size_t i = 0; i < simd::lanes; ++i) {
                even[i] = float{from[2 * i]};
                odd[i] = float{from[2 * i + 1]};
            }
            both.first = vector::load(static_cast<const float*>(even));
            both.second = vector::load(static_cast<const float*>(odd));
        }
        return both;
    }
    TOKENWORKS_INLINE void add(const columns& w, vector& sum, const float* row, std::size_t pair) const {
        sum = fma(w.second, row[2 * pair + 1], sum);
        sum = fma(w.first, row[2 * pair], sum);
    }
    TOKENWORKS_INLINE void ask_ahead(std::size_t pair) const { __builtin_prefetch(next + 2 * simd::lanes * pair); }
};

template <class Isa>
struct multiply_bf16_rows {
    static TOKENWORKS_INLINE void run(const bf16* panel, const bf16* next, std::size_t pairs, const float* y,
                                      std::size_t tokens, float* total) {
        chained_block_rows<Isa>(wide_pairs<Isa>{panel, next}, pairs, y, bf16_block, tokens, total);
    }
};

#if TOKENWORKS_X86

template <>
struct round_rows<simd::avx2> {
    TOKENWORKS_TARGET_AVX2 static inline void run(const float* x, std::size_t stride, std::size_t tokens,
                                                  std::size_t columns, float* y) {
        const std::size_t whole = columns / 8 * 8;
        for(std::size_t t = 0; t < tokens; ++t, x += stride, y += bf16_block) {
            for(std::size_t k = 0; k < whole; k += 8) {
                const __m256 value = _mm256_loadu_ps(x + k);
                const __m256i bits = _mm256_castps_si256(value);
                const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
                const __m256i up = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
                const __m256 rounded = _mm256_castsi256_ps(_mm256_and_si256(up, _mm256_set1_epi32(-65536)));
                const __m256 is_nan = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
                _mm256_storeu_ps(y + k, _mm256_or_ps(rounded, is_nan));
            }
            for(std::size_t k = whole; k < columns; ++k) {
                y[k] = float{bf16(x[k])};
            }
            if(columns % 2 != 0) {
                y[columns] = 0.0F;
            }
        }
    }
};

template <>
struct round_rows<simd::avx512>: round_rows<simd::avx2> {};

#endif

// Elsewhere floats are multiplied instead, to the same bits.
#if TOKENWORKS_ANY_X86_ASSEMBLY

/// Pairs as they lie, for AVX512-BF16.
struct native_pairs {
    using vector = simd::f32x16<simd::avx512>;
    struct pair {
        bf16 value[2];
    };

    const bf16* panel;
    const bf16* next;

    TOKENWORKS_INLINE vector load(std::size_t index) const {
        return vector::load(reinterpret_cast<const float*>(panel + 2 * simd::lanes * index));
    }
    TOKENWORKS_INLINE void add(const vector& both, vector& sum, const float* row, std::size_t index) const {
        __asm__("vdpbf16ps %2%{1to16%}, %1, %0"
                : "+v"(sum.v[0])
                : "v"(both.v[0]), "m"(reinterpret_cast<const pair*>(row)[index]));
    }
    TOKENWORKS_INLINE void ask_ahead(std::size_t index) const { __builtin_prefetch(next + 2 * simd::lanes * index); }
};

struct multiply_native_pairs {
    static TOKENWORKS_INLINE void run(const bf16* panel, const bf16* next, std::size_t pairs, const float* y,
                                      std::size_t tokens, float* total) {
        chained_block_rows<simd::avx512>(native_pairs{panel, next}, pairs, y, bf16_block, tokens, total);
    }
};

struct round_to_pairs {
    static TOKENWORKS_INLINE void run(const float* x, std::size_t stride, std::size_t tokens, std::size_t columns,
                                      float* y) {
        using vector = simd::f32x16<simd::avx512>;
        const std::size_t whole = columns / 32 * 32;
        for(std::size_t t = 0; t < tokens; ++t, x += stride, y += bf16_block) {
            auto* const to = reinterpret_cast<bf16*>(y);
            for(std::size_t k = 0; k < whole; k += 32) {
                const vector low = vector::load(x + k);
                const vector high = vector::load(x + k + 16);
                vector packed;
                __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(packed.v[0]) : "v"(low.v[0]), "v"(high.v[0]));
                packed.store(reinterpret_cast<float*>(to + k));
            }
            for(std::size_t k = whole; k < columns; ++k) {
                to[k] = bf16(x[k]);
            }
            if(columns % 2 != 0) {
                to[columns] = bf16(0.0F);
            }
        }
    }
};

#endif

struct bf16_loops {
    bf16_rounder round;
    bf16_multiplier multiply;
};

template <class Isa>
[[nodiscard]] constexpr bf16_loops bf16_loops_on() {
    return {simd::entry<Isa, round_rows<Isa>, const float*, std::size_t, std::size_t, std::size_t, float*>(),
            simd::entry<Isa, multiply_bf16_rows<Isa>, const bf16*, const bf16*, std::size_t, const float*, std::size_t,
                        float*>()};
}

/// @pre is_supported(set)
[[nodiscard]] inline bf16_loops bf16_loops_for(isa set) noexcept {
#if TOKENWORKS_ANY_X86_ASSEMBLY
    if(set == isa::avx512 && tokenworks::detail::this_processor().avx512_bf16) {
        return {
            simd::entry<simd::avx512, round_to_pairs, const float*, std::size_t, std::size_t, std::size_t, float*>(),
            simd::entry<simd::avx512, multiply_native_pairs, const bf16*, const bf16*, std::size_t, const float*,
                        std::size_t, float*>()};
    }
#endif
    return simd::with_tag(set, []<class Isa>() { return bf16_loops_on<Isa>(); });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
