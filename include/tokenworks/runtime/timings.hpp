// How long a generation took, prompt and continuation apart.
#pragma once

#include <chrono>
#include <cstddef>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

struct timings {
    std::size_t prompt_tokens = 0;    ///< run through the model so far
    double prefill_seconds = 0;       ///< spent on them
    std::size_t generated_tokens = 0; ///< chosen so far
    double decode_seconds = 0;        ///< spent on choosing them, and on running all but the last through the model

    [[nodiscard]] double prefill_tokens_per_second() const noexcept {
        return prefill_seconds > 0 ? static_cast<double>(prompt_tokens) / prefill_seconds : 0;
    }
    /// Of the tokens after the first, which comes out of the prompt's pass.
    [[nodiscard]] double decode_tokens_per_second() const noexcept {
        return decode_seconds > 0 && generated_tokens > 1 ? static_cast<double>(generated_tokens - 1) / decode_seconds
                                                          : 0;
    }
};

/// Adds the seconds that it lives to a sum.
class stopwatch {
public:
    explicit stopwatch(double& seconds) noexcept : seconds_{seconds} {}
    stopwatch(const stopwatch&) = delete;
    stopwatch& operator=(const stopwatch&) = delete;
    ~stopwatch() { seconds_ += std::chrono::duration<double>(clock::now() - start_).count(); }

private:
    using clock = std::chrono::steady_clock;

    double& seconds_;
    clock::time_point start_ = clock::now();
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
