#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/quant/encode_legacy.hpp>

#include "reference/attention.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
using kernels::attention_options;
using reference::attention_shape;

namespace {

using rows3 = view<float, dyn, dyn, dyn>;
using const_rows3 = view<const float, dyn, dyn, dyn>;

/// Operands of one call, in plain layout.
struct problem {
    attention_shape shape;
    std::vector<float> q;
    std::vector<float> k;
    std::vector<float> v;

    explicit problem(const attention_shape& of, float deviation = 1.0F)
        : shape{of},
          q{support::random_floats(of.queries * of.heads * of.key_width, 1, deviation)},
          k{support::random_floats(of.keys * of.groups * of.key_width, 2)},
          v{support::random_floats(of.keys * of.groups * of.value_width, 3)} {}

    [[nodiscard]] const_rows3 queries() const {
        return {q.data(), dims<3>{shape.queries, shape.heads, shape.key_width}};
    }
    [[nodiscard]] const_rows3 keys() const { return {k.data(), dims<3>{shape.keys, shape.groups, shape.key_width}}; }
    [[nodiscard]] const_rows3 values() const {
        return {v.data(), dims<3>{shape.keys, shape.groups, shape.value_width}};
    }

    [[nodiscard]] std::vector<float> run(const attention_options& options, const execution& how = {}) const {
        std::vector<float> out(shape.queries * shape.heads * shape.value_width, -7.0F);
        kernels::attention(queries(), keys(), values(), options,
                           rows3{out.data(), dims<3>{shape.queries, shape.heads, shape.value_width}}, how);
        return out;
    }
    [[nodiscard]] std::vector<double> exact(const attention_options& options) const {
        return reference::attention(shape, q, k, v, options);
    }
};

/// The same numbers in another type, as floats again.
template <class T>
std::vector<T> stored(const std::vector<float>& x) {
    std::vector<T> out;
    for(const float value: x) {
        out.push_back(T(value));
    }
    return out;
}

template <class T>
std::vector<float> widened(const std::vector<T>& x) {
    return {x.begin(), x.end()};
}

template <class Block>
std::vector<Block> blocks(const std::vector<float>& x) {
    std::vector<Block> out(x.size() / 32);
    for(std::size_t i = 0; i < out.size(); ++i) {
        quant::encode(x.data() + 32 * i, out[i]);
    }
    return out;
}

template <class Block>
std::vector<float> from_blocks(const std::vector<Block>& x) {
    std::vector<float> out(x.size() * 32);
    for(std::size_t i = 0; i < x.size(); ++i) {
        quant::decode(x[i], out.data() + 32 * i);
    }
    return out;
}

} // namespace

TEST_CASE("attention follows the definition at every length") {
    const std::size_t counts[] = {0, 1, 2, 15, 16, 17, 63, 64, 65, 130, 512, 513, 1100};
    support::for_each_isa([&](execution how) {
        for(const std::size_t keys: counts) {
            for(const std::size_t queries: {0U, 1U, 7U, 33U}) {
                for(const bool causal: {false, true}) {
                    const problem p{{queries, keys, 3, 1, 24, 20}};
                    const attention_options options{.causal = causal};
                    CAPTURE(name(how.set), keys, queries, causal);
                    CHECK(support::nmse(p.exact(options), p.run(options, how)) < 1e-12);
                }
            }
        }
    });
}

TEST_CASE("attention follows the definition at every head width") {
    support::for_each_isa([](execution how) {
        for(const std::size_t key_width: {1U, 15U, 16U, 17U, 63U, 64U, 65U, 128U, 200U}) {
            for(const std::size_t value_width: {0U, 1U, 16U, 33U, 64U, 72U, 256U}) {
                const problem p{{5, 70, 4, 2, key_width, value_width}};
                const attention_options options{.causal = true, .start = 65};
                CAPTURE(name(how.set), key_width, value_width);
                CHECK(support::nmse(p.exact(options), p.run(options, how)) < 1e-12);
            }
        }
    });
}

