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
        other.own_last();
        CHECK(other.pages()[0] != list.pages()[0]);
        CHECK(std::memcmp(other.data()[0], list.data()[0], pool.page_bytes()) == 0);
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
