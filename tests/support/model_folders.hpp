// Hugging Face folders that are complete: a tiny model of a family with as many tokens as a tokenizer has, and that
// tokenizer.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "support/family_golden.hpp"

namespace support {

/// Writes a file of a folder.
inline void write_text(const std::string& folder, const std::string& file, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path{folder + "/" + file}.parent_path());
    std::ofstream{folder + "/" + file, std::ios::binary} << text;
}

/// @param tokens  what the model's tables have room for
inline void write_model_folder(const std::string& folder, family_golden golden, const std::string& tokenizer,
                               std::size_t tokens) {
    const auto before = golden.config.at("vocab_size").get<std::size_t>();
    for(nlohmann::json& row: golden.tensors) {
        if(row[1][0].get<std::size_t>() == before) {
            row[1][0] = tokens;
        }
        if(row[0] == "final_logits_bias") {
            row[1][1] = tokens;
        }
    }
    golden.config["vocab_size"] = tokens;
    golden.write_to(folder, tokenworks::dtype::f32);
    std::filesystem::copy_file(TOKENWORKS_TEST_DATA "/tokenizers/" + tokenizer + ".json", folder + "/tokenizer.json",
                               std::filesystem::copy_options::overwrite_existing);
}

} // namespace support