TEST_CASE("attention options, alone and together") {
    const attention_shape shape{40, 200, 6, 2, 64, 64};
    const auto sinks = support::random_floats(6, 4);
    const std::vector<float> slopes{0.5F, 0.25F, 0.125F, 0.0625F, 0.03F, 0.0F};
    const attention_options cases[] = {
        {.causal = true, .start = 160},
        {.causal = true, .start = 160, .window = 1},
        {.causal = true, .start = 160, .window = 64},
        {.causal = true, .start = 160, .window = 100},
        {.window = 150},
        {.causal = true, .start = 160, .scale = 0.3F},
        {.causal = true, .start = 160, .softcap = 2.0F},
        {.causal = true, .start = 160, .sinks = sinks},
        {.causal = true, .start = 160, .alibi_slopes = slopes},
        {.alibi_slopes = slopes},
        {.causal = true,
         .start = 7,
         .window = 30,
         .scale = 0.2F,
         .softcap = 5.0F,
         .sinks = sinks,
         .alibi_slopes = slopes},
    };
    const problem p{shape};
    support::for_each_isa([&](execution how) {
        for(const attention_options& options: cases) {
            CAPTURE(name(how.set), options.start, options.window, options.softcap);
            CHECK(support::nmse(p.exact(options), p.run(options, how)) < 1e-12);
        }
    });
}

namespace {

/// @param threads  share a long context where a chunk is one token
void check_chunks(std::size_t tokens, const attention_options& base, std::initializer_list<std::size_t> chunks,
                  unsigned threads) {
    thread_team team{threads};
    support::for_each_isa([&](execution how) {
        const problem whole{{tokens, tokens, 6, 2, 72, 40}, 2.0F};
        const auto expected = whole.run(base, how);
        how.threads = &team;
        for(const std::size_t chunk: chunks) {
            std::vector<float> out(expected.size());
            for(std::size_t begin = 0; begin < tokens; begin += chunk) {
                const std::size_t count = std::min(chunk, tokens - begin);
                attention_options options = base;
                options.start = begin;
                const std::size_t seen = begin + count; // the cache holds no more than this
                kernels::attention(whole.queries().slice(begin, count), whole.keys().slice(0, seen),
                                   whole.values().slice(0, seen), options,
                                   rows3{out.data(), dims<3>{tokens, 6, 40}}.slice(begin, count), how);
            }
            CAPTURE(name(how.set), chunk, base.window, threads);
            CHECK(support::same_bits(out, expected));
        }
    });
}

} // namespace

TEST_CASE("attention with a window on both sides, and with a bias that depends on the distance") {
    const std::vector<float> bias = support::random_floats(std::size_t{6} * 41, 9, 3.0F);
    const std::vector<float> narrow = support::random_floats(6, 10, 3.0F);
    support::for_each_isa([&](execution how) {
        for(const std::size_t queries: {1U, 17U, 90U}) {
            const problem p{{queries, 200, 6, 2, 24, 20}};
            CAPTURE(name(how.set), queries);
            const auto check = [&](const attention_options& options) {
                CHECK(support::nmse(p.exact(options), p.run(options, how)) < 1e-12);
            };
            for(const std::size_t ahead: {0U, 1U, 4U, 63U, 500U}) {
                CAPTURE(ahead);
                check({.start = 50, .ahead = ahead});
                check({.start = 50, .window = 5, .ahead = ahead});
                check({.causal = true, .start = 50, .ahead = ahead});
            }
            check({.start = 30, .relative_bias = view<const float, dyn, dyn>{bias.data(), 6, 41}});
            check({.causal = true, .start = 30, .relative_bias = view<const float, dyn, dyn>{bias.data(), 6, 41}});
            check({.start = 30, .softcap = 2, .relative_bias = view<const float, dyn, dyn>{narrow.data(), 6, 1}});
        }
    });
    const problem p{{3, 5, 6, 2, 24, 20}};
    CHECK_THROWS_AS(p.run({.relative_bias = view<const float, dyn, dyn>{bias.data(), 5, 41}}), shape_error);
    CHECK_THROWS_AS(p.run({.relative_bias = view<const float, dyn, dyn>{bias.data(), 6, 40}}), shape_error);
}

TEST_CASE("a prompt cut anywhere gives the same bits as the whole") {
    const std::vector<float> slopes(6, 0.1F);
    for(const attention_options& base:
        {attention_options{.causal = true}, attention_options{.causal = true, .window = 40},
         attention_options{.causal = true, .softcap = 3.0F, .alibi_slopes = slopes}}) {
        check_chunks(150, base, {1, 7, 64, 100}, 1);
    }
}

TEST_CASE("a long context gives the same bits whoever sums its segments, and however the prompt is cut") {
    const std::vector<float> slopes(6, 0.001F);
    const std::vector<float> sinks(6, 0.5F);
    for(const attention_options& base:
        {attention_options{.causal = true, .sinks = sinks}, attention_options{.causal = true, .window = 700},
         attention_options{.causal = true, .softcap = 3.0F, .alibi_slopes = slopes}}) {
        check_chunks(1100, base, {1, 100, 600}, 3);
    }
}

