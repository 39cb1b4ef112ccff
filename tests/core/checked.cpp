#include <tokenworks/core/checked.hpp>

#include <array>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
__extension__ using wide = unsigned __int128;

/// Values around every boundary that 64-bit arithmetic has.
constexpr std::array<std::uint64_t, 16> edges{0,
                                              1,
                                              2,
                                              3,
                                              7,
                                              64,
                                              0xFFFFFFFF,
                                              0x100000000,
                                              0x100000001,
                                              most / 3,
                                              most / 2 - 1,
                                              most / 2,
                                              most / 2 + 1,
                                              most - 2,
                                              most - 1,
                                              most};

} // namespace

TEST_CASE("checked: sums and products agree with 128-bit arithmetic") {
    for(const std::uint64_t a: edges) {
        for(const std::uint64_t b: edges) {
            const wide sum = wide{a} + b;
            const wide product = wide{a} * b;
            CHECK(tw::checked_add(a, b).has_value() == (sum <= most));
            CHECK(tw::checked_add(a, b).value_or(static_cast<std::uint64_t>(sum)) == static_cast<std::uint64_t>(sum));
            CHECK(tw::checked_mul(a, b).has_value() == (product <= most));
            CHECK(tw::checked_mul(a, b).value_or(static_cast<std::uint64_t>(product)) ==
                  static_cast<std::uint64_t>(product));
        }
    }
    STATIC_REQUIRE(tw::checked_add(most, 1) == std::nullopt);
    STATIC_REQUIRE(tw::checked_mul(most, 1) == most);
}

TEST_CASE("checked: padding gives the least multiple that is not smaller") {
    for(const std::uint64_t a: edges) {
        for(const std::uint64_t alignment: {1U, 2U, 3U, 32U, 4096U}) {
            const wide expected = (wide{a} + alignment - 1) / alignment * alignment;
            const auto padded = tw::checked_pad(a, alignment);
            CHECK(padded.has_value() == (expected <= most));
            CHECK(padded.value_or(static_cast<std::uint64_t>(expected)) == static_cast<std::uint64_t>(expected));
        }
    }
}

TEST_CASE("checked: a size fits where pointer differences do") {
    CHECK(tw::checked_size(0) == std::size_t{0});
    CHECK(tw::checked_size(most / 2) == static_cast<std::size_t>(most / 2));
    CHECK_FALSE(tw::checked_size(most / 2 + 1).has_value());
    CHECK_FALSE(tw::checked_size(most).has_value());
}
