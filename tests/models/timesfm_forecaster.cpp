#include <tokenworks/models/timesfm_forecaster.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/opened_model.hpp"
#include "support/series_golden.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;
using opened = support::opened_model<timesfm_forecaster>;

namespace {

const std::vector<std::string> names{"timesfm", "timesfm_plain", "timesfm2_5", "timesfm2_5_grouped"};
constexpr float unknown = std::numeric_limits<float>::quiet_NaN();

std::vector<float> outputs_of(const timesfm_forecaster& model, std::span<const timesfm_input> inputs,
                              const tw::execution& how = {}) {
    tw::nn::context c{how};
    std::vector<float> outputs(inputs.size() * model.outputs());
    model.forward(c, inputs, tw::nn::rows{outputs.data(), inputs.size(), model.outputs()});
    return outputs;
}
std::vector<float> outputs_of(const timesfm_forecaster& model, std::span<const float> values,
                              std::size_t frequency = 0) {
    const timesfm_input input{values, frequency};
    return outputs_of(model, std::span{&input, 1});
}

} // namespace

TEST_CASE("timesfm_forecaster: the forecast and the quantiles of transformers", "[models]") {
    for(const std::string& name: names) {
        family_golden golden{name, support::forecasters};
        const std::vector<std::vector<float>> series = support::series_of(golden);
        const auto frequencies = golden.more["frequencies"].get<std::vector<std::size_t>>();
        for(std::size_t salt = 0; salt < golden.salts.size(); ++salt) {
            golden.salt = golden.salts[salt];
            for(const tw::dtype type: {tw::dtype::f32, tw::dtype::bf16}) {
                const opened o{golden, type};
                for(std::size_t i = 0; i < series.size(); ++i) {
                    INFO(name << " weights " << salt << " series " << i << " " << tw::info(type).name);
                    const std::size_t row = salt * series.size() + i;
                    const std::vector<float> found = outputs_of(*o.model, series[i], frequencies[row]);
                    const std::size_t width = found.size();
                    const std::span<const float> expected = std::span{golden.logits}.subspan(row * width, width);
                    // Float32, in which the reference measures, has few digits left for ten thousand and a few units.
                    CHECK(support::worst_of_spread(found, expected) < (series[i][0] > 1000 ? 2e-3 : 1e-5));
                }
            }
        }
    }
}

TEST_CASE("timesfm_forecaster: the same bits in company and on every team", "[models]") {
    for(const std::string& name: names) {
        const family_golden golden{name, support::forecasters};
        const std::vector<std::vector<float>> series = support::series_of(golden);
        const opened o{golden};
        std::vector<timesfm_input> inputs;
        std::vector<float> alone;
        for(std::size_t i = 0; i < series.size(); ++i) {
            inputs.push_back({series[i], i % 3});
            const std::vector<float> one = outputs_of(*o.model, series[i], i % 3);
            alone.insert(alone.end(), one.begin(), one.end());
        }
        const std::vector<float> all = outputs_of(*o.model, inputs);
        CHECK(support::same_bits(all, alone));
        tw::thread_team team{3};
        CHECK(support::same_bits(all, outputs_of(*o.model, inputs, {.threads = &team})));
    }
}

TEST_CASE("timesfm_forecaster: only the context counts, and of frequencies the last for those beyond", "[models]") {
    const opened o{family_golden{"timesfm", support::forecasters}};
    std::vector<float> values;
    values.reserve(70);
    for(int i = 0; i < 70; ++i) {
        values.push_back(static_cast<float>(i % 5) + 0.1F * static_cast<float>(i));
    }
    const std::vector<float> whole = outputs_of(*o.model, values);
    CHECK(support::same_bits(whole, outputs_of(*o.model, std::span{values}.last(64))));
    CHECK_FALSE(support::same_bits(whole, outputs_of(*o.model, std::span{values}.last(56))));
    CHECK_FALSE(support::same_bits(whole, outputs_of(*o.model, values, 1)));
    CHECK_FALSE(support::same_bits(outputs_of(*o.model, values, 2), outputs_of(*o.model, values, 1)));
    CHECK(support::same_bits(outputs_of(*o.model, values, 2), outputs_of(*o.model, values, 100)));
}

