#include <tokenworks/models/encoder.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"
#include "support/opened_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

const std::string group = "encoders";

/// A few hundred float operations away from the weights, as in families.cpp.
constexpr double bound = 1e-5;

using opened = support::opened_model<encoder>;

std::vector<float> logits_of(const encoder& model, std::span<const encoder_input> inputs,
                             const tw::execution& how = {}) {
    std::size_t count = 0;
    for(const encoder_input& each: inputs) {
        count += each.tokens.size();
    }
    tw::nn::context c{how};
    std::vector<float> logits(count * model.vocab_size());
    model.forward_logits(c, inputs, tw::nn::rows{logits.data(), count, model.vocab_size()});
    return logits;
}

} // namespace

TEST_CASE("encoder: the logits of transformers, with weights of every plain type", "[models]") {
    for(const std::string& name: family_golden::names(group)) {
        const family_golden golden{name, group};
        for(const tw::dtype type: {tw::dtype::f32, tw::dtype::f16, tw::dtype::bf16}) {
            INFO(name << " " << tw::info(type).name);
            const opened o{golden, type};
            REQUIRE(o.model->has_head());
            const encoder_input input{golden.ids};
            support::for_each_isa([&](const tw::execution& how) {
                CHECK(golden.worst(logits_of(*o.model, std::span{&input, 1}, how)) < bound);
            });
        }
    }
}

TEST_CASE("encoder: a text has the same bits on every team and in every company", "[models]") {
    for(const std::string& name: family_golden::names(group)) {
        INFO(name);
        const family_golden golden{name, group};
        const opened o{golden, tw::dtype::bf16};
        const encoder_input alone{golden.ids};
        const std::vector<float> expected = logits_of(*o.model, std::span{&alone, 1});
        const std::vector<std::int32_t> other{golden.ids.rbegin(), golden.ids.rbegin() + 9};
        const encoder_input inputs[] = {{other}, {golden.ids}, {std::span{other}.first(1)}};
        for(const unsigned threads: {1U, 2U, 3U}) {
            tw::thread_team team{threads};
            const std::vector<float> together = logits_of(*o.model, inputs, {.threads = &team});
            CHECK(
                support::same_bits(std::span{together}.subspan(9 * o.model->vocab_size(), expected.size()), expected));
        }
    }
}

TEST_CASE("encoder: types are added, masks are dropped, rows are what the head sees", "[models]") {
    const family_golden golden{"bert_types", group};
    const opened o{golden};
    const encoder_input plain{golden.ids};
    std::vector<std::int32_t> types(golden.ids.size(), 0);
    const encoder_input zeros{golden.ids, types};
    const std::vector<float> expected = logits_of(*o.model, std::span{&plain, 1});
    CHECK(support::same_bits(logits_of(*o.model, std::span{&zeros, 1}), expected));
    types.back() = 2;
    CHECK_FALSE(support::same_bits(logits_of(*o.model, std::span{&zeros, 1}), expected));

    tw::nn::context c;
    std::vector<float> hidden(golden.ids.size() * o.model->width());
    std::size_t layers = 0;
    c.on_activation = [&](std::string_view name, std::size_t, tw::nn::const_rows) {
        layers += name == "layer" ? 1U : 0U;
    };
    o.model->forward(c, std::span{&plain, 1}, tw::nn::rows{hidden.data(), golden.ids.size(), o.model->width()});
    CHECK(layers == o.model->config().layers.size());
    CHECK(std::ranges::all_of(hidden, [](float x) { return std::isfinite(x); }));
    CHECK(o.model->weight_bytes() > 4 * 22 * 16);

    const family_golden masked{"esm", group};
    const opened esm{masked};
    REQUIRE(esm.model->config().dropped_mask == 5);
    const std::vector<std::int32_t> all_masked(6, 5);
    const encoder_input only_masks{all_masked};
    CHECK(std::ranges::all_of(logits_of(*esm.model, std::span{&only_masks, 1}),
                              [](float x) { return std::isfinite(x); }));
}

TEST_CASE("encoder: what it refuses", "[models]") {
    const family_golden golden{"bert", group};
    const opened o{golden};
    tw::nn::context c;
    std::vector<float> rows(40 * 22);
    const auto run = [&](const encoder_input& input, std::size_t count, std::size_t width) {
        o.model->forward(c, std::span{&input, 1}, tw::nn::rows{rows.data(), count, width});
    };
    const std::vector<std::int32_t> good{1, 2};
    const std::vector<std::int32_t> bad{1, 22};
    const std::vector<std::int32_t> negative{-1};
    const std::vector<std::int32_t> types{0, 2};
    const std::vector<std::int32_t> long_text(33, 1);
    CHECK_NOTHROW(run({good}, 2, 16));
    CHECK_THROWS_AS(run({}, 0, 16), tw::argument_error);
    CHECK_THROWS_WITH(run({bad}, 2, 16), ContainsSubstring("token id 22 is not in 0..21"));
    CHECK_THROWS_AS(run({negative}, 1, 16), tw::argument_error);
    CHECK_THROWS_WITH(run({good, types}, 2, 16), ContainsSubstring("type 2, the model has 2"));
    CHECK_THROWS_AS(run({good, std::span{types}.first(1)}, 2, 16), tw::argument_error);
    CHECK_THROWS_AS(run({good}, 3, 16), tw::shape_error);
    CHECK_THROWS_AS(run({good}, 2, 15), tw::shape_error);
    CHECK_THROWS_AS(run({long_text}, 33, 16), tw::capacity_error);
    const encoder_input input{good};
    CHECK_THROWS_AS(o.model->forward_logits(c, std::span{&input, 1}, tw::nn::rows{rows.data(), 2, 21}),
                    tw::shape_error);

    model_config causal = o.files->config();
    causal.causal = true;
    CHECK_THROWS_WITH(encoder(causal, o.files->weights()), ContainsSubstring("a decoder is no encoder"));
    model_config headless = o.files->config();
    headless.head_transform.reset();
    const encoder without{headless, o.files->weights()};
    CHECK_FALSE(without.has_head());
    CHECK_THROWS_AS(without.forward_logits(c, std::span{&input, 1}, tw::nn::rows{rows.data(), 2, 22}),
                    tw::unsupported_error);
}
