#include <tokenworks/io/obj.hpp>

#include <string>

#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("obj: corners and faces of any form", "[io]") {
    const tw::mesh read = tw::io::from_obj("# a square\r\no it\nv 0 0 0 1\nv 1e0 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\n"
                                           "f 1/1 2/1/1 3//1 4\n  f -4 -2 -1\nusemtl red\n",
                                           "t.obj");
    CHECK(read.vertices.size() == 4);
    CHECK(read.triangles == std::vector<std::array<std::uint32_t, 3>>{{0, 1, 2}, {0, 2, 3}, {0, 2, 3}});
}

TEST_CASE("obj: what is written reads back the same", "[io]") {
    const tw::mesh what{.vertices = {{0.1F, -1e-30F, 3}, {1.0F / 3, 0, 0}, {0, 1e30F, 0}}, .triangles = {{2, 0, 1}}};
    CHECK(tw::io::from_obj(tw::io::to_obj(what), "t.obj") == what);
}

TEST_CASE("obj: bad lines are named by their offset", "[io]") {
    for(const std::string bad: {"v 1 2\n", "v 1 2 x\n", "v 1 2 nan\n", "f 1 2\n", "f 0 1 1\n", "f 1 2 -9\n", "what\n",
                                "f 1 2 99999999999999999999\n", "f 1 2 4\n"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(tw::io::from_obj("v 0 0 0\nv 1 0 0\nv 0 1 0\n" + bad, "t.obj"), tw::format_error);
    }
    CHECK_THROWS_WITH(tw::io::from_obj("v 0 0 0\nv 1 z 0\n", "t.obj"),
                      Catch::Contains("t.obj") && Catch::Contains("8"));
}

TEST_CASE("obj: a language model's text is read where it is a mesh", "[io]") {
    const std::string text =
        "Sure! Here is a wedge:\n```\nv 0 0 0\nv 63 0 0\nv 0 63 0\nv 0 0 63\nf 1 3 2\nf 1 2 4\nf 1 9 4\n"
        "f 2 3 4\nf 1 4";
    const tw::mesh read = tw::io::from_obj(text, "answer", {.prose = true});
    CHECK(read.vertices.size() == 4);
    CHECK(read.triangles.size() == 3); // not the one with a corner that there is not, nor the one that was cut
    CHECK_THROWS_AS(tw::io::from_obj(text, "answer"), tw::format_error);
    CHECK_THROWS_AS(tw::io::from_obj("I cannot draw.", "answer", {.prose = true}), tw::format_error);
}
