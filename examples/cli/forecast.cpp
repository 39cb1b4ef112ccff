// forecast: the columns of a CSV file continued, as CSV or JSON, as a picture, and as a line in the terminal.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <tokenworks/io/series_plot.hpp>
#include <tokenworks/io/series_table.hpp>
#include <tokenworks/runtime/forecaster.hpp>

#include "load.hpp"
#include "options.hpp"
#include "output.hpp"

namespace cli {

using json = nlohmann::ordered_json;

namespace {

/// A level as it was given, and as a number.
struct level {
    std::string text;
    float value = 0;
};

std::vector<level> levels_of(const std::string& text) {
    std::vector<level> all;
    for(std::size_t from = 0; from <= text.size();) {
        const std::size_t comma = std::min(text.find(',', from), text.size());
        level one{text.substr(from, comma - from)};
        const char* const end = one.text.data() + one.text.size();
        const auto [last, problem] = std::from_chars(one.text.data(), end, one.value);
        if(problem != std::errc{} || last != end || !(one.value > 0 && one.value < 1)) {
            throw usage_error("--quantiles: '" + tw::printable(one.text) + "' is no number between 0 and 1");
        }
        if(std::ranges::find(all, one.text, &level::text) != all.end()) {
            throw usage_error("--quantiles: " + one.text + " is given twice");
        }
        all.push_back(one);
        from = comma + 1;
    }
    return all;
}

/// What --season says. Where dates tell how many values a year, a week or a day has, no other season is looked for.
std::optional<std::vector<std::size_t>> seasons_of(const std::string& text, const tw::io::series_table& table,
                                                   const tw::forecaster& model) {
    if(text == "none") {
        return std::vector<std::size_t>{};
    }
    if(text == "auto") {
        if(model.config().seasons.empty() || !table.dates()) {
            return std::nullopt;
        }
        const tw::io::date_step step = table.dates()->step;
        if(step.months != 0) {
            return step.months < 12 && 12 % step.months == 0
                       ? std::vector<std::size_t>{static_cast<std::size_t>(12 / step.months)}
                       : std::vector<std::size_t>{};
        }
        constexpr std::int64_t day = 86400;
        if(step.seconds == day || step.seconds == 7 * day) {
            return std::vector<std::size_t>{step.seconds == day ? std::size_t{7} : std::size_t{52}};
        }
        return step.seconds < day && day % step.seconds == 0
                   ? std::vector<std::size_t>{static_cast<std::size_t>(day / step.seconds)}
                   : std::vector<std::size_t>{};
    }
    std::vector<std::size_t> all;
    for(const std::int32_t period: parse_ids(text, "--season")) {
        if(period < 2 || period > 65536) {
            throw usage_error("--season: " + std::to_string(period) + " is not in 2..65536");
        }
        all.push_back(static_cast<std::size_t>(period));
    }
    std::ranges::sort(all);
    return all;
}

/// What --frequency says, as TimesFM counts it; dates tell what is left to them.
std::size_t frequency_of(const std::string& text, const tw::io::series_table& table) {
    if(text != "auto" || !table.dates()) {
        return text == "low" ? 2 : text == "medium" ? 1 : 0;
    }
    const tw::io::date_step step = table.dates()->step;
    constexpr std::int64_t day = 86400;
    if(step.months >= 3 || step.seconds >= 90 * day) {
        return 2;
    }
    return step.months > 0 || step.seconds >= 7 * day ? 1 : 0;
}

/// The digits that tell a float from all others.
std::string number(float value) {
    std::array<char, 32> text{};
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string csv_cell(const std::string& text) {
    if(text.find_first_of(",\"\r\n") == text.npos) {
        return text;
    }
    std::string quoted = "\"";
    for(const char c: text) {
        quoted += c;
        if(c == '"') {
            quoted += c;
        }
    }
    return quoted + "\"";
}

/// What was read and what follows on it.
class forecast_report {
public:
    forecast_report(const tw::io::series_table& table, std::vector<level> levels,
                    std::vector<tw::series_forecast> forecasts)
        : table_{table}, levels_{std::move(levels)}, forecasts_{std::move(forecasts)} {}

    [[nodiscard]] std::string csv() const {
        std::string out = "series,step";
        for(const level& each: levels_) {
            out += "," + each.text;
        }
        out += table_.dates() ? ",date\n" : "\n";
        for(std::size_t i = 0; i < forecasts_.size(); ++i) {
            for(std::size_t t = 0; t < forecasts_[i].horizon; ++t) {
                out += csv_cell(table_.names()[i]) + "," + std::to_string(t + 1);
                for(std::size_t q = 0; q < levels_.size(); ++q) {
                    out += "," + number(forecasts_[i].at(q)[t]);
                }
                out += table_.dates() ? "," + table_.dates()->after(t + 1) + "\n" : "\n";
            }
        }
        return out;
    }

    [[nodiscard]] json as_json() const {
        json out;
        out["horizon"] = forecasts_.empty() ? 0 : forecasts_.front().horizon;
        for(std::size_t t = 0; table_.dates() && t < out["horizon"]; ++t) {
            out["dates"].push_back(table_.dates()->after(t + 1));
        }
        for(std::size_t i = 0; i < forecasts_.size(); ++i) {
            json one;
            one["name"] = tw::printable(table_.names()[i]);
            for(std::size_t q = 0; q < levels_.size(); ++q) {
                one["quantiles"][levels_[q].text] = forecasts_[i].at(q);
            }
            if(!forecasts_[i].point.empty()) {
                one["point"] = forecasts_[i].point;
            }
            out["series"].push_back(one);
        }
        return out;
    }

    [[nodiscard]] std::string svg() const {
        const auto order = std::ranges::minmax_element(levels_, {}, &level::value);
        const auto low = static_cast<std::size_t>(order.min - levels_.begin());
        const auto high = static_cast<std::size_t>(order.max - levels_.begin());
        std::vector<tw::io::plot_panel> panels;
        panels.reserve(forecasts_.size());
        for(std::size_t i = 0; i < forecasts_.size(); ++i) {
            const tw::series_forecast& next = forecasts_[i];
            const std::span<const float> history = shown(i);
            tw::io::plot_panel& panel = panels.emplace_back();
            panel.title = table_.names()[i];
            panel.history = history;
            panel.middle = next.at(middle());
            if(low != high) {
                panel.low = next.at(low);
                panel.high = next.at(high);
            }
            if(table_.dates()) {
                const auto& dates = *table_.dates();
                panel.first = to_string(dates.all[dates.all.size() - history.size()], dates.form);
                panel.last = to_string(dates.all.back(), dates.form);
                panel.end = dates.after(next.horizon);
            } else {
                panel.end = "+" + std::to_string(next.horizon);
            }
        }
        return tw::io::to_svg(panels);
    }

    /// A line a series: the end of the history, and what follows in another colour.
    void draw(std::ostream& to) const {
        for(std::size_t i = 0; i < forecasts_.size(); ++i) {
            const std::span<const float> next = forecasts_[i].at(middle());
            const std::span<const float> future = next.first(std::min<std::size_t>(next.size(), 32));
            const std::span<const float> past = shown(i).last(std::min<std::size_t>(shown(i).size(), 40));
            float low = future.front();
            float high = low;
            for(const std::span<const float> part: {past, future}) {
                for(const float value: part) {
                    low = std::isnan(value) ? low : std::min(low, value);
                    high = std::isnan(value) ? high : std::max(high, value);
                }
            }
            to << tw::printable(table_.names()[i]) << "  " << bars(past, low, high) << "\x1b[34m"
               << bars(future, low, high) << "\x1b[0m  " << number(next.front()) << " … " << number(next.back())
               << '\n';
        }
    }

private:
    /// The level that is nearest to the middle.
    [[nodiscard]] std::size_t middle() const {
        const auto nearest =
            std::ranges::min_element(levels_, {}, [](const level& each) { return std::abs(each.value - 0.5F); });
        return static_cast<std::size_t>(nearest - levels_.begin());
    }

    /// The end of the history: of what is long, a few times the horizon.
    [[nodiscard]] std::span<const float> shown(std::size_t i) const {
        const std::span<const float> all = table_.values(i);
        return all.last(std::min(all.size(), std::max<std::size_t>(120, 5 * forecasts_[i].horizon)));
    }

    static std::string bars(std::span<const float> values, float low, float high) {
        static constexpr const char* blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
        std::string out;
        for(const float value: values) {
            if(std::isnan(value)) {
                out += ' ';
                continue;
            }
            const float share = high > low ? (value - low) / (high - low) : 0.5F;
            out += blocks[std::min<std::size_t>(7, static_cast<std::size_t>(std::max(0.0F, share) * 8))];
        }
        return out;
    }

    const tw::io::series_table& table_;
    std::vector<level> levels_;
    std::vector<tw::series_forecast> forecasts_;
};

bool ends_with(const std::string& path, std::string_view ending) {
    const std::string own = std::filesystem::path{path}.extension().string();
    return own == ending;
}

} // namespace

int forecast(const common_options& common, const forecast_command& what) {
    const std::vector<level> levels = levels_of(what.quantiles);
    if(!what.out.empty() && !ends_with(what.out, ".csv") && !ends_with(what.out, ".json") &&
       !ends_with(what.out, ".svg")) {
        throw usage_error("-o: '" + tw::printable(what.out) + "' ends with none of .csv, .json, .svg");
    }
    const tw::io::series_table table = tw::io::series_table::open(what.file, {.columns = what.columns});
    for(std::size_t i = 0; i < table.size(); ++i) {
        if(std::ranges::all_of(table.values(i), [](float value) { return std::isnan(value); })) {
            throw tw::format_error(what.file, "column '" + tw::printable(table.names()[i]) + "'",
                                   tw::format_error::no_offset, "has no value that is known");
        }
    }
    if(table.dates()) {
        static_cast<void>(table.dates()->after(what.horizon)); // before the work: there are that many dates
    }
    common_options options = common;
    options.model = model_or_shipped(common.model, "forecaster.gguf");
    const auto begin = std::chrono::steady_clock::now();
    const tw::forecaster model = [&] {
        progress_bar bar{"loading"};
        return tw::forecaster::load(options.model, load_options(options, bar));
    }();
    const double loading = seconds_since(begin);
    const auto loaded = std::chrono::steady_clock::now();

    tw::forecast_options how{.horizon = what.horizon, .quantiles = {}, .seed = what.seed};
    how.quantiles.reserve(levels.size());
    for(const level& each: levels) {
        how.quantiles.push_back(each.value);
    }
    how.seasons = seasons_of(what.season, table, model);
    how.frequency = frequency_of(what.frequency, table);
    how.samples = what.samples;
    how.temperature = what.temperature;
    const std::vector<float>& own = model.config().quantiles;
    if(!own.empty() &&
       std::ranges::any_of(how.quantiles, [&](float q) { return q < own.front() - 1e-6F || q > own.back() + 1e-6F; })) {
        std::cerr << "tokenworks: note: the model tells quantiles from " << own.front() << " to " << own.back()
                  << "; those beyond are its outermost\n";
    }
    std::vector<std::span<const float>> series;
    series.reserve(table.size());
    for(std::size_t i = 0; i < table.size(); ++i) {
        series.push_back(table.values(i));
    }
    const forecast_report report = [&] {
        progress_bar bar{"forecasting"};
        how.on_progress = [&](std::size_t done, std::size_t total) {
            bar(done, total);
            return true;
        };
        return forecast_report{table, levels, model.forecast(series, how)};
    }();
    const double forecasting = seconds_since(loaded);

    std::vector<std::string> files;
    const auto write = [&](const std::string& path, const std::string& content) {
        write_file(path, content);
        files.push_back(path);
    };
    if(ends_with(what.out, ".csv")) {
        write(what.out, report.csv());
    } else if(ends_with(what.out, ".json")) {
        write(what.out, report.as_json().dump(1) + "\n");
    } else if(ends_with(what.out, ".svg")) {
        write(what.out, report.svg());
    }
    if(!what.plot.empty()) {
        write(what.plot, report.svg());
    }
    if(common.json) {
        json out = report.as_json();
        out["files"] = files;
        out["timings"] = {{"series", table.size()},
                          {"values", table.size() * table.rows()},
                          {"load_seconds", loading},
                          {"forecast_seconds", forecasting}};
        std::cout << out.dump() << '\n';
    } else if(what.out.empty()) {
        std::cout << report.csv();
    }
    if(::isatty(STDERR_FILENO) == 1) {
        report.draw(std::cerr);
    }
    return 0;
}

} // namespace cli
