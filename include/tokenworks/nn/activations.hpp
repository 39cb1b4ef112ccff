// The input of linear layers: rows of floats, and their 8-bit form once a quantised weight has asked for it.
//
// Queries, keys and values read the same rows, as do gate and up: whoever comes first quantises, the others reuse it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>
#include <tokenworks/nn/context.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// [T,C] rows in the context's scratch memory or elsewhere; lives within the arena scope it was made in.
class activations {
public:
    activations(context& c, const_rows values)
        : values_{values},
          memory_{c.scratch.take<std::byte>(kernels::quantized_rows::bytes(values.extent(0), values.extent(1)))} {}

    [[nodiscard]] const_rows values() const noexcept { return values_; }

    /// Rows that make(first, count, how) fills, and where `quantize` is set their 8-bit form, made bit by bit while the
    /// rows are in the cache. For layers of input that takes_quantized().
    template <class Make>
    [[nodiscard]] static activations made(context& c, rows values, bool quantize, const Make& make) {
        activations result{c, values};
        if(!quantize) {
            make(0, values.extent(0), c.how);
            return result;
        }
        const kernels::quantized_rows& form = result.begin_quantized();
        parallel_for(c.how, values.extent(0), row_grain(c, form), [&](work_range range) {
            const execution alone{.set = c.how.set};
            make(range.begin, range.end - range.begin, alone);
            kernels::quantize_part(values, {range.begin, range.end, 0, form.blocks()}, form, c.how.set);
        });
        return result;
    }

    /// The rows as 8-bit blocks, made on the first call.
    [[nodiscard]] const kernels::quantized_rows& quantized(const context& c) const;

    /// The blocks to be filled part by part with kernels::quantize_part, by whoever makes the rows.
    [[nodiscard]] const kernels::quantized_rows& begin_quantized() const;

private:
    /// Rows that one thread makes: a tile of the product that follows, or, of few, what is worth a thread.
    [[nodiscard]] static std::size_t row_grain(const context& c, const kernels::quantized_rows& form) noexcept;

    const_rows values_;
    std::span<std::byte> memory_;
    mutable kernels::quantized_rows quantized_;
    mutable bool is_quantized_ = false;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION const kernels::quantized_rows& activations::quantized(const context& c) const {
    if(!is_quantized_) {
        quantized_ = kernels::quantize_rows(values_, memory_, c.how);
        is_quantized_ = true;
    }
    return quantized_;
}

TOKENWORKS_FUNCTION const kernels::quantized_rows& activations::begin_quantized() const {
    quantized_ = kernels::quantized_rows{memory_, values_.extent(0), values_.extent(1)};
    is_quantized_ = true;
    return quantized_;
}

TOKENWORKS_FUNCTION std::size_t activations::row_grain(const context& c, const kernels::quantized_rows& form) noexcept {
    constexpr std::size_t tile = kernels::quantized_rows::tile;
    if(tokenworks::detail::has_many_pieces(c.how, form.rows() / tile)) {
        return tile;
    }
    const std::size_t worth = 128 / std::max<std::size_t>(1, form.blocks());
    const std::size_t share = (form.rows() + c.how.workers() - 1) / c.how.workers();
    return std::max<std::size_t>({1, worth, std::min(share, tile)});
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
