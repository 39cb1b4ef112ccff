// Series of numbers continued, with how sure that is: Chronos-Bolt, Chronos-T5 and TimesFM of a Hugging Face folder,
// and the GGUF files that tokenworks makes of the first and the last.
//
//   auto model = tokenworks::forecaster::load("chronos-bolt-tiny");
//   auto next = model.forecast(series, {.horizon = 12, .quantiles = {0.1F, 0.5F, 0.9F}});
//   for(float value: next.at(1)) std::cout << value << '\n';
//
// Values that are not known are NaN. What a model does not tell is taken from what it tells: levels between its own
// lie on a line, those beyond are its outermost; steps behind its horizon come from its own forecasts, as
// chronos-forecasting 2.3 and timesfm 1.3 do it. Levels of a step never cross.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/codec/value_bins.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/models/bins_forecaster.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/models/patch_forecaster.hpp>
#include <tokenworks/models/timesfm_forecaster.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/runtime/make_together.hpp>
#include <tokenworks/runtime/quantiles.hpp>
#include <tokenworks/runtime/season.hpp>
#include <tokenworks/runtime/self_check.hpp>
#include <tokenworks/runtime/sink.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/sampling/constraint.hpp>
#include <tokenworks/sampling/options.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

struct forecast_options {
    std::size_t horizon = 0;                        ///< values to come; 0: as many as the model was trained for
    std::vector<float> quantiles{0.1F, 0.5F, 0.9F}; ///< between 0 and 1
    /// Periods of seasons that are looked for, taken out before the model sees the series, and put back (season.hpp);
    /// empty: none; nothing: those that the model was trained to do without.
    std::optional<std::vector<std::size_t>> seasons{};
    std::size_t frequency = 0;          ///< of TimesFM 1 and 2: 0 days and shorter, 1 weeks and months, 2 longer
    std::size_t samples = 0;            ///< of a model that draws: continuations; 0: its own number
    std::optional<float> temperature{}; ///< of such a model; nothing: its own; 0: no dice
    std::uint64_t seed = 0;             ///< of such a model
    std::function<bool(std::size_t, std::size_t)> on_progress{}; ///< series done and their total; false cancels
};

/// What follows on a series.
struct series_forecast {
    std::size_t horizon = 0;
    std::vector<float> levels{}; ///< as asked for
    std::vector<float> values{}; ///< [Q,H]
    std::vector<float> point{};  ///< [H]: the mean, or the forecast itself, of a model that tells one; or empty

    /// The quantile of each step.
    [[nodiscard]] std::span<const float> at(std::size_t level) const {
        return std::span{values}.subspan(level * horizon, horizon);
    }
};

/// Immutable once loaded: share it by const reference.
class forecaster {
public:
    /// A forecast is at most so many times as long as the horizon that the model was trained for.
    static constexpr std::size_t most_blocks = 64;

    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error for a model of something else
    [[nodiscard]] static forecaster load(const std::string& path, const load_options& options = {},
                                         const limits& bounds = {}) {
        return forecaster{path, options, bounds};
    }

    [[nodiscard]] const models::series_config& config() const noexcept { return *model_config().series; }
    [[nodiscard]] const std::string& architecture() const noexcept { return model_config().architecture; }
    [[nodiscard]] std::size_t weight_bytes() const noexcept {
        return patches_ ? patches_->weight_bytes() : timesfm_ ? timesfm_->weight_bytes() : bins_->weight_bytes();
    }
    /// Values that the model was trained to continue by.
    [[nodiscard]] std::size_t horizon() const noexcept { return config().horizon; }
    [[nodiscard]] const execution& how() const noexcept { return how_; }

    /// A file may carry a series and what a right model makes of it: the largest difference from that, in deviations of
    /// the series. Nothing where it carries none. Instruction sets may differ by a few hundredths in 8 bits.
    [[nodiscard]] std::optional<double> self_check() const;
    static constexpr runtime::check_bound check_bound{0.1, "deviations of the input"};

