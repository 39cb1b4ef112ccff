// Panels of bf16 weights, or of parts of float weights, times float activations on the tile registers of AMX.
//
// Tiles multiply bf16, whose products are exact in float. A float is the sum of three bf16, 8 bits of its 24 each:
//   x w = x1 w + x2 w + x3 w
// so that three products of tiles are one of floats, at two to three times the speed of fused multiply-adds. Where the
// activations are rounded to bf16 (medium precision), one is enough. Where the weights are floats too, their parts are
// packed, and of the nine products the six largest are added:
//   x w = x1 w1 + x2 w1 + x3 w1 + x2 w2 + x1 w2 + x1 w3
// The order of a sum: columns in blocks of 32; of a block the products above, one after the other; of each the even
// columns in one chain, the odd ones in another, from zero on, each step rounded once, and the sum of both is added. It
// is the same for many rows and for one, which vectors multiply to the same bits where the weights are bf16: tiles
// would be fifteen sixteenths empty, and slower than the memory. Parts below 1e-38 count as zero; a row with an
// infinity gives NaN.
#pragma once

#include <tokenworks/config.hpp>

#if TOKENWORKS_X86

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <immintrin.h>

#include <tokenworks/core/float16.hpp>
#include <tokenworks/kernels/panel_format.hpp>
#include <tokenworks/kernels/tile_registers.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

/// Panels of bf16 in pairs of columns [pairs][16][2], times rounded activations.
struct bf16_pair {
    bf16 value[2];
};

/// A pair of columns of one part, in panels of parts (panel_format.hpp).
struct part_pair {
    bf16 value[2];
};

/// Bf16 parts that a weight is.
template <class W>
inline constexpr std::size_t weight_parts = std::is_same_v<W, part_pair> ? 3 : 1;

/// Bf16 parts that an activation becomes.
template <class W>
inline constexpr std::size_t row_parts = std::is_same_v<W, bf16_pair> ? 1 : 3;

inline constexpr std::size_t tile_columns = 32;                       ///< of a block
inline constexpr std::size_t tile_values = panel_rows * tile_columns; ///< of a block's weights

/// The next bf16 of what is left of 32 values, first[i] and second[i]: the upper halves of their bits, in an order of
/// words; and what is then left of them.
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE void take_part(__m512& first, __m512& second, const __m512i& order,
                                                       __m512i& part) noexcept {
    const __m512i mask = _mm512_set1_epi32(-65536);
    const __m512i bits[2] = {_mm512_castps_si512(first), _mm512_castps_si512(second)};
    part = _mm512_permutex2var_epi16(bits[0], order, bits[1]);
    first = _mm512_sub_ps(first, _mm512_castsi512_ps(_mm512_and_si512(bits[0], mask)));
    second = _mm512_sub_ps(second, _mm512_castsi512_ps(_mm512_and_si512(bits[1], mask)));
}

/// Columns of up to 32 rows as tiles want them, [blocks][parts][tokens][32] bf16; behind the last column are zeros.
template <std::size_t Parts>
TOKENWORKS_TARGET_AMX TOKENWORKS_NOINLINE inline void split_rows(const float* x, std::size_t stride, std::size_t tokens,
                                                                 std::size_t columns, bf16* out) noexcept {
    alignas(64) std::uint16_t upper_halves[32];
    for(std::size_t i = 0; i < 32; ++i) {
        upper_halves[i] = static_cast<std::uint16_t>(2 * i + 1);
    }
    const __m512i order = _mm512_load_si512(upper_halves);
    for(std::size_t k = 0; k < columns; k += tile_columns) {
        const std::size_t count = std::min(tile_columns, columns - k);
        const auto wanted = static_cast<std::uint32_t>((std::uint64_t{1} << count) - 1);
        bf16* const block = out + k * tokens * Parts;
        for(std::size_t t = 0; t < tokens; ++t) {
            const float* const row = x + t * stride + k;
            __m512 first = _mm512_maskz_loadu_ps(static_cast<__mmask16>(wanted & 0xffffU), row);
            __m512 second = _mm512_maskz_loadu_ps(static_cast<__mmask16>(wanted >> 16U), row + 16);
            if constexpr(Parts == 1) {
                __m512i rounded;
                __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(rounded) : "v"(first), "v"(second));
                _mm512_storeu_si512(block + t * tile_columns, rounded);
            } else {
                TOKENWORKS_UNROLL(3)
                for(std::size_t part = 0; part < Parts; ++part) {
                    __m512i bits;
                    take_part(first, second, order, bits);
                    _mm512_storeu_si512(block + (part * tokens + t) * tile_columns, bits);
                }
            }
        }
    }
}

