#include <tokenworks/nn/page_pool.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/nn/kv_cache.hpp>

#include "nn/blocks.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::matrix;

namespace {

constexpr nn::page_pool::shape shape{.layers = 2, .kv_heads = 3, .key_width = 32, .value_width = 64};

/// Stores the same tokens in both, in steps of so many, in both layers.
void fill(nn::kv_cache& a, nn::kv_cache& b, std::size_t tokens, std::size_t step, unsigned seed) {
    for(std::size_t done = 0; done < tokens; done += step) {
        const std::size_t count = std::min(step, tokens - done);
        for(std::size_t layer = 0; layer < 2; ++layer) {
            const matrix k(count, 3 * 32, seed + static_cast<unsigned>(2 * done + layer));
            const matrix v{count, 3 * 64, seed + 1000 + static_cast<unsigned>(2 * done + layer)};
            for(nn::kv_cache* each: {&a, &b}) {
                if(layer == 0) {
                    each->make_room(count);
                }
                each->store(layer, k.rows(), v.rows(), {});
            }
        }
        a.advance(count);
        b.advance(count);
    }
}

/// Attention of one query over all that a cache holds in a layer.
std::vector<float> answer(const nn::kv_cache& cache, std::size_t layer) {
    const matrix q{1, 6 * 32, 77};
    std::vector<float> out(6 * 64);
    const tw::view<const float, tw::dyn, tw::dyn, tw::dyn> from{q.values.data(), 1, 6, 32};
    const tw::view<float, tw::dyn, tw::dyn, tw::dyn> to{out.data(), 1, 6, 64};
    cache.visit(layer, cache.size(), [&](const auto& k, const auto& v) {
        tw::kernels::attention(from, k, v, {.causal = true, .start = cache.size() - 1}, to);
    });
    return out;
}

} // namespace

TEST_CASE("page_pool: pages are taken, shared and given back", "[nn]") {
    nn::page_pool pool{shape, 3};
    CHECK(pool.page_bytes() == 2 * 64 * 3 * (32 + 64) * 2);
    {
        nn::page_list list{pool, 3};
        list.grow();
        list.grow();
        CHECK(pool.free_pages() == 1);
        nn::page_list other{pool, 3};
        other.share(list.pages()[0]);
        CHECK(pool.users(list.pages()[0]) == 2);
        CHECK(other.shares_last());
        std::memset(pool.data(list.pages()[0]), 42, pool.page_bytes());
        other.own_last(64);
        CHECK(other.pages()[0] != list.pages()[0]);
        CHECK(std::memcmp(other.keys()[0], list.keys()[0], pool.page_bytes()) == 0);
        CHECK_FALSE(other.shares_last());
        CHECK(pool.free_pages() == 0);
        CHECK_THROWS_WITH(list.grow(), Catch::Matchers::Contains("all 3 pages"));
        nn::page_list moved = std::move(list);
        CHECK(moved.size() == 2);
        moved.shrink(1);
        CHECK(pool.free_pages() == 1);
    }
    CHECK(pool.free_pages() == 3);
    CHECK_THROWS_AS((nn::page_pool{shape, std::numeric_limits<std::size_t>::max() / 2}), tw::argument_error);
}

TEST_CASE("kv_cache in pages: holds what a cache in one piece holds", "[nn]") {
    for(const tw::dtype type: nn::kv_cache::types) {
        nn::page_pool::shape of = shape;
        of.type = type;
        nn::page_pool pool{of, 8};
        nn::kv_cache paged{pool, 300};
        nn::kv_cache whole{2, 3, 32, 64, 300, type};
        for(const std::size_t step: {1U, 30U, 129U}) {
            paged.truncate(0);
            whole.truncate(0);
            fill(paged, whole, 260, step, 1);
            CHECK(paged.pages().size() == 5);
            for(const std::size_t size: {260U, 65U, 64U, 1U}) {
                paged.truncate(size);
                whole.truncate(size);
                CHECK(pool.free_pages() == 8 - (size + 63) / 64);
                CHECK(answer(paged, 0) == answer(whole, 0));
                CHECK(answer(paged, 1) == answer(whole, 1));
            }
        }
    }
}

