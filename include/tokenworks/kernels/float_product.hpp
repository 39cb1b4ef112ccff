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
    /// The same for two panels, whose factor is loaded once.
    TOKENWORKS_INLINE void add_both(const vector& w, const vector& w2, vector& sum, vector& sum2, const float* row,
                                    std::size_t k) const {
        const vector factor = vector::broadcast(row[k]);
        sum = fma(w, factor, sum);
        sum2 = fma(w2, factor, sum2);
    }
    TOKENWORKS_INLINE void ask_ahead(std::size_t k) const {
        __builtin_prefetch(panel + simd::lanes * (k + float_block)); // a few rows do not hide the memory's distance
    }
};

/// Adds `columns` columns of one or two panels [columns][16] times `tokens` rows of x to each one's total [tokens][16].
/// @pre  the columns start at a multiple of 128, and end at one or at K
template <class W>
struct float_product {
    struct sums {
        const W* panel;
        float* total;
    };

    template <class Isa>
    struct kernel {
        static TOKENWORKS_INLINE void run(const sums* first, const sums* second, std::size_t columns, const float* x,
                                          std::size_t stride, std::size_t tokens) noexcept {
            for(std::size_t k = 0; k < columns; k += float_block) {
                const std::size_t count = columns - k < float_block ? columns - k : float_block;
                const float_columns<Isa, W> block{first->panel + simd::lanes * k};
                if(second == nullptr) {
                    chained_block_rows<Isa>(block, count, x + k, stride, tokens, first->total);
                } else {
                    chained_block_rows<Isa>({block, {second->panel + simd::lanes * k}}, count, x + k, stride, tokens,
                                            first->total, second->total);
                }
            }
        }
    };

    /// @param second  null: one panel alone
    static void run(isa set, const sums& first, const sums* second, std::size_t columns, const float* x,
                    std::size_t stride, std::size_t tokens) noexcept;
};

#if TOKENWORKS_DEFINITIONS

template <class W>
void float_product<W>::run(isa set, const sums& first, const sums* second, std::size_t columns, const float* x,
                           std::size_t stride, std::size_t tokens) noexcept {
    simd::dispatch<kernel>(set, &first, second, columns, x, stride, tokens);
}

#endif
#if TOKENWORKS_INSTANCES

template struct float_product<float>;
template struct float_product<f16>;
template struct float_product<bf16>;

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
