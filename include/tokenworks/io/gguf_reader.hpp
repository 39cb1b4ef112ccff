// Opens GGUF model files: metadata by key, tensors by name, both pointing into the file. See gguf_parser.hpp for what
// is refused, gguf_value.hpp for the types that metadata can be asked for.
//
//   const auto file = io::gguf_file::open("model.gguf");
//   const auto layers = file.get<std::uint32_t>("llama.block_count");
//   for(std::string_view token: file.get<io::string_array>("tokenizer.ggml.tokens")) ...
//   const io::gguf_tensor& embedding = file.tensor("token_embd.weight");
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/gguf_parser.hpp>
#include <tokenworks/io/gguf_value.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// A GGUF model: one file, or all parts of a split one. Immutable; share it by const reference.
class gguf_file {
public:
    /// Opens a model. Of a split model give the first part, `NAME-00001-of-0000N.gguf`; the others must lie beside it.
    /// @throws io_error where a file cannot be opened, format_error where its content is wrong, limit_error where it
    ///         passes options.limits, cancelled_error from options.progress
    [[nodiscard]] static gguf_file open(const std::string& path, const open_options& options = {});

    /// Looks at a whole file in the caller's memory, which must outlive the result. Any alignment will do.
    /// @param name  what errors call it
    /// @throws format_error, limit_error
    [[nodiscard]] static gguf_file from_memory(std::span<const std::byte> bytes, std::string name,
                                               const limits& bounds = {});

    gguf_file(gguf_file&&) noexcept = default;
    gguf_file& operator=(gguf_file&&) noexcept = default;

    /// Path of the (first) file, for error messages.
    [[nodiscard]] const std::string& name() const noexcept { return files_.front().name(); }
    [[nodiscard]] std::size_t parts() const noexcept { return files_.size(); }
    [[nodiscard]] const file_bytes& part(std::size_t i) const noexcept { return files_[i]; }
    /// How the tensors of a part lie in it.
    [[nodiscard]] const gguf_layout& layout(std::size_t part = 0) const noexcept { return contents_[part].layout; }

    /// 2 or 3.
    [[nodiscard]] std::uint32_t version() const noexcept { return contents_.front().version; }
    /// Bytes that tensors of the first part are aligned to, from the file's start.
    [[nodiscard]] std::uint64_t alignment() const noexcept { return contents_.front().alignment; }

    /// All metadata, in the file's order (of a split model, the first part's).
    [[nodiscard]] std::span<const gguf_value> metadata() const noexcept { return contents_.front().values; }

    /// The value of a key, or null. O(log n).
    [[nodiscard]] const gguf_value* find(std::string_view key) const noexcept { return contents_.front().find(key); }

    /// The value of a key as T (see gguf_gettable). Integers of every width convert where the value fits.
    /// @throws format_error where the key is absent, has another type, or does not fit
    template <gguf_gettable T>
    [[nodiscard]] T get(std::string_view key) const {
        const gguf_value* const value = find(key);
        if(value == nullptr) {
            tokenworks::detail::raise_format(name(), {tokenworks::detail::escaped(key)}, format_error::no_offset,
                                             {"the key is missing"});
        }
        return convert<T>(*value);
    }

    /// As get, with a value for an absent key. One of the wrong type is an error still.
    template <gguf_gettable T>
    [[nodiscard]] T get_or(std::string_view key, T otherwise) const {
        const gguf_value* const value = find(key);
        return value == nullptr ? std::move(otherwise) : convert<T>(*value);
    }

    /// As get, with nothing for an absent key.
    template <gguf_gettable T>
    [[nodiscard]] std::optional<T> get_optional(std::string_view key) const {
        const gguf_value* const value = find(key);
        return value == nullptr ? std::nullopt : std::optional<T>{convert<T>(*value)};
    }

    /// general.architecture.
    [[nodiscard]] std::string_view architecture() const { return get<std::string_view>("general.architecture"); }

    /// All tensors, in the file's order, parts one after the other.
    [[nodiscard]] std::span<const gguf_tensor> tensors() const noexcept { return tensors_; }

