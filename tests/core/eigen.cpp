#include <tokenworks/core/eigen.hpp>

#include <numeric>
#include <type_traits>
#include <vector>

#include <tokenworks/core/tensor.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::dyn;

namespace {

template <class T>
std::vector<T> counting(std::size_t count) {
    std::vector<T> out(count);
    std::iota(out.begin(), out.end(), T{0});
    return out;
}

/// Same address for every element, read both ways.
template <class V, class M>
void check_same_memory(const V& v, M&& m) {
    REQUIRE(static_cast<std::size_t>(m.rows()) == v.extent(0));
    REQUIRE(static_cast<std::size_t>(m.cols()) == v.extent(1));
    for(std::size_t i = 0; i < v.extent(0); ++i) {
        for(std::size_t j = 0; j < v.extent(1); ++j) {
            CHECK(&m.coeffRef(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) == &v(i, j));
        }
    }
}

} // namespace

TEMPLATE_TEST_CASE("eigen: a view as a map on the same memory", "", float, double, int) {
    auto memory = counting<TestType>(24);
    const tw::view<TestType, dyn, dyn> v{memory, 4, 6};
    check_same_memory(v, tw::as_eigen(v));
    check_same_memory(v.transpose(), tw::as_eigen(v.transpose()));
    check_same_memory(v.template slice<1>(1, 3), tw::as_eigen(v.template slice<1>(1, 3)));
    check_same_memory(tw::view<TestType, 4, 6>{v}, tw::as_eigen(tw::view<TestType, 4, 6>{v}));
    check_same_memory(tw::view<TestType, 24, 1>{memory}, tw::as_eigen(tw::view<TestType, 24, 1>{memory}));
    check_same_memory(tw::view<TestType, 1, 24>{memory}, tw::as_eigen(tw::view<TestType, 1, 24>{memory}));
    check_same_memory(v.template slice<1, 1>(2), tw::as_eigen(v.template slice<1, 1>(2)));
    check_same_memory(v.template slice<1, 1>(2).transpose(), tw::as_eigen(v.template slice<1, 1>(2).transpose()));
    check_same_memory(tw::view<TestType, 1, 1>{memory.data()}, tw::as_eigen(tw::view<TestType, 1, 1>{memory.data()}));

    auto row = tw::as_eigen(v.row(2));
    CHECK(row.size() == 6);
    CHECK(&row(5) == &v(2, 5));
    auto column = tw::as_eigen(v.template select<1>(3));
    CHECK(column.size() == 4);
    CHECK(&column(2) == &v(2, 3));
    CHECK(tw::as_eigen(v.slice(0, 0)).size() == 0);
}

TEST_CASE("eigen: static extents give fixed sizes, const elements read-only maps") {
    using fixed = decltype(tw::as_eigen(std::declval<tw::view<const float, 3, 4>>()));
    STATIC_REQUIRE(fixed::RowsAtCompileTime == 3);
    STATIC_REQUIRE(fixed::ColsAtCompileTime == 4);
    STATIC_REQUIRE(fixed::IsRowMajor);
    STATIC_REQUIRE(std::is_same_v<decltype(std::declval<fixed&>().data()), const float*>);
    using mixed = decltype(tw::as_eigen(std::declval<tw::view<float, dyn, 4>>()));
    STATIC_REQUIRE(mixed::RowsAtCompileTime == Eigen::Dynamic);
    STATIC_REQUIRE(mixed::ColsAtCompileTime == 4);
    STATIC_REQUIRE(decltype(tw::as_eigen(std::declval<tw::view<float, 5>>()))::SizeAtCompileTime == 5);
}

TEST_CASE("eigen: products through maps equal loops") {
    const auto memory = counting<double>(6);
    const tw::view<const double, 2, 3> a{memory};
    tw::tensor_of<double, dyn, dyn> c{2, 2};
    tw::as_eigen(c.view()).noalias() = tw::as_eigen(a) * tw::as_eigen(a.transpose());
    for(std::size_t i = 0; i < 2; ++i) {
        for(std::size_t j = 0; j < 2; ++j) {
            double sum = 0;
            for(std::size_t k = 0; k < 3; ++k) {
                sum += a(i, k) * a(j, k);
            }
            CHECK(c(i, j) == sum); // small integers: exact
        }
    }
}

TEST_CASE("eigen: matrices as views") {
    SECTION("column-major matrices are strided") {
        Eigen::MatrixXf m = Eigen::MatrixXf::Random(3, 5);
        auto v = tw::as_view(m);
        STATIC_REQUIRE(std::is_same_v<decltype(v), tw::strided_view<float, dyn, dyn>>);
        check_same_memory(v, m);
        CHECK(v.transpose().is_contiguous());
    }
    SECTION("row-major matrices are contiguous, and fixed sizes static") {
        Eigen::Matrix<double, 3, Eigen::Dynamic, Eigen::RowMajor> m(3, 4);
        auto v = tw::as_view(m);
        STATIC_REQUIRE(std::is_same_v<decltype(v), tw::view<double, 3, dyn>>);
        check_same_memory(v, m);
    }
    SECTION("const matrices give const elements") {
        const Eigen::Matrix2f m = Eigen::Matrix2f::Identity();
        auto v = tw::as_view(m);
        STATIC_REQUIRE(std::is_same_v<decltype(v), tw::strided_view<const float, 2, 2>>);
        CHECK(v(1, 1) == 1);
    }
    SECTION("vectors have rank 1") {
        Eigen::Vector3f a{1, 2, 3};
        STATIC_REQUIRE(std::is_same_v<decltype(tw::as_view(a)), tw::view<float, 3>>);
        CHECK(tw::as_view(a)(2) == 3);
        Eigen::RowVectorXd b(4);
        STATIC_REQUIRE(std::is_same_v<decltype(tw::as_view(b)), tw::view<double, dyn>>);
        CHECK(&tw::as_view(b)(3) == &b(3));
        Eigen::ArrayXf c(4);
        CHECK(&tw::as_view(c)(3) == &c(3));
    }
    SECTION("blocks, rows, transposes and Refs") {
        Eigen::MatrixXf m = Eigen::MatrixXf::Random(6, 5);
        check_same_memory(tw::as_view(m.block(1, 2, 3, 2)), m.block(1, 2, 3, 2));
        check_same_memory(tw::as_view(m.transpose()), m.transpose());
        auto row = m.row(2);
        CHECK(&tw::as_view(row)(4) == &m(2, 4));
        Eigen::Ref<Eigen::MatrixXf> ref{m};
        check_same_memory(tw::as_view(ref), ref);
    }
    SECTION("maps of mutable memory stay mutable") {
        auto memory = counting<float>(6);
        auto v = tw::as_view(Eigen::Map<Eigen::Matrix<float, 2, 3, Eigen::RowMajor>>{memory.data()});
        STATIC_REQUIRE(std::is_same_v<decltype(v), tw::view<float, 2, 3>>);
        v(1, 1) = 9;
        CHECK(memory[4] == 9);
    }
}

TEST_CASE("eigen: there and back is the same view") {
    auto memory = counting<float>(24);
    const tw::view<float, dyn, 6> v{memory, 4};
    const auto back = tw::as_view(tw::as_eigen(v));
    STATIC_REQUIRE(std::is_same_v<std::remove_const_t<decltype(back)>, tw::view<float, dyn, 6>>);
    CHECK(back.data() == v.data());
    CHECK(back.extents() == v.extents());
    const auto t = tw::as_view(tw::as_eigen(v.transpose()));
    CHECK(t.strides() == v.transpose().strides());
    CHECK(t.extents() == v.transpose().extents());
}
