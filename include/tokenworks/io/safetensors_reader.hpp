// Opens safetensors files, and models that an index spreads over several of them. As strict as the reference
// implementation (huggingface/safetensors): the tensors fill the data exactly, without holes and overlaps, so that a
// file cannot be something else at the same time.
//
// Needs nlohmann-json (through json.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/name_index.hpp>
#include <tokenworks/io/safetensors_index.hpp>
#include <tokenworks/io/safetensors_parser.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// A safetensors model: one file, or all shards that an index names. Immutable; share it by const reference.
class safetensors_file {
public:
    /// Opens a file, or a model of several through its index: a name that ends in `.index.json`, shards beside it.
    /// @throws io_error where a file cannot be opened, format_error where its content is wrong, unsupported_error for
    ///         an element type this library lacks, limit_error where it passes options.limits
    [[nodiscard]] static safetensors_file open(const std::string& path, const open_options& options = {}) {
        safetensors_file result;
        if(path.ends_with(".index.json")) {
            result.add_shards(path, options);
        } else {
            result.add(file_bytes::open(path, options), options.limits);
            result.index_tensors();
        }
        return result;
    }

    /// Looks at a whole file in the caller's memory, which must outlive the result.
    /// @param name  what errors call it
    [[nodiscard]] static safetensors_file from_memory(std::span<const std::byte> bytes, std::string name,
                                                      const limits& bounds = {}) {
        safetensors_file result;
        result.add(file_bytes::borrow(bytes, std::move(name)), bounds);
        result.index_tensors();
        return result;
    }

    safetensors_file(safetensors_file&&) noexcept = default;
    safetensors_file& operator=(safetensors_file&&) noexcept = default;

    /// Path of the file, or of the index.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::size_t parts() const noexcept { return files_.size(); }
    [[nodiscard]] const file_bytes& part(std::size_t i) const noexcept { return files_[i]; }

    /// A text of the (first) file's `__metadata__`, or null. O(n).
    [[nodiscard]] const std::string* find_metadata(std::string_view key) const noexcept {
        const auto at = std::find_if(metadata_.begin(), metadata_.end(), [&](const auto& e) { return e.first == key; });
        return at == metadata_.end() ? nullptr : &at->second;
    }
    /// All of the (first) file's `__metadata__`: pairs of key and text, in its order.
    [[nodiscard]] const std::deque<std::pair<std::string, std::string>>& metadata() const noexcept { return metadata_; }

    /// All tensors, in the order of the headers, shards one after the other.
    [[nodiscard]] std::span<const safetensor> tensors() const noexcept { return tensors_; }

    /// The tensor of that name, or null. O(log n).
    [[nodiscard]] const safetensor* find_tensor(std::string_view wanted) const noexcept {
        return detail::find_by_name(tensors_, by_name_, wanted, name_of_tensor);
    }

    /// The tensor of that name.
    /// @throws format_error where there is none
    [[nodiscard]] const safetensor& tensor(std::string_view wanted) const {
        const safetensor* const found = find_tensor(wanted);
        if(found == nullptr) {
            tokenworks::detail::raise_format(name(), {"tensor '", tokenworks::detail::escaped(wanted), "'"},
                                             format_error::no_offset, {"is missing"});
        }
        return *found;
    }

    /// Lets a tensor's pages leave memory, once its content was packed elsewhere; see mapped_file::release.
    void release(const safetensor& tensor) const noexcept { files_[tensor.part].release(tensor.offset, tensor.bytes); }

    /// Throws a format_error about a tensor of this file, with its data's offset.
    [[noreturn]] TOKENWORKS_COLD void refuse(const safetensor& tensor, tokenworks::detail::message_parts what) const {
        tokenworks::detail::raise_format(files_[tensor.part].name(),
                                         {"tensor '", tokenworks::detail::escaped(tensor.name), "'"}, tensor.offset,
                                         what);
    }
    [[noreturn]] TOKENWORKS_COLD void refuse(const safetensor& tensor, const std::string& what) const {
        refuse(tensor, tokenworks::detail::message_parts{what});
    }

private:
    safetensors_file() = default;

    static const std::string& name_of_tensor(const safetensor& tensor) noexcept { return tensor.name; }

    void add(file_bytes file, const limits& bounds) {
        detail::safetensors_part part = detail::parse_safetensors(file.bytes(), file.name(), bounds);
        if(files_.empty()) {
            name_ = file.name();
            metadata_ = std::move(part.metadata);
        }
        if(tensors_.empty()) {
            tensors_.reserve(part.tensors.size());
        }
        for(safetensor& tensor: part.tensors) {
            tensor.part = files_.size();
            tensors_.push_back(std::move(tensor));
        }
        files_.push_back(std::move(file));
    }

    void index_tensors() {
        by_name_ = detail::sort_by_name(tensors_, name_of_tensor);
        for(std::size_t i = 1; i < tensors_.size(); ++i) {
            const safetensor& tensor = tensors_[by_name_[i]];
            if(tensor.name == tensors_[by_name_[i - 1]].name) {
                refuse(tensor, {"the name occurs in two shards"});
            }
        }
    }

    void add_shards(const std::string& path, const open_options& options) {
        const file_bytes file = file_bytes::open(path, options);
        const detail::safetensors_index index = detail::parse_safetensors_index(file.bytes(), path, options.limits);
        const std::size_t slash = path.rfind('/');
        const std::string folder = slash == std::string::npos ? std::string{} : path.substr(0, slash + 1);
        for(const std::string& shard: index.shards) {
            add(file_bytes::open(folder + shard, options), options.limits);
        }
        name_ = path;
        index_tensors();
        for(const auto& [name, shard]: index.tensors) {
            const safetensor* const found = find_tensor(name);
            if(found == nullptr || found->part != shard) {
                tokenworks::detail::raise_format(
                    path, {"tensor '", tokenworks::detail::escaped(name), "'"}, format_error::no_offset,
                    {"is not in its shard ", tokenworks::detail::escaped(index.shards[shard])});
            }
        }
        if(index.tensors.size() != tensors_.size()) {
            tokenworks::detail::raise_format(
                path, {"weight_map"}, format_error::no_offset,
                {"names ", index.tensors.size(), " tensors, the shards hold ", tensors_.size()});
        }
    }

    std::string name_;
    std::vector<file_bytes> files_;
    std::deque<std::pair<std::string, std::string>> metadata_;
    std::vector<safetensor> tensors_;
    std::vector<std::size_t> by_name_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::io
