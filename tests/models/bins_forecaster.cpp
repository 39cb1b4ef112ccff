#include <tokenworks/models/bins_forecaster.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <tokenworks/models/model_folder.hpp>

#include "support/catch.hpp"
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
