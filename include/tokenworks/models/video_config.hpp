// Videos that a decoder makes frame by frame, as data.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Frames are cut into square patches, each of which is the nearest of a book of codes. Of the decoder's tokens the
/// first are codes, then come the classes. A sequence is a class, then the patches of each frame, row by row.
struct video_config {
    std::size_t codes = 0;
    std::vector<std::string> classes{}; ///< their names
    std::size_t frames = 0;             ///< that fit into the context, those given and those made together; 2 at least
    std::size_t rows = 0;               ///< of patches
    std::size_t columns = 0;
    std::size_t patch = 0;    ///< pixels of a patch's side
    std::size_t channels = 3; ///< 1: grey, 3: red, green, blue

    /// Tokens of a frame.
    [[nodiscard]] std::size_t cells() const noexcept { return rows * columns; }
    [[nodiscard]] std::size_t patch_bytes() const noexcept { return patch * patch * channels; }
    friend bool operator==(const video_config&, const video_config&) = default;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
