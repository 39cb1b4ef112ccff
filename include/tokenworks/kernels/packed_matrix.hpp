// A weight matrix in the form that products read: panels of 16 rows (see panel_format.hpp), packed once at load.
//
// Packing keeps what the file stores: the same codes and scales in another order. A packed Q4_1 matrix is as large as
// in its file; formats that spread bits over several places (Q5, Q6_K, IQ) take a byte a weight, for speed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/kernels/pack.hpp>
#include <tokenworks/kernels/panel_format.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// [N,K] weights. A packed matrix is const for its users and may be shared by threads.
class packed_matrix {
public:
    packed_matrix() = default;

    /// Memory for [N,K] weights of a type; every row must be packed before use.
    /// @throws unsupported_error for a type that weights cannot have, shape_error where K is no multiple of its block,
    ///         std::bad_alloc
    /// @param pool       where the memory comes from; nullptr: its own
    /// @param precision  whether products are to round weights of floating point to bf16
    packed_matrix(dtype type, std::size_t rows, std::size_t columns, huge_pool* pool = nullptr,
                  matmul_precision precision = matmul_precision::highest)
        : type_{type},
          precision_{precision},
          format_{panel_format_of(type, precision)},
          rows_{rows},
          columns_{columns},
          panel_bytes_{detail::panel_bytes(format_, columns)} {
        const std::size_t size = bytes_of(type, rows, columns, precision);
        memory_ = pool == nullptr ? huge_buffer{size} : pool->take(size);
        if(rows % detail::panel_rows != 0 && panel_bytes_ != 0) {
            std::memset(memory_.data() + (panels() - 1) * panel_bytes_, 0, panel_bytes_);
        }
    }

    /// Bytes that a packed matrix takes.
    /// @throws as the constructor, but for std::bad_alloc
    [[nodiscard]] static std::size_t bytes_of(dtype type, std::size_t rows, std::size_t columns,
                                              matmul_precision precision = matmul_precision::highest) {
        if(columns % info(type).block_size != 0) {
            tokenworks::detail::raise<shape_error>(
                {"pack: K=", columns, " is no multiple of the ", info(type).name, " block, ", info(type).block_size});
        }
        constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 256;
        const std::size_t panels = rows / detail::panel_rows + (rows % detail::panel_rows != 0 ? 1 : 0);
        const auto total = columns > most || rows > most
                               ? std::nullopt
                               : checked_mul(panels, detail::panel_bytes(panel_format_of(type, precision), columns));
        const auto size = total ? checked_size(*total) : std::nullopt;
        if(!size) {
            tokenworks::detail::raise<limit_error>({"pack: [", rows, ",", columns, "] is too large"});
        }
        return *size;
    }

    [[nodiscard]] dtype type() const noexcept { return type_; }
    [[nodiscard]] panel_format format() const noexcept { return format_; }
    /// N.
    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    /// K.
    [[nodiscard]] std::size_t columns() const noexcept { return columns_; }
    /// Memory taken.
    [[nodiscard]] std::size_t bytes() const noexcept { return memory_.size(); }
    /// All panels, one after the other: what a file may keep. Written to, they must be bytes of a matrix of the same
    /// type and extents, packed with the same packing_version.
    [[nodiscard]] std::span<const std::byte> packed_bytes() const noexcept { return {memory_.data(), memory_.size()}; }
    [[nodiscard]] std::span<std::byte> packed_bytes() noexcept { return {memory_.data(), memory_.size()}; }
    /// Whether products take quantised activations; otherwise they take floats.
    [[nodiscard]] bool needs_quantized_activations() const noexcept { return has_codes(format_); }

    [[nodiscard]] std::size_t panels() const noexcept { return (rows_ + detail::panel_rows - 1) / detail::panel_rows; }
    [[nodiscard]] std::size_t panel_bytes() const noexcept { return panel_bytes_; }
    [[nodiscard]] const std::byte* panel(std::size_t i) const noexcept { return memory_.data() + i * panel_bytes_; }

    /// Bytes of a row in the file's form.
    [[nodiscard]] std::size_t source_row_bytes() const noexcept {
        return columns_ / info(type_).block_size * info(type_).block_bytes;
    }