/// Columns that an element of a panel has.
template <class W>
inline constexpr std::size_t element_columns = std::is_same_v<W, bf16_pair> ? 2 : 1;

/// The order of words that makes pairs of two columns of 16 rows.
TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE __m512i pairing_order() noexcept {
    alignas(64) std::uint16_t words[32];
    for(std::size_t i = 0; i < 16; ++i) {
        words[2 * i] = static_cast<std::uint16_t>(i);
        words[2 * i + 1] = static_cast<std::uint16_t>(16 + i);
    }
    return _mm512_load_si512(words);
}

/// Columns k … k + 31 of a panel, where they lie, or in `last` with zeros behind the last one.
template <class W>
TOKENWORKS_INLINE const W* whole_block(const W* panel, std::size_t k, std::size_t columns, W* last) noexcept {
    constexpr std::size_t step = element_columns<W>;
    const W* const from = panel + k / step * panel_rows;
    if(columns - k >= tile_columns) {
        return from;
    }
    const std::size_t there = (columns - k + step - 1) / step * panel_rows;
    std::memset(static_cast<void*>(last), 0, tile_values / step * sizeof(W));
    std::memcpy(static_cast<void*>(last), from, there * sizeof(W));
    return last;
}

/// Columns of a panel as tiles want them, [blocks][16 pairs of columns][16 rows][2] bf16; behind the last are zeros.
/// @param panel  [columns][16] of bf16, or [pairs][16] of bf16_pair
template <class W>
TOKENWORKS_TARGET_AMX TOKENWORKS_NOINLINE void pair_columns(const W* panel, std::size_t columns, bf16* out) noexcept {
    constexpr std::size_t step = element_columns<W>;
    const __m512i order = pairing_order();
    alignas(64) W last[tile_values / step];
    for(std::size_t k = 0; k < columns; k += tile_columns, out += tile_values) {
        const W* const from = whole_block(panel, k, columns, static_cast<W*>(last));
        TOKENWORKS_UNROLL(4)
        for(std::size_t pair = 0; pair < 16; ++pair) {
            __m512i both = _mm512_loadu_si512(from + 2 / step * pair * panel_rows);
            if constexpr(step == 1) {
                both = _mm512_permutexvar_epi16(order, both);
            }
            _mm512_storeu_si512(out + pair * 2 * panel_rows, both);
        }
    }
}

/// Values smaller than floats have them at full precision count as zero, as tiles take them, while this lives.
class tiny_as_zero {
public:
    tiny_as_zero() noexcept : before_{_mm_getcsr()} { _mm_setcsr(before_ | 0x8040U); }
    tiny_as_zero(const tiny_as_zero&) = delete;
    tiny_as_zero& operator=(const tiny_as_zero&) = delete;
    ~tiny_as_zero() { _mm_setcsr(before_); }

private:
    unsigned before_;
};

/// The parts of a row as floats, [blocks][parts][32]; behind the last column are zeros.
template <std::size_t Parts>
TOKENWORKS_TARGET_AMX TOKENWORKS_NOINLINE inline void split_row(const float* x, std::size_t columns,
                                                                float* out) noexcept {
    const __m512i mask = _mm512_set1_epi32(-65536);
    for(std::size_t k = 0; k < (columns + 31) / 32 * 32; k += 16) {
        const std::size_t count = k < columns ? std::min<std::size_t>(16, columns - k) : 0;
        __m512 left = _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), x + k);
        float* const to = out + k / tile_columns * Parts * tile_columns + k % tile_columns;
        if constexpr(Parts == 1) {
            __m256i rounded;
            __asm__("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(left));
            _mm512_storeu_si512(to, _mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, rounded), 16));
        } else {
            TOKENWORKS_UNROLL(3)
            for(std::size_t part = 0; part < Parts; ++part) {
                const __m512 upper = _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(left), mask));
                _mm512_storeu_ps(to + part * tile_columns, upper);
                left = _mm512_sub_ps(left, upper);
            }
        }
    }
}

