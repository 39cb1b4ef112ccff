// A linear layer: packed weights, a bias if there is one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/matmul.hpp>
#include <tokenworks/kernels/matmul_argmax.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/core/arena.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/nn/adapter.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// out = x * weight^T + bias. The weight is shared, so that a head can be the embedding table.
class linear {
public:
    linear() = default;
    explicit linear(kernels::packed_matrix weight, std::vector<float> bias = {})
        : linear{std::make_shared<const kernels::packed_matrix>(std::move(weight)), std::move(bias)} {}
    /// @throws shape_error where the bias is neither empty nor [N]
    explicit linear(std::shared_ptr<const kernels::packed_matrix> weight, std::vector<float> bias = {})
        : weight_{std::move(weight)}, bias_{std::move(bias)} {
        if(!bias_.empty() && bias_.size() != out_width()) {
            tokenworks::detail::raise<shape_error>(
                {"linear: weight has N=", out_width(), ", bias has N=", bias_.size()});
        }
    }

    [[nodiscard]] std::size_t out_width() const noexcept { return weight_ == nullptr ? 0 : weight_->rows(); }
    [[nodiscard]] std::size_t in_width() const noexcept { return weight_ == nullptr ? 0 : weight_->columns(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return weight_ == nullptr ? 0 : weight_->bytes(); }

    /// [N,K], which adapters know the layer by.
    [[nodiscard]] const kernels::packed_matrix& weight() const noexcept { return *weight_; }

    /// Whether products take the 8-bit form of the input.
    [[nodiscard]] bool takes_quantized() const noexcept { return weight_->needs_quantized_activations(); }

    /// @param x  [T,K]   @param to  [T,N]
    void operator()(context& c, const activations& x, destination to) const;

    /// The column with the largest result of each row, of which no result is kept.
    /// @param x  [T,K]   @param best  [T]   @param options  but for the bias, which is the layer's
    void argmax(context& c, const activations& x, std::span<kernels::best_column> best,
                kernels::argmax_options options = {}) const;

    /// The layer's product as the kernels take it.
    [[nodiscard]] kernels::matmul_task product(destination to) const noexcept {
        return {*weight_, to.out, {.add = to.add, .bias = view<const float, dyn>{bias_}}};
    }

private:
    std::shared_ptr<const kernels::packed_matrix> weight_;
    std::vector<float> bias_;
};

/// A layer, and where its result goes.
struct projection {
    const linear& layer;
    destination to;
    std::size_t unit = 16;                           ///< columns that are made together, a multiple of 16
    std::optional<kernels::product_finish> finish{}; ///< called with every part that is ready; may run on any thread

    [[nodiscard]] kernels::matmul_task product() const noexcept {
        kernels::matmul_task task = layer.product(to);
        task.unit = unit;
        task.finish = finish;
        return task;
    }
};

namespace detail {

/// Calls finish with parts of a result that is there, spread over the team: tiles of whole rows where there are some
/// for each member, as products of many rows are cut, so that a row is where it was made; else units of columns.
inline void finish_in_parts(const execution& how, rows out, std::size_t unit, const kernels::product_finish& finish) {
    constexpr std::size_t tile = 32;
    const std::size_t count = out.extent(0);
    const std::size_t width = out.extent(1);
    if(count >= 2 * tile * how.workers()) {
        parallel_for(how, (count + tile - 1) / tile, 1, [&](work_range range) {
            for(std::size_t i = range.begin; i < range.end; ++i) {
                finish({i * tile, std::min(count, (i + 1) * tile), 0, width});
            }
        });
        return;
    }
    const std::size_t part = (std::max<std::size_t>(512, unit) + unit - 1) / unit * unit;
    parallel_for(how, (width + part - 1) / part, 1, [&](work_range range) {
        finish({0, count, range.begin * part, std::min(width, range.end * part)});
    });
}

} // namespace detail

/// Several layers of one input: queries, keys and values. The same bits as one after the other, but threads meet once,
/// and what follows on a layer's result is done where the result is made.
/// @param x  [T,K]   @param layers  up to eight
template <std::size_t N>
void project(context& c, const activations& x, const projection (&layers)[N]) {
    static_assert(N <= 8, "tokenworks: project takes up to eight layers");
    if(!c.adapted.empty() ||
       !std::ranges::all_of(layers, [](const projection& each) { return each.layer.takes_quantized(); })) {
        for(const projection& each: layers) {
            each.layer(c, x, each.to);
            if(each.finish) {
                detail::finish_in_parts(c.how, each.to.out, each.unit, *each.finish);
            }
        }
        return;
    }
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        const kernels::matmul_task tasks[] = {layers[I].product()...};
        (c.observe_product(layers[I].layer.weight(), x.values()), ...);
        kernels::matmul(x.quantized(c), tasks, c.how);
    }
    (std::make_index_sequence<N>{});
}

/// Two layers of one input whose results are joined column by column: gate and up.
/// @param x       [T,K]   @param first, second  of one width
/// @param finish  called with every part that both have made, in units of 32 columns; may run on any thread
/// @throws shape_error where the widths differ
TOKENWORKS_FUNCTION void project_side_by_side(context& c, const activations& x, const projection& first,
                                              const projection& second, kernels::product_finish finish);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void linear::argmax(context& c, const activations& x, std::span<kernels::best_column> best,
                                        kernels::argmax_options options) const {
    if(takes_quantized() && c.adapted.empty()) {
        options.bias = bias_;
        c.observe_product(*weight_, x.values());
        kernels::matmul_argmax(x.quantized(c), *weight_, best, options, c.how);
        return;
    }
    const std::size_t count = x.values().extent(0);
    kernels::detail::require_equal("linear", "x has T", count, "best has T", best.size());
    const arena::scope scratch{c.scratch};
    const rows out = c.scratch_rows(count, out_width());
    (*this)(c, x, out);
    kernels::scale_and_cap(out, options.scale, options.softcap, c.how);
    parallel_for(c.how, count, 1, [&](work_range range) {
        for(std::size_t t = range.begin; t < range.end; ++t) {
            best[t] = kernels::best_of(out.row(t).as_span(), {.set = c.how.set});
        }
    });
}

TOKENWORKS_FUNCTION void project_side_by_side(context& c, const activations& x, const projection& first,
                                              const projection& second, kernels::product_finish finish) {
    constexpr std::size_t unit = 32;
    if(c.adapted.empty() && first.layer.takes_quantized() && second.layer.takes_quantized()) {
        kernels::matmul_task task = first.product();
        task.unit = unit;
        task.finish = finish;
        c.observe_product(first.layer.weight(), x.values());
        c.observe_product(second.layer.weight(), x.values());
        kernels::matmul_side_by_side(x.quantized(c), task, second.product(), c.how);
        return;
    }
    first.layer(c, x, first.to);
    second.layer(c, x, second.to);
    kernels::detail::require_equal("project_side_by_side", "the first has N", first.layer.out_width(),
                                   "the second has N", second.layer.out_width());
    detail::finish_in_parts(c.how, first.to.out, unit, finish);
}

TOKENWORKS_FUNCTION void linear::operator()(context& c, const activations& x, destination to) const {
    const kernels::matmul_task task = product(to);
    c.observe_product(*weight_, x.values());
    if(takes_quantized()) {
        kernels::matmul(x.quantized(c), task.w, task.out, task.options, c.how);
    } else {
        kernels::matmul(x.values(), task.w, task.out, task.options, c.how);
    }
    apply_adapters(c, *weight_, x.values(), to.out);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
