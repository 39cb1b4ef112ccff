// A tensor owns contiguous row-major elements; a view looks at them.
//
// Value semantics, with one exception: a copy that costs an allocation is a named function, clone(), so the copy
// constructor is deleted. Static shapes of up to 16 KiB live inside the object, as in std::array, and use no heap;
// `in_place` as the allocator keeps any static shape there. Elements are trivially copyable.
//
//   tensor_of<float, dyn, 64> x{rows};                        // zeros
//   tensor<float, extents<dyn>, std::pmr::polymorphic_allocator<float>> y{extents<dyn>{n}, &pool};
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/allocator.hpp>
#include <tokenworks/core/copy.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/extents.hpp>
#include <tokenworks/core/view.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// Tag: leave the elements as they are in memory.
struct uninitialized_t {
    explicit uninitialized_t() = default;
};
inline constexpr uninitialized_t uninitialized{};

/// In place of an allocator: the elements of a static shape are part of the tensor object.
struct in_place {
    [[nodiscard]] friend constexpr bool operator==(in_place, in_place) noexcept = default;
};

namespace detail {

inline constexpr std::size_t most_inline_bytes = std::size_t{16} << 10;

template <class T, class Extents, class Allocator>
inline constexpr bool stores_inline = std::same_as<Allocator, in_place> ||
                                      (std::same_as<Allocator, aligned_allocator<T>> && Extents::rank_dynamic() == 0 &&
                                       Extents::static_size() <= most_inline_bytes / sizeof(T));

/// Elements inside the object. Moving copies them.
template <class T, class Extents, class Allocator>
class inline_storage {
    static_assert(Extents::rank_dynamic() == 0, "tokenworks: only a static shape can be stored in place");

public:
    inline_storage() noexcept = default;
    inline_storage(const Extents&, const Allocator&) noexcept {}
    inline_storage(inline_storage&& other, const Allocator&) noexcept : inline_storage{std::move(other)} {}

    [[nodiscard]] T* data() noexcept { return elements_; }
    [[nodiscard]] const T* data() const noexcept { return elements_; }
    [[nodiscard]] static constexpr Extents shape() noexcept { return {}; }
    [[nodiscard]] static constexpr Allocator get_allocator() noexcept { return {}; }

private:
    static constexpr std::size_t count_ = Extents::static_size() == 0 ? 1 : Extents::static_size();

    alignas(std::max(default_alignment, alignof(T))) T elements_[count_];
};

/// Elements in a block from an allocator. Moving takes the block where the allocators allow it.
template <class T, class Extents, class Allocator>
class heap_storage {
    using traits = std::allocator_traits<Allocator>;
    static_assert(std::same_as<typename traits::pointer, T*>, "tokenworks: the allocator must give plain pointers");

    static constexpr bool takes_block =
        traits::propagate_on_container_move_assignment::value || traits::is_always_equal::value;

public:
    heap_storage(const Extents& shape, const Allocator& allocator) : allocator_{allocator}, shape_{shape} {
        if(shape.size() > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(T)) {
            raise_too_large(shape.values());
        }
        if(shape.size() != 0) {
            data_ = traits::allocate(allocator_, shape.size());
        }
    }
    heap_storage(heap_storage&& other) noexcept
        : allocator_{std::move(other.allocator_)}, shape_{other.shape_}, data_{std::exchange(other.data_, nullptr)} {
        other.shape_ = Extents{};
    }
    heap_storage(heap_storage&& other, const Allocator& allocator) : allocator_{allocator} { take(std::move(other)); }

    heap_storage& operator=(heap_storage&& other) noexcept(takes_block) {
        if(this != &other) {
            if constexpr(takes_block) {
                release();
                if constexpr(traits::propagate_on_container_move_assignment::value) {
                    allocator_ = std::move(other.allocator_);
                }
                steal(other);
            } else {
                take(std::move(other));
            }
        }
        return *this;
    }
    heap_storage(const heap_storage&) = delete;
    heap_storage& operator=(const heap_storage&) = delete;
    ~heap_storage() { release(); }

    [[nodiscard]] T* data() noexcept { return data_; }
    [[nodiscard]] const T* data() const noexcept { return data_; }
    [[nodiscard]] const Extents& shape() const noexcept { return shape_; }
    [[nodiscard]] const Allocator& get_allocator() const noexcept { return allocator_; }

private:
    void steal(heap_storage& other) noexcept {
        shape_ = std::exchange(other.shape_, Extents{});
        data_ = std::exchange(other.data_, nullptr);
    }

    /// Takes the other's block if this allocator can free it, and a copy of its elements otherwise.
    void take(heap_storage&& other) {
        if(allocator_ == other.allocator_) {
            release();
            steal(other);
        } else {
            T* const block = other.data_ == nullptr ? nullptr : traits::allocate(allocator_, other.shape_.size());
            if(block != nullptr) {
                std::copy_n(other.data_, other.shape_.size(), block);
            }
            release();
            shape_ = other.shape_;
            data_ = block;
        }
    }

    void release() noexcept {
        if(data_ != nullptr) {
            traits::deallocate(allocator_, data_, shape_.size());
            data_ = nullptr;
        }
    }

    [[no_unique_address]] Allocator allocator_{};
    [[no_unique_address]] Extents shape_{};
    T* data_ = nullptr;
};

} // namespace detail

