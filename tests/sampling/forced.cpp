#include <tokenworks/sampling/forced.hpp>

#include <vector>

#include <tokenworks/sampling/constraint.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("forced: given ids stand where they are, the others are of a set", "[sampling]") {
    tw::sampling::forced gap{std::vector<tw::sampling::token_id>{7, -1, 9},
                             [](tw::sampling::token_id id) { return id < 5; }};
    static_assert(tw::sampling::constraint<decltype(gap)>);
    CHECK(gap.allows(7));
    CHECK_FALSE(gap.allows(3));
    CHECK_THROWS_WITH(gap.accept(3), ContainsSubstring("token 3 is not allowed at place 0"));
    gap.accept(7);
    CHECK(gap.allows(3));
    CHECK_FALSE(gap.allows(7));
    gap.accept(3);
    CHECK_FALSE(gap.allows(3));
    CHECK_FALSE(gap.done());
    gap.accept(9);
    CHECK(gap.done());
    CHECK_FALSE(gap.allows(9));
}
