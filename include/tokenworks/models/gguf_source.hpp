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

/// The hyperparameters of a GGUF file: keys below the architecture's name, checked on the way.
class gguf_hyperparameters {
public:
    explicit gguf_hyperparameters(const io::gguf_file& file)
        : file_{&file}, prefix_{std::string{file.architecture()} + "."} {}

    [[nodiscard]] const io::gguf_file& file() const noexcept { return *file_; }
    [[nodiscard]] std::string key(std::string_view name) const { return prefix_ + std::string{name}; }
    [[nodiscard]] bool has(std::string_view name) const { return file_->find(key(name)) != nullptr; }

    /// A count that must lie in 1 … most.
    /// @throws format_error naming the key
    [[nodiscard]] std::size_t count(std::string_view name, std::size_t most = std::size_t{1} << 28) const {
        return checked(name, file_->get<std::uint64_t>(key(name)), most);
    }
    [[nodiscard]] std::size_t count_or(std::string_view name, std::size_t otherwise,
                                       std::size_t most = std::size_t{1} << 28) const {
        return has(name) ? count(name, most) : otherwise;
    }
    /// A count that files may give once or once a layer; only the same for all layers is taken.
    [[nodiscard]] std::size_t uniform_count(std::string_view name, std::size_t layers) const {
        const io::gguf_value* const value = file_->find(key(name));
        if(value == nullptr || !value->is_array()) {
            return count(name);
        }
        const auto each = file_->get<std::vector<std::uint64_t>>(key(name));
        if(each.size() != layers) {
            file_->refuse(key(name), {"has ", each.size(), " entries for ", layers, " layers"});
        }
        for(const std::uint64_t one: each) {
            if(one != each.front()) {
                tokenworks::detail::raise<unsupported_error>(
                    {file_->name(), ": ", key(name), ": layers of different width"});
            }
        }
        return checked(name, each.front(), std::size_t{1} << 28);
    }
    /// A finite number.
    [[nodiscard]] float real(std::string_view name) const { return checked(name, file_->get<float>(key(name))); }
    [[nodiscard]] float real_or(std::string_view name, float otherwise) const {
        return has(name) ? real(name) : otherwise;
    }
    [[nodiscard]] std::string text_or(std::string_view name, std::string otherwise) const {
        return file_->get_or<std::string>(key(name), std::move(otherwise));
    }
    [[noreturn]] TOKENWORKS_COLD void refuse(std::string_view name, const std::string& what) const {
        file_->refuse(key(name), tokenworks::detail::message_parts{what});
    }
    [[noreturn]] TOKENWORKS_COLD void refuse(std::string_view name, tokenworks::detail::message_parts what) const {
        file_->refuse(key(name), what);
    }

    /// V: from its own key, or from the tokens or the embedding.
    [[nodiscard]] std::size_t vocab_size() const {
        if(has("vocab_size")) {
            return count("vocab_size");
        }
        if(const io::gguf_value* const tokens = file_->find("tokenizer.ggml.tokens"); tokens != nullptr) {
            return static_cast<std::size_t>(file_->get<io::string_array>("tokenizer.ggml.tokens").size());
        }
        return static_cast<std::size_t>(file_->tensor("token_embd.weight").extents[1]);
    }

private:
    [[nodiscard]] std::size_t checked(std::string_view name, std::uint64_t value, std::size_t most) const {
        if(value == 0 || value > most) {
            refuse(name, {"is ", value, ", not in 1..", most});
        }
        return static_cast<std::size_t>(value);
    }
    [[nodiscard]] float checked(std::string_view name, float value) const {
        if(!std::isfinite(value)) {
            refuse(name, {"is not a finite number"});
        }
        return value;
    }

    const io::gguf_file* file_;
    std::string prefix_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
