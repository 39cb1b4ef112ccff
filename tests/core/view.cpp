#include <tokenworks/core/view.hpp>

#include <array>
#include <cstdint>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::dyn;

namespace {

std::vector<float> counting(std::size_t count) {
    std::vector<float> out(count);
    std::iota(out.begin(), out.end(), 0.0F);
    return out;
}

/// Every element in row-major order, read by index.
template <class T, class Extents, class Layout>
std::vector<std::remove_cv_t<T>> elements(const tw::basic_view<T, Extents, Layout>& v) {
    std::vector<std::remove_cv_t<T>> out;
    const auto shape = v.extents().values();
    std::array<std::size_t, Extents::rank()> index{};
    for(std::size_t n = 0; n < v.size(); ++n) {
        std::size_t rest = n;
        for(std::size_t axis = shape.size(); axis-- > 0;) {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        out.push_back(v[index]);
    }
    return out;
}

std::string taken(tw::view<const float, dyn, dyn> v) { return tw::to_string(v.extents()); }

} // namespace

TEST_CASE("view: is a small trivial value") {
    STATIC_REQUIRE(std::is_trivially_copyable_v<tw::view<float, dyn, 8, 64>>);
    STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<tw::strided_view<float, dyn, 8>>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<tw::strided_view<float, dyn, 8>>);
    STATIC_REQUIRE(sizeof(tw::view<float, 4, 8>) == sizeof(float*));
    STATIC_REQUIRE(sizeof(tw::view<float, dyn, 8>) == 2 * sizeof(float*));
    constexpr tw::view<float, dyn, 8> nothing;
    STATIC_REQUIRE(nothing.empty());
    STATIC_REQUIRE(nothing.data() == nullptr);
}

TEST_CASE("view: works in constant expressions") {
    static constexpr std::array<int, 6> numbers{0, 1, 2, 3, 4, 5};
    constexpr tw::view<const int, 2, 3> v{numbers};
    STATIC_REQUIRE(v(1, 2) == 5);
    STATIC_REQUIRE(v.transpose()(2, 1) == 5);
    STATIC_REQUIRE(v.slice<1>(1, 2)(1, 0) == 4);
    STATIC_REQUIRE(v.row(1)(0) == 3);
    STATIC_REQUIRE(v.reshape(tw::extents<3, 2>{})(2, 0) == 4);
}

TEST_CASE("view: on a pointer, with every extent, the dynamic ones, or a shape") {
    auto memory = counting(24);
    const tw::view<float, dyn, 3, 4> a{memory.data(), 2};
    const tw::view<float, dyn, 3, 4> b{memory.data(), 2, 3, 4};
    const tw::view<float, dyn, 3, 4> c{memory.data(), tw::extents<dyn, 3, 4>{2}};
    const tw::view<float, 2, 3, 4> d{memory.data()};
    for(std::size_t i = 0; i < 2; ++i) {
        for(std::size_t j = 0; j < 3; ++j) {
            for(std::size_t k = 0; k < 4; ++k) {
                const auto expected = static_cast<float>((i * 3 + j) * 4 + k);
                CHECK(a(i, j, k) == expected);
                CHECK(b(i, j, k) == expected);
                CHECK(c[{i, j, k}] == expected);
                CHECK(&d(i, j, k) == &a(i, j, k));
            }
        }
    }
    CHECK(a.stride(0) == 12);
    CHECK(a.size() == 24);
    CHECK(tw::view<float, dyn>{nullptr, 0}.empty());
    CHECK_THROWS_AS((tw::view<float, dyn, 3>{memory.data(), 2, 4}), tw::shape_error);
    CHECK_THROWS_AS((tw::view<float, dyn, 3>{memory.data(), -2}), tw::shape_error);
}

TEST_CASE("view: on a span, vector, or array, whose size must fit exactly") {
    auto memory = counting(6);
    float raw[6] = {};
    std::array<float, 6> fixed{};
    CHECK(tw::view<float, dyn, 3>{memory, 2}.data() == memory.data());
    CHECK(tw::view<const float, 2, 3>{std::span{memory}}.data() == memory.data());
    CHECK(tw::view<float, 2, 3>{raw}.data() == raw);
    CHECK(tw::view<float, dyn, 3>{fixed, 2}.data() == fixed.data());
    const tw::view<const float, dyn> all = memory;
    CHECK(all.size() == 6);
    CHECK_THROWS_AS((tw::view<float, dyn, 3>{memory, 1}), tw::shape_error);
    CHECK_THROWS_AS((tw::view<float, dyn, 3>{memory, 3}), tw::shape_error);
    REQUIRE_THROWS_WITH((tw::view<float, dyn, dyn>{memory, 4, 2}), ContainsSubstring("6 elements do not fit [4,2]"));

    STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::view<float, 2, 3>, const std::vector<float>&>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::view<float, dyn>, std::vector<float>>); // would dangle
    STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::view<float, dyn>, std::vector<double>&>);
}

