// Two series that are in every book, continued from where the last part is held back.
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/io/series_plot.hpp>
#include <tokenworks/runtime/forecaster.hpp>

#include "kinds.hpp"

namespace gallery {

namespace {

/// Passengers of airlines, thousands a month, 1949 to 1960: Box, Jenkins and Reinsel, "Time Series Analysis", series G.
constexpr std::array<float, 144> passengers{
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158,
    133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218,
    230, 242, 209, 191, 172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201, 204, 188, 235,
    227, 234, 264, 302, 293, 259, 229, 203, 229, 242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278,
    284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306, 315, 301, 356, 348, 355, 422, 465, 467, 404,
    347, 305, 336, 340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337, 360, 342, 406, 396, 420, 472,
    548, 559, 463, 407, 362, 405, 417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432};

/// Temperatures at Nottingham Castle, degrees Fahrenheit, means of months, 1930 to 1939: Anderson, "Time Series
/// Analysis and Forecasting: The Box-Jenkins approach", 1976, series R.
constexpr std::array<float, 120> temperatures{
    41.6F, 37.1F, 41.2F, 46.9F, 51.2F, 60.4F, 60.1F, 61.6F, 57,    50.9F, 43,    38.8F, 37.1F, 38.4F, 38.4F,
    46.5F, 53.5F, 58.4F, 60.6F, 58.2F, 53.8F, 46.6F, 45.5F, 40.6F, 42.4F, 38.4F, 40.3F, 44.6F, 50.9F, 57,
    62.1F, 63.5F, 56.3F, 47.3F, 43.6F, 41.8F, 36.2F, 39.3F, 44.5F, 48.7F, 54.2F, 60.8F, 65.5F, 64.9F, 60.1F,
    50.2F, 42.1F, 35.8F, 39.4F, 38.2F, 40.4F, 46.9F, 53.4F, 59.6F, 66.5F, 60.4F, 59.2F, 51.2F, 42.8F, 45.8F,
    40,    42.6F, 43.5F, 47.1F, 50,    60.5F, 64.6F, 64,    56.8F, 48.6F, 44.2F, 36.4F, 37.3F, 35,    44,
    43.9F, 52.7F, 58.6F, 60,    61.1F, 58.1F, 49.6F, 41.6F, 41.3F, 40.8F, 41,    38.4F, 47.4F, 54.1F, 58.6F,
    61.4F, 61.8F, 56.3F, 50.9F, 41.4F, 37.1F, 42.1F, 41.2F, 47.3F, 46.6F, 52.4F, 59,    59.6F, 60.4F, 57,
    50.7F, 47.8F, 39.2F, 39.4F, 40.9F, 42.4F, 47.8F, 52.4F, 58,    60.7F, 61.8F, 58.2F, 46.7F, 46.6F, 37.8F};

struct series {
    std::string title;
    std::span<const float> all;
    std::size_t held_back;
    std::string first, last, end; ///< when
};

/// @param most  values of the history
tw::io::plot_panel panel_of(const series& from, const tw::series_forecast& next, std::size_t most) {
    const std::span<const float> history = from.all.first(from.all.size() - from.held_back);
    const bool is_whole = history.size() <= most;
    return {.title = from.title,
            .history = is_whole ? history : history.last(most),
            .low = next.at(0),
            .middle = next.at(1),
            .high = next.at(2),
            .actual = from.all.last(from.held_back),
            .first = is_whole ? from.first : "",
            .last = from.last,
            .end = from.end};
}

} // namespace

section numbers(studio& in) {
    const std::array<series, 2> all{
        series{"Airline passengers, thousands a month", passengers, 12, "1949", "1959", "1960"},
        series{"Temperature in Nottingham, Fahrenheit", temperatures, 12, "1930", "1938", "1939"}};
    const tw::forecaster model = tw::forecaster::load(in.model("forecaster.gguf"), in.load);
    const work spent{in};
    std::vector<tw::series_forecast> forecasts;
    std::size_t values = 0;
    for(const series& each: all) {
        forecasts.push_back(model.forecast(
            each.all.first(each.all.size() - each.held_back),
            {.horizon = each.held_back, .quantiles = {0.1F, 0.5F, 0.9F}, .seasons = std::vector<std::size_t>{12}}));
        values += forecasts.back().values.size();
    }
    const std::vector<fact> facts = spent.facts("no dice", "Values", values);
    const auto plot = [&](std::size_t most, const tw::io::plot_options& size) {
        std::vector<tw::io::plot_panel> panels;
        for(std::size_t i = 0; i < all.size(); ++i) {
            panels.push_back(panel_of(all[i], forecasts[i], most));
        }
        return data_uri("image/svg+xml", tw::io::to_svg(panels, size));
    };
    const std::string picture = picture_element(
        "chart", plot(84, {.width = 680, .panel_height = 230}), plot(48, {.width = 360, .panel_height = 200}),
        "Two series and their forecasts, each with a band from the quantile 0.1 to 0.9 and, dotted, what came");
    return {.id = "numbers",
            .title = "Numbers",
            .lead =
                "Series continued, with how sure that is: the median, and a band that four of five values should be "
                "in. Dotted is what came in the end; the model had not seen it.",
            .columns = 7,
            .results = {{"passengers until 1959 and temperatures until 1938; a season of 12 months, 12 months to come",
                         picture, facts}}};
}

} // namespace gallery