TEST_CASE("kv_cache in pages: sequences share what is alike, and part where they write", "[nn]") {
    nn::page_pool pool{shape, 8};
    nn::kv_cache first{pool, 300};
    nn::kv_cache whole{2, 3, 32, 64, 300};
    fill(first, whole, 100, 100, 1);
    const std::vector<float> before = answer(first, 1);
    nn::kv_cache second{pool, 300};
    second.adopt(first.pages().pages()[0], 64);
    second.adopt(first.pages().pages()[1], 20);
    CHECK(pool.free_pages() == 6);
    CHECK_THROWS_AS(second.adopt(first.pages().pages()[1], 10), tw::argument_error);
    whole.truncate(84);
    CHECK(second.pages_needed(1) == 1); // a copy
    CHECK(second.pages_needed(50) == 2);
    fill(second, whole, 50, 7, 9);
    CHECK(answer(second, 1) == answer(whole, 1));
    CHECK(answer(first, 1) == before);
    CHECK(pool.users(first.pages().pages()[0]) == 2);
    CHECK(pool.users(first.pages().pages()[1]) == 1);
}

TEST_CASE("kv_cache in pages: room must be made, and may not be there", "[nn]") {
    nn::page_pool pool{shape, 2};
    nn::kv_cache cache{pool, 200};
    CHECK_THROWS_WITH(cache.require_room(1), Catch::Matchers::Contains("make_room"));
    CHECK_THROWS_WITH(cache.make_room(129), Catch::Matchers::Contains("take 3 pages, 2 are free"));
    CHECK(pool.free_pages() == 2);
    CHECK_THROWS_WITH(cache.make_room(201), Catch::Matchers::Contains("context of 200"));
    CHECK(support::allocations_during([&] { cache.make_room(128); }) == 0);
    CHECK(cache.bytes() == 2 * pool.page_bytes());
    nn::kv_cache whole{2, 3, 32, 64, 200};
    CHECK_THROWS_AS(whole.copy_from(cache, 0, {}), tw::shape_error);
    CHECK_THROWS_AS(whole.adopt(0, 1), tw::argument_error);
    CHECK_THROWS_AS(cache.read(0, 1, [](const auto&, const auto&) {}), tw::argument_error);
}

TEST_CASE("page_pool: halves of pages", "[nn]") {
    nn::page_pool pool{shape, 3, true};
    CHECK(pool.splits());
    const auto first = pool.take_half();
    CHECK(pool.is_half(first));
    CHECK(pool.room(first) == 32);
    CHECK(pool.free_pages() == 2);
    CHECK(pool.free_halves() == 1);
    CHECK(pool.used_tokens() == 32);
    CHECK(pool.can_widen(first));
    const auto second = pool.take_half();
    CHECK(pool.data(second) == pool.data(first));
    CHECK(pool.first_place(first) == 0);
    CHECK(pool.first_place(second) == 32);
    CHECK(pool.keys(second) == pool.data(first) + 32 * 2);
    CHECK(pool.values(second) == pool.data(first) + 32 * 64 * 2);
    CHECK_FALSE(pool.can_widen(first));
    CHECK_FALSE(pool.can_widen(second));
    CHECK(pool.free_halves() == 0);
    pool.release(second);
    pool.share(first);
    CHECK_FALSE(pool.can_widen(first));
    pool.release(first);
    const auto whole = pool.widen(first);
    CHECK(pool.data(whole) == pool.data(first));
    CHECK_FALSE(pool.is_half(whole));
    CHECK(pool.used_tokens() == 64);
    CHECK(pool.free_halves() == 0);
    pool.release(whole);
    CHECK(pool.free_pages() == 3);
    const auto a = pool.take_half();
    const auto b = pool.take_half();
    pool.release(a);
    CHECK_FALSE(pool.can_widen(b)); // its tokens are not where the page's begin
    pool.release(b);
    CHECK(pool.free_pages() == 3);
    CHECK(pool.free_halves() == 0);
    nn::page_pool::shape blocks = shape;
    blocks.type = tw::dtype::q8_0;
    CHECK_FALSE(nn::page_pool(blocks, 3, true).splits());
}