    /// The tensor of that name, or null. O(log n).
    [[nodiscard]] const gguf_tensor* find_tensor(std::string_view wanted) const noexcept {
        return detail::find_by_name(tensors_, by_name_, wanted, name_of_tensor);
    }

    /// The tensor of that name.
    /// @throws format_error where there is none
    [[nodiscard]] const gguf_tensor& tensor(std::string_view wanted) const {
        const gguf_tensor* const found = find_tensor(wanted);
        if(found == nullptr) {
            tokenworks::detail::raise_format(name(), {"tensor '", tokenworks::detail::escaped(wanted), "'"},
                                             format_error::no_offset, {"is missing"});
        }
        return *found;
    }

    /// Lets a tensor's pages leave memory, once its content was packed elsewhere; see mapped_file::release.
    void release(const gguf_tensor& tensor) const noexcept { files_[tensor.part].release(tensor.offset, tensor.bytes); }

    /// Throws a format_error about a key of this file, with its value's offset.
    [[noreturn]] TOKENWORKS_COLD void refuse(std::string_view key, tokenworks::detail::message_parts what) const {
        const gguf_value* const value = find(key);
        const std::uint64_t offset = value != nullptr ? value->offset() : format_error::no_offset;
        tokenworks::detail::raise_format(name(), {tokenworks::detail::escaped(key)}, offset, what);
    }
    [[noreturn]] TOKENWORKS_COLD void refuse(std::string_view key, const std::string& what) const {
        refuse(key, tokenworks::detail::message_parts{what});
    }

    /// Throws a format_error about a tensor of this file, with its data's offset.
    [[noreturn]] TOKENWORKS_COLD void refuse(const gguf_tensor& tensor, tokenworks::detail::message_parts what) const {
        tokenworks::detail::raise_format(files_[tensor.part].name(),
                                         {"tensor '", tokenworks::detail::escaped(tensor.name), "'"}, tensor.offset,
                                         what);
    }
    [[noreturn]] TOKENWORKS_COLD void refuse(const gguf_tensor& tensor, const std::string& what) const {
        refuse(tensor, tokenworks::detail::message_parts{what});
    }

private:
    gguf_file() = default;

    static const std::string& name_of_tensor(const gguf_tensor& tensor) noexcept { return tensor.name; }

    [[noreturn]] TOKENWORKS_COLD void refuse_value(const gguf_value& value, bool fits_not,
                                                   const std::string& wanted) const {
        if(fits_not) {
            refuse(value.key(), {"does not fit in ", wanted});
        }
        refuse(value.key(), {"is of type ", value.type_name(), ", not ", wanted});
    }

    template <class T>
    [[nodiscard]] T convert(const gguf_value& value) const {
        std::optional<T> result = value.to<T>();
        if(!result) {
            refuse_value(value, value.is<T>(), wanted_name<T>());
        }
        return *std::move(result);
    }

    void add(file_bytes file, const limits& bounds);

    /// Opens the other parts of a split model. Names and keys are those of llama.cpp's gguf-split.
    void add_parts(const std::string& path, std::uint64_t count, const open_options& options);

    [[nodiscard]] static std::string split_suffix(std::uint64_t index, std::uint64_t count);

    void check_part(std::size_t i, std::string_view key, std::uint64_t expected) const;

    /// Brings the tensors of all parts together and makes sure that their names differ.
    void collect_tensors();

