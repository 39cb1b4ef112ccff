#include <tokenworks/core/concepts.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("concepts: name views by rank and by what may be done with them") {
    using matrix = tw::view<const float, tw::dyn, 8>;
    STATIC_REQUIRE(tw::any_view<matrix>);
    STATIC_REQUIRE(tw::any_view<const matrix&>);
    STATIC_REQUIRE(tw::any_view<tw::strided_view<int>>);
    STATIC_REQUIRE_FALSE(tw::any_view<float*>);
    STATIC_REQUIRE(tw::view_of_rank<matrix&, 2>);
    STATIC_REQUIRE_FALSE(tw::view_of_rank<matrix, 1>);
    STATIC_REQUIRE_FALSE(tw::writable_view<matrix>);
    STATIC_REQUIRE(tw::writable_view<tw::view<float, 8>>);
}
