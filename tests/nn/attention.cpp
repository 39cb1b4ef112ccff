#include <tokenworks/nn/attention.hpp>

#include <cstddef>
#include <memory>
#include <vector>

#include "nn/blocks.hpp"
#include "support/catch.hpp"
#include "support/teams.hpp"
#include "support/weights.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::dense;
using blocks::matrix;

namespace {

constexpr std::size_t width = 40;
constexpr std::size_t heads = 6;
constexpr std::size_t groups = 2;
constexpr std::size_t key_width = 10;
constexpr std::size_t value_width = 7;
constexpr std::size_t tokens = 23;

/// The block and its reference, of the same random weights.
struct pair {
    nn::attention block;
    reference::attention_block exact;

    explicit pair(bool biased = false) {
        const dense q{heads * key_width, width, 1, biased};
        const dense k{groups * key_width, width, 2, biased};
        const dense v{groups * value_width, width, 3, biased};
        const dense o{width, heads * value_width, 4, biased};
        block = {.query = q.layer,
                 .key = k.layer,
                 .value = v.layer,
                 .output = o.layer,
                 .heads = heads,
                 .kv_heads = groups,
                 .key_width = key_width,
                 .value_width = value_width};
        exact.heads = heads;
        exact.groups = groups;
        exact.key_width = key_width;
        exact.value_width = value_width;
        exact.scale = 1 / std::sqrt(10.0);
        exact.query = q.weight;
        exact.key = k.weight;
        exact.value = v.weight;
        exact.output = o.weight;
        exact.query_bias = q.bias;
        exact.key_bias = k.bias;
        exact.value_bias = v.bias;
        exact.output_bias = o.bias;
    }

    void turn(std::size_t rope_width, tw::kernels::rope_pairing pairing) {
        const tw::kernels::rope_config config{.width = rope_width, .base = 500, .pairing = pairing};
        block.rope = std::make_shared<const tw::kernels::rope_table>(config);
        exact.rope_width = rope_width;
        exact.rope_base = 500;
        exact.interleaved = pairing == tw::kernels::rope_pairing::interleaved;
    }
};

/// The block's result for one sequence, its tokens cut into steps of `chunk`.
std::vector<float> run(const nn::attention& block, const matrix& x, std::size_t chunk, const tw::execution& how = {},
                       tw::dtype type = tw::dtype::f32) {
    const std::size_t count = x.values.size() / x.width;
    nn::context c{how};
    nn::kv_cache cache{1, block.kv_heads, block.key_width, block.value_width, count, type};
    matrix out{count, x.width};
    for(std::size_t at = 0; at < count; at += chunk) {
        const tw::arena::scope scope{c.scratch};
        const std::size_t n = std::min(chunk, count - at);
        blocks::begin_step(c, cache, n);
        block(c, nn::activations{c, x.rows().slice(at, n)}, out.rows().slice(at, n));
        cache.advance(n);
    }
    return out.values;
}

void check(const pair& p) {
    const matrix x{tokens, width, 5};
    const std::vector<double> expected = p.exact(x.exact()).values;
    support::for_each_isa([&](const tw::execution& how) {
        INFO(tw::name(how.set));
        const std::vector<float> whole = run(p.block, x, tokens, how);
        CHECK(blocks::worst(expected, whole) < blocks::float_bound);
        CHECK(support::same_bits(run(p.block, x, 1, how), whole));
        CHECK(support::same_bits(run(p.block, x, 5, how), whole));
    });
    // An f16 cache keeps 11 bits of every key and value.
    CHECK(blocks::worst(expected, run(p.block, x, 7, {}, tw::dtype::f16)) < 1e-3);
}

} // namespace

