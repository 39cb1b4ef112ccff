#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include <tokenworks/quant/rounding.hpp>

#include "support/catch.hpp"

using namespace tokenworks::quant;

namespace {

using row = std::array<float, 8>;

// Functions of their own, so that the compiler sees a product and a sum side by side and nothing else.
[[gnu::noinline]] float product_less(float a, float b, float c) { return detail::product(a, b) - c; }

[[gnu::noinline]] float products_less(const row& a, const row& b, float c) {
    row out;
    detail::multiply(a, b, out);
    float sum = 0.0F;
    for(const float value: out) {
        sum += value - c;
    }
    return sum;
}

[[gnu::noinline]] float settled_less(row values, float factor, float c) {
    for(float& value: values) {
        value *= factor;
    }
    detail::settle(values);
    for(float& value: values) {
        value -= c;
    }
    return detail::sum_in_order(values);
}

} // namespace

TEST_CASE("a product is rounded before it is added") {
    // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, which rounds to 1 + 2^-11; fused, the difference would be 2^-24.
    const float a = 1.0F + 0x1p-12F;
    const float square = 1.0F + 0x1p-11F;
    row values;
    values.fill(a);
    CHECK(product_less(a, a, square) == 0.0F);
    CHECK(products_less(values, values, square) == 0.0F);
    CHECK(settled_less(values, a, square) == 0.0F);
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
