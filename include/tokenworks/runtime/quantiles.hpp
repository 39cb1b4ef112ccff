// Quantiles of values, and values between known quantiles.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// The quantile of values, on a line between the two nearest: place level * (n - 1), as torch.quantile and numpy have
/// it.
/// @param sorted  rising, not empty   @param level  0 … 1
[[nodiscard]] inline float sorted_quantile(std::span<const float> sorted, float level) {
    const double place = static_cast<double>(level) * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(place));
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    const double share = place - static_cast<double>(below);
    return static_cast<float>(static_cast<double>(sorted[below]) * (1 - share) +
                              static_cast<double>(sorted[above]) * share);
}

/// The value at a level, on a line between those of the nearest levels; beyond the outermost, theirs.
/// @param levels  rising   @param values  as many
[[nodiscard]] inline float value_at_level(std::span<const float> levels, std::span<const float> values, float level) {
    constexpr float same = 1e-6F;
    const auto above = static_cast<std::size_t>(std::ranges::lower_bound(levels, level - same) - levels.begin());
    if(above == levels.size()) {
        return values.back();
    }
    if(above == 0 || levels[above] <= level + same) {
        return values[above];
    }
    const float share = (level - levels[above - 1]) / (levels[above] - levels[above - 1]);
    return values[above - 1] + (values[above] - values[above - 1]) * share;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