TEST_CASE("attention: follows a double loop, with every feature alone and all together", "[nn]") {
    SECTION("plain, and the bytes it counts") {
        const pair p;
        CHECK(p.block.bytes() ==
              p.block.query.bytes() + p.block.key.bytes() + p.block.value.bytes() + p.block.output.bytes());
        check(p);
    }
    SECTION("biases") { check(pair{true}); }
    SECTION("a scale of its own") {
        pair p;
        p.block.scale = 0.6F;
        p.exact.scale = static_cast<double>(p.block.scale);
        check(p);
    }
    SECTION("soft-capped scores") {
        pair p;
        p.block.softcap = 0.3F;
        p.exact.softcap = static_cast<double>(p.block.softcap);
        check(p);
    }
    SECTION("a window, shorter and longer than the prompt") {
        for(const std::size_t window: {std::size_t{1}, std::size_t{6}, tokens, std::size_t{100}}) {
            pair p;
            p.block.window = window;
            p.exact.window = window;
            check(p);
        }
    }
    SECTION("rotated pairs side by side, all of a head or a part") {
        for(const std::size_t part: {std::size_t{10}, std::size_t{4}}) {
            pair p;
            p.turn(part, tw::kernels::rope_pairing::interleaved);
            check(p);
        }
    }
    SECTION("rotated halves") {
        for(const std::size_t part: {std::size_t{10}, std::size_t{6}}) {
            pair p;
            p.turn(part, tw::kernels::rope_pairing::halves);
            check(p);
        }
    }
    SECTION("norms of queries and keys, head by head") {
        pair p;
        p.turn(10, tw::kernels::rope_pairing::halves); // after the norm
        p.exact.query_norm = {false, blocks::norm_weight(key_width, 6), {}, 0.01};
        p.exact.key_norm = {false, blocks::norm_weight(key_width, 7), {}, 0.01};
        p.block.query_norm = nn::rms_norm{p.exact.query_norm.weight, 0.01F};
        p.block.key_norm = nn::rms_norm{p.exact.key_norm.weight, 0.01F};
        check(p);
    }
    SECTION("norms of queries and keys before the split, with means taken off") {
        pair p;
        p.exact.norm_over_all_heads = true;
        const std::vector<float> bias = support::random_floats(heads * key_width, 8);
        p.exact.query_norm = {true, blocks::norm_weight(heads * key_width, 6), bias, 0.01};
        p.exact.key_norm = {true, blocks::norm_weight(groups * key_width, 7), {}, 0.01};
        p.block.norm_before_split = true;
        p.block.query_norm = nn::layer_norm{p.exact.query_norm.weight, bias, 0.01F};
        p.block.key_norm = nn::layer_norm{p.exact.key_norm.weight, {}, 0.01F};
        check(p);
    }
    SECTION("sinks") {
        pair p;
        p.block.sinks = support::random_floats(heads, 9, 2.0F);
        p.exact.sinks = p.block.sinks;
        check(p);
    }
    SECTION("ALiBi") {
        pair p;
        p.block.alibi_slopes = {0.5F, 0.25F, 0.125F, 0.0625F, 0.7F, 0.3F};
        p.exact.slopes = p.block.alibi_slopes;
        check(p);
    }
    SECTION("everything") {
        pair p{true};
        p.turn(8, tw::kernels::rope_pairing::halves);
        p.exact.query_norm = {false, blocks::norm_weight(key_width, 6), {}, 1e-5};
        p.exact.key_norm = {false, blocks::norm_weight(key_width, 7), {}, 1e-5};
        p.block.query_norm = nn::rms_norm{p.exact.query_norm.weight, 1e-5F};
        p.block.key_norm = nn::rms_norm{p.exact.key_norm.weight, 1e-5F};
        p.block.scale = 0.9F;
        p.exact.scale = static_cast<double>(p.block.scale);
        p.block.softcap = 2.0F;
        p.exact.softcap = 2;
        p.block.window = 9;
        p.exact.window = 9;
        p.block.sinks = support::random_floats(heads, 9);
        p.exact.sinks = p.block.sinks;
        p.block.alibi_slopes = {0.5F, 0.25F, 0.125F, 0.0625F, 0.7F, 0.3F};
        p.exact.slopes = p.block.alibi_slopes;
        check(p);
    }
}

