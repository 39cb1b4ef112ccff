// Softmax and its logarithm in double, one row.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace reference {

inline std::vector<double> log_softmax(std::span<const float> x) {
    double most = -std::numeric_limits<double>::infinity();
    for(const float value: x) {
        most = std::max(most, static_cast<double>(value));
    }
    double sum = 0;
    for(const float value: x) {
        sum += std::exp(static_cast<double>(value) - most);
    }
    std::vector<double> out;
    for(const float value: x) {
        out.push_back(static_cast<double>(value) - most - std::log(sum));
    }
    return out;
}

inline std::vector<double> softmax(std::span<const float> x) {
    std::vector<double> out = log_softmax(x);
    for(double& value: out) {
        value = std::exp(value);
    }
    return out;
}

} // namespace reference
