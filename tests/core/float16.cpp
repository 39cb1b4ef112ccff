#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <tokenworks/core/dtype_of.hpp>
#include <tokenworks/core/float16.hpp>

#include "support/catch.hpp"

using namespace tokenworks;

namespace {

std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }

/// The definition, in double precision: an f16 pattern's value.
double half_value(unsigned bits) {
    const double sign = (bits & 0x8000U) != 0 ? -1.0 : 1.0;
    const int exponent = static_cast<int>((bits >> 10) & 31U);
    const int mantissa = static_cast<int>(bits & 1023U);
    return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

double bfloat_value(unsigned bits) { return std::bit_cast<float>(bits << 16); }

std::uint32_t next(std::uint64_t& state) { // splitmix64
    state += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<std::uint32_t>(z ^ (z >> 31));
}

/// code is nearest to x among its neighbours of the same sign, and even when two are equally near.
bool is_nearest_even(double x, unsigned code, unsigned largest, unsigned sign, double (*value)(unsigned),
                     double beyond_largest) {
    const unsigned magnitude = code & ~sign;
    const auto at = [&](unsigned m) { return m > largest ? beyond_largest : std::abs(value(m)); };
    const double error = std::abs(std::abs(x) - at(magnitude));
    if(magnitude > 0) {
        const double lower = std::abs(std::abs(x) - at(magnitude - 1));
        if(lower < error || (lower == error && (magnitude & 1U) != 0)) {
            return false;
        }
    }
    if(magnitude <= largest) {
        const double upper = std::abs(std::abs(x) - at(magnitude + 1));
        if(upper < error || (upper == error && (magnitude & 1U) != 0)) {
            return false;
        }
    }
    return ((code & sign) != 0) == std::signbit(x);
}

} // namespace

TEST_CASE("f16 decodes every pattern") {
    for(unsigned i = 0; i < 65536; ++i) {
        const float x = f16::from_bits(static_cast<std::uint16_t>(i));
        const bool special = (i & 0x7c00U) == 0x7c00U;
        if(!special) {
            REQUIRE(static_cast<double>(x) == half_value(i));
            REQUIRE(std::signbit(x) == ((i & 0x8000U) != 0));
        } else if((i & 1023U) != 0) {
            REQUIRE(std::isnan(x));
        } else {
            REQUIRE(x == ((i & 0x8000U) != 0 ? -1.0F : 1.0F) * std::numeric_limits<float>::infinity());
        }
        if(!std::isnan(x)) {
            REQUIRE(f16{x}.bits == i); // every value comes back
        } else {
            REQUIRE((f16{x}.bits & 0x7fffU) > 0x7c00U);
        }
    }
}

TEST_CASE("f16 encodes to nearest even") {
    std::uint64_t state = 1;
    const auto check = [](float x) {
        const unsigned code = f16{x}.bits;
        INFO("value bits " << bits_of(x) << " code " << code);
        if(std::isnan(x)) {
            REQUIRE((code & 0x7fffU) > 0x7c00U);
        } else if(std::isinf(x)) {
            REQUIRE((code & 0x7fffU) == 0x7c00U);
            REQUIRE(((code & 0x8000U) != 0) == std::signbit(x));
        } else if(std::abs(x) >= 65520.0F) {
            REQUIRE((code & 0x7fffU) == 0x7c00U);
        } else {
            REQUIRE(is_nearest_even(static_cast<double>(x), code, 0x7bffU, 0x8000U, half_value, 65536.0));
        }
    };
    SECTION("all exponents, random mantissas") {
        for(int i = 0; i < 300000; ++i) {
            check(std::bit_cast<float>(next(state)));
        }
    }
    SECTION("the range of f16") {
        for(int i = 0; i < 300000; ++i) { // exponents 2^-28 to 2^17
            const std::uint32_t r = next(state);
            check(std::bit_cast<float>((r & 0x807fffffU) | ((99U + (next(state) % 46U)) << 23)));
        }
    }
    SECTION("every half-way point and its neighbours") {
        for(unsigned i = 0; i < 0x7c00U; ++i) {
            const double upper = i == 0x7bffU ? 65536.0 : half_value(i + 1);
            const auto middle = static_cast<float>((half_value(i) + upper) / 2);
            check(middle);
            check(-middle);
            check(std::nextafter(middle, 0.0F));
            check(std::nextafter(middle, 1e9F));
        }
    }
    SECTION("special values") {
        constexpr float inf = std::numeric_limits<float>::infinity();
        STATIC_REQUIRE(f16{inf}.bits == 0x7c00);
        STATIC_REQUIRE(f16{-inf}.bits == 0xfc00);
        STATIC_REQUIRE(f16{65504.0F}.bits == 0x7bff);
        STATIC_REQUIRE(f16{65519.996F}.bits == 0x7bff);
        STATIC_REQUIRE(f16{65520.0F}.bits == 0x7c00);
        STATIC_REQUIRE(f16{-0.0F}.bits == 0x8000);
        STATIC_REQUIRE(f16{0x1p-24F}.bits == 1);
        STATIC_REQUIRE(f16{0x1p-25F}.bits == 0);
        STATIC_REQUIRE(f16{0x1.000002p-25F}.bits == 1);
        STATIC_REQUIRE(static_cast<float>(f16{1.5F}) == 1.5F);
        check(std::bit_cast<float>(0x7f800001U)); // a signalling NaN with a payload that f16 cannot hold
        check(std::bit_cast<float>(0xffffffffU));
    }
}

