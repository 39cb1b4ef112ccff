// A model of which only the headers are read: what it is, and what its tensors are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <tokenworks/io/gguf.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/weights.hpp>

#include "options.hpp"

namespace cli {

class model_outline {
public:
    explicit model_outline(const std::string& path) {
        if(std::filesystem::is_directory(path)) {
            folder_.emplace(tw::models::model_folder::open(path));
            config_ = folder_->config();
            stored_bytes_ = folder_->weight_bytes();
            return;
        }
        file_.emplace(tw::io::gguf_file::open(path));
        config_ = tw::models::config_of(*file_);
        of_file_ = tw::models::weights_of(*file_);
        for(const tw::io::gguf_tensor& tensor: file_->tensors()) {
            stored_bytes_ += tensor.bytes;
        }
    }

    [[nodiscard]] const tw::models::model_config& config() const { return config_; }
    [[nodiscard]] const tw::models::weight_source& weights() const { return folder_ ? folder_->weights() : *of_file_; }
    /// Of all tensors in the file.
    [[nodiscard]] std::uint64_t stored_bytes() const { return stored_bytes_; }
    /// The folder, where the model is in one.
    [[nodiscard]] const tw::models::model_folder* folder() const { return folder_ ? &*folder_ : nullptr; }
    [[nodiscard]] bool has_encoder_and_decoder() const { return folder_ && folder_->encoder_config(); }

private:
    std::optional<tw::models::model_folder> folder_;
    std::optional<tw::io::gguf_file> file_;
    std::unique_ptr<tw::models::weight_source> of_file_;
    tw::models::model_config config_;
    std::uint64_t stored_bytes_ = 0;
};

} // namespace cli
