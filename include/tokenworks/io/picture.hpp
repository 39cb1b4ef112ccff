// A picture in memory: rows from the top, 8 bits a channel.
//
//   io::picture page{640, 480};          // 3 channels, black
//   page.at(10, 20)[0] = 255;            // red, at x 10, y 20
//
// What stands in files is read and written elsewhere (io/png.hpp).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

struct picture {
    std::size_t width = 0;
    std::size_t height = 0;
    std::size_t channels = 3;        ///< 1: grey, 3: red, green, blue; 4: and how opaque it is
    std::vector<std::uint8_t> bytes; ///< [height,width,channels]

    picture() = default;
    /// All bytes are 0.
    /// @throws argument_error for channels other than 1, 3 and 4; limit_error for more bytes than can be counted
    picture(std::size_t wide, std::size_t high, std::size_t channels_of_each = 3)
        : width{wide}, height{high}, channels{channels_of_each} {
        check_channels();
        bytes.resize(byte_count());
    }

    /// The bytes of one pixel. Not checked: x is below the width and y below the height.
    [[nodiscard]] std::span<std::uint8_t> at(std::size_t x, std::size_t y) noexcept {
        return {bytes.data() + (y * width + x) * channels, channels};
    }
    [[nodiscard]] std::span<const std::uint8_t> at(std::size_t x, std::size_t y) const noexcept {
        return {bytes.data() + (y * width + x) * channels, channels};
    }

    /// Copies another into this one, its left upper corner at x, y. What would lie outside is left out.
    /// @throws argument_error where the channels differ
    void put(const picture& other, std::size_t x, std::size_t y) {
        if(other.channels != channels) {
            tokenworks::detail::raise<argument_error>(
                {"picture: one of ", other.channels, " channels does not go into one of ", channels});
        }
        for(std::size_t row = 0; row < other.height && y + row < height; ++row) {
            for(std::size_t column = 0; column < other.width && x + column < width; ++column) {
                const auto from = other.at(column, row);
                const auto to = at(x + column, y + row);
                for(std::size_t c = 0; c < channels; ++c) {
                    to[c] = from[c];
                }
            }
        }
    }

    /// @throws argument_error where channels or bytes are not what they should be
    void check() const {
        check_channels();
        if(width == 0 || height == 0 || bytes.size() != byte_count()) {
            tokenworks::detail::raise<argument_error>(
                {"picture: ", bytes.size(), " bytes for ", width, " x ", height, " pixels of ", channels, " channels"});
        }
    }

    friend bool operator==(const picture&, const picture&) = default;

private:
    void check_channels() const {
        if(channels != 1 && channels != 3 && channels != 4) {
            tokenworks::detail::raise<argument_error>({"picture: ", channels, " channels, not 1, 3 or 4"});
        }
    }
    [[nodiscard]] std::size_t byte_count() const {
        const auto pixels = checked_mul(width, height);
        const auto count = pixels ? checked_mul(*pixels, channels) : pixels;
        const auto size = count ? checked_size(*count) : std::nullopt;
        if(!size) {
            tokenworks::detail::raise<limit_error>({"picture: ", width, " x ", height, " pixels are too many"});
        }
        return *size;
    }
};

/// Of values from -1 (black) to 1, as decoders make them; what lies outside is cut off, and NaN is black.
/// @param values  [height*width, channels]
/// @throws shape_error
[[nodiscard]] inline picture picture_of_values(std::span<const float> values, std::size_t width, std::size_t height,
                                               std::size_t channels) {
    picture out{width, height, channels};
    if(values.size() != out.bytes.size()) {
        tokenworks::detail::raise<shape_error>(
            {"picture: ", values.size(), " values for ", width, " x ", height, " of ", channels, " channels"});
    }
    std::transform(values.begin(), values.end(), out.bytes.begin(), [](float value) {
        const float byte = std::round((value + 1.0F) * 127.5F);
        return static_cast<std::uint8_t>(byte >= 0 ? std::min(byte, 255.0F) : 0.0F);
    });
    return out;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
