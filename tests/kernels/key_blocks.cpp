#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/kernels/key_blocks.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
using kernels::key_blocks;

namespace {

constexpr std::size_t groups = 2;

/// A cache that holds NaN wherever nothing was stored.
template <class T>
struct cache {
    std::size_t width;
    std::vector<typename key_blocks<T>::plain_storage> memory;
    key_blocks<T> keys;

    cache(std::size_t capacity, std::size_t key_width)
        : width{key_width}, memory(key_blocks<T>::storage_size(groups, capacity, key_width)) {
        if constexpr(key_blocks<T>::values_each != 1) {
            for(auto& block: memory) {
                std::fill_n(static_cast<f16*>(block.scales), 64, f16{std::numeric_limits<float>::quiet_NaN()});
            }
        } else {
            std::fill(memory.begin(), memory.end(), T(std::numeric_limits<float>::quiet_NaN()));
        }
        keys = key_blocks<T>{memory.data(), groups, capacity, key_width};
    }
};

/// What plain storage of the same type holds.
template <class T>
std::vector<T> plain(const std::vector<float>& x) {
    if constexpr(key_blocks<T>::values_each != 1) {
        std::vector<T> out(x.size() / 32);
        for(std::size_t i = 0; i < out.size(); ++i) {
            quant::encode(x.data() + 32 * i, out[i]);
        }
        return out;
    } else {
        std::vector<T> out;
        for(const float value: x) {
            out.push_back(T(value));
        }
        return out;
    }
}

/// Attention over key_blocks equals attention over a plain view of the same type, bit for bit, however keys came in.
template <class T>
void check_storage(std::size_t width) {
    constexpr std::size_t tokens = 150;
    constexpr std::size_t heads = 6;
    constexpr std::size_t each = key_blocks<T>::values_each;
    const auto k = support::random_floats(tokens * groups * width, 1);
    const auto v = support::random_floats(tokens * groups * 48, 2);
    const auto q = support::random_floats(tokens * heads * width, 3);
    const view<const float, dyn, dyn, dyn> all_keys{k.data(), tokens, groups, width};
    const view<const float, dyn, dyn, dyn> values{v.data(), tokens, groups, 48};
    const view<const float, dyn, dyn, dyn> queries{q.data(), tokens, heads, width};
    const auto narrow = plain<T>(k);
    const view<const T, dyn, dyn, dyn> expected_keys{narrow.data(), tokens, groups, width / each};
    support::for_each_isa([&](execution how) {
        std::vector<float> expected(tokens * heads * 48);
        const kernels::attention_options options{.causal = true, .window = 90};
        kernels::attention(queries, expected_keys, values, options,
                           view<float, dyn, dyn, dyn>{expected.data(), tokens, heads, 48}, how);
        for(const std::size_t chunk: {1U, 5U, 16U, 40U, 150U}) {
            CAPTURE(name(how.set), width, chunk, sizeof(T));
            cache<T> stored{160, width};
            std::vector<float> out(expected.size());
            const view<float, dyn, dyn, dyn> to{out.data(), tokens, heads, 48};
            for(std::size_t begin = 0; begin < tokens; begin += chunk) {
                const std::size_t count = std::min(chunk, tokens - begin);
                kernels::store_keys(all_keys.slice(begin, count), begin, stored.keys, how);
                kernels::attention_options now = options;
                now.start = begin;
                kernels::attention(queries.slice(begin, count), key_blocks<const T>{stored.keys},
                                   values.slice(0, begin + count), now, to.slice(begin, count), how);
            }
            CHECK(support::same_bits(out, expected));
        }
    });
}

} // namespace

TEST_CASE("attention over key_blocks has the bits of attention over plain keys") {
    for(const std::size_t width: {16U, 24U, 64U, 96U}) {
        check_storage<float>(width);
        check_storage<f16>(width);
        check_storage<bf16>(width);
    }
    check_storage<quant::q8_0>(32);
    check_storage<quant::q8_0>(96);
    check_storage<quant::q4_0>(32);
    check_storage<quant::q4_0>(96);
}

