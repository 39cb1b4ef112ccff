// The shape of a tensor: extents known at compile time and extents known at run time, any rank, in one type.
//
// `extents<dyn, 8, 64>` stores one number; a static extent costs nothing and disagreements between static extents do
// not compile. It follows std::mdspan's extents, with two differences: a value that does not fit is an exception
// instead of undefined, and the product of the non-zero extents always fits std::ptrdiff_t. So size(), strides and
// offsets of any sub-shape cannot overflow, and nothing downstream checks again.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// In place of an extent: known at run time only.
inline constexpr std::size_t dyn = static_cast<std::size_t>(-1);

template <std::size_t... E>
class extents;

namespace detail {

/// Tag: the caller knows that the values fit.
struct unchecked_tag {};
inline constexpr unchecked_tag unchecked{};

/// Takes no room in a class, unlike std::array<T, 0>.
struct no_values {};

/// The most elements a shape may have, zero extents left out.
inline constexpr std::size_t most_elements = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());

template <class>
inline constexpr bool is_extents = false;
template <std::size_t... E>
inline constexpr bool is_extents<extents<E...>> = true;

[[nodiscard]] TOKENWORKS_NOINLINE inline std::string shape_text(std::span<const std::size_t> values) {
    std::string text = "[";
    for(std::size_t i = 0; i < values.size(); ++i) {
        text += i == 0 ? "" : ",";
        text += values[i] > most_elements ? std::to_string(static_cast<std::ptrdiff_t>(values[i]))
                                          : std::to_string(values[i]);
    }
    text += ']';
    return text;
}

/// Whether the product of the non-zero values is at most most_elements.
[[nodiscard]] constexpr bool shape_fits(std::span<const std::size_t> values) noexcept {
    std::size_t product = 1;
    for(const std::size_t value: values) {
        if(value != 0 && (__builtin_mul_overflow(product, value, &product) || product > most_elements)) {
            return false;
        }
    }
    return true;
}

[[noreturn]] TOKENWORKS_COLD inline void raise_too_large(std::span<const std::size_t> values) {
    raise<shape_error>({"extents: ", shape_text(values), " is negative, or more elements than fit in memory"});
}

[[noreturn]] TOKENWORKS_COLD inline void raise_static_extent(std::size_t axis, std::size_t known,
                                                             std::span<const std::size_t> values) {
    raise<shape_error>(
        {"extents: axis ", axis, " is ", known, " by its type, which does not fit ", shape_text(values)});
}

/// Whether two static extents can be the same number.
[[nodiscard]] constexpr bool static_extents_agree(std::size_t a, std::size_t b) noexcept {
    return a == dyn || b == dyn || a == b;
}

} // namespace detail

/// A shape of sizeof...(E) axes; an E of `dyn` is chosen at run time. Axis 0 is the slowest, as in C arrays.
template <std::size_t... E>
class extents {
    static constexpr std::size_t rank_ = sizeof...(E);
    static constexpr std::size_t rank_dynamic_ = ((E == dyn ? std::size_t{1} : std::size_t{0}) + ... + 0);

public:
    using values_type = std::array<std::size_t, rank_>;

    /// Every dynamic extent is zero.
    constexpr extents() noexcept = default;

    /// From every extent, or from the dynamic ones alone, in order.
    /// @throws shape_error where a value is negative, differs from a static extent, or the product overflows
    template <std::integral... I>
        requires((sizeof...(I) == rank_ || sizeof...(I) == rank_dynamic_) && sizeof...(I) != 0)
    explicit constexpr extents(I... values) {
        assign(std::array<std::size_t, sizeof...(I)>{static_cast<std::size_t>(values)...});
    }

    /// The same, from an array.
    template <std::size_t N>
        requires((N == rank_ || N == rank_dynamic_) && N != 0)
    explicit constexpr extents(const std::array<std::size_t, N>& values) { assign(values); }

    /// Every extent, known to fit.
    constexpr extents(detail::unchecked_tag, const values_type& values) noexcept { store(values); }

    /// From a shape of the same rank: implicit where nothing can go wrong, explicit and checked where a dynamic
    /// extent becomes a static one.
    /// @throws shape_error naming the static extent and the shape
    template <std::size_t... O>
        requires(sizeof...(O) == rank_)
    explicit((... || (E != dyn && O == dyn))) constexpr extents(const extents<O...>& other) noexcept(
        !(... || (E != dyn && O == dyn))) {
        static_assert((detail::static_extents_agree(E, O) && ...),
                      "tokenworks: a shape with this static extent cannot become a shape with another static extent");
        if constexpr((... || (E != dyn && O == dyn))) {
            check_static(other.values());
        }
        store(other.values());
    }

