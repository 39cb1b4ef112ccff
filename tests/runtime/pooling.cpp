#include <tokenworks/runtime/pooling.hpp>

#include <cmath>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::runtime::pool;
using tw::runtime::pooling;

TEST_CASE("pooling: mean, first, last and largest", "[runtime]") {
    const std::vector<float> rows{1, -2, 4, 8, 0, 6};
    const tw::nn::const_rows hidden{rows.data(), 3, 2};
    const auto of = [&](pooling how) {
        std::vector<float> out(2);
        pool(how, hidden, out);
        return out;
    };
    CHECK(of(pooling::mean) == std::vector<float>{5.0F / 3, 4});
    CHECK(of(pooling::cls) == std::vector<float>{1, -2});
    CHECK(of(pooling::last) == std::vector<float>{0, 6});
    CHECK(of(pooling::max) == std::vector<float>{4, 8});
    std::vector<float> narrow(1);
    CHECK_THROWS_AS(pool(pooling::mean, hidden, narrow), tw::shape_error);
    std::vector<float> two(2);
    CHECK_THROWS_AS(pool(pooling::mean, tw::nn::const_rows{rows.data(), 0, 2}, two), tw::argument_error);
}

TEST_CASE("normalize: length 1, and zeros stay", "[runtime]") {
    std::vector<float> x{3, 4};
    tw::runtime::normalize(x);
    CHECK(x == std::vector<float>{0.6F, 0.8F});
    std::vector<float> none{0, 0};
    tw::runtime::normalize(none);
    CHECK(none == std::vector<float>{0, 0});
    std::vector<float> large{3e30F, 4e30F};
    tw::runtime::normalize(large);
    CHECK(std::abs(large[0] - 0.6F) < 1e-6F); // squares of which no float could hold
    CHECK(std::abs(large[1] - 0.8F) < 1e-6F);
}
