#include <tokenworks/runtime/prefix_cache.hpp>

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using tw::runtime::prefix_cache;
using tw::runtime::token_id;
using tokens = std::vector<token_id>;

namespace {

constexpr nn::page_pool::shape shape{.layers = 1, .kv_heads = 1, .key_width = 16, .value_width = 16};

/// A cache that says it holds so many tokens.
nn::kv_cache holding(nn::page_pool& pool, std::size_t count) {
    nn::kv_cache cache{pool, 1000};
    cache.make_room(count);
    cache.advance(count);
    return cache;
}

tokens counted(std::size_t count, token_id first = 0) {
    tokens all;
    for(std::size_t i = 0; i < count; ++i) {
        all.push_back(first + static_cast<token_id>(i));
    }
    return all;
}

} // namespace

TEST_CASE("prefix_cache: finds the longest beginning, in pages and in part of one", "[runtime]") {
    nn::page_pool pool{shape, 10};
    prefix_cache kept{pool};
    const tokens all = counted(150);
    {
        const nn::kv_cache cache = holding(pool, 150);
        kept.keep("", all, cache);
    }
    CHECK(pool.free_pages() == 7);
    CHECK(kept.idle_pages() == 3);
    nn::kv_cache next{pool, 1000};
    CHECK(kept.restore("", all, next) == 150);
    CHECK(kept.idle_pages() == 0);
    next.truncate(0);
    tokens other = counted(140);
    other[100] = -5;
    CHECK(kept.find("", other) == 100);
    CHECK(kept.restore("", other, next) == 100);
    CHECK(next.pages().size() == 2);
    CHECK(kept.restore("", other, next) == 0);
    CHECK(kept.restore("another key", all, next) == 0);
    next.truncate(0);
    other[0] = -5;
    CHECK(kept.find("", other) == 0);
    // A cache that has computed some of it takes over the rest.
    nn::kv_cache begun = holding(pool, 70);
    CHECK(kept.restore("", all, begun) == 80);
    CHECK(begun.size() == 150);
}

TEST_CASE("prefix_cache: a page that goes on replaces the one that it goes on from", "[runtime]") {
    nn::page_pool pool{shape, 10};
    prefix_cache kept{pool};
    kept.keep("", counted(40), holding(pool, 40));
    kept.keep("", counted(50), holding(pool, 50));
    CHECK(kept.idle_pages() == 1);
    CHECK(kept.find("", counted(100)) == 50);
    kept.keep("", counted(30), holding(pool, 30));
    CHECK(kept.idle_pages() == 1);
    tokens fork = counted(60);
    fork[20] = -1;
    kept.keep("", fork, holding(pool, 60));
    CHECK(kept.idle_pages() == 2);
    CHECK(kept.find("", fork) == 60);
    CHECK(kept.find("", counted(100)) == 50);
}

TEST_CASE("prefix_cache: what was not asked for goes first, and nothing that is in use", "[runtime]") {
    nn::page_pool pool{shape, 10};
    prefix_cache kept{pool};
    kept.keep("a", counted(128), holding(pool, 128));
    kept.keep("b", counted(64, 500), holding(pool, 64));
    nn::kv_cache user{pool, 1000};
    kept.restore("a", counted(64), user);
    CHECK(kept.give_up()); // the second page of a: b was kept later
    CHECK(kept.find("a", counted(128)) == 64);
    CHECK(kept.give_up());
    CHECK(kept.find("b", counted(64, 500)) == 0);
    CHECK_FALSE(kept.give_up()); // the first page of a is in use
    user.truncate(0);
    CHECK(kept.give_up());
    CHECK(pool.free_pages() == 10);
}

TEST_CASE("prefix_cache: agrees with a list of all that was kept", "[runtime]") {
    nn::page_pool pool{shape, 400};
    prefix_cache kept{pool};
    std::mt19937 random{3};
    std::vector<tokens> all;
    for(int i = 0; i < 60; ++i) {
        tokens next;
        if(!all.empty()) { // begins like another
            const tokens& like = all[random() % all.size()];
            next.assign(like.begin(), like.begin() + static_cast<std::ptrdiff_t>(random() % (like.size() + 1)));
        }
        const std::size_t more = 1 + random() % 150;
        for(std::size_t j = 0; j < more; ++j) {
            next.push_back(static_cast<token_id>(random() % 3));
        }
        std::size_t longest = 0;
        for(const tokens& each: all) {
            const auto [a, b] = std::ranges::mismatch(each, next);
            longest = std::max(longest, static_cast<std::size_t>(a - each.begin()));
        }
        CHECK(kept.find("", next) == longest);
        kept.keep("", next, holding(pool, next.size()));
        CHECK(kept.find("", next) == next.size());
        all.push_back(next);
    }
    std::size_t pages = 0;
    kept.for_each(
        [&](const std::string&, std::optional<std::size_t> parent, std::span<const token_id> of, nn::page_pool::page) {
            CHECK((!parent || *parent < pages));
            CHECK(of.size() <= 64);
            ++pages;
        });
    CHECK(pages == kept.idle_pages());
    kept.clear();
    CHECK(pool.free_pages() == 400);
}
