// Meshes as files that other programs open: OBJ (io/obj.hpp), binary STL, and GLB, which is glTF 2.0 in one file.
//
//   io::write_mesh("chair.glb", solid);     // the ending says the format
//   std::string bytes = io::to_stl(solid);
//
// STL: 3D Systems, "Stereolithography Interface Specification", 1989, as it is commonly read. GLB: Khronos, "glTF 2.0
// Specification", sections 3.6 and 4.4. Both are little-endian. A GLB without normals is drawn with flat faces.
#pragma once

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/mesh.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/io/obj.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

namespace detail {

inline void put_u32(std::string& out, std::uint32_t value) {
    for(unsigned shift = 0; shift < 32; shift += 8) {
        out += static_cast<char>(static_cast<unsigned char>(value >> shift));
    }
}
inline void put_point(std::string& out, const point3& point) {
    for(const float value: point) {
        put_u32(out, std::bit_cast<std::uint32_t>(value));
    }
}

/// The direction that a triangle looks in, of length 1; zeros where it has no area.
[[nodiscard]] inline point3 normal_of(const point3& a, const point3& b, const point3& c) noexcept {
    std::array<double, 3> cross{};
    double square = 0;
    for(std::size_t x = 0; x < 3; ++x) {
        const std::size_t y = (x + 1) % 3;
        const std::size_t z = (x + 2) % 3;
        const auto side = [&](const point3& to, std::size_t axis) {
            return static_cast<double>(to[axis]) - static_cast<double>(a[axis]);
        };
        cross[x] = side(b, y) * side(c, z) - side(b, z) * side(c, y);
        square += cross[x] * cross[x];
    }
    point3 out{};
    for(std::size_t axis = 0; axis < 3 && square > 0; ++axis) {
        out[axis] = static_cast<float>(cross[axis] / std::sqrt(square));
    }
    return out;
}

/// "[1,2,3]"
[[nodiscard]] inline std::string json_numbers(const point3& values) {
    std::string out = "[";
    std::array<char, 32> digits{};
    for(const float value: values) {
        out += out.size() > 1 ? "," : "";
        out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
    }
    return out + "]";
}

inline void put_chunk(std::string& out, std::string_view kind, std::string bytes, char filling) {
    bytes.resize((bytes.size() + 3) / 4 * 4, filling);
    put_u32(out, static_cast<std::uint32_t>(bytes.size()));
    out += kind;
    out += bytes;
}

} // namespace detail

/// A binary STL file: normals and corners of each triangle.
/// @throws argument_error as mesh::check; limit_error for more triangles than 32 bits count
[[nodiscard]] inline std::string to_stl(const mesh& what) {
    what.check();
    if(what.triangles.size() > std::numeric_limits<std::uint32_t>::max()) {
        tokenworks::detail::raise<limit_error>({"to_stl: ", what.triangles.size(), " triangles are too many"});
    }
    std::string out = "binary STL by tokenworks";
    out.resize(80, ' ');
    out.reserve(84 + 50 * what.triangles.size());
    detail::put_u32(out, static_cast<std::uint32_t>(what.triangles.size()));
    for(const auto& [a, b, c]: what.triangles) {
        detail::put_point(out, detail::normal_of(what.vertices[a], what.vertices[b], what.vertices[c]));
        for(const std::uint32_t corner: {a, b, c}) {
            detail::put_point(out, what.vertices[corner]);
        }
        out.append(2, '\0'); // no attributes
    }
    return out;
}

/// A GLB file with one mesh.
/// @throws argument_error as mesh::check, and for a mesh without triangles, which glTF has not; limit_error beyond 2
/// GiB
[[nodiscard]] inline std::string to_glb(const mesh& what) {
    what.check();
    if(what.triangles.empty()) {
        tokenworks::detail::raise<argument_error>({"to_glb: the mesh has no triangles"});
    }
    const std::uint64_t places = 12 * std::uint64_t{what.vertices.size()};
    const std::uint64_t indices = 12 * std::uint64_t{what.triangles.size()};
    if(places + indices > std::uint64_t{1} << 31U) {
        tokenworks::detail::raise<limit_error>({"to_glb: ", places + indices, " bytes are too many"});
    }
    const auto [low, high] = what.bounds();
    // 5126: float32, 5125: uint32; 34962: of vertices, 34963: of indices.
    const std::string json = tokenworks::detail::message(
        {R"({"asset":{"version":"2.0","generator":"tokenworks"},"scene":0,"scenes":[{"nodes":[0]}],)",
         R"("nodes":[{"mesh":0}],"meshes":[{"primitives":[{"attributes":{"POSITION":0},"indices":1}]}],)",
         R"("accessors":[{"bufferView":0,"componentType":5126,"type":"VEC3","count":)", what.vertices.size(),
         R"(,"min":)", detail::json_numbers(low), R"(,"max":)", detail::json_numbers(high),
         R"(},{"bufferView":1,"componentType":5125,"type":"SCALAR","count":)", 3 * what.triangles.size(),
         R"(}],"bufferViews":[{"buffer":0,"byteOffset":0,"target":34962,"byteLength":)", places,
         R"(},{"buffer":0,"target":34963,"byteOffset":)", places, R"(,"byteLength":)", indices,
         R"(}],"buffers":[{"byteLength":)", places + indices, "}]}"});
    std::string binary;
    binary.reserve(static_cast<std::size_t>(places + indices));
    for(const point3& each: what.vertices) {
        detail::put_point(binary, each);
    }
    for(const auto& triangle: what.triangles) {
        for(const std::uint32_t corner: triangle) {
            detail::put_u32(binary, corner);
        }
    }
    std::string chunks;
    detail::put_chunk(chunks, "JSON", json, ' ');
    detail::put_chunk(chunks, std::string_view{"BIN\0", 4}, std::move(binary), '\0');
    std::string out = "glTF";
    detail::put_u32(out, 2);
    detail::put_u32(out, static_cast<std::uint32_t>(chunks.size() + 12));
    return out + chunks;
}

/// The format that a path's ending names: ".obj", ".stl", ".glb".
/// @throws argument_error for another
[[nodiscard]] inline std::string to_mesh_file(const mesh& what, std::string_view path) {
    if(path.ends_with(".obj")) {
        return to_obj(what);
    }
    if(path.ends_with(".stl")) {
        return to_stl(what);
    }
    if(path.ends_with(".glb")) {
        return to_glb(what);
    }
    tokenworks::detail::raise<argument_error>(
        {"'", tokenworks::detail::escaped(path), "' ends with none of .obj, .stl, .glb"});
}

/// Writes the whole file or leaves the old one.
/// @throws as to_mesh_file; io_error
inline void write_mesh(const std::string& path, const mesh& what) {
    const std::string bytes = to_mesh_file(what, path);
    write_whole(path, std::as_bytes(std::span{bytes.data(), bytes.size()}));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
