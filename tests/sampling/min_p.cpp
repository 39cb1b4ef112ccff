#include "support/catch.hpp"

#include <cmath>
#include <vector>

#include <tokenworks/sampling/min_p.hpp>

#include "reference/sampling.hpp"

namespace ts = tokenworks::sampling;

TEST_CASE("min_p keeps what is at least p times as likely as the best") {
    for(const std::size_t n: {1U, 30U, 300U, 5000U}) {
        const auto logits = reference::random_logits(n, static_cast<unsigned>(n) + 1, 8.0F, n > 9 ? 9 : 0);
        const auto order = reference::sorted(logits);
        for(const float p: {0.0F, 1e-30F, 0.01F, 0.3F, 1.0F}) {
            std::vector<ts::token_id> expected;
            for(const auto& c: order) {
                if(std::exp(static_cast<double>(c.logit) - static_cast<double>(order[0].logit)) >=
                   static_cast<double>(p)) {
                    expected.push_back(c.id);
                }
            }
            std::sort(expected.begin(), expected.end());
            for(const bool as_list: {false, true}) {
                ts::candidates c;
                c.load(logits);
                if(as_list) {
                    static_cast<void>(c.list());
                }
                ts::min_p{p}(c, {});
                REQUIRE(reference::ids(reference::by_id(c)) == expected);
            }
        }
    }
}

TEST_CASE("min_p refuses what is no probability") {
    for(const float p: {-0.1F, 1.1F, std::nanf("")}) {
        REQUIRE_THROWS_WITH(ts::min_p{p}, ContainsSubstring("min_p: p is"));
    }
}
