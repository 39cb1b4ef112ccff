#include <tokenworks/io/contact_sheet.hpp>

#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::io::picture;

TEST_CASE("contact_sheet: pictures in rows, with gaps around them", "[io]") {
    std::vector<picture> all;
    for(std::uint8_t i = 1; i <= 5; ++i) {
        all.emplace_back(2, 3, 1);
        std::ranges::fill(all.back().bytes, i);
    }
    const picture sheet = tw::io::contact_sheet(all, {.gap = 1, .background = 99});
    CHECK(sheet.width == 3 * 3 + 1);
    CHECK(sheet.height == 2 * 4 + 1);
    CHECK(sheet.at(0, 0)[0] == 99);
    CHECK(sheet.at(1, 1)[0] == 1);
    CHECK(sheet.at(8, 3)[0] == 3);
    CHECK(sheet.at(4, 5)[0] == 5);
    CHECK(sheet.at(8, 6)[0] == 99);
    CHECK(tw::io::contact_sheet(all, {.columns = 1}).width == 6);
    all.emplace_back(1, 1, 4);
    CHECK_THROWS_AS(tw::io::contact_sheet(all), tw::argument_error);
    CHECK_THROWS_AS(tw::io::contact_sheet({}), tw::argument_error);
    const std::vector<picture> clear(1, picture{1, 1, 4});
    CHECK(tw::io::contact_sheet(clear).at(0, 0)[3] == 255);
}
