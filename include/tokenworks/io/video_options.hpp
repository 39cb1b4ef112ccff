// What the writers of videos have in common.
#pragma once

#include <cstddef>
#include <limits>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/clip.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

struct video_file_options {
    std::size_t frames_per_second = 8; ///< 1 … 100
};

/// @param who  what errors begin with
/// @throws argument_error as clip::check, for no frames, more than 65535 pixels a side, or a rate out of range;
///         limit_error for more frames than 31 bits count
inline void check_video(std::string_view who, const clip& film, const video_file_options& options) {
    film.check();
    if(film.bytes.empty()) {
        tokenworks::detail::raise<argument_error>({who, ": no frames"});
    }
    if(film.width > 65535 || film.height > 65535) {
        tokenworks::detail::raise<argument_error>(
            {who, ": ", film.width, " x ", film.height, " pixels, more than 65535 a side"});
    }
    if(options.frames_per_second < 1 || options.frames_per_second > 100) {
        tokenworks::detail::raise<argument_error>(
            {who, ": ", options.frames_per_second, " frames a second, not 1 … 100"});
    }
    if(film.frames() > (std::size_t{1} << 30U)) {
        tokenworks::detail::raise<limit_error>({who, ": ", film.frames(), " frames are too many"});
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
