// A JSON file of a model's folder, read by its own names.
//
//   const models::hf_config json = models::json_file("Janus-Pro-1B/generation_config.json");
//
// Needs nlohmann-json (through hf_config.hpp).
#pragma once

#include <filesystem>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/models/hf_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws io_error, format_error, limit_error
[[nodiscard]] inline hf_config json_file(const std::filesystem::path& file, const limits& bounds = {}) {
    const io::file_bytes bytes = io::file_bytes::open(file.string(), {.mode = io::open_mode::read, .limits = bounds});
    return hf_config{bytes.bytes(), file.string(), bounds};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
