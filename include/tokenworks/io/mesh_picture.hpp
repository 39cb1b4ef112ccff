// A shaded picture of a mesh: seen from above and to the side, without perspective.
//
//   io::picture seen = io::draw_mesh(solid, {.size = 256});
//
// Each pixel is the mean of 3 x 3 samples; of each, the nearest triangle counts (a depth buffer). A triangle that is
// seen from inside is drawn in another colour, so that a surface with a hole is told from a whole one.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/mesh.hpp>
#include <tokenworks/io/mesh_files.hpp>
#include <tokenworks/io/picture.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

struct mesh_picture_options {
    std::size_t size = 384; ///< of a side, in pixels; 1 … 8192
    float turn = 30;        ///< degrees around the vertical axis
    float tilt = 25;        ///< degrees above the horizon
    std::array<std::uint8_t, 3> front{92, 148, 214};
    std::array<std::uint8_t, 3> back{214, 104, 92}; ///< of what is seen from inside
    std::array<std::uint8_t, 3> ground{250, 250, 250};
};

namespace detail {

class mesh_painter {
public:
    mesh_painter(const mesh& what, const mesh_picture_options& options)
        : options_{options}, side_{options.size * samples} {
        constexpr std::size_t most = 8192;
        if(options.size == 0 || options.size > most) {
            tokenworks::detail::raise<argument_error>(
                {"draw_mesh: a side of ", options.size, " pixels is not in 1..", most});
        }
        what.check();
        depth_.assign(side_ * side_, -std::numeric_limits<float>::infinity());
        colour_.assign(side_ * side_, options.ground);
        place(what);
        for(const auto& triangle: what.triangles) {
            paint(triangle);
        }
    }

    [[nodiscard]] picture result() const {
        picture out{options_.size, options_.size, 3};
        for(std::size_t y = 0; y < options_.size; ++y) {
            for(std::size_t x = 0; x < options_.size; ++x) {
                std::array<unsigned, 3> sum{};
                for(std::size_t i = 0; i < samples * samples; ++i) {
                    const auto& one = colour_[(y * samples + i / samples) * side_ + x * samples + i % samples];
                    for(std::size_t c = 0; c < 3; ++c) {
                        sum[c] += one[c];
                    }
                }
                for(std::size_t c = 0; c < 3; ++c) {
                    out.at(x, y)[c] = static_cast<std::uint8_t>(sum[c] / (samples * samples));
                }
            }
        }
        return out;
    }

private:
    static constexpr std::size_t samples = 3; // of a pixel, along a side

    /// Turns the corners, and fits them into the picture.
    void place(const mesh& what) {
        constexpr float degree = std::numbers::pi_v<float> / 180;
        const float ct = std::cos(options_.turn * degree);
        const float st = std::sin(options_.turn * degree);
        const float cu = std::cos(options_.tilt * degree);
        const float su = std::sin(options_.tilt * degree);
        mesh seen;
        seen.vertices.reserve(what.vertices.size());
        mesh centred = what;
        centred.normalize();
        for(const auto& [x, y, z]: centred.vertices) {
            const float across = ct * x - st * z;
            const float away = st * x + ct * z;
            seen.vertices.push_back({across, cu * y - su * away, su * y + cu * away});
        }
        const auto [low, high] = seen.bounds();
        const float extent = std::max({high[0] - low[0], high[1] - low[1], 1e-6F});
        const auto side = static_cast<float>(side_);
        const float scale = 0.86F * side / extent;
        corners_.reserve(seen.vertices.size());
        for(const auto& [x, y, z]: seen.vertices) {
            corners_.push_back({side / 2 + (x - (low[0] + high[0]) / 2) * scale,
                                side / 2 - (y - (low[1] + high[1]) / 2) * scale, z * scale});
        }
    }

    void paint(const std::array<std::uint32_t, 3>& triangle) {
        const point3& a = corners_[triangle[0]];
        const point3& b = corners_[triangle[1]];
        const point3& c = corners_[triangle[2]];
        const float area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if(!(std::abs(area) > 1e-6F)) {
            return;
        }
        const std::array<std::uint8_t, 3> shade = shade_of(a, b, c);
        const auto first = [&](std::size_t axis) {
            return static_cast<std::size_t>(std::max(0.0F, std::floor(std::min({a[axis], b[axis], c[axis]}))));
        };
        const auto last = [&](std::size_t axis) {
            return std::min(side_, static_cast<std::size_t>(std::max({a[axis], b[axis], c[axis], 0.0F}) + 1));
        };
        for(std::size_t y = first(1); y < last(1); ++y) {
            for(std::size_t x = first(0); x < last(0); ++x) {
                const float px = static_cast<float>(x) + 0.5F;
                const float py = static_cast<float>(y) + 0.5F;
                const float u = ((b[0] - px) * (c[1] - py) - (b[1] - py) * (c[0] - px)) / area;
                const float v = ((c[0] - px) * (a[1] - py) - (c[1] - py) * (a[0] - px)) / area;
                const float w = 1 - u - v;
                const float z = u * a[2] + v * b[2] + w * c[2];
                if(u >= 0 && v >= 0 && w >= 0 && z > depth_[y * side_ + x]) {
                    depth_[y * side_ + x] = z;
                    colour_[y * side_ + x] = shade;
                }
            }
        }
    }

    /// Light comes from the viewer's upper left; rows of pictures run down, so that y is turned around.
    [[nodiscard]] std::array<std::uint8_t, 3> shade_of(const point3& a, const point3& b, const point3& c) const {
        point3 normal = normal_of({a[0], -a[1], a[2]}, {b[0], -b[1], b[2]}, {c[0], -c[1], c[2]});
        const bool inside = normal[2] < 0;
        const float sign = inside ? -1.0F : 1.0F;
        const float light = sign * (-0.42F * normal[0] + 0.62F * normal[1] + 0.66F * normal[2]);
        const float bright = 0.38F + 0.62F * std::max(0.0F, light);
        std::array<std::uint8_t, 3> shade = inside ? options_.back : options_.front;
        for(std::uint8_t& channel: shade) {
            channel = static_cast<std::uint8_t>(std::min(255.0F, static_cast<float>(channel) * bright + 12));
        }
        return shade;
    }

    mesh_picture_options options_;
    std::size_t side_; // in samples
    std::vector<float> depth_;
    std::vector<std::array<std::uint8_t, 3>> colour_;
    std::vector<point3> corners_; // across, down, towards the viewer; in samples
};

} // namespace detail

/// @return [size,size], red, green and blue
/// @throws argument_error for a size out of range; as mesh::check
[[nodiscard]] inline picture draw_mesh(const mesh& what, const mesh_picture_options& options = {}) {
    return detail::mesh_painter{what, options}.result();
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
