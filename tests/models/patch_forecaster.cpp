#include <tokenworks/models/patch_forecaster.hpp>

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
using opened = support::opened_model<patch_forecaster>;

namespace {

std::vector<float> quantiles_of(const patch_forecaster& model, std::span<const std::vector<float>> series,
                                const tw::execution& how = {}) {
    tw::nn::context c{how};
    const std::size_t width = model.levels().size() * model.horizon();
    std::vector<float> quantiles(series.size() * width);
    const std::vector<std::span<const float>> inputs{series.begin(), series.end()};
    model.forward(c, inputs, tw::nn::rows{quantiles.data(), series.size(), width});
    return quantiles;
}

} // namespace

TEST_CASE("patch_forecaster: the quantiles of chronos-forecasting", "[models]") {
    for(const std::string name: {"bolt", "bolt_overlap"}) {
        const family_golden golden{name, support::forecasters};
        const std::vector<std::vector<float>> series = support::series_of(golden);
        for(const tw::dtype type: {tw::dtype::f32, tw::dtype::bf16}) {
            const opened o{golden, type};
            CHECK(o.model->config().architecture == "chronos-bolt");
            for(std::size_t i = 0; i < series.size(); ++i) {
                INFO(name << " series " << i << " " << tw::info(type).name);
                const std::vector<float> found = quantiles_of(*o.model, std::span{series}.subspan(i, 1));
                const std::size_t width = found.size();
                const std::span<const float> expected = std::span{golden.logits}.subspan(i * width, width);
                // Float32 has few digits left for ten thousand and a few units.
                CHECK(support::worst_of_spread(found, expected) < (expected[0] > 1000 ? 1e-3 : 1e-5));
            }
        }
    }
}

TEST_CASE("patch_forecaster: the same bits in company and on every team", "[models]") {
    for(const std::string name: {"bolt", "bolt_overlap"}) {
        const family_golden golden{name, support::forecasters};
        const std::vector<std::vector<float>> series = support::series_of(golden);
        const opened o{golden};
        const std::vector<float> all = quantiles_of(*o.model, series);
        std::vector<float> alone;
        for(std::size_t i = 0; i < series.size(); ++i) {
            const std::vector<float> one = quantiles_of(*o.model, std::span{series}.subspan(i, 1));
            alone.insert(alone.end(), one.begin(), one.end());
        }
        CHECK(support::same_bits(all, alone));
        tw::thread_team team{3};
        CHECK(support::same_bits(all, quantiles_of(*o.model, series, {.threads = &team})));
    }
}

TEST_CASE("patch_forecaster: nothing known, infinite values, wrong shapes, other models", "[models]") {
    const family_golden golden{"bolt", support::forecasters};
    const opened o{golden};
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<std::vector<float>> unknown{{}, {nan, nan}, std::vector<float>(200, nan)};
    for(const float value: quantiles_of(*o.model, unknown)) { // the token for the whole is left
        CHECK(std::isfinite(value));
    }
    const family_golden without{"bolt_overlap", support::forecasters};
    const opened other{without};
    CHECK_THROWS_WITH(quantiles_of(*other.model, unknown), ContainsSubstring("without a known value"));
    const std::vector<std::vector<float>> infinite{{1, std::numeric_limits<float>::infinity()}};
    CHECK_THROWS_AS(quantiles_of(*o.model, infinite), tw::argument_error);
    tw::nn::context c;
    float room = 0;
    const std::vector<float> values{1, 2, 3};
    const std::span<const float> input{values};
    CHECK_THROWS_AS(o.model->forward(c, std::span{&input, 1}, tw::nn::rows{&room, std::size_t{1}, std::size_t{1}}),
                    tw::shape_error);
    const family_golden bins{"bins", support::forecasters};
    CHECK_THROWS_WITH(opened{bins}, ContainsSubstring("not read in patches"));
}

TEST_CASE("patch_forecaster: configurations that cannot be", "[models]") {
    const auto refused = [](const char* key, const nlohmann::json& value) {
        family_golden golden{"bolt", support::forecasters};
        golden.config["chronos_config"][key] = value;
        return [golden] { opened{golden}; };
    };
    CHECK_THROWS_WITH(refused("quantiles", {0.5, 0.5})(), ContainsSubstring("chronos_config.quantiles"));
    CHECK_THROWS_WITH(refused("quantiles", nlohmann::json::array())(), ContainsSubstring("levels"));
    CHECK_THROWS_AS(refused("input_patch_size", 0)(), tw::format_error);
    CHECK_THROWS_AS(refused("input_patch_stride", 0)(), tw::format_error);
    CHECK_THROWS_AS(refused("prediction_length", 7)(), tw::format_error);
    CHECK_THROWS_AS(refused("context_length", -1)(), tw::format_error);
}
