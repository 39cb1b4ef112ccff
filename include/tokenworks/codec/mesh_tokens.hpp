// Meshes as tokens: the levels of each corner's coordinates, then three corners for each triangle.
//
//   const codec::mesh_tokens space{{.levels = 64, .most_vertices = 64, .classes = {"box", "chair"}}};
//   auto ids = space.encode(solid);              // corners, the mark, triangles, the end
//   tokenworks::mesh back = space.decode(ids);   // centred, its longest side 1
//
// Corners come sorted by their levels (up, depth, across), each triangle with its smallest corner first and keeping its
// direction, triangles sorted: Nash et al., "PolyGen: An Autoregressive Generative Model of 3D Meshes", 2020,
// sections 2.2 and 2.3, whose vertical axis is z. Triangles name corners, and do not repeat their coordinates, as in
// MeshAnything (Chen et al., 2024), so that triangles which touch share their corners.
//
// Ids: 0 ends the mesh, 1 stands between corners and triangles; then the classes, the levels, and the corners.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/class_names.hpp>
#include <tokenworks/codec/token_space.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/mesh.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

struct mesh_tokens_options {
    std::size_t levels = 64;        ///< of a coordinate; 2 … 1024
    std::size_t most_vertices = 64; ///< 4 … 65536
    std::vector<std::string> classes{};
};

/// Immutable.
class mesh_tokens {
public:
    using data = mesh;

    static constexpr std::int32_t end = 0;   ///< of a mesh
    static constexpr std::int32_t faces = 1; ///< follow

    /// @throws argument_error for sizes out of range
    explicit mesh_tokens(mesh_tokens_options options) : options_{std::move(options)} {
        if(options_.levels < 2 || options_.levels > 1024 || options_.most_vertices < 4 ||
           options_.most_vertices > 65536 || options_.classes.size() > 65536) {
            tokenworks::detail::raise<argument_error>({"mesh_tokens: ", options_.levels, " levels, ",
                                                       options_.most_vertices, " vertices, ", options_.classes.size(),
                                                       " classes"});
        }
    }

    [[nodiscard]] const mesh_tokens_options& options() const noexcept { return options_; }
    [[nodiscard]] const std::vector<std::string>& classes() const noexcept { return options_.classes; }
    [[nodiscard]] std::size_t levels() const noexcept { return options_.levels; }
    [[nodiscard]] std::size_t most_vertices() const noexcept { return options_.most_vertices; }
    [[nodiscard]] std::int32_t first_level() const noexcept {
        return static_cast<std::int32_t>(2 + options_.classes.size());
    }
    [[nodiscard]] std::int32_t first_vertex() const noexcept {
        return first_level() + static_cast<std::int32_t>(options_.levels);
    }
    /// V.
    [[nodiscard]] std::size_t vocab_size() const noexcept {
        return static_cast<std::size_t>(first_vertex()) + options_.most_vertices;
    }

    /// The token of a class, which a mesh of that class follows on.
    /// @throws argument_error naming the classes that there are
    [[nodiscard]] std::int32_t class_token(std::string_view name) const {
        return static_cast<std::int32_t>(2 + class_of(options_.classes, name));
    }

    /// Corners that fall onto the same levels become one, and triangles that thereby lose their area are left out.
    /// @throws argument_error as mesh::check, and where more corners are left than tokens name
    [[nodiscard]] std::vector<std::int32_t> encode(const mesh& given) const {
        given.check();
        mesh what = given;
        what.normalize();
        const auto top = static_cast<float>(levels() - 1);
        std::vector<std::array<std::int32_t, 3>> keys;
        keys.reserve(what.vertices.size());
        for(const auto& [x, y, z]: what.vertices) {
            const auto level = [&](float value) {
                return static_cast<std::int32_t>(std::clamp(std::round((value + 0.5F) * top), 0.0F, top));
            };
            keys.push_back({level(y), level(z), level(x)});
        }
        std::vector<std::array<std::int32_t, 3>> sorted = keys;
        std::ranges::sort(sorted);
        sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
        if(sorted.size() > most_vertices()) {
            tokenworks::detail::raise<argument_error>(
                {"mesh_tokens: ", sorted.size(), " corners, there are tokens for ", most_vertices()});
        }
        std::vector<std::array<std::int32_t, 3>> triangles;
        triangles.reserve(what.triangles.size());
        for(const auto& triangle: what.triangles) {
            std::array<std::int32_t, 3> corners{};
            for(std::size_t i = 0; i < 3; ++i) {
                corners[i] =
                    static_cast<std::int32_t>(std::ranges::lower_bound(sorted, keys[triangle[i]]) - sorted.begin());
            }
            std::rotate(corners.begin(), std::ranges::min_element(corners), corners.end());
            if(corners[0] != corners[1] && corners[1] != corners[2] && corners[0] != corners[2]) {
                triangles.push_back(corners);
            }
        }
        std::ranges::sort(triangles);
        triangles.erase(std::unique(triangles.begin(), triangles.end()), triangles.end());
        std::vector<std::int32_t> ids;
        ids.reserve(3 * (sorted.size() + triangles.size()) + 2);
        append(sorted, first_level(), ids);
        ids.push_back(faces);
        append(triangles, first_vertex(), ids);
        ids.push_back(end);
        return ids;
    }

    /// Corners that no triangle names are left out. Tokens of classes before the first corner are passed over.
    /// @throws argument_error naming the place of a token that does not belong there
    [[nodiscard]] mesh decode(std::span<const std::int32_t> ids) const {
        mesh made;
        std::size_t at = 0;
        while(at < ids.size() && ids[at] >= 2 && ids[at] < first_level()) {
            ++at;
        }
        const auto top = static_cast<float>(levels() - 1);
        while(at < ids.size() && ids[at] != faces) {
            const auto [y, z, x] = three(ids, at, first_level(), levels());
            made.vertices.push_back(
                {static_cast<float>(x) / top, static_cast<float>(y) / top, static_cast<float>(z) / top});
        }
        for(++at; at < ids.size() && ids[at] != end;) {
            const auto [a, b, c] = three(ids, at, first_vertex(), std::min(most_vertices(), made.vertices.size()));
            made.triangles.push_back(
                {static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(c)});
        }
        if(at + 1 != ids.size()) {
            tokenworks::detail::raise<argument_error>({"mesh_tokens: the mesh of ", ids.size(), " tokens has no end"});
        }
        made.drop_unused();
        made.normalize();
        return made;
    }

private:
    static void append(const std::vector<std::array<std::int32_t, 3>>& rows, std::int32_t first,
                       std::vector<std::int32_t>& ids) {
        for(const auto& row: rows) {
            for(const std::int32_t value: row) {
                ids.push_back(first + value);
            }
        }
    }

    [[nodiscard]] static std::array<std::int32_t, 3> three(std::span<const std::int32_t> ids, std::size_t& at,
                                                           std::int32_t first, std::size_t count) {
        std::array<std::int32_t, 3> found{};
        for(std::int32_t& value: found) {
            if(at == ids.size() || ids[at] < first || static_cast<std::size_t>(ids[at] - first) >= count) {
                tokenworks::detail::raise<argument_error>(
                    {"mesh_tokens: what stands at place ", at, " does not belong there"});
            }
            value = ids[at++] - first;
        }
        return found;
    }

    mesh_tokens_options options_;
};

static_assert(token_space<mesh_tokens>);

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
