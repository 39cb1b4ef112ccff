// A decoder of Llama's form that makes videos, patch by patch; the architecture is this library's own. Heads are turned
// by a token's frame, row and column (kernels/rope_table.hpp), and a learned vector of the token's place is added to
// its embedding. What Llama's config.json does not have, this one's has with "tokenworks_video_" in front
// (tools/train/video.py writes such folders); GGUF files have it as "tokenworks-video.video.codes" and so on.
//
// The book of codes is a tensor, "model.codebook.weight" [codes, patch * patch * channels], in bytes of pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/video_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config video_model_config(const hyperparameters& from) {
    model_config config = common_config(from, "tokenworks-video");
    use_rms_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    constexpr std::size_t most = 4096;
    video_config& video = config.video.emplace();
    video.codes = from.count("video.codes", std::size_t{1} << 24);
    video.classes = from.texts("video.classes");
    video.frames = from.count("video.frames", most);
    video.rows = from.count("video.rows", most);
    video.columns = from.count("video.columns", most);
    video.patch = from.count("video.patch", most);
    video.channels = from.count("video.channels", 4);
    if(video.classes.empty() || video.classes.size() > 65536) {
        from.refuse("video.classes", {"has ", video.classes.size(), " names"});
    }
    if(video.channels != 1 && video.channels != 3) {
        from.refuse("video.channels", {"is ", video.channels, ", not 1 or 3"});
    }
    if(video.rows * video.patch > 16384 || video.columns * video.patch > 16384) {
        from.refuse("video.patch", {"gives frames of ", video.columns * video.patch, " x ", video.rows * video.patch,
                                    " pixels, more than 16384 a side"});
    }
    if(video.frames < 2) {
        from.refuse("video.frames", {"is ", video.frames, ", which leaves no room to continue one"});
    }
    if(config.vocab_size != video.codes + video.classes.size()) {
        from.refuse("video.codes", {"is ", video.codes, ", with ", video.classes.size(),
                                    " classes: not the vocabulary's ", config.vocab_size});
    }
    if(config.context_length != 1 + video.frames * video.cells()) {
        from.refuse("context_length", {"is ", config.context_length, ", a class and ", video.frames, " frames are ",
                                       1 + video.frames * video.cells()});
    }
    kernels::rope_config rope{.width = config.key_width,
                              .base = static_cast<double>(from.real_or("rope.freq_base", 10000)),
                              .grid = video.columns,
                              .before_grid = 1,
                              .grid_rows = video.rows};
    const std::vector<std::uint64_t> sections = from.wholes("video.rope_sections");
    if(sections.size() != rope.sections.size()) {
        from.refuse("video.rope_sections", {"has ", sections.size(), " numbers, not 3"});
    }
    for(std::size_t i = 0; i < sections.size(); ++i) {
        rope.sections[i] = static_cast<std::size_t>(sections[i]);
    }
    config.position = position_kind::rope;
    config.position_table = true;
    config.rope_configs.push_back(rope);
    return config;
}

[[nodiscard]] inline tensor_names video_names(const hyperparameters& from, const model_config&) {
    if(from.is_gguf()) {
        return {};
    }
    tensor_names names = llama_like_names();
    set_names(names, {{"position_embd", "model.embed_positions"}, {"video.codebook", "model.codebook"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
