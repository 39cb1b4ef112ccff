#include <tokenworks/runtime/forecaster.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/quantization.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/series_golden.hpp"

namespace tw = tokenworks;
using support::family_golden;

namespace {

struct opened {
    files::temporary_folder folder;
    tw::forecaster model;

    explicit opened(const family_golden& golden) : model{load(golden, folder)} {}

    static tw::forecaster load(const family_golden& golden, const files::temporary_folder& folder) {
        golden.write_to(folder.string(), tw::dtype::f32);
        return tw::forecaster::load(folder.string(), {.threads = 2});
    }
};

/// Levels of each step in their order.
std::vector<float> sorted_steps(std::vector<float> values, std::size_t levels) {
    const std::size_t horizon = values.size() / levels;
    for(std::size_t t = 0; t < horizon; ++t) {
        std::vector<float> step;
        for(std::size_t q = 0; q < levels; ++q) {
            step.push_back(values[q * horizon + t]);
        }
        std::ranges::sort(step);
        for(std::size_t q = 0; q < levels; ++q) {
            values[q * horizon + t] = step[q];
        }
    }
    return values;
}

const std::vector<float> wave{1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2, 1};

} // namespace

TEST_CASE("forecaster: levels and horizons of its own, as chronos-forecasting has them", "[runtime]") {
    for(const std::string name: {"bolt", "bolt_overlap"}) {
        const family_golden golden{name, support::forecasters};
        const opened o{golden};
        const std::vector<std::vector<float>> series = support::series_of(golden);
        const std::vector<float>& levels = o.model.config().quantiles;
        const std::size_t horizon = 2 * o.model.horizon() + 1;
        for(std::size_t i = 0; i < series.size(); ++i) {
            INFO(name << " series " << i);
            const tw::series_forecast found = o.model.forecast(series[i], {.horizon = horizon, .quantiles = levels});
            CHECK(found.horizon == horizon);
            const auto expected = golden.more["long"][i].get<std::vector<float>>();
            const double bound = expected[0] > 1000 ? 1e-3 : 2e-5;
            CHECK(support::worst_of_spread(found.values, sorted_steps(expected, levels.size())) < bound);
            if(!golden.more["levels"].empty()) {
                const tw::series_forecast between =
                    o.model.forecast(series[i], {.quantiles = {0.05F, 0.25F, 0.5F, 0.6F}});
                const auto of_those = golden.more["levels"][i].get<std::vector<float>>();
                CHECK(support::worst_of_spread(between.values, of_those) < bound);
            }
        }
    }
}

TEST_CASE("forecaster: TimesFM goes on from its own forecasts, and tells them beside the levels", "[runtime]") {
    for(const std::string name: {"timesfm", "timesfm_plain", "timesfm2_5", "timesfm2_5_grouped"}) {
        const family_golden golden{name, support::forecasters};
        const opened o{golden};
        const std::vector<std::vector<float>> series = support::series_of(golden);
        const std::size_t block = o.model.horizon();
        for(std::size_t i = 0; i < series.size(); ++i) {
            INFO(name << " series " << i);
            const auto frequency = golden.more["frequencies"][i].get<std::size_t>();
            const tw::series_forecast found = o.model.forecast(
                series[i], {.horizon = 2 * block + 1, .quantiles = o.model.config().quantiles, .frequency = frequency});
            const auto expected = golden.more["long"][i].get<std::vector<float>>();
            const double bound = expected[0] > 1000 ? 5e-3 : 5e-5; // float32 has steps of 1e-3 there
            CHECK(support::worst_of_spread(found.point, std::span{expected}.first(2 * block + 1)) < bound);
            const std::span<const float> first = std::span{golden.logits}.subspan(
                i * block * (found.levels.size() + 1) + block, block * found.levels.size());
            const std::vector<float> levels = sorted_steps({first.begin(), first.end()}, found.levels.size());
            for(std::size_t q = 0; q < found.levels.size(); ++q) {
                CHECK(support::worst_of_spread(found.at(q).first(block), std::span{levels}.subspan(q * block, block)) <
                      bound);
            }
        }
    }
    CHECK(opened{family_golden{"bolt", support::forecasters}}.model.forecast(wave).point.empty());
}

