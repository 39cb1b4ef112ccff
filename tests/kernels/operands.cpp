#include <array>
#include <cstddef>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include <tokenworks/core/tensor.hpp>
#include <tokenworks/kernels/operands.hpp>

#include "support/catch.hpp"

using namespace tokenworks;
using kernels::detail::as_view;
using kernels::detail::row_walk;

TEST_CASE("operands are views, tensors, and contiguous memory") {
    tensor<float, extents<dyn, 4>> owner{3, 4};
    STATIC_REQUIRE(std::is_same_v<decltype(as_view(owner)), view<float, dyn, 4>>);
    const view<const float, dyn, 4> seen = owner;
    STATIC_REQUIRE(std::is_same_v<decltype(as_view(seen)), view<const float, dyn, 4>>);
    CHECK(as_view(owner).data() == owner.data());

    std::vector<float> memory(5);
    STATIC_REQUIRE(std::is_same_v<decltype(as_view(memory)), view<float, dyn>>);
    CHECK(as_view(memory).extent(0) == 5);
    STATIC_REQUIRE(std::is_same_v<decltype(as_view(std::as_const(memory))), view<const float, dyn>>);
    STATIC_REQUIRE(std::is_same_v<decltype(as_view(std::span<const float>{memory})), view<const float, dyn>>);
    std::array<float, 3> fixed{};
    CHECK(as_view(fixed).extent(0) == 3);
}

TEST_CASE("row_walk finds every row of every layout") {
    std::vector<float> memory(2 * 3 * 4 * 5);
    std::iota(memory.begin(), memory.end(), 0.0F);
    const view<float, 2, 3, 4, 5> whole{memory.data()};
    const auto check = [](const auto& x) {
        const row_walk rows{"test", "x", x};
        REQUIRE(rows.count == x.extent(0) * x.extent(1) * x.extent(2));
        REQUIRE(rows.length == x.extent(3));
        std::size_t row = 0;
        bool right = true;
        for(std::size_t a = 0; a < x.extent(0); ++a) {
            for(std::size_t b = 0; b < x.extent(1); ++b) {
                for(std::size_t c = 0; c < x.extent(2); ++c) {
                    right = right && rows[row++] == &x(a, b, c, 0);
                }
            }
        }
        CHECK(right);
    };
    check(whole);
    check(whole.permute<1, 0, 2, 3>());
    check(whole.permute<2, 1, 0, 3>());
    check(whole.slice<1>(1, 2));
    check(whole.slice<2>(1, 2).slice<3>(2, 3));
    check(whole.slice<0>(1, 1).permute<1, 2, 0, 3>());
    check(view<float, 1, 3, 1, 5>{memory.data()}.broadcast_to(extents<2, 3, 4, 5>{}));

    const row_walk single{"test", "x", view<float, dyn>{memory.data(), 7}};
    CHECK(single.count == 1);
    CHECK(single[0] == memory.data());
    const row_walk none{"test", "x", view<float, dyn, dyn>{memory.data(), 0, 4}};
    CHECK(none.count == 0);
}

TEST_CASE("row_walk refuses rows with gaps") {
    std::vector<float> memory(12);
    const view<float, 3, 4> x{memory.data()};
    CHECK_THROWS_WITH((row_walk{"softmax", "x", x.transpose()}),
                      ContainsSubstring("softmax: the last axis of x has stride 4, which must be 1"));
    const auto thin = x.slice<1>(0, 1).transpose(); // stride 4 over three elements
    CHECK_THROWS_AS((row_walk{"softmax", "x", thin}), shape_error);
    CHECK_NOTHROW((row_walk{"softmax", "x", thin.transpose()})); // a row of one element has no stride
}