TEST_CASE("more segments than are summed at once, heads of every width") {
    struct shape {
        std::size_t keys;
        std::size_t heads;
        std::size_t width;
    };
    for(const shape of: {shape{6000, 32, 16}, {2000, 12, 256}, {1500, 4, 600}, {1500, 70, 8}, {1500, 3, 0}}) {
        const problem p{{1, of.keys, of.heads, of.heads % 3 == 0 ? 3U : 2U, 16, of.width}};
        thread_team team{3};
        support::for_each_isa([&](execution how) {
            const attention_options options{.causal = true, .start = of.keys - 1};
            const auto alone = p.run(options, how);
            CAPTURE(name(how.set), of.keys, of.heads, of.width);
            CHECK(support::nmse(p.exact(options), alone) < 1e-12);
            how.threads = &team;
            CHECK(support::same_bits(p.run(options, how), alone));
        });
    }
}

TEST_CASE("a NaN in one segment of a long context reaches the result, and masked segments do not") {
    problem p{{1, 1500, 2, 1, 16, 16}};
    p.k[700 * 16] = std::nanf("");
    thread_team team{2};
    support::for_each_isa([&](execution how) {
        how.threads = &team;
        CHECK(std::isnan(p.run({.causal = true, .start = 1499}, how).front()));
        CHECK(std::isfinite(p.run({.causal = true, .start = 1499, .window = 600}, how).front()));
    });
}

TEST_CASE("threads, heads and strides do not change a bit") {
    const problem p{{90, 300, 9, 3, 64, 64}};
    const attention_options options{.causal = true, .start = 210};
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        const auto one = p.run(options, how);
        for(const unsigned threads: {2U, 3U}) {
            thread_team team{threads};
            CHECK(support::same_bits(p.run(options, {how.set, &team}), one));
        }
        // Two heads of the middle group alone, written into the same places.
        auto part = one;
        std::fill(part.begin(), part.end(), 0.0F);
        const rows3 to{part.data(), dims<3>{90, 9, 64}};
        kernels::attention(p.queries().slice<1>(4, 2), p.keys().slice<1>(1, 1), p.values().slice<1>(1, 1), options,
                           to.slice<1>(4, 2), how);
        bool equal = true;
        for(std::size_t t = 0; t < 90; ++t) {
            const std::size_t at = (t * 9 + 4) * 64;
            equal = equal && support::same_bits({part.data() + at, 128}, {one.data() + at, 128});
        }
        CHECK(equal);
        // Head by head in memory, as a cache has it, with room for more tokens and misaligned.
        constexpr std::size_t capacity = 333;
        std::vector<float> k(3 * capacity * 64 + 1, std::nanf(""));
        std::vector<float> v(k);
        for(std::size_t s = 0; s < 300; ++s) {
            for(std::size_t g = 0; g < 3; ++g) {
                for(std::size_t d = 0; d < 64; ++d) {
                    k[1 + (g * capacity + s) * 64 + d] = p.k[(s * 3 + g) * 64 + d];
                    v[1 + (g * capacity + s) * 64 + d] = p.v[(s * 3 + g) * 64 + d];
                }
            }
        }
        using cached = strided_view<const float, dyn, dyn, dyn>;
        const dims<3> shape{300, 3, 64};
        std::vector<float> out(one.size());
        kernels::attention(p.queries(), cached{k.data() + 1, shape, {64, capacity * 64, 1}},
                           cached{v.data() + 1, shape, {64, capacity * 64, 1}}, options,
                           rows3{out.data(), dims<3>{90, 9, 64}}, how);
        CHECK(support::same_bits(out, one));
    });
}

TEST_CASE("grouped heads equal repeated ones") {
    const problem grouped{{20, 50, 6, 2, 32, 32}};
    problem repeated{{20, 50, 6, 6, 32, 32}};
    repeated.q = grouped.q;
    for(std::size_t s = 0; s < 50; ++s) {
        for(std::size_t h = 0; h < 6; ++h) {
            std::copy_n(grouped.k.data() + (s * 2 + h / 3) * 32, 32, repeated.k.data() + (s * 6 + h) * 32);
            std::copy_n(grouped.v.data() + (s * 2 + h / 3) * 32, 32, repeated.v.data() + (s * 6 + h) * 32);
        }
    }
    const attention_options options{.causal = true, .start = 30};
    CHECK(support::same_bits(grouped.run(options), repeated.run(options)));
}

