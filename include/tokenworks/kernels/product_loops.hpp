// How a product walks over panels and tokens: what is cut over threads, what stays in which cache, where results go.
//
// A tile of tokens meets a panel in one call of an inner loop, with accumulators [tokens][16] on the stack. Panels come
// in chunks that stay in the second-level cache while the tiles pass by, and a tile's activations stay in the first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/float16.hpp>
#include <tokenworks/core/function_ref.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/bf16_product.hpp>
#include <tokenworks/kernels/code_product.hpp>
#include <tokenworks/kernels/float_product.hpp>
#include <tokenworks/kernels/float_tiles.hpp>
#include <tokenworks/kernels/pack.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/kernels/panel_format.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>
#include <tokenworks/kernels/row_dots.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// Columns [begin_column, end_column) of rows [begin_row, end_row) of a product.
struct product_part {
    std::size_t begin_row;
    std::size_t end_row;
    std::size_t begin_column;
    std::size_t end_column;
};

/// What is to be done with a part of a product, on the thread that has made it and while it is in the cache.
using product_finish = function_ref<void(const product_part& part)>;

namespace detail {

/// Where results go.
struct product_output {
    float* out; ///< [T,N]
    std::size_t stride;
    std::size_t rows;  ///< N
    const float* bias; ///< [N], or null
    bool add;

    /// Moves acc [tokens][16] to columns 16 p … 16 p + 15 of rows t, t + 1, …, and clears it.
    void take(isa set, float* acc, std::size_t p, std::size_t t, std::size_t tokens) const noexcept;
};

/// Cuts tiles of tokens over the team where there are many, so that a member's rows stay in its cache from one
/// operation to the next, else panels; and calls part(first panel, end, tile) for chunks of panels and every tile.
template <class Part>
void for_each_part(const execution& how, std::size_t panels, std::size_t tiles, std::size_t grain, std::size_t chunk,
                   const Part& part) {
    const auto walk = [&](std::size_t begin, std::size_t end, std::size_t first_tile, std::size_t end_tile) {
        for(std::size_t from = begin; from < end; from += chunk) {
            for(std::size_t i = first_tile; i < end_tile; ++i) {
                part(from, std::min(end, from + chunk), i);
            }
        }
    };
    if(tiles > panels || tokenworks::detail::has_many_pieces(how, tiles)) {
        parallel_for(how, tiles, 1, [&](work_range range) { walk(0, panels, range.begin, range.end); });
    } else {
        parallel_for(how, panels, grain, [&](work_range range) { walk(range.begin, range.end, 0, tiles); });
    }
}

/// Panels that are worth a thread: about a microsecond of work.
[[nodiscard]] constexpr std::size_t panel_grain(std::size_t columns, std::size_t tokens) noexcept {
    return 1 + 4096 / (1 + columns * tokens);
}

/// Panels in a chunk.
[[nodiscard]] constexpr std::size_t panel_chunk(std::size_t panel_bytes, std::size_t chunk_bytes) noexcept {
    return 1 + chunk_bytes / (1 + panel_bytes);
}

/// Packed codes to multiply with, and where the result goes.
struct code_task {
    const packed_matrix* w = nullptr;
    product_output to{};
    const packed_matrix* beside = nullptr; ///< a matrix of as many rows whose columns are made together with those of w
    product_output beside_to{};
    std::size_t unit = 1;                  ///< panels that one thread makes in one go
    const product_finish* ready = nullptr; ///< called with what has been made, or null

    [[nodiscard]] std::size_t units() const noexcept { return (w->panels() + unit - 1) / unit; }
    [[nodiscard]] std::size_t unit_bytes() const noexcept {
        return unit * (w->panel_bytes() + (beside == nullptr ? 0 : beside->panel_bytes()));
    }
};

/// Quantised rows times packed codes, one matrix or several: their units are cut over the team as those of one.
TOKENWORKS_FUNCTION void multiply_codes(const quantized_rows& x, std::span<const code_task> tasks,
                                        const execution& how);

/// Float rows, wherever they lie.
struct float_rows {
    const float* data;
    std::size_t stride;
    std::size_t rows;
    std::size_t columns;
};

/// What multiply_floats keeps on the stack.
template <class W>
struct float_pieces {
    static constexpr std::size_t tile = 32; ///< tokens; so that a few hundred rows make tiles for every thread

