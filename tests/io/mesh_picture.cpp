#include <tokenworks/io/mesh_picture.hpp>

#include <algorithm>

#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

/// A square that looks along z.
const tw::mesh square{.vertices = {{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {0, 1, 0}}, .triangles = {{0, 1, 2}, {0, 2, 3}}};

} // namespace

TEST_CASE("mesh picture: seen from ahead, a square fills its share of the picture", "[io]") {
    const tw::io::picture seen = tw::io::draw_mesh(square, {.size = 100, .turn = 0, .tilt = 0});
    std::size_t covered = 0;
    for(std::size_t i = 0; i < 100 * 100; ++i) {
        covered += seen.bytes[3 * i] < 245 ? 1U : 0U;
    }
    CHECK(covered >= 86 * 86);
    CHECK(covered <= 88 * 88);
    CHECK(seen.at(0, 0)[0] == 250);
    CHECK(seen.at(50, 50)[2] > seen.at(50, 50)[0]); // the front's colour
    const tw::io::picture behind = tw::io::draw_mesh(square, {.size = 100, .turn = 180, .tilt = 0});
    CHECK(behind.at(50, 50)[0] > behind.at(50, 50)[2]); // and the back's
}

TEST_CASE("mesh picture: the nearer triangle hides the other, whatever the order", "[io]") {
    tw::mesh two = square;
    for(const auto& [x, y, z]: square.vertices) {
        two.vertices.push_back({x, y, z - 1});
    }
    two.triangles.push_back({4, 6, 5}); // behind, seen from inside
    two.triangles.push_back({4, 7, 6});
    const tw::io::picture one = tw::io::draw_mesh(two, {.size = 50, .turn = 0, .tilt = 0});
    std::ranges::reverse(two.triangles);
    CHECK(tw::io::draw_mesh(two, {.size = 50, .turn = 0, .tilt = 0}) == one);
    CHECK(one.at(25, 25)[2] > one.at(25, 25)[0]);
}

TEST_CASE("mesh picture: nothing to see, and sizes out of range", "[io]") {
    CHECK(tw::io::draw_mesh({}, {.size = 3}).bytes == std::vector<std::uint8_t>(27, 250));
    CHECK_THROWS_AS(tw::io::draw_mesh(square, {.size = 0}), tw::argument_error);
    CHECK_THROWS_AS(tw::io::draw_mesh(square, {.size = 100000}), tw::argument_error);
}
