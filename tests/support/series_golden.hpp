// Series of tests/golden/forecasters, made by tools/golden/forecasters.py.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/family_golden.hpp"

namespace support {

inline const std::string forecasters = "forecasters";

/// NaN stands for null.
[[nodiscard]] inline std::vector<std::vector<float>> series_of(const family_golden& golden) {
    std::vector<std::vector<float>> all;
    for(const nlohmann::json& row: golden.more.at("series")) {
        std::vector<float>& values = all.emplace_back();
        for(const nlohmann::json& value: row) {
            values.push_back(value.is_null() ? std::numeric_limits<float>::quiet_NaN() : value.get<float>());
        }
    }
    return all;
}

/// The largest difference, as a part of how far the expected values spread.
[[nodiscard]] inline double worst_of_spread(std::span<const float> of, std::span<const float> expected,
                                            double least_spread = 1) {
    const auto [low, high] = std::ranges::minmax(expected);
    const double spread = std::max(least_spread, static_cast<double>(high) - static_cast<double>(low));
    double worst = of.size() == expected.size() ? 0 : INFINITY;
    for(std::size_t i = 0; i < std::min(of.size(), expected.size()); ++i) {
        const double difference = std::abs(static_cast<double>(of[i]) - static_cast<double>(expected[i]));
        worst = std::isfinite(difference) ? std::max(worst, difference / spread) : INFINITY;
    }
    return worst;
}

} // namespace support
