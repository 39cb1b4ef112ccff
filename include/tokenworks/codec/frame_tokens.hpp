// Videos as tokens: each frame is cut into square patches, and a patch is the nearest of a book of codes.
//
//   const codec::frame_tokens space{{.rows = 4, .columns = 4, .patch = 6, .classes = {"fall"}, .codebook = bytes}};
//   auto ids = space.encode(film);              // row by row, frame by frame
//   tokenworks::clip back = space.decode(ids);  // made of patches from the book
//
// A learned autoencoder (models/vq_autoencoder.hpp) would need fewer codes for photographs; a book keeps an object of a
// few pixels where it is, to a fraction of a pixel, and takes nothing to decode.
//
// Ids: the codes, then the classes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/class_names.hpp>
#include <tokenworks/codec/token_space.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/clip.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

struct frame_tokens_options {
    std::size_t rows = 0; ///< of patches; 1 … 4096
    std::size_t columns = 0;
    std::size_t patch = 0;    ///< pixels of its side; 1 … 4096
    std::size_t channels = 3; ///< 1 or 3
    std::vector<std::string> classes{};
    std::vector<std::uint8_t> codebook{}; ///< [codes,patch,patch,channels]
};

/// Immutable.
class frame_tokens {
public:
    using data = clip;

    /// @throws argument_error for sizes out of range, or a book that has no whole codes
    explicit frame_tokens(frame_tokens_options options) : options_{std::move(options)} {
        const auto is_extent = [](std::size_t value) { return value >= 1 && value <= 4096; };
        if(!is_extent(options_.rows) || !is_extent(options_.columns) || !is_extent(options_.patch) ||
           (options_.channels != 1 && options_.channels != 3)) {
            tokenworks::detail::raise<argument_error>({"frame_tokens: ", options_.rows, " x ", options_.columns,
                                                       " patches of ", options_.patch, " pixels and ",
                                                       options_.channels, " channels"});
        }
        if(options_.codebook.empty() || options_.codebook.size() % patch_bytes() != 0) {
            tokenworks::detail::raise<argument_error>(
                {"frame_tokens: a book of ", options_.codebook.size(), " bytes, where a code has ", patch_bytes()});
        }
        if(options_.codebook.size() / patch_bytes() + options_.classes.size() >
           std::size_t{std::numeric_limits<std::int32_t>::max()}) {
            tokenworks::detail::raise<argument_error>({"frame_tokens: more codes than ids"});
        }
    }

    [[nodiscard]] const std::vector<std::string>& classes() const noexcept { return options_.classes; }
    [[nodiscard]] std::size_t codes() const noexcept { return options_.codebook.size() / patch_bytes(); }
    [[nodiscard]] std::size_t channels() const noexcept { return options_.channels; }
    /// Tokens of a frame.
    [[nodiscard]] std::size_t cells() const noexcept { return options_.rows * options_.columns; }
    [[nodiscard]] std::size_t width() const noexcept { return options_.columns * options_.patch; }
    [[nodiscard]] std::size_t height() const noexcept { return options_.rows * options_.patch; }
    /// V.
    [[nodiscard]] std::size_t vocab_size() const noexcept { return codes() + options_.classes.size(); }

    [[nodiscard]] bool is_code(std::int32_t id) const noexcept {
        return id >= 0 && static_cast<std::size_t>(id) < codes();
    }
    /// The token of a class, which its frames follow on.
    /// @throws argument_error naming the classes that there are
    [[nodiscard]] std::int32_t class_token(std::string_view name) const {
        return static_cast<std::int32_t>(codes() + class_of(options_.classes, name));
    }

    /// The nearest code of each patch by the sum of squares, the first of those as near.
    /// @throws argument_error for frames of another size or other channels
    [[nodiscard]] std::vector<std::int32_t> encode(const clip& given) const {
        given.check();
        if(given.width != width() || given.height != height() || given.channels != channels()) {
            tokenworks::detail::raise<argument_error>({"frames are ", given.width, " x ", given.height, " of ",
                                                       given.channels, " channels, the model makes ", width(), " x ",
                                                       height(), " of ", channels()});
        }
        std::vector<std::int32_t> ids;
        ids.reserve(given.frames() * cells());
        std::vector<std::uint8_t> patch(patch_bytes());
        for(std::size_t i = 0; i < given.frames() * cells(); ++i) {
            const std::uint8_t* from = given.bytes.data() + corner(i);
            for(std::size_t y = 0; y < options_.patch; ++y, from += row_bytes()) {
                std::copy_n(from, patch_row_bytes(), patch.data() + y * patch_row_bytes());
            }
            ids.push_back(nearest(patch));
        }
        return ids;
    }

    /// Tokens of classes are passed over.
    /// @throws argument_error naming the place of a token that there is not, or where the last frame is not whole
    [[nodiscard]] clip decode(std::span<const std::int32_t> ids) const {
        clip made{.width = width(), .height = height(), .channels = channels()};
        std::vector<std::size_t> kept;
        kept.reserve(ids.size());
        for(std::size_t i = 0; i < ids.size(); ++i) {
            if(ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= vocab_size()) {
                tokenworks::detail::raise<argument_error>({"frame_tokens: id ", ids[i], " at place ", i});
            }
            if(is_code(ids[i])) {
                kept.push_back(static_cast<std::size_t>(ids[i]));
            }
        }
        if(kept.size() % cells() != 0) {
            tokenworks::detail::raise<argument_error>(
                {"frame_tokens: ", kept.size(), " patches are no whole frames of ", cells()});
        }
        made.bytes.resize(kept.size() * patch_bytes());
        for(std::size_t i = 0; i < kept.size(); ++i) {
            const std::uint8_t* from = options_.codebook.data() + kept[i] * patch_bytes();
            std::uint8_t* to = made.bytes.data() + corner(i);
            for(std::size_t y = 0; y < options_.patch; ++y, to += row_bytes(), from += patch_row_bytes()) {
                std::copy_n(from, patch_row_bytes(), to);
            }
        }
        return made;
    }

private:
    [[nodiscard]] std::size_t patch_row_bytes() const noexcept { return options_.patch * options_.channels; }
    [[nodiscard]] std::size_t patch_bytes() const noexcept { return options_.patch * patch_row_bytes(); }
    [[nodiscard]] std::size_t row_bytes() const noexcept { return options_.columns * patch_row_bytes(); }

    /// Where the bytes of a patch begin, of all frames' patches.
    [[nodiscard]] std::size_t corner(std::size_t cell) const noexcept {
        const std::size_t row = cell / options_.columns; // of all frames, one below the other
        return row * options_.patch * row_bytes() + cell % options_.columns * patch_row_bytes();
    }

    [[nodiscard]] std::int32_t nearest(std::span<const std::uint8_t> patch) const noexcept {
        std::uint64_t best = std::numeric_limits<std::uint64_t>::max();
        std::size_t found = 0;
        const std::uint8_t* code = options_.codebook.data();
        for(std::size_t i = 0; i < codes(); ++i, code += patch.size()) {
            std::uint64_t sum = 0;
            for(std::size_t j = 0; j < patch.size(); ++j) {
                const int difference = int{code[j]} - int{patch[j]};
                sum += static_cast<std::uint64_t>(difference * difference);
            }
            if(sum < best) {
                best = sum;
                found = i;
            }
        }
        return static_cast<std::int32_t>(found);
    }

    frame_tokens_options options_;
};

static_assert(token_space<frame_tokens>);

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
