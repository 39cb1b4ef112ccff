// The last product of greedy decoding: the largest logit of every row, without the logits.
//
// A vocabulary has up to 262144 rows of weights; each thread keeps the best of those it has seen, and no row of logits
// is written to memory. The result is what matmul, scale, soft_cap and argmax find one after the other.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <atomic>

#include <tokenworks/core/error.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/product_loops.hpp>
#include <tokenworks/kernels/reduce.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// The largest of a row of values: a number that grows with the value and shrinks with the column, so that the best of
/// two is the larger one, whoever found which first.
class best_column {
public:
    best_column() = default;
    best_column(std::size_t column, float value) noexcept
        : key_{std::uint64_t{order_of(value)} << 32U | (0xffffffffU - static_cast<std::uint32_t>(column))} {}

    /// Of values that are NaN or +infinity; better than everything.
    [[nodiscard]] static best_column invalid() noexcept {
        best_column result;
        result.key_ = ~std::uint64_t{0};
        return result;
    }

    /// Whether no value was NaN or +infinity.
    [[nodiscard]] bool is_comparable() const noexcept { return key_ != ~std::uint64_t{0}; }
    /// Whether, besides, one value was finite.
    [[nodiscard]] bool is_valid() const noexcept {
        return is_comparable() && key_ >> 32U > order_of(-std::numeric_limits<float>::infinity());
    }
    /// The first column that holds the largest value.
    [[nodiscard]] std::size_t column() const noexcept { return 0xffffffffU - (key_ & 0xffffffffU); }

    /// Keeps the better of both; threads may do so at a time.
    void merge(best_column other) noexcept;

private:
    /// Bits that compare as the values do; both zeros are one.
    [[nodiscard]] static std::uint32_t order_of(float value) noexcept {
        const auto bits = std::bit_cast<std::uint32_t>(value + 0.0F);
        return (bits >> 31U) != 0 ? ~bits : bits | 0x80000000U;
    }

    std::uint64_t key_ = 0;
};

/// What happens to the products before they are compared.
struct argmax_options {
    float scale = 1;
    float softcap = 0;             ///< as soft_cap, after the scale; 0: off
    std::span<const float> bias{}; ///< [N], or empty
};

/// The column with the largest of x * w^T in each row, the first one where several are equal.
/// @param x     [T,K]   @param w  [N,K], of a type with codes (packed_matrix::needs_quantized_activations)
/// @param best  [T]
/// @throws shape_error naming both extents; argument_error where w holds floats
/// @note   allocates nothing
TOKENWORKS_FUNCTION void matmul_argmax(const quantized_rows& x, const packed_matrix& w, std::span<best_column> best,
                                       const argmax_options& options = {}, const execution& how = {});

/// The same of values that are there.
/// @param values  [N], N > 0
[[nodiscard]] TOKENWORKS_FUNCTION best_column best_of(std::span<const float> values, const execution& how = {});

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void best_column::merge(best_column other) noexcept {
    const std::atomic_ref<std::uint64_t> key{key_};
    std::uint64_t held = key.load(std::memory_order_relaxed);
    while(held < other.key_ && !key.compare_exchange_weak(held, other.key_, std::memory_order_relaxed)) {
    }
}

namespace detail {

/// Whether every value is finite or -infinity.
template <class Isa>
struct comparable_row {
    using vector = simd::f32x16<Isa>;
    static TOKENWORKS_INLINE bool run(const float* x, std::size_t length) {
        const vector lowest = vector::broadcast(std::numeric_limits<float>::lowest());
        vector sum = vector::zero(); // 0 * x is NaN for an infinity and for NaN
        std::size_t i = 0;
        for(; i + simd::lanes <= length; i += simd::lanes) {
            sum = fma(max(vector::load(x + i), lowest), 0.0F, sum);
        }
        bool all = simd::reduce_add(sum) == 0.0F;
        for(; i < length; ++i) {
            all = all && x[i] < std::numeric_limits<float>::infinity();
        }
        return all;
    }
};

} // namespace detail

TOKENWORKS_FUNCTION best_column best_of(std::span<const float> values, const execution& how) {
    if(!simd::dispatch<detail::comparable_row>(how.set, values.data(), values.size())) {
        return best_column::invalid();
    }
    const std::size_t column = simd::dispatch<detail::argmax_row>(how.set, values.data(), values.size());
    return {column, values[column]};
}

TOKENWORKS_FUNCTION void matmul_argmax(const quantized_rows& x, const packed_matrix& w, std::span<best_column> best,
                                       const argmax_options& options, const execution& how) {
    constexpr std::size_t tile = quantized_rows::tile;
    constexpr std::size_t together = 16; // panels whose products are compared at a time
    constexpr std::size_t width = together * detail::panel_rows;
    detail::require_equal("matmul_argmax", "x has K", x.columns(), "w has K", w.columns());
    detail::require_equal("matmul_argmax", "x has T", x.rows(), "best has T", best.size());
    if(!w.needs_quantized_activations()) {
        tokenworks::detail::raise<argument_error>(
            {"matmul_argmax: quantised activations with weights of ", info(w.type()).name});
    }
    if(!options.bias.empty()) {
        detail::require_equal("matmul_argmax", "w has N", w.rows(), "bias has N", options.bias.size());
    }
    std::ranges::fill(best, best_column{});
    const execution alone{.set = how.set};
    const auto part = [&](std::size_t begin, std::size_t end, std::size_t i) {
        alignas(64) float acc[tile * detail::panel_rows] = {};
        alignas(64) float products[tile * width];
        const std::size_t tokens = x.tile_rows(i);
        const std::size_t first = begin * detail::panel_rows;
        const std::size_t count = std::min(end * detail::panel_rows, w.rows()) - first;
        const float* const bias = options.bias.empty() ? nullptr : options.bias.data() + first;
        const detail::product_output to{static_cast<float*>(products), width, count, bias, false};
        {
            const detail::tile_product multiply{w.format(), how.set, tokens};
            for(std::size_t p = begin; p < end; ++p) {
                multiply(w.panel(p), x.blocks(), x.tile_blocks(i), static_cast<float*>(acc));
                to.take(how.set, static_cast<float*>(acc), p - begin, 0, tokens);
            }
        }
        for(std::size_t t = 0; t < tokens; ++t) {
            const view<float, dyn> row{products + t * width, count};
            scale_and_cap(row, options.scale, options.softcap, alone);
            const best_column here = best_of(row.as_span(), alone);
            best[i * tile + t].merge(here.is_comparable() ? best_column{first + here.column(), row(here.column())}
                                                          : here);
        }
    };
    detail::for_each_part(how, w.panels(), (x.rows() + tile - 1) / tile, detail::panel_grain(x.columns(), x.rows()),
                          together, part);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
