// Embedding lookup: rows of a table by id, made into floats.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/quant/block.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

namespace detail {

/// One row of plain values, times a number.
template <class T>
struct widen_row {
    template <class Isa>
    struct kernel {
        using vector = simd::f32x16<Isa>;
        static TOKENWORKS_INLINE void run(const T* from, float* to, std::size_t length, float factor) {
            std::size_t i = 0;
            for(; i + simd::lanes <= length; i += simd::lanes) {
                (vector::load(from + i) * factor).store(to + i);
            }
            if(const std::size_t rest = length - i; rest != 0) {
                simd::store_partial(simd::load_partial<Isa>(from + i, rest) * factor, to + i, rest);
            }
        }
    };
};

template <class T>
concept table_element =
    std::same_as<T, float> || std::same_as<T, f16> || std::same_as<T, bf16> || quant::block_format<T>;

template <class T>
void widen_table_row(const T* from, float* to, std::size_t length, float factor, const execution& how) {
    if constexpr(quant::block_format<T>) {
        for(std::size_t i = 0; i < length; i += T::size) {
            quant::decode(*from++, to + i);
        }
        if(factor == 1.0F) {
            return;
        }
        simd::dispatch<widen_row<float>::template kernel>(how.set, static_cast<const float*>(to), to, length, factor);
    } else {
        simd::dispatch<widen_row<T>::template kernel>(how.set, from, to, length, factor);
    }
}

} // namespace detail

/// Rows of a table.
///   out[t,:] = factor * table[ids[t],:]
/// @param table   [V,C] of float, f16 or bf16, or [V,C/size] of a block format of quant/; last axis contiguous
/// @param ids     [T], each in [0,V)
/// @param out     [T,C]; last axis contiguous
/// @param factor  1 for most models, sqrt(C) for Gemma
/// @throws        shape_error naming the two extents that disagree; argument_error naming the id and V, with nothing
///                written
template <class Table, class Out>
void embed(const Table& table, view<const std::int32_t, dyn> ids, Out&& out, float factor = 1.0F,
           const execution& how = {}) {
    const auto from = detail::as_view(table);
    const auto to = detail::as_view(out);
    using from_type = std::remove_const_t<decltype(from)>;
    using to_type = std::remove_const_t<decltype(to)>;
    using element = typename from_type::value_type;
    detail::require_operand<float, 2, to_type>();
    detail::require_writable<to_type>();
    static_assert(from_type::rank() == 2, "tokenworks: embed: the table has two axes, [V,C]");
    static_assert(detail::table_element<element>,
                  "tokenworks: embed: the table is of float, f16, bf16 or a block format of quant/");
    constexpr std::size_t each = [] {
        if constexpr(quant::block_format<element>) {
            return element::size;
        } else {
            return std::size_t{1};
        }
    }();
    static_assert(to_type::static_extent(1) == dyn || from_type::static_extent(1) == dyn ||
                      to_type::static_extent(1) == from_type::static_extent(1) * each,
                  "tokenworks: embed: the output must be as wide as the table");
    detail::require_equal("embed", "ids have T", ids.size(), "out has T", to.extent(0));
    detail::require_equal("embed", "the table has C", from.extent(1) * each, "out has C", to.extent(1));
    detail::require_dense_rows("embed", "table", from);
    detail::require_dense_rows("embed", "out", to);
    for(std::size_t t = 0; t < ids.size(); ++t) {
        if(ids(t) < 0 || static_cast<std::size_t>(ids(t)) >= from.extent(0)) {
            detail::raise<argument_error>(
                {"embed: id ", ids(t), " at ", t, " is outside of the table with V=", from.extent(0)});
        }
    }
    parallel_for(how, ids.size(), detail::row_grain(to.extent(1)), [&](work_range rows) {
        for(std::size_t t = rows.begin; t < rows.end; ++t) {
            const auto id = static_cast<std::size_t>(ids(t));
            detail::widen_table_row(static_cast<const element*>(from.data()) + id * from.stride(0),
                                    to.data() + t * to.stride(0), to.extent(1), factor, how);
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
