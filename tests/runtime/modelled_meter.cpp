#include <tokenworks/runtime/modelled_meter.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
namespace rt = tokenworks::runtime;

namespace {

/// Time as a test wants it.
struct fake_time {
    double processor = 100;
    double wall = 5000;
    [[nodiscard]] rt::energy_clock clock() {
        return {[this] { return processor; }, [this] { return wall; }};
    }
};

/// A machine that takes what it is told to.
struct fake_counters {
    static constexpr rt::energy_source source = rt::energy_source::measured;
    fake_time* time;
    rt::energy_constants watts;
    bool works = true;
    std::optional<double> joules() const {
        return works ? std::optional{watts.busy_watts * time->processor + watts.idle_watts * time->wall} : std::nullopt;
    }
};

static_assert(rt::energy_meter<rt::modelled_meter>);
static_assert(rt::modelled_meter::source == rt::energy_source::modelled);

} // namespace

TEST_CASE("modelled_meter: watts times seconds, since it was made", "[runtime]") {
    fake_time time;
    rt::modelled_meter meter{{.busy_watts = 3, .idle_watts = 0.5}, time.clock()};
    CHECK(meter.joules() == 0.0);
    time.wall += 2;
    CHECK(meter.joules().value() == Approx(1));
    time.processor += 4;
    CHECK(meter.joules().value() == Approx(13));
    const rt::energy_span work{meter};
    time.processor += 1;
    time.wall += 1;
    CHECK(work.joules().value() == Approx(3.5));
    time.processor = 0; // a clock that goes back takes nothing back
    CHECK(meter.joules().value() == Approx(16.5));
}

TEST_CASE("modelled_meter: the processor time of this process", "[runtime]") {
    rt::modelled_meter meter{{.busy_watts = 2, .idle_watts = 0}};
    rt::detail::spin(1, 0.05);
    const double spun = meter.joules().value();
    CHECK(spun > 0);
    rt::detail::spin(0, 0.02);
    CHECK(meter.joules().value() >= spun);
    CHECK(rt::modelled_meter{}.watts().busy_watts > 0);
}

TEST_CASE("modelled_meter: watts that are none", "[runtime]") {
    CHECK_THROWS_AS(rt::modelled_meter({.busy_watts = -1}), tw::argument_error);
    CHECK_THROWS_AS(rt::modelled_meter({.idle_watts = std::numeric_limits<double>::quiet_NaN()}), tw::argument_error);
    CHECK_THROWS_AS(rt::modelled_meter({.idle_watts = std::numeric_limits<double>::infinity()}), tw::argument_error);
}

TEST_CASE("modelled_meter: constants are found again from what they made", "[runtime]") {
    std::vector<rt::energy_sample> samples;
    for(const double busy: {0.0, 1.0, 2.0, 1.5}) {
        const double wall = 1 + busy; // of unequal lengths
        samples.push_back({busy * wall, wall, 2.5 * busy * wall + 7 * wall});
    }
    const rt::energy_constants found = rt::fit_energy(samples);
    CHECK(found.busy_watts == Approx(2.5));
    CHECK(found.idle_watts == Approx(7));

    // No constant falls below zero: the other one alone is fitted.
    const std::vector<rt::energy_sample> steep{{0, 1, 0}, {1, 1, 1}, {2, 1, 4}};
    CHECK(rt::fit_energy(steep).idle_watts == 0);
    CHECK(rt::fit_energy(steep).busy_watts == Approx(9.0 / 5));
    const std::vector<rt::energy_sample> falling{{0, 1, 3}, {1, 1, 1}};
    CHECK(rt::fit_energy(falling).busy_watts == 0);
    CHECK(rt::fit_energy(falling).idle_watts == Approx(2));

    CHECK_THROWS_AS(rt::fit_energy({}), tw::argument_error);
    const std::vector<rt::energy_sample> alike{{1, 1, 3}, {2, 2, 6}};
    CHECK_THROWS_AS(rt::fit_energy(alike), tw::argument_error);
    const std::vector<rt::energy_sample> timeless{{0, 1, 3}, {1, 0, 6}};
    CHECK_THROWS_AS(rt::fit_energy(timeless), tw::argument_error);
    const std::vector<rt::energy_sample> negative{{0, 1, -3}, {1, 1, 6}};
    CHECK_THROWS_AS(rt::fit_energy(negative), tw::argument_error);
}

TEST_CASE("modelled_meter: calibrated by a meter that measures", "[runtime]") {
    fake_time time;
    fake_counters counters{&time, {.busy_watts = 4, .idle_watts = 11}};
    std::vector<std::size_t> asked;
    rt::calibration_options options{.seconds = 0.5, .threads = 4, .rounds = 2, .clock = time.clock()};
    options.work = [&](std::size_t threads, double seconds) {
        asked.push_back(threads);
        time.processor += static_cast<double>(threads) * seconds;
        time.wall += seconds;
    };
    const auto found = rt::calibrate(counters, options);
    REQUIRE(found);
    CHECK(found->busy_watts == Approx(4));
    CHECK(found->idle_watts == Approx(11));
    CHECK(asked == std::vector<std::size_t>{0, 2, 4, 0, 2, 4});

    counters.works = false;
    CHECK_FALSE(rt::calibrate(counters, options));
    options.threads = 0;
    CHECK_THROWS_AS(rt::calibrate(counters, options), tw::argument_error);

    // By this process's own clock: a model of the machine is found again.
    rt::modelled_meter model{{.busy_watts = 5, .idle_watts = 3}};
    const auto again = rt::calibrate(model, {.seconds = 0.02, .threads = 2, .rounds = 1});
    REQUIRE(again);
    CHECK(again->busy_watts == Approx(5).margin(0.5));
    CHECK(again->idle_watts == Approx(3).margin(1));
}
