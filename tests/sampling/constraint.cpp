#include <tokenworks/sampling/constraint.hpp>

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
