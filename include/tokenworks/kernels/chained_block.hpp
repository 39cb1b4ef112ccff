// The loop that products with weights of floating point share: a block of one panel, or of two side by side, times a
// few rows of activations.
//
// A block is a run of steps, each a column of 16 weights or a pair of columns. Its sum has a fixed order: four chains
// (step mod 4), each one addition after the other, joined as (c0 + c1) + (c2 + c3) and added to the total. One row has
// all four chains in flight and reads the panel once from front to back; many rows go chain by chain, or two chains at
// a time, each row and panel with accumulators of its own: the same additions in the same order, hence the same bits.
// Two panels share what is loaded of the rows: a load for two multiplications, where one panel needs one for each and
// waits for the loads of some processors.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// So many rows at once, with so many chains in flight: as the registers allow.
struct row_group {
    std::size_t rows;
    std::size_t chains;
};

template <class Isa>
inline constexpr row_group row_groups[] = {{2, 1}, {1, 4}};
template <>
inline constexpr row_group row_groups<simd::avx512>[] = {{12, 1}, {8, 2}, {4, 4}, {2, 4}, {1, 4}};
template <>
inline constexpr row_group row_groups<simd::avx2>[] = {{6, 1}, {4, 1}, {1, 4}};
template <>
inline constexpr row_group row_groups<simd::neon>[] = {{4, 1}, {1, 4}};

/// Rows that two panels are multiplied with at once; what is left over goes panel by panel.
template <class Isa>
inline constexpr row_group pair_groups[] = {{0, 1}};
template <>
inline constexpr row_group pair_groups<simd::avx512>[] = {{12, 1}, {8, 1}, {4, 2}, {0, 1}};

/// Adds a block of each panel to its total [rows][16].
/// @tparam Weights  has load(step); add(loaded, sum, row of x, step), which continues a chain; and ask_ahead(step)
/// @param x         the block's first column of the first row; rows are `stride` apart
/// @param ask       ask for what comes behind the block
template <class Isa, row_group Group, std::size_t Panels, class Weights>
TOKENWORKS_INLINE void chained_block(const Weights (&weights)[Panels], std::size_t steps, const float* x,
                                     std::size_t stride, float* const (&total)[Panels], bool ask) {
    using vector = simd::f32x16<Isa>;
    constexpr std::size_t chains = Group.chains;
    vector joined[2][Panels][Group.rows];
    std::size_t asked = 0; // memory is asked for in order, whatever the order of the chains: so processors expect it
    for(std::size_t chain = 0; chain < 4; chain += chains) {
        vector sum[chains][Panels][Group.rows];
        TOKENWORKS_UNROLL(4)
        for(std::size_t i = 0; i < chains; ++i) {
            TOKENWORKS_UNROLL(2)
            for(std::size_t p = 0; p < Panels; ++p) {
                TOKENWORKS_UNROLL(16)
                for(std::size_t row = 0; row < Group.rows; ++row) {
                    sum[i][p][row] = vector::zero();
                }
            }
        }
        const auto add_step = [&](std::size_t step, std::size_t i) __attribute__((always_inline)) {
            if constexpr(Panels == 1) {
                const auto w = weights[0].load(step);
                TOKENWORKS_UNROLL(16)
                for(std::size_t row = 0; row < Group.rows; ++row) {
                    weights[0].add(w, sum[i][0][row], x + row * stride, step);
                }
            } else {
                const auto first = weights[0].load(step);
                const auto second = weights[1].load(step);
                TOKENWORKS_UNROLL(16)
                for(std::size_t row = 0; row < Group.rows; ++row) {
                    weights[0].add_both(first, second, sum[i][0][row], sum[i][1][row], x + row * stride, step);
                }
            }
        };
        std::size_t step = chain;
        for(; step + chains <= steps; step += 4) {
            TOKENWORKS_UNROLL(4)
            for(std::size_t i = 0; i < chains; ++i) {
                if(ask) {
                    TOKENWORKS_UNROLL(2)
                    for(std::size_t p = 0; p < Panels; ++p) {
                        weights[p].ask_ahead(asked);
                    }
                    ++asked;
                }
                add_step(step + i, i);
            }
        }
        TOKENWORKS_UNROLL(4)
        for(std::size_t i = 0; i < chains; ++i) {
            if(step + i < steps) {
                add_step(step + i, i);
            }
        }
        TOKENWORKS_UNROLL(2)
        for(std::size_t p = 0; p < Panels; ++p) {
            TOKENWORKS_UNROLL(16)
            for(std::size_t row = 0; row < Group.rows; ++row) {
                if constexpr(chains == 4) {
                    joined[0][p][row] = sum[0][p][row] + sum[1][p][row];
                    joined[1][p][row] = sum[2][p][row] + sum[3][p][row];
                } else if constexpr(chains == 2) {
                    joined[chain / 2][p][row] = sum[0][p][row] + sum[1][p][row];
                } else {
                    vector& both = joined[chain / 2][p][row];
                    both = chain % 2 == 0 ? sum[0][p][row] : both + sum[0][p][row];
                }
            }
        }
    }
    TOKENWORKS_UNROLL(2)
    for(std::size_t p = 0; p < Panels; ++p) {
        TOKENWORKS_UNROLL(16)
        for(std::size_t row = 0; row < Group.rows; ++row) {
            float* const to = total[p] + simd::lanes * row;
            const vector sum = vector::load(static_cast<const float*>(to)) + (joined[0][p][row] + joined[1][p][row]);
            sum.store(to);
        }
    }
}

/// The same for any number of rows, of one panel. The first rows ask for what comes behind the block.
template <class Isa, std::size_t Group = 0, class Weights>
TOKENWORKS_INLINE void chained_block_rows(const Weights& weights, std::size_t steps, const float* x, std::size_t stride,
                                          std::size_t rows, float* total, bool ask = true) {
    constexpr row_group group = row_groups<Isa>[Group];
    // Twelve and four take longer than twice eight.
    for(; rows >= group.rows && !(group.rows == 12 && rows == 16); rows -= group.rows) {
        chained_block<Isa, group, 1>({weights}, steps, x, stride, {total}, ask);
        ask = false;
        x += group.rows * stride;
        total += group.rows * simd::lanes;
    }
    if constexpr(group.rows > 1) {
        chained_block_rows<Isa, Group + 1>(weights, steps, x, stride, rows, total, ask);
    }
}

/// The same for any number of rows, of two panels.
template <class Isa, std::size_t Group = 0, class Weights>
TOKENWORKS_INLINE void chained_block_rows(const Weights (&weights)[2], std::size_t steps, const float* x,
                                          std::size_t stride, std::size_t rows, float* first, float* second,
                                          bool ask = true) {
    constexpr row_group group = pair_groups<Isa>[Group];
    if constexpr(group.rows == 0) {
        chained_block_rows<Isa>(weights[0], steps, x, stride, rows, first, ask);
        chained_block_rows<Isa>(weights[1], steps, x, stride, rows, second, ask);
    } else {
        for(; rows >= group.rows && !(group.rows == 12 && rows == 16); rows -= group.rows) {
            chained_block<Isa, group, 2>(weights, steps, x, stride, {first, second}, ask);
            ask = false;
            x += group.rows * stride;
            first += group.rows * simd::lanes;
            second += group.rows * simd::lanes;
        }
        chained_block_rows<Isa, Group + 1>(weights, steps, x, stride, rows, first, second, ask);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
