#include "support/catch.hpp"

#include <vector>

#include <tokenworks/sampling/top_k.hpp>

#include "reference/sampling.hpp"

namespace ts = tokenworks::sampling;

TEST_CASE("top_k keeps k, best first, and is off at zero and below") {
    const auto logits = reference::random_logits(1000, 4, 2.0F);
    const auto order = reference::sorted(logits);
    for(const int k: {-1, 0, 1, 40, 999, 1000, 5000}) {
        ts::candidates c;
        c.load(logits);
        ts::top_k{k}(c, {});
        REQUIRE(c.dense() == (k <= 0));
        if(k > 0) {
            const auto left = std::min<std::size_t>(static_cast<std::size_t>(k), order.size());
            REQUIRE(reference::ids(c.list()) == reference::ids({order.data(), left}));
        }
    }
}

TEST_CASE("top_k finds the best of a large vocabulary") {
    const auto logits = reference::random_logits(262144, 4, 16.0F);
    const auto order = reference::sorted(logits);
    ts::candidates c;
    c.load(logits);
    ts::top_k{64}(c, {});
    CHECK(reference::ids(c.list()) == reference::ids({order.data(), 64}));
}
