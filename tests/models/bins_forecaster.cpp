#include <tokenworks/models/bins_forecaster.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <tokenworks/models/model_folder.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/opened_model.hpp"
#include "support/series_golden.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;
using opened = support::opened_model<bins_forecaster>;

TEST_CASE("bins_forecaster: the logits behind a series, as transformers computes them", "[models]") {
    const family_golden golden{"bins", support::forecasters};
    const std::vector<std::vector<float>> series = support::series_of(golden);
    const opened o{golden};
    CHECK(o.model->config().architecture == "chronos");
    CHECK(o.model->series().samples == 20);
    const std::size_t count = golden.decoder_ids.size();
    for(std::size_t i = 0; i < series.size(); ++i) {
        INFO("series " << i);
        tw::nn::context c;
        const tw::nn::kv_cache memory = o.model->read(c, series[i]);
        bins_forecaster::state state = o.model->make_state(c, memory, count);
        std::vector<float> logits(count * o.model->vocab_size());
        for(std::size_t t = 0; t < count; ++t) {
            o.model->forward(state, std::span{golden.decoder_ids}.subspan(t, 1),
                             std::span{logits}.subspan(t * o.model->vocab_size(), o.model->vocab_size()));
        }
        CHECK(state.size() == count);
        CHECK(family_golden::worst(logits, std::span{golden.logits}.subspan(i * logits.size(), logits.size())) < 1e-5);
    }
}

TEST_CASE("bins_forecaster: continuations in one step, to the bits of each alone", "[models]") {
    const family_golden golden{"bins", support::forecasters};
    const std::vector<std::vector<float>> series = support::series_of(golden);
    const opened o{golden};
    const std::size_t v = o.model->vocab_size();
    tw::nn::context c;
    const tw::nn::kv_cache first = o.model->read(c, series[0]);
    const tw::nn::kv_cache second = o.model->read(c, series[1]);
    const auto states = [&] {
        std::vector<bins_forecaster::state> all;
        for(const tw::nn::kv_cache* memory: {&first, &second, &first}) {
            all.push_back(o.model->make_state(c, *memory, 4));
        }
        return all;
    };
    std::vector<bins_forecaster::state> together = states();
    std::vector<bins_forecaster::state> alone = states();
    const std::vector<bins_forecaster::state*> each{&together[0], &together[1], &together[2]};
    for(const std::vector<std::int32_t>& tokens: {std::vector<std::int32_t>{0, 0, 0}, {5, 9, 12}, {8, 8, 3}}) {
        std::vector<float> logits(3 * v);
        o.model->step(each, tokens, logits);
        std::vector<float> expected(3 * v);
        for(std::size_t i = 0; i < 3; ++i) {
            o.model->forward(alone[i], std::span{tokens}.subspan(i, 1), std::span{expected}.subspan(i * v, v));
        }
        CHECK(support::same_bits(logits, expected));
    }
    CHECK(together[2].size() == 3);
    std::vector<float> logits(3 * v);
    CHECK_THROWS_AS(o.model->step(each, std::vector<std::int32_t>{1, 2}, logits), tw::shape_error);
    CHECK_THROWS_AS(o.model->step(each, std::vector<std::int32_t>{1, 2, 3}, std::span{logits}.first(3 * v - 1)),
                    tw::shape_error);
    o.model->step({}, {}, {});
}

TEST_CASE("bins_forecaster: other models, and configurations that cannot be", "[models]") {
    const family_golden bolt{"bolt", support::forecasters};
    CHECK_THROWS_WITH(opened{bolt}, ContainsSubstring("not read as values in bins"));
    const auto refused = [](const char* key, const nlohmann::json& value) {
        family_golden golden{"bins", support::forecasters};
        golden.config["chronos_config"][key] = value;
        return [golden] { opened{golden}; };
    };
    CHECK_THROWS_AS(refused("n_tokens", 31)(), tw::format_error);
    CHECK_THROWS_AS(refused("n_special_tokens", 29)(), tw::format_error);
    CHECK_THROWS_AS(refused("pad_token_id", 2)(), tw::format_error);
    CHECK_THROWS_AS(refused("eos_token_id", -1)(), tw::format_error);
    CHECK_THROWS_AS(refused("tokenizer_kwargs", {{"low_limit", 4}, {"high_limit", 4}})(), tw::format_error);
    CHECK_THROWS_WITH(refused("tokenizer_class", "Other")(), ContainsSubstring("tokenizer_class"));
    CHECK_THROWS_AS(refused("model_type", "causal")(), tw::unsupported_error);
}
