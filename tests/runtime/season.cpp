#include <tokenworks/runtime/season.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include <tokenworks/core/random.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::runtime::season;

namespace {

const std::vector<std::size_t> usual{4, 7, 12, 24, 52};
constexpr std::array<double, 12> shape{-20, -15, -3, 0, 2, 8, 16, 21, 9, -1, -9, -8};

/// A level, a slope, a pattern of 12 that is added or multiplied, and a little noise.
std::vector<float> monthly(std::size_t count, bool factor, double noise = 0.5) {
    tw::philox random{5};
    std::vector<float> values;
    for(std::size_t i = 0; i < count; ++i) {
        const double level = 100 + static_cast<double>(i);
        const double pattern = shape[i % 12];
        const double wobble = noise * (static_cast<double>(random()) / 4294967296.0 - 0.5);
        values.push_back(static_cast<float>((factor ? level * (1 + pattern / 50) : level + pattern) + wobble));
    }
    return values;
}

} // namespace

TEST_CASE("season: patterns that are added and multiplied, taken out and put back", "[runtime]") {
    for(const bool factor: {false, true}) {
        INFO("factor " << factor);
        std::vector<float> values = monthly(84, factor);
        const std::vector<float> original = values;
        const std::optional<season> found = season::find(values, usual);
        REQUIRE(found);
        CHECK(found->period() == 12);
        CHECK(found->is_factor() == factor);
        CHECK(found->strength() > 0.95);
        found->remove(values);
        for(std::size_t i = 1; i < values.size(); ++i) { // what is left rises by one
            CHECK(std::abs(values[i] - values[i - 1] - 1) < 3);
        }
        found->restore(values, 0);
        for(std::size_t i = 0; i < values.size(); ++i) {
            CHECK(values[i] == Approx(original[i]).epsilon(1e-5));
        }
        std::vector<float> next(3, 200.0F); // the places behind the series
        found->restore(next, values.size());
        for(std::size_t i = 0; i < next.size(); ++i) {
            // A factor's mean is one of logarithms.
            const double of_next =
                factor ? (1 + shape[i] / 50) / (1 + shape[0] / 50) * static_cast<double>(next[0]) : 200 + shape[i];
            CHECK(next[i] == Approx(of_next).margin(3));
        }
    }
}

TEST_CASE("season: values that are not known, and series with none", "[runtime]") {
    std::vector<float> values = monthly(60, false);
    for(const std::size_t i: {3U, 17U, 18U, 19U, 40U}) {
        values[i] = std::numeric_limits<float>::quiet_NaN();
    }
    const std::optional<season> found = season::find(values, usual);
    REQUIRE(found);
    CHECK(found->period() == 12);
    found->remove(values);
    CHECK(std::isnan(values[17]));
    // Chance, a line, a level, too short, nothing.
    tw::philox random{9};
    std::vector<float> noise;
    std::vector<float> line;
    for(std::size_t i = 0; i < 120; ++i) {
        noise.push_back(static_cast<float>(random()));
        line.push_back(static_cast<float>(i) * 0.25F);
    }
    CHECK_FALSE(season::find(noise, usual));
    CHECK_FALSE(season::find(line, usual));
    CHECK_FALSE(season::find(std::vector<float>(50, 3.0F), usual));
    CHECK_FALSE(season::find(monthly(9, false), std::vector<std::size_t>{12}));
    CHECK_FALSE(season::find(std::vector<float>{}, usual));
    CHECK_FALSE(season::find(std::vector<float>(50, std::numeric_limits<float>::quiet_NaN()), usual));
    CHECK_FALSE(season::find(monthly(60, false), std::vector<std::size_t>{0, 1, 1000}));
}