    /// @param series  oldest value first; NaN where one is not known
    /// @throws argument_error for a series without a known value or with an infinite one, for a level that is not
    ///         between 0 and 1, and for a horizon beyond most_blocks; cancelled_error
    [[nodiscard]] series_forecast forecast(std::span<const float> series, const forecast_options& options = {}) const {
        return std::move(forecast(std::span{&series, 1}, options).front());
    }
    /// Several at once. Each one's forecast is what it is alone.
    [[nodiscard]] std::vector<series_forecast> forecast(std::span<const std::span<const float>> series,
                                                        const forecast_options& options = {}) const;

private:
    forecaster(const std::string& path, const load_options& options, const limits& bounds);

    [[nodiscard]] const models::model_config& model_config() const noexcept {
        return patches_ ? patches_->config() : timesfm_ ? timesfm_->config() : bins_->config();
    }
    [[nodiscard]] std::size_t checked_horizon(std::span<const std::span<const float>> series,
                                              const forecast_options& options) const;
    /// The model's own levels of some series, [Q,H] each.
    [[nodiscard]] std::vector<std::vector<float>>
    continue_patches(nn::context& c, std::span<const std::span<const float>> series, std::size_t horizon) const;
    /// The forecast and then the model's own levels of some series, [1+Q,H] each.
    [[nodiscard]] std::vector<std::vector<float>> continue_timesfm(nn::context& c,
                                                                   std::span<const std::span<const float>> series,
                                                                   std::size_t horizon, std::size_t frequency) const;
    /// Continuations of a series, [S,H].
    [[nodiscard]] std::vector<float> draw(nn::context& c, std::span<const float> series, std::size_t horizon,
                                          std::size_t samples, const forecast_options& options) const;

