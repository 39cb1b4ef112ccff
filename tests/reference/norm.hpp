// Normalisations in double, one row.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace reference {

/// weight may be empty
inline std::vector<double> rms_norm(std::span<const float> x, std::span<const float> weight, double epsilon,
                                    double weight_offset = 0) {
    double squares = 0;
    for(const float value: x) {
        squares += static_cast<double>(value) * static_cast<double>(value);
    }
    const double root = std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
    std::vector<double> out;
    for(std::size_t i = 0; i < x.size(); ++i) {
        out.push_back(static_cast<double>(x[i]) / root *
                      (weight.empty() ? 1.0 : static_cast<double>(weight[i]) + weight_offset));
    }
    return out;
}

/// weight and bias may be empty
inline std::vector<double> layer_norm(std::span<const float> x, std::span<const float> weight,
                                      std::span<const float> bias, double epsilon) {
    const auto count = static_cast<double>(x.size());
    double mean = 0;
    for(const float value: x) {
        mean += static_cast<double>(value) / count;
    }
    double variance = 0;
    for(const float value: x) {
        variance += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean) / count;
    }
    std::vector<double> out;
    for(std::size_t i = 0; i < x.size(); ++i) {
        const double unit = (static_cast<double>(x[i]) - mean) / std::sqrt(variance + epsilon);
        out.push_back(unit * (weight.empty() ? 1.0 : static_cast<double>(weight[i])) +
                      (bias.empty() ? 0.0 : static_cast<double>(bias[i])));
    }
    return out;
}

} // namespace reference