TEST_CASE("keys of one type and values of another") {
    const auto k = support::random_floats(70 * groups * 32, 1);
    const auto v = plain<f16>(support::random_floats(70 * groups * 32, 2));
    const auto q = support::random_floats(4 * 32, 3);
    cache<f16> stored{70, 32};
    kernels::store_keys(view<const float, dyn, dyn, dyn>{k.data(), 70, groups, 32}, 0, stored.keys);
    const auto narrow = plain<f16>(k);
    const view<const f16, dyn, dyn, dyn> values{v.data(), 70, groups, 32};
    const view<const float, dyn, dyn, dyn> queries{q.data(), 1, 4, 32};
    std::vector<float> out(4 * 32);
    std::vector<float> expected(4 * 32);
    kernels::attention(queries, stored.keys, values, {}, view<float, dyn, dyn, dyn>{out.data(), 1, 4, 32});
    kernels::attention(queries, view<const f16, dyn, dyn, dyn>{narrow.data(), 70, groups, 32}, values, {},
                       view<float, dyn, dyn, dyn>{expected.data(), 1, 4, 32});
    CHECK(support::same_bits(out, expected));
}

TEST_CASE("store_keys on threads writes the same, nothing else, and allocates nothing") {
    constexpr std::size_t count = 100;
    const auto k = support::random_floats(count * groups * 64, 4);
    const view<const float, dyn, dyn, dyn> keys{k.data(), count, groups, 64};
    cache<f16> one{128, 64};
    cache<f16> three{128, 64};
    kernels::store_keys(keys, 11, one.keys);
    thread_team team{3};
    const execution how{best_isa(), &team};
    CHECK(support::allocations_during([&] { kernels::store_keys(keys, 11, three.keys, how); }) == 0);
    bool equal = true;
    std::size_t untouched = 0;
    for(std::size_t i = 0; i < one.memory.size(); ++i) {
        equal = equal && one.memory[i].bits == three.memory[i].bits;
        untouched += std::isnan(static_cast<float>(one.memory[i])) ? 1U : 0U;
    }
    CHECK(equal);
    CHECK(untouched == (std::size_t{128} - count) * groups * 64);
}

TEST_CASE("key_blocks round capacity up, and refuse what does not fit") {
    CHECK(key_blocks<f16>::storage_size(2, 17, 10) == 1280U);
    CHECK(key_blocks<quant::q8_0>::storage_size(2, 64, 64) == 4U);
    CHECK_THROWS_AS(key_blocks<quant::q8_0>::storage_size(2, 16, 40), shape_error);
    CHECK_THROWS_AS(key_blocks<f16>::storage_size(std::size_t{1} << 40, std::size_t{1} << 40, 64), shape_error);
    CHECK_THROWS_AS(key_blocks<f16>::storage_size(1, std::numeric_limits<std::size_t>::max(), 64), shape_error);

    cache<float> small{20, 8};
    CHECK(small.keys.capacity() == 64);
    std::vector<float> memory(128 * 3 * 8);
    const auto of = [&](std::size_t t, std::size_t g, std::size_t d) {
        return view<float, dyn, dyn, dyn>{memory.data(), t, g, d};
    };
    CHECK_THROWS_WITH(kernels::store_keys(of(65, 2, 8), 0, small.keys),
                      ContainsSubstring("store_keys: keys up to=65, the cache has room for=64"));
    CHECK_THROWS_AS(kernels::store_keys(of(1, 2, 8), 64, small.keys), shape_error);
    CHECK_THROWS_AS(kernels::store_keys(of(1, 2, 8), std::numeric_limits<std::size_t>::max(), small.keys), shape_error);
    CHECK_THROWS_WITH(kernels::store_keys(of(1, 3, 8), 0, small.keys),
                      ContainsSubstring("keys have G=3, the cache has G=2"));
    CHECK_THROWS_WITH(kernels::store_keys(of(1, 2, 7), 0, small.keys),
                      ContainsSubstring("keys have D=7, the cache has D=8"));
    CHECK_THROWS_WITH(kernels::attention(of(1, 4, 8), small.keys, of(65, 2, 8), {}, of(1, 4, 8)),
                      ContainsSubstring("v has S=65, k has room for S=64"));
    CHECK_THROWS_WITH(kernels::attention(of(1, 4, 9), small.keys, of(3, 2, 8), {}, of(1, 4, 8)),
                      ContainsSubstring("q has D=9, k has D=8"));
}