    alignas(64) float acc[2][tile * panel_rows] = {};
    alignas(64) W scratch[2][float_block * panel_rows];
};

#if TOKENWORKS_X86

/// What multiply_row_as_tiles keeps on the stack.
template <class W>
struct row_pieces {
    static constexpr std::size_t together = 16;  ///< panels
    static constexpr std::size_t columns = 3072; ///< of the row

    alignas(64) float acc[together][panel_rows] = {};
    alignas(64) float x[columns * row_parts<W>];
    alignas(64) W scratch[float_block * panel_rows];
};

/// One float row times panels of bf16 or of pairs of them, to the bits of tiles.
template <class W, class GetPanel>
void multiply_row_as_tiles(const float_rows& x, std::size_t panels, const GetPanel& get_panel, const product_output& to,
                           const execution& how) {
    using pieces = row_pieces<W>;
    parallel_for(how, panels, panel_grain(x.columns, 1), [&](work_range part) {
        pieces piece;
        for(std::size_t begin = part.begin; begin < part.end; begin += pieces::together) {
            const std::size_t end = std::min(part.end, begin + pieces::together);
            for(std::size_t first = 0; first < x.columns; first += pieces::columns) {
                const tiny_as_zero guard;
                const std::size_t last = std::min(x.columns, first + pieces::columns);
                if(begin == part.begin || x.columns > pieces::columns) {
                    split_row<row_parts<W>>(x.data + first, last - first, static_cast<float*>(piece.x));
                }
                for(std::size_t p = begin; p < end; ++p) {
                    for(std::size_t k = first; k < last; k += float_block) {
                        const std::size_t until = std::min(last, k + float_block);
                        add_one_row(get_panel(p, k, until, static_cast<W*>(piece.scratch)), until - k,
                                    piece.x + (k - first) * row_parts<W>, static_cast<float*>(piece.acc[p - begin]));
                    }
                }
            }
            for(std::size_t p = begin; p < end; ++p) {
                to.take(how.set, static_cast<float*>(piece.acc[p - begin]), p, 0, 1);
            }
        }
    });
}

#endif

/// Float rows times panels of bf16 or of pairs of them, by tiles. get_panel as below, in steps of 128 columns.
template <class W, class GetPanel>
void multiply_floats_by_tiles([[maybe_unused]] const float_rows& x, [[maybe_unused]] std::size_t panels,
                              [[maybe_unused]] const GetPanel& get_panel, [[maybe_unused]] const product_output& to,
                              [[maybe_unused]] const execution& how) {
#if TOKENWORKS_X86
    if constexpr(weight_parts<W> == 1) {
        if(x.rows == 1) {
            return multiply_row_as_tiles<W>(x, panels, get_panel, to, how);
        }
    }
    using pieces = float_tile_pieces<W>;
    constexpr std::size_t tile = pieces::tile;
    const auto part = [&](std::size_t begin, std::size_t end, std::size_t i) {
        pieces piece;
        const std::size_t tokens = std::min(tile, x.rows - i * tile);
        multiply_by_tiles<W>(piece, x.data + i * tile * x.stride, x.stride, tokens, x.columns, get_panel, begin, end);
        for(std::size_t p = begin; p < end; ++p) {
            to.take(how.set, static_cast<float*>(piece.acc[p - begin]), p, i * tile, tokens);
        }
    };
    // Each part splits the rows anew: a quarter of what is made together is worth that.
    const std::size_t grain = std::max(panel_grain(x.columns, x.rows), pieces::together / 4);
    for_each_part(how, panels, (x.rows + tile - 1) / tile, grain, pieces::together, part);
#endif
}

/// Float rows times panels of floats. get_panel(p, begin, end, scratch) yields columns [begin, end) of panel p, whose
/// first 16 values are column `begin`; it may use scratch. Columns come in steps of `step`, a multiple of 128.
template <class W, class GetPanel>
void multiply_floats(const float_rows& x, std::size_t panels, std::size_t step, const GetPanel& get_panel,
                     const product_output& to, const execution& how) {
    if constexpr(std::is_same_v<W, bf16>) {
        if(how.set == isa::amx) {
            return multiply_floats_by_tiles<W>(x, panels, get_panel, to, how);
        }
    }
    constexpr std::size_t tile = float_pieces<W>::tile;
    const std::size_t most = x.rows > 16 ? 2 : 1; // panels at once; a few rows gain nothing from two
    const auto part = [&](std::size_t begin, std::size_t end, std::size_t i) {
        float_pieces<W> piece;
        const std::size_t tokens = std::min(tile, x.rows - i * tile);
        const float* const from = x.data + i * tile * x.stride;
        for(std::size_t p = begin; p < end; p += most) {
            const std::size_t count = std::min(most, end - p);
            for(std::size_t k = 0; k < x.columns; k += step) {
                const std::size_t until = std::min(x.columns, k + step);
                typename float_product<W>::sums sums[2];
                for(std::size_t j = 0; j < count; ++j) {
                    sums[j] = {get_panel(p + j, k, until, static_cast<W*>(piece.scratch[j])),
                               static_cast<float*>(piece.acc[j])};
                }
                float_product<W>::run(how.set, sums[0], count == 2 ? &sums[1] : nullptr, until - k, from + k, x.stride,
                                      tokens);
            }
            for(std::size_t j = 0; j < count; ++j) {
                to.take(how.set, static_cast<float*>(piece.acc[j]), p + j, i * tile, tokens);
            }
        }
    };
    // By bytes, not by columns: a row or a few wait for the weights.
    const auto whole = [&](std::size_t count) { return (count + most - 1) / most * most; };
    for_each_part(how, panels, (x.rows + tile - 1) / tile, whole(panel_grain(sizeof(W) * x.columns, x.rows)),
                  whole(panel_chunk(x.columns * panel_rows * sizeof(W), std::size_t{512} << 10)), part);
}

template <class W>
void multiply_packed_floats(const float_rows& x, const packed_matrix& w, const product_output& to,
                            const execution& how) {
    const std::size_t step = (x.columns / float_block + 1) * float_block; // all at once
    const auto get_panel = [&](std::size_t p, std::size_t begin, std::size_t, W*) {
        return reinterpret_cast<const W*>(w.panel(p)) + begin * panel_rows;
    };
    multiply_floats<W>(x, w.panels(), step, get_panel, to, how);
}

/// Float rows times panels of parts; where there are no tiles, of the floats that they are.
inline void multiply_packed_parts(const float_rows& x, const packed_matrix& w, const product_output& to,
                                  const execution& how) {
#if TOKENWORKS_X86
    if(how.set == isa::amx) {
        const auto get_panel = [&](std::size_t p, std::size_t begin, std::size_t, part_pair*) {
            return reinterpret_cast<const part_pair*>(w.panel(p)) + begin / 2 * weight_parts<part_pair> * panel_rows;
        };
        return multiply_floats_by_tiles<part_pair>(x, w.panels(), get_panel, to, how);
    }
#endif
    const auto get_panel = [&](std::size_t p, std::size_t begin, std::size_t end, float* scratch) {
        for(std::size_t k = begin; k < end; ++k) {
            for(std::size_t lane = 0; lane < panel_rows; ++lane) {
                scratch[(k - begin) * panel_rows + lane] = joined_parts(w.panel(p), k, lane);
            }
        }
        return static_cast<const float*>(scratch);
    };
    multiply_floats<float>(x, w.panels(), float_block, get_panel, to, how);
}

/// One row times N rows of floats as they lie.
TOKENWORKS_FUNCTION void multiply_rows(const float_rows& x, row_dots_function dots, const float* w, std::size_t stride,
                                       const product_output& to, const execution& how);

/// What multiply_packed_pairs keeps on the stack.
struct pair_pieces {
    static constexpr std::size_t tile = 24;    ///< tokens
    static constexpr std::size_t together = 8; ///< panels

