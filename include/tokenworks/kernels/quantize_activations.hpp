// Activations as 8-bit codes, the right operand of every product with quantised weights.
//
// Each row of x is cut into blocks of 32; a block keeps codes = round(x / d) and the sums that zero points and minimums
// of the weights need (quantize_block.hpp). So that a kernel reads one stream, a block is one cache line, and the
// blocks of up to 16 rows (a tile) lie side by side: [T/16][K/32][rows of the tile]. A model quantises once and
// multiplies by several matrices.
//
// All instruction sets give the same bits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/quantize_block.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// Blocks [begin_block, end_block) of rows [begin_row, end_row).
struct row_part {
    std::size_t begin_row;
    std::size_t end_row;
    std::size_t begin_block;
    std::size_t end_block;
};

/// [T,K] activations as blocks in the caller's memory. Not an owner; made by quantize_rows, or part by part.
class quantized_rows {
public:
    /// Rows whose blocks lie side by side.
    static constexpr std::size_t tile = 16;

    quantized_rows() = default;
    /// Rows that quantize_part is going to fill.
    /// @param memory  at least bytes(rows, columns)
    /// @throws argument_error where the memory is too small
    quantized_rows(std::span<std::byte> memory, std::size_t rows, std::size_t columns);

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
    friend void quantize_part(strided_view<const float, dyn, dyn> x, const row_part& part, const quantized_rows& to,
                              isa set);

    quantized_block* data_ = nullptr;
    std::size_t rows_ = 0;
    std::size_t columns_ = 0;
};

/// Quantises rows of activations to 8 bits.
/// @param x       [T,K]; the elements of a row lie side by side; K need not be a multiple of 32
/// @param memory  at least quantized_rows::bytes(T,K) bytes, which the result refers to
/// @throws argument_error where the memory is too small, shape_error where a row has gaps
/// @note  a block with an infinity or NaN has scale NaN; the largest error of a block is 1/250 of its maximum
TOKENWORKS_FUNCTION quantized_rows quantize_rows(strided_view<const float, dyn, dyn> x, std::span<std::byte> memory,
                                                 const execution& how = {});

/// Quantises a part of [T,K] rows, to the same bits as quantize_rows: for whoever has just made them, while they are in
/// its cache. Parts that do not overlap may be quantised by several threads at a time.
/// @param x   [T,K]; the elements of a row lie side by side   @param to  [T,K]
TOKENWORKS_FUNCTION void quantize_part(strided_view<const float, dyn, dyn> x, const row_part& part,
                                       const quantized_rows& to, isa set);

namespace detail {

/// Quantises blocks begin … end - 1 of up to 32 rows, whose blocks lie side by side at `to`.
TOKENWORKS_FUNCTION void quantize_tile(isa set, const float* x, std::size_t stride, std::size_t rows,
                                       std::size_t columns, std::size_t begin, std::size_t end, quantized_block* to);

} // namespace detail

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void detail::quantize_tile(isa set, const float* x, std::size_t stride, std::size_t rows,
                                               std::size_t columns, std::size_t begin, std::size_t end,
                                               quantized_block* to) {
    simd::dispatch<tile_quantizer>(set, x, stride, rows, columns, begin, end, to, rows);
}

TOKENWORKS_FUNCTION quantized_rows::quantized_rows(std::span<std::byte> memory, std::size_t rows, std::size_t columns)
    : rows_{rows}, columns_{columns} {
    if(memory.size() < bytes(rows, columns)) {
        tokenworks::detail::raise<argument_error>(
            {"quantize_rows: ", memory.size(), " bytes for [", rows, ",", columns, "], need ", bytes(rows, columns)});
    }
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    const std::size_t skip = (sizeof(quantized_block) - address % sizeof(quantized_block)) % sizeof(quantized_block);
    data_ = reinterpret_cast<quantized_block*>(memory.data() + skip);
}

TOKENWORKS_FUNCTION void quantize_part(strided_view<const float, dyn, dyn> x, const row_part& part,
                                       const quantized_rows& to, isa set) {
    constexpr std::size_t tile = quantized_rows::tile;
    for(std::size_t t = part.begin_row; t < part.end_row;) {
        const std::size_t i = t / tile;
        const std::size_t end = std::min(part.end_row, (i + 1) * tile);
        const std::size_t step = to.tile_rows(i);
        quantized_block* const blocks = to.data_ + i * tile * to.blocks() + part.begin_block * step + t % tile;
        simd::dispatch<detail::tile_quantizer>(set, x.data() + t * x.stride(0), x.stride(0), end - t, to.columns(),
                                               part.begin_block, part.end_block, blocks, step);
        t = end;
    }
}

TOKENWORKS_FUNCTION quantized_rows quantize_rows(strided_view<const float, dyn, dyn> x, std::span<std::byte> memory,
                                                 const execution& how) {
    const std::size_t rows = x.extent(0);
    const std::size_t columns = x.extent(1);
    const std::size_t blocks = (columns + 31) / 32;
    if(columns > 1 && x.stride(1) != 1) {
        tokenworks::detail::raise<shape_error>(
            {"quantize_rows: the elements of a row of x must lie side by side, not ", x.stride(1), " apart"});
    }
    const quantized_rows to{memory, rows, columns};
    const std::size_t tiles = (rows + quantized_rows::tile - 1) / quantized_rows::tile;
    if(tokenworks::detail::has_many_pieces(how, tiles)) { // as the product cuts them
        parallel_for(how, tiles, 1, [&](work_range part) {
            const std::size_t end = std::min(part.end * quantized_rows::tile, rows);
            quantize_part(x, {part.begin * quantized_rows::tile, end, 0, blocks}, to, how.set);
        });
    } else {
        // Handing work to a thread costs about as much as a hundred blocks.
        const std::size_t members = std::clamp<std::size_t>(blocks * rows / 128, 1, how.workers());
        parallel_for(how, blocks, std::max<std::size_t>(1, (blocks + members - 1) / members), [&](work_range part) {
            quantize_part(x, {0, rows, part.begin, part.end}, to, how.set);
        });
    }
    return to;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