/// Adds columns of a panel times one row to total [16], to the bits of tiles.
/// @param panel  as pair_columns takes it   @param x  as split_row makes it
/// @pre  tiny_as_zero lives
template <class W>
TOKENWORKS_TARGET_AMX TOKENWORKS_NOINLINE void add_one_row(const W* panel, std::size_t columns, const float* x,
                                                           float* total) noexcept {
    constexpr std::size_t step = element_columns<W>;
    constexpr std::size_t parts = row_parts<W>;
    const __m512i order = pairing_order();
    const __m512i mask = _mm512_set1_epi32(-65536);
    alignas(64) W last[tile_values / step];
    __m512 sum = _mm512_loadu_ps(total);
    for(std::size_t k = 0; k < columns; k += tile_columns, x += parts * tile_columns) {
        const W* const from = whole_block(panel, k, columns, static_cast<W*>(last));
        __m512 chains[parts][2];
        for(std::size_t part = 0; part < parts; ++part) {
            chains[part][0] = chains[part][1] = _mm512_setzero_ps();
        }
        TOKENWORKS_UNROLL(16)
        for(std::size_t pair = 0; pair < 16; ++pair) {
            const W* const at = from + 2 / step * pair * panel_rows;
            __builtin_prefetch(at + tile_values / step); // the next block: memory is far
            __m512i both = _mm512_loadu_si512(at);
            if constexpr(step == 1) {
                both = _mm512_permutexvar_epi16(order, both);
            }
            const __m512 even = _mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xffff, both, 16));
            const __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(both, mask));
            for(std::size_t part = 0; part < parts; ++part) {
                const float* const of_part = x + part * tile_columns + 2 * pair;
                chains[part][0] = _mm512_fmadd_ps(even, _mm512_set1_ps(of_part[0]), chains[part][0]);
                chains[part][1] = _mm512_fmadd_ps(odd, _mm512_set1_ps(of_part[1]), chains[part][1]);
            }
        }
        for(std::size_t part = 0; part < parts; ++part) {
            sum = _mm512_add_ps(sum, _mm512_add_ps(chains[part][0], chains[part][1]));
        }
    }
    _mm512_storeu_ps(total, sum);
}

/// The registers: sums of two panels times two tiles of rows, then the rows, then the weights.
struct float_tile {
    static constexpr int sums(int panel, int tile) noexcept { return 2 * panel + tile; }
    static constexpr int rows(int tile) noexcept { return 4 + tile; }
    static constexpr int weights(int panel) noexcept { return 6 + panel; }
};

/// Shapes the tile registers for up to 32 rows.
inline void shape_float_tiles(std::size_t tokens) noexcept {
    tile_shapes shapes;
    const std::size_t counts[2] = {std::min<std::size_t>(tokens, 16), tokens > 16 ? tokens - 16 : 1};
    for(int i = 0; i < 2; ++i) {
        shapes.set(float_tile::rows(i), counts[i], 64);
        shapes.set(float_tile::sums(0, i), counts[i], 64);
        shapes.set(float_tile::sums(1, i), counts[i], 64);
        shapes.set(float_tile::weights(i), 16, 64);
    }
    shapes.load();
}

/// Products of Panels panels with Tiles tiles of rows, whose sums stay in registers from begin to end.
template <class W, int Panels, int Tiles>
struct float_tile_loops {
    static constexpr std::size_t tile_size = 16 * panel_rows;
    static constexpr std::size_t panel_size = 2 * tile_size; ///< values from panel to panel in acc

