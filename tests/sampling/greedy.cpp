#include "support/catch.hpp"

#include <limits>
#include <vector>

#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/greedy.hpp>

#include "reference/sampling.hpp"

namespace ts = tokenworks::sampling;

TEST_CASE("greedy takes the highest logit, the lowest id on a tie") {
    for(const std::size_t n: reference::sizes()) {
        const auto logits = reference::random_logits(n, 9, 1.0F);
        ts::candidates c;
        c.load(logits);
        REQUIRE(ts::greedy{}(c, {}) == reference::sorted(logits)[0].id);
        REQUIRE(ts::argmax(logits) == reference::sorted(logits)[0].id);
        static_cast<void>(c.list());
        REQUIRE(ts::greedy{}(c, {}) == reference::sorted(logits)[0].id);
    }
}

TEST_CASE("argmax refuses what has no highest logit") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    REQUIRE_THROWS_AS(ts::argmax({}), tokenworks::argument_error);
    REQUIRE_THROWS_AS(ts::argmax(std::vector<float>(100, -infinity)), tokenworks::argument_error);
    for(const float bad: {infinity, std::numeric_limits<float>::quiet_NaN()}) {
        for(const std::size_t at: {0U, 77U, 99U}) {
            std::vector<float> logits(100, 1.0F);
            logits[at] = bad;
            REQUIRE_THROWS_AS(ts::argmax(logits), tokenworks::argument_error);
        }
    }
    REQUIRE(ts::argmax(std::vector<float>{-infinity, -3.0F, -infinity, -3.0F}) == 1);
}