    [[nodiscard]] static constexpr std::size_t rank() noexcept { return rank_; }
    [[nodiscard]] static constexpr std::size_t rank_dynamic() noexcept { return rank_dynamic_; }

    /// The extent that the type fixes, or dyn.
    [[nodiscard]] static constexpr std::size_t static_extent(std::size_t axis) noexcept { return static_[axis]; }

    /// The number of elements where the type fixes it, or dyn.
    [[nodiscard]] static constexpr std::size_t static_size() noexcept {
        if constexpr(rank_dynamic_ == 0) {
            return (E * ... * std::size_t{1});
        } else {
            return dyn;
        }
    }

    [[nodiscard]] constexpr std::size_t extent(std::size_t axis) const noexcept {
        if constexpr(rank_dynamic_ == 0) {
            return static_extent(axis);
        } else if constexpr(rank_dynamic_ == rank_) {
            return dynamic_[axis];
        } else {
            const std::size_t known = static_extent(axis);
            return known != dyn ? known : dynamic_[dynamic_before_[axis]];
        }
    }

    /// The number of elements: the product of the extents, 1 for rank 0.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        return [this]<std::size_t... I>(std::index_sequence<I...>) { return (extent(I) * ... * std::size_t{1}); }
        (std::make_index_sequence<rank_>{});
    }

    /// Every extent as an array.
    [[nodiscard]] constexpr values_type values() const noexcept {
        return [this]<std::size_t... I>(std::index_sequence<I...>) { return values_type{extent(I)...}; }
        (std::make_index_sequence<rank_>{});
    }

private:
    // Tables and folds rather than loops: where the axis is a constant, so is everything read here, at -O2 too.
    static constexpr std::array<std::size_t, rank_ + 1> static_{E..., 0};
    static constexpr std::array<std::size_t, rank_ + 1> dynamic_before_ = [] {
        std::array<std::size_t, rank_ + 1> before{};
        for(std::size_t i = 0; i < rank_; ++i) {
            before[i + 1] = before[i] + (static_[i] == dyn ? 1U : 0U);
        }
        return before;
    }();

    static constexpr void check_static(const values_type& values) {
        for(std::size_t i = 0; i < rank_; ++i) {
            if(!detail::static_extents_agree(static_extent(i), values[i])) {
                detail::raise_static_extent(i, static_extent(i), values);
            }
        }
    }

    template <std::size_t N>
    constexpr void assign(const std::array<std::size_t, N>& given) {
        values_type all{};
        if constexpr(N == rank_) {
            all = given;
            check_static(all);
        } else {
            for(std::size_t i = 0; i < rank_; ++i) {
                all[i] = static_extent(i) != dyn ? static_extent(i) : given[dynamic_before_[i]];
            }
        }
        if(!detail::shape_fits(all)) {
            detail::raise_too_large(all);
        }
        store(all);
    }

    constexpr void store(const values_type& all) noexcept {
        if constexpr(rank_dynamic_ != 0) {
            [&]<std::size_t... I>(std::index_sequence<I...>) {
                ((E == dyn ? static_cast<void>(dynamic_[dynamic_before_[I]] = all[I]) : void()), ...);
            }
            (std::make_index_sequence<rank_>{});
        } else {
            static_cast<void>(all);
        }
    }

    static_assert(detail::shape_fits(std::array<std::size_t, rank_ + 1>{(E == dyn ? 1 : E)..., 1}),
                  "tokenworks: a shape with these static extents has more elements than fit in memory");

    [[no_unique_address]] std::conditional_t<rank_dynamic_ == 0, detail::no_values,
                                             std::array<std::size_t, rank_dynamic_>>
        dynamic_{};
};

/// Equal rank and equal numbers, static or not.
template <std::size_t... A, std::size_t... B>
[[nodiscard]] constexpr bool operator==(const extents<A...>& a, const extents<B...>& b) noexcept {
    if constexpr(sizeof...(A) != sizeof...(B)) {
        return false;
    } else {
        return a.values() == b.values();
    }
}

template <std::integral... I>
explicit extents(I...) -> extents<(static_cast<void>(sizeof(I)), dyn)...>;

namespace detail {

template <class>
struct all_dynamic;
template <std::size_t... I>
struct all_dynamic<std::index_sequence<I...>> {
    using type = extents<(static_cast<void>(I), dyn)...>;
};

} // namespace detail

/// A shape of that rank, every extent dynamic.
template <std::size_t Rank>
using dims = typename detail::all_dynamic<std::make_index_sequence<Rank>>::type;

/// "[4,2]"; "[]" for rank 0.
template <std::size_t... E>
[[nodiscard]] std::string to_string(const extents<E...>& shape) {
    return detail::shape_text(shape.values());
}

} // namespace tokenworks::inline TOKENWORKS_ABI