TEST_CASE("bf16 decodes every pattern and encodes to nearest even") {
    for(unsigned i = 0; i < 65536; ++i) {
        const auto b = bf16::from_bits(static_cast<std::uint16_t>(i));
        REQUIRE(bits_of(b) == i << 16);
        if((i & 0x7fffU) <= 0x7f80U) {
            REQUIRE(bf16{static_cast<float>(b)}.bits == i);
        } else {
            REQUIRE(bf16{static_cast<float>(b)}.bits == (i | 0x40U));
        }
    }
    std::uint64_t state = 2;
    for(int i = 0; i < 500000; ++i) {
        std::uint32_t r = next(state);
        r = i % 4 == 0 ? (r & 0xffff0000U) | 0x8000U : i % 4 == 1 ? r & 0x807fffffU : r; // half-way points, denormals
        const auto x = std::bit_cast<float>(r);
        const unsigned code = bf16{x}.bits;
        INFO("value bits " << r << " code " << code);
        if(std::isnan(x)) {
            REQUIRE((code & 0x7fffU) > 0x7f80U);
        } else if(std::abs(x) >= 0x1.ffp127F) {
            REQUIRE((code & 0x7fffU) == 0x7f80U);
        } else {
            REQUIRE(is_nearest_even(static_cast<double>(x), code, 0x7f7fU, 0x8000U, bfloat_value, 0x1p128));
        }
    }
    STATIC_REQUIRE(bf16{1.0F}.bits == 0x3f80);
    STATIC_REQUIRE(bf16{std::numeric_limits<float>::infinity()}.bits == 0x7f80);
    STATIC_REQUIRE(bf16{std::numeric_limits<float>::max()}.bits == 0x7f80);
}

TEST_CASE("dtype_of names the element types") {
    STATIC_REQUIRE(dtype_of<float> == dtype::f32);
    STATIC_REQUIRE(dtype_of<const double> == dtype::f64);
    STATIC_REQUIRE(dtype_of<f16> == dtype::f16);
    STATIC_REQUIRE(dtype_of<bf16> == dtype::bf16);
    STATIC_REQUIRE(dtype_of<f8_e4m3> == dtype::f8_e4m3);
    STATIC_REQUIRE(dtype_of<f8_e5m2> == dtype::f8_e5m2);
    STATIC_REQUIRE(dtype_of<std::int8_t> == dtype::i8);
    STATIC_REQUIRE(dtype_of<std::int16_t> == dtype::i16);
    STATIC_REQUIRE(dtype_of<std::int32_t> == dtype::i32);
    STATIC_REQUIRE(dtype_of<long long> == dtype::i64);
    STATIC_REQUIRE(dtype_of<long> == dtype::i64);
    STATIC_REQUIRE(dtype_of<std::uint8_t> == dtype::u8);
    STATIC_REQUIRE(dtype_of<std::uint16_t> == dtype::u16);
    STATIC_REQUIRE(dtype_of<std::uint32_t> == dtype::u32);
    STATIC_REQUIRE(dtype_of<std::uint64_t> == dtype::u64);
    STATIC_REQUIRE(dtype_of<bool> == dtype::boolean);
    STATIC_REQUIRE_FALSE(element<char>);
    STATIC_REQUIRE_FALSE(element<long double>);
    STATIC_REQUIRE_FALSE(element<std::array<float, 2>>);
    STATIC_REQUIRE(element<float>);
}
