// Positions as biases of scores: each head learns one for every bucket of distances, small distances a bucket each, the
// larger ones in steps that grow with the logarithm. Raffel et al., "Exploring the Limits of Transfer Learning", 2020;
// transformers 5.24, modeling_t5.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/models/model_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The bucket of a key that lies `distance` behind its query (before it where negative).
/// @param causal  keys behind a query are never seen, and all buckets are of those before it
[[nodiscard]] inline std::size_t relative_bucket(const relative_bias_config& config, std::ptrdiff_t distance,
                                                 bool causal) {
    const std::size_t count = causal ? config.buckets : config.buckets / 2;
    const std::size_t side = !causal && distance > 0 ? count : 0;
    const auto far = static_cast<std::size_t>(causal ? std::max<std::ptrdiff_t>(0, -distance) : std::abs(distance));
    const std::size_t exact = count / 2;
    if(far < exact) {
        return side + far;
    }
    // In float, rounded as torch does it: the borders of the buckets are part of the model.
    const auto start = static_cast<float>(exact);
    const auto octaves =
        static_cast<float>(std::log(static_cast<double>(config.max_distance) / static_cast<double>(exact)));
    const float step = std::log(static_cast<float>(far) / start) / octaves * static_cast<float>(count - exact);
    return side + std::min(count - 1, exact + static_cast<std::size_t>(step));
}

/// The biases of every distance up to max_distance, [H,2R+1].
/// @param table  [buckets,H]
[[nodiscard]] inline std::shared_ptr<const std::vector<float>>
relative_bias(const relative_bias_config& config, std::span<const float> table, std::size_t heads, bool causal) {
    const auto reach = static_cast<std::ptrdiff_t>(config.max_distance);
    const std::size_t width = 2 * config.max_distance + 1;
    auto biases = std::make_shared<std::vector<float>>(heads * width);
    for(std::size_t i = 0; i < width; ++i) {
        const std::size_t bucket = relative_bucket(config, static_cast<std::ptrdiff_t>(i) - reach, causal);
        for(std::size_t h = 0; h < heads; ++h) {
            (*biases)[h * width + i] = table[bucket * heads + h];
        }
    }
    return biases;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
