#include <tokenworks/sampling/constraint.hpp>

#include <limits>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("constraint: so many ids of a set", "[sampling]") {
    tw::sampling::exactly even{2, [](tw::sampling::token_id id) { return id % 2 == 0; }};
    static_assert(tw::sampling::constraint<decltype(even)>);
    CHECK(even.allows(4));
    CHECK_FALSE(even.allows(5));
    CHECK_THROWS_AS(even.accept(5), tw::argument_error);
    even.accept(4);
    CHECK_FALSE(even.done());
    even.accept(0);
    CHECK(even.done());
    CHECK_FALSE(even.allows(4));
    CHECK_THROWS_AS(even.accept(4), tw::argument_error);
}

TEST_CASE("constraint: what may not come next has no chance", "[sampling]") {
    tw::sampling::exactly even{1, [](tw::sampling::token_id id) { return id % 2 == 0; }};
    std::vector<float> logits{1, 2, 3, 4};
    CHECK(tw::sampling::leave_allowed(even, logits));
    const float never = -std::numeric_limits<float>::infinity();
    CHECK(logits == std::vector<float>{1, never, 3, never});
    even.accept(0);
    CHECK_FALSE(tw::sampling::leave_allowed(even, logits));
    CHECK(logits == std::vector<float>(4, never));
}
