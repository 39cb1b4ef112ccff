#include "support/catch.hpp"

#include <cmath>
#include <vector>

#include <tokenworks/sampling/options.hpp>

#include "reference/sampling.hpp"
#include "support/allocations.hpp"

namespace tw = tokenworks;
namespace ts = tokenworks::sampling;

TEST_CASE("make_chain gives llama.cpp's order") {
    const ts::sampler_options options{.temperature = 0.7F,
                                      .top_k = 30,
                                      .top_p = 0.9F,
                                      .min_p = 0.1F,
                                      .typical_p = 0.95F,
                                      .repeat_penalty = 1.2F,
                                      .frequency_penalty = 0.1F,
                                      .presence_penalty = 0.2F,
                                      .seed = 5,
                                      .logit_bias = {{3, 1.5F}}};
    ts::chain made = ts::make_chain(options);
    ts::chain by_hand{ts::logit_bias{{{3, 1.5F}}},
                      ts::penalties{{64, 1.2F, 0.1F, 0.2F}},
                      ts::top_k{30},
                      ts::typical{0.95F},
                      ts::top_p{0.9F},
                      ts::min_p{0.1F},
                      ts::temperature{0.7F},
                      ts::draw{5}};
    ts::candidates work;
    std::vector<ts::token_id> history;
    for(unsigned n = 0; n < 300; ++n) {
        const auto logits = reference::random_logits(400, n, 32.0F);
        const auto id = made(logits, {history, history.size()}, work);
        REQUIRE(id == by_hand(logits, {history, history.size()}, work));
        history.push_back(id);
    }
}

TEST_CASE("a temperature of zero is greedy, whatever else is set; biases and penalties still count") {
    ts::candidates work;
    ts::chain c = ts::make_chain({.temperature = 0.0F, .typical_p = 0.1F});
    for(unsigned n = 0; n < 20; ++n) {
        const auto logits = reference::random_logits(1000, n, 1.0F);
        REQUIRE(c(logits, {{}, n}, work) == reference::sorted(logits)[0].id);
    }
    const std::vector<float> logits{1, 2, 3};
    CHECK(ts::make_chain({.temperature = 0.0F, .logit_bias = {{0, 5.0F}}})(logits, {}, work) == 0);
    const std::vector<ts::token_id> history{2};
    CHECK(ts::make_chain({.temperature = 0.0F, .repeat_penalty = 2.0F})(logits, {history, 1}, work) == 1);
}

TEST_CASE("the seed decides, and the same one gives the same tokens") {
    ts::candidates work;
    const auto logits = reference::random_logits(1000, 1, 32.0F);
    std::vector<std::vector<ts::token_id>> runs;
    for(const std::uint64_t seed: {1U, 1U, 2U}) {
        ts::chain c = ts::make_chain({.seed = seed});
        runs.emplace_back();
        for(std::uint64_t position = 0; position < 40; ++position) {
            runs.back().push_back(c(logits, {{}, position}, work));
        }
    }
    CHECK(runs[0] == runs[1]);
    CHECK(runs[0] != runs[2]);
}

TEST_CASE("settings out of range are named, also those that are off at temperature zero") {
    REQUIRE_THROWS_WITH(ts::make_chain({.temperature = -1.0F}), ContainsSubstring("temperature"));
    REQUIRE_THROWS_WITH(ts::make_chain({.temperature = 0.0F, .top_p = 2.0F}), ContainsSubstring("top_p"));
    REQUIRE_THROWS_WITH(ts::make_chain({.min_p = -2.0F}), ContainsSubstring("min_p"));
    REQUIRE_THROWS_WITH(ts::make_chain({.typical_p = std::nanf("")}), ContainsSubstring("typical"));
    REQUIRE_THROWS_WITH(ts::make_chain({.repeat_penalty = 0.0F}), ContainsSubstring("repeat"));
    REQUIRE_THROWS_WITH(ts::make_chain({.logit_bias = {{-7, 0.0F}}}), ContainsSubstring("-7"));
}

TEST_CASE("steps after the first allocate nothing") {
    ts::candidates work;
    const auto first = reference::random_logits(20000, 1, 32.0F);
    const auto second = reference::random_logits(20000, 2, 2.0F);
    std::vector<ts::token_id> history(300, 5);
    for(const int k: {0, 40}) {
        ts::chain c =
            ts::make_chain({.top_k = k, .typical_p = 0.9F, .repeat_penalty = 1.1F, .logit_bias = {{1, 1.0F}}});
        static_cast<void>(c(first, {{history.data(), 1}, 1}, work));
        CHECK(support::allocations_during([&] {
                  for(std::size_t n = 2; n < 50; ++n) {
                      static_cast<void>(c(n % 2 == 0 ? second : first, {{history.data(), n}, n}, work));
                  }
              }) == 0);
    }
}
