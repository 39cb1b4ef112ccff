// Real models for the tests that need one: brought by tools/get-model, never part of the repository.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace support {

inline constexpr std::string_view smollm2 = "SmolLM2-135M-Instruct.Q4_1.gguf";
inline constexpr std::string_view gemma3 = "gemma-3-270m-q4_k_m.gguf";

/// Where a real model lies: in $TOKENWORKS_MODELS, else in models/downloaded/ of this checkout; nothing if in neither.
/// A test without its model says so and passes: `if (!path) { WARN(support::how_to_get); return; }`.
inline std::optional<std::filesystem::path> real_model(std::string_view file) {
    const char* chosen = std::getenv("TOKENWORKS_MODELS");
    const std::filesystem::path folder =
        chosen != nullptr && *chosen != '\0' ? chosen : std::filesystem::path{TOKENWORKS_TEST_MODELS} / "downloaded";
    std::error_code none;
    const std::filesystem::path path = folder / file;
    if(std::filesystem::is_regular_file(path, none)) {
        return path;
    }
    return std::nullopt;
}

inline constexpr const char* how_to_get =
    "skipped: no real model here; `tools/get-model smollm2` and `tools/get-model gemma3-270m` bring them";

} // namespace support
