// Makes tokens less likely that came lately: repetition, frequency and presence penalties, as llama.cpp has them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

struct penalty_options {
    std::int64_t last_n = 64; ///< tokens looked back on, prompt included; 0: none, -1: all
    float repeat = 1.0F;      ///< divides a positive logit, multiplies a negative one; 1: off
    float frequency = 0.0F;   ///< subtracted once for each time the token came; 0: off
    float presence = 0.0F;    ///< subtracted once if the token came; 0: off
};

/// The logit of a token that came n > 0 times among the last ones:
///   logit = (logit > 0 ? logit / repeat : logit * repeat) - n * frequency - presence
/// @see Keskar et al., "CTRL" (2019), section 4.1, for the first; llama.cpp's llama_sampler_init_penalties for all
[[nodiscard]] inline float penalised(float logit, std::size_t n, const penalty_options& by) noexcept {
    const float scaled = logit > 0 ? logit / by.repeat : logit * by.repeat;
    return scaled - (static_cast<float>(n) * by.frequency + by.presence);
}

/// Penalises all tokens that came among the last ones.
class penalties {
public:
    /// @throws argument_error unless repeat > 0, last_n >= -1 and all are finite
    explicit penalties(const penalty_options& options) : options_{options} {
        if(!(options.repeat > 0) || !std::isfinite(options.repeat)) {
            tokenworks::detail::raise<argument_error>({"penalties: repeat is ", options.repeat, ", must be above 0"});
        }
        if(!std::isfinite(options.frequency) || !std::isfinite(options.presence)) {
            tokenworks::detail::raise<argument_error>({"penalties: frequency and presence must be finite"});
        }
        if(options.last_n < -1) {
            tokenworks::detail::raise<argument_error>(
                {"penalties: last_n is ", options.last_n, ", must be at least -1"});
        }
    }

    /// False where no setting changes a logit.
    [[nodiscard]] bool active() const noexcept {
        const auto is = [](float value, float off) { return !(value < off) && !(value > off); };
        return options_.last_n != 0 &&
               !(is(options_.repeat, 1) && is(options_.frequency, 0) && is(options_.presence, 0));
    }

    /// Tokens of the history that are not in the vocabulary are passed over.
    void operator()(candidates& c, const step& s) const {
        if(!active()) {
            return;
        }
        const std::size_t window = options_.last_n < 0
                                       ? s.history.size()
                                       : std::min(s.history.size(), static_cast<std::size_t>(options_.last_n));
        auto& memory = c.scratch();
        memory.reserve(2 * std::max(window, most_reserved())); // twice: the ids, then their counts
        memory.clear();
        for(const token_id id: s.history.last(window)) {
            if(id >= 0 && static_cast<std::size_t>(id) < c.vocab_size()) {
                memory.push_back(id);
            }
        }
        std::sort(memory.begin(), memory.end());
        const std::size_t total = memory.size();
        memory.resize(2 * total);
        std::size_t different = 0;
        for(std::size_t i = 0; i < total; ++i) {
            if(i == 0 || memory[i] != memory[different - 1]) {
                memory[different] = memory[i];
                memory[total + different++] = 0;
            }
            ++memory[total + different - 1];
        }
        c.transform_only({memory.data(), different}, [&](std::size_t n, float logit) {
            return penalised(logit, static_cast<std::size_t>(memory[total + n]), options_);
        });
    }

private:
    /// So that a window that grows with the history does not take new memory at every step.
    [[nodiscard]] std::size_t most_reserved() const noexcept {
        constexpr std::int64_t most = 16384;
        return static_cast<std::size_t>(options_.last_n < 0 ? most : std::min(options_.last_n, most));
    }

    penalty_options options_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
