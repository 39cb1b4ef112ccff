// A view: a pointer, a shape and a layout. It owns nothing, is trivially copyable, and is passed by value.
//
// `view<const float, dyn, 8, 64>` reads as a type the way [T,8,64] reads in a paper. An element may be any type: a
// quantised matrix is a view over blocks. Like a pointer, a const view may write; `view<const T, ...>` may not.
//
// What is checked: everything that makes a shape (constructors, conversions, slice, select, reshape, broadcast_to)
// throws shape_error with the operation and both extents, and what static extents already know does not compile.
// Element access and row() are for inner loops and check nothing; at() is the checked form.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/extents.hpp>
#include <tokenworks/core/layout.hpp>
#include <tokenworks/core/shape_rules.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

template <class T, class Extents, class Layout = layout_right>
class basic_view;

/// Row-major without gaps.
template <class T, std::size_t... E>
using view = basic_view<T, extents<E...>, layout_right>;

/// Any stride on every axis: slices of inner axes, transposes, broadcasts.
template <class T, std::size_t... E>
using strided_view = basic_view<T, extents<E...>, layout_stride>;

template <class>
inline constexpr bool is_view = false;
template <class T, class Extents, class Layout>
inline constexpr bool is_view<basic_view<T, Extents, Layout>> = true;

namespace detail {

/// Whether elements of From can be seen as To: the same type, or with const added.
template <class From, class To>
concept element_convertible_to = std::is_convertible_v<From (*)[], To (*)[]>;

template <class P, class T>
concept pointer_to = (std::is_pointer_v<std::remove_reference_t<P>> &&
                      element_convertible_to<std::remove_pointer_t<std::remove_reference_t<P>>, T>) ||
                     std::same_as<std::remove_cvref_t<P>, std::nullptr_t>;

template <class R>
concept lasting_memory = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
    (std::is_lvalue_reference_v<R> || std::ranges::borrowed_range<R>);

/// Contiguous memory that outlives the expression: an lvalue container or array, or a span.
template <class R, class T>
concept memory_of = lasting_memory<R> && !is_view<std::remove_cvref_t<R>> &&
                    element_convertible_to<std::remove_reference_t<std::ranges::range_reference_t<R>>, T>;

/// An owner such as tensor: an lvalue with a member view().
template <class R>
concept viewable = std::is_lvalue_reference_v<R> && !is_view<std::remove_cvref_t<R>> && requires(R owner) {
    requires is_view<decltype(owner.view())>;
};

/// Whether nothing can go wrong at run time. Static extents that disagree count as implicit, so that every spelling of
/// the conversion reaches the static_assert in extents.
template <class FromExtents, class FromLayout, class Extents, class Layout>
inline constexpr bool converts_implicitly = std::is_convertible_v<FromExtents, Extents> &&
                                            (std::same_as<FromLayout, layout_right> ||
                                             std::same_as<Layout, layout_stride>);

} // namespace detail

template <class T, class Extents, class Layout>
class basic_view {
    static_assert(std::is_object_v<T>, "tokenworks: a view's element must be an object type");
    static_assert(detail::is_extents<Extents>, "tokenworks: a view's second parameter must be extents<...>");

    static constexpr bool is_right_ = std::same_as<Layout, layout_right>;

public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;
    using extents_type = Extents;
    using layout_type = Layout;
    using mapping_type = typename Layout::template mapping<Extents>;
    using index_type = std::array<std::size_t, Extents::rank()>;

    /// A null pointer; every dynamic extent is zero.
    constexpr basic_view() noexcept = default;

    /// On memory at `data`, with every extent or the dynamic ones alone: `view<float, dyn, 64>{p, 3}`.
    /// @throws shape_error where an extent is negative, differs from a static one, or the product overflows
    template <detail::pointer_to<T> P, std::integral... I>
        requires(is_right_ && (sizeof...(I) == Extents::rank() || sizeof...(I) == Extents::rank_dynamic()))
    explicit constexpr basic_view(P&& data, I... sizes) : basic_view{data, make_extents(sizes...)} {}

    constexpr basic_view(T* data, const Extents& shape) noexcept requires(is_right_) : data_{data}, mapping_{shape} {}

    constexpr basic_view(T* data, const Extents& shape, const index_type& strides) noexcept requires(!is_right_)
        : data_{data}, mapping_{shape, strides} {}

    constexpr basic_view(T* data, const mapping_type& mapping) noexcept : data_{data}, mapping_{mapping} {}

    /// On a span, array or vector, with every extent or the dynamic ones alone. A dynamic view of rank 1 needs none.
    /// @throws shape_error where the shape does not have exactly as many elements as the memory
    template <class R, std::integral... I>
        requires(is_right_&& detail::memory_of<R, T> &&
                 (sizeof...(I) == Extents::rank() || sizeof...(I) == Extents::rank_dynamic()))
    explicit constexpr basic_view(R&& memory, I... sizes)
        : basic_view{std::ranges::data(memory), make_extents(sizes...)} {
        if(std::ranges::size(memory) != size()) {
            detail::raise_no_fit("view", std::ranges::size(memory), extents().values());
        }
    }