    std::vector<file_bytes> files_;
    std::vector<detail::gguf_part> contents_; ///< one for each file; the tensors moved to tensors_
    std::vector<gguf_tensor> tensors_;
    std::vector<std::size_t> by_name_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION gguf_file gguf_file::open(const std::string& path, const open_options& options) {
    gguf_file result;
    result.add(file_bytes::open(path, options), options.limits);
    const auto count = result.get_or<std::uint64_t>("split.count", 1);
    if(count > 1) {
        result.add_parts(path, count, options);
    }
    result.collect_tensors();
    return result;
}

TOKENWORKS_FUNCTION gguf_file gguf_file::from_memory(std::span<const std::byte> bytes, std::string name,
                                                     const limits& bounds) {
    gguf_file result;
    result.add(file_bytes::borrow(bytes, std::move(name)), bounds);
    if(const auto count = result.get_or<std::uint64_t>("split.count", 1); count > 1) {
        result.refuse("split.count",
                      {"this is one of ", count, " parts of a model, which can only be opened by its path"});
    }
    result.collect_tensors();
    return result;
}

TOKENWORKS_FUNCTION void gguf_file::add(file_bytes file, const limits& bounds) {
    contents_.push_back(detail::gguf_parser{file.bytes(), file.name(), bounds}.parse());
    files_.push_back(std::move(file));
}

TOKENWORKS_FUNCTION void gguf_file::add_parts(const std::string& path, std::uint64_t count,
                                              const open_options& options) {
    if(count > options.limits.parts) {
        refuse("split.count", {"is ", count, ", more than the ", options.limits.parts, " parts possible"});
    }
    if(const auto number = get<std::uint64_t>("split.no"); number != 0) {
        refuse("split.no", {"this is part ", number + 1, " of ", count, "; open the first"});
    }
    const std::string suffix = split_suffix(0, count);
    if(!path.ends_with(suffix)) {
        refuse("split.count", {"is ", count, ", but the file's name does not end in ", suffix});
    }
    const std::string prefix = path.substr(0, path.size() - suffix.size());
    for(std::uint64_t i = 1; i < count; ++i) {
        add(file_bytes::open(prefix + split_suffix(i, count), options), options.limits);
        check_part(static_cast<std::size_t>(i), "split.no", i);
        check_part(static_cast<std::size_t>(i), "split.count", count);
    }
    std::uint64_t found = 0;
    for(const detail::gguf_part& part: contents_) {
        found += part.tensors.size();
    }
    if(const auto stated = get<std::uint64_t>("split.tensors.count"); stated != found) {
        refuse("split.tensors.count", {"is ", stated, ", but the parts hold ", found, " tensors"});
    }
}

TOKENWORKS_FUNCTION std::string gguf_file::split_suffix(std::uint64_t index, std::uint64_t count) {
    const auto padded = [](std::uint64_t n) {
        const std::string digits = std::to_string(n);
        return std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits;
    };
    return "-" + padded(index + 1) + "-of-" + padded(count) + ".gguf";
}

TOKENWORKS_FUNCTION void gguf_file::check_part(std::size_t i, std::string_view key, std::uint64_t expected) const {
    const gguf_value* const value = contents_[i].find(key);
    const auto number = value != nullptr ? value->to<std::uint64_t>() : std::nullopt;
    if(number != expected) {
        const std::uint64_t offset = value != nullptr ? value->offset() : format_error::no_offset;
        if(number) {
            tokenworks::detail::raise_format(files_[i].name(), {key}, offset,
                                             {"is ", *number, ", expected ", expected});
        }
        tokenworks::detail::raise_format(files_[i].name(), {key}, offset,
                                         {"is missing or no number, expected ", expected});
    }
}

TOKENWORKS_FUNCTION void gguf_file::collect_tensors() {
    std::size_t total = 0;
    for(const detail::gguf_part& part: contents_) {
        total += part.tensors.size();
    }
    tensors_ = std::exchange(contents_.front().tensors, {});
    tensors_.reserve(total);
    for(std::size_t i = 1; i < contents_.size(); ++i) {
        for(gguf_tensor& tensor: contents_[i].tensors) {
            tensor.part = i;
            tensors_.push_back(std::move(tensor));
        }
        contents_[i].tensors = {};
    }
    by_name_ = detail::sort_by_name(tensors_, name_of_tensor);
    for(std::size_t i = 1; i < tensors_.size(); ++i) {
        const gguf_tensor& tensor = tensors_[by_name_[i]];
        if(tensor.name == tensors_[by_name_[i - 1]].name) {
            refuse(tensor, {"the name occurs twice"});
        }
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::io