TEST_CASE("forecaster: several series are what they are alone, and progress is told", "[runtime]") {
    for(const std::string name: {"bolt", "bins", "timesfm", "timesfm2_5"}) {
        const family_golden golden{name, support::forecasters};
        const opened o{golden};
        const std::vector<std::vector<float>> series = support::series_of(golden);
        const std::vector<std::span<const float>> inputs{series.begin(), series.end()};
        std::vector<std::size_t> told;
        tw::forecast_options options{.horizon = 9, .samples = 5, .seed = 3};
        options.on_progress = [&](std::size_t done, std::size_t total) {
            CHECK(total == series.size());
            told.push_back(done);
            return true;
        };
        const std::vector<tw::series_forecast> all = o.model.forecast(inputs, options);
        REQUIRE(all.size() == series.size());
        CHECK(told.size() == series.size());
        CHECK(told.back() == series.size());
        options.on_progress = {};
        for(std::size_t i = 0; i < all.size(); ++i) {
            CHECK(support::same_bits(all[i].values, o.model.forecast(series[i], options).values));
            CHECK(all[i].values.size() == 27);
            for(std::size_t t = 0; t < 9; ++t) {
                CHECK(all[i].at(0)[t] <= all[i].at(1)[t]);
                CHECK(all[i].at(1)[t] <= all[i].at(2)[t]);
            }
        }
        options.on_progress = [](std::size_t, std::size_t) { return false; };
        CHECK_THROWS_AS(o.model.forecast(inputs, options), tw::cancelled_error);
    }
}

TEST_CASE("forecaster: values in bins are those of bins, whatever is drawn", "[runtime]") {
    const family_golden golden{"bins", support::forecasters};
    const opened o{golden};
    const tw::forecast_options options{.horizon = 14, .quantiles = {0.5F}, .samples = 1, .seed = 1};
    const tw::series_forecast one = o.model.forecast(wave, options);
    CHECK(o.model.forecast(wave, options).values == one.values);
    CHECK(o.model.forecast(wave, {.horizon = 14, .quantiles = {0.5F}, .samples = 1, .seed = 2}).values != one.values);
    const float scale = 25.0F / 13;
    for(std::size_t t = 0; t < 6; ++t) { // the first block; bins are 8 / 26 apart
        const float place = (one.values[t] / scale + 4) * 26 / 8;
        CHECK(place == Approx(std::round(place)).margin(1e-3));
    }
    // Without dice every continuation is the same.
    const tw::series_forecast sure =
        o.model.forecast(wave, {.horizon = 6, .quantiles = {0.1F, 0.9F}, .samples = 3, .temperature = 0.0F});
    CHECK(std::ranges::equal(sure.at(0), sure.at(1)));
}

TEST_CASE("forecaster: the same from a GGUF file, and nearly the same in 8 bits", "[runtime]") {
    for(const std::string name:
        {"bolt", "bolt_overlap", "timesfm", "timesfm_plain", "timesfm2_5", "timesfm2_5_grouped"}) {
        const family_golden golden{name, support::forecasters};
        const opened o{golden};
        const tw::models::model_folder folder = tw::models::model_folder::open(o.folder.string());
        const std::vector<std::vector<float>> series = support::series_of(golden);
        for(const char* const type: {"f32", "q8_0"}) {
            tw::io::gguf_writer out;
            tw::models::export_gguf(folder, tw::models::quantization::named(type), out);
            const std::string file = o.folder.string() + "/" + type + ".gguf";
            out.save(file);
            const tw::forecaster model = tw::forecaster::load(file, {.threads = 1});
            CHECK(model.config() == o.model.config());
            CHECK_FALSE(model.self_check());
            const std::vector<float> expected_check =
                model.forecast(tw::models::check_series(), {.quantiles = model.config().quantiles}).values;
            tw::models::set_check(out, model.architecture(), expected_check);
            out.save(file);
            CHECK(tw::forecaster::load(file, {.threads = 1}).self_check() == 0.0);
            tw::models::set_check(out, model.architecture(), std::vector<float>(expected_check.size(), 7.0F));
            out.save(file);
            CHECK(tw::forecaster::load(file, {.threads = 1, .replay_check = false}).self_check() > 0.1);
            for(const std::vector<float>& each: series) {
                const std::vector<float> expected = o.model.forecast(each).values;
                const std::vector<float> found = model.forecast(each).values;
                CHECK((type[0] == 'f' ? support::same_bits(found, expected)
                                      : support::worst_of_spread(found, expected) < 0.05));
            }
        }
    }
}