    template <class R>
        requires(is_right_&& detail::memory_of<R, T>&& std::same_as<Extents, dims<1>>)
    constexpr basic_view(R&& memory) // NOLINT(*-explicit-*): a span of memory is a view of rank 1
        : data_{std::ranges::data(memory)}, mapping_{Extents{detail::unchecked, {std::ranges::size(memory)}}} {}

    /// From a view of the same rank. Implicit: adds const, forgets static extents, forgets contiguity. Explicit and
    /// checked: a dynamic extent becomes static, a strided view contiguous. Static extents that differ do not compile.
    /// @throws shape_error naming the shape and the static extent, or the strides
    template <class U, class OtherExtents, class OtherLayout>
        requires(OtherExtents::rank() == Extents::rank() && detail::element_convertible_to<U, T>)
    explicit(!detail::converts_implicitly<OtherExtents, OtherLayout, Extents, Layout>)
        // NOLINTNEXTLINE(*-explicit-*)
        constexpr basic_view(const basic_view<U, OtherExtents, OtherLayout>& other) noexcept(
            detail::converts_implicitly<OtherExtents, OtherLayout, Extents, Layout>)
        : data_{other.data()}, mapping_{convert(other.mapping())} {}

    /// From an owner, under the rules for its view().
    template <detail::viewable Owner>
        requires std::convertible_to<decltype(std::declval<Owner>().view()), basic_view>
    constexpr basic_view(Owner&& owner) // NOLINT(*-explicit-*)
        : basic_view{owner.view()} {}

