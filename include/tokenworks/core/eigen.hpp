// The bridge to Eigen: a view as an Eigen::Map, an Eigen matrix as a view; neither copies.
//
// Static extents give maps of fixed size, and fixed sizes give static extents. A view of rank 1 is a column vector.
// This header alone in core needs Eigen 3.4 or newer, and of it only Eigen/Core.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include <Eigen/Core>

#include <tokenworks/config.hpp>
#include <tokenworks/core/concepts.hpp>
#include <tokenworks/core/view.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

namespace detail {

[[nodiscard]] constexpr int eigen_extent(std::size_t extent) noexcept {
    return extent == dyn ? Eigen::Dynamic : static_cast<int>(extent);
}

[[nodiscard]] constexpr std::size_t extent_of(Eigen::Index extent) noexcept {
    return extent == Eigen::Dynamic ? dyn : static_cast<std::size_t>(extent);
}

template <class T, class Matrix>
using with_const_of = std::conditional_t<std::is_const_v<T>, const Matrix, Matrix>;

/// Eigen has no row-major column vectors; in memory the two orders are the same there.
template <class T, int Rows, int Cols>
using eigen_matrix =
    with_const_of<T, Eigen::Matrix<std::remove_const_t<T>, Rows, Cols,
                                   Cols == 1 && Rows != 1 ? int{Eigen::ColMajor} : int{Eigen::RowMajor}>>;

/// Dense and in Eigen's own storage order: a matrix or array, or a map of one without strides.
template <class>
inline constexpr bool is_dense_eigen = false;
template <class S, int R, int C, int O, int MR, int MC>
inline constexpr bool is_dense_eigen<Eigen::Matrix<S, R, C, O, MR, MC>> = true;
template <class S, int R, int C, int O, int MR, int MC>
inline constexpr bool is_dense_eigen<Eigen::Array<S, R, C, O, MR, MC>> = true;
template <class Plain, int Options>
inline constexpr bool is_dense_eigen<Eigen::Map<Plain, Options, Eigen::Stride<0, 0>>> = true;

template <class>
inline constexpr bool is_eigen_storage = false;
template <class S, int R, int C, int O, int MR, int MC>
inline constexpr bool is_eigen_storage<Eigen::Matrix<S, R, C, O, MR, MC>> = true;
template <class S, int R, int C, int O, int MR, int MC>
inline constexpr bool is_eigen_storage<Eigen::Array<S, R, C, O, MR, MC>> = true;

template <class M>
concept eigen_memory = std::is_base_of_v<Eigen::DenseBase<std::remove_cvref_t<M>>, std::remove_cvref_t<M>> &&
    requires(M& matrix) {
    matrix.data();
    matrix.rowStride();
};

} // namespace detail

/// A view of rank 1 or 2 as an Eigen::Map on the same memory: [N] as a column vector, [R,C] as R rows.
/// @pre the element is a type that Eigen computes with; Eigen's own rules for writing through the map apply
template <class T, class Extents, class Layout>
    requires(Extents::rank() == 1 || Extents::rank() == 2)
[[nodiscard]] auto as_eigen(const basic_view<T, Extents, Layout>& v) {
    constexpr bool strided = !Layout::is_always_contiguous;
    using any_stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
    const auto index = [](std::size_t value) { return static_cast<Eigen::Index>(value); };
    if constexpr(Extents::rank() == 1) {
        using matrix = detail::with_const_of<
            T, Eigen::Matrix<std::remove_const_t<T>, detail::eigen_extent(Extents::static_extent(0)), 1>>;
        if constexpr(strided) {
            using stride = Eigen::InnerStride<Eigen::Dynamic>;
            return Eigen::Map<matrix, Eigen::Unaligned, stride>{v.data(), index(v.extent(0)),
                                                                stride{index(v.stride(0))}};
        } else {
            return Eigen::Map<matrix>{v.data(), index(v.extent(0))};
        }
    } else {
        using matrix = detail::eigen_matrix<T, detail::eigen_extent(Extents::static_extent(0)),
                                            detail::eigen_extent(Extents::static_extent(1))>;
        if constexpr(strided) {
            constexpr std::size_t outer = matrix::IsRowMajor ? 0 : 1;
            return Eigen::Map<matrix, Eigen::Unaligned, any_stride>{
                v.data(), index(v.extent(0)), index(v.extent(1)),
                any_stride{index(v.stride(outer)), index(v.stride(1 - outer))}};
        } else {
            return Eigen::Map<matrix>{v.data(), index(v.extent(0)), index(v.extent(1))};
        }
    }
}

/// An Eigen matrix, array, map, block or Ref as a view on the same memory: vectors have rank 1, others [rows,cols].
/// Contiguous by type for row-major matrices and vectors that own or map dense memory; otherwise strided.
/// A temporary matrix does not compile, for the view would outlive it.
template <detail::eigen_memory M>
[[nodiscard]] auto as_view(M&& matrix) {
    using type = std::remove_cvref_t<M>;
    static_assert(std::is_lvalue_reference_v<M> || !detail::is_eigen_storage<type>,
                  "tokenworks: as_view: a temporary Eigen matrix would be gone before the view");
    using element = std::remove_pointer_t<decltype(matrix.data())>;
    const auto size = [](Eigen::Index value) { return static_cast<std::size_t>(value); };
    if constexpr(type::IsVectorAtCompileTime) {
        using shape = extents<detail::extent_of(type::SizeAtCompileTime)>;
        const shape n{size(matrix.size())};
        if constexpr(detail::is_dense_eigen<type>) {
            return basic_view<element, shape>{matrix.data(), n};
        } else {
            return basic_view<element, shape, layout_stride>{matrix.data(), n, {size(matrix.innerStride())}};
        }
    } else {
        using shape = extents<detail::extent_of(type::RowsAtCompileTime), detail::extent_of(type::ColsAtCompileTime)>;
        const shape rows_cols{size(matrix.rows()), size(matrix.cols())};
        if constexpr(detail::is_dense_eigen<type> && type::IsRowMajor) {
            return basic_view<element, shape>{matrix.data(), rows_cols};
        } else {
            return basic_view<element, shape, layout_stride>{
                matrix.data(), rows_cols, {size(matrix.rowStride()), size(matrix.colStride())}};
        }
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI
