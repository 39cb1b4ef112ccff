// Several pictures on one page, in rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/picture.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

struct contact_sheet_options {
    std::size_t columns = 0;        ///< 0: about as many as rows
    std::size_t gap = 2;            ///< pixels between pictures, and around them
    std::uint8_t background = 0xC0; ///< of all channels but the opacity
};

/// @param all  of one number of channels; sizes may differ, each gets the room of the largest
/// @throws argument_error for no pictures, or channels that differ; limit_error
[[nodiscard]] inline picture contact_sheet(std::span<const picture> all, const contact_sheet_options& options = {}) {
    if(all.empty()) {
        tokenworks::detail::raise<argument_error>({"contact_sheet: no pictures"});
    }
    std::size_t width = 0;
    std::size_t height = 0;
    for(const picture& each: all) {
        width = std::max(width, each.width);
        height = std::max(height, each.height);
    }
    const std::size_t square = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(all.size()))));
    const std::size_t columns = std::min(all.size(), options.columns == 0 ? square : options.columns);
    const std::size_t rows = (all.size() + columns - 1) / columns;
    const std::size_t gap = options.gap;
    picture sheet{columns * (width + gap) + gap, rows * (height + gap) + gap, all.front().channels};
    std::ranges::fill(sheet.bytes, options.background);
    for(std::size_t i = 3; sheet.channels == 4 && i < sheet.bytes.size(); i += 4) {
        sheet.bytes[i] = 255;
    }
    for(std::size_t i = 0; i < all.size(); ++i) {
        sheet.put(all[i], gap + i % columns * (width + gap), gap + i / columns * (height + gap));
    }
    return sheet;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
