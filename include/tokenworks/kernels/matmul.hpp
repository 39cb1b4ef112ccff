// Matrix products: activations [T,K] times the transpose of weights [N,K], out [T,N].
//
//   out[t,n] = sum_k x[t,k] * w[n,k]   (+ bias[n])   (+ what out held)
// Weights are a packed_matrix, packed once, or a plain view of floats or of quantised blocks, which is packed in small
// pieces on the stack on the way. Quantised weights are multiplied with 8-bit activations: quantise once with
// quantize_rows and reuse them, or pass floats and let the product do it. Weights that were packed with medium
// precision are bf16, and are multiplied with activations rounded to bf16.
//
// Numeric contract: out[t,n] depends on row t of x, row n of w and the instruction set alone; never on T, N, the number
// of threads, where the operands lie, or whether the weights were packed. code_product.hpp, float_product.hpp,
// bf16_product.hpp and float_tiles.hpp fix the order of the sums.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype_of.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/kernels/product_loops.hpp>
#include <tokenworks/kernels/quantize_activations.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// What happens to a product on its way to out.
struct matmul_options {
    bool add = false;              ///< add to what out holds, instead of replacing it
    view<const float, dyn> bias{}; ///< [N], or empty
};

namespace detail {

using output_view = strided_view<float, dyn, dyn>;
using input_view = strided_view<const float, dyn, dyn>;

[[nodiscard]] inline product_output check_product(std::size_t rows, std::size_t columns, std::size_t w_rows,
                                                  std::size_t w_columns, const output_view& out,
                                                  const matmul_options& options) {
    require_equal("matmul", "x has K", columns, "w has K", w_columns);
    require_equal("matmul", "x has T", rows, "out has T", out.extent(0));
    require_equal("matmul", "w has N", w_rows, "out has N", out.extent(1));
    require_dense_rows("matmul", "out", out);
    if(!options.bias.empty()) {
        require_equal("matmul", "w has N", w_rows, "bias has N", options.bias.extent(0));
    }
    return {out.data(), out.stride(0), w_rows, options.bias.empty() ? nullptr : options.bias.data(), options.add};
}

[[nodiscard]] inline product_output check_codes(const quantized_rows& x, const packed_matrix& w, const output_view& out,
                                                const matmul_options& options) {
    const product_output to = check_product(x.rows(), x.columns(), w.rows(), w.columns(), out, options);
    if(!w.needs_quantized_activations()) {
        tokenworks::detail::raise<argument_error>(
            {"matmul: quantised activations with weights of ", info(w.type()).name});
    }
    return to;
}

[[nodiscard]] inline float_rows check_rows(const input_view& x) {
    require_dense_rows("matmul", "x", x);
    return {x.data(), x.stride(0), x.extent(0), x.extent(1)};
}

} // namespace detail

/// The product with packed weights, from quantised activations.
/// @param x    [T,K]   @param w  [N,K], of a type with codes (packed_matrix::needs_quantized_activations)
/// @param out  [T,N]; the elements of a row lie side by side; must not overlap x
/// @throws shape_error naming both extents; argument_error where w holds floats
/// @note   allocates nothing
TOKENWORKS_FUNCTION void matmul(const quantized_rows& x, const packed_matrix& w, detail::output_view out,
                                const matmul_options& options = {}, const execution& how = {});

/// One product of several that share their activations.
struct matmul_task {
    const packed_matrix& w;  ///< [N,K]
    detail::output_view out; ///< [T,N]
    matmul_options options{};
    std::size_t unit = 16;                  ///< columns of out that are made together, a multiple of 16: of a head, say
    std::optional<product_finish> finish{}; ///< called with each part of out that is ready, in whole units
};

/// Several products of the same quantised activations, as one piece of work: queries, keys and values, say.
/// The same bits as one after the other; threads meet once and share the whole.
/// @param x      [T,K]
/// @param tasks  up to eight; outputs must not overlap each other
/// @throws shape_error, argument_error as for each product, and where there are more than eight, or a unit is not a
///         multiple of 16
/// @note   allocates nothing
TOKENWORKS_FUNCTION void matmul(const quantized_rows& x, std::span<const matmul_task> tasks, const execution& how = {});