TEST_CASE("timesfm_forecaster: gaps are filled as timesfm 1.3 does", "[models]") {
    const auto known = [](const std::vector<float>& values) { return timesfm_forecaster::known_values(values); };
    CHECK(known({unknown, unknown, 1, unknown, 3, unknown, unknown, 6, unknown}) ==
          std::vector<float>{1, 2, 3, 4, 5, 6, 6});
    CHECK(known({7, unknown}) == std::vector<float>{7, 7});
    CHECK(known({1, 2}) == std::vector<float>{1, 2});
    CHECK_THROWS_WITH(known({unknown}), ContainsSubstring("without a known value"));
    CHECK_THROWS_WITH(known({}), ContainsSubstring("without a known value"));
    CHECK_THROWS_AS(known({1, std::numeric_limits<float>::infinity()}), tw::argument_error);
    const opened o{family_golden{"timesfm2_5", support::forecasters}};
    CHECK(support::same_bits(outputs_of(*o.model, std::vector<float>{unknown, 1, unknown, 3}),
                             outputs_of(*o.model, std::vector<float>{1, 2, 3})));
}

TEST_CASE("timesfm_forecaster: no forecast of a series above zero is below it, where the model says so", "[models]") {
    family_golden golden{"timesfm2_5", support::forecasters};
    const std::vector<float> low{0, 3, 0, 0, 2, 0, 0, 0, 1, 0, 0};
    std::vector<float> below = low;
    below[1] = -1e-30F;
    golden.config["infer_is_positive"] = true;
    const opened kept{golden};
    golden.config["infer_is_positive"] = false;
    const opened free{golden};
    const std::vector<float> expected = outputs_of(*free.model, low);
    CHECK(std::ranges::min(expected) < 0);
    CHECK(std::ranges::min(outputs_of(*kept.model, below)) < 0);
    const std::vector<float> found = outputs_of(*kept.model, low);
    for(std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i] == std::max(expected[i], 0.0F));
    }
}

TEST_CASE("timesfm_forecaster: wrong shapes, other models, configurations that cannot be", "[models]") {
    const opened o{family_golden{"timesfm", support::forecasters}};
    tw::nn::context c;
    float room = 0;
    const std::vector<float> values{1, 2, 3};
    const timesfm_input input{values};
    CHECK_THROWS_AS(o.model->forward(c, std::span{&input, 1}, tw::nn::rows{&room, std::size_t{1}, std::size_t{1}}),
                    tw::shape_error);
    const auto refused = [](const std::string& name, const char* key, const nlohmann::json& value) {
        family_golden golden{name, support::forecasters};
        golden.config[key] = value;
        return [golden] { opened{golden}; };
    };
    CHECK_THROWS_WITH(refused("timesfm", "quantiles", {0.5, 0.5})(), ContainsSubstring("quantiles"));
    CHECK_THROWS_WITH(refused("timesfm", "context_length", 63)(), ContainsSubstring("whole patches"));
    CHECK_THROWS_AS(refused("timesfm", "patch_length", 0)(), tw::format_error);
    CHECK_THROWS_AS(refused("timesfm", "horizon_length", 7)(), tw::format_error);
    CHECK_THROWS_AS(refused("timesfm", "freq_size", 4)(), tw::format_error);
    CHECK_THROWS_WITH(refused("timesfm", "tolerance", 0)(), ContainsSubstring("tolerance"));
    CHECK_THROWS_WITH(refused("timesfm", "max_timescale", 0)(), ContainsSubstring("max_timescale"));
    CHECK_THROWS_AS(refused("timesfm", "hidden_size", 19)(), tw::format_error);
    CHECK_THROWS_AS(refused("timesfm2_5", "output_quantile_len", 15)(), tw::format_error);
    CHECK_THROWS_AS(refused("timesfm2_5", "activation", "cubic")(), tw::unsupported_error);
    CHECK_THROWS_AS(refused("timesfm2_5", "rope_parameters", {{"rope_type", "linear"}, {"factor", 2}})(),
                    tw::unsupported_error);
}
