#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <tokenworks/kernels/attention_loops.hpp>
#include <tokenworks/kernels/attention_weights.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
namespace attend = tokenworks::kernels::detail;

namespace {

constexpr std::size_t block = attend::key_block;
constexpr std::size_t width = 21;

/// One row over two blocks, as attention_tile runs it but without values: what it did to scores, sum and output.
struct outcome {
    std::vector<float> weights; ///< [2][64]
    std::vector<float> out = std::vector<float>(width, 1.0F);
    float most = 0;
};

outcome run(const execution& how, std::vector<float> scores, std::size_t first, std::size_t last, float sink) {
    const attend::attention_loops& loops = attend::attention_loops_for(how.set);
    outcome result;
    attend::attention_numbers task{};
    task.scale = 0.5F;
    task.value_width = width;
    attend::attention_row row{nullptr, result.out.data(), first, last, last - 1, attend::no_score, sink, 0.0F, nullptr};
    std::vector<float> sums(simd::lanes, 0.0F);
    loops.weigh(&task, &row, 1, 0, block, scores.data(), sums.data());
    std::fill(result.out.begin(), result.out.end(), 1.0F); // as if values had been added with the first block's weights
    loops.weigh(&task, &row, 1, block, 2 * block, scores.data() + block, sums.data());
    loops.finish(&task, &row, 1, sums.data());
    result.weights = std::move(scores);
    result.most = row.most;
    return result;
}

} // namespace

TEST_CASE("attention_weights: two blocks give the softmax of both, masked at either end, with a sink or without") {
    for(const float sink: {attend::no_score, 1.5F}) {
        for(const bool rising: {true, false}) { // the largest score lies in the second block, or in the first
            std::vector<float> scores = support::random_floats(2 * block, 7, 3.0F);
            scores[rising ? 100 : 20] = 40.0F;
            constexpr std::size_t first = 5;
            constexpr std::size_t last = 120;
            double most_first = -1e30;
            double most = -1e30;
            for(std::size_t key = first; key < last; ++key) {
                most = std::max(most, 0.5 * static_cast<double>(scores[key]));
                most_first = key < block ? most : most_first;
            }
            double sum = std::exp(static_cast<double>(sink) - most);
            for(std::size_t key = first; key < last; ++key) {
                sum += std::exp(0.5 * static_cast<double>(scores[key]) - most);
            }
            support::for_each_isa([&](const execution& how) {
                CAPTURE(name(how.set), sink, rising);
                const outcome found = run(how, scores, first, last, sink);
                CHECK(static_cast<double>(found.most) == Approx(most));
                std::vector<double> weights(2 * block, 0.0);
                for(std::size_t key = first; key < last; ++key) {
                    weights[key] = std::exp(0.5 * static_cast<double>(scores[key]) - (key < block ? most_first : most));
                }
                CHECK(support::nmse(weights, found.weights) <= 1e-11);
                CHECK(
                    std::all_of(found.weights.begin(), found.weights.begin() + first, [](float w) { return w == 0; }));
                CHECK(std::all_of(found.weights.begin() + last, found.weights.end(), [](float w) { return w == 0; }));
                // The ones that stood for the first block fade to the final maximum, and are divided by the sum.
                const std::vector<double> out(width, std::exp(most_first - most) / sum);
                CHECK(support::nmse(out, found.out) <= 1e-11);
            });
        }
    }
}

TEST_CASE("attention_weights: a row that sees no key stays zero") {
    support::for_each_isa([](const execution& how) {
        const attend::attention_loops& loops = attend::attention_loops_for(how.set);
        attend::attention_numbers task{};
        task.value_width = width;
        std::vector<float> out(width, 0.0F);
        const attend::attention_row row{nullptr,          out.data(),       0,    0,      0,
                                        attend::no_score, attend::no_score, 0.0F, nullptr};
        const std::vector<float> sums(simd::lanes, 0.0F);
        loops.finish(&task, &row, 1, sums.data());
        CHECK(out == std::vector<float>(width, 0.0F));
    });
}

TEST_CASE("attention_weights: sums over two halves of the keys are those over all of them") {
    support::for_each_isa([](const execution& how) {
        const attend::attention_loops& loops = attend::attention_loops_for(how.set);
        std::vector<float> before(width, 2.0F);
        std::vector<float> next(width, 3.0F);
        std::vector<float> out(width, -1.0F);
        attend::attention_sum total{.weights = {}, .out = out.data(), .most = attend::no_score, .empty = true};
        attend::attention_sum part{.weights = {1.0F}, .out = before.data(), .most = 1.0F, .empty = false};
        loops.merge(&part, &total, width);
        CHECK(out == before);
        part.empty = true; // no keys: nothing changes
        part.most = 9.0F;
        loops.merge(&part, &total, width);
        CHECK(out == before);
        part = {.weights = {4.0F}, .out = next.data(), .most = 3.0F, .empty = false};
        loops.merge(&part, &total, width);
        const double fade = std::exp(-2.0);
        CHECK(total.most == 3.0F);
        CHECK(!total.empty);
        CHECK(static_cast<double>(total.weights[0]) == Approx(1.0 * fade + 4.0));
        const std::vector<double> expected(width, 2.0 * fade + 3.0);
        CHECK(support::nmse(expected, out) <= 1e-13);
    });
}