/// Two products of the same activations side by side: the columns of one part of out are ready in both when `finish` is
/// called with it, so that gate and up can be joined there. Parts are whole multiples of first.unit columns.
/// @param x              [T,K]
/// @param first, second  of one N; the unit and finish of the second are not looked at
/// @throws shape_error, argument_error as for each product
/// @note   allocates nothing
TOKENWORKS_FUNCTION void matmul_side_by_side(const quantized_rows& x, const matmul_task& first,
                                             const matmul_task& second, const execution& how = {});

/// The product with packed weights, from floats. Weights with codes quantise the activations on the way, to the same
/// bits as quantize_rows; when several matrices share x, quantise it once instead.
/// @param x    [T,K]   @param w  [N,K]
/// @param out  [T,N]; the elements of a row lie side by side; must not overlap x
/// @throws shape_error naming both extents
/// @note   allocates nothing
TOKENWORKS_FUNCTION void matmul(detail::input_view x, const packed_matrix& w, detail::output_view out,
                                const matmul_options& options = {}, const execution& how = {});

/// The product with plain weights: a view of float, f16, bf16, f8, double (rounded to float), or of quantised blocks.
/// The same bits as with packed weights; packing pays from the second product on.
/// @param x    [T,K] of float   @param w  [N,K], or [N, K / block] blocks; rows without gaps
/// @param out  [T,N] of float; the elements of a row lie side by side; must not overlap x or w
/// @throws shape_error naming both extents
/// @note   allocates nothing; takes about 80 kB of stack
template <class X, class T, class Extents, class Layout, class Out>
void matmul(const X& x, const basic_view<T, Extents, Layout>& w, Out&& out, const matmul_options& options = {},
            const execution& how = {}) {
    using weight = std::remove_const_t<T>;
    using x_type = detail::view_type<const X>;
    using out_type = detail::view_type<Out>;
    constexpr dtype type = dtype_of<weight>;
    constexpr dtype_info format = info(type);
    static_assert(Extents::rank() == 2, "tokenworks: matmul: w must have two axes, [N,K]");
    static_assert(x_type::rank() == 2 && out_type::rank() == 2, "tokenworks: matmul: x is [T,K] and out [T,N]");
    static_assert(detail::may_agree<x_type, 0, out_type, 0>, "tokenworks: matmul: x [T,K] and out [T,N] differ in T");
    static_assert(detail::may_agree<basic_view<T, Extents, Layout>, 0, out_type, 1>,
                  "tokenworks: matmul: w [N,K] and out [T,N] differ in N");
    static_assert(format.block_size != 1 || detail::may_agree<x_type, 1, basic_view<T, Extents, Layout>, 1>,
                  "tokenworks: matmul: x [T,K] and w [N,K] differ in K");
    constexpr panel_format panel = panel_format_of(type);
    const detail::input_view rows_of_x = detail::as_view(x);
    const detail::output_view rows_of_out = detail::as_view(out);
    const auto to = detail::check_product(rows_of_x.extent(0), rows_of_x.extent(1), w.extent(0),
                                          w.extent(1) * format.block_size, rows_of_out, options);
    const detail::float_rows rows = detail::check_rows(rows_of_x);
    detail::require_dense_rows("matmul", "w", w);
    if constexpr(std::is_same_v<weight, float>) {
        const detail::row_dots_function dots = detail::row_dots_for(how.set);
        if(rows.rows == 1 && dots != nullptr) {
            return detail::multiply_rows(rows, dots, w.data(), w.stride(0), to, how);
        }
    }
    const std::size_t panels = (w.extent(0) + detail::panel_rows - 1) / detail::panel_rows;
    const auto* const bytes = reinterpret_cast<const std::byte*>(w.data());
    const std::size_t row_bytes = w.stride(0) * sizeof(weight);
    const auto get_panel = [&]<class Element>(std::size_t p, std::size_t begin, std::size_t end, Element* scratch) {
        const std::size_t first = p * detail::panel_rows;
        for(std::size_t lane = 0; lane < detail::panel_rows; ++lane) {
            // Lanes behind the last row repeat it; their results are not stored.
            const std::byte* const row = bytes + std::min(first + lane, w.extent(0) - 1) * row_bytes;
            detail::pack_row(type, row, begin, end, reinterpret_cast<std::byte*>(scratch), lane);
        }
        return static_cast<const Element*>(scratch);
    };
    if constexpr(has_codes(panel)) {
        detail::multiply_codes_in_pieces(rows, panel, panels, get_panel, to, how);
    } else {
        using element = std::conditional_t<panel == panel_format::f32, float,
                                           std::conditional_t<panel == panel_format::f16, f16, bf16>>;
        detail::multiply_floats<element>(rows, panels, detail::float_block, get_panel, to, how);
    }
}