    /// acc [panel][32][16], which the sums go on from
    TOKENWORKS_TARGET_AMX TOKENWORKS_NOINLINE static void begin(const float* acc) noexcept {
        load_tile<float_tile::sums(0, 0)>(acc, 64);
        if constexpr(Tiles == 2) {
            load_tile<float_tile::sums(0, 1)>(acc + tile_size, 64);
        }
        if constexpr(Panels == 2) {
            load_tile<float_tile::sums(1, 0)>(acc + panel_size, 64);
        }
        if constexpr(Panels == 2 && Tiles == 2) {
            load_tile<float_tile::sums(1, 1)>(acc + panel_size + tile_size, 64);
        }
    }

    TOKENWORKS_TARGET_AMX TOKENWORKS_NOINLINE static void end(float* acc) noexcept {
        store_tile<float_tile::sums(0, 0)>(acc);
        if constexpr(Tiles == 2) {
            store_tile<float_tile::sums(0, 1)>(acc + tile_size);
        }
        if constexpr(Panels == 2) {
            store_tile<float_tile::sums(1, 0)>(acc + panel_size);
        }
        if constexpr(Panels == 2 && Tiles == 2) {
            store_tile<float_tile::sums(1, 1)>(acc + panel_size + tile_size);
        }
    }

    TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE static void load_rows(const bf16* x) noexcept {
        load_tile<float_tile::rows(0)>(x, 64);
        if constexpr(Tiles == 2) {
            load_tile<float_tile::rows(1)>(x + 16 * tile_columns, 64);
        }
    }
    TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE static void load_weights(const bf16* const* w, std::size_t at) noexcept {
        load_tile<float_tile::weights(0)>(w[0] + at, 64);
        if constexpr(Panels == 2) {
            load_tile<float_tile::weights(1)>(w[1] + at, 64);
        }
    }
    TOKENWORKS_TARGET_AMX TOKENWORKS_INLINE static void multiply() noexcept {
        using tile = float_tile;
        add_bf16_tiles<tile::sums(0, 0), tile::rows(0), tile::weights(0)>();
        if constexpr(Panels == 2) {
            add_bf16_tiles<tile::sums(1, 0), tile::rows(0), tile::weights(1)>();
        }
        if constexpr(Tiles == 2) {
            add_bf16_tiles<tile::sums(0, 1), tile::rows(1), tile::weights(0)>();
        }
        if constexpr(Panels == 2 && Tiles == 2) {
            add_bf16_tiles<tile::sums(1, 1), tile::rows(1), tile::weights(1)>();
        }
    }

    /// @param x  as split_rows makes them   @param w  [panel], each as pair_columns makes it, or of parts
    TOKENWORKS_TARGET_AMX TOKENWORKS_NOINLINE static void add(const bf16* x, std::size_t tokens, const bf16* const* w,
                                                              std::size_t blocks) noexcept {
        const std::size_t part = tokens * tile_columns;
        for(std::size_t b = 0; b < blocks; ++b) {
            const std::size_t at = b * weight_parts<W> * tile_values;
            load_weights(w, at);
            for(std::size_t i = 0; i < row_parts<W>; ++i) {
                load_rows(x + i * part);
                multiply();
            }
            if constexpr(weight_parts<W> == 3) { // as few tiles as can be are loaded anew
                load_rows(x + part);
                load_weights(w, at + tile_values);
                multiply();
                load_rows(x);
                multiply();
                load_weights(w, at + 2 * tile_values);
                multiply();
            }
            x += row_parts<W> * part;
        }
    }
};

/// What multiply_by_tiles keeps on the stack.
template <class W>
struct float_tile_pieces {
    static constexpr std::size_t tile = 32;      ///< tokens
    static constexpr std::size_t together = 16;  ///< panels
    static constexpr std::size_t columns = 128;  ///< of a piece of weights
    static constexpr std::size_t row_blocks = 4; ///< of 32 rows; of fewer rows as many more

    alignas(64) float acc[together][tile * panel_rows] = {};
    alignas(64) bf16 x[row_blocks * row_parts<W> * tile * tile_columns];
    alignas(64) bf16 w[2][2][columns * panel_rows]; ///< in turns, of two panels
    alignas(64) W scratch[columns * panel_rows];    ///< for get_panel
};

