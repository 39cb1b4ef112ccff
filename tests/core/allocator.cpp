#include <tokenworks/core/allocator.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

std::uintptr_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

} // namespace

TEST_CASE("aligned_allocator: aligns, and serves standard containers") {
    for(std::size_t count: {1U, 3U, 1000U}) {
        std::vector<char, tw::aligned_allocator<char>> a(count);
        CHECK(address(a.data()) % 64 == 0);
        std::vector<double, tw::aligned_allocator<double, 256>> b(count);
        CHECK(address(b.data()) % 256 == 0);
        CHECK(b.back() == 0);
    }
    using rebound = std::allocator_traits<tw::aligned_allocator<char, 128>>::rebind_alloc<int>;
    STATIC_REQUIRE(std::is_same_v<rebound, tw::aligned_allocator<int, 128>>);
    STATIC_REQUIRE(std::is_empty_v<rebound>);
    CHECK(tw::aligned_allocator<char>{} == tw::aligned_allocator<int>{});
}

TEST_CASE("aligned_allocator: a size that overflows is bad_array_new_length") {
    tw::aligned_allocator<double> allocator;
    CHECK_THROWS_AS(static_cast<void>(allocator.allocate(std::numeric_limits<std::size_t>::max() / 4)),
                    std::bad_array_new_length);
}

TEST_CASE("huge_buffer: aligned to a cache line, from 2 MiB on to a huge page") {
    CHECK(tw::huge_buffer{}.empty());
    CHECK(tw::huge_buffer{0}.data() == nullptr);
    const std::size_t big = tw::huge_buffer::huge_page + 100;
    for(std::size_t bytes: {std::size_t{1}, std::size_t{65}, big}) {
        tw::huge_buffer buffer{bytes};
        CHECK(buffer.size() == bytes);
        CHECK(address(buffer.data()) % (bytes == big ? tw::huge_buffer::huge_page : 64) == 0);
        std::memset(buffer.data(), 0x5A, bytes);
        CHECK(buffer.data()[bytes - 1] == std::byte{0x5A});
    }
    CHECK_THROWS_AS(tw::huge_buffer{std::numeric_limits<std::size_t>::max()}, std::bad_alloc);
}

TEST_CASE("huge_buffer: moves without copying, and shows its bytes as elements") {
    tw::huge_buffer a{67};
    auto* const data = a.data();
    tw::huge_buffer b{std::move(a)};
    CHECK(b.data() == data);
    tw::huge_buffer c{8};
    c = std::move(b);
    CHECK(c.data() == data);
    CHECK(c.as<float>().size() == 16);
    CHECK(std::as_const(c).as<std::uint16_t>().size() == 33);
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<tw::huge_buffer>);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<tw::huge_buffer>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<tw::huge_buffer>);
}

TEST_CASE("huge_pool: parts lie one behind the other, apart and aligned, and outlive the pool") {
    std::vector<tw::huge_buffer> parts;
    {
        tw::huge_pool pool;
        for(const std::size_t bytes: {std::size_t{1}, std::size_t{64}, std::size_t{100'000}, std::size_t{1} << 20}) {
            parts.push_back(pool.take(bytes));
            CHECK(parts.back().size() == bytes);
            CHECK(address(parts.back().data()) % tw::default_alignment == 0);
            std::memset(parts.back().data(), static_cast<int>(parts.size()), bytes);
        }
    }
    for(std::size_t i = 0; i < parts.size(); ++i) {
        const auto bytes = parts[i].as<unsigned char>();
        CHECK(bytes.front() == i + 1);
        CHECK(bytes.back() == i + 1);
    }
    CHECK(parts[1].data() - parts[0].data() == 64);
    tw::huge_buffer moved = std::move(parts[2]);
    parts.clear(); // the slab stays, since one part does
    CHECK(moved.as<unsigned char>()[99'999] == 3);
}

TEST_CASE("huge_pool: more parts than fit a slab, and parts that are large themselves") {
    tw::huge_pool pool;
    CHECK(pool.take(0).empty());
    const tw::huge_buffer large = pool.take(tw::huge_pool::largest_slab);
    CHECK(large.size() == tw::huge_pool::largest_slab);
    CHECK(address(large.data()) % tw::huge_buffer::huge_page == 0);
    std::vector<tw::huge_buffer> parts;
    for(int i = 0; i < 20; ++i) { // more than any slab holds
        parts.push_back(pool.take(tw::huge_pool::largest_slab / 4));
        parts.back().as<unsigned char>()[0] = static_cast<unsigned char>(i);
    }
    for(std::size_t i = 0; i < parts.size(); ++i) {
        CHECK(parts[i].as<unsigned char>()[0] == i);
    }
    tw::huge_buffer other = pool.take(10);
    other = std::move(parts[3]);
    CHECK(other.as<unsigned char>()[0] == 3);
}