/// The product with one row: out[n] = sum_k x[k] * w[n,k]. Weights as for matmul, packed or plain; the same bits.
/// @param x  [K]   @param w  [N,K]   @param out  [N]
template <class W>
void matvec(strided_view<const float, dyn> x, const W& w, strided_view<float, dyn> out,
            const matmul_options& options = {}, const execution& how = {}) {
    const dims<2> x_shape{1, x.extent(0)};
    const dims<2> out_shape{1, out.extent(0)};
    matmul(detail::input_view{x.data(), x_shape, {x.extent(0), x.stride(0)}}, w,
           detail::output_view{out.data(), out_shape, {out.extent(0), out.stride(0)}}, options, how);
}

#if TOKENWORKS_DEFINITIONS

namespace detail {

[[nodiscard]] inline code_task check_task(const quantized_rows& x, const matmul_task& task) {
    if(task.unit == 0 || task.unit % panel_rows != 0) {
        tokenworks::detail::raise<argument_error>(
            {"matmul: a unit of ", task.unit, " columns, which must be a multiple of ", panel_rows});
    }
    return {.w = &task.w,
            .to = check_codes(x, task.w, task.out, task.options),
            .unit = task.unit / panel_rows,
            .ready = task.finish ? &*task.finish : nullptr};
}

} // namespace detail

TOKENWORKS_FUNCTION void matmul(const quantized_rows& x, const packed_matrix& w, detail::output_view out,
                                const matmul_options& options, const execution& how) {
    const detail::code_task task{.w = &w, .to = detail::check_codes(x, w, out, options)};
    detail::multiply_codes(x, std::span{&task, 1}, how);
}

TOKENWORKS_FUNCTION void matmul(const quantized_rows& x, std::span<const matmul_task> tasks, const execution& how) {
    constexpr std::size_t most = 8;
    std::array<detail::code_task, most> checked{};
    if(tasks.size() > most) {
        tokenworks::detail::raise<argument_error>({"matmul: ", tasks.size(), " products at once, at most ", most});
    }
    for(std::size_t i = 0; i < tasks.size(); ++i) {
        checked[i] = detail::check_task(x, tasks[i]);
    }
    detail::multiply_codes(x, std::span{checked}.first(tasks.size()), how);
}

TOKENWORKS_FUNCTION void matmul_side_by_side(const quantized_rows& x, const matmul_task& first,
                                             const matmul_task& second, const execution& how) {
    detail::code_task task = detail::check_task(x, first);
    task.beside_to = detail::check_codes(x, second.w, second.out, second.options);
    task.beside = &second.w;
    detail::require_equal("matmul_side_by_side", "the first has N", first.w.rows(), "the second has N",
                          second.w.rows());
    detail::multiply_codes(x, std::span{&task, 1}, how);
}

TOKENWORKS_FUNCTION void matmul(detail::input_view x, const packed_matrix& w, detail::output_view out,
                                const matmul_options& options, const execution& how) {
    const auto to = detail::check_product(x.extent(0), x.extent(1), w.rows(), w.columns(), out, options);
    const detail::float_rows rows = detail::check_rows(x);
    switch(w.format()) {
    case panel_format::f32:
        return detail::multiply_packed_floats<float>(rows, w, to, how);
    case panel_format::f16:
        return detail::multiply_packed_floats<f16>(rows, w, to, how);
    case panel_format::bf16:
        return detail::multiply_packed_floats<bf16>(rows, w, to, how);
    case panel_format::bf16_pairs:
        return detail::multiply_packed_pairs(rows, w, to, how);
    case panel_format::f32_parts:
        return detail::multiply_packed_parts(rows, w, to, how);
    default:
        break;
    }
    const std::size_t step = detail::record_bytes(w.format(), 8); // of 256 columns
    const auto get_panel = [&](std::size_t p, std::size_t k, std::size_t, std::byte*) {
        return w.panel(p) + k / 256 * step;
    };
    detail::multiply_codes_in_pieces(rows, w.format(), w.panels(), get_panel, to, how);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
