// Panels of floats times float activations.
//
//   total[t][row] += sum_k w[k][row] * x[t][k]
// in a fixed order: columns in blocks of 128, each in the order of chained_block.hpp with a column a step, one fused
// multiply-add; blocks added to the total one by one. Long rows so lose no more than a factor of K / 128 of precision.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/chained_block.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

inline constexpr std::size_t float_block = 128;

/// Columns of a block as steps of its chains.
template <class Isa, class W>
struct float_columns {
    using vector = simd::f32x16<Isa>;

    const W* panel;

    TOKENWORKS_INLINE vector load(std::size_t k) const { return vector::load(panel + simd::lanes * k); }
    TOKENWORKS_INLINE void add(const vector& w, vector& sum, const float* row, std::size_t k) const {
        sum = fma(w, row[k], sum);
    }
    TOKENWORKS_INLINE void ask_ahead(std::size_t k) const {
        __builtin_prefetch(panel + simd::lanes * (k + float_block)); // a few rows do not hide the memory's distance
    }
};

/// Adds `columns` columns of a panel [columns][16] times `tokens` rows of x to total [tokens][16].
/// @pre  the columns start at a multiple of 128, and end at one or at K
template <class W>
struct float_product {
    template <class Isa>
    struct kernel {
        static TOKENWORKS_INLINE void run(const W* panel, std::size_t columns, const float* x, std::size_t stride,
                                          std::size_t tokens, float* total) noexcept {
            for(std::size_t k = 0; k < columns; k += float_block) {
                const std::size_t count = columns - k < float_block ? columns - k : float_block;
                const float_columns<Isa, W> block{panel + simd::lanes * k};
                chained_block_rows<Isa>(block, count, x + k, stride, tokens, total);
            }
        }
    };

    static void run(isa set, const W* panel, std::size_t columns, const float* x, std::size_t stride,
                    std::size_t tokens, float* total) noexcept;
};

#if TOKENWORKS_DEFINITIONS

template <class W>
void float_product<W>::run(isa set, const W* panel, std::size_t columns, const float* x, std::size_t stride,
                           std::size_t tokens, float* total) noexcept {
    simd::dispatch<kernel>(set, panel, columns, x, stride, tokens, total);
}

#endif
#if TOKENWORKS_INSTANCES

template struct float_product<float>;
template struct float_product<f16>;
template struct float_product<bf16>;

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
