// Panels of floats times float activations.
//
//   total[t][row] += sum_k w[k][row] * x[t][k]
// in a fixed order: columns in blocks of 128; within a block four chains (k mod 4), each one fused multiply-add after
// the other, joined as (c0 + c1) + (c2 + c3); blocks added to the total one by one. Long rows so lose no more than a
// factor of K / 128 of precision, and one token has four chains in flight. Many tokens run chain by chain instead, each
// with its own accumulator: the same additions in the same order, hence the same bits.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/simd.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

inline constexpr std::size_t float_block = 128;

template <class Isa>
inline constexpr std::size_t tokens_at_once = 2;
template <>
inline constexpr std::size_t tokens_at_once<simd::avx512> = 12;
template <>
inline constexpr std::size_t tokens_at_once<simd::avx2> = 6;
template <>
inline constexpr std::size_t tokens_at_once<simd::neon> = 4;

/// One block of up to 128 columns, one token.
template <class Isa, class W>
TOKENWORKS_INLINE void float_block_one(const W* panel, std::size_t columns, const float* x, float* total) noexcept {
    using vector = simd::f32x16<Isa>;
    vector c[4] = {vector::zero(), vector::zero(), vector::zero(), vector::zero()};
    std::size_t k = 0;
    for(; k + 4 <= columns; k += 4) {
        TOKENWORKS_UNROLL(4)
        for(std::size_t i = 0; i < 4; ++i) {
            c[i] = fma(vector::load(panel + 16 * (k + i)), x[k + i], c[i]);
        }
    }
    TOKENWORKS_UNROLL(3)
    for(std::size_t i = 0; i < 3; ++i) {
        if(k + i < columns) {
            c[i] = fma(vector::load(panel + 16 * (k + i)), x[k + i], c[i]);
        }
    }
    const vector sum = vector::load(static_cast<const float*>(total)) + ((c[0] + c[1]) + (c[2] + c[3]));
    sum.store(total);
}

/// One block, `Tokens` tokens.
template <class Isa, std::size_t Tokens, class W>
TOKENWORKS_INLINE void float_block_many(const W* panel, std::size_t columns, const float* x, std::size_t stride,
                                        float* total) noexcept {
    using vector = simd::f32x16<Isa>;
    vector joined[2][Tokens];
    for(std::size_t chain = 0; chain < 4; ++chain) {
        vector c[Tokens];
        TOKENWORKS_UNROLL(16)
        for(std::size_t t = 0; t < Tokens; ++t) {
            c[t] = vector::zero();
        }
        for(std::size_t k = chain; k < columns; k += 4) {
            __builtin_prefetch(panel + 16 * (k + float_block)); // a few tokens do not hide the memory's distance
            const vector w = vector::load(panel + 16 * k);
            TOKENWORKS_UNROLL(16)
            for(std::size_t t = 0; t < Tokens; ++t) {
                c[t] = fma(w, x[t * stride + k], c[t]);
            }
        }
        TOKENWORKS_UNROLL(16)
        for(std::size_t t = 0; t < Tokens; ++t) {
            joined[chain / 2][t] = chain % 2 == 0 ? c[t] : joined[chain / 2][t] + c[t];
        }
    }
    TOKENWORKS_UNROLL(16)
    for(std::size_t t = 0; t < Tokens; ++t) {
        float* const to = total + 16 * t;
        const vector sum = vector::load(static_cast<const float*>(to)) + (joined[0][t] + joined[1][t]);
        sum.store(to);
    }
}

/// Adds `columns` columns of a panel [columns][16] times `tokens` rows of x to total [tokens][16].
/// @pre  the columns start at a multiple of 128, and end at one or at K
template <class W>
struct float_product {
    template <class Isa>
    struct kernel {
        static TOKENWORKS_INLINE void run(const W* panel, std::size_t columns, const float* x, std::size_t stride,
                                          std::size_t tokens, float* total) noexcept {
            constexpr std::size_t most = tokens_at_once<Isa>;
            for(std::size_t k = 0; k < columns; k += float_block) {
                const std::size_t count = columns - k < float_block ? columns - k : float_block;
                const W* const w = panel + 16 * k;
                std::size_t t = 0;
                for(; t + most <= tokens; t += most) {
                    float_block_many<Isa, most>(w, count, x + t * stride + k, stride, total + 16 * t);
                }
                if constexpr(most > 4) {
                    for(; t + 4 <= tokens; t += 4) {
                        float_block_many<Isa, 4>(w, count, x + t * stride + k, stride, total + 16 * t);
                    }
                }
                for(; t < tokens; ++t) {
                    float_block_one<Isa>(w, count, x + t * stride + k, total + 16 * t);
                }
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