    [[nodiscard]] constexpr T* data() const noexcept { return data_; }
    [[nodiscard]] constexpr const Extents& extents() const noexcept { return mapping_.shape(); }
    [[nodiscard]] constexpr std::size_t extent(std::size_t axis) const noexcept { return extents().extent(axis); }
    /// Elements from one index of the axis to the next.
    [[nodiscard]] constexpr std::size_t stride(std::size_t axis) const noexcept { return mapping_.stride(axis); }
    [[nodiscard]] constexpr index_type strides() const noexcept { return mapping_.strides(); }
    [[nodiscard]] constexpr const mapping_type& mapping() const noexcept { return mapping_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return extents().size(); }
    [[nodiscard]] constexpr bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] constexpr bool is_contiguous() const noexcept { return mapping_.is_contiguous(); }
    [[nodiscard]] static constexpr std::size_t rank() noexcept { return Extents::rank(); }
    [[nodiscard]] static constexpr std::size_t static_extent(std::size_t axis) noexcept {
        return Extents::static_extent(axis);
    }

    /// The element at an index an axis; not checked.
    template <std::integral... I>
    [[nodiscard]] constexpr T& operator()(I... index) const noexcept {
        static_assert(sizeof...(I) == Extents::rank(), "tokenworks: a view needs exactly one index for every axis");
        return data_[mapping_(static_cast<std::size_t>(index)...)];
    }

    /// The same, from an array of indices.
    [[nodiscard]] constexpr T& operator[](const index_type& index) const noexcept {
        return [&]<std::size_t... I>(std::index_sequence<I...>)->T& { return data_[mapping_(index[I]...)]; }
        (std::make_index_sequence<Extents::rank()>{});
    }

    /// The element, checked.
    /// @throws argument_error naming the index and the extents
    template <std::integral... I>
    [[nodiscard]] constexpr T& at(I... index) const {
        static_assert(sizeof...(I) == Extents::rank(), "tokenworks: a view needs exactly one index for every axis");
        const index_type values{static_cast<std::size_t>(index)...};
        for(std::size_t i = 0; i < rank(); ++i) {
            if(values[i] >= extent(i)) {
                detail::raise_index(values, extents().values());
            }
        }
        return (*this)[values];
    }

    /// The view without its first axis, at an index of it; not checked.
    [[nodiscard]] constexpr auto row(std::size_t index) const noexcept {
        static_assert(Extents::rank() > 0, "tokenworks: a view of rank 0 has no rows");
        return without<0>(index);
    }

    class row_range;
    /// Every row in order: `for(auto row: v.rows())`.
    [[nodiscard]] constexpr row_range rows() const noexcept {
        static_assert(Extents::rank() > 0, "tokenworks: a view of rank 0 has no rows");
        return row_range{*this};
    }

    /// The view without one axis, at an index of it. On axis 0 of a contiguous view it stays contiguous.
    /// @throws shape_error where the index is not below the extent
    template <std::size_t Axis>
    [[nodiscard]] constexpr auto select(std::size_t index) const {
        static_assert(Axis < Extents::rank(), "tokenworks: select: the view has no such axis");
        check_range("select", index, 1, Axis);
        return without<Axis>(index);
    }

    /// The same for an axis chosen at run time; every extent becomes dynamic.
    [[nodiscard]] constexpr auto select(std::size_t axis, std::size_t index) const {
        static_assert(Extents::rank() > 0, "tokenworks: select: a view of rank 0 has no axis");
        check_range("select", index, 1, axis);
        using result = basic_view<T, dims<detail::one_less(Extents::rank())>, layout_stride>;
        const auto steps = strides();
        return result{
            step(index * steps[axis]),
            dims<detail::one_less(Extents::rank())>{detail::unchecked, detail::drop(extents().values(), axis)},
            detail::drop(steps, axis)};
    }

    /// The part [begin, begin + count) of one axis. On axis 0 of a contiguous view it stays contiguous. Give Count
    /// to keep the new extent static: `slice<1, 64>(begin)`.
    /// @throws shape_error where the part does not lie in the axis
    template <std::size_t Axis = 0>
    [[nodiscard]] constexpr auto slice(std::size_t begin, std::size_t count) const {
        return part<Axis, dyn>(begin, count);
    }
    template <std::size_t Axis, std::size_t Count>
    [[nodiscard]] constexpr auto slice(std::size_t begin) const {
        return part<Axis, Count>(begin, Count);
    }

    /// The same for an axis chosen at run time; every extent becomes dynamic.
    [[nodiscard]] constexpr auto slice(std::size_t axis, std::size_t begin, std::size_t count) const {
        check_range("slice", begin, count, axis);
        auto values = extents().values();
        values[axis] = count;
        return basic_view<T, dims<Extents::rank()>, layout_stride>{
            step(begin * stride(axis)), dims<Extents::rank()>{detail::unchecked, values}, strides()};
    }

    /// The axes in another order: result axis i is this view's axis Axes[i].
    template <std::size_t... Axes>
    [[nodiscard]] constexpr auto permute() const noexcept {
        constexpr bool in_range = sizeof...(Axes) == Extents::rank() && (... && (Axes < Extents::rank()));
        static_assert(in_range && is_permutation<Axes...>(),
                      "tokenworks: permute: name every axis of the view exactly once");
        using shape = tokenworks::extents<Extents::static_extent(Axes)...>;
        const auto from = strides();
        return basic_view<T, shape, layout_stride>{data_, shape{detail::unchecked, {extent(Axes)...}},
                                                   index_type{from[Axes]...}};
    }

    /// The axes in reverse order.
    [[nodiscard]] constexpr auto transpose() const noexcept {
        return [this]<std::size_t... I>(std::index_sequence<I...>) {
            return this->template permute<(Extents::rank() - 1 - I)...>();
        }
        (std::make_index_sequence<Extents::rank()>{});
    }

    /// The same elements in another shape.
    /// @throws shape_error where the element counts differ, or this view has gaps
    template <std::size_t... E>
    [[nodiscard]] constexpr view<T, E...> reshape(const tokenworks::extents<E...>& shape) const {
        constexpr std::size_t other = tokenworks::extents<E...>::static_size();
        static_assert(detail::static_extents_agree(Extents::static_size(), other),
                      "tokenworks: reshape: the new shape must have as many elements as the view");
        check_contiguous("reshape");
        if(shape.size() != size()) {
            detail::raise_no_fit("reshape", size(), shape.values());
        }
        return view<T, E...>{data_, shape};
    }

    /// Every element as one axis.
    /// @throws shape_error where this view has gaps
    [[nodiscard]] constexpr auto flatten() const noexcept(Layout::is_always_contiguous) {
        using shape = tokenworks::extents<Extents::static_size()>;
        check_contiguous("flatten");
        return basic_view<T, shape, layout_right>{data_, shape{detail::unchecked, {size()}}};
    }

    /// Every element as a span.
    /// @throws shape_error where this view has gaps
    [[nodiscard]] constexpr std::span<T> as_span() const noexcept(Layout::is_always_contiguous) {
        check_contiguous("as_span");
        return {data_, size()};
    }

    /// Seen in a larger shape: axes are aligned at the last, extents of 1 and missing axes repeat with stride 0.
    /// @throws shape_error naming both shapes
    template <std::size_t... E>
    [[nodiscard]] constexpr strided_view<T, E...> broadcast_to(const tokenworks::extents<E...>& shape) const {
        static_assert(detail::may_broadcast<Extents, tokenworks::extents<E...>>(),
                      "tokenworks: broadcast_to: an extent must be 1 or equal the new shape's, last axes aligned");
        return {data_, shape, detail::broadcast_strides("broadcast_to", extents().values(), strides(), shape.values())};
    }

    [[nodiscard]] constexpr basic_view<const T, Extents, Layout> as_const() const noexcept { return {data_, mapping_}; }

