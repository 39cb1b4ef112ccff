// A video in memory: frames of one size, each with rows from the top, 8 bits a channel.
//
//   tokenworks::clip film{.width = 24, .height = 24, .channels = 3};
//   film.add(std::vector<std::uint8_t>(film.frame_bytes()));   // a black frame
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

struct clip {
    std::size_t width = 0; ///< pixels
    std::size_t height = 0;
    std::size_t channels = 3;          ///< 1: grey, 3: red, green, blue
    std::vector<std::uint8_t> bytes{}; ///< [frames,height,width,channels]

    [[nodiscard]] std::size_t frame_bytes() const noexcept { return width * height * channels; }
    [[nodiscard]] std::size_t frames() const noexcept { return frame_bytes() == 0 ? 0 : bytes.size() / frame_bytes(); }
    /// The bytes of a frame. Not checked: `which` is below frames().
    [[nodiscard]] std::span<const std::uint8_t> frame(std::size_t which) const noexcept {
        return std::span{bytes}.subspan(which * frame_bytes(), frame_bytes());
    }
    /// Puts a frame behind the last.
    /// @throws argument_error for one of another size
    void add(std::span<const std::uint8_t> frame) {
        if(frame.size() != frame_bytes()) {
            detail::raise<argument_error>({"clip: a frame of ", frame.size(), " bytes, others have ", frame_bytes()});
        }
        bytes.insert(bytes.end(), frame.begin(), frame.end());
    }

    /// @throws argument_error where channels or bytes are not what they should be
    void check() const {
        const auto pixels = checked_mul(width, height);
        const auto each = pixels ? checked_mul(*pixels, channels) : pixels;
        if((channels != 1 && channels != 3) || !each || *each == 0 || bytes.size() % *each != 0) {
            detail::raise<argument_error>({"clip: ", bytes.size(), " bytes for frames of ", width, " x ", height,
                                           " pixels of ", channels, " channels"});
        }
    }

    /// Each pixel so many times across and down.
    /// @throws argument_error as check, and for 0; limit_error where the bytes would be more than 2^40
    [[nodiscard]] clip enlarged(std::size_t times) const {
        check();
        if(times == 0) {
            detail::raise<argument_error>({"clip: enlarged by 0"});
        }
        constexpr std::size_t most = std::size_t{1} << 40;
        if(times > most || bytes.size() > most / times / times) {
            detail::raise<limit_error>({"clip: ", bytes.size(), " bytes enlarged by ", times, " are too many"});
        }
        clip made{.width = width * times, .height = height * times, .channels = channels};
        made.bytes.reserve(bytes.size() * times * times);
        const std::size_t row_bytes = width * channels;
        for(std::size_t row = 0; row < frames() * height; ++row) {
            const std::size_t begin = made.bytes.size();
            for(std::size_t x = 0; x < width * times; ++x) {
                const auto pixel = bytes.begin() + static_cast<std::ptrdiff_t>(row * row_bytes + x / times * channels);
                made.bytes.insert(made.bytes.end(), pixel, pixel + static_cast<std::ptrdiff_t>(channels));
            }
            for(std::size_t again = 1; again < times; ++again) {
                for(std::size_t i = 0; i < row_bytes * times; ++i) {
                    made.bytes.push_back(made.bytes[begin + i]);
                }
            }
        }
        return made;
    }

    friend bool operator==(const clip&, const clip&) = default;
};

} // namespace tokenworks::inline TOKENWORKS_ABI
