#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include <tokenworks/quant/rounding.hpp>

#include "support/catch.hpp"

using namespace tokenworks::quant;

TEST_CASE("a product is rounded before it is added") {
    // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, which rounds to 1 + 2^-11; fused, the difference below would be 2^-24.
    volatile float source = 1.0F + 0x1p-12F;
    const float a = source;
    CHECK(detail::product(a, a) - (1.0F + 0x1p-11F) == 0.0F);
    std::array<float, 8> values;
    values.fill(a);
    std::array<float, 8> out;
    detail::multiply(values, values, out);
    for(const float value: out) {
        CHECK(value - (1.0F + 0x1p-11F) == 0.0F);
    }
    for(float& value: values) {
        value *= a;
    }
    detail::settle(values);
    for(float& value: values) {
        value -= 1.0F + 0x1p-11F;
    }
    CHECK(detail::sum_in_order(values) == 0.0F);
}

TEST_CASE("nearest_int rounds half to even") {
    for(int i = -4000; i <= 4000; ++i) {
        const float x = static_cast<float>(i) * 0.125F;
        REQUIRE(detail::nearest_int(x) == static_cast<int>(std::nearbyint(x)));
    }
    CHECK(detail::nearest_int(4194303.0F) == 4194303);
    CHECK(detail::nearest_int(-4194303.0F) == -4194303);
    CHECK(detail::nearest_int(0.49999997F) == 0);
    // Any float gives some integer.
    (void)detail::nearest_int(std::numeric_limits<float>::infinity());
    CHECK(detail::nearest_int(std::numeric_limits<float>::quiet_NaN()) == 0);
}

TEST_CASE("bytes are truncated and rounded within their range") {
    constexpr float inf = std::numeric_limits<float>::infinity();
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(detail::truncate_byte(15.99F) == 15);
    CHECK(detail::truncate_byte(255.5F) == 255);
    CHECK(detail::truncate_byte(-0.9F) == 0);
    CHECK(detail::truncate_byte(256.0F) == 0);
    CHECK(detail::truncate_byte(inf) == 0);
    CHECK(detail::truncate_byte(nan) == 0);
    for(int i = -127 * 64; i <= 127 * 64; ++i) {
        const float x = static_cast<float>(i) / 64.0F;
        REQUIRE(detail::round_byte(x) == static_cast<int>(std::round(x)));
    }
    CHECK(detail::round_byte(0.49999997F) == 0);
    CHECK(detail::round_byte(-0.49999997F) == 0);
    CHECK(detail::round_byte(inf) == 0);
    CHECK(detail::round_byte(-inf) == 0);
    CHECK(detail::round_byte(nan) == 0);
}

TEST_CASE("the range of a row takes the first of equal zeros") {
    const auto [least, greatest] = detail::range_of(std::array<float, 4>{0.0F, -0.0F, 0.0F, -0.0F});
    CHECK_FALSE(std::signbit(least));
    CHECK_FALSE(std::signbit(greatest));
    const auto [low, high] = detail::range_of(std::array<float, 4>{2.0F, -3.0F, 5.0F, 4.0F});
    CHECK(low == -3.0F);
    CHECK(high == 5.0F);
}
