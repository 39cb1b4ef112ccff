// What kernels ask of their operands: element type, number of axes, extents that agree, rows without gaps.
//
// An operand is a view, an owner with a member view() such as tensor, or a vector or span (one axis). Static extents
// that disagree do not compile; dynamic ones throw shape_error with the operation, the two operands and both extents.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <ranges>
#include <type_traits>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/extents.hpp>
#include <tokenworks/core/view.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

using tokenworks::detail::raise;

/// The view of an operand: itself, its member view(), or a vector, array or span as a view of rank 1.
template <class X>
[[nodiscard]] constexpr auto as_view(X&& operand) {
    if constexpr(is_view<std::remove_cvref_t<X>>) {
        return operand;
    } else if constexpr(requires { operand.view(); }) {
        return operand.view();
    } else {
        static_assert(std::ranges::contiguous_range<X>,
                      "tokenworks: an operand of a kernel is a view, a tensor, or contiguous memory");
        using element = std::remove_reference_t<std::ranges::range_reference_t<X>>;
        return tokenworks::view<element, dyn>{std::ranges::data(operand), std::ranges::size(operand)};
    }
}

template <class X>
using view_type = decltype(as_view(std::declval<X&>()));

template <class X>
using value_type = typename view_type<X>::value_type;

/// Stops at one sentence where an operand is not a view of T with that many axes.
template <class T, std::size_t Rank, class View>
constexpr void require_operand() {
    static_assert(std::same_as<typename View::value_type, T>,
                  "tokenworks: an operand of this kernel has another element type than the kernel works on");
    static_assert(View::rank() == Rank, "tokenworks: an operand of this kernel has the wrong number of axes");
}

template <class View>
constexpr void require_writable() {
    static_assert(!std::is_const_v<typename View::element_type>,
                  "tokenworks: the output of a kernel is a view of const elements");
}

[[noreturn]] TOKENWORKS_COLD inline void raise_extents(const char* operation, const char* a, std::size_t a_extent,
                                                       const char* b, std::size_t b_extent) {
    raise<shape_error>({operation, ": ", a, "=", a_extent, ", ", b, "=", b_extent});
}

/// a and b name operand and axis: "k has S".
inline void require_equal(const char* operation, const char* a, std::size_t a_extent, const char* b,
                          std::size_t b_extent) {
    if(a_extent != b_extent) [[unlikely]] {
        raise_extents(operation, a, a_extent, b, b_extent);
    }
}

/// Whether axis AxisA of A and axis AxisB of B can have the same extent, as far as the types know.
template <class A, std::size_t AxisA, class B, std::size_t AxisB>
inline constexpr bool may_agree = tokenworks::detail::static_extents_agree(A::static_extent(AxisA),
                                                                           B::static_extent(AxisB));

[[noreturn]] TOKENWORKS_COLD inline void raise_stride(const char* operation, const char* operand, std::size_t stride) {
    raise<shape_error>({operation, ": the last axis of ", operand, " has stride ", stride, ", which must be 1"});
}

/// The rows of an operand are read as plain arrays.
template <class View>
void require_dense_rows(const char* operation, const char* operand, const View& x) {
    if constexpr(!View::layout_type::is_always_contiguous) {
        constexpr std::size_t last = View::rank() - 1;
        if(x.extent(last) > 1 && x.stride(last) != 1) [[unlikely]] {
            raise_stride(operation, operand, x.stride(last));
        }
    }
}

/// An operand [..., n] as rows of n values: where row i begins. Axes before the last may have any stride.
template <class T>
class row_walk {
public:
    template <class View>
    row_walk(const char* operation, const char* operand, const View& x) : data_{x.data()} {
        static_assert(View::rank() >= 1, "tokenworks: this kernel works on rows, so an operand has at least one axis");
        static_assert(View::rank() <= most_axes, "tokenworks: this kernel takes operands of up to eight axes");
        require_dense_rows(operation, operand, x);
        constexpr std::size_t last = View::rank() - 1;
        length = x.extent(last);
        for(std::size_t i = 0; i < last; ++i) {
            count *= x.extent(i);
        }
        // Neighbouring axes that lie like one are merged, so that a contiguous operand is a single axis.
        for(std::size_t i = last; i-- > 0;) {
            const std::size_t extent = x.extent(i);
            if(axes_ != 0 && x.stride(i) == extents_[axes_ - 1] * strides_[axes_ - 1]) {
                extents_[axes_ - 1] *= extent;
            } else if(extent != 1) {
                extents_[axes_] = extent;
                strides_[axes_] = x.stride(i);
                ++axes_;
            }
        }
    }

    [[nodiscard]] T* operator[](std::size_t row) const noexcept {
        std::size_t offset = 0;
        std::size_t rest = row;
        for(std::size_t i = 0; i + 1 < axes_; ++i) {
            offset += rest % extents_[i] * strides_[i];
            rest /= extents_[i];
        }
        return data_ + offset + (axes_ == 0 ? 0 : rest * strides_[axes_ - 1]);
    }

    std::size_t count = 1;  ///< rows
    std::size_t length = 0; ///< values in a row

private:
    static constexpr std::size_t most_axes = 8;
    T* data_;
    std::size_t axes_ = 0; ///< innermost first
    std::size_t extents_[most_axes] = {};
    std::size_t strides_[most_axes] = {};
};

template <class View>
row_walk(const char*, const char*, const View&) -> row_walk<typename View::element_type>;

[[noreturn]] TOKENWORKS_COLD inline void raise_shapes(const char* operation, const char* a,
                                                      std::span<const std::size_t> a_shape, const char* b,
                                                      std::span<const std::size_t> b_shape) {
    raise<shape_error>({operation, ": ", a, " is ", tokenworks::detail::shape_text(a_shape), ", ", b, " is ",
                        tokenworks::detail::shape_text(b_shape)});
}

/// Both operands have the same shape.
template <class A, class B>
void require_same_shape(const char* operation, const char* a_name, const A& a, const char* b_name, const B& b) {
    static_assert(A::rank() == B::rank(), "tokenworks: operands of this kernel must have the same number of axes");
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        static_assert((may_agree<A, I, B, I> && ...),
                      "tokenworks: operands of this kernel must have the same shape, and their static extents differ");
        const bool same = ((a.extent(I) == b.extent(I)) && ...);
        if(!same) [[unlikely]] {
            raise_shapes(operation, a_name, a.extents().values(), b_name, b.extents().values());
        }
    }
    (std::make_index_sequence<A::rank()>{});
}

/// Rows that one member of a team gets at least, for work of about one step a value.
[[nodiscard]] constexpr std::size_t row_grain(std::size_t length, std::size_t work = 8192) noexcept {
    return std::max<std::size_t>(1, work / std::max<std::size_t>(1, length));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
