#include <tokenworks/core/mesh.hpp>

#include <limits>

#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

tw::mesh tetrahedron() {
    return {.vertices = {{0, 0, 0}, {2, 0, 0}, {0, 0, -2}, {0, 4, 0}},
            .triangles = {{0, 2, 1}, {0, 1, 3}, {1, 2, 3}, {2, 0, 3}}};
}

} // namespace

TEST_CASE("mesh: watertight is what has every edge twice, in both directions", "[core]") {
    tw::mesh solid = tetrahedron();
    CHECK(solid.is_watertight());
    CHECK(solid.volume() == 8.0 / 3);
    std::swap(solid.triangles[0][0], solid.triangles[0][1]); // turned around
    CHECK_FALSE(solid.is_watertight());
    solid.triangles.erase(solid.triangles.begin());
    CHECK_FALSE(solid.is_watertight());
    CHECK_FALSE(tw::mesh{}.is_watertight());
}

TEST_CASE("mesh: normalized, it is centred and its longest side is 1", "[core]") {
    tw::mesh solid = tetrahedron();
    solid.vertices.push_back({100, 0, 0});
    solid.drop_unused();
    CHECK(solid.vertices.size() == 4);
    solid.normalize();
    const auto [low, high] = solid.bounds();
    CHECK(low == tw::point3{-0.25F, -0.5F, -0.25F});
    CHECK(high == tw::point3{0.25F, 0.5F, 0.25F});
    CHECK(solid.is_watertight());
}

TEST_CASE("mesh: what is none is refused", "[core]") {
    tw::mesh solid = tetrahedron();
    solid.triangles[1][2] = 4;
    CHECK_THROWS_AS(solid.check(), tw::argument_error);
    solid = tetrahedron();
    solid.vertices[0][1] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(solid.check(), tw::argument_error);
}
