#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <tokenworks/sampling/logit_bias.hpp>

#include "reference/sampling.hpp"

namespace tw = tokenworks;
namespace ts = tokenworks::sampling;

constexpr float inf = std::numeric_limits<float>::infinity();

TEST_CASE("logit_bias adds to the tokens it names, in both forms, and bans with -infinity") {
    const ts::logit_bias bias{{{4, 1.0F}, {1, -2.0F}, {4, 0.5F}, {2, -inf}}};
    for(const bool as_list: {false, true}) {
        ts::candidates c;
        c.load(std::vector<float>{1, 1, 1, 1, 1});
        if(as_list) {
            static_cast<void>(c.list());
        }
        bias(c, {});
        const auto left = reference::by_id(c);
        if(as_list) { // the list drops a ban with the next selection only
            CHECK(left[2].logit == -inf);
            c.keep_top(5);
        }
        CHECK(reference::ids(reference::by_id(c)) == std::vector<ts::token_id>{0, 1, 3, 4});
        CHECK(reference::by_id(c)[1].logit == -1.0F);
        CHECK(reference::by_id(c)[3].logit == 2.5F);
    }
}

TEST_CASE("logit_bias names what it cannot use") {
    REQUIRE_THROWS_WITH((ts::logit_bias{{{-1, 1.0F}}}), ContainsSubstring("token -1"));
    CHECK_THROWS_AS((ts::logit_bias{{{1, std::nanf("")}}}), tw::argument_error);
    CHECK_THROWS_AS((ts::logit_bias{{{1, inf}}}), tw::argument_error);
    ts::candidates c;
    c.load(std::vector<float>{1, 2, 3});
    REQUIRE_THROWS_WITH((ts::logit_bias{{{3, 1.0F}}}(c, {})), ContainsSubstring("token 3, the vocabulary has 3"));
}
