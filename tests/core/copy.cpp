#include <tokenworks/core/copy.hpp>

#include <array>
#include <numeric>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::dyn;

TEST_CASE("copy: equals the loop over indices, for every mix of layouts") {
    std::array<int, 12> from{};
    std::iota(from.begin(), from.end(), 1);
    std::array<int, 12> to{};
    const tw::view<const int, 3, 4> a{from};
    const tw::view<int, 3, 4> b{to};
    const tw::view<int, 4, 3> c{to};
    SECTION("contiguous") {
        tw::copy(a, b);
        CHECK(to == from);
    }
    SECTION("strided source") {
        tw::copy(a.transpose(), c);
        CHECK(to == std::array<int, 12>{1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12});
    }
    SECTION("strided target") {
        tw::copy(a, c.transpose());
        CHECK(to == std::array<int, 12>{1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12});
    }
    SECTION("parts of both leave the rest alone") {
        tw::copy(a.slice<1>(1, 2), b.slice<1>(2, 2));
        CHECK(to == std::array<int, 12>{0, 0, 2, 3, 0, 0, 6, 7, 0, 0, 10, 11});
    }
}

TEST_CASE("copy: broadcasts the source") {
    std::array<int, 3> row{1, 2, 3};
    std::array<int, 6> to{};
    tw::copy(tw::view<int, 3>{row}, tw::view<int, dyn, 3>{to, 2});
    CHECK(to == std::array<int, 6>{1, 2, 3, 1, 2, 3});
    tw::copy(tw::view<int, 2, 1>{row.data()}, tw::view<int, 2, 3>{to});
    CHECK(to == std::array<int, 6>{1, 1, 1, 2, 2, 2});
    int seven = 7;
    tw::copy(tw::view<int>{&seven}, tw::view<int, 2, 3>{to});
    CHECK(to == std::array<int, 6>{7, 7, 7, 7, 7, 7});
    const tw::view<int, dyn> two{row.data(), 2};
    REQUIRE_THROWS_WITH(tw::copy(two, tw::view<int, 2, 3>{to}),
                        ContainsSubstring("copy: [2] does not broadcast to [2,3]"));
    CHECK(to[0] == 7);
}

TEST_CASE("copy: converts elements") {
    std::array<double, 3> from{1.5, -2.5, 3.0};
    std::array<float, 3> to{};
    tw::copy(tw::view<double, 3>{from}, tw::view<float, 3>{to});
    CHECK(to == std::array<float, 3>{1.5F, -2.5F, 3.0F});
    std::array<int, 3> whole{};
    tw::copy(tw::view<double, 3>{from}, tw::view<int, 3>{whole});
    CHECK(whole == std::array<int, 3>{1, -2, 3});
}

TEST_CASE("copy: nothing and one element") {
    tw::copy(tw::view<float, dyn, dyn>{nullptr, 0, 3}, tw::view<float, dyn, dyn>{nullptr, 0, 3});
    int a = 3;
    int b = 0;
    tw::copy(tw::view<int>{&a}, tw::view<int>{&b});
    CHECK(b == 3);
    int out = 9;
    tw::copy(tw::view<int, 1, 1>{&a}, tw::view<int, dyn, dyn>{&out, 0, 1}); // repeated no times
    CHECK(out == 9);
}

TEST_CASE("fill: writes every element of the view and no other") {
    std::array<int, 12> to{};
    const tw::view<int, 3, 4> v{to};
    tw::fill(v.slice<1>(1, 2), 5);
    CHECK(to == std::array<int, 12>{0, 5, 5, 0, 0, 5, 5, 0, 0, 5, 5, 0});
    tw::fill(v, 2);
    CHECK(std::accumulate(to.begin(), to.end(), 0) == 24);
    tw::fill(tw::view<int>{to.data()}, 9);
    CHECK(to[0] == 9);
    CHECK(to[1] == 2);
    tw::fill(tw::view<int, dyn>{nullptr, 0}, 1);
}
