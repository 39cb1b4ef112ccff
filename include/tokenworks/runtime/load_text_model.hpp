// Loads a text model from wherever people keep one: a GGUF file, or a Hugging Face folder as it is downloaded.
//
//   auto model = tokenworks::load_text_model("SmolLM2-135M-Instruct");
//
// Of a folder it reads config.json, model.safetensors or its shards, tokenizer.json or tokenizer.model,
// tokenizer_config.json, generation_config.json and chat_template.jinja.
//
// Needs nlohmann-json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

namespace detail {

/// Weights whose tables of tokens end with the tokenizer's last: many models pad theirs to a round number.
class unpadded_vocabulary final: public models::weight_source {
public:
    unpadded_vocabulary(const models::weight_source& source, std::size_t padded, std::size_t tokens) noexcept
        : source_{&source}, padded_{padded}, tokens_{tokens} {}

    [[nodiscard]] std::optional<models::weight> find(std::string_view name) const override {
        return cut(name, source_->find(name));
    }
    [[nodiscard]] std::optional<models::weight> describe(std::string_view name) const override {
        return cut(name, source_->describe(name));
    }
    [[nodiscard]] std::string label() const override { return source_->label(); }
    void release(const models::weight& done) const override { source_->release(done); }

private:
    [[nodiscard]] std::optional<models::weight> cut(std::string_view name, std::optional<models::weight> found) const {
        const bool has_tokens = name == "token_embd.weight" || name == "output.weight" || name == "output.bias";
        if(found && has_tokens && !found->extents.empty() && found->extents[0] == padded_) {
            found->bytes = found->bytes.first(found->bytes.size() / padded_ * tokens_);
            found->extents[0] = tokens_;
        }
        return found;
    }

    const models::weight_source* source_;
    std::size_t padded_;
    std::size_t tokens_;
};

} // namespace detail

/// Of a folder that is open, which may be closed afterwards.
/// @throws as text_model::load; unsupported_error for a model that is no decoder
[[nodiscard]] inline text_model load_text_model(const models::model_folder& folder, const load_options& options = {},
                                                const limits& bounds = {}) {
    const std::string& path = folder.path();
    if(!folder.config().causal || folder.encoder_config()) {
        detail::raise<unsupported_error>({path, ": '", folder.config().architecture, "' is no decoder alone"});
    }
    text_model_parts parts{
        .name = path, .config = folder.config(), .weights = &folder.weights(), .weight_bytes = folder.weight_bytes()};
    parts.identity = [&] { return models::packed_identity(folder, options.precision); };
    parts.names.folder = folder.names();
    std::optional<detail::unpadded_vocabulary> unpadded;
    std::error_code none;
    const bool has_tokenizer = std::filesystem::exists(std::filesystem::path{path} / "tokenizer.json", none) ||
                               std::filesystem::exists(std::filesystem::path{path} / "tokenizer.model", none);
    if(has_tokenizer) {
        const models::tokenizer_files files{path, bounds};
        parts.tokenizer = std::make_unique<codec::tokenizer>(codec::make_tokenizer(files.data()));
        parts.chat_template = models::chat_template_of(path, files.config(), bounds);
        const std::size_t tokens = parts.tokenizer->vocab_size();
        if(tokens < parts.config.vocab_size) {
            unpadded.emplace(folder.weights(), parts.config.vocab_size, tokens);
            parts.weights = &*unpadded;
            parts.config.vocab_size = tokens;
        }
    } else {
        parts.chat_template = models::chat_template_of(path, bounds);
    }
    return text_model{std::move(parts), options};
}

/// @param path  a GGUF file or a folder
/// @throws as above
[[nodiscard]] inline text_model load_text_model(const std::string& path, const load_options& options = {},
                                                const limits& bounds = {}) {
    std::error_code none;
    return std::filesystem::is_directory(path, none)
               ? load_text_model(models::model_folder::open(path, {.limits = bounds}), options, bounds)
               : text_model::load(path, options);
}

} // namespace tokenworks::inline TOKENWORKS_ABI
