#include "support/catch.hpp"

#include <vector>

#include <tokenworks/sampling/greedy.hpp>

#include "reference/sampling.hpp"

namespace ts = tokenworks::sampling;

TEST_CASE("greedy takes the highest logit, the lowest id on a tie") {
    for(const std::size_t n: reference::sizes()) {
        const auto logits = reference::random_logits(n, 9, 1.0F);
        ts::candidates c;
        c.load(logits);
        REQUIRE(ts::greedy{}(c, {}) == reference::sorted(logits)[0].id);
        static_cast<void>(c.list());
        REQUIRE(ts::greedy{}(c, {}) == reference::sorted(logits)[0].id);
    }
}