TEST_CASE("kv_cache in pages: with halves it holds what a cache in one piece holds", "[nn]") {
    for(const tw::dtype type: nn::kv_cache::types) {
        nn::page_pool::shape of = shape;
        of.type = type;
        nn::page_pool pool{of, 24, true};
        for(const std::size_t step: {1U, 5U, 32U, 33U, 64U, 100U}) {
            struct pair {
                nn::kv_cache paged;
                nn::kv_cache whole;
                std::size_t done = 0;
            };
            std::vector<pair> all; // their ends are neighbours
            for(std::size_t i = 0; i < 4; ++i) {
                all.push_back({nn::kv_cache{pool, 300}, nn::kv_cache{2, 3, 32, 64, 300, type}});
            }
            for(std::size_t round = 0; round < 200 / step + 1; ++round) {
                for(std::size_t i = 0; i < all.size(); ++i) {
                    pair& each = all[i];
                    const std::size_t count = std::min(step + (step > 1 ? i : 0), 300 - each.done);
                    const std::size_t needed = each.paged.pages_needed(count);
                    const std::size_t before = pool.free_pages();
                    fill(each.paged, each.whole, count, count, static_cast<unsigned>(17 * i + 1000 * round));
                    CHECK(before - std::min(before, pool.free_pages()) <= needed);
                    each.done += count;
                    if(round % 7 == 3) {
                        each.done -= each.done / 3;
                        each.paged.truncate(each.done);
                        each.whole.truncate(each.done);
                    }
                }
                for(const pair& each: all) {
                    REQUIRE(answer(each.paged, 0) == answer(each.whole, 0));
                    REQUIRE(answer(each.paged, 1) == answer(each.whole, 1));
                }
            }
            all.clear();
            CHECK(pool.free_pages() == 24);
            CHECK(pool.free_halves() == 0);
        }
    }
}

TEST_CASE("kv_cache in pages: who took a page writes on in it, others get a copy", "[nn]") {
    for(const bool halves: {false, true}) {
        for(const std::size_t tail: {20U, 40U}) {
            nn::page_pool pool{shape, 8, halves};
            nn::kv_cache first{pool, 300};
            nn::kv_cache whole{2, 3, 32, 64, 300};
            fill(first, whole, 64 + tail, 30, 1);
            const auto last = first.pages().pages()[1];
            nn::page_list kept{pool, 2}; // as a tree of prefixes keeps it
            kept.share(last);
            nn::kv_cache other{pool, 300};
            other.adopt(first.pages().pages()[0], 64);
            other.adopt(last, tail);
            nn::kv_cache other_whole{2, 3, 32, 64, 300};
            other_whole.copy_from(whole, 0, {});
            CHECK(first.pages_needed(5) == 0);
            fill(first, whole, 5, 1, 50);
            CHECK(first.pages().pages()[1] == last);
            fill(other, other_whole, 7, 2, 90);
            CHECK(other.pages().pages()[1] != last);
            fill(first, whole, 80, 9, 70); // beyond the page, which the list still has
            CHECK(answer(first, 1) == answer(whole, 1));
            CHECK(answer(other, 1) == answer(other_whole, 1));
            nn::kv_cache later{pool, 300};
            later.adopt(first.pages().pages()[0], 64);
            later.adopt(last, tail);
            other_whole.truncate(64 + tail);
            CHECK(answer(later, 0) == answer(other_whole, 0));
            first.truncate(64 + tail); // what it writes now is not what others know
            later.truncate(0);
            fill(first, whole, 0, 1, 1);
            CHECK((pool.users(first.pages().pages()[1]) == 1 || first.pages_needed(1) == 1));
        }
    }
}

TEST_CASE("kv_cache in pages: short sequences take a tenth more than their tokens at most", "[nn]") {
    nn::page_pool pool{shape, 300, true};
    std::vector<nn::kv_cache> all;
    std::size_t tokens = 0;
    const auto grow = [&](nn::kv_cache& each, std::size_t count) {
        for(std::size_t i = 0; i < count; ++i) { // as answers grow
            each.make_room(1);
            each.advance(1);
        }
        tokens += count;
    };
    for(std::size_t i = 0; i < 32; ++i) {
        all.emplace_back(pool, 512);
        grow(all.back(), 100 + i * 37 % 301);
    }
    CHECK(static_cast<double>(pool.used_tokens()) <= 1.1 * static_cast<double>(tokens));
    // Nor do pages whose other halves nobody uses take much.
    CHECK(static_cast<double>((300 - pool.free_pages()) * 64) <= 1.1 * static_cast<double>(tokens));
    for(std::size_t round = 0; round < 400; ++round) { // some go, others come
        const std::size_t i = round * 13 % 32;
        tokens -= all[i].size();
        all[i].truncate(0);
        grow(all[i], 100 + round * 71 % 301);
    }
    CHECK(static_cast<double>((300 - pool.free_pages()) * 64) <= 1.1 * static_cast<double>(tokens));
    all.clear();
    CHECK(pool.free_pages() == 300);
}
