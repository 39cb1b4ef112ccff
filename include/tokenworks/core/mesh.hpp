// A triangle mesh in memory: corners, and triangles that name three of them.
//
//   tokenworks::mesh solid{.vertices = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}}, .triangles = {{0, 1, 2}}};
//   solid.normalize();                  // centred, its longest side 1
//   bool closed = solid.is_watertight();
//
// y points up; seen from outside, the corners of a triangle run counterclockwise.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

using point3 = std::array<float, 3>;

struct mesh {
    std::vector<point3> vertices;                        ///< x, y, z
    std::vector<std::array<std::uint32_t, 3>> triangles; ///< places of vertices

    /// @throws argument_error naming a triangle whose corner there is not, or a vertex that is not finite
    void check() const {
        for(std::size_t i = 0; i < vertices.size(); ++i) {
            for(const float value: vertices[i]) {
                if(!std::isfinite(value)) {
                    detail::raise<argument_error>({"mesh: vertex ", i, " is not finite"});
                }
            }
        }
        for(std::size_t i = 0; i < triangles.size(); ++i) {
            for(const std::uint32_t corner: triangles[i]) {
                if(corner >= vertices.size()) {
                    detail::raise<argument_error>(
                        {"mesh: triangle ", i, " names vertex ", corner, ", there are ", vertices.size()});
                }
            }
        }
    }

    /// The lowest and the highest of each axis; zeros where there is no vertex.
    [[nodiscard]] std::array<point3, 2> bounds() const noexcept {
        if(vertices.empty()) {
            return {};
        }
        std::array<point3, 2> found{vertices.front(), vertices.front()};
        for(const point3& each: vertices) {
            for(std::size_t axis = 0; axis < 3; ++axis) {
                found[0][axis] = std::min(found[0][axis], each[axis]);
                found[1][axis] = std::max(found[1][axis], each[axis]);
            }
        }
        return found;
    }

    /// Drops the vertices that no triangle names. @pre check()
    void drop_unused() {
        constexpr std::uint32_t unused = std::numeric_limits<std::uint32_t>::max();
        std::vector<std::uint32_t> place(vertices.size(), unused);
        for(const auto& triangle: triangles) {
            for(const std::uint32_t corner: triangle) {
                place[corner] = 0;
            }
        }
        std::uint32_t next = 0;
        for(std::size_t i = 0; i < place.size(); ++i) {
            if(place[i] != unused) {
                vertices[next] = vertices[i];
                place[i] = next++;
            }
        }
        vertices.resize(next);
        for(auto& triangle: triangles) {
            for(std::uint32_t& corner: triangle) {
                corner = place[corner];
            }
        }
    }

    /// Moves the middle of its bounds to the origin, and makes its longest side 1. One of no size is only moved.
    void normalize() noexcept {
        const auto [low, high] = bounds();
        double longest = 0;
        for(std::size_t axis = 0; axis < 3; ++axis) {
            longest = std::max(longest, static_cast<double>(high[axis]) - static_cast<double>(low[axis]));
        }
        const double scale = longest > 0 ? 1 / longest : 1;
        for(point3& each: vertices) {
            for(std::size_t axis = 0; axis < 3; ++axis) {
                const double middle = (static_cast<double>(low[axis]) + static_cast<double>(high[axis])) / 2;
                each[axis] = static_cast<float>((static_cast<double>(each[axis]) - middle) * scale);
            }
        }
    }

    /// Whether every edge of a triangle is one other's, in the other direction: a closed surface with two sides.
    [[nodiscard]] bool is_watertight() const {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
        edges.reserve(3 * triangles.size());
        for(const auto& [a, b, c]: triangles) {
            edges.insert(edges.end(), {{a, b}, {b, c}, {c, a}});
        }
        std::ranges::sort(edges);
        if(edges.empty() || std::ranges::adjacent_find(edges) != edges.end()) {
            return false;
        }
        return std::ranges::all_of(edges, [&](const auto& edge) {
            return edge.first != edge.second && std::ranges::binary_search(edges, std::pair{edge.second, edge.first});
        });
    }

    /// What a closed surface holds; negative where its triangles are seen from inside.
    [[nodiscard]] double volume() const noexcept {
        double sum = 0;
        for(const auto& [i, j, k]: triangles) {
            const auto& a = vertices[i];
            const auto& b = vertices[j];
            const auto& c = vertices[k];
            for(std::size_t x = 0; x < 3; ++x) {
                const std::size_t y = (x + 1) % 3;
                const std::size_t z = (x + 2) % 3;
                sum += static_cast<double>(a[x]) * (static_cast<double>(b[y]) * static_cast<double>(c[z]) -
                                                    static_cast<double>(b[z]) * static_cast<double>(c[y]));
            }
        }
        return sum / 6;
    }

    friend bool operator==(const mesh&, const mesh&) = default;
};

} // namespace tokenworks::inline TOKENWORKS_ABI
