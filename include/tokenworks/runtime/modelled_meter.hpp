// How much energy a program has likely used where no counter of the machine can be read: watts times seconds.
//
//   runtime::modelled_meter meter;
//   const runtime::energy_span work{meter};
//   model.generate("Why is the sky blue?").text();
//   std::cout << work.joules().value() << " J " << to_string(meter.source) << '\n';
//
// A line through two points: what the machine takes when it does nothing, and what a processor that works adds. That is
// how accounts of clouds are made up, and it is no measurement: memory traffic, vector instructions and clock rates
// change what a busy second takes by a factor of two or so. Numbers of one machine compare well with each other, of
// different machines not at all. A machine with counters gives better constants for others of its kind: calibrate().
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <ctime>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/runtime/energy_meter.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// What a second takes.
struct energy_constants {
    /// Watts that a busy logical processor adds to one that does nothing. 2.76 = 3.50 - 0.74: the means over the
    /// servers that Amazon's cloud is known to use, at full load and idle, a logical processor, as the methodology of
    /// Cloud Carbon Footprint has them (appendix I, "Energy coefficients", 2023), out of SPECpower_ssj2008's results.
    double busy_watts = 2.76;
    /// Watts that are taken whatever happens. Nothing unless the caller says so: a machine that would be on anyway, or
    /// that others use, takes them without this program. The same source has 0.74 for each logical processor.
    double idle_watts = 0;
};

/// Seconds, from any beginning, that do not go back.
struct energy_clock {
    std::function<double()> processor_seconds; ///< of all threads of this process
    std::function<double()> wall_seconds;
};

/// Those of the system: std::clock, which POSIX says counts the process's processor time, and steady_clock.
[[nodiscard]] inline energy_clock system_energy_clock() {
    return {[] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; },
            [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }};
}

/// joules = busy_watts * processor seconds of this process + idle_watts * seconds, since the meter was made.
class modelled_meter {
public:
    static constexpr energy_source source = energy_source::modelled;

    /// @throws argument_error for watts that are negative or not finite
    explicit modelled_meter(energy_constants watts = {}, energy_clock clock = system_energy_clock())
        : watts_{watts},
          clock_{std::move(clock)},
          processor_{clock_.processor_seconds()},
          wall_{clock_.wall_seconds()} {
        for(const double each: {watts.busy_watts, watts.idle_watts}) {
            if(!(each >= 0) || !std::isfinite(each)) {
                tokenworks::detail::raise<argument_error>(
                    {"modelled_meter: ", std::to_string(each), " watts are negative or not finite"});
            }
        }
    }

    [[nodiscard]] std::optional<double> joules() {
        const double now = watts_.busy_watts * (clock_.processor_seconds() - processor_) +
                           watts_.idle_watts * (clock_.wall_seconds() - wall_);
        joules_ = std::max(joules_, now);
        return joules_;
    }
    [[nodiscard]] const energy_constants& watts() const noexcept { return watts_; }

private:
    energy_constants watts_;
    energy_clock clock_;
    double processor_ = 0;
    double wall_ = 0;
    double joules_ = 0;
};

/// What a meter counted while a process worked: a point that constants are fitted to.
struct energy_sample {
    double processor_seconds = 0;
    double wall_seconds = 0;
    double joules = 0;
};

/// The constants of least squares of the relative errors, none of them negative:
///   joules / wall = busy * processor / wall + idle
/// @throws argument_error for a sample without time, or of negative or not finite numbers; and where all samples were
///         equally busy, which tells nothing about idle and busy apart
[[nodiscard]] inline energy_constants fit_energy(std::span<const energy_sample> samples) {
    double n = 0;
    double x = 0;
    double y = 0;
    double xx = 0;
    double xy = 0;
    for(const energy_sample& each: samples) {
        const bool is_fine = each.wall_seconds > 0 && each.processor_seconds >= 0 && each.joules >= 0 &&
                             std::isfinite(each.wall_seconds + each.processor_seconds + each.joules);
        if(!is_fine) {
            tokenworks::detail::raise<argument_error>(
                {"fit_energy: a sample without time, or with numbers below zero"});
        }
        const double busy = each.processor_seconds / each.wall_seconds;
        const double power = each.joules / each.wall_seconds;
        n += 1;
        x += busy;
        y += power;
        xx += busy * busy;
        xy += busy * power;
    }
    const double spread = n * xx - x * x;
    if(!(spread > 1e-6 * std::max(1.0, n * xx))) {
        tokenworks::detail::raise<argument_error>({"fit_energy: the samples are all equally busy"});
    }
    const double slope = (n * xy - x * y) / spread;
    const double idle = (y - slope * x) / n;
    if(slope < 0) {
        return {0, y / n};
    }
    return idle < 0 ? energy_constants{xy / xx, 0} : energy_constants{slope, idle};
}

struct calibration_options {
    double seconds = 1;      ///< of each of the samples
    std::size_t threads = 1; ///< busy ones: samples are taken with none, half and all of them
    std::size_t rounds = 2;
    /// Keeps so many threads busy for so long; nothing: loops of multiplications.
    std::function<void(std::size_t threads, double seconds)> work{};
    energy_clock clock = system_energy_clock();
};

namespace detail {

/// Keeps threads busy, or waits where there are to be none.
inline void spin(std::size_t threads, double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    if(threads == 0) {
        std::this_thread::sleep_until(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(end));
        return;
    }
    const auto loop = [end] {
        std::atomic<float> sink{0};
        float sums[16]{};
        while(std::chrono::steady_clock::now() < end) {
            for(int i = 0; i < 10'000; ++i) {
                for(float& sum: sums) {
                    sum = sum * 0.999F + 1.0F;
                }
            }
            sink.store(sums[0], std::memory_order_relaxed);
        }
    };
    std::vector<std::jthread> others;
    for(std::size_t i = 1; i < threads; ++i) {
        others.emplace_back(loop);
    }
    loop();
}

} // namespace detail

/// The constants of this machine, by a meter that measures. Takes 3 * rounds * seconds; what other programs do
/// meanwhile is counted as idle.
/// @returns nothing where the meter tells nothing
/// @throws argument_error for no thread, no round or no time; and as fit_energy
template <energy_meter M>
[[nodiscard]] std::optional<energy_constants> calibrate(M& meter, const calibration_options& options = {}) {
    if(options.threads == 0 || options.rounds == 0 || !(options.seconds > 0) || !std::isfinite(options.seconds)) {
        tokenworks::detail::raise<argument_error>({"calibrate: needs a thread, a round and some seconds"});
    }
    std::vector<energy_sample> samples;
    for(std::size_t i = 0; i < 3 * options.rounds; ++i) {
        const std::size_t threads = options.threads * (i % 3) / 2;
        const energy_span spent{meter};
        const double processor = options.clock.processor_seconds();
        const double wall = options.clock.wall_seconds();
        options.work ? options.work(threads, options.seconds) : detail::spin(threads, options.seconds);
        const std::optional<double> joules = spent.joules();
        if(!joules) {
            return std::nullopt;
        }
        samples.push_back(
            {options.clock.processor_seconds() - processor, options.clock.wall_seconds() - wall, *joules});
    }
    return fit_energy(samples);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
