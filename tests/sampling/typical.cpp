#include "support/catch.hpp"

#include <cmath>
#include <numeric>
#include <vector>

#include <tokenworks/sampling/typical.hpp>

#include "reference/sampling.hpp"

namespace ts = tokenworks::sampling;

TEST_CASE("typical keeps the shortest row of those nearest to the entropy") {
    for(const std::size_t n: {1U, 30U, 300U, 5000U, 100000U}) {
        // A fine grid: the distances to the entropy differ by more than their rounding, but for a few.
        const auto logits = reference::random_logits(n, static_cast<unsigned>(n) + 1, 1024.0F, n > 9 ? 9 : 0);
        const auto entries = reference::sorted(logits);
        const auto p = reference::probabilities(entries);
        double entropy = 0;
        for(const double x: p) {
            entropy -= x > 0 ? x * std::log(x) : 0.0;
        }
        std::vector<double> distance(logits.size(), 0.0);
        std::vector<double> probability(logits.size(), 0.0);
        std::vector<std::size_t> order;
        for(std::size_t i = 0; i < entries.size(); ++i) {
            const auto id = static_cast<std::size_t>(entries[i].id);
            distance[id] = std::fabs(-std::log(p[i]) - entropy);
            probability[id] = p[i];
            order.push_back(id);
        }
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return distance[a] < distance[b]; });
        for(const float share: {0.0F, 0.2F, 0.9F, 0.99F}) {
            for(const bool as_list: {false, true}) {
                ts::candidates c;
                c.load(logits);
                if(as_list) {
                    static_cast<void>(c.list());
                }
                ts::typical{share}(c, {});
                const auto kept = reference::by_id(c);
                double mass = 0;
                double farthest = 0;
                double last = 0; // the least likely of those at the end of the row
                for(const auto& entry: kept) {
                    const auto id = static_cast<std::size_t>(entry.id);
                    mass += probability[id];
                    if(distance[id] >= farthest) {
                        farthest = distance[id];
                        last = probability[id];
                    }
                }
                INFO("n " << n << " share " << share << " kept " << kept.size());
                REQUIRE(mass >= static_cast<double>(share) - 1e-6);
                REQUIRE(mass - last <= static_cast<double>(share) + 1e-6);
                // Nothing that was dropped lies nearer, up to rounding.
                std::vector<bool> is_kept(logits.size(), false);
                for(const auto& entry: kept) {
                    is_kept[static_cast<std::size_t>(entry.id)] = true;
                }
                for(const std::size_t id: order) {
                    REQUIRE((is_kept[id] || distance[id] >= farthest - 1e-5));
                }
            }
        }
    }
}

TEST_CASE("typical may drop the most likely token, and is off at one") {
    std::vector<float> logits(100, 0.0F);
    logits[17] = 3.0F; // 17 % of the probability: less information than the rest, which lies nearer to the entropy
    ts::candidates c;
    c.load(logits);
    ts::typical{1.0F}(c, {});
    CHECK(c.dense());
    ts::typical{0.5F}(c, {});
    CHECK(c.size() < 100);
    for(const auto& entry: c.list()) {
        CHECK(entry.id != 17);
    }
}

TEST_CASE("typical refuses what is no probability") {
    for(const float p: {-0.1F, 1.1F, std::nanf("")}) {
        REQUIRE_THROWS_WITH(ts::typical{p}, ContainsSubstring("typical: p is"));
    }
}
