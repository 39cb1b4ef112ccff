// The samplers again, in double and by full sorts: what tests/sampling compares with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include <tokenworks/sampling/candidates.hpp>

namespace reference {

using tokenworks::sampling::candidate;
using tokenworks::sampling::candidates;
using tokenworks::sampling::token_id;

/// Logits of a vocabulary: normal with deviation 3, on a grid of 1/grid (a coarse grid has many ties), and every
/// banned-th one -infinity (0: none).
inline std::vector<float> random_logits(std::size_t vocab, unsigned seed, float grid, std::size_t banned = 0) {
    std::mt19937 engine{seed};
    std::normal_distribution<float> normal{0.0F, 3.0F};
    std::vector<float> logits(vocab);
    for(std::size_t i = 0; i < vocab; ++i) {
        const bool ban = banned != 0 && i % banned == banned - 1;
        const float x = std::round(normal(engine) * grid) / grid;
        logits[i] = ban ? -std::numeric_limits<float>::infinity() : x;
    }
    return logits;
}

/// The finite entries, best first.
inline std::vector<candidate> sorted(std::span<const float> logits) {
    std::vector<candidate> all;
    for(std::size_t i = 0; i < logits.size(); ++i) {
        if(std::isfinite(logits[i])) {
            all.push_back({static_cast<token_id>(i), logits[i]});
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const candidate& a, const candidate& b) { return a.logit > b.logit; });
    return all;
}

inline std::vector<double> probabilities(std::span<const candidate> entries) {
    double top = -std::numeric_limits<double>::infinity();
    for(const candidate& c: entries) {
        top = std::max(top, static_cast<double>(c.logit));
    }
    std::vector<double> p;
    double sum = 0;
    for(const candidate& c: entries) {
        p.push_back(std::exp(static_cast<double>(c.logit) - top));
        sum += p.back();
    }
    for(double& x: p) {
        x /= sum;
    }
    return p;
}

/// What is left, by id.
inline std::vector<candidate> by_id(candidates& c) {
    std::vector<candidate> left{c.list().begin(), c.list().end()};
    std::sort(left.begin(), left.end(), [](const candidate& a, const candidate& b) { return a.id < b.id; });
    return left;
}

inline std::vector<token_id> ids(std::span<const candidate> entries) {
    std::vector<token_id> out;
    for(const candidate& c: entries) {
        out.push_back(c.id);
    }
    return out;
}

/// Lengths around the widths of vectors and blocks, and around where the searches change their ways.
inline std::vector<std::size_t> sizes() { return {1, 2, 15, 16, 17, 63, 64, 65, 128, 255, 256, 257, 513, 4000, 20011}; }

} // namespace reference