TEST_CASE("view: conversions") {
    auto memory = counting(32);
    using fixed = tw::view<float, 4, 8>;
    using mixed = tw::view<float, dyn, 8>;
    const fixed a{memory};

    SECTION("adding const, forgetting static extents and contiguity is implicit and cannot fail") {
        STATIC_REQUIRE(std::is_nothrow_convertible_v<fixed, tw::view<const float, dyn, dyn>>);
        STATIC_REQUIRE(std::is_nothrow_convertible_v<fixed, tw::strided_view<const float, dyn, 8>>);
        CHECK(taken(a) == "[4,8]");
        const tw::strided_view<const float, dyn, dyn> s = a;
        CHECK(elements(s) == memory);
    }
    SECTION("a dynamic extent becomes static by name, and is checked") {
        STATIC_REQUIRE_FALSE(std::is_convertible_v<mixed, fixed>);
        const mixed b{memory, 4};
        CHECK(fixed{b}.data() == memory.data());
        const mixed c{memory.data(), 3};
        CHECK_THROWS_AS(fixed{c}, tw::shape_error);
        REQUIRE_THROWS_WITH(fixed{c}, ContainsSubstring("axis 0 is 4") && ContainsSubstring("[3,8]"));
    }
    SECTION("a strided view becomes contiguous by name, and is checked") {
        STATIC_REQUIRE_FALSE(std::is_convertible_v<tw::strided_view<float, 4, 8>, fixed>);
        CHECK(fixed{a.transpose().transpose()}.data() == memory.data());
        CHECK_THROWS_AS((tw::view<float, 8, 4>{a.transpose()}), tw::shape_error);
    }
    SECTION("const and rank are never forgotten") {
        STATIC_REQUIRE_FALSE(std::is_constructible_v<fixed, tw::view<const float, 4, 8>>);
        STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::view<float, dyn>, fixed>);
        STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::view<double, 4, 8>, fixed>);
        STATIC_REQUIRE(std::is_same_v<decltype(a.as_const()), tw::view<const float, 4, 8>>);
    }
}

TEST_CASE("view: at() checks every index") {
    auto memory = counting(6);
    const tw::view<float, 2, 3> v{memory};
    CHECK(v.at(1, 2) == 5);
    CHECK_THROWS_AS(v.at(2, 0), tw::argument_error);
    CHECK_THROWS_AS(v.at(0, 3), tw::argument_error);
    CHECK_THROWS_AS(v.at(0, -1), tw::argument_error);
    REQUIRE_THROWS_WITH(v.at(0, -1), ContainsSubstring("[0,-1]") && ContainsSubstring("[2,3]"));
}

TEST_CASE("view: rows") {
    auto memory = counting(12);
    const tw::view<float, dyn, 4> v{memory, 3};
    std::size_t count = 0;
    for(auto row: v.rows()) {
        STATIC_REQUIRE(std::is_same_v<decltype(row), tw::view<float, 4>>);
        CHECK(row.data() == memory.data() + 4 * count);
        ++count;
    }
    CHECK(count == 3);
    CHECK(v.rows().size() == 3);
    STATIC_REQUIRE(std::forward_iterator<decltype(v.rows().begin())> ||
                   std::input_iterator<decltype(v.rows().begin())>);

    std::vector<float> columns;
    for(auto column: v.transpose().rows()) {
        const auto part = elements(column);
        columns.insert(columns.end(), part.begin(), part.end());
    }
    CHECK(columns == elements(v.transpose()));
    CHECK(v.row(2).row(1)() == 9); // rank 0
}