TEST_CASE("attention: two sequences in one step see nothing of each other, however many threads", "[nn]") {
    pair p;
    p.turn(10, tw::kernels::rope_pairing::interleaved);
    const matrix first{9, width, 11};
    const matrix second{5, width, 12};
    const std::vector<float> first_alone = run(p.block, first, 4);
    const std::vector<float> second_alone = run(p.block, second, 5);
    tw::thread_team three{3};
    for(tw::team* threads: {static_cast<tw::team*>(nullptr), static_cast<tw::team*>(&three)}) {
        nn::context c{{.threads = threads}};
        nn::kv_cache a{1, groups, key_width, value_width, 9, tw::dtype::f32};
        nn::kv_cache b{1, groups, key_width, value_width, 20, tw::dtype::f32};
        // The first four tokens of one alone, then the rest together with all of the other.
        matrix lead{4, width};
        blocks::begin_step(c, a, 4);
        p.block(c, nn::activations{c, first.rows().slice(0, 4)}, lead.rows());
        a.advance(4);
        matrix joined{10, width};
        std::copy_n(first.values.begin() + 4 * width, 5 * width, joined.values.begin());
        std::copy_n(second.values.begin(), 5 * width, joined.values.begin() + 5 * width);
        matrix out{10, width};
        c.begin_step(10, 2);
        c.add_sequence({&a, 0, 5, 4});
        c.add_sequence({&b, 5, 5, 0});
        p.block(c, nn::activations{c, joined.rows()}, nn::add_to(out.rows())); // onto zeros
        const std::span<const float> result{out.values};
        CHECK(support::same_bits(lead.values, std::span{first_alone}.first(4 * width)));
        CHECK(support::same_bits(result.first(5 * width), std::span{first_alone}.subspan(4 * width)));
        CHECK(support::same_bits(result.subspan(5 * width), second_alone));
    }
}

TEST_CASE("attention: many sequences, each on a thread of its own, give the bits of each alone", "[nn]") {
    const pair p;
    constexpr std::size_t count = 7;
    const matrix x{count, width, 13};
    std::vector<float> alone;
    for(std::size_t i = 0; i < count; ++i) {
        matrix one{1, width};
        std::copy_n(x.values.begin() + static_cast<std::ptrdiff_t>(i * width), width, one.values.begin());
        const std::vector<float> result = run(p.block, one, 1);
        alone.insert(alone.end(), result.begin(), result.end());
    }
    tw::thread_team two{2};
    nn::context c{{.threads = &two}};
    std::vector<nn::kv_cache> caches;
    for(std::size_t i = 0; i < count; ++i) {
        caches.emplace_back(1, groups, key_width, value_width, 1, tw::dtype::f32);
    }
    c.begin_step(count, count);
    for(std::size_t i = 0; i < count; ++i) {
        c.add_sequence({&caches[i], i, 1, 0});
    }
    matrix out{count, width};
    p.block(c, nn::activations{c, x.rows()}, out.rows());
    CHECK(support::same_bits(out.values, alone));
}

TEST_CASE("attention: rows that are nobody's, and caches of another model", "[nn]") {
    const pair p;
    nn::context c;
    const matrix x{3, width, 1};
    matrix out{3, width};
    nn::kv_cache cache{1, groups, key_width, value_width, 10};
    blocks::begin_step(c, cache, 2);
    CHECK_THROWS_WITH(p.block(c, nn::activations{c, x.rows()}, out.rows()),
                      ContainsSubstring("x has T=3, the step's sequences have T=2"));
    for(const bool wide: {false, true}) {
        nn::kv_cache other{1, groups, key_width + (wide ? 1 : 0), value_width + (wide ? 0 : 1), 10};
        blocks::begin_step(c, other, 3);
        CHECK_THROWS_AS(p.block(c, nn::activations{c, x.rows()}, out.rows()), tw::shape_error);
        CHECK(other.size() == 0);
    }
    blocks::begin_step(c, cache, 3);
    c.layer = 1;
    CHECK_THROWS_AS(p.block(c, nn::activations{c, x.rows()}, out.rows()), tw::shape_error);
    c.layer = 0;
    nn::kv_cache small{1, groups, key_width, value_width, 2};
    blocks::begin_step(c, small, 3);
    CHECK_THROWS_AS(p.block(c, nn::activations{c, x.rows()}, out.rows()), tw::capacity_error);
}

