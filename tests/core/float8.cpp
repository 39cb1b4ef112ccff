#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <tokenworks/core/float8.hpp>

#include "support/catch.hpp"

using namespace tokenworks;

namespace {

double e4m3_value(unsigned magnitude) {
    const int exponent = static_cast<int>(magnitude >> 3);
    const int mantissa = static_cast<int>(magnitude & 7U);
    return exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
}

double e5m2_value(unsigned magnitude) {
    const int exponent = static_cast<int>(magnitude >> 2);
    const int mantissa = static_cast<int>(magnitude & 3U);
    return exponent == 0 ? std::ldexp(mantissa, -16) : std::ldexp(4 + mantissa, exponent - 17);
}

/// The saturating rule by search: the nearest finite magnitude, the even one of two.
unsigned nearest(double x, unsigned largest, double (*value)(unsigned)) {
    if(x >= value(largest)) {
        return largest;
    }
    unsigned best = 0;
    for(unsigned i = 1; i <= largest; ++i) {
        const double step = std::abs(x - value(i)) - std::abs(x - value(best));
        if(step < 0 || (step == 0 && (i & 1U) == 0)) {
            best = i;
        }
    }
    return best;
}

template <class T>
void check_encode(unsigned largest, double (*value)(unsigned)) {
    const auto check = [&](float x) {
        INFO("value bits " << std::bit_cast<std::uint32_t>(x));
        const unsigned expected = nearest(std::abs(static_cast<double>(x)), largest, value);
        REQUIRE(T{x}.bits == (expected | (std::signbit(x) ? 0x80U : 0U)));
    };
    std::uint32_t state = 12345;
    for(int i = 0; i < 20000; ++i) {
        state = state * 1664525U + 1013904223U;
        const auto exponent = 100U + ((state >> 8) % 50U); // 2^-27 to 2^22
        check(std::bit_cast<float>((state & 0x807fffffU) | (exponent << 23)));
    }
    for(unsigned i = 0; i < largest; ++i) {
        const auto middle = static_cast<float>((value(i) + value(i + 1)) / 2);
        check(middle);
        check(-middle);
        check(std::nextafter(middle, 0.0F));
        check(std::nextafter(middle, 1e9F));
    }
    check(0.0F);
    check(-0.0F);
    check(std::numeric_limits<float>::max());
    check(std::numeric_limits<float>::denorm_min());
    check(static_cast<float>(value(largest)));
    check(static_cast<float>(value(largest)) * 1.2F);
}

} // namespace

TEST_CASE("f8_e4m3 decodes every pattern") {
    for(unsigned i = 0; i < 256; ++i) {
        const float x = f8_e4m3::from_bits(static_cast<std::uint8_t>(i));
        if((i & 0x7fU) == 0x7fU) {
            REQUIRE(std::isnan(x));
            REQUIRE(f8_e4m3{x}.bits == i);
            continue;
        }
        REQUIRE(std::abs(static_cast<double>(x)) == e4m3_value(i & 0x7fU));
        REQUIRE(std::signbit(x) == (i >= 128));
        REQUIRE(f8_e4m3{x}.bits == i);
    }
    STATIC_REQUIRE(static_cast<float>(f8_e4m3::from_bits(0x7e)) == 448.0F);
}

TEST_CASE("f8_e4m3 encodes to nearest even and saturates") {
    check_encode<f8_e4m3>(0x7e, e4m3_value);
    STATIC_REQUIRE(f8_e4m3{std::numeric_limits<float>::infinity()}.bits == 0x7e);
    STATIC_REQUIRE(f8_e4m3{-std::numeric_limits<float>::infinity()}.bits == 0xfe);
    STATIC_REQUIRE(f8_e4m3{std::numeric_limits<float>::quiet_NaN()}.bits == 0x7f);
    STATIC_REQUIRE(f8_e4m3{1.0F}.bits == 0x38);
}

TEST_CASE("f8_e5m2 decodes every pattern") {
    for(unsigned i = 0; i < 256; ++i) {
        const float x = f8_e5m2::from_bits(static_cast<std::uint8_t>(i));
        const unsigned magnitude = i & 0x7fU;
        if(magnitude > 0x7cU) {
            REQUIRE(std::isnan(x));
            REQUIRE((f8_e5m2{x}.bits & 0x7fU) >= 0x7eU);
            continue;
        }
        REQUIRE(std::signbit(x) == (i >= 128));
        if(magnitude == 0x7cU) {
            REQUIRE(std::isinf(x));
            REQUIRE(f8_e5m2{x}.bits == i - 1); // saturating: an infinity becomes the largest finite value
            continue;
        }
        REQUIRE(std::abs(static_cast<double>(x)) == e5m2_value(magnitude));
        REQUIRE(f8_e5m2{x}.bits == i);
    }
    STATIC_REQUIRE(static_cast<float>(f8_e5m2::from_bits(0x7b)) == 57344.0F);
}

TEST_CASE("f8_e5m2 encodes to nearest even and saturates") {
    check_encode<f8_e5m2>(0x7b, e5m2_value);
    STATIC_REQUIRE(f8_e5m2{std::numeric_limits<float>::infinity()}.bits == 0x7b);
    STATIC_REQUIRE(f8_e5m2{-1e30F}.bits == 0xfb);
    STATIC_REQUIRE((f8_e5m2{std::numeric_limits<float>::quiet_NaN()}.bits & 0x7f) > 0x7c);
}
