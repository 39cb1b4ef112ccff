#include <tokenworks/codec/mesh_tokens.hpp>

#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

const tw::codec::mesh_tokens space{{.levels = 5, .most_vertices = 8, .classes = {"wedge", "box"}}};
const tw::mesh tetrahedron{.vertices = {{0, 4, 0}, {0, 0, 0}, {0, 0, -2}, {2, 0, 0}},
                           .triangles = {{1, 2, 3}, {0, 1, 3}, {3, 2, 0}, {2, 1, 0}}};

} // namespace

TEST_CASE("mesh tokens: corners and triangles in order, which decode to the same shape", "[codec]") {
    CHECK(space.vocab_size() == 2 + 2 + 5 + 8);
    CHECK(space.class_token("box") == 3);
    CHECK_THROWS_WITH(space.class_token("cat"), Catch::Contains("wedge, box"));
    const std::vector<std::int32_t> ids = space.encode(tetrahedron);
    // Levels of up, depth and across, from 4 on: a unit is a level.
    const std::vector<std::int32_t> corners{4, 5, 5, 4, 7, 5, 4, 7, 7, 8, 7, 5};
    REQUIRE(ids.size() == 12 + 1 + 12 + 1);
    CHECK(std::vector<std::int32_t>(ids.begin(), ids.begin() + 12) == corners);
    CHECK(std::vector<std::int32_t>(ids.begin() + 12, ids.end()) ==
          std::vector<std::int32_t>{1, 9, 10, 12, 9, 11, 10, 9, 12, 11, 10, 11, 12, 0});
    const tw::mesh back = space.decode(ids);
    CHECK(back.triangles.size() == 4);
    CHECK(space.encode(back) == ids);
}

TEST_CASE("mesh tokens: what falls together is one, and too much is refused", "[codec]") {
    tw::mesh fine = tetrahedron;
    fine.vertices.push_back({0.01F, 4, 0});
    fine.triangles.push_back({0, 4, 1}); // of no area
    CHECK(space.encode(fine) == space.encode(tetrahedron));
    for(int i = 0; i < 10; ++i) {
        fine.vertices.push_back({2, static_cast<float>(i % 5), static_cast<float>(-i / 5)});
    }
    CHECK_THROWS_AS(space.encode(fine), tw::argument_error);
    fine.triangles.push_back({0, 1, 99});
    CHECK_THROWS_AS(space.encode(fine), tw::argument_error);
}

TEST_CASE("mesh tokens: what is no mesh does not decode", "[codec]") {
    using ids = std::vector<std::int32_t>;
    for(const ids& bad: {ids{}, ids{1}, ids{4, 4}, ids{4, 4, 4, 1, 9, 9, 10, 0}, ids{1, 0, 0}, ids{4, 4, 99, 1, 0},
                         ids{4, 4, 4, 1, 9, 9, -7, 0}}) {
        CHECK_THROWS_AS(space.decode(bad), tw::argument_error);
    }
    CHECK_THROWS_AS((tw::codec::mesh_tokens{{.levels = 1}}), tw::argument_error);
}