TEST_CASE("keys and values of every storage type") {
    problem p{{18, 77, 4, 2, 64, 96}};
    const attention_options options{.causal = true, .start = 59};
    const auto check = [&](const auto& k, const auto& v, const auto& wide_k, const auto& wide_v, std::size_t each) {
        using element = typename std::remove_cvref_t<decltype(k)>::value_type;
        using elements = view<const element, dyn, dyn, dyn>;
        problem wide = p;
        wide.k = wide_k;
        wide.v = wide_v;
        support::for_each_isa([&](execution how) {
            CAPTURE(name(how.set), sizeof(element));
            std::vector<float> out(18 * 4 * 96);
            kernels::attention(p.queries(), elements{k.data(), dims<3>{77, 2, 64 / each}},
                               elements{v.data(), dims<3>{77, 2, 96 / each}}, options,
                               rows3{out.data(), dims<3>{18, 4, 96}}, how);
            CHECK(support::same_bits(out, wide.run(options, how))); // the conversion is exact
            CHECK(support::nmse(wide.exact(options), out) < 1e-12);
        });
    };
    check(stored<f16>(p.k), stored<f16>(p.v), widened(stored<f16>(p.k)), widened(stored<f16>(p.v)), 1);
    check(stored<bf16>(p.k), stored<bf16>(p.v), widened(stored<bf16>(p.k)), widened(stored<bf16>(p.v)), 1);
    const auto check_blocks = [&](const auto& k, const auto& v) { check(k, v, from_blocks(k), from_blocks(v), 32); };
    check_blocks(blocks<quant::q8_0>(p.k), blocks<quant::q8_0>(p.v));
    check_blocks(blocks<quant::q4_0>(p.k), blocks<quant::q4_0>(p.v));

    const auto k = stored<f16>(p.k);
    const auto v = blocks<quant::q8_0>(p.v);
    std::vector<float> out(18 * 4 * 96);
    kernels::attention(p.queries(), view<const f16, dyn, dyn, dyn>{k.data(), 77, 2, 64},
                       view<const quant::q8_0, dyn, dyn, dyn>{v.data(), 77, 2, 3}, options,
                       rows3{out.data(), dims<3>{18, 4, 96}});
    p.k = widened(k);
    p.v = from_blocks(v);
    CHECK(support::same_bits(out, p.run(options)));
}

TEST_CASE("the result is a mean of the values") {
    problem p{{9, 40, 2, 1, 16, 16}};
    std::fill(p.v.begin(), p.v.end(), 2.5F);
    for(const float value: p.run({.causal = true, .start = 31})) {
        CHECK(value == Approx(2.5F).epsilon(1e-6));
    }
}

TEST_CASE("extreme scores") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        problem p{{2, 100, 1, 1, 1, 1}};
        for(std::size_t s = 0; s < 100; ++s) {
            p.k[s] = s % 2 == 0 ? 1e4F : -1e4F;
            p.v[s] = s % 2 == 0 ? 3.0F : 9.0F;
        }
        p.q = {1.0F, -1.0F};
        const auto far = p.run({}, how);
        CHECK(far[0] == Approx(3.0F));
        CHECK(far[1] == Approx(9.0F));

        p.q = {1.0F, 1.0F};
        for(std::size_t s = 0; s < 100; ++s) { // only the last key has a score
            p.k[s] = s == 99 ? -1e4F : -infinity;
            p.v[s] = s == 99 ? 4.0F : 1.0F;
        }
        CHECK(p.run({}, how) == std::vector<float>{4.0F, 4.0F});
        p.k[99] = -infinity; // now none has
        CHECK(p.run({}, how) == std::vector<float>{0.0F, 0.0F});
        p.k[50] = infinity;
        CHECK(std::isnan(p.run({}, how)[0]));
    });
}

TEST_CASE("what a query does not see cannot reach it, not even as NaN") {
    problem p{{30, 100, 3, 1, 16, 16}};
    const attention_options options{.causal = true, .start = 40, .window = 20};
    support::for_each_isa([&](execution how) {
        CAPTURE(name(how.set));
        const auto clean = p.run(options, how);
        problem spoilt = p;
        for(std::size_t s = 0; s < 100; ++s) {
            if(s <= 20 || s >= 70) { // the first query sees 21 … 40, the last 50 … 69
                std::fill_n(spoilt.k.begin() + static_cast<std::ptrdiff_t>(16 * s), 16, std::nanf(""));
                std::fill_n(spoilt.v.begin() + static_cast<std::ptrdiff_t>(16 * s), 16, std::nanf(""));
            }
        }
        CHECK(support::same_bits(spoilt.run(options, how), clean));
        // A key that only later queries see leaves the earlier ones alone.
        problem late = p;
        std::fill_n(late.v.begin() + static_cast<std::ptrdiff_t>(16 * 60), 16, std::nanf(""));
        const auto out = late.run(options, how);
        const std::size_t first_that_sees_it = 20 * 3 * 16;
        CHECK(support::same_bits({out.data(), first_that_sees_it}, {clean.data(), first_that_sees_it}));
        CHECK(std::isnan(out[first_that_sees_it]));
    });
}