TEST_CASE("view: slice of a slice is a slice") {
    auto memory = counting(6 * 8);
    const tw::view<float, dyn, 8> v{memory, 6};

    SECTION("on the first axis, contiguous") {
        const auto a = v.slice(1, 4).slice(1, 2);
        STATIC_REQUIRE(std::is_same_v<decltype(v.slice(1, 4)), tw::view<float, dyn, 8>>);
        CHECK(elements(a) == elements(v.slice(2, 2)));
        CHECK(a.data() == &v(2, 0));
    }
    SECTION("on another axis, strided") {
        const auto a = v.slice<1>(2, 5).slice<1>(1, 3);
        STATIC_REQUIRE(std::is_same_v<std::remove_const_t<decltype(a)>, tw::strided_view<float, dyn, dyn>>);
        CHECK(elements(a) == elements(v.slice<1>(3, 3)));
        CHECK(a(5, 2) == 5 * 8 + 5);
        CHECK_FALSE(a.is_contiguous());
    }
    SECTION("axes commute") {
        CHECK(elements(v.slice<1>(2, 5).slice<0>(1, 3)) == elements(v.slice<0>(1, 3).slice<1>(2, 5)));
    }
    SECTION("the axis may be chosen at run time") {
        for(std::size_t axis: {0U, 1U}) {
            CHECK(elements(v.slice(axis, 1, 3)) ==
                  (axis == 0 ? elements(v.slice<0>(1, 3)) : elements(v.slice<1>(1, 3))));
            CHECK(elements(v.select(axis, 2)) == (axis == 0 ? elements(v.select<0>(2)) : elements(v.select<1>(2))));
        }
        CHECK_THROWS_AS(v.slice(2, 0, 0), tw::shape_error);
        CHECK_THROWS_AS(v.select(2, 0), tw::shape_error);
    }
    SECTION("a static count keeps a static extent") {
        const auto a = v.slice<1, 4>(3);
        STATIC_REQUIRE(a.static_extent(1) == 4);
        CHECK(a(1, 0) == 11);
        CHECK_THROWS_AS((v.slice<1, 4>(5)), tw::shape_error);
    }
    SECTION("limits") {
        CHECK(v.slice(6, 0).empty());
        CHECK(elements(v.slice(0, 6)) == memory);
        CHECK_THROWS_AS(v.slice(7, 0), tw::shape_error);
        CHECK_THROWS_AS(v.slice(5, 2), tw::shape_error);
        CHECK_THROWS_AS(v.slice(5, dyn), tw::shape_error); // begin + count would wrap
        CHECK_THROWS_AS(v.select<1>(8), tw::shape_error);
        REQUIRE_THROWS_WITH(v.slice<1>(7, 2), ContainsSubstring("slice: 2 from 7 on axis 1 of [6,8]"));
    }
}

TEST_CASE("view: select drops the axis") {
    auto memory = counting(24);
    const tw::view<float, 2, 3, 4> v{memory};
    STATIC_REQUIRE(std::is_same_v<decltype(v.select<0>(1)), tw::view<float, 3, 4>>);
    STATIC_REQUIRE(std::is_same_v<decltype(v.select<1>(1)), tw::strided_view<float, 2, 4>>);
    CHECK(v.select<1>(2)(1, 3) == v(1, 2, 3));
    CHECK(v.select<2>(3).select<0>(1)(2) == v(1, 2, 3));
    CHECK(elements(v.select<0>(1)) == elements(v.row(1)));
}

TEST_CASE("view: transposing twice is the identity; permutations move extents and strides") {
    auto memory = counting(24);
    const tw::view<float, 2, dyn, 4> v{memory, 3};
    const auto t = v.transpose();
    STATIC_REQUIRE(std::is_same_v<std::remove_const_t<decltype(t)>, tw::strided_view<float, 4, dyn, 2>>);
    CHECK(t(3, 2, 1) == v(1, 2, 3));
    CHECK_FALSE(t.is_contiguous());
    CHECK(t.transpose().is_contiguous());
    CHECK(elements(t.transpose()) == memory);
    const auto p = v.permute<1, 2, 0>();
    CHECK(p(2, 3, 1) == v(1, 2, 3));
    CHECK(elements(p.permute<2, 0, 1>()) == memory);
    CHECK(elements(v.permute<0, 1, 2>()) == memory);
}

