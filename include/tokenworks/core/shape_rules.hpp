// Shapes made from shapes: the rules behind a view's slice, select, broadcast and reshape, and their error texts.
//
// Each rule exists twice, on types (static extents) and on values; views apply both.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/extents.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::detail {

[[nodiscard]] constexpr std::size_t one_less(std::size_t rank) noexcept { return rank == 0 ? 0 : rank - 1; }

template <class Extents, std::size_t Axis, class = std::make_index_sequence<one_less(Extents::rank())>>
struct without_axis;
template <class Extents, std::size_t Axis, std::size_t... I>
struct without_axis<Extents, Axis, std::index_sequence<I...>> {
    using type = extents<Extents::static_extent(I < Axis ? I : I + 1)...>;
};

template <class Extents, std::size_t Axis, std::size_t Count, class = std::make_index_sequence<Extents::rank()>>
struct with_axis;
template <class Extents, std::size_t Axis, std::size_t Count, std::size_t... I>
struct with_axis<Extents, Axis, Count, std::index_sequence<I...>> {
    using type = extents<(I == Axis ? Count : Extents::static_extent(I))...>;
};

template <std::size_t Rank>
[[nodiscard]] constexpr std::array<std::size_t, one_less(Rank)> drop(const std::array<std::size_t, Rank>& values,
                                                                     std::size_t axis) noexcept {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<std::size_t, one_less(Rank)>{values[I < axis ? I : I + 1]...};
    }
    (std::make_index_sequence<one_less(Rank)>{});
}

/// Numpy's rule, axes aligned at the last: an extent of From that the types know is 1, or equals To's.
template <class From, class To>
[[nodiscard]] constexpr bool may_broadcast() noexcept {
    if(From::rank() > To::rank()) {
        return false;
    }
    for(std::size_t i = 0; i < From::rank(); ++i) {
        const std::size_t from = From::static_extent(i);
        if(from != 1 && !static_extents_agree(from, To::static_extent(i + To::rank() - From::rank()))) {
            return false;
        }
    }
    return true;
}

[[noreturn]] TOKENWORKS_COLD inline void raise_no_fit(const char* operation, std::size_t count,
                                                      std::span<const std::size_t> shape) {
    raise<shape_error>({operation, ": ", count, " elements do not fit ", shape_text(shape)});
}

[[noreturn]] TOKENWORKS_COLD inline void raise_pair(const char* operation, std::span<const std::size_t> from,
                                                    const char* what, std::span<const std::size_t> to) {
    raise<shape_error>({operation, ": ", shape_text(from), what, shape_text(to)});
}

/// The strides with which a shape is seen in a larger one: 0 along axes that repeat.
template <std::size_t From, std::size_t To>
    requires(From <= To)
[[nodiscard]] constexpr std::array<std::size_t, To> broadcast_strides(const char* operation,
                                                                      const std::array<std::size_t, From>& shape,
                                                                      const std::array<std::size_t, From>& strides,
                                                                      const std::array<std::size_t, To>& target) {
    std::array<std::size_t, To> out{};
    for(std::size_t i = 0; i < From; ++i) {
        const std::size_t axis = i + To - From;
        if(shape[i] == target[axis]) {
            out[axis] = strides[i];
        } else if(shape[i] != 1) {
            raise_pair(operation, shape, " does not broadcast to ", target);
        }
    }
    return out;
}

[[noreturn]] TOKENWORKS_COLD inline void raise_range(const char* operation, std::size_t begin, std::size_t count,
                                                     std::size_t axis, std::span<const std::size_t> shape) {
    raise<shape_error>({operation, ": ", count, " from ", begin, " on axis ", axis, " of ", shape_text(shape)});
}

[[noreturn]] TOKENWORKS_COLD inline void raise_index(std::span<const std::size_t> index,
                                                     std::span<const std::size_t> shape) {
    raise<argument_error>({"at: no element ", shape_text(index), " in ", shape_text(shape)});
}

[[noreturn]] TOKENWORKS_COLD inline void raise_not_contiguous(const char* operation, std::span<const std::size_t> shape,
                                                              std::span<const std::size_t> strides) {
    raise<shape_error>(
        {operation, ": ", shape_text(shape), " with strides ", shape_text(strides), " is not contiguous"});
}

} // namespace tokenworks::inline TOKENWORKS_ABI::detail
