// Writes a folder of LlamaGen as a GGUF file, the transformer and the tokenizer in one. There is no such form
// elsewhere, so keys are this library's own (those that models/llamagen.hpp reads), and tensors have the names that
// blocks ask for.
//
// Needs nlohmann-json (through model_folder.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_tensors.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantization.hpp>
#include <tokenworks/models/quantize_gguf.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/vq_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// What decoders of Llama's form have in common, those that are this library's own.
inline void set_decoder_keys(const model_config& config, io::gguf_writer& out) {
    const std::string start = config.architecture + ".";
    const auto count = [&](const char* key, std::size_t value) {
        out.set(start + key, static_cast<std::uint32_t>(value));
    };
    out.set("general.architecture", std::string_view{config.architecture});
    out.set("general.type", std::string_view{"model"});
    count("vocab_size", config.vocab_size);
    count("context_length", config.context_length);
    count("embedding_length", config.width);
    count("feed_forward_length", config.feed_forward);
    count("block_count", config.layers.size());
    count("attention.head_count", config.heads);
    count("attention.head_count_kv", config.kv_heads);
    out.set(start + "attention.layer_norm_rms_epsilon", config.norm_epsilon);
    out.set(start + "rope.freq_base", static_cast<float>(config.rope_configs.front().base));
}

/// The keys that llamagen_config reads.
inline void set_picture_keys(const model_config& config, io::gguf_writer& out) {
    const std::string start = config.architecture + ".";
    const picture_config& picture = *config.picture;
    const auto count = [&](const char* key, std::size_t value) {
        out.set(start + key, static_cast<std::uint32_t>(value));
    };
    const auto levels = [&](const char* key, const std::vector<std::size_t>& values) {
        std::vector<std::uint32_t> narrow;
        narrow.reserve(values.size());
        for(const std::size_t value: values) {
            narrow.push_back(static_cast<std::uint32_t>(value));
        }
        out.set_array(start + key, narrow);
    };
    set_decoder_keys(config, out);
    count("picture.codes", picture.codes);
    count("picture.classes", picture.classes);
    out.set(start + "picture.has_no_class", picture.has_no_class);
    count("picture.tokens", picture.tokens());
    out.set(start + "picture.guidance", picture.guidance);
    out.set(start + "picture.temperature", picture.temperature);
    if(!picture.labels.empty()) {
        out.set_array(start + "picture.labels", picture.labels);
    }
    const vq_config& vq = picture.vq;
    count("vq.channels", vq.channels);
    count("vq.width", vq.width);
    levels("vq.encoder_levels", vq.encoder_levels);
    levels("vq.decoder_levels", vq.decoder_levels);
    count("vq.blocks", vq.blocks);
    count("vq.latent", vq.latent);
    count("vq.codes", vq.codes);
    count("vq.code_width", vq.code_width);
    out.set(start + "vq.unit_latents", vq.unit_latents);
}

/// The blocks' names of all tensors that a folder has of a table with up to two numbers in each name.
[[nodiscard]] inline std::vector<std::string> numbered_tensors(const model_folder& folder, std::size_t most) {
    std::vector<std::string> all;
    const auto take = [&](const std::string& name) {
        if(name.ends_with(".weight") || name.ends_with(".bias")) {
            if(folder.weights().describe(name)) {
                all.push_back(name);
            }
            return;
        }
        for(const char* const kind: {".weight", ".bias"}) {
            if(folder.weights().describe(name + kind)) {
                all.push_back(name + kind);
            }
        }
    };
    const auto filled = [](std::string name, char sign, std::size_t number) {
        if(const std::size_t at = name.find(sign); at != name.npos) {
            name.replace(at, 1, std::to_string(number));
        }
        return name;
    };
    for(const tensor_name& row: folder.names()) {
        const std::size_t first = row.name.find('#') == row.name.npos ? 1 : most;
        const std::size_t second = row.name.find('@') == row.name.npos ? 1 : most;
        for(std::size_t i = 0; i < first; ++i) {
            for(std::size_t j = 0; j < second; ++j) {
                take(filled(filled(row.name, '#', i), '@', j));
            }
        }
    }
    return all;
}

} // namespace detail

/// Says in a file what a right model makes of some codes.
inline void set_picture_check(io::gguf_writer& out, const std::string& architecture, std::span<const std::int32_t> ids,
                              std::span<const float> output) {
    std::vector<std::uint32_t> input(ids.size());
    std::ranges::transform(ids, input.begin(), [](std::int32_t id) { return static_cast<std::uint32_t>(id); });
    out.set_array(architecture + ".check.input", input);
    out.set_array(architecture + ".check.output", output);
}

/// Adds all metadata and tensors of a folder to a writer, matrices in the types that they get, all else as float32.
/// @param folder  with `picture`; must stay until the writer has saved, and so must the team
inline void export_picture(const model_folder& folder, const quantization& how, io::gguf_writer& out,
                           const execution& where = {}) {
    const model_config& config = folder.config();
    detail::set_picture_keys(config, out);
    set_quantization(out, how);
    const detail::tensor_exporter exporter{folder, std::make_shared<const quantization>(how), out, where};
    const std::size_t most =
        std::max({config.layers.size(), config.picture->vq.blocks + 1, config.picture->vq.encoder_levels.size()});
    for(const std::string& name: detail::numbered_tensors(folder, most)) {
        exporter.add({.name = name, .parts = {name}}, name == "output.weight");
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
