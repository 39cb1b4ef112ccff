// Attention in double: every score of a row, then its softmax, then the values.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <tokenworks/kernels/attention_options.hpp>

namespace reference {

struct attention_shape {
    std::size_t queries = 0;     ///< T
    std::size_t keys = 0;        ///< S
    std::size_t heads = 1;       ///< H
    std::size_t groups = 1;      ///< G
    std::size_t key_width = 1;   ///< D
    std::size_t value_width = 1; ///< Dv
};

/// q [T,H,D], k [S,G,D], v [S,G,Dv], all contiguous
inline std::vector<double> attention(const attention_shape& shape, const std::vector<float>& q,
                                     const std::vector<float>& k, const std::vector<float>& v,
                                     const tokenworks::kernels::attention_options& options) {
    std::vector<double> out(shape.queries * shape.heads * shape.value_width, 0.0);
    const double scale = options.scale != 0
                             ? static_cast<double>(options.scale)
                             : 1 / std::sqrt(static_cast<double>(std::max<std::size_t>(shape.key_width, 1)));
    for(std::size_t t = 0; t < shape.queries; ++t) {
        const std::size_t position = options.start + t;
        for(std::size_t h = 0; h < shape.heads; ++h) {
            const std::size_t g = h / (shape.heads / shape.groups);
            std::vector<double> scores;
            std::vector<std::size_t> seen;
            for(std::size_t s = 0; s < shape.keys; ++s) {
                if((options.causal && s > position) || (options.window != 0 && s + options.window <= position) ||
                   (!options.causal && s > position && s - position > options.ahead)) {
                    continue;
                }
                double score = 0;
                for(std::size_t d = 0; d < shape.key_width; ++d) {
                    score += static_cast<double>(q[(t * shape.heads + h) * shape.key_width + d]) *
                             static_cast<double>(k[(s * shape.groups + g) * shape.key_width + d]);
                }
                score *= scale;
                if(options.softcap != 0) {
                    score =
                        static_cast<double>(options.softcap) * std::tanh(score / static_cast<double>(options.softcap));
                }
                if(!options.alibi_slopes.empty()) {
                    score += static_cast<double>(options.alibi_slopes[h]) *
                             (static_cast<double>(s) - static_cast<double>(position));
                }
                if(!options.relative_bias.empty()) {
                    const auto reach = static_cast<std::ptrdiff_t>(options.relative_bias.extent(1) / 2);
                    const auto distance = static_cast<std::ptrdiff_t>(s) - static_cast<std::ptrdiff_t>(position);
                    score += static_cast<double>(options.relative_bias(
                        h, static_cast<std::size_t>(std::clamp(distance, -reach, reach) + reach)));
                }
                scores.push_back(score);
                seen.push_back(s);
            }
            const double nothing = -std::numeric_limits<double>::infinity();
            double most = options.sinks.empty() ? nothing : static_cast<double>(options.sinks[h]);
            for(const double score: scores) {
                most = std::max(most, score);
            }
            if(most == nothing) {
                continue;
            }
            double sum = options.sinks.empty() ? 0 : std::exp(static_cast<double>(options.sinks[h]) - most);
            double* to = out.data() + (t * shape.heads + h) * shape.value_width;
            for(std::size_t i = 0; i < seen.size(); ++i) {
                const double weight = std::exp(scores[i] - most);
                sum += weight;
                for(std::size_t c = 0; c < shape.value_width; ++c) {
                    to[c] += weight * static_cast<double>(v[(seen[i] * shape.groups + g) * shape.value_width + c]);
                }
            }
            for(std::size_t c = 0; c < shape.value_width; ++c) {
                to[c] /= sum;
            }
        }
    }
    return out;
}

} // namespace reference
