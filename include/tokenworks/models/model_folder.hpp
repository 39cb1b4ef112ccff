// Hugging Face model folders: config.json, and model.safetensors or the shards that model.safetensors.index.json names.
//
//   const auto folder = models::model_folder::open("SmolLM2-135M-Instruct");
//   const models::decoder model{folder.config(), folder.weights()};
//
// Needs nlohmann-json (through hf_config.hpp).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/safetensors_reader.hpp>
#include <tokenworks/models/families.hpp>
#include <tokenworks/models/hf_config.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/packed_identity.hpp>
#include <tokenworks/models/read_family.hpp>
#include <tokenworks/models/safetensors_source.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// An opened folder. Immutable; movable.
class model_folder {
public:
    /// @throws io_error where a file is missing; format_error where what it says is wrong; limit_error;
    ///         unsupported_error naming the family, an element type, or what else is not known
    [[nodiscard]] static model_folder open(const std::string& path, const io::open_options& options = {});

    /// The same of a folder's two files in the caller's memory; the tensors' must outlive the result.
    /// @param config   config.json   @param tensors  model.safetensors
    /// @param name     what errors call the folder
    [[nodiscard]] static model_folder from_memory(std::span<const std::byte> config, std::span<const std::byte> tensors,
                                                  const std::string& name, const limits& bounds = {});

    /// Where it is.
    [[nodiscard]] const std::string& path() const noexcept { return parts_->path; }
    /// The configuration that config.json describes, its parts checked against each other.
    [[nodiscard]] const model_config& config() const noexcept { return parts_->config; }
    /// Of a model that has an encoder and a decoder, which config() describes: the encoder's.
    [[nodiscard]] const std::optional<model_config>& encoder_config() const noexcept { return parts_->encoder; }
    /// config.json.
    [[nodiscard]] const hf_config& parameters() const noexcept { return parts_->parameters; }
    /// The tensors as they are stored.
    [[nodiscard]] const io::safetensors_file& file() const noexcept { return parts_->file; }
    /// Bytes of all tensors, for progress.
    [[nodiscard]] std::uint64_t weight_bytes() const noexcept {
        std::uint64_t sum = 0;
        for(const io::safetensor& tensor: file().tensors()) {
            sum += tensor.bytes;
        }
        return sum;
    }
    /// How its tensors are called, for adapters.
    [[nodiscard]] const tensor_names& names() const noexcept { return parts_->names; }
    /// The tensors under the blocks' names. Valid as long as the folder, which may move.
    [[nodiscard]] const weight_source& weights() const noexcept { return *parts_->named; }

private:
    struct parts {
        std::string path{};
        io::safetensors_file file;
        safetensors_weights stored;
        hf_config parameters;
        model_config config{};
        std::optional<model_config> encoder{};
        tensor_names names{};
        std::unique_ptr<weight_source> named{};

        parts(io::safetensors_file opened, hf_config json)
            : file{std::move(opened)}, stored{file}, parameters{std::move(json)} {
            parameters.set_weights(stored);
        }
    };

    /// @param file  what errors call config.json   @param open_tensors  called once that names a family
    template <class Open>
    [[nodiscard]] static model_folder from(const std::string& path, std::span<const std::byte> json,
                                           const std::string& file, const limits& bounds, const Open& open_tensors);

    explicit model_folder(std::unique_ptr<parts> of) noexcept : parts_{std::move(of)} {}

    std::unique_ptr<parts> parts_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION model_folder model_folder::open(const std::string& path, const io::open_options& options) {
    const std::filesystem::path folder{path};
    const std::string json = (folder / "config.json").string();
    const io::file_bytes bytes = io::file_bytes::open(json, {.mode = io::open_mode::read, .limits = options.limits});
    const std::filesystem::path index = folder / "model.safetensors.index.json";
    std::error_code none;
    const std::filesystem::path file = std::filesystem::exists(index, none) ? index : folder / "model.safetensors";
    return from(path, bytes.bytes(), json, options.limits,
                [&] { return io::safetensors_file::open(file.string(), options); });
}

TOKENWORKS_FUNCTION model_folder model_folder::from_memory(std::span<const std::byte> config,
                                                           std::span<const std::byte> tensors, const std::string& name,
                                                           const limits& bounds) {
    return from(name, config, name + "/config.json", bounds,
                [&] { return io::safetensors_file::from_memory(tensors, name + "/model.safetensors", bounds); });
}

template <class Open>
model_folder model_folder::from(const std::string& path, std::span<const std::byte> json, const std::string& file,
                                const limits& bounds, const Open& open_tensors) {
    hf_config parameters{json, file, bounds};
    const family& kind = detail::find_family(&family::hf, parameters.model_type(), file, "model_type");
    auto made = std::make_unique<parts>(open_tensors(), std::move(parameters));
    made->path = path;
    made->config = detail::read_config(kind.configure, made->parameters);
    if(kind.configure_encoder != nullptr) {
        made->encoder = detail::read_config(kind.configure_encoder, made->parameters);
    }
    made->names = kind.names(made->parameters, made->config);
    made->named = std::make_unique<named_weights>(made->stored, made->names, false);
    return model_folder{std::move(made)};
}

#endif

/// As packed_identity of a GGUF file, of a folder's weights: their names, shapes and types, and samples of each.
[[nodiscard]] inline std::uint64_t packed_identity(const model_folder& folder,
                                                   kernels::matmul_precision precision = {}) {
    std::uint64_t sum = kernels::packing_version + (static_cast<std::uint64_t>(precision) << 32);
    for(const io::safetensor& tensor: folder.file().tensors()) {
        sum = io::checksum(std::as_bytes(std::span{tensor.name}), sum);
        sum = io::checksum(std::as_bytes(std::span{tensor.shape}), sum + static_cast<std::uint64_t>(tensor.type));
    }
    return detail::checksum_of_samples(folder.file().tensors(), sum);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