TEST_CASE("queries that see nothing give zeros, with a sink as well") {
    const problem p{{4, 10, 2, 1, 8, 8}};
    const std::vector<float> sinks{0.0F, 1.0F};
    for(const attention_options& options:
        {attention_options{.start = 100, .window = 5}, attention_options{.start = 100, .window = 5, .sinks = sinks}}) {
        CHECK(p.run(options) == std::vector<float>(4 * 2 * 8, 0.0F));
    }
}

TEST_CASE("static extents, and the call of the documentation") {
    const problem p{{12, 12, 8, 4, 64, 64}};
    std::vector<float> out(12 * 8 * 64);
    const view<const float, dyn, 8, 64> q{p.q.data(), 12};
    const view<const float, dyn, 4, 64> k{p.k.data(), 12};
    const view<const float, dyn, 4, 64> v{p.v.data(), 12};
    kernels::attention(q, k, v, {.causal = true, .window = 256}, view<float, dyn, 8, 64>{out.data(), 12});
    CHECK(support::same_bits(out, p.run({.causal = true, .window = 256})));
}

TEST_CASE("attention allocates nothing") {
    const problem p{{20, 200, 4, 2, 64, 64}};
    std::vector<float> out(20 * 4 * 64);
    thread_team team{2};
    const rows3 to{out.data(), dims<3>{20, 4, 64}};
    const attention_options options{.causal = true, .start = 180};
    const std::size_t count = support::allocations_during([&] {
        kernels::attention(p.queries(), p.keys(), p.values(), options, to, {best_isa(), &team});
    });
    CHECK(count == 0);
}

TEST_CASE("attention names extents that disagree") {
    std::vector<float> memory(4096);
    const auto of = [&](std::size_t a, std::size_t b, std::size_t c) { return rows3{memory.data(), dims<3>{a, b, c}}; };
    const auto call = [](const rows3& q, const rows3& k, const rows3& v, const rows3& out,
                         attention_options options = {}) { kernels::attention(q, k, v, options, out); };
    const auto q = of(2, 4, 8);
    CHECK_THROWS_WITH(call(q, of(7, 2, 8), of(8, 2, 8), q), ContainsSubstring("attention: k has S=7, v has S=8"));
    CHECK_THROWS_WITH(call(q, of(7, 2, 9), of(7, 2, 8), q), ContainsSubstring("q has D=8, k has D=9"));
    CHECK_THROWS_WITH(call(q, of(7, 2, 8), of(7, 1, 8), q), ContainsSubstring("k has G=2, v has G=1"));
    CHECK_THROWS_WITH(call(q, of(7, 3, 8), of(7, 3, 8), q),
                      ContainsSubstring("q has H=4, which is no multiple of k's G=3"));
    CHECK_THROWS_WITH(call(q, of(7, 0, 8), of(7, 0, 8), q), ContainsSubstring("G=0"));
    CHECK_THROWS_WITH(call(q, of(7, 2, 8), of(7, 2, 5), q), ContainsSubstring("v has D=5, out has D=8"));
    CHECK_THROWS_WITH(call(q, of(7, 2, 8), of(7, 2, 8), of(3, 4, 8)), ContainsSubstring("q has T=2, out has T=3"));
    CHECK_THROWS_WITH(call(q, of(7, 2, 8), of(7, 2, 8), of(2, 5, 8)), ContainsSubstring("q has H=4, out has H=5"));
    const std::vector<float> three(3);
    CHECK_THROWS_WITH(call(q, of(7, 2, 8), of(7, 2, 8), q, {.sinks = three}), ContainsSubstring("sinks have H=3"));
    CHECK_THROWS_WITH(call(q, of(7, 2, 8), of(7, 2, 8), q, {.alibi_slopes = three}),
                      ContainsSubstring("alibi_slopes have H=3"));
    CHECK_THROWS_AS(call(q, of(7, 2, 8), of(7, 2, 8), q, {.softcap = -1.0F}), argument_error);
    CHECK_THROWS_WITH(kernels::attention(q.permute<0, 2, 1>(), of(7, 2, 4), of(7, 2, 4), {}, of(2, 8, 4)),
                      ContainsSubstring("the last axis of q has stride 8"));
}
