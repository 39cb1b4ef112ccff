// Numbers as tokens: a series is divided by its mean size, and each value is the bin that it falls into.
// Ansari et al., "Chronos: Learning the Language of Time Series", 2024, section 3.1; chronos-forecasting 2.3,
// MeanScaleUniformBins, whose ids these are.
//
//   const codec::value_bins space{{.low = -15, .high = 15, .bins = 4093, .special = 2}};
//   const float scale = space.scale_of(values);
//   auto ids = space.encode(values, scale);
//   float back = space.decode(ids[0], scale);
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/codec/token_space.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

struct value_bins_options {
    float low = -15; ///< centre of the lowest bin
    float high = 15; ///< and of the highest
    std::size_t bins = 0;
    std::size_t special = 0;  ///< ids before those of the bins; the first id behind them stays unused
    std::int32_t missing = 0; ///< of a value that is not known
};

/// The bins of all series. Immutable.
class value_bins {
public:
    /// @throws argument_error where the bounds are not finite and rising, there are fewer than 2 bins, or `missing` is
    ///         no special id
    explicit value_bins(const value_bins_options& options) : options_{options} {
        constexpr std::size_t most = std::size_t{1} << 28;
        if(!(options.low < options.high) || !std::isfinite(options.high - options.low) || options.bins < 2 ||
           options.bins > most || options.special > most || options.missing < 0 ||
           static_cast<std::size_t>(options.missing) >= options.special) {
            tokenworks::detail::raise<argument_error>({"value_bins: ", options.bins, " bins from ", options.low, " to ",
                                                       options.high, " behind ", options.special,
                                                       " ids, missing values being ", options.missing});
        }
        centers_.reserve(options.bins);
        for(std::size_t i = 0; i < options.bins; ++i) {
            centers_.push_back(center(i));
        }
        borders_.reserve(options.bins - 1);
        for(std::size_t i = 0; i + 1 < options.bins; ++i) {
            borders_.push_back((centers_[i + 1] + centers_[i]) / 2);
        }
    }

    /// V.
    [[nodiscard]] std::size_t vocab_size() const noexcept { return options_.special + 1 + options_.bins; }
    [[nodiscard]] const value_bins_options& options() const noexcept { return options_; }

    /// The mean size of the values that are known; 1 where that is none.
    [[nodiscard]] static float scale_of(std::span<const float> values) noexcept {
        double sum = 0;
        std::size_t known = 0;
        for(const float value: values) {
            if(!std::isnan(value)) {
                sum += std::abs(static_cast<double>(value));
                ++known;
            }
        }
        const auto scale = static_cast<float>(sum / static_cast<double>(known));
        return scale > 0 ? scale : 1.0F;
    }

    /// The id of a value; NaN is one that is not known. What is beyond the lowest or highest bin falls into it.
    [[nodiscard]] std::int32_t encode(float value, float scale) const noexcept {
        if(std::isnan(value)) {
            return options_.missing;
        }
        const auto bin = std::ranges::upper_bound(borders_, value / scale) - borders_.begin();
        return static_cast<std::int32_t>(options_.special + 1) + static_cast<std::int32_t>(bin);
    }
    [[nodiscard]] std::vector<std::int32_t> encode(std::span<const float> values, float scale) const {
        std::vector<std::int32_t> ids;
        ids.reserve(values.size());
        for(const float value: values) {
            ids.push_back(encode(value, scale));
        }
        return ids;
    }

    /// The centre of an id's bin; ids that stand for no bin count as the nearest.
    [[nodiscard]] float decode(std::int32_t id, float scale) const noexcept {
        const auto bin = static_cast<std::ptrdiff_t>(id) - static_cast<std::ptrdiff_t>(options_.special) - 1;
        const auto last = static_cast<std::ptrdiff_t>(centers_.size()) - 1;
        return centers_[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(bin, 0, last))] * scale;
    }

    /// Whether an id stands for a value: what may follow in a series.
    [[nodiscard]] bool is_value(std::int32_t id) const noexcept {
        return id > static_cast<std::int32_t>(options_.special) && static_cast<std::size_t>(id) < vocab_size();
    }

private:
    /// Even steps, counted from the nearer end: the borders are part of a model.
    [[nodiscard]] float center(std::size_t i) const noexcept {
        const float step = (options_.high - options_.low) / static_cast<float>(options_.bins - 1);
        return i < options_.bins / 2 ? options_.low + step * static_cast<float>(i)
                                     : options_.high - step * static_cast<float>(options_.bins - 1 - i);
    }

    value_bins_options options_;
    std::vector<float> centers_{};
    std::vector<float> borders_{};
};

/// The token space of one series: the bins, and what its values are divided by.
class scaled_bins {
public:
    using data = std::vector<float>;

    /// @param bins  must outlive it
    scaled_bins(const value_bins& bins, std::span<const float> series) noexcept
        : bins_{&bins}, scale_{value_bins::scale_of(series)} {}

    [[nodiscard]] float scale() const noexcept { return scale_; }
    [[nodiscard]] std::size_t vocab_size() const noexcept { return bins_->vocab_size(); }
    [[nodiscard]] std::vector<std::int32_t> encode(std::span<const float> values) const {
        return bins_->encode(values, scale_);
    }
    [[nodiscard]] data decode(std::span<const std::int32_t> ids) const {
        data values;
        values.reserve(ids.size());
        for(const std::int32_t id: ids) {
            values.push_back(bins_->decode(id, scale_));
        }
        return values;
    }

private:
    const value_bins* bins_;
    float scale_;
};

static_assert(token_space<scaled_bins>);

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
