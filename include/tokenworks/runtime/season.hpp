// A season of a series: found, taken out before a model sees the series, and put back into what follows.
//
//   if(const auto season = runtime::season::find(values, periods)) season->remove(values);
//
// The classical way: what is left when a moving average over one period is taken away, averaged place by place, late
// cycles counting more. A pattern is added or, where that explains more of a series above zero, multiplied. Kendall and
// Stuart, "The Advanced Theory of Statistics", vol. 3, 1983; R's `decompose` does the same without the weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// A pattern that repeats.
class season {
public:
    /// Share of the variance around the moving average that a pattern must explain, its number of values allowed for.
    static constexpr double least_strength = 0.25;
    static constexpr double decay = 0.85; ///< of a cycle's weight for each that follows

    /// The strongest of some periods. A longer one must explain a fiftieth more than a shorter.
    /// @param values   NaN where one is not known
    /// @param periods  rising; those that the series does not hold twice are passed over
    [[nodiscard]] static std::optional<season> find(std::span<const float> values,
                                                    std::span<const std::size_t> periods) {
        std::vector<double> plain(values.begin(), values.end());
        std::vector<double> logs(plain.size());
        bool positive = true;
        for(std::size_t i = 0; i < plain.size(); ++i) {
            positive = positive && !(plain[i] <= 0);
            logs[i] = std::log(plain[i]);
        }
        std::optional<season> best;
        for(const std::size_t period: periods) {
            if(period < 2 || plain.size() < 2 || period > (plain.size() - 2) / 2) {
                continue;
            }
            for(const bool factor: {false, true}) {
                if(factor && !positive) {
                    continue;
                }
                std::optional<season> one = pattern_of(factor ? logs : plain, period, factor);
                const double more = best && best->period() < period ? 0.02 : 0;
                if(one && one->strength_ > one->by_chance_ &&
                   one->strength_ > (best ? best->strength_ : least_strength) + more) {
                    best = std::move(one);
                }
            }
        }
        return best;
    }

    [[nodiscard]] std::size_t period() const noexcept { return pattern_.size(); }
    /// Whether values are multiplied by the pattern; else it is added.
    [[nodiscard]] bool is_factor() const noexcept { return factor_; }
    [[nodiscard]] double strength() const noexcept { return strength_; }

    /// Takes it out of the series that it was found in.
    void remove(std::span<float> values) const {
        for(std::size_t i = 0; i < values.size(); ++i) {
            const double at = pattern_[i % period()];
            values[i] =
                static_cast<float>(factor_ ? static_cast<double>(values[i]) / at : static_cast<double>(values[i]) - at);
        }
    }
    /// Puts it back into values of which the first stands at that place of the series.
    void restore(std::span<float> values, std::size_t place) const {
        for(std::size_t i = 0; i < values.size(); ++i) {
            const double at = pattern_[(place + i) % period()];
            values[i] =
                static_cast<float>(factor_ ? static_cast<double>(values[i]) * at : static_cast<double>(values[i]) + at);
        }
    }

private:
    season(std::vector<double> pattern, double strength, double by_chance, bool factor)
        : pattern_{std::move(pattern)}, strength_{strength}, by_chance_{by_chance}, factor_{factor} {}

    /// Values less the mean of the period around each; NaN at both ends, and where half of the period is not known.
    [[nodiscard]] static std::vector<double> without_trend(std::span<const double> values, std::size_t period) {
        const std::size_t half = period / 2;
        const std::size_t taps = 2 * half + 1;
        std::vector<double> out(values.size(), std::numeric_limits<double>::quiet_NaN());
        for(std::size_t i = half; i + half < values.size(); ++i) {
            double sum = 0;
            double weight = 0;
            for(std::size_t k = 0; k < taps; ++k) {
                const double value = values[i - half + k];
                // Of an even period the ends count half.
                const double share = period % 2 == 0 && (k == 0 || k + 1 == taps) ? 0.5 : 1;
                if(!std::isnan(value)) {
                    sum += share * value;
                    weight += share;
                }
            }
            if(2 * weight >= static_cast<double>(period)) {
                out[i] = values[i] - sum / weight;
            }
        }
        return out;
    }

    [[nodiscard]] static std::optional<season> pattern_of(std::span<const double> values, std::size_t period,
                                                          bool factor) {
        const std::vector<double> rest = without_trend(values, period);
        std::vector<double> sums(period);
        std::vector<double> weights(period);
        double squares = 0;
        std::size_t known = 0;
        for(std::size_t i = 0; i < rest.size(); ++i) {
            if(!std::isnan(rest[i])) {
                const std::size_t periods_ago = (rest.size() - 1 - i) / period;
                const double weight = std::pow(decay, static_cast<double>(periods_ago));
                sums[i % period] += weight * rest[i];
                weights[i % period] += weight;
                squares += rest[i] * rest[i];
                ++known;
            }
        }
        if(known <= period + 1 || std::ranges::any_of(weights, [](double w) { return !(w > 0); })) {
            return std::nullopt;
        }
        double mean = 0;
        for(std::size_t k = 0; k < period; ++k) {
            sums[k] /= weights[k];
            mean += sums[k] / static_cast<double>(period);
        }
        double left = 0;
        for(std::size_t i = 0; i < rest.size(); ++i) {
            const double miss = rest[i] - (sums[i % period] - mean);
            left += std::isnan(miss) ? 0 : miss * miss;
        }
        const double before = squares / static_cast<double>(known - 1);
        const double after = left / static_cast<double>(known - period);
        if(!(before > 0) || !std::isfinite(before)) {
            return std::nullopt;
        }
        for(double& each: sums) {
            each = factor ? std::exp(each - mean) : each - mean;
        }
        const auto p = static_cast<double>(period);
        const auto n = static_cast<double>(known);
        return season{std::move(sums), 1 - after / before, 3 * std::sqrt(2 * p / ((n - p) * n)), factor};
    }

    std::vector<double> pattern_;
    double strength_;
    double by_chance_; ///< three deviations of what noise alone reaches
    bool factor_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