    std::shared_ptr<team> team_;
    execution how_;
    std::unique_ptr<models::patch_forecaster> patches_; // one of the three
    std::unique_ptr<models::timesfm_forecaster> timesfm_;
    std::unique_ptr<models::bins_forecaster> bins_;
    std::vector<float> check_input_{};
    std::vector<float> check_output_{}; // levels of the model, [Q,H]
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION forecaster::forecaster(const std::string& path, const load_options& options, const limits& bounds)
    : team_{options.make_team()}, how_{options.set, team_.get()} {
    const models::model_files files = models::model_files::open(path, bounds);
    const models::model_config& config = files.config();
    if(!config.series || !(config.series->timesfm || files.encoder_config())) {
        detail::raise<unsupported_error>({path, ": '", config.architecture, "' does not continue series"});
    }
    models::weight_loading loading;
    loading.precision = options.precision;
    // The parts of a model count their own bytes.
    std::uint64_t before = 0;
    std::uint64_t last = 0;
    if(options.on_progress) {
        loading.progress = [&options, &before, &last, total = files.weight_bytes()](std::uint64_t done) {
            before += done < last ? last : 0;
            last = done;
            return options.on_progress(std::min(before + done, total), total);
        };
    }
    const std::vector<models::weight_transform> transforms =
        models::bound_transforms(options.transforms, files.names());
    const models::transformed_weights weights{files.weights(), transforms, config, how_};
    if(config.series->timesfm) {
        timesfm_ = std::make_unique<models::timesfm_forecaster>(config, weights.get(), how_, loading);
    } else if(config.series->patch != 0) {
        patches_ =
            std::make_unique<models::patch_forecaster>(*files.encoder_config(), config, weights.get(), how_, loading);
    } else {
        bins_ =
            std::make_unique<models::bins_forecaster>(*files.encoder_config(), config, weights.get(), how_, loading);
    }
    const std::string input = config.architecture + ".check.input";
    if(const io::gguf_file* const file = files.gguf(); file != nullptr && file->find(input) != nullptr) {
        check_input_ = file->get<std::vector<float>>(input);
        check_output_ = file->get<std::vector<float>>(config.architecture + ".check.output");
        runtime::replay_check(*this, path, options);
    }
}

TOKENWORKS_FUNCTION std::optional<double> forecaster::self_check() const {
    if(check_input_.empty() || bins_) {
        return std::nullopt;
    }
    const std::vector<float> found =
        forecast(check_input_, {.quantiles = config().quantiles, .seasons = std::vector<std::size_t>{}}).values;
    double mean = 0;
    double squares = 0;
    for(const float value: check_input_) {
        mean += static_cast<double>(value) / static_cast<double>(check_input_.size());
    }
    for(const float value: check_input_) {
        squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
    }
    const double deviation = std::sqrt(squares / static_cast<double>(check_input_.size()));
    return runtime::largest_difference(found, check_output_) / deviation;
}

TOKENWORKS_FUNCTION std::size_t forecaster::checked_horizon(std::span<const std::span<const float>> series,
                                                            const forecast_options& options) const {
    const std::size_t horizon = options.horizon == 0 ? this->horizon() : options.horizon;
    if(horizon > most_blocks * this->horizon()) {
        detail::raise<argument_error>(
            {"forecast: a horizon of ", horizon, ", this model continues by up to ", most_blocks * this->horizon()});
    }
    for(const float level: options.quantiles) {
        if(!(level > 0 && level < 1)) {
            detail::raise<argument_error>({"forecast: the quantile ", level, " is not between 0 and 1"});
        }
    }
    for(std::size_t i = 0; i < series.size(); ++i) {
        bool known = false;
        for(std::size_t t = 0; t < series[i].size(); ++t) {
            if(std::isinf(series[i][t])) {
                detail::raise<argument_error>({"forecast: value ", t, " of series ", i, " is infinite"});
            }
            known = known || !std::isnan(series[i][t]);
        }
        if(!known) {
            detail::raise<argument_error>({"forecast: series ", i, " has no known value"});
        }
    }
    return horizon;
}

TOKENWORKS_FUNCTION std::vector<series_forecast> forecaster::forecast(std::span<const std::span<const float>> given,
                                                                      const forecast_options& options) const {
    constexpr std::size_t at_once = 16;
    const std::size_t horizon = checked_horizon(given, options);
    const std::vector<std::size_t>& periods = options.seasons ? *options.seasons : config().seasons;
    std::vector<std::optional<runtime::season>> seasons;
    std::vector<std::vector<float>> adjusted;
    std::vector<std::span<const float>> series;
    seasons.reserve(given.size());
    adjusted.reserve(given.size());
    series.reserve(given.size());
    for(const std::span<const float> one: given) {
        seasons.push_back(runtime::season::find(one, periods));
        std::vector<float>& values = adjusted.emplace_back();
        if(seasons.back()) {
            values.assign(one.begin(), one.end());
            seasons.back()->remove(values);
        }
        series.push_back(seasons.back() ? std::span<const float>{values} : one);
    }
    std::vector<series_forecast> all;
    all.reserve(series.size());
    nn::context c{how_};
    const auto told = [&] {
        if(options.on_progress && !options.on_progress(all.size(), series.size())) {
            detail::raise<cancelled_error>({"forecast: cancelled"});
        }
    };
    const auto add = [&](std::span<const float> rows, const auto& level_of) {
        series_forecast& one = all.emplace_back();
        one.horizon = horizon;
        one.levels = options.quantiles;
        one.values.resize(options.quantiles.size() * horizon);
        const std::size_t count = rows.size() / horizon;
        std::vector<float> step(count);
        for(std::size_t t = 0; t < horizon; ++t) {
            for(std::size_t i = 0; i < count; ++i) {
                step[i] = rows[i * horizon + t];
            }
            std::ranges::sort(step);
            for(std::size_t q = 0; q < options.quantiles.size(); ++q) {
                one.values[q * horizon + t] = level_of(step, options.quantiles[q]);
            }
        }
        if(const std::optional<runtime::season>& season = seasons[all.size() - 1]) {
            for(std::size_t q = 0; q < options.quantiles.size(); ++q) {
                season->restore(std::span{one.values}.subspan(q * horizon, horizon), given[all.size() - 1].size());
            }
        }
    };
    const auto by_levels = [&](std::span<const float> step, float level) {
        return runtime::value_at_level(config().quantiles, step, level);
    };
    if(patches_) {
        for(std::size_t from = 0; from < series.size(); from += at_once) {
            const auto part = std::span{series}.subspan(from, std::min(at_once, series.size() - from));
            for(const std::vector<float>& rows: continue_patches(c, part, horizon)) {
                add(rows, by_levels);
                told();
            }
        }
        return all;
    }
    for(std::size_t from = 0; timesfm_ && from < series.size(); from += at_once) {
        const auto part = std::span{series}.subspan(from, std::min(at_once, series.size() - from));
        for(const std::vector<float>& rows: continue_timesfm(c, part, horizon, options.frequency)) {
            add(std::span{rows}.subspan(horizon), by_levels);
            series_forecast& one = all.back();
            one.point.assign(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(horizon));
            if(const std::optional<runtime::season>& season = seasons[all.size() - 1]) {
                season->restore(one.point, given[all.size() - 1].size());
            }
            told();
        }
    }
    if(timesfm_) {
        return all;
    }
    const std::size_t samples = options.samples == 0 ? bins_->series().samples : options.samples;
    for(const std::span<const float> one: series) {
        add(draw(c, one, horizon, samples, options),
            [](std::span<const float> step, float level) { return runtime::sorted_quantile(step, level); });
        told();
    }
    return all;
}

TOKENWORKS_FUNCTION std::vector<std::vector<float>>
forecaster::continue_patches(nn::context& c, std::span<const std::span<const float>> series,
                             std::size_t horizon) const {
    const std::size_t levels = patches_->levels().size();
    const std::size_t block = patches_->horizon();
    std::vector<float> out(series.size() * levels * block);
    patches_->forward(c, series, nn::rows{out.data(), series.size(), levels * block});
    std::vector<std::vector<float>> all;
    all.reserve(series.size());
    for(std::size_t i = 0; i < series.size(); ++i) {
        std::vector<float>& rows = all.emplace_back(levels * horizon);
        std::vector<float> now(out.begin() + static_cast<std::ptrdiff_t>(i * levels * block),
                               out.begin() + static_cast<std::ptrdiff_t>((i + 1) * levels * block));
        const auto keep = [&](std::size_t from) {
            for(std::size_t q = 0; q < levels; ++q) {
                std::copy_n(now.begin() + static_cast<std::ptrdiff_t>(q * block), std::min(block, horizon - from),
                            rows.begin() + static_cast<std::ptrdiff_t>(q * horizon + from));
            }
        };
        keep(0);
        // Each level goes on as a series of its own; what they say together has as many levels again.
        std::vector<std::vector<float>> paths(horizon > block ? levels : 0,
                                              std::vector<float>(series[i].begin(), series[i].end()));
        std::vector<float> square(levels * levels * block);
        std::vector<float> step(levels * levels);
        for(std::size_t from = block; from < horizon; from += block) {
            std::vector<std::span<const float>> inputs;
            inputs.reserve(levels);
            for(std::size_t q = 0; q < levels; ++q) {
                const std::span<const float> last = std::span{now}.subspan(q * block, block);
                paths[q].insert(paths[q].end(), last.begin(), last.end());
                inputs.emplace_back(paths[q]);
            }
            patches_->forward(c, inputs, nn::rows{square.data(), levels, levels * block});
            for(std::size_t t = 0; t < block; ++t) {
                for(std::size_t k = 0; k < levels * levels; ++k) {
                    step[k] = square[k * block + t];
                }
                std::ranges::sort(step);
                for(std::size_t q = 0; q < levels; ++q) {
                    now[q * block + t] = runtime::sorted_quantile(step, patches_->levels()[q]);
                }
            }
            keep(from);
        }
    }
    return all;
}

TOKENWORKS_FUNCTION std::vector<std::vector<float>>
forecaster::continue_timesfm(nn::context& c, std::span<const std::span<const float>> series, std::size_t horizon,
                             std::size_t frequency) const {
    const std::size_t rows = 1 + timesfm_->levels().size();
    const std::size_t block = timesfm_->horizon();
    std::vector<std::vector<float>> all(series.size(), std::vector<float>(rows * horizon));
    std::vector<float> out(series.size() * timesfm_->outputs());
    std::vector<std::vector<float>> paths; // the series and the forecasts of the blocks so far
    std::vector<models::timesfm_input> inputs;
    for(const std::span<const float> one: series) {
        paths.emplace_back(one.begin(), one.end());
        inputs.push_back({one, frequency});
    }
    for(std::size_t from = 0; from < horizon; from += block) {
        timesfm_->forward(c, inputs, nn::rows{out.data(), series.size(), timesfm_->outputs()});
        for(std::size_t i = 0; i < series.size(); ++i) {
            const std::span<const float> now = std::span{out}.subspan(i * rows * block, rows * block);
            for(std::size_t r = 0; r < rows; ++r) {
                std::ranges::copy(now.subspan(r * block, std::min(block, horizon - from)),
                                  all[i].begin() + static_cast<std::ptrdiff_t>(r * horizon + from));
            }
            paths[i].insert(paths[i].end(), now.begin(), now.begin() + static_cast<std::ptrdiff_t>(block));
            inputs[i].values = paths[i];
        }
    }
    return all;
}

TOKENWORKS_FUNCTION std::vector<float> forecaster::draw(nn::context& c, std::span<const float> series,
                                                        std::size_t horizon, std::size_t samples,
                                                        const forecast_options& options) const {
    const models::series_config& config = bins_->series();
    std::vector<float> context{series.begin(), series.end()};
    std::vector<float> rows(samples * horizon);
    constexpr std::size_t most_in_step = 32;
    const sampling::sampler_options how{.temperature = options.temperature.value_or(config.temperature),
                                        .top_k = static_cast<int>(config.top_k),
                                        .top_p = config.top_p,
                                        .min_p = 0};
    for(std::size_t from = 0; from < horizon; from += config.horizon) {
        const std::size_t count = std::min(config.horizon, horizon - from);
        const nn::kv_cache memory = bins_->read(c, context);
        const codec::scaled_bins space{bins_->bins(), bins_->seen(context)};
        // Some of them in step: as many as keep their caches small.
        for(std::size_t first = 0; first < samples; first += most_in_step) {
            const std::size_t now = std::min(most_in_step, samples - first);
            std::vector<models::bins_forecaster::state> states;
            states.reserve(now);
            std::vector<sampling::sampler_options> settings(now, how);
            for(std::size_t s = 0; s < now; ++s) {
                settings[s].seed = options.seed + (first + s) * most_blocks + from / config.horizon;
                states.push_back(bins_->make_state(c, memory, count));
            }
            std::vector values(
                now, sampling::exactly{count, [&](sampling::token_id id) { return bins_->bins().is_value(id); }});
            std::vector to(now, runtime::data_sink{space});
            runtime::make_together(*bins_, std::span{states}, config.start, std::span{values}, std::span{to}, settings,
                                   c.how);
            for(std::size_t s = 0; s < now; ++s) {
                std::ranges::copy(to[s].data(),
                                  rows.begin() + static_cast<std::ptrdiff_t>((first + s) * horizon + from));
            }
        }
        // The next block follows on the medians of this one.
        std::vector<float> step(samples);
        for(std::size_t t = from; t < from + count; ++t) {
            for(std::size_t s = 0; s < samples; ++s) {
                step[s] = rows[s * horizon + t];
            }
            std::ranges::sort(step);
            context.push_back(step[(samples - 1) / 2]); // of two in the middle the lower, as torch does
        }
    }
    return rows;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI
