#include <tokenworks/nn/routing.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using nn::routing_options;
using score_kind = nn::routing_options::score_kind;

namespace {

std::vector<nn::routed> choose(const routing_options& options, const std::vector<float>& logits,
                               const std::vector<float>& bias = {}) {
    options.validate();
    std::vector<double> scores(2 * options.experts);
    std::vector<nn::routed> out(options.used);
    nn::route(options, logits, bias, scores, out);
    return out;
}

std::vector<std::size_t> numbers(const std::vector<nn::routed>& of) {
    std::vector<std::size_t> out;
    for(const nn::routed& one: of) {
        out.push_back(one.expert);
    }
    return out;
}

using list = std::vector<std::size_t>;

} // namespace

TEST_CASE("routing: the best experts, in the order of their numbers; ties go to the lower number", "[nn]") {
    const routing_options two{.experts = 4, .used = 2};
    CHECK(numbers(choose(two, {0, 3, 1, 2})) == list{1, 3});
    CHECK(numbers(choose(two, {5, 3, 9, 2})) == list{0, 2});
    CHECK(numbers(choose(two, {1, 1, 1, 1})) == list{0, 1});
    CHECK(numbers(choose(two, {0, 1, 1, 1})) == list{1, 2});
    CHECK(numbers(choose({.experts = 3, .used = 3}, {0, 1, 2})) == list{0, 1, 2});
}

TEST_CASE("routing: weights by the formulas", "[nn]") {
    const std::vector<float> logits{0.5F, -1, 2, 1};
    double sum = 0;
    for(const float x: logits) {
        sum += std::exp(static_cast<double>(x));
    }
    const auto share = [&](std::size_t e) { return std::exp(static_cast<double>(logits[e])) / sum; };
    routing_options options{.experts = 4, .used = 2, .normalize = false};
    auto out = choose(options, logits);
    CHECK(out[0].weight == Approx(share(2)));
    CHECK(out[1].weight == Approx(share(3)));
    options.normalize = true;
    options.scale = 2.5F;
    out = choose(options, logits);
    CHECK(out[0].weight == Approx(2.5 * share(2) / (share(2) + share(3))));
    CHECK(out[1].weight == Approx(2.5 * share(3) / (share(2) + share(3))));
    options.score = score_kind::sigmoid;
    options.normalize = false;
    out = choose(options, logits);
    CHECK(out[0].weight == Approx(2.5 / (1 + std::exp(-2.0))));
    // Large logits overflow nothing.
    out = choose({.experts = 2, .used = 2}, {1e30F, -1e30F});
    CHECK(out[0].weight == 1);
    CHECK(out[1].weight == 0);
}

TEST_CASE("routing: groups are compared by their best expert, or by their two best together", "[nn]") {
    routing_options options{.experts = 6, .used = 2, .groups = 3, .groups_used = 1};
    const std::vector<float> logits{0, 3, 2.7F, 2.8F, 0, 1}; // the best is in the first, the best two in the second
    CHECK(numbers(choose(options, logits)) == list{2, 3});
    options.group_best = 1;
    CHECK(numbers(choose(options, logits)) == list{0, 1});
    options.group_best = 3;
    CHECK_THROWS_AS(options.validate(), tw::argument_error);
}

TEST_CASE("routing: a bias chooses, and is not in the weights", "[nn]") {
    const routing_options options{.experts = 4, .used = 1, .score = score_kind::sigmoid, .normalize = false};
    const auto out = choose(options, {0, 1, 2, 3}, {0.9F, 0, 0, 0});
    CHECK(out[0].expert == 0);
    CHECK(out[0].weight == Approx(0.5));
}

TEST_CASE("routing: only the best groups are looked at, by their two best experts", "[nn]") {
    routing_options options{.experts = 6, .used = 2, .score = score_kind::sigmoid, .groups = 3, .groups_used = 1};
    // The best expert of all is in a group whose second is bad.
    CHECK(numbers(choose(options, {3, -9, 1, 1, 0, 0})) == list{2, 3});
    options.groups_used = 2;
    CHECK(numbers(choose(options, {3, -9, 1, 1, 0, 0.5F})) == list{2, 3}); // of groups 1 and 2
    CHECK(numbers(choose(options, {3, -1, 1, 1, 0, 0.5F})) == list{0, 2}); // now 0 and 1
    CHECK(numbers(choose(options, {3, 0.5F, 1, 1, 0, 0})) == list{0, 2});
    // Groups as good as each other: the first stay.
    options.groups_used = 1;
    CHECK(numbers(choose(options, {1, 1, 1, 1, 1, 1})) == list{0, 1});
    // A group of one expert is as good as that.
    CHECK(numbers(choose({.experts = 3, .used = 1, .groups = 3, .groups_used = 2}, {1, 3, 2})) == list{1});
}

TEST_CASE("routing: numbers that are none end somewhere", "[nn]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for(const nn::routed& one: choose({.experts = 4, .used = 2, .groups = 2}, {nan, nan, nan, nan})) {
        CHECK(one.expert < 4);
    }
}

TEST_CASE("routing: options that do not fit together", "[nn]") {
    const auto refusal = [](routing_options options) {
        try {
            options.validate();
        } catch(const tw::argument_error& problem) {
            return std::string{problem.what()};
        }
        return std::string{"accepted"};
    };
    CHECK(refusal({.experts = 4, .used = 2}) == "accepted");
    CHECK_THAT(refusal({}), ContainsSubstring("0 experts, not in 1.."));
    CHECK_THAT(refusal({.experts = 5000, .used = 1}), ContainsSubstring("5000 experts"));
    CHECK_THAT(refusal({.experts = 4, .used = 5}), ContainsSubstring("5 experts used of 4"));
    CHECK_THAT(refusal({.experts = 4}), ContainsSubstring("0 experts used of 4"));
    CHECK_THAT(refusal({.experts = 4, .used = 1, .groups = 3}), ContainsSubstring("3 groups of 4 experts"));
    CHECK_THAT(refusal({.experts = 4, .used = 1, .groups = 2, .groups_used = 3}),
               ContainsSubstring("3 groups used of 2"));
    CHECK_THAT(refusal({.experts = 4, .used = 3, .groups = 2, .groups_used = 1}),
               ContainsSubstring("3 experts used of 1 groups"));
    CHECK_THAT(refusal({.experts = 4, .used = 1, .scale = INFINITY}), ContainsSubstring("not finite"));
}