    /// Packs rows first, first + 1, … from their bytes in the file's form. Call it for parts of a matrix to release the
    /// source in between, or for several sources to stack them. Not for concurrent calls on rows of the same 16.
    /// @throws argument_error where the bytes are no whole rows, or more rows than there are
    void pack_rows(std::size_t first, std::span<const std::byte> bytes, const execution& how = {}) {
        const std::size_t row_bytes = source_row_bytes();
        const std::size_t count = row_bytes == 0 ? 0 : bytes.size() / row_bytes;
        if(row_bytes != 0 && (bytes.size() % row_bytes != 0 || first > rows_ || count > rows_ - first)) {
            tokenworks::detail::raise<argument_error>(
                {"pack: ", bytes.size(), " bytes from row ", first, " on for ", rows_, " rows of ", row_bytes});
        }
        if(count == 0) {
            return;
        }
        const std::size_t first_panel = first / detail::panel_rows;
        const std::size_t last_panel = (first + count - 1) / detail::panel_rows;
        parallel_for(how, last_panel - first_panel + 1, 1, [&](work_range part) {
            for(std::size_t p = first_panel + part.begin; p < first_panel + part.end; ++p) {
                const std::size_t begin = std::max(first, p * detail::panel_rows);
                const std::size_t end = std::min(first + count, (p + 1) * detail::panel_rows);
                for(std::size_t n = begin; n < end; ++n) {
                    std::byte* const to = memory_.data() + p * panel_bytes_;
                    detail::pack_row(type_, bytes.data() + (n - first) * row_bytes, 0, columns_, to,
                                     n % detail::panel_rows, precision_);
                }
            }
        });
    }

    /// One row as floats, as the file's type decodes it (f64 rounded to float; to bf16 where the precision is medium).
    /// @param out  [K]
    /// @throws argument_error for a row that there is not, shape_error where out is not [K]
    void decode_row(std::size_t n, std::span<float> out) const {
        if(n >= rows_) {
            tokenworks::detail::raise<argument_error>({"decode_row: no row ", n, " of ", rows_});
        }
        if(out.size() != columns_) {
            tokenworks::detail::raise<shape_error>({"decode_row: w has K=", columns_, ", out has K=", out.size()});
        }
        detail::unpack_row(format_, panel(n / detail::panel_rows), n % detail::panel_rows, out);
    }

private:
    dtype type_ = dtype::f32;
    matmul_precision precision_ = matmul_precision::highest;
    panel_format format_ = panel_format::f32;
    std::size_t rows_ = 0;
    std::size_t columns_ = 0;
    std::size_t panel_bytes_ = 0;
    huge_buffer memory_;
};

/// Called with the rows packed so far; false cancels.
using pack_progress = std::function<bool(std::size_t rows_done)>;

/// Packs a matrix.
/// @param type      any type with values of floating point, in blocks or plain
/// @param bytes     [N,K] row after row in the file's form
/// @param progress  called about every 16 MiB of source, so that a caller may show it and release what was read
/// @param pool      where the memory comes from; nullptr: its own
/// @param precision whether products are to round weights of floating point to bf16
/// @throws unsupported_error, shape_error as packed_matrix does; argument_error where the bytes are not N rows;
///         cancelled_error
[[nodiscard]] TOKENWORKS_FUNCTION packed_matrix pack(dtype type, std::span<const std::byte> bytes, std::size_t rows,
                                                     std::size_t columns, const execution& how = {},
                                                     const pack_progress& progress = {}, huge_pool* pool = nullptr,
                                                     matmul_precision precision = matmul_precision::highest);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION packed_matrix pack(dtype type, std::span<const std::byte> bytes, std::size_t rows,
                                       std::size_t columns, const execution& how, const pack_progress& progress,
                                       huge_pool* pool, matmul_precision precision) {
    packed_matrix out{type, rows, columns, pool, precision};
    const std::size_t row_bytes = out.source_row_bytes();
    if(bytes.size() / std::max<std::size_t>(1, row_bytes) != rows || bytes.size() != rows * row_bytes) {
        if(row_bytes != 0 || !bytes.empty()) {
            tokenworks::detail::raise<argument_error>(
                {"pack: ", bytes.size(), " bytes for [", rows, ",", columns, "] ", info(type).name});
        }
    }
    constexpr std::size_t slice = std::size_t{16} << 20;
    const std::size_t step = std::max<std::size_t>(1, slice / std::max<std::size_t>(1, row_bytes) / 256) * 256;
    for(std::size_t first = 0; first < rows; first += step) {
        const std::size_t count = std::min(step, rows - first);
        out.pack_rows(first, bytes.subspan(first * row_bytes, count * row_bytes), how);
        if(progress && !progress(first + count)) {
            tokenworks::detail::raise<cancelled_error>({"pack: cancelled"});
        }
    }
    return out;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
