// Writing whole views: copy, with broadcasting and conversion of elements, and fill.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/view.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

namespace detail {

// Not inlined: GCC 12 warns of accesses out of bounds on paths that static shapes rule out.
template <class From, class To>
TOKENWORKS_NOINLINE constexpr void copy_run(const From* from, std::size_t from_step, To* to, std::size_t to_step,
                                            std::size_t count) {
    if constexpr(std::same_as<From, To>) {
        if(from_step == 1 && to_step == 1) {
            std::copy_n(from, count, to);
            return;
        }
    }
    for(std::size_t i = 0; i < count; ++i) {
        to[i * to_step] = static_cast<To>(from[i * from_step]);
    }
}

template <std::size_t Axis, class From, class To, std::size_t Rank>
constexpr void copy_axes(const From* from, const std::array<std::size_t, Rank>& from_steps, To* to,
                         const std::array<std::size_t, Rank>& to_steps, const std::array<std::size_t, Rank>& counts) {
    if constexpr(Axis + 1 >= Rank) {
        copy_run(from, Rank == 0 ? 1 : from_steps.back(), to, Rank == 0 ? 1 : to_steps.back(),
                 Rank == 0 ? 1 : counts.back());
    } else {
        for(std::size_t i = 0; i < counts[Axis]; ++i) {
            copy_axes<Axis + 1>(from + i * from_steps[Axis], from_steps, to + i * to_steps[Axis], to_steps, counts);
        }
    }
}

template <std::size_t Axis, class T, std::size_t Rank>
constexpr void fill_axes(T* to, const std::array<std::size_t, Rank>& steps, const std::array<std::size_t, Rank>& counts,
                         const T& value) {
    if constexpr(Axis == Rank) {
        *to = value;
    } else {
        for(std::size_t i = 0; i < counts[Axis]; ++i) {
            fill_axes<Axis + 1>(to + i * steps[Axis], steps, counts, value);
        }
    }
}

} // namespace detail

/// to = from, element by element. `from` is broadcast to the extents of `to`; elements of another type are converted
/// as by static_cast. The two must not overlap, unless both are contiguous, equally shaped and of one type.
/// @throws shape_error naming both shapes
template <class From, class FromExtents, class FromLayout, class To, class ToExtents, class ToLayout>
constexpr void copy(const basic_view<From, FromExtents, FromLayout>& from,
                    const basic_view<To, ToExtents, ToLayout>& to) {
    static_assert(!std::is_const_v<To>,
                  "tokenworks: copy: the second view is written, so its elements must not be const");
    static_assert(detail::may_broadcast<FromExtents, ToExtents>(),
                  "tokenworks: copy: an extent of the source must be 1 or equal the target's, last axes aligned");
    const auto counts = to.extents().values();
    const auto steps = detail::broadcast_strides("copy", from.extents().values(), from.strides(), counts);
    if(to.empty()) {
        return;
    }
    if(from.size() == to.size() && from.is_contiguous() && to.is_contiguous()) {
        detail::copy_run(from.data(), 1, to.data(), 1, to.size());
    } else {
        detail::copy_axes<0>(from.data(), steps, to.data(), to.strides(), counts);
    }
}

/// Every element of `to` becomes `value`.
template <class T, class Extents, class Layout>
constexpr void fill(const basic_view<T, Extents, Layout>& to, const std::type_identity_t<T>& value) {
    static_assert(!std::is_const_v<T>, "tokenworks: fill: the view is written, so its elements must not be const");
    if(to.empty()) {
        return;
    }
    if(to.is_contiguous()) {
        std::fill_n(to.data(), to.size(), value);
    } else {
        detail::fill_axes<0>(to.data(), to.strides(), to.extents().values(), value);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI
