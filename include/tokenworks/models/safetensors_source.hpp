// safetensors files as a source of weights.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/io/safetensors_reader.hpp>
#include <tokenworks/models/weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The tensors of a safetensors file. The file must outlive it.
///
/// The same weights are saved under names that differ in front: without the name of the model's body (the file of
/// GPT-2), or inside of a model of more than text. A name that is not there is looked for in these forms.
class safetensors_weights final: public weight_source {
public:
    explicit safetensors_weights(const io::safetensors_file& file) noexcept : file_{&file} {}

    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        const io::safetensor* const tensor = tensor_of(name);
        if(tensor == nullptr) {
            return std::nullopt;
        }
        weight found{tensor->name, tensor->type, {}, tensor->data, tensor->offset};
        for(const std::uint64_t extent: tensor->shape) {
            found.extents.push_back(static_cast<std::size_t>(extent));
        }
        return found;
    }
    [[nodiscard]] std::string label() const override { return file_->name(); }
    void release(const weight& done) const override {
        if(const io::safetensor* const tensor = file_->find_tensor(done.name)) {
            file_->release(*tensor);
        }
    }

private:
    [[nodiscard]] const io::safetensor* tensor_of(std::string_view name) const {
        const io::safetensor* found = file_->find_tensor(name);
        const std::size_t dot = name.find('.');
        if(found == nullptr && dot != std::string_view::npos) {
            const std::string_view rest = name.substr(dot + 1);
            found = file_->find_tensor(rest);
            for(const std::string& other:
                {"language_model." + std::string{name}, "model.language_model." + std::string{rest}}) {
                found = found == nullptr ? file_->find_tensor(other) : found;
            }
        }
        // The first checkpoints of BERT and ESM call a norm's weight and bias as the paper does.
        constexpr std::string_view norm = "LayerNorm.";
        const std::size_t last = name.rfind('.');
        if(found == nullptr && last != std::string_view::npos && name.substr(0, last + 1).ends_with(norm)) {
            const std::string_view kind = name.substr(last + 1);
            const char* const old = kind == "weight" ? "gamma" : kind == "bias" ? "beta" : "";
            found = file_->find_tensor(std::string{name.substr(0, last + 1)} + old);
        }
        return found;
    }

    const io::safetensors_file* file_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