TEST_CASE("attention: norms, positions and caches that follow on each head give the bits of one step after another",
          "[nn]") {
    constexpr std::size_t c_width = 64;
    constexpr std::size_t d = 32;
    const auto layer = [](tw::dtype type, std::size_t rows, std::size_t columns, unsigned seed) {
        return nn::linear{tw::kernels::pack(type, support::random_blocks(type, rows * columns, seed), rows, columns)};
    };
    nn::attention block{.query = layer(tw::dtype::q4_0, heads * d, c_width, 1),
                        .key = layer(tw::dtype::q8_0, groups * d, c_width, 2),
                        .value = layer(tw::dtype::q4_1, groups * d, c_width, 3),
                        .output = layer(tw::dtype::q4_0, c_width, heads * d, 4),
                        .heads = heads,
                        .kv_heads = groups,
                        .key_width = d,
                        .value_width = d};
    block.query_norm = nn::rms_norm{blocks::norm_weight(d, 5), 1e-5F};
    block.key_norm = nn::rms_norm{blocks::norm_weight(d, 6), 1e-5F};
    block.rope = std::make_shared<const tw::kernels::rope_table>(tw::kernels::rope_config{.width = d, .base = 500});

    // Each step alone, with the kernels of the layers below.
    const auto plain = [&](const matrix& x, tw::dtype type, const tw::execution& how) {
        const std::size_t count = x.values.size() / c_width;
        nn::context c{how};
        nn::kv_cache cache{1, groups, d, d, count, type};
        blocks::begin_step(c, cache, count);
        const nn::activations input{c, x.rows()};
        matrix q{count, heads * d};
        matrix k{count, groups * d};
        matrix v{count, groups * d};
        block.query(c, input, q.rows());
        block.key(c, input, k.rows());
        block.value(c, input, v.rows());
        const auto turned = [&](matrix& of, std::size_t n, const nn::norm& norm) {
            const nn::rows each{of.values.data(), count * n, d};
            const tw::view<float, tw::dyn, tw::dyn, tw::dyn> split{of.values.data(), count, n, d};
            if(block.turn_before_norm) {
                tw::kernels::rope(split, c.positions(), *block.rope, split, how);
            }
            norm(c, each, each);
            if(!block.turn_before_norm) {
                tw::kernels::rope(split, c.positions(), *block.rope, split, how);
            }
        };
        turned(q, heads, *block.query_norm);
        turned(k, groups, *block.key_norm);
        cache.store(0, k.rows(), v.rows(), how);
        matrix mixed{count, heads * d};
        cache.read(0, count, [&](const auto& keys, const auto& values) {
            tw::kernels::attention(tw::view<const float, tw::dyn, tw::dyn, tw::dyn>{q.values.data(), count, heads, d},
                                   keys, values, {.causal = true},
                                   tw::view<float, tw::dyn, tw::dyn, tw::dyn>{mixed.values.data(), count, heads, d},
                                   how);
        });
        matrix out{count, c_width};
        block.output(c, nn::activations{c, mixed.rows()}, out.rows());
        return out.values;
    };
    const matrix x{75, c_width, 7};
    for(const tw::dtype type: nn::kv_cache::types) {
        support::for_each_team([&](const tw::execution& how) {
            INFO(tw::info(type).name);
            const std::vector<float> expected = plain(x, type, how);
            for(const std::size_t chunk: {1U, 16U, 17U, 75U}) {
                CHECK(support::same_bits(run(block, x, chunk, how, type), expected));
            }
            block.turn_before_norm = true;
            const std::vector<float> other = plain(x, type, how);
            CHECK_FALSE(support::same_bits(other, expected));
            for(const std::size_t chunk: {1U, 75U}) {
                CHECK(support::same_bits(run(block, x, chunk, how, type), other));
            }
            block.turn_before_norm = false;
        });
    }

    // Many sequences in a step: rows of their own caches.
    tw::thread_team two{2};
    nn::context c{{.threads = &two}};
    std::vector<nn::kv_cache> caches;
    for(std::size_t i = 0; i < 15; ++i) {
        caches.emplace_back(1, groups, d, d, 5, tw::dtype::q4_0);
    }
    c.begin_step(75, 15);
    for(std::size_t i = 0; i < 15; ++i) {
        c.add_sequence({&caches[i], 5 * i, 5, 0});
    }
    matrix together{75, c_width};
    block(c, nn::activations{c, x.rows()}, together.rows());
    bool same = true;
    for(std::size_t i = 0; i < 15; ++i) {
        matrix part{5, c_width};
        std::copy_n(x.values.begin() + static_cast<std::ptrdiff_t>(5 * i * c_width), 5 * c_width, part.values.begin());
        same = same && support::same_bits(plain(part, tw::dtype::q4_0, {}),
                                          std::span{together.values}.subspan(5 * i * c_width, 5 * c_width));
    }
    CHECK(same);
}
