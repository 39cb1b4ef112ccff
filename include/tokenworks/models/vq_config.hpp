// Vector-quantised image autoencoders, as data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// What tells LlamaGen's and Janus' tokenizers of images apart from each other and from smaller ones.
struct vq_config {
    std::size_t channels = 3; ///< of pixels, in and out
    std::size_t width = 128;  ///< of the first and last level
    std::vector<std::size_t> encoder_levels{1, 1, 2, 2,
                                            4}; ///< multiples of it; each level but the last halves the sides
    std::vector<std::size_t> decoder_levels{1, 1, 2, 2, 4};
    std::size_t blocks = 2;    ///< of a level of the encoder; the decoder has one more
    std::size_t latent = 256;  ///< channels between
    std::size_t codes = 16384; ///< V; 0: latents stand for pictures as they are, as in diffusers' AutoencoderKL
    std::size_t code_width = 8;
    bool unit_latents = true; ///< latents are compared with codes at length 1
    bool unit_codes = true;   ///< decoded codes have length 1
    bool attends = true;      ///< the level with the fewest pixels attends, not only what is between the halves
    std::size_t groups = 32;  ///< of group norms
    float epsilon = 1e-6F;
    friend bool operator==(const vq_config&, const vq_config&) = default;

    /// Pixels, each way, that a code stands for.
    [[nodiscard]] std::size_t scale() const noexcept { return std::size_t{1} << (decoder_levels.size() - 1); }

    /// Checks that the parts fit together.
    /// @throws argument_error naming the field
    void validate() const {
        const auto need = [](bool holds, tokenworks::detail::message_parts what) {
            if(!holds) {
                tokenworks::detail::raise<argument_error>({"vq: ", tokenworks::detail::message(what)});
            }
        };
        constexpr std::size_t most = std::size_t{1} << 16;
        const auto need_extent = [&](std::size_t value, const char* field) {
            need(value > 0 && value <= most, {field, " is ", value, ", not in 1..", most});
        };
        need_extent(channels, "channels");
        need_extent(width, "width");
        need_extent(blocks, "blocks");
        need_extent(latent, "latent");
        need_extent(code_width, "code_width");
        need(codes <= (std::size_t{1} << 24), {"codes are ", codes, ", not in 0..2^24"});
        need(blocks <= 64, {"blocks are ", blocks, ", not in 1..64"});
        need(groups > 0 && width % groups == 0, {"groups are ", groups, ", which do not divide the width ", width});
        need(epsilon >= 0 && epsilon < 1, {"epsilon is ", epsilon});
        for(const std::vector<std::size_t>* const levels: {&encoder_levels, &decoder_levels}) {
            need(!levels->empty() && levels->size() <= 8, {"levels are ", levels->size(), ", not in 1..8"});
            for(const std::size_t level: *levels) {
                need(level > 0 && level <= 64, {"a level is ", level, ", not in 1..64"});
            }
        }
        need(encoder_levels.size() == decoder_levels.size(),
             {"the encoder has ", encoder_levels.size(), " levels, the decoder ", decoder_levels.size()});
    }
};

/// Pictures that a decoder makes token by token, row by row, behind a token for their class. Of the decoder's tokens
/// the first are codes, then come the classes, then one for no class.
struct picture_config {
    std::size_t codes = 0;
    std::size_t classes = 0;
    bool has_no_class = true; ///< there is a token for no class, which guidance needs
    std::size_t rows = 0;     ///< of codes
    std::size_t columns = 0;
    float guidance = 2;                ///< that the model does well with; 1: none
    float temperature = 1;             ///< likewise
    std::vector<std::string> labels{}; ///< of classes; none where the file does not name them
    vq_config vq{};

    [[nodiscard]] std::size_t tokens() const noexcept { return rows * columns; }
    friend bool operator==(const picture_config&, const picture_config&) = default;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
