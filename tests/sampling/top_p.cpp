#include "support/catch.hpp"

#include <cmath>
#include <vector>

#include <tokenworks/sampling/top_p.hpp>

#include "reference/sampling.hpp"

namespace ts = tokenworks::sampling;

TEST_CASE("top_p keeps the shortest row of the best that has probability p") {
    for(const std::size_t n: {1U, 30U, 300U, 5000U, 262144U}) {
        const auto logits = reference::random_logits(n, static_cast<unsigned>(n), 8.0F, n > 9 ? 9 : 0);
        const auto order = reference::sorted(logits);
        const auto p = reference::probabilities(order);
        for(const float share: {0.0F, 0.1F, 0.5F, 0.95F, 0.9999F}) {
            ts::candidates c;
            c.load(logits);
            ts::top_p{share}(c, {});
            const auto kept = reference::by_id(c);
            auto row = reference::ids({order.data(), kept.size()});
            std::sort(row.begin(), row.end());
            REQUIRE(reference::ids(kept) == row);
            double mass = 0;
            for(std::size_t i = 0; i < kept.size(); ++i) {
                mass += p[i];
            }
            REQUIRE(mass >= static_cast<double>(share) - 1e-6);
            REQUIRE((kept.size() == 1 || mass - p[kept.size() - 1] < static_cast<double>(share) + 1e-6));
        }
    }
}

TEST_CASE("top_p of one is off; of equal logits it keeps the lowest ids") {
    ts::candidates c;
    c.load(std::vector<float>(1000, 0.5F));
    ts::top_p{1.0F}(c, {});
    CHECK(c.dense());
    ts::top_p{0.25F}(c, {});
    CHECK(c.size() == 250);
    CHECK(c.id(249) == 249);
}

TEST_CASE("top_p refuses what is no probability") {
    for(const float p: {-0.1F, 1.1F, std::nanf("")}) {
        REQUIRE_THROWS_WITH(ts::top_p{p}, ContainsSubstring("top_p: p is"));
    }
}
