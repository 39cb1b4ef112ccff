// safetensors files as a source of weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/io/safetensors_reader.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/quant/convert.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The tensors of a safetensors file. The file must outlive it.
///
/// The same weights are saved under names that differ in front: without the name of the model's body (the file of
/// GPT-2), or inside of a model of more than text. A name that is not there is looked for in these forms.
///
/// 8-bit floats with a scale beside them come multiplied, as float32: one scale for all, one a row, or, as in DeepSeek
/// V3, one a square of 128 x 128 (*_scale_inv).
class safetensors_weights final: public weight_source {
public:
    explicit safetensors_weights(const io::safetensors_file& file) noexcept : file_{&file} {}

    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        const io::safetensor* const tensor = tensor_of(name);
        if(tensor == nullptr) {
            return std::nullopt;
        }
        weight found = outline_of(*tensor);
        found.bytes = tensor->data;
        if(const io::safetensor* const scale = scale_of(*tensor)) {
            multiply(found, *scale);
        }
        return found;
    }
    [[nodiscard]] std::optional<weight> describe(std::string_view name) const override {
        const io::safetensor* const tensor = tensor_of(name);
        if(tensor == nullptr) {
            return std::nullopt;
        }
        weight found = outline_of(*tensor);
        if(scale_of(*tensor) != nullptr) {
            found.type = dtype::f32;
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
    /// All but the bytes.
    [[nodiscard]] static weight outline_of(const io::safetensor& tensor) {
        weight found{tensor.name, tensor.type, {}, {}, tensor.offset};
        for(const std::uint64_t extent: tensor.shape) {
            found.extents.push_back(static_cast<std::size_t>(extent));
        }
        return found;
    }

    /// What 8-bit floats are multiplied with, if anything.
    [[nodiscard]] const io::safetensor* scale_of(const io::safetensor& tensor) const {
        const io::safetensor* scale = nullptr;
        if(tensor.type == dtype::f8_e4m3 || tensor.type == dtype::f8_e5m2) {
            for(const char* const suffix: {"_scale_inv", "_scale"}) {
                scale = scale != nullptr ? scale : file_->find_tensor(tensor.name + suffix);
            }
        }
        return scale;
    }

    void multiply(weight& w, const io::safetensor& scale) const {
        constexpr std::size_t side = 128;
        const std::size_t rows = w.extents.size() == 2 ? w.extents[0] : 0;
        const std::size_t columns = rows == 0 ? 0 : w.extents[1];
        std::size_t scales = 1;
        for(const std::uint64_t extent: scale.shape) {
            scales *= static_cast<std::size_t>(extent);
        }
        const std::size_t across = (columns + side - 1) / side;
        const bool is_by_square =
            scale.shape.size() == 2 && scale.shape[0] == (rows + side - 1) / side && scale.shape[1] == across;
        const bool is_plain = scale.type == dtype::f32 || scale.type == dtype::bf16 || scale.type == dtype::f16;
        if(rows == 0 || !is_plain || !(is_by_square || scales == 1 || scales == rows)) {
            file_->refuse(scale, {"is no scale of ", extents_text(w.extents)});
        }
        std::vector<float> factors(scales);
        quant::decode(scale.type, scale.data, factors);
        std::vector<std::byte> made(rows * columns * sizeof(float));
        std::vector<float> line(columns);
        for(std::size_t n = 0; n < rows; ++n) {
            quant::decode(w.type, w.bytes.subspan(n * columns, columns), line);
            for(std::size_t k = 0; k < columns; ++k) {
                line[k] *= scales == 1 ? factors[0] : is_by_square ? factors[n / side * across + k / side] : factors[n];
            }
            std::memcpy(made.data() + n * columns * sizeof(float), line.data(), columns * sizeof(float));
        }
        w.type = dtype::f32;
        w.own(std::move(made));
    }

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
