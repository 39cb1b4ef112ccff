// Where an element lies: the map from a multi-index to an offset, in elements from a view's first element.
//
// Two layouts. layout_right is row-major without gaps and stores nothing but the extents, so that offsets in static
// shapes are constants. layout_stride has one stride an axis: slices of inner axes, transposes, and broadcasts
// (stride 0). Negative strides are left out; nothing here needs to walk backwards.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/extents.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// Row-major without gaps: the last axis has stride 1.
struct layout_right {
    static constexpr bool is_always_contiguous = true;

    template <class Extents>
    class mapping {
    public:
        using extents_type = Extents;
        using layout_type = layout_right;
        using strides_type = std::array<std::size_t, Extents::rank()>;

        constexpr mapping() noexcept = default;
        constexpr explicit mapping(const Extents& shape) noexcept : extents_{shape} {}

        [[nodiscard]] constexpr const Extents& shape() const noexcept { return extents_; }

        template <std::convertible_to<std::size_t>... I>
        [[nodiscard]] constexpr std::size_t operator()(I... index) const noexcept {
            std::size_t offset = 0;
            std::size_t axis = 0;
            ((offset = offset * extents_.extent(axis++) + static_cast<std::size_t>(index)), ...);
            static_cast<void>(axis);
            return offset;
        }

        [[nodiscard]] constexpr std::size_t stride(std::size_t axis) const noexcept {
            return [&]<std::size_t... I>(std::index_sequence<I...>) {
                return ((I > axis ? extents_.extent(I) : std::size_t{1}) * ... * std::size_t{1});
            }
            (std::make_index_sequence<Extents::rank()>{});
        }

        [[nodiscard]] constexpr strides_type strides() const noexcept {
            return [&]<std::size_t... I>(std::index_sequence<I...>) { return strides_type{stride(I)...}; }
            (std::make_index_sequence<Extents::rank()>{});
        }

        [[nodiscard]] static constexpr bool is_contiguous() noexcept { return true; }

    private:
        [[no_unique_address]] Extents extents_{};
    };
};

/// One stride an axis, in elements, chosen at run time.
struct layout_stride {
    static constexpr bool is_always_contiguous = false;

    template <class Extents>
    class mapping {
    public:
        using extents_type = Extents;
        using layout_type = layout_stride;
        using strides_type = std::array<std::size_t, Extents::rank()>;

        constexpr mapping() noexcept : mapping{layout_right::mapping<Extents>{}} {}
        constexpr mapping(const Extents& shape, const strides_type& strides) noexcept
            : extents_{shape}, strides_{strides} {}
        constexpr explicit mapping(const layout_right::mapping<Extents>& other) noexcept
            : mapping{other.shape(), other.strides()} {}

        [[nodiscard]] constexpr const Extents& shape() const noexcept { return extents_; }

        template <std::convertible_to<std::size_t>... I>
        [[nodiscard]] constexpr std::size_t operator()(I... index) const noexcept {
            std::size_t offset = 0;
            std::size_t axis = 0;
            ((offset += strides_[axis++] * static_cast<std::size_t>(index)), ...);
            static_cast<void>(axis);
            return offset;
        }

        [[nodiscard]] constexpr std::size_t stride(std::size_t axis) const noexcept { return strides_[axis]; }
        [[nodiscard]] constexpr const strides_type& strides() const noexcept { return strides_; }

        /// Whether the elements lie as in layout_right; strides of axes with one element do not count.
        [[nodiscard]] constexpr bool is_contiguous() const noexcept {
            std::size_t expected = 1;
            bool dense = true;
            for(std::size_t i = Extents::rank(); i-- > 0;) {
                const std::size_t extent = extents_.extent(i);
                if(extent == 0) {
                    return true;
                }
                dense = dense && (extent == 1 || strides_[i] == expected);
                expected *= extent;
            }
            return dense;
        }

    private:
        [[no_unique_address]] Extents extents_{};
        strides_type strides_{};
    };
};

} // namespace tokenworks::inline TOKENWORKS_ABI
