// Videos as YUV4MPEG2 files (.y4m), which ffmpeg, mpv and encoders read: no compression, a luma and two chromas a
// pixel.
//
//   io::write_y4m("film.y4m", film, {.frames_per_second = 8});
//
// mjpegtools, yuv4mpeg(5). Colours by ITU-R BT.601-7, section 2.5.1, in 8 bits of studio range (luma 16 … 235), which
// readers take for granted; colours come back to within 2 of 255.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/clip.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/io/video_options.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// The bytes of such a file, progressive, 4:4:4.
/// @throws as check_video
[[nodiscard]] inline std::vector<std::byte> to_y4m(const clip& film, const video_file_options& options = {}) {
    check_video("to_y4m", film, options);
    std::vector<std::byte> out;
    const auto put = [&](const std::string& text) {
        const auto bytes = std::as_bytes(std::span{text.data(), text.size()});
        out.insert(out.end(), bytes.begin(), bytes.end());
    };
    put(tokenworks::detail::message(
        {"YUV4MPEG2 W", film.width, " H", film.height, " F", options.frames_per_second, ":1 Ip A1:1 C444\n"}));
    struct plane {
        double red;
        double green;
        double blue;
        double zero;
    };
    constexpr double luma = 219.0 / 255;
    constexpr double chroma = 224.0 / 255;
    constexpr plane planes[] = {
        {0.299 * luma, 0.587 * luma, 0.114 * luma, 16},
        {-0.299 / 1.772 * chroma, -0.587 / 1.772 * chroma, 0.886 / 1.772 * chroma, 128},
        {0.701 / 1.402 * chroma, -0.587 / 1.402 * chroma, -0.114 / 1.402 * chroma, 128},
    };
    for(std::size_t i = 0; i < film.frames(); ++i) {
        put("FRAME\n");
        const std::span<const std::uint8_t> frame = film.frame(i);
        for(const plane& each: planes) {
            for(std::size_t at = 0; at < frame.size(); at += film.channels) {
                const double red = frame[at];
                const double green = frame[at + (film.channels == 3 ? 1 : 0)];
                const double blue = frame[at + (film.channels == 3 ? 2 : 0)];
                const double value = each.zero + each.red * red + each.green * green + each.blue * blue;
                out.push_back(static_cast<std::byte>(std::clamp(std::lround(value), 0L, 255L)));
            }
        }
    }
    return out;
}

/// Writes the whole file or leaves the old one.
/// @throws as to_y4m; io_error
inline void write_y4m(const std::string& path, const clip& film, const video_file_options& options = {}) {
    write_whole(path, to_y4m(film, options));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