    alignas(64) float acc[together][tile * panel_rows]; // cleared as far as it is used
    alignas(64) float y[tile * bf16_block];
};

/// Float rows, rounded to bf16, times panels of pairs.
inline void multiply_packed_pairs(const float_rows& x, const packed_matrix& w, const product_output& to,
                                  const execution& how) {
#if TOKENWORKS_X86
    if(how.set == isa::amx) {
        const auto get_panel = [&](std::size_t p, std::size_t begin, std::size_t, bf16_pair*) {
            return reinterpret_cast<const bf16_pair*>(w.panel(p)) + begin / 2 * panel_rows;
        };
        return multiply_floats_by_tiles<bf16_pair>(x, w.panels(), get_panel, to, how);
    }
#endif
    constexpr std::size_t tile = pair_pieces::tile;
    const bf16_loops loops = bf16_loops_for(how.set);
    const auto part = [&](std::size_t begin, std::size_t end, std::size_t i) {
        pair_pieces piece;
        const std::size_t tokens = std::min(tile, x.rows - i * tile);
        for(std::size_t p = begin; p < end; ++p) {
            std::fill_n(static_cast<float*>(piece.acc[p - begin]), tokens * panel_rows, 0.0F);
        }
        const float* const rows = x.data + i * tile * x.stride;
        auto* const y = static_cast<float*>(piece.y);
        const auto block = [&](std::size_t p, std::size_t k) {
            return reinterpret_cast<const bf16*>(w.panel(p)) + k * panel_rows;
        };
        // Of a few tokens many columns fit, which are rounded once for all panels of the part.
        const std::size_t span = tile / tokens * bf16_block;
        for(std::size_t first = 0; first < x.columns; first += span) {
            const std::size_t last = std::min(x.columns, first + span);
            for(std::size_t k = first; k < last; k += bf16_block) {
                loops.round(rows + k, x.stride, tokens, std::min(bf16_block, last - k), y + (k - first) * tokens);
            }
            for(std::size_t p = begin; p < end; ++p) {
                for(std::size_t k = first; k < last; k += bf16_block) {
                    const std::size_t count = std::min(bf16_block, last - k);
                    const bf16* const next = k + count < last ? block(p, k + count)
                                             : p + 1 < end    ? block(p + 1, first)
                                                              : block(begin, last);
                    loops.multiply(block(p, k), next, (count + 1) / 2, y + (k - first) * tokens, tokens,
                                   static_cast<float*>(piece.acc[p - begin]));
                }
            }
        }
        for(std::size_t p = begin; p < end; ++p) {
            to.take(how.set, static_cast<float*>(piece.acc[p - begin]), p, i * tile, tokens);
        }
    };
    for_each_part(how, w.panels(), (x.rows + tile - 1) / tile, panel_grain(x.columns, x.rows), pair_pieces::together,
                  part);
}

/// What multiply_codes_in_pieces keeps on the stack.
struct code_pieces {
    static constexpr std::size_t tile = 32;     ///< tokens
    static constexpr std::size_t together = 8;  ///< panels
    static constexpr std::size_t columns = 256; ///< of a piece

