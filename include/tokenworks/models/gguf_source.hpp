// GGUF files as a source of weights and hyperparameters.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The tensors of a GGUF file, extents turned into row-major order. The file must outlive it.
class gguf_weights final: public weight_source {
public:
    explicit gguf_weights(const io::gguf_file& file) noexcept : file_{&file} {}

    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        const io::gguf_tensor* const tensor = file_->find_tensor(name);
        if(tensor == nullptr) {
            return std::nullopt;
        }
        weight found{tensor->name, tensor->type, {}, tensor->data, tensor->offset};
        for(std::size_t i = tensor->rank; i > 0; --i) {
            found.extents.push_back(static_cast<std::size_t>(tensor->extents[i - 1]));
        }
        return found;
    }
    [[nodiscard]] std::string label() const override { return file_->name(); }
    void release(const weight& done) const override {
        if(const io::gguf_tensor* const tensor = file_->find_tensor(done.name)) {
            file_->release(*tensor);
        }
    }

private:
    const io::gguf_file* file_;
};

/// The hyperparameters of a GGUF file: keys below the architecture's name, but for those of the tokenizer and those
/// that this library alone writes.
class gguf_hyperparameters: public hyperparameters {
public:
    explicit gguf_hyperparameters(const io::gguf_file& file)
        : file_{&file}, prefix_{std::string{file.architecture()} + "."} {}

    [[nodiscard]] const io::gguf_file& file() const noexcept { return *file_; }
    [[nodiscard]] const std::string& label() const noexcept override { return file_->name(); }
    [[nodiscard]] bool is_gguf() const noexcept override { return true; }
    [[nodiscard]] std::string key(std::string_view name) const override {
        const bool is_whole = name.starts_with("tokenizer.") || name.starts_with("tokenworks.");
        return is_whole ? std::string{name} : prefix_ + std::string{name};
    }
    [[nodiscard]] bool has(std::string_view name) const override { return file_->find(key(name)) != nullptr; }
    [[nodiscard]] bool is_list(std::string_view name) const override {
        const io::gguf_value* const value = file_->find(key(name));
        return value != nullptr && value->is_array();
    }

    [[nodiscard]] std::uint64_t whole(std::string_view name) const override {
        return file_->get<std::uint64_t>(key(name));
    }
    [[nodiscard]] std::vector<std::uint64_t> wholes(std::string_view name) const override {
        return file_->get<std::vector<std::uint64_t>>(key(name));
    }
    [[nodiscard]] double number(std::string_view name) const override {
        return static_cast<double>(file_->get<float>(key(name)));
    }
    [[nodiscard]] std::vector<float> numbers(std::string_view name) const override {
        return file_->get<std::vector<float>>(key(name));
    }
    [[nodiscard]] bool flag(std::string_view name) const override { return file_->get<bool>(key(name)); }
    [[nodiscard]] std::string text(std::string_view name) const override { return file_->get<std::string>(key(name)); }
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const override {
        return file_->get<std::vector<std::string>>(key(name));
    }
    [[nodiscard]] std::vector<float> factors(std::string_view name, std::size_t count) const override {
        const gguf_weights weights{*file_};
        const std::string tensor = std::string{name} + ".weight";
        const std::optional<weight> found = weights.find(tensor);
        if(!found) {
            return {};
        }
        std::vector<float> values = load_vector(weights, tensor, count);
        for(const float value: values) {
            if(!std::isfinite(value) || !(value > 0)) {
                raise_weight(weights, tensor, found->offset, {"has a factor that is not above 0"});
            }
        }
        return values;
    }

    /// V: from its own key, or from the tokens or the embedding.
    [[nodiscard]] std::size_t vocab_size() const override {
        if(has("vocab_size")) {
            return count("vocab_size");
        }
        if(const io::gguf_value* const tokens = file_->find("tokenizer.ggml.tokens"); tokens != nullptr) {
            return static_cast<std::size_t>(file_->get<io::string_array>("tokenizer.ggml.tokens").size());
        }
        return static_cast<std::size_t>(file_->tensor("token_embd.weight").extents[1]);
    }
    [[nodiscard]] bool tied_embeddings() const override { return !has_tensor("output.weight"); }
    [[nodiscard]] bool has_tensor(std::string_view name) const override { return file_->find_tensor(name) != nullptr; }
    [[nodiscard]] std::optional<std::vector<std::size_t>> tensor_extents(std::string_view name) const override {
        const std::optional<weight> found = gguf_weights{*file_}.describe(name);
        return found ? std::optional{found->extents} : std::nullopt;
    }

    [[nodiscard]] format_error refusal(std::string_view name, const std::string& what) const override {
        const io::gguf_value* const value = file_->find(key(name));
        return {file_->name(), printable(key(name)), value == nullptr ? format_error::no_offset : value->offset(),
                what};
    }

private:
    const io::gguf_file* file_;
    std::string prefix_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
