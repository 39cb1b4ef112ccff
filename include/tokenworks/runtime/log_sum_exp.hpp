// Logarithms of probabilities, of a model's logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/request.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// The natural logarithm of the sum of exponentials, in double precision.
[[nodiscard]] inline double log_sum_exp(std::span<const float> logits) {
    const float most = *std::ranges::max_element(logits);
    double sum = 0;
    for(const float each: logits) {
        sum += std::exp(static_cast<double>(each) - static_cast<double>(most));
    }
    return std::log(sum) + static_cast<double>(most);
}

/// The k likeliest tokens, best first, lower ids first among equals. Keeps the vector's memory.
inline void find_likeliest(std::span<const float> logits, double total, std::size_t k,
                           std::vector<token_logprob>& best) {
    best.clear();
    const auto comes_before = [](const token_logprob& a, const token_logprob& b) {
        return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
    };
    for(std::size_t i = 0; i < logits.size() && k != 0; ++i) {
        if(best.size() == k && !(logits[i] > best.back().logprob)) {
            continue;
        }
        const token_logprob next{static_cast<token_id>(i), logits[i]};
        if(best.size() == k) {
            best.pop_back();
        }
        best.insert(std::ranges::upper_bound(best, next, comes_before), next);
    }
    for(token_logprob& each: best) {
        each.logprob = static_cast<float>(static_cast<double>(each.logprob) - total);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
