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

/// The weights of a file for a decoder of its configuration. Those that families fuse are taken apart.
/// @param file  must outlive the result
/// @throws as config_of
[[nodiscard]] TOKENWORKS_FUNCTION std::unique_ptr<weight_source> weights_of(const io::gguf_file& file);

/// How a file calls the tensors that differ from the blocks' names, for adapters.
/// @throws as config_of
[[nodiscard]] TOKENWORKS_FUNCTION tensor_names gguf_names(const io::gguf_file& file);

#if TOKENWORKS_DEFINITIONS

namespace detail {

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

TOKENWORKS_FUNCTION tensor_names gguf_names(const io::gguf_file& file) {
    const family& kind = detail::family_of(file);
    const gguf_hyperparameters from{file};
    return kind.names(from, detail::read_config(kind.configure, from));
}

TOKENWORKS_FUNCTION std::optional<model_config> encoder_config_of(const io::gguf_file& file) {
    const family& kind = detail::family_of(file);
    return kind.configure_encoder == nullptr
               ? std::nullopt
               : std::optional{detail::read_config(kind.configure_encoder, gguf_hyperparameters{file})};
}

TOKENWORKS_FUNCTION std::unique_ptr<weight_source> weights_of(const io::gguf_file& file) {
    return std::make_unique<detail::renamed_gguf>(file, gguf_names(file));
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
