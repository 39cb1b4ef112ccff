#include <tokenworks/runtime/contact_map.hpp>

#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("contact map: the average product correction", "[runtime]") {
    // s = [[2,3],[3,8]]; sums 5 and 11 of 16.
    std::vector<float> map{1, 1, 2, 4};
    tw::runtime::correct_average_product(map, 2);
    CHECK(map[0] == Approx(2 - 25.0 / 16));
    CHECK(map[1] == Approx(3 - 55.0 / 16));
    CHECK(map[2] == map[1]);
    CHECK(map[3] == Approx(8 - 121.0 / 16));
    std::vector<float> none{0, 0, 0, 0};
    tw::runtime::correct_average_product(none, 2);
    CHECK(none == std::vector<float>(4));
    tw::runtime::correct_average_product({}, 0);
}