template <class T, class Extents, class Allocator = aligned_allocator<T>>
class tensor {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T>,
                  "tokenworks: a tensor's element must be a trivially copyable type that is not const");
    static_assert(detail::is_extents<Extents>, "tokenworks: a tensor's second parameter must be extents<...>");

public:
    /// Whether the elements lie inside the object.
    static constexpr bool is_inline = detail::stores_inline<T, Extents, Allocator>;

private:
    using storage_type = std::conditional_t<is_inline, detail::inline_storage<T, Extents, Allocator>,
                                            detail::heap_storage<T, Extents, Allocator>>;

public:
    using element_type = T;
    using value_type = T;
    using extents_type = Extents;
    using allocator_type = Allocator;
    using view_type = basic_view<T, Extents>;
    using const_view_type = basic_view<const T, Extents>;

    /// Zeros; dynamic extents are zero, so then there are none.
    tensor() : tensor{Extents{}} {}

    /// Zeros.
    /// @throws shape_error where the size in bytes overflows, std::bad_alloc
    explicit tensor(const Extents& shape, const Allocator& allocator = Allocator{}) : storage_{shape, allocator} {
        std::fill_n(data(), size(), T{});
    }

    /// Zeros, from every extent or the dynamic ones alone.
    template <std::integral... I>
        requires(sizeof...(I) != 0 && std::constructible_from<Extents, I...>)
    explicit tensor(I... sizes) : tensor{Extents{sizes...}} {}

    tensor(uninitialized_t, const Extents& shape, const Allocator& allocator = Allocator{})
        : storage_{shape, allocator} {}

    /// These elements, in row-major order.
    /// @throws shape_error where their number is not that of the shape
    tensor(const Extents& shape, std::span<const T> values, const Allocator& allocator = Allocator{})
        : storage_{shape, allocator} {
        if(values.size() != size()) {
            detail::raise_no_fit("tensor", values.size(), shape.values());
        }
        std::copy_n(values.data(), values.size(), data());
    }

    /// A moved-from tensor can only be assigned to or destroyed, unless it is in place: then it keeps its elements.
    tensor(tensor&&) noexcept = default;
    tensor(tensor&& other, const Allocator& allocator) : storage_{std::move(other.storage_), allocator} {}
    tensor& operator=(tensor&&) noexcept(std::is_nothrow_move_assignable_v<storage_type>) = default;
    tensor(const tensor&) = delete; // use clone()
    tensor& operator=(const tensor&) = delete;
    ~tensor() = default;

    /// A copy, with the same allocator or another.
    [[nodiscard]] tensor clone() const { return clone(get_allocator()); }
    [[nodiscard]] tensor clone(const Allocator& allocator) const { return tensor{extents(), as_span(), allocator}; }

    [[nodiscard]] view_type view() & noexcept { return {data(), extents()}; }
    [[nodiscard]] const_view_type view() const& noexcept { return {data(), extents()}; }
    [[nodiscard]] const_view_type cview() const& noexcept { return {data(), extents()}; }
    void view() && = delete; // the view would outlive the tensor
    void view() const&& = delete;
    void cview() && = delete;

    [[nodiscard]] T* data() noexcept { return storage_.data(); }
    [[nodiscard]] const T* data() const noexcept { return storage_.data(); }
    [[nodiscard]] Extents extents() const noexcept { return storage_.shape(); }
    [[nodiscard]] std::size_t extent(std::size_t axis) const noexcept { return extents().extent(axis); }
    [[nodiscard]] std::size_t size() const noexcept { return extents().size(); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] static constexpr std::size_t rank() noexcept { return Extents::rank(); }
    [[nodiscard]] std::span<T> as_span() noexcept { return {data(), size()}; }
    [[nodiscard]] std::span<const T> as_span() const noexcept { return {data(), size()}; }
    [[nodiscard]] Allocator get_allocator() const noexcept { return storage_.get_allocator(); }

    /// The element at an index an axis; not checked.
    template <std::integral... I>
    [[nodiscard]] T& operator()(I... index) noexcept {
        return view()(index...);
    }
    template <std::integral... I>
    [[nodiscard]] const T& operator()(I... index) const noexcept {
        return view()(index...);
    }

    /// The element, checked.
    /// @throws argument_error naming the index and the extents
    template <std::integral... I>
    [[nodiscard]] T& at(I... index) {
        return view().at(index...);
    }
    template <std::integral... I>
    [[nodiscard]] const T& at(I... index) const {
        return view().at(index...);
    }

    /// The part at an index of the first axis; not checked.
    [[nodiscard]] auto row(std::size_t index) & noexcept { return view().row(index); }
    [[nodiscard]] auto row(std::size_t index) const& noexcept { return view().row(index); }

private:
    storage_type storage_;
};

/// `tensor_of<float, dyn, 64>` for `tensor<float, extents<dyn, 64>>`.
template <class T, std::size_t... E>
using tensor_of = tensor<T, extents<E...>>;

/// A tensor with the elements of any view.
template <class T, class Extents, class Layout>
[[nodiscard]] auto clone(const basic_view<T, Extents, Layout>& source) {
    tensor<std::remove_cv_t<T>, Extents> out{uninitialized, source.extents()};
    copy(source, out.view());
    return out;
}

} // namespace tokenworks::inline TOKENWORKS_ABI
