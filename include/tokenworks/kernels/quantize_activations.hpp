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

/// Quantises rows of activations to 8 bits.
/// @param x       [T,K]; the elements of a row lie side by side; K need not be a multiple of 32
/// @param memory  at least quantized_rows::bytes(T,K) bytes, which the result refers to
/// @throws argument_error where the memory is too small, shape_error where a row has gaps
/// @note  a block with an infinity or NaN has scale NaN; the largest error of a block is 1/250 of its maximum
TOKENWORKS_FUNCTION quantized_rows quantize_rows(strided_view<const float, dyn, dyn> x, std::span<std::byte> memory,
                                                 const execution& how = {});

namespace detail {

/// Quantises blocks begin … end - 1 of up to 32 rows, whose blocks lie side by side at `to`.
TOKENWORKS_FUNCTION void quantize_tile(isa set, const float* x, std::size_t stride, std::size_t rows,
                                       std::size_t columns, std::size_t begin, std::size_t end, quantized_block* to);

} // namespace detail

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void detail::quantize_tile(isa set, const float* x, std::size_t stride, std::size_t rows,
                                               std::size_t columns, std::size_t begin, std::size_t end,
                                               quantized_block* to) {
    simd::dispatch<tile_quantizer>(set, x, stride, rows, columns, begin, end, to);
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
    if(memory.size() < quantized_rows::bytes(rows, columns)) {
        tokenworks::detail::raise<argument_error>({"quantize_rows: ", memory.size(), " bytes for [", rows, ",", columns,
                                                   "], need ", quantized_rows::bytes(rows, columns)});
    }
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    const std::size_t skip = (sizeof(quantized_block) - address % sizeof(quantized_block)) % sizeof(quantized_block);
    auto* const data = reinterpret_cast<quantized_block*>(memory.data() + skip);
    const std::size_t tiles = (rows + quantized_rows::tile - 1) / quantized_rows::tile;
    const auto quantize = [&](std::size_t first_tile, std::size_t end_tile, std::size_t begin, std::size_t end) {
        for(std::size_t i = first_tile; i < end_tile; ++i) {
            const std::size_t first = i * quantized_rows::tile;
            const std::size_t count = std::min(quantized_rows::tile, rows - first);
            const float* const from = x.data() + first * x.stride(0);
            quantized_block* const to = data + first * blocks + begin * count;
            detail::quantize_tile(how.set, from, x.stride(0), count, columns, begin, end, to);
        }
    };
    if(tokenworks::detail::has_many_pieces(how, tiles)) { // as the product cuts them
        parallel_for(how, tiles, 1, [&](work_range part) { quantize(part.begin, part.end, 0, blocks); });
    } else {
        // Handing work to threads costs about as much as a few hundred blocks.
        const std::size_t grain = rows == 0 ? 1 : std::max<std::size_t>(1, 256 / rows);
        parallel_for(how, blocks, grain, [&](work_range part) { quantize(0, tiles, part.begin, part.end); });
    }
    return {data, rows, columns};
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
