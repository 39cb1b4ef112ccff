#include <tokenworks/core/extents.hpp>

#include <cstdint>
#include <limits>
#include <type_traits>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::dyn;

TEST_CASE("extents: static and dynamic extents in one shape") {
    constexpr tw::extents<dyn, 8, dyn> a{3, 5};
    STATIC_REQUIRE(a.rank() == 3);
    STATIC_REQUIRE(a.rank_dynamic() == 2);
    STATIC_REQUIRE(a.static_extent(0) == dyn);
    STATIC_REQUIRE(a.static_extent(1) == 8);
    STATIC_REQUIRE(a.extent(0) == 3);
    STATIC_REQUIRE(a.extent(1) == 8);
    STATIC_REQUIRE(a.extent(2) == 5);
    STATIC_REQUIRE(a.size() == 120);
    STATIC_REQUIRE(a.static_size() == dyn);
    STATIC_REQUIRE(tw::extents<2, 3>::static_size() == 6);
    STATIC_REQUIRE(a.values() == std::array<std::size_t, 3>{3, 8, 5});
    CHECK(tw::to_string(a) == "[3,8,5]");
}

TEST_CASE("extents: all extents, or the dynamic ones alone, or an array of either") {
    using shape = tw::extents<dyn, 8>;
    CHECK(shape{3} == shape{3, 8});
    CHECK(shape{3} == shape{std::array<std::size_t, 1>{3}});
    CHECK(shape{3} == shape{std::array<std::size_t, 2>{3, 8}});
    CHECK(shape{}.extent(0) == 0);
    CHECK(tw::extents<4, 2>{4, 2} == tw::extents<4, 2>{});
    CHECK(shape{std::int8_t{3}} == shape{std::uint64_t{3}});
}

TEST_CASE("extents: a shape takes no more memory than its dynamic extents") {
    STATIC_REQUIRE(std::is_empty_v<tw::extents<>>);
    STATIC_REQUIRE(std::is_empty_v<tw::extents<4, 8>>);
    STATIC_REQUIRE(sizeof(tw::extents<dyn, 8, dyn>) == 2 * sizeof(std::size_t));
    STATIC_REQUIRE(std::is_trivially_copyable_v<tw::extents<dyn, 8>>);
}

TEST_CASE("extents: rank 0 has one element, a zero extent none") {
    STATIC_REQUIRE(tw::extents<>{}.size() == 1);
    CHECK(tw::to_string(tw::extents<>{}) == "[]");
    CHECK(tw::extents<dyn, 8>{0}.size() == 0);
    CHECK(tw::extents<0, dyn>{7}.size() == 0);
    CHECK(tw::extents<>{} == tw::dims<0>{});
}

TEST_CASE("extents: equality is by value, across static and dynamic, and by rank") {
    CHECK(tw::extents<4, dyn>{2} == tw::extents<dyn, 2>{4});
    CHECK_FALSE(tw::extents<4, dyn>{2} == tw::extents<dyn, 2>{3});
    CHECK(tw::extents<4>{} != tw::extents<4, 1>{});
}

TEST_CASE("extents: forgetting a static extent is implicit, learning one is explicit and checked") {
    using fixed = tw::extents<4, 8>;
    using mixed = tw::extents<dyn, 8>;
    STATIC_REQUIRE(std::is_convertible_v<fixed, mixed>);
    STATIC_REQUIRE(std::is_convertible_v<mixed, tw::dims<2>>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<mixed, fixed>);
    STATIC_REQUIRE(std::is_constructible_v<fixed, mixed>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<tw::dims<3>, mixed>);
    STATIC_REQUIRE(std::is_nothrow_constructible_v<mixed, fixed>);

    const tw::dims<2> loose = fixed{};
    CHECK(loose == fixed{});
    CHECK(fixed{loose} == loose);
    CHECK(mixed{tw::extents<3, dyn>{8}}.extent(0) == 3);
    CHECK_THROWS_AS(fixed(tw::dims<2>{4, 9}), tw::shape_error);
    REQUIRE_THROWS_WITH(fixed(tw::dims<2>(4, 9)), ContainsSubstring("axis 1 is 8") && ContainsSubstring("[4,9]"));
}

TEST_CASE("extents: a given extent that is not the static one is refused") {
    CHECK_THROWS_AS((tw::extents<dyn, 8>{3, 7}), tw::shape_error);
    CHECK_NOTHROW(tw::extents<dyn, 8>{3, 8});
}

TEST_CASE("extents: negative and overflowing shapes are refused, also beside a zero") {
    using tw::extents;
    CHECK_THROWS_AS((extents<dyn, dyn>{-1, 4}), tw::shape_error);
    REQUIRE_THROWS_WITH((extents<dyn, dyn>{-1, 4}), ContainsSubstring("[-1,4]"));
    CHECK_THROWS_AS(extents<dyn>{-1}, tw::shape_error);
    CHECK_THROWS_AS(extents<dyn>{std::numeric_limits<std::size_t>::max()}, tw::shape_error);

    const std::uint64_t half = std::uint64_t{1} << 32;
    CHECK_THROWS_AS((extents<dyn, dyn>{half, half}), tw::shape_error);         // wraps to 0
    CHECK_THROWS_AS((extents<dyn, dyn>{half, half / 2}), tw::shape_error);     // 2^63
    CHECK_NOTHROW(extents<dyn, dyn>{half, half / 4});                          // 2^62
    CHECK_THROWS_AS((extents<dyn, dyn, dyn>{0, half, half}), tw::shape_error); // its rows would overflow
    CHECK_THROWS_AS((extents<dyn, 65536>{std::uint64_t{1} << 48}), tw::shape_error);
    CHECK(extents<dyn>{std::numeric_limits<std::ptrdiff_t>::max()}.size() ==
          static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()));
}

TEST_CASE("extents: deduced from integers, every extent is dynamic") {
    STATIC_REQUIRE(std::is_same_v<decltype(tw::extents{2, 3U}), tw::dims<2>>);
    STATIC_REQUIRE(std::is_same_v<tw::dims<2>, tw::extents<dyn, dyn>>);
}
