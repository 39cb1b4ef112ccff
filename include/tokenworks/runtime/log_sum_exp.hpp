// What turns logits into logarithms of probabilities: log p(i) = logits[i] - log_sum_exp(logits).
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// The natural logarithm of the sum of exponentials, in double precision.
/// @param logits  [V], at least one
[[nodiscard]] inline double log_sum_exp(std::span<const float> logits) {
    const auto most = static_cast<double>(*std::ranges::max_element(logits));
    double sum = 0;
    for(const float each: logits) {
        sum += std::exp(static_cast<double>(each) - most);
    }
    return most + std::log(sum);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