private:
    template <class... I>
    static constexpr Extents make_extents(I... sizes) {
        if constexpr(sizeof...(I) == 0) {
            return Extents{};
        } else {
            return Extents{sizes...};
        }
    }

    template <class OtherMapping>
    static constexpr mapping_type convert(const OtherMapping& other) {
        const Extents shape{other.shape()};
        if constexpr(std::same_as<Layout, layout_stride>) {
            return mapping_type{shape, other.strides()};
        } else {
            if(!other.is_contiguous()) {
                detail::raise_not_contiguous("view", other.shape().values(), other.strides());
            }
            return mapping_type{shape};
        }
    }

    template <std::size_t... Axes>
    static constexpr bool is_permutation() noexcept {
        std::array<bool, Extents::rank() + 1> seen{};
        ((seen[Axes] = true), ...);
        return std::ranges::count(seen, true) == static_cast<std::ptrdiff_t>(Extents::rank());
    }

    constexpr void check_contiguous(const char* operation) const noexcept(Layout::is_always_contiguous) {
        if constexpr(!Layout::is_always_contiguous) {
            if(!is_contiguous()) {
                detail::raise_not_contiguous(operation, extents().values(), strides());
            }
        }
    }

    constexpr void check_range(const char* operation, std::size_t begin, std::size_t count, std::size_t axis) const {
        if(axis >= rank() || begin > extent(axis) || count > extent(axis) - begin) {
            detail::raise_range(operation, begin, count, axis, extents().values());
        }
    }

    /// data_ + offset; a view of no elements stays where it is, for its pointer may be null.
    constexpr T* step(std::size_t offset) const noexcept { return empty() ? data_ : data_ + offset; }

    template <std::size_t Axis>
    constexpr auto without(std::size_t index) const noexcept {
        using shape = typename detail::without_axis<Extents, Axis>::type;
        const shape rest{detail::unchecked, detail::drop(extents().values(), Axis)};
        if constexpr(Axis == 0 && is_right_) {
            return basic_view<T, shape, layout_right>{data_ + index * stride(0), rest};
        } else {
            return basic_view<T, shape, layout_stride>{step(index * stride(Axis)), rest, detail::drop(strides(), Axis)};
        }
    }

    template <std::size_t Axis, std::size_t Count>
    constexpr auto part(std::size_t begin, std::size_t count) const {
        static_assert(Axis < Extents::rank(), "tokenworks: slice: the view has no such axis");
        static_assert(Count == dyn || Extents::static_extent(Axis) == dyn || Count <= Extents::static_extent(Axis),
                      "tokenworks: slice: the part is longer than the axis");
        check_range("slice", begin, count, Axis);
        using shape = typename detail::with_axis<Extents, Axis, Count>::type;
        auto values = extents().values();
        values[Axis] = count;
        const shape rest{detail::unchecked, values};
        if constexpr(Axis == 0 && is_right_) {
            return basic_view<T, shape, layout_right>{data_ + begin * stride(0), rest};
        } else {
            return basic_view<T, shape, layout_stride>{step(begin * stride(Axis)), rest, strides()};
        }
    }

    T* data_ = nullptr;
    [[no_unique_address]] mapping_type mapping_{};
};

/// The rows of a view, as a range of views.
template <class T, class Extents, class Layout>
class basic_view<T, Extents, Layout>::row_range {
public:
    class iterator {
    public:
        using difference_type = std::ptrdiff_t;
        using value_type = decltype(std::declval<const basic_view&>().row(0));

        constexpr iterator() noexcept = default;
        constexpr iterator(const basic_view& whole, std::size_t index) noexcept : whole_{whole}, index_{index} {}

        [[nodiscard]] constexpr value_type operator*() const noexcept { return whole_.row(index_); }
        constexpr iterator& operator++() noexcept {
            ++index_;
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            iterator before = *this;
            ++index_;
            return before;
        }
        [[nodiscard]] friend constexpr bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.index_ == b.index_;
        }

    private:
        basic_view whole_;
        std::size_t index_ = 0;
    };

    constexpr explicit row_range(const basic_view& whole) noexcept : whole_{whole} {}

    [[nodiscard]] constexpr iterator begin() const noexcept { return {whole_, 0}; }
    [[nodiscard]] constexpr iterator end() const noexcept { return {whole_, whole_.extent(0)}; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return whole_.extent(0); }

private:
    basic_view whole_;
};

static_assert(std::is_trivially_copyable_v<view<float, dyn, 8>> && std::is_nothrow_move_assignable_v<view<float, dyn>>);
static_assert(std::is_trivially_copyable_v<strided_view<float, dyn, 8>>);

} // namespace tokenworks::inline TOKENWORKS_ABI
