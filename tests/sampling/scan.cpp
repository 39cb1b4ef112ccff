#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <tokenworks/sampling/scan.hpp>

#include "reference/sampling.hpp"

namespace ts = tokenworks::sampling::detail;

TEST_CASE("highest finds the maximum wherever it lies") {
    for(std::size_t n = 1; n < 70; ++n) {
        for(std::size_t at = 0; at < n; ++at) {
            std::vector<float> x(n, -5.0F);
            x[at] = -1.5F;
            REQUIRE(ts::highest(x) == -1.5F);
        }
    }
    CHECK(ts::highest({}) == -ts::infinity);
    const std::vector<float> banned(33, -ts::infinity);
    CHECK(ts::highest(banned) == -ts::infinity);
}

TEST_CASE("inspect copies, finds the highest, and NaN and +infinity at every place") {
    for(std::size_t n = 1; n < 50; ++n) {
        std::vector<float> x(n, 1.0F);
        x[n / 2] = std::numeric_limits<float>::max();
        x[0] = -ts::infinity; // no fault
        std::vector<float> to(n);
        const ts::inspected good = ts::inspect(x, to.data());
        REQUIRE(good.valid);
        REQUIRE(good.highest == ts::highest(x));
        REQUIRE(to == x);
        for(std::size_t at = 0; at < n; ++at) {
            for(const float bad: {std::nanf(""), -std::nanf(""), ts::infinity}) {
                auto y = x;
                y[at] = bad;
                REQUIRE_FALSE(ts::inspect(y).valid);
            }
        }
    }
}

TEST_CASE("divide divides") {
    for(const std::size_t n: reference::sizes()) {
        const auto x = reference::random_logits(n, 7, 1024, 5);
        auto y = x;
        ts::divide(y, 0.7F);
        for(std::size_t i = 0; i < n; ++i) {
            REQUIRE(y[i] == x[i] / 0.7F);
        }
    }
}

TEST_CASE("the sum is exact in double and exponentials are close to std::exp") {
    for(const std::size_t n: reference::sizes()) {
        auto x = reference::random_logits(n, 7, 1024);
        double sum = 0; // multiples of 1/1024 below 2^20: every order gives the exact sum
        for(const float v: x) {
            sum += static_cast<double>(v);
        }
        REQUIRE(ts::sum_of(x) == sum);
        const auto before = x;
        ts::exponentials(x, 2.0F, x);
        for(std::size_t i = 0; i < n; ++i) {
            const double expected = std::exp(static_cast<double>(before[i]) - 2.0);
            REQUIRE(std::fabs(static_cast<double>(x[i]) - expected) <= 3e-7 * expected); // 2.5 units in the last place
        }
    }
    std::vector<float> far{-ts::infinity, -200.0F, 0.0F};
    ts::exponentials(far, 0.0F, far);
    CHECK(far == std::vector<float>{0.0F, 0.0F, 1.0F});
}

TEST_CASE("buckets keep the order of the keys") {
    const auto buckets = ts::key_buckets::between(-3.0F, 40.0F);
    std::size_t last = 0;
    for(float key = -3.0F; key < 50.0F; key += 0.001F) {
        const std::size_t b = buckets.index(key);
        REQUIRE(b >= last);
        REQUIRE(b < ts::key_buckets::count);
        last = b;
    }
    CHECK(last == ts::key_buckets::count - 1);
    CHECK(buckets.index(ts::infinity) == ts::key_buckets::count - 1);
    CHECK(ts::key_buckets::between(2.0F, 2.0F).index(2.0F) == 0);
}
