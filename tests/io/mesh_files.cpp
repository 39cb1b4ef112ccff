#include <tokenworks/io/mesh_files.hpp>

#include <bit>
#include <cstdint>
#include <string>

#include "support/catch.hpp"

namespace tw = tokenworks;

namespace {

const tw::mesh triangle{.vertices = {{0, 0, 0}, {2, 0, 0}, {0, 1, 0}}, .triangles = {{0, 1, 2}}};

std::uint32_t u32(const std::string& bytes, std::size_t at) {
    std::uint32_t value = 0;
    for(unsigned i = 0; i < 4; ++i) {
        value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    }
    return value;
}
float f32(const std::string& bytes, std::size_t at) { return std::bit_cast<float>(u32(bytes, at)); }

} // namespace

TEST_CASE("stl: normals and corners", "[io]") {
    const std::string file = tw::io::to_stl(triangle);
    REQUIRE(file.size() == 84 + 50);
    CHECK(u32(file, 80) == 1);
    CHECK(f32(file, 84 + 8) == 1.0F); // it looks along z
    CHECK(f32(file, 84 + 24) == 2.0F);
    CHECK(file.substr(0, 5) != "solid"); // which would be the other form
}

TEST_CASE("glb: chunks, counts and bounds", "[io]") {
    const std::string file = tw::io::to_glb(triangle);
    CHECK(file.substr(0, 4) == "glTF");
    CHECK(u32(file, 4) == 2);
    CHECK(u32(file, 8) == file.size());
    const std::uint32_t json = u32(file, 12);
    CHECK(json % 4 == 0);
    CHECK(file.substr(16, 4) == "JSON");
    CHECK(file.substr(20, json).find(R"("count":3,"min":[0,0,0],"max":[2,1,0])") != std::string::npos);
    const std::size_t binary = 20 + json;
    CHECK(u32(file, binary) == 36 + 12);
    CHECK(file.substr(binary + 4, 4) == std::string("BIN\0", 4));
    CHECK(f32(file, binary + 8 + 12) == 2.0F);
    CHECK(u32(file, binary + 8 + 36 + 8) == 2);
    CHECK_THROWS_AS(tw::io::to_glb({}), tw::argument_error);
}

TEST_CASE("mesh files: the ending says the format", "[io]") {
    CHECK(tw::io::to_mesh_file(triangle, "a.obj") == tw::io::to_obj(triangle));
    CHECK(tw::io::to_mesh_file(triangle, "a.stl") == tw::io::to_stl(triangle));
    CHECK_THROWS_AS(tw::io::to_mesh_file(triangle, "a.ply"), tw::argument_error);
    CHECK_THROWS_AS(tw::io::write_mesh("no such folder/a.obj", triangle), tw::io_error);
}
