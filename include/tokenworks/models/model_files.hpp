// A model wherever people keep one: a GGUF file, or a Hugging Face folder.
//
//   const auto files = models::model_files::open("all-MiniLM-L6-v2.gguf");
//   const models::encoder model{files.config(), files.weights()};
//   const auto tokenizer = files.tokenizer();
//
// Needs nlohmann-json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/vocabulary_tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/models/embedding_options.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/gguf_vocabulary.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/models/weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// An opened model. Immutable; movable.
class model_files {
public:
    /// @throws as model_folder::open and io::gguf_file::open; as config_of
    [[nodiscard]] static model_files open(const std::string& path, const limits& bounds = {}) {
        std::error_code none;
        model_files made;
        made.path_ = path;
        made.bounds_ = bounds;
        if(std::filesystem::is_directory(path, none)) {
            made.folder_ = std::make_unique<model_folder>(model_folder::open(path, {.limits = bounds}));
        } else {
            made.file_ = std::make_unique<gguf_parts>(io::gguf_file::open(path, {.limits = bounds}));
        }
        return made;
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// Where it is a folder.
    [[nodiscard]] const model_folder* folder() const noexcept { return folder_.get(); }
    /// Where it is a GGUF file.
    [[nodiscard]] const io::gguf_file* gguf() const noexcept { return file_ ? &file_->file : nullptr; }

    [[nodiscard]] const model_config& config() const noexcept { return folder_ ? folder_->config() : file_->config; }
    /// Of a model that has an encoder and a decoder, which config() describes: the encoder's.
    [[nodiscard]] const std::optional<model_config>& encoder_config() const noexcept {
        return folder_ ? folder_->encoder_config() : file_->encoder;
    }
    [[nodiscard]] const hyperparameters& parameters() const noexcept {
        if(folder_) {
            return folder_->parameters();
        }
        return file_->parameters;
    }
    /// How its files call tensors, for adapters.
    [[nodiscard]] adapter_names names() const {
        return folder_ ? adapter_names{.folder = folder_->names()} : adapter_names_of(file_->file);
    }
    /// The tensors under the blocks' names. Valid as long as this, which may move.
    [[nodiscard]] const weight_source& weights() const noexcept {
        return folder_ ? folder_->weights() : *file_->weights;
    }
    /// Bytes of all tensors, for progress.
    [[nodiscard]] std::uint64_t weight_bytes() const noexcept {
        if(folder_) {
            return folder_->weight_bytes();
        }
        std::uint64_t sum = 0;
        for(const io::gguf_tensor& tensor: file_->file.tensors()) {
            sum += tensor.bytes;
        }
        return sum;
    }

    /// How rows become vectors.
    /// @throws as embedding_options_of
    [[nodiscard]] models::embedding_options embedding_options() const {
        return folder_ ? embedding_options_of(std::filesystem::path{path_}, bounds_)
                       : embedding_options_of(file_->file);
    }

    /// What a classifier reads.
    /// @throws as classifier_input_of
    [[nodiscard]] models::classifier_input classifier_input() const {
        return folder_ ? classifier_input_of(std::filesystem::path{path_}, bounds_) : classifier_input_of(file_->file);
    }

    /// Its tokenizer, which may have fewer tokens than the model, but not more.
    /// @throws as tokenizer_of and codec::make_tokenizer; unsupported_error for a file without a vocabulary
    [[nodiscard]] std::unique_ptr<codec::tokenizer> tokenizer() const {
        if(folder_) {
            return tokenizer_of(path_, config().vocab_size, bounds_);
        }
        if(!has_vocabulary(file_->file)) {
            tokenworks::detail::raise<unsupported_error>({path_, ": the file has no tokenizer"});
        }
        auto made = std::make_unique<codec::tokenizer>(codec::make_tokenizer(vocabulary_of(file_->file)));
        if(made->vocab_size() > config().vocab_size) {
            tokenworks::detail::raise_format(
                path_, {"tokenizer.ggml.tokens"}, format_error::no_offset,
                {"has ", made->vocab_size(), " tokens, the model has ", config().vocab_size});
        }
        return made;
    }

private:
    struct gguf_parts {
        io::gguf_file file;
        gguf_hyperparameters parameters;
        model_config config;
        std::optional<model_config> encoder;
        std::unique_ptr<weight_source> weights;

        explicit gguf_parts(io::gguf_file opened)
            : file{std::move(opened)},
              parameters{file},
              config{config_of(file)},
              encoder{encoder_config_of(file)},
              weights{weights_of(file)} {}
    };

    model_files() = default;

    std::string path_;
    limits bounds_;
    std::unique_ptr<model_folder> folder_;
    std::unique_ptr<gguf_parts> file_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
