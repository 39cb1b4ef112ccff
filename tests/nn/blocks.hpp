// What the tests of blocks share: random layers with the numbers they were made of, and a context at work.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/nn/linear.hpp>

#include "reference/decoder.hpp"
#include "support/kernels.hpp"

namespace blocks {

namespace tw = tokenworks;
namespace nn = tokenworks::nn;

/// [N,K] of float32 and its layer.
struct dense {
    std::vector<float> weight;
    std::vector<float> bias;
    nn::linear layer;

    dense(std::size_t out, std::size_t in, unsigned seed, bool biased = false)
        : weight{support::random_floats(out * in, seed, 1 / std::sqrt(static_cast<float>(in)))},
          bias{biased ? support::random_floats(out, seed + 1000) : std::vector<float>{}},
          layer{tw::kernels::pack(tw::dtype::f32, std::as_bytes(std::span{weight}), out, in), bias} {}
};

/// Weights of a norm: around 1, as trained ones are.
inline std::vector<float> norm_weight(std::size_t width, unsigned seed) {
    std::vector<float> out = support::random_floats(width, seed, 0.2F);
    for(float& value: out) {
        value += 1;
    }
    return out;
}

/// The largest difference, as a part of the largest value; infinite where a value is not finite.
inline double worst(std::span<const double> expected, std::span<const float> actual) {
    double scale = 0;
    double difference = 0;
    if(expected.size() != actual.size()) {
        return INFINITY;
    }
    for(std::size_t i = 0; i < expected.size(); ++i) {
        scale = std::max(scale, std::abs(expected[i]));
        const double here = std::abs(static_cast<double>(actual[i]) - expected[i]);
        difference = std::isfinite(here) ? std::max(difference, here) : INFINITY;
    }
    return difference == 0 ? 0 : difference / scale;
}

/// What a chain of a few float products of widths up to 100 may be off by: each sums about a hundred roundings of
/// 2^-24, which grow by the square root of their number, and the chain has about ten links.
inline constexpr double float_bound = 1e-5;

/// Rows in memory of their own.
struct matrix {
    std::size_t width;
    std::vector<float> values;

    matrix(std::size_t count, std::size_t columns) : width{columns}, values(count * columns) {}
    matrix(std::size_t count, std::size_t columns, unsigned seed)
        : width{columns}, values{support::random_floats(count * columns, seed)} {}

    [[nodiscard]] nn::rows rows() { return nn::rows{values.data(), values.size() / width, width}; }
    [[nodiscard]] nn::const_rows rows() const { return nn::const_rows{values.data(), values.size() / width, width}; }
    [[nodiscard]] reference::grid exact() const { return {values, width}; }
};

/// Starts a step in which `count` rows continue the cache's sequence.
inline void begin_step(nn::context& c, nn::kv_cache& cache, std::size_t count) {
    c.begin_step(count, 1);
    c.add_sequence({&cache, 0, count, cache.size()});
}

} // namespace blocks
