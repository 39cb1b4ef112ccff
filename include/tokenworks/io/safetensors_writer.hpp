// Writes safetensors files. Tensors are laid out as the reference does, by element size and then by name, so that each
// is aligned for its type when the file is mapped.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/config.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/io/byte_cursor.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/safetensors_parser.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

class safetensors_writer {
public:
    /// Sets a text of `__metadata__`, for example "format" to "pt".
    /// @throws argument_error for text that is no UTF-8
    void set_metadata(std::string_view key, std::string_view text) {
        (void)quoted(text);
        metadata_[quoted(key)] = std::string{text};
    }

    /// Adds a tensor whose data the caller keeps until the file is saved.
    /// @param shape  slowest axis first; empty for a scalar; dimensions may be 0
    /// @throws argument_error for a name that is taken, reserved or no UTF-8; a type that the format lacks; a shape
    /// that
    ///         overflows or has more than 16 dimensions; data of another size
    void add_tensor(std::string_view name, dtype type, std::span<const std::uint64_t> shape,
                    std::span<const std::byte> data) {
        const std::uint64_t expected = check_tensor(name, type, shape);
        if(data.size() != expected) {
            refuse_tensor(name, {"has ", data.size(), " bytes of data; its shape needs ", expected});
        }
        add(name, type, shape, expected, [data](const byte_sink& sink) { sink(data); });
    }

    /// Adds a tensor whose data is made while the file is saved.
    void add_tensor(std::string_view name, dtype type, std::span<const std::uint64_t> shape, byte_producer produce) {
        add(name, type, shape, check_tensor(name, type, shape), std::move(produce));
    }

    /// The same with the shape as a list.
    template <class Data>
    void add_tensor(std::string_view name, dtype type, std::initializer_list<std::uint64_t> shape, Data&& data) {
        add_tensor(name, type, std::span{shape.begin(), shape.size()}, std::forward<Data>(data));
    }

    /// Writes the file atomically; see atomic_file.hpp.
    /// @throws io_error; argument_error where a producer makes another number of bytes than its tensor has;
    ///         cancelled_error from progress; whatever a producer throws. The old file stays in every case.
    void save(const std::string& path, const progress_callback& progress = {}) const {
        atomic_file file{path};
        const std::uint64_t total = header().size() + data_bytes_;
        write([&](std::span<const std::byte> bytes) {
            file.write(bytes);
            detail::report(progress, path, file.position(), total);
        });
        file.commit();
    }

    /// Writes the file to a sink, front to back.
    void write(const byte_sink& sink) const {
        const std::string head = header();
        sink(as_bytes_of(head));
        for(const tensor* const t: layout()) {
            std::uint64_t made = 0;
            t->produce([&](std::span<const std::byte> bytes) {
                if(bytes.size() > t->bytes - made) {
                    refuse_tensor(t->name, {"its producer makes more than its ", t->bytes, " bytes"});
                }
                made += bytes.size();
                sink(bytes);
            });
            if(made != t->bytes) {
                refuse_tensor(t->name, {"its producer made ", made, " of its ", t->bytes, " bytes"});
            }
        }
    }

    /// The whole file in memory.
    [[nodiscard]] std::vector<std::byte> to_bytes() const {
        std::vector<std::byte> out;
        write([&](std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); });
        return out;
    }

private:
    struct tensor {
        std::string name;
        std::string_view type;
        std::uint32_t element_bytes;
        std::vector<std::uint64_t> shape;
        std::uint64_t bytes;
        byte_producer produce;
    };

    [[noreturn]] TOKENWORKS_COLD static void refuse_tensor(std::string_view name,
                                                           tokenworks::detail::message_parts what) {
        tokenworks::detail::raise<argument_error>({"safetensors_writer: tensor '", tokenworks::detail::escaped(name),
                                                   "': ", tokenworks::detail::message(what)});
    }

    /// The text as JSON has it.
    [[nodiscard]] static std::string quoted(std::string_view text) {
        try {
            return nlohmann::json(text).dump();
        } catch(const nlohmann::json::type_error&) {
            tokenworks::detail::raise<argument_error>(
                {"safetensors_writer: '", tokenworks::detail::escaped(text), "' is no UTF-8"});
        }
    }

    [[nodiscard]] std::uint64_t check_tensor(std::string_view name, dtype type,
                                             std::span<const std::uint64_t> shape) const {
        if(tensors_.contains(quoted(name)) || name == "__metadata__") {
            refuse_tensor(name, {"the name is taken"});
        }
        if(!find_type(type)) {
            refuse_tensor(name, {"safetensors has no type ", info(type).name});
        }
        if(shape.size() > limits{}.tensor_rank) {
            refuse_tensor(name, {shape.size(), " dimensions; ", limits{}.tensor_rank, " are possible"});
        }
        std::optional<std::uint64_t> bytes = info(type).block_bytes;
        for(const std::uint64_t extent: shape) {
            bytes = bytes ? checked_mul(*bytes, extent) : bytes;
        }
        const auto total = bytes ? checked_add(data_bytes_, *bytes) : bytes;
        if(!total || *total >> 62 != 0) {
            refuse_tensor(name, {"the file would exceed 2^62 bytes"});
        }
        return *bytes;
    }

    [[nodiscard]] static std::optional<std::string_view> find_type(dtype type) noexcept {
        for(const safetensors_dtype& row: safetensors_dtypes) {
            if(row.type == type) {
                return row.name;
            }
        }
        return std::nullopt;
    }

    void add(std::string_view name, dtype type, std::span<const std::uint64_t> shape, std::uint64_t bytes,
             byte_producer produce) {
        tensors_.emplace(quoted(name), tensor{std::string{name},
                                              find_type(type).value_or(""),
                                              info(type).block_bytes,
                                              {shape.begin(), shape.end()},
                                              bytes,
                                              std::move(produce)});
        data_bytes_ += bytes;
    }

    /// Tensors in the order of their data.
    [[nodiscard]] std::vector<const tensor*> layout() const {
        std::vector<const tensor*> order;
        for(const auto& [name, t]: tensors_) {
            order.push_back(&t);
        }
        std::stable_sort(order.begin(), order.end(),
                         [](const tensor* a, const tensor* b) { return a->element_bytes > b->element_bytes; });
        return order;
    }

    /// Length and JSON, filled with spaces to a multiple of 8 bytes.
    [[nodiscard]] std::string header() const {
        std::string text = "{";
        if(!metadata_.empty()) {
            text += "\"__metadata__\":{";
            for(const auto& [key, value]: metadata_) {
                text += (text.back() == '{' ? "" : ",") + key + ":" + quoted(value);
            }
            text += "}";
        }
        std::uint64_t offset = 0;
        for(const tensor* const t: layout()) {
            text += (text.size() == 1 ? "" : ",") + quoted(t->name) + ":{\"dtype\":\"" + std::string{t->type} +
                    "\",\"shape\":[";
            for(const std::uint64_t extent: t->shape) {
                text += (text.back() == '[' ? "" : ",") + std::to_string(extent);
            }
            text += "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(offset + t->bytes) + "]}";
            offset += t->bytes;
        }
        text += "}";
        text.append((8 - text.size() % 8) % 8, ' ');
        std::string length(8, '\0');
        const std::uint64_t size = text.size();
        std::memcpy(length.data(), &size, 8);
        return length + text;
    }

    std::map<std::string, std::string> metadata_; ///< key as JSON, text
    std::map<std::string, tensor> tensors_;       ///< name as JSON
    std::uint64_t data_bytes_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::io
