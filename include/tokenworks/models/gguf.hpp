// GGUF files to models: the configuration of a file and its weights under the blocks' names.
#pragma once

#include <memory>
#include <optional>

#include <tokenworks/config.hpp>
#include <tokenworks/models/gguf_source.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/weights.hpp>

#if TOKENWORKS_DEFINITIONS
#include <string>
#include <string_view>

#include <tokenworks/core/error.hpp>
#include <tokenworks/models/families.hpp>
#include <tokenworks/models/read_family.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The configuration that a file describes, its parts checked against each other.
/// @throws format_error naming the key, or what does not fit together; unsupported_error naming the architecture
[[nodiscard]] TOKENWORKS_FUNCTION model_config config_of(const io::gguf_file& file);

/// Of a model that has an encoder and a decoder, which config_of describes: the encoder's.
/// @throws as config_of
[[nodiscard]] TOKENWORKS_FUNCTION std::optional<model_config> encoder_config_of(const io::gguf_file& file);

/// The weights of a file for a model of its configuration. Those that families fuse are taken apart.
/// @param file  must outlive the result
/// @throws as config_of
[[nodiscard]] TOKENWORKS_FUNCTION std::unique_ptr<weight_source> weights_of(const io::gguf_file& file);

/// How a file calls the tensors that differ from the blocks' names, for adapters.
/// @throws as config_of
[[nodiscard]] TOKENWORKS_FUNCTION tensor_names gguf_names(const io::gguf_file& file);

/// How a Hugging Face folder of the same model calls what this file's blocks ask for: the names in PEFT adapters, with
/// what the converter does to rows. Nothing for families whose folders cannot be told from the file.
/// @throws as config_of
[[nodiscard]] TOKENWORKS_FUNCTION std::optional<tensor_names> folder_names(const io::gguf_file& file);

/// Both.
/// @throws as config_of
[[nodiscard]] inline adapter_names adapter_names_of(const io::gguf_file& file) {
    return {folder_names(file), gguf_names(file)};
}

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// What config.json of a file's model would say, as far as names of tensors depend on it.
class gguf_as_folder final: public gguf_hyperparameters {
public:
    explicit gguf_as_folder(const io::gguf_file& file) : gguf_hyperparameters{file} {}

    [[nodiscard]] bool is_gguf() const noexcept override { return false; }
    [[nodiscard]] bool has_tensor(std::string_view) const override { return false; }
    [[nodiscard]] bool tied_embeddings() const override { return file().find_tensor("output.weight") == nullptr; }
    [[nodiscard]] bool has(std::string_view name) const override {
        return name == "rope.partial" || is_of_falcon(name) || gguf_hyperparameters::has(name);
    }
    [[nodiscard]] double number(std::string_view name) const override {
        return name == "rope.partial" ? 1 : gguf_hyperparameters::number(name);
    }
    [[nodiscard]] bool flag(std::string_view name) const override {
        if(is_of_falcon(name)) {
            return name == "multi_query" ? whole("attention.head_count_kv") == 1
                                         : file().find_tensor("blk.0.attn_norm_2.weight") != nullptr;
        }
        return gguf_hyperparameters::flag(name);
    }

private:
    /// Its generations, which differ in the order of fused rows.
    [[nodiscard]] bool is_of_falcon(std::string_view name) const {
        return file().architecture() == "falcon" && (name == "new_decoder_architecture" || name == "multi_query");
    }
};

[[nodiscard]] inline const family& family_of(const io::gguf_file& file) {
    return find_family(&family::gguf, file.architecture(), file.name(), "architecture");
}

/// A weight_source that owns the one it renames.
class renamed_gguf final: public weight_source {
public:
    renamed_gguf(const io::gguf_file& file, tensor_names names)
        : stored_{file}, named_{stored_, std::move(names), true} {}
    [[nodiscard]] std::optional<weight> find(std::string_view name) const override { return named_.find(name); }
    [[nodiscard]] std::optional<weight> describe(std::string_view name) const override { return named_.describe(name); }
    [[nodiscard]] std::string label() const override { return named_.label(); }
    [[nodiscard]] std::string name_of(std::string_view name) const override { return named_.name_of(name); }
    void release(const weight& done) const override { named_.release(done); }

private:
    gguf_weights stored_;
    named_weights named_;
};

} // namespace detail

TOKENWORKS_FUNCTION model_config config_of(const io::gguf_file& file) {
    return detail::read_config(detail::family_of(file).configure, gguf_hyperparameters{file});
}

TOKENWORKS_FUNCTION std::optional<model_config> encoder_config_of(const io::gguf_file& file) {
    const family& kind = detail::family_of(file);
    if(kind.configure_encoder == nullptr) {
        return std::nullopt;
    }
    return detail::read_config(kind.configure_encoder, gguf_hyperparameters{file});
}

TOKENWORKS_FUNCTION tensor_names gguf_names(const io::gguf_file& file) {
    const family& kind = detail::family_of(file);
    const gguf_hyperparameters from{file};
    return kind.names(from, detail::read_config(kind.configure, from));
}

TOKENWORKS_FUNCTION std::optional<tensor_names> folder_names(const io::gguf_file& file) {
    const family& kind = detail::family_of(file);
    const model_config here = detail::read_config(kind.configure, gguf_hyperparameters{file});
    try {
        const detail::gguf_as_folder from{file};
        const model_config there = detail::read_config(kind.configure, from);
        tensor_names names = kind.names(from, there);
        const auto pairs_neighbours = [](const model_config& config) {
            return !config.rope_configs.empty() &&
                   config.rope_configs.front().pairing == kernels::rope_pairing::interleaved;
        };
        if(pairs_neighbours(here) && !pairs_neighbours(there)) {
            for(tensor_name& row: names) {
                if(row.name == "blk.#.attn_q" || row.name == "blk.#.attn_k") {
                    row.part.turned = {here.key_width, here.rope_configs.front().width};
                }
            }
        }
        return names;
    } catch(const error&) { // config.json must say what the file does not
        return std::nullopt;
    }
}

TOKENWORKS_FUNCTION std::unique_ptr<weight_source> weights_of(const io::gguf_file& file) {
    return std::make_unique<detail::renamed_gguf>(file, gguf_names(file));
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
