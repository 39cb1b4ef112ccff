// Videos that the tests of their writers share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tokenworks/core/clip.hpp>

namespace films {

/// Pixels of at most so many colours, 1 … 256 with one channel.
inline tokenworks::clip noise(std::size_t width, std::size_t height, std::size_t channels, std::size_t frames,
                              std::uint32_t colours) {
    tokenworks::clip film{.width = width, .height = height, .channels = channels};
    std::uint32_t state = 7;
    const auto next = [&](std::uint32_t below) {
        state = state * 1664525U + 1013904223U;
        return (state >> 8U) % below;
    };
    for(std::size_t i = 0; i < width * height * frames; ++i) {
        const std::uint32_t colour = next(colours);
        for(std::uint32_t c = 0; c < channels; ++c) {
            film.bytes.push_back(static_cast<std::uint8_t>(colour * (2 * c + 1) + (colour >> 8U) * 31 * c));
        }
    }
    return film;
}

} // namespace films
