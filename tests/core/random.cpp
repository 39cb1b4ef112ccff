#include <tokenworks/core/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using words = std::array<std::uint32_t, 4>;

TEST_CASE("random: known answers of Philox4x32-10") {
    // Random123, tests/kat_vectors, lines "philox4x32 10".
    STATIC_REQUIRE(tw::philox4x32({0, 0, 0, 0}, {0, 0}) == words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    STATIC_REQUIRE(tw::philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
                   words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    STATIC_REQUIRE(tw::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
                   words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: counter, stream and seed take their places in the block function") {
    const std::uint64_t seed = 0x299f31d0a4093822;
    const std::uint64_t stream = 0x0370734413198a2e;
    const std::uint64_t counter = 0x85a308d3243f6a88;
    CHECK(tw::philox{seed, stream}.at(counter) == words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: a number depends on its position, not on the order of asking") {
    const tw::philox stream{42, 7};
    tw::philox walking{42, 7};
    std::vector<std::uint32_t> forward;
    for(int i = 0; i < 100; ++i) {
        forward.push_back(walking());
    }
    for(std::uint64_t i = 100; i-- > 0;) {
        CHECK(stream.bits(i) == forward[i]);
        CHECK(stream.at(i / 4)[i % 4] == forward[i]);
    }
    CHECK(walking.position() == 100);
    walking.seek(3);
    CHECK(walking() == forward[3]);
    CHECK(tw::uniform(42, 5) == tw::philox{42}.uniform(5));
}

TEST_CASE("random: seeds and streams differ") {
    const auto a = tw::philox{1}.at(0);
    CHECK(a != tw::philox{2}.at(0));
    CHECK(a != tw::philox{1, 1}.at(0));
    CHECK(a != tw::philox{std::uint64_t{1} << 32}.at(0));
    CHECK(a != tw::philox{1, std::uint64_t{1} << 32}.at(0));
    CHECK(a != tw::philox{1}.at(1));
    CHECK(tw::philox{1}.at(0) != tw::philox{1}.at(std::uint64_t{1} << 32));
}

TEST_CASE("random: uniform lies on the grid of [0, 1) and has the right moments") {
    // n = 1e5 draws: the mean's deviation is 1/sqrt(12 n) = 9.1e-4, the mean square's sqrt(4/45/n) = 9.4e-4; 5 of each.
    constexpr std::uint64_t n = 100000;
    const tw::philox stream{2024};
    double mean = 0;
    double square = 0;
    double mean_double = 0;
    for(std::uint64_t i = 0; i < n; ++i) {
        const float u = stream.uniform(i);
        const double d = stream.uniform<double>(i);
        if(!(u >= 0 && u < 1 && d >= 0 && d < 1)) {
            FAIL("outside of [0, 1)");
        }
        if(u * 0x1p24F != std::floor(u * 0x1p24F) || d * 0x1p53 != std::floor(d * 0x1p53)) {
            FAIL("not on the grid");
        }
        mean += static_cast<double>(u) / n;
        square += static_cast<double>(u) * static_cast<double>(u) / n;
        mean_double += d / n;
    }
    CHECK(std::abs(mean - 0.5) < 5 * 9.1e-4);
    CHECK(std::abs(square - 1.0 / 3) < 5 * 9.4e-4);
    CHECK(std::abs(mean_double - 0.5) < 5 * 9.1e-4);
    CHECK(stream.uniform(0) == static_cast<float>(stream.bits(0) >> 8) / 16777216.0F);
    CHECK(stream.uniform<double>(3) ==
          static_cast<double>((std::uint64_t{stream.bits(6)} << 32 | stream.bits(7)) >> 11) / 9007199254740992.0);
}

TEST_CASE("random: bits are balanced") {
    // Each of 32 bits over n = 65536 draws: deviation sqrt(n)/2 = 128; 5 of them.
    std::array<int, 32> ones{};
    tw::philox stream{3};
    for(int i = 0; i < 65536; ++i) {
        const std::uint32_t word = stream();
        for(unsigned bit = 0; bit < 32; ++bit) {
            ones[bit] += static_cast<int>(word >> bit & 1U);
        }
    }
    CHECK(std::ranges::all_of(ones, [](int count) { return std::abs(count - 32768) < 5 * 128; }));
}

TEST_CASE("random: is a standard random bit generator") {
    STATIC_REQUIRE(std::uniform_random_bit_generator<tw::philox>);
    tw::philox stream{9};
    std::uniform_int_distribution<int> dice{1, 6};
    for(int i = 0; i < 100; ++i) {
        const int face = dice(stream);
        CHECK((face >= 1 && face <= 6));
    }
}