TEST_CASE("forecaster: a season is taken out and put back", "[runtime]") {
    const opened o{family_golden{"bolt", support::forecasters}};
    std::vector<float> seasonal;
    std::vector<float> level;
    for(std::size_t i = 0; i < 50; ++i) {
        level.push_back(static_cast<float>(i % 3) + 10);
        seasonal.push_back(level.back() + static_cast<float>(i % 7) * 20);
    }
    const tw::forecast_options options{.horizon = 8, .seasons = std::vector<std::size_t>{7}};
    const std::vector<float> found = o.model.forecast(seasonal, options).values;
    const tw::runtime::season season = tw::runtime::season::find(seasonal, *options.seasons).value();
    std::vector<float> rest = seasonal;
    season.remove(rest);
    std::vector<float> expected = o.model.forecast(rest, {.horizon = 8}).values;
    for(std::size_t q = 0; q < 3; ++q) {
        season.restore(std::span{expected}.subspan(q * 8, 8), seasonal.size());
    }
    CHECK(support::same_bits(found, expected));
    CHECK_FALSE(support::same_bits(found, o.model.forecast(seasonal, {.horizon = 8}).values));
    const opened pointed{family_golden{"timesfm", support::forecasters}};
    expected = pointed.model.forecast(rest, {.horizon = 8}).point;
    season.restore(expected, seasonal.size());
    CHECK(support::same_bits(pointed.model.forecast(seasonal, options).point, expected));
    // A model may say so itself.
    family_golden golden{"bolt", support::forecasters};
    golden.config["tokenworks_seasons"] = {4, 7};
    const opened other{golden};
    CHECK(support::same_bits(other.model.forecast(seasonal, {.horizon = 8}).values, found));
    golden.config["tokenworks_seasons"] = {7, 4};
    CHECK_THROWS_WITH(opened{golden}, ContainsSubstring("tokenworks_seasons"));
}

TEST_CASE("forecaster: what cannot be forecast", "[runtime]") {
    const opened o{family_golden{"bolt", support::forecasters}};
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH(o.model.forecast(std::vector<float>{}), ContainsSubstring("no known value"));
    CHECK_THROWS_WITH(o.model.forecast(std::vector<float>{nan, nan}), ContainsSubstring("no known value"));
    CHECK_THROWS_WITH(o.model.forecast(std::vector<float>{1, infinity}), ContainsSubstring("infinite"));
    CHECK_THROWS_AS(o.model.forecast(wave, {.quantiles = {1.0F}}), tw::argument_error);
    CHECK_THROWS_AS(o.model.forecast(wave, {.quantiles = {nan}}), tw::argument_error);
    CHECK_THROWS_WITH(o.model.forecast(wave, {.horizon = 6 * 64 + 1}), ContainsSubstring("384"));
    CHECK(o.model.forecast(wave, {.horizon = 6 * 64}).values.size() == 3 * 384);
    const family_golden text{"t5", "encoder_decoders"};
    CHECK_THROWS_WITH(opened{text}, ContainsSubstring("does not continue series"));
}
