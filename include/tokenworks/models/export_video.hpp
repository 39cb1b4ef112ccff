// Writes a folder of models/video.hpp as a GGUF file. Keys are this library's own, those that video_model_config reads,
// and tensors have the names that blocks ask for.
//
// Needs nlohmann-json (through model_folder.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_picture.hpp>
#include <tokenworks/models/export_tensors.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantization.hpp>
#include <tokenworks/models/quantize_gguf.hpp>
#include <tokenworks/models/video_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// The keys that video_model_config reads.
inline void set_video_keys(const model_config& config, io::gguf_writer& out) {
    const std::string start = config.architecture + ".";
    const auto count = [&](const char* key, std::size_t value) {
        out.set(start + key, static_cast<std::uint32_t>(value));
    };
    set_decoder_keys(config, out);
    const video_config& video = *config.video;
    count("video.codes", video.codes);
    out.set_array(start + "video.classes", video.classes);
    count("video.frames", video.frames);
    count("video.rows", video.rows);
    count("video.columns", video.columns);
    count("video.patch", video.patch);
    count("video.channels", video.channels);
    std::vector<std::uint32_t> sections;
    for(const std::size_t each: config.rope_configs.front().sections) {
        sections.push_back(static_cast<std::uint32_t>(each));
    }
    out.set_array(start + "video.rope_sections", sections);
}

} // namespace detail

/// Adds all metadata and tensors of a folder to a writer, matrices in the types that they get, all else as float32.
/// @param folder  with `video`; must stay until the writer has saved, and so must the team
inline void export_video(const model_folder& folder, const quantization& how, io::gguf_writer& out,
                         const execution& where = {}) {
    detail::set_video_keys(folder.config(), out);
    set_quantization(out, how);
    const detail::tensor_exporter exporter{folder, std::make_shared<const quantization>(how), out, where};
    for(const std::string& name: detail::numbered_tensors(folder, folder.config().layers.size())) {
        exporter.add({.name = name, .parts = {name}}, name == "output.weight");
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
