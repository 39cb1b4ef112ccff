// One row of activations times rows of float weights as they lie in memory, without packing them first.
//
// The sums are those of float_product.hpp: four chains are the four lanes of a register, and each row has its own. So
// the bits are those of packed weights, and a step of a small model with weights of static shape costs no packing.
#pragma once

#include <algorithm>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/cpu.hpp>
#include <tokenworks/kernels/float_product.hpp>

#if TOKENWORKS_X86
#include <immintrin.h>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// acc[row] += sum_k w[row][k] * x[k], for 1 to 16 rows.
/// @param stride  of w, in floats
using row_dots_function = void (*)(const float* w, std::size_t stride, std::size_t rows, const float* x,
                                   std::size_t columns, float* acc);

/// Null where that instruction set has no such loop.
[[nodiscard]] TOKENWORKS_FUNCTION row_dots_function row_dots_for(isa set) noexcept;

#if TOKENWORKS_DEFINITIONS

#if TOKENWORKS_X86

TOKENWORKS_TARGET_AVX2 inline void row_dots_avx2(const float* w, std::size_t stride, std::size_t rows, const float* x,
                                                 std::size_t columns, float* acc) {
    for(std::size_t first = 0; first < rows; first += 8) {
        const float* row[8]; // where there are fewer, the last again
        for(std::size_t i = 0; i < 8; ++i) {
            row[i] = w + std::min(first + i, rows - 1) * stride;
        }
        __m128 total[2] = {_mm_setzero_ps(), _mm_setzero_ps()};
        for(std::size_t block = 0; block < columns; block += float_block) {
            const std::size_t end = std::min(columns, block + float_block);
            __m128 chains[8];
            TOKENWORKS_UNROLL(8)
            for(std::size_t i = 0; i < 8; ++i) {
                chains[i] = _mm_setzero_ps();
            }
            std::size_t k = block;
            for(; k + 4 <= end; k += 4) {
                const __m128 factor = _mm_loadu_ps(x + k);
                TOKENWORKS_UNROLL(8)
                for(std::size_t i = 0; i < 8; ++i) {
                    chains[i] = _mm_fmadd_ps(_mm_loadu_ps(row[i] + k), factor, chains[i]);
                }
            }
            if(k < end) {
                const __m128i wanted =
                    _mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(end - k)), _mm_setr_epi32(0, 1, 2, 3));
                const __m128 factor = _mm_maskload_ps(x + k, wanted);
                TOKENWORKS_UNROLL(8)
                for(std::size_t i = 0; i < 8; ++i) {
                    chains[i] = _mm_fmadd_ps(_mm_maskload_ps(row[i] + k, wanted), factor, chains[i]);
                }
            }
            TOKENWORKS_UNROLL(2)
            for(std::size_t i = 0; i < 2; ++i) {
                const __m128 joined = _mm_hadd_ps(_mm_hadd_ps(chains[4 * i], chains[4 * i + 1]),
                                                  _mm_hadd_ps(chains[4 * i + 2], chains[4 * i + 3]));
                total[i] = _mm_add_ps(total[i], joined);
            }
        }
        float sums[8];
        _mm_storeu_ps(sums, total[0]);
        _mm_storeu_ps(sums + 4, total[1]);
        for(std::size_t i = first; i < std::min(rows, first + 8); ++i) {
            acc[i] += sums[i - first];
        }
    }
}

#endif

TOKENWORKS_FUNCTION row_dots_function row_dots_for(isa set) noexcept {
#if TOKENWORKS_X86
    if(set == isa::avx2 || set == isa::avx512 || set == isa::amx) {
        return row_dots_avx2;
    }
#endif
    static_cast<void>(set);
    return nullptr;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
