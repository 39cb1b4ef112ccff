#include <tokenworks/sampling/guidance.hpp>

#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("guidance: what a condition changes is scaled, in place too", "[sampling]") {
    const std::vector<float> with{1, 2, -3};
    std::vector<float> without{0, 2, 1};
    std::vector<float> out(3);
    tw::sampling::guide(with, without, 1, out);
    CHECK(out == with);
    tw::sampling::guide(with, without, 0, out);
    CHECK(out == without);
    tw::sampling::guide(with, without, 2.5F, without);
    CHECK(without == std::vector<float>{2.5F, 2, -9});
    CHECK_THROWS_AS(tw::sampling::guide(with, std::vector<float>(2), 1, out), tw::shape_error);
}
