#include <tokenworks/codec/text_budget.hpp>

#include <cstddef>
#include <cstdint>

#include "support/catch.hpp"

using namespace tokenworks::codec;

TEST_CASE("text_budget: a text may grow to a multiple of what came in", "[codec]") {
    std::uint64_t steps = 5;
    constexpr std::size_t base = std::size_t{1} << 20;
    const text_budget none{0, steps};
    CHECK_NOTHROW(none.check(base));
    CHECK_THROWS_AS(none.check(base + 1), tokenworks::limit_error);
    const text_budget some{1000, steps};
    CHECK_NOTHROW(some.check(base + 64000));
    CHECK_THROWS_WITH(some.check(base + 64001), ContainsSubstring("grows over 1112576 bytes"));
}

TEST_CASE("text_budget: texts that belong together share the steps", "[codec]") {
    std::uint64_t steps = 5;
    const text_budget first{1, steps};
    const text_budget second{1, steps};
    first.regex_steps() -= 3;
    CHECK(second.regex_steps() == 2);
    CHECK(steps == 2);
}
