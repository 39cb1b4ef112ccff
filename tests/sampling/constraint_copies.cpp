#include <tokenworks/sampling/constraint_copies.hpp>

#include <cmath>
#include <memory>
#include <vector>

#include <tokenworks/sampling/constraint.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("constraint_copies: each sequence has a constraint of its own", "[sampling]") {
    const auto two = tw::sampling::copies_of(tw::sampling::exactly{2, [](auto id) { return id % 2 == 1; }});
    const std::unique_ptr<tw::sampling::token_constraint> first = two->start({});
    const std::unique_ptr<tw::sampling::token_constraint> second = two->start({});
    std::vector<float> logits{3, -1, 2, 4, 5};
    first->restrict(logits);
    CHECK(logits[1] == -1);
    CHECK(logits[3] == 4);
    for(const std::size_t i: {0U, 2U, 4U}) {
        CHECK(std::isinf(logits[i]));
        CHECK(logits[i] < 0);
    }
    first->accept(3);
    CHECK_THROWS_AS(first->accept(2), tw::argument_error);
    first->accept(1);
    CHECK(first->done());
    CHECK_FALSE(second->done());
    CHECK_THROWS_WITH(first->restrict(logits), ContainsSubstring("none of the 5 ids"));
    second->accept(1);
    CHECK_FALSE(second->done());
}
