#include <tokenworks/io/heat_map.hpp>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::io::heat_map;

namespace {

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for(std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) {
        ++found;
    }
    return found;
}

} // namespace

TEST_CASE("heat map: a cell a number that is not zero, a mark a column, colours by sign", "[io]") {
    const std::vector<std::string> rows{"A", "<C"};
    const std::vector<float> values{-1, 0, 1, 1, NAN, -1};
    const std::vector<std::size_t> marked{0, 1, 7}; // the last stands outside of the table
    const std::string svg =
        to_svg(heat_map{.title = "a & b", .rows = rows, .values = values, .columns = 3, .marked = marked});
    CHECK(svg.starts_with("<svg "));
    CHECK(svg.ends_with("</svg>\n"));
    CHECK(svg.find("a &amp; b") != std::string::npos);
    CHECK(svg.find("&lt;C") != std::string::npos);
    CHECK(count(svg, "class=\"mark\"") == 2);
    CHECK(count(svg, "class=\"cells\"") == 2); // two colours
    CHECK(count(svg, "h10v10h-10z") == 4);
    CHECK(svg.find("#b2182b\" d=\"M64 30") != std::string::npos); // the third of the first row, red
    CHECK(svg.find("#2166ac\" d=\"M44 30") != std::string::npos); // the first, blue
}

TEST_CASE("heat map: long tables go on below, and few large values do not make the others pale", "[io]") {
    std::vector<float> values(200, 1.0F);
    values[7] = 1e6F;
    const std::string svg = to_svg(heat_map{.values = values, .columns = 200, .columns_a_line = 80});
    CHECK(count(svg, "stroke=\"#999\"") == 3); // frames
    CHECK(count(svg, "class=\"cells\"") == 3); // one colour in each
    CHECK(svg.find(">200</text>") != std::string::npos);
    const std::vector<float> zeros(4);
    CHECK(count(to_svg(heat_map{.values = zeros, .columns = 2}), "class=\"cells\"") == 0);
    const std::vector<float> shares{0, 0.5F, -3, 2};
    CHECK(count(to_svg(heat_map{.values = shares, .columns = 2, .diverging = false}), "class=\"cells\"") == 2);
}

TEST_CASE("heat map: tables that do not fit together", "[io]") {
    const std::vector<float> values(6);
    const std::vector<std::string> rows{"A"};
    const std::vector<std::size_t> marked{0};
    CHECK_THROWS_AS(to_svg(heat_map{}), tw::argument_error);
    CHECK_THROWS_AS(to_svg(heat_map{.values = values, .columns = 4}), tw::argument_error);
    CHECK_THROWS_AS(to_svg(heat_map{.rows = rows, .values = values, .columns = 3}), tw::argument_error);
    CHECK_THROWS_AS(to_svg(heat_map{.values = values, .columns = 3, .marked = marked}), tw::argument_error);
    CHECK_THROWS_AS(to_svg(heat_map{.values = values, .columns = 3, .cell = 0}), tw::argument_error);
}