    alignas(64) float acc[together][tile * panel_rows] = {};
    alignas(64) quantized_block y[columns / 32 * tile];
    alignas(64) std::byte scratch[(64 * 8 + 2 * 16 * 4) * columns / 32]; ///< the largest format's
};

/// Float rows times panels of codes without scratch from the caller: activations are quantised piece by piece on the
/// stack, for a few panels at a time. get_panel as above, in steps of 256 columns.
template <class GetPanel>
void multiply_codes_in_pieces(const float_rows& x, panel_format format, std::size_t panels, const GetPanel& get_panel,
                              const product_output& to, const execution& how) {
    constexpr std::size_t tile = code_pieces::tile;
    const code_function multiply = select_code_product(format, how.set);
    const auto part = [&](std::size_t begin, std::size_t end, std::size_t i) {
        code_pieces piece;
        const std::size_t tokens = std::min(tile, x.rows - i * tile);
        const float* const rows = x.data + i * tile * x.stride;
        auto* const y = static_cast<quantized_block*>(piece.y);
        for(std::size_t k = 0; k < x.columns; k += code_pieces::columns) {
            const std::size_t until = std::min(x.columns, k + code_pieces::columns);
            quantize_tile(how.set, rows, x.stride, tokens, x.columns, k / 32, (until + 31) / 32, y);
            for(std::size_t p = begin; p < end; ++p) {
                const std::byte* const panel = get_panel(p, k, until, static_cast<std::byte*>(piece.scratch));
                multiply(panel, (until - k + 31) / 32, y, tokens, static_cast<float*>(piece.acc[p - begin]));
            }
        }
        for(std::size_t p = begin; p < end; ++p) {
            to.take(how.set, static_cast<float*>(piece.acc[p - begin]), p, i * tile, tokens);
        }
    };
    for_each_part(how, panels, (x.rows + tile - 1) / tile, panel_grain(x.columns, x.rows), code_pieces::together, part);
}

#if TOKENWORKS_DEFINITIONS

/// Moves sums [tokens][16] to 16 columns of out, and clears them for the next panel.
template <class Isa>
struct result_mover {
    static TOKENWORKS_INLINE void run(float* acc, float* out, std::size_t stride, std::size_t tokens, const float* bias,
                                      bool add) noexcept {
        using vector = simd::f32x16<Isa>;
        for(std::size_t i = 0; i < tokens; ++i, acc += panel_rows, out += stride) {
            vector value = vector::load(static_cast<const float*>(acc));
            if(bias != nullptr) {
                value = value + vector::load(bias);
            }
            if(add) {
                value = vector::load(static_cast<const float*>(out)) + value;
            }
            value.store(out);
            vector::zero().store(acc);
        }
    }
};

TOKENWORKS_FUNCTION void product_output::take(isa set, float* acc, std::size_t p, std::size_t t,
                                              std::size_t tokens) const noexcept {
    const std::size_t first = p * panel_rows;
    const float* const shift = bias == nullptr ? nullptr : bias + first;
    float* to = out + t * stride + first;
    if(rows - first >= panel_rows) {
        simd::dispatch<result_mover>(set, acc, to, stride, tokens, shift, add);
        return;
    }
    for(std::size_t i = 0; i < tokens; ++i, acc += panel_rows, to += stride) {
        for(std::size_t n = 0; n < rows - first; ++n) {
            const float value = shift == nullptr ? acc[n] : acc[n] + shift[n];
            to[n] = add ? to[n] + value : value;
        }
        std::fill_n(acc, panel_rows, 0.0F);
    }
}

TOKENWORKS_FUNCTION void multiply_codes(const quantized_rows& x, std::span<const code_task> tasks,
                                        const execution& how) {
    constexpr std::size_t tile = quantized_rows::tile;
    std::size_t units = 0;
    std::size_t panels = 0; // of the largest unit
    std::size_t bytes = 0;  // of the largest unit
    for(const code_task& task: tasks) {
        units += task.units();
        panels = std::max(panels, task.unit * (task.beside == nullptr ? 1 : 2));
        bytes = std::max(bytes, task.unit_bytes());
    }
    if(units == 0) {
        return;
    }
    const auto part = [&](std::size_t begin, std::size_t end, std::size_t i) {
        alignas(64) float acc[tile * panel_rows] = {};
        const std::size_t tokens = x.tile_rows(i);
        const auto multiply = [&](const packed_matrix& w, const product_output& to, std::size_t first,
                                  std::size_t last) {
            const tile_product product{w.format(), how.set, tokens};
            for(std::size_t p = first; p < last; ++p) {
                product(w.panel(p), x.blocks(), x.tile_blocks(i), static_cast<float*>(acc));
                to.take(how.set, static_cast<float*>(acc), p, i * tile, tokens);
            }
        };
        std::size_t before = 0; // units of the matrices passed
        for(const code_task& task: tasks) {
            const std::size_t first = (std::max(begin, before) - before) * task.unit;
            const std::size_t last = std::min((std::max(end, before) - before) * task.unit, task.w->panels());
            if(first < last) {
                multiply(*task.w, task.to, first, last);
                if(task.beside != nullptr) {
                    multiply(*task.beside, task.beside_to, first, last);
                }
                if(task.ready != nullptr) {
                    (*task.ready)(
                        {i * tile, i * tile + tokens, first * panel_rows, std::min(last * panel_rows, task.w->rows())});
                }
            }
            before += task.units();
        }
    };
    for_each_part(how, units, (x.rows() + tile - 1) / tile, (panel_grain(x.columns(), x.rows()) + panels - 1) / panels,
                  panel_chunk(bytes, std::size_t{128} << 10), part);
}

TOKENWORKS_FUNCTION void multiply_rows(const float_rows& x, row_dots_function dots, const float* w, std::size_t stride,
                                       const product_output& to, const execution& how) {
    const std::size_t panels = (to.rows + panel_rows - 1) / panel_rows;
    parallel_for(how, panels, panel_grain(x.columns, 1), [&](work_range part) {
        alignas(64) float acc[panel_rows] = {};
        for(std::size_t p = part.begin; p < part.end; ++p) {
            const std::size_t first = p * panel_rows;
            dots(w + first * stride, stride, std::min(panel_rows, to.rows - first), x.data, x.columns,
                 static_cast<float*>(acc));
            to.take(how.set, static_cast<float*>(acc), p, 0, 1);
        }
    });
}

#endif

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
