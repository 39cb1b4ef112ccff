#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <tokenworks/sampling/temperature.hpp>

#include "reference/sampling.hpp"

namespace tw = tokenworks;
namespace ts = tokenworks::sampling;

TEST_CASE("temperature divides, in both forms") {
    const auto logits = reference::random_logits(100, 1, 256.0F, 7);
    for(const float t: {0.25F, 1.0F, 1.7F}) {
        for(const bool as_list: {false, true}) {
            ts::candidates c;
            c.load(logits);
            if(as_list) {
                static_cast<void>(c.list());
            }
            ts::temperature{t}(c, {});
            for(const auto& entry: c.list()) {
                REQUIRE(entry.logit == logits[static_cast<std::size_t>(entry.id)] / t);
            }
            REQUIRE(c.size() == 86);
        }
    }
}

TEST_CASE("a temperature of zero, or nearly, keeps the best alone, the lowest id on a tie") {
    for(const float t: {0.0F, std::numeric_limits<float>::denorm_min(), 1e-38F}) {
        ts::candidates c;
        c.load(std::vector<float>{1, 7, -2, 7});
        ts::temperature{t}(c, {});
        CHECK(c.size() == 1);
        CHECK(c.id(0) == 1);
        c.load(std::vector<float>{-9, -7, -8});
        ts::temperature{t}(c, {});
        CHECK(c.id(0) == 1);
    }
}

TEST_CASE("temperature refuses what is no temperature") {
    for(const float t: {-0.1F, std::nanf(""), std::numeric_limits<float>::infinity()}) {
        REQUIRE_THROWS_WITH(ts::temperature{t}, ContainsSubstring("temperature: t is"));
    }
}
