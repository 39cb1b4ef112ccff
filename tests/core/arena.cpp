#include <tokenworks/core/arena.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

std::uintptr_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

} // namespace

TEST_CASE("arena: parts are aligned and do not overlap") {
    tw::arena arena;
    CHECK(arena.bytes_reserved() == 0);
    std::vector<std::span<std::uint8_t>> parts;
    std::uint8_t mark = 0;
    for(std::size_t bytes: {1U, 64U, 65U, 100000U, 3U, 1000000U, 0U, 7U}) {
        auto part = arena.take<std::uint8_t>(bytes);
        CHECK(part.size() == bytes);
        CHECK(address(part.data()) % 64 == 0);
        std::ranges::fill(part, mark++);
        parts.push_back(part);
    }
    mark = 0;
    for(auto part: parts) {
        CHECK(std::ranges::all_of(part, [&](std::uint8_t value) { return value == mark; }));
        ++mark;
    }
    CHECK(arena.bytes_reserved() >= 1100000);
}

TEST_CASE("arena: a scope gives back what was taken in it") {
    tw::arena arena{1 << 16};
    const auto outer = arena.take<float>(10);
    outer[0] = 1;
    float* inner = nullptr;
    {
        const tw::arena::scope scope{arena};
        inner = arena.take<float>(10).data();
        {
            const tw::arena::scope nested{arena};
            CHECK(arena.take<float>(10).data() != inner);
        }
    }
    CHECK(arena.take<float>(10).data() == inner);
    CHECK(outer[0] == 1);
}

TEST_CASE("arena: after one step at the largest size, no later step changes what is reserved") {
    tw::arena arena;
    const auto step = [&](std::size_t size) {
        const tw::arena::scope scope{arena};
        static_cast<void>(arena.take<float>(size));
        for(int i = 0; i < 20; ++i) {
            const tw::arena::scope inner{arena};
            static_cast<void>(arena.take<float>(size / 2));
            static_cast<void>(arena.take<double>(size));
        }
    };
    step(100000);
    const std::size_t reserved = arena.bytes_reserved();
    CHECK(reserved >= 1400000);
    CHECK(reserved < 5000000);
    const void* const first = arena.take<float>(1).data();
    arena.rewind({});
    for(std::size_t size: {1U, 100000U, 77777U, 512U, 100000U}) {
        step(size);
        CHECK(arena.bytes_reserved() == reserved);
    }
    CHECK(arena.take<float>(1).data() == first); // the same block, so nothing was allocated
}

TEST_CASE("arena: what many parts took, one part may take later") {
    tw::arena arena;
    {
        const tw::arena::scope scope{arena};
        static_cast<void>(arena.take<char>(100000));
        static_cast<void>(arena.take<char>(1000000));
    }
    const std::size_t reserved = arena.bytes_reserved();
    CHECK(arena.take<char>(1100000).size() == 1100000);
    CHECK(arena.bytes_reserved() == reserved);
}

TEST_CASE("arena: rewinding to a mark in an earlier block") {
    tw::arena arena;
    static_cast<void>(arena.take<char>(100));
    const auto mark = arena.mark();
    const void* const first = arena.take<char>(100).data();
    static_cast<void>(arena.take<char>(1 << 20));
    static_cast<void>(arena.take<char>(1 << 22));
    const std::size_t reserved = arena.bytes_reserved();
    arena.rewind(mark);
    CHECK(arena.take<char>(100).data() == first);
    static_cast<void>(arena.take<char>(1 << 20));
    static_cast<void>(arena.take<char>(1 << 22));
    CHECK(arena.bytes_reserved() == reserved);
}

TEST_CASE("arena: reserve, views, moves, and sizes that cannot be") {
    tw::arena arena;
    arena.reserve(1 << 20);
    const std::size_t reserved = arena.bytes_reserved();
    auto v = arena.take<float>(tw::extents<tw::dyn, 64>{4});
    STATIC_REQUIRE(std::is_same_v<decltype(v), tw::view<float, tw::dyn, 64>>);
    CHECK(v.size() == 256);
    static_cast<void>(arena.take<char>((1 << 20) - 1024));
    CHECK(arena.bytes_reserved() == reserved);

    v(3, 63) = 5;
    tw::arena other{std::move(arena)};
    CHECK(v(3, 63) == 5);
    CHECK(other.bytes_reserved() == reserved);
    tw::arena third;
    third = std::move(other);
    CHECK(v(3, 63) == 5);
    CHECK_THROWS_AS(static_cast<void>(third.take<double>(std::numeric_limits<std::size_t>::max() / 8)), std::bad_alloc);
    CHECK(third.bytes_reserved() == reserved);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<tw::arena>);
}
