// Meshes as Wavefront OBJ: the lines "v x y z" and "f 1 2 3" of text, written and read.
//
//   tokenworks::mesh solid = io::read_obj("chair.obj");
//   std::string text = io::to_obj(solid);
//   tokenworks::mesh said = io::from_obj("Here it is:\nv 0 0 0\nv 9 0 0\nv 0 9 0\nf 1 2 3", "answer", {.prose = true});
//
// Read are corners and faces of any number of corners, counted from 1 or backwards from -1; textures, normals, groups
// and materials are passed over. A language model writes the same lines with whole coordinates (Wang et al.,
// "LLaMA-Mesh: Unifying 3D Mesh Generation with Language Models", 2024, section 3.1): `prose` passes over everything
// else around them.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/mesh.hpp>
#include <tokenworks/io/file_bytes.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

struct obj_options {
    /// Lines that are no corners or faces, or that end too soon, are text around the mesh and no errors; nor are faces
    /// that name what there is not: they are left out.
    bool prose = false;
};

namespace detail {

class obj_reader {
public:
    obj_reader(std::string_view text, const std::string& name, const obj_options& options)
        : text_{text}, name_{&name}, prose_{options.prose} {}

    [[nodiscard]] mesh read() {
        while(at_ < text_.size()) {
            begin_ = at_;
            const std::size_t end = std::min(text_.find('\n', at_), text_.size());
            line_ = text_.substr(at_, end - at_);
            at_ = end + 1;
            const std::string_view kind = word();
            if(kind == "v") {
                read_vertex();
            } else if(kind == "f") {
                read_face();
            } else if(!prose_ && !is_known(kind)) {
                refuse({"the line begins with '", tokenworks::detail::escaped(kind), "', which OBJ has not"});
            }
        }
        begin_ = text_.size();
        if(prose_) {
            drop_dangling();
            if(made_.triangles.empty()) {
                refuse({"has no faces"});
            }
            return std::move(made_);
        }
        for(const auto& triangle: made_.triangles) {
            for(const std::uint32_t corner: triangle) {
                if(corner >= made_.vertices.size()) {
                    refuse({"a face names corner ", corner + std::uint64_t{1}, ", there are ", made_.vertices.size()});
                }
            }
        }
        return std::move(made_);
    }

private:
    [[nodiscard]] static bool is_known(std::string_view kind) noexcept {
        if(kind.empty() || kind.front() == '#') {
            return true;
        }
        for(const std::string_view each: {"vt", "vn", "vp", "l", "p", "o", "g", "s", "mg", "usemtl", "mtllib", "usemap",
                                          "bevel", "c_interp", "d_interp", "lod", "shadow_obj", "trace_obj"}) {
            if(kind == each) {
                return true;
            }
        }
        return false;
    }

    /// The next word of the line.
    [[nodiscard]] std::string_view word() noexcept {
        constexpr std::string_view blanks = " \t\r";
        const std::size_t from = line_.find_first_not_of(blanks);
        if(from == line_.npos) {
            return line_ = {};
        }
        line_.remove_prefix(from);
        const std::string_view found = line_.substr(0, line_.find_first_of(blanks));
        line_.remove_prefix(found.size());
        return found;
    }

    void read_vertex() {
        point3 made{};
        for(float& value: made) {
            const std::string_view text = word();
            const char* const end = text.data() + text.size();
            const auto [last, problem] = std::from_chars(text.data(), end, value);
            if(problem != std::errc{} || last != end || !std::isfinite(value)) {
                return refuse_line({"'", tokenworks::detail::escaped(text), "' is no coordinate"});
            }
        }
        if(made_.vertices.size() >= std::numeric_limits<std::int32_t>::max()) {
            refuse({"has too many corners"});
        }
        made_.vertices.push_back(made);
    }

    void read_face() {
        std::uint32_t first = 0;
        std::uint32_t before = 0;
        std::size_t corners = 0;
        const std::size_t triangles = made_.triangles.size();
        for(std::string_view text = word(); !text.empty(); text = word(), ++corners) {
            std::int64_t place = 0;
            const char* const end = text.data() + text.size();
            const auto [last, problem] = std::from_chars(text.data(), end, place);
            const auto count = static_cast<std::int64_t>(made_.vertices.size());
            if(place < 0) { // back from the last one so far
                place += count + 1;
            }
            if(problem != std::errc{} || (last != end && *last != '/') || place < 1 ||
               place > std::numeric_limits<std::int32_t>::max()) {
                made_.triangles.resize(triangles);
                return refuse_line({"'", tokenworks::detail::escaped(text), "' names no corner"});
            }
            const auto corner = static_cast<std::uint32_t>(place - 1);
            if(corners == 0) {
                first = corner;
            } else if(corners > 1) {
                made_.triangles.push_back({first, before, corner});
            }
            before = corner;
        }
        if(corners < 3) {
            refuse_line({"a face of ", corners, " corners"});
        }
    }

    void drop_dangling() {
        std::erase_if(made_.triangles, [&](const auto& triangle) {
            const auto [a, b, c] = triangle;
            const std::size_t count = made_.vertices.size();
            return a >= count || b >= count || c >= count || a == b || b == c || c == a;
        });
    }

    void refuse_line(tokenworks::detail::message_parts why) const {
        if(!prose_) {
            refuse(why);
        }
    }
    [[noreturn]] TOKENWORKS_COLD void refuse(tokenworks::detail::message_parts why) const {
        tokenworks::detail::raise_format(*name_, {"OBJ"}, begin_, why);
    }

    std::string_view text_;
    const std::string* name_;
    bool prose_;
    std::size_t at_ = 0;
    std::size_t begin_ = 0;
    std::string_view line_;
    mesh made_;
};

} // namespace detail

/// Triangles of a text; larger faces are cut into a fan.
/// @param name  what errors call it
/// @throws format_error with the offset of the line
[[nodiscard]] inline mesh from_obj(std::string_view text, const std::string& name, const obj_options& options = {}) {
    return detail::obj_reader{text, name, options}.read();
}

/// @throws as from_obj; io_error
[[nodiscard]] inline mesh read_obj(const std::string& path, const obj_options& options = {}) {
    const file_bytes file = file_bytes::open(path, {.mode = open_mode::read});
    const std::string_view text{reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
    return from_obj(text, path, options);
}

/// Numbers have the digits that tell a float from all others, whatever the locale.
/// @throws argument_error as mesh::check
[[nodiscard]] inline std::string to_obj(const mesh& what) {
    what.check();
    std::string out;
    std::array<char, 32> digits{};
    const auto add = [&](auto value) {
        out += ' ';
        out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
    };
    for(const point3& each: what.vertices) {
        out += 'v';
        for(const float value: each) {
            add(value);
        }
        out += '\n';
    }
    for(const auto& triangle: what.triangles) {
        out += 'f';
        for(const std::uint32_t corner: triangle) {
            add(corner + std::uint64_t{1});
        }
        out += '\n';
    }
    return out;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
