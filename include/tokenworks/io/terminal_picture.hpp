// A picture as text for a terminal of 24-bit colours: a character is two pixels, one above the other.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/io/picture.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// Lines of upper half blocks, each with the colours reset at its end. A picture that is wider than `most` characters
/// is made smaller by a whole factor, each pixel the mean of those it stands for; opacity is not shown.
/// @throws argument_error for what is no picture
[[nodiscard]] inline std::string to_blocks(const picture& what, std::size_t most = 80) {
    what.check();
    const std::size_t factor = (what.width + std::max<std::size_t>(1, most) - 1) / std::max<std::size_t>(1, most);
    const std::size_t width = (what.width + factor - 1) / factor;
    const std::size_t height = (what.height + factor - 1) / factor;
    const auto colour = [&](std::size_t x, std::size_t y) {
        std::array<std::size_t, 3> sums{};
        std::size_t count = 0;
        for(std::size_t i = y * factor; i < std::min(what.height, (y + 1) * factor); ++i) {
            for(std::size_t j = x * factor; j < std::min(what.width, (x + 1) * factor); ++j, ++count) {
                for(std::size_t c = 0; c < 3; ++c) {
                    sums[c] += what.at(j, i)[what.channels < 3 ? 0 : c];
                }
            }
        }
        std::string text;
        for(const std::size_t sum: sums) {
            text += ";" + std::to_string(count == 0 ? 0 : sum / count);
        }
        return text;
    };
    std::string out;
    for(std::size_t y = 0; y < height; y += 2) {
        for(std::size_t x = 0; x < width; ++x) {
            out += "\x1b[38;2" + colour(x, y) + "m";
            out += y + 1 < height ? "\x1b[48;2" + colour(x, y + 1) + "m" : std::string{"\x1b[49m"};
            out += "▀";
        }
        out += "\x1b[0m\n";
    }
    return out;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