TEST_CASE("view: reshape keeps the elements and their order") {
    auto memory = counting(6);
    const tw::view<float, dyn, 3> v{memory, 2};
    CHECK(elements(v.reshape(tw::extents<3, 2>{})) == memory);
    CHECK(elements(v.reshape(tw::extents{1, 6, 1})) == memory);
    CHECK(elements(v.flatten()) == memory);
    STATIC_REQUIRE(std::is_same_v<decltype(tw::view<float, 2, 3>{memory}.flatten()), tw::view<float, 6>>);
    CHECK(v.as_span().size() == 6);
    REQUIRE_THROWS_WITH(v.reshape(tw::extents{4, 2}), ContainsSubstring("reshape: 6 elements do not fit [4,2]"));
    CHECK_THROWS_AS(v.transpose().reshape(tw::extents{6}), tw::shape_error);
    CHECK_THROWS_AS(v.transpose().flatten(), tw::shape_error);
    REQUIRE_THROWS_WITH(v.transpose().as_span(),
                        ContainsSubstring("as_span: [3,2] with strides [1,3] is not contiguous"));
    CHECK(elements(v.transpose().transpose().flatten()) == memory);
}

TEST_CASE("view: broadcasting repeats extents of one and missing axes") {
    auto memory = counting(6);
    const tw::view<float, dyn, 3> v{memory, 2};
    const auto b = v.broadcast_to(tw::extents<4, dyn, 3>{2});
    STATIC_REQUIRE(std::is_same_v<std::remove_const_t<decltype(b)>, tw::strided_view<float, 4, dyn, 3>>);
    for(std::size_t i = 0; i < 4; ++i) {
        CHECK(elements(b.select<0>(i)) == memory);
    }
    CHECK(b.stride(0) == 0);

    const tw::view<float, dyn, 1> column{memory.data(), 6};
    CHECK(elements(column.broadcast_to(tw::extents{6, 2})) == std::vector<float>{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5});
    const tw::view<float> scalar{memory.data() + 5};
    CHECK(elements(scalar.broadcast_to(tw::extents<2, 2>{})) == std::vector<float>{5, 5, 5, 5});
    CHECK(elements(v.broadcast_to(v.extents())) == memory);
    CHECK(elements(tw::view<float, dyn>{memory.data(), 1}.broadcast_to(tw::extents{3})) == std::vector<float>{0, 0, 0});
    CHECK(column.slice(0, 1).broadcast_to(tw::extents{0, 2}).empty());
    REQUIRE_THROWS_WITH(v.broadcast_to(tw::extents{3, 3}),
                        ContainsSubstring("broadcast_to: [2,3] does not broadcast to [3,3]"));
    CHECK_THROWS_AS(v.broadcast_to(tw::extents{0, 3}), tw::shape_error);
}

TEST_CASE("view: zero extents keep every operation legal") {
    const tw::view<float, dyn, dyn> none{nullptr, 0, 5};
    CHECK(none.empty());
    CHECK(none.flatten().empty());
    CHECK(none.as_span().empty());
    CHECK(none.transpose().row(2).empty());
    CHECK(none.transpose().row(2).data() == nullptr);
    CHECK(none.slice<1>(2, 3).empty());
    CHECK(none.select<1>(4).empty());
    CHECK(none.reshape(tw::extents{7, 0}).empty());
    CHECK(none.rows().begin() == none.rows().end());
    CHECK_THROWS_AS(none.select<0>(0), tw::shape_error);
    CHECK_THROWS_AS(none.at(0, 0), tw::argument_error);
    const tw::view<float, dyn, dyn> thin{nullptr, 5, 0};
    CHECK(thin.row(3).empty());
    CHECK(thin.slice(2, 2).transpose().empty());
}

TEST_CASE("view: rank 0 is one element") {
    int number = 7;
    const tw::view<int> v{&number};
    CHECK(v() == 7);
    CHECK(v.at() == 7);
    CHECK(v.size() == 1);
    CHECK(v.transpose()() == 7);
    CHECK(v.flatten()(0) == 7);
    CHECK(v.is_contiguous());
    v() = 8;
    CHECK(number == 8);
}

TEST_CASE("view: elements may be blocks") {
    struct block {
        std::uint16_t scale;
        std::uint8_t codes[16];
    };
    std::vector<block> memory(6);
    const tw::view<block, dyn, 3> v{memory, 2};
    v(1, 2).scale = 3;
    CHECK(memory[5].scale == 3);
    CHECK(v.row(1).size() == 3);
    CHECK(v.transpose()(2, 1).scale == 3);
}