/// Parts lie ready for tiles.
template <>
struct float_tile_pieces<part_pair> {
    static constexpr std::size_t tile = 32;
    static constexpr std::size_t together = 16;
    static constexpr std::size_t row_blocks = 16;

    alignas(64) float acc[together][tile * panel_rows] = {};
    alignas(64) bf16 x[row_blocks * row_parts<part_pair> * tile * tile_columns];
};

/// Adds columns [first, last) of one or two panels to their sums: pieces of weights that do not lie ready are made so
/// while those before them are multiplied.
template <class W, int Panels, int Tiles, class GetPanel>
void add_panels_by_tiles(float_tile_pieces<W>& piece, const GetPanel& get_panel, std::size_t p, float* acc,
                         std::size_t tokens, std::size_t first, std::size_t last) {
    using loops = float_tile_loops<W, Panels, Tiles>;
    const auto blocks = [](std::size_t from, std::size_t to) { return (to - from + tile_columns - 1) / tile_columns; };
    loops::begin(acc);
    if constexpr(std::is_same_v<W, part_pair>) {
        const bf16* w[2];
        for(std::size_t i = 0; i < Panels; ++i) {
            w[i] = reinterpret_cast<const bf16*>(get_panel(p + i, first, last, static_cast<W*>(nullptr)));
        }
        loops::add(piece.x, tokens, static_cast<const bf16* const*>(w), blocks(first, last));
    } else {
        constexpr std::size_t step = float_tile_pieces<W>::columns;
        const auto prepare = [&](std::size_t k, std::size_t turn) {
            const std::size_t until = std::min(last, k + step);
            for(std::size_t i = 0; i < Panels; ++i) {
                pair_columns(get_panel(p + i, k, until, static_cast<W*>(piece.scratch)), until - k,
                             static_cast<bf16*>(piece.w[turn][i]));
            }
        };
        prepare(first, 0);
        std::size_t turn = 0;
        for(std::size_t k = first; k < last; k += step, turn = 1 - turn) {
            if(k + step < last) {
                prepare(k + step, 1 - turn);
            }
            const bf16* const w[2] = {piece.w[turn][0], piece.w[turn][1]};
            loops::add(piece.x + (k - first) * row_parts<W> * tokens, tokens, w, blocks(k, std::min(last, k + step)));
        }
    }
    loops::end(acc);
}

/// Adds `tokens` rows (at most 32) of K columns times panels begin … end - 1 (at most 16) to piece.acc.
/// get_panel(p, k, until, scratch) yields columns [k, until) of a panel, of which k is a multiple of 128.
template <class W, class GetPanel>
void multiply_by_tiles(float_tile_pieces<W>& piece, const float* x, std::size_t stride, std::size_t tokens,
                       std::size_t columns, const GetPanel& get_panel, std::size_t begin, std::size_t end) {
    using pieces = float_tile_pieces<W>;
    constexpr std::size_t step = 128;
    const std::size_t span = pieces::row_blocks * pieces::tile / tokens * tile_columns / step * step;
    shape_float_tiles(tokens);
    for(std::size_t first = 0; first < columns; first += span) {
        const std::size_t last = std::min(columns, first + span);
        split_rows<row_parts<W>>(x + first, stride, tokens, last - first, static_cast<bf16*>(piece.x));
        for(std::size_t p = begin; p < end; p += 2) {
            auto* const acc = static_cast<float*>(piece.acc[p - begin]);
            if(p + 1 < end) {
                if(tokens > 16) {
                    add_panels_by_tiles<W, 2, 2>(piece, get_panel, p, acc, tokens, first, last);
                } else {
                    add_panels_by_tiles<W, 2, 1>(piece, get_panel, p, acc, tokens, first, last);
                }
            } else if(tokens > 16) {
                add_panels_by_tiles<W, 1, 2>(piece, get_panel, p, acc, tokens, first, last);
            } else {
                add_panels_by_tiles<W, 1, 1>(piece, get_panel, p, acc, tokens, first, last);
            }
        }
    }
    release_tiles();
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail

#endif
