#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <tokenworks/sampling/draw.hpp>

#include "reference/sampling.hpp"

namespace tw = tokenworks;
namespace ts = tokenworks::sampling;

TEST_CASE("draws have the probabilities of the softmax") {
    // chi-square with 23 degrees of freedom: above 52 in one of 2000 fair runs, below 6.5 in one of 3000.
    const std::size_t vocab = 200; // three blocks and a part
    std::vector<float> logits(vocab, -std::numeric_limits<float>::infinity());
    std::vector<double> weight(vocab, 0.0);
    double total = 0;
    for(std::size_t i = 0; i < 24; ++i) {
        const std::size_t id = i * 8 + i % 8;
        logits[id] = static_cast<float>(i % 7) * 0.4F - 1.0F;
        weight[id] = std::exp(static_cast<double>(logits[id]));
        total += weight[id];
    }
    const std::size_t draws = 40000;
    for(const std::uint64_t seed: {1U, 2U, 3U}) {
        for(const bool as_list: {false, true}) {
            const ts::draw one{seed};
            ts::candidates c;
            c.load(logits);
            if(as_list) {
                static_cast<void>(c.list());
            }
            std::vector<double> count(vocab, 0.0);
            for(std::size_t position = 0; position < draws; ++position) {
                ++count[static_cast<std::size_t>(one(c, {{}, position}))];
            }
            double chi = 0;
            for(std::size_t id = 0; id < vocab; ++id) {
                const double expected = static_cast<double>(draws) * weight[id] / total;
                if(expected > 0) {
                    chi += (count[id] - expected) * (count[id] - expected) / expected;
                } else {
                    REQUIRE(count[id] == 0); // banned tokens are never drawn
                }
            }
            CHECK(chi < 52);
            CHECK(chi > 6.5);
        }
    }
}

TEST_CASE("a draw is a function of seed, stream and position") {
    const auto logits = reference::random_logits(500, 1, 64.0F);
    ts::candidates c;
    c.load(logits);
    std::vector<ts::token_id> forwards;
    for(std::uint64_t position = 0; position < 50; ++position) {
        forwards.push_back(ts::draw{7}(c, {{}, position}));
    }
    const ts::draw again{7};
    for(std::uint64_t position = 50; position-- > 0;) {
        REQUIRE(again(c, {{}, position}) == forwards[position]);
    }
    std::vector<ts::token_id> other_seed;
    std::vector<ts::token_id> other_stream;
    for(std::uint64_t position = 0; position < 50; ++position) {
        other_seed.push_back(ts::draw{8}(c, {{}, position}));
        other_stream.push_back(ts::draw{7, 1}(c, {{}, position}));
    }
    CHECK(forwards != other_seed);
    CHECK(forwards != other_stream);
}

TEST_CASE("the only token with a finite logit is drawn, wherever it stands; without one it is an error") {
    for(const std::size_t n: {1U, 63U, 64U, 65U, 200U}) {
        for(std::size_t at = 0; at < n; ++at) {
            std::vector<float> logits(n, -std::numeric_limits<float>::infinity());
            logits[at] = -80.0F;
            ts::candidates c;
            c.load(logits);
            REQUIRE(ts::draw{at}(c, {{}, at}) == static_cast<ts::token_id>(at));
        }
    }
    ts::candidates c;
    c.load(std::vector<float>{1, 2});
    c.keep_if([](const ts::candidate&) { return false; });
    CHECK_THROWS_AS(ts::draw{1}(c, {}), tw::argument_error);
}
