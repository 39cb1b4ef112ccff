// Writes GGUF files (version 3, little-endian) that this library, llama.cpp and the gguf Python package load.
//
//   io::gguf_writer out;
//   out.set("general.architecture", "llama");
//   out.set("llama.block_count", std::uint32_t{30});
//   out.set_array("tokenizer.ggml.tokens", tokens);
//   out.add_tensor("token_embd.weight", dtype::f32, {576, 49152}, bytes);
//   out.save("model.gguf");
//
// Metadata is encoded when it is set; the data of tensors is looked at, or produced piece by piece, when it is saved.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <map>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/io/byte_cursor.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/gguf_value.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

class gguf_writer {
public:
    /// @param alignment  of tensor data in the file, bytes: a power of two from 8 to 2^20
    /// @throws argument_error
    explicit gguf_writer(std::uint32_t alignment = 32) : alignment_{alignment} {
        const limits bounds{};
        if(alignment < bounds.alignment_least || alignment > bounds.alignment_most ||
           (alignment & (alignment - 1)) != 0) {
            tokenworks::detail::raise<argument_error>({"gguf_writer: the alignment ", alignment,
                                                       " is no power of two from ", bounds.alignment_least, " to ",
                                                       bounds.alignment_most});
        }
        if(alignment != 32) {
            put_value("general.alignment", gguf_kind::u32, encoded_number(alignment));
        }
    }

    /// Sets a key to a number of exactly this type, or a bool. A key that was set before is replaced, in its place.
    /// @throws argument_error for a key that is empty, longer than 65535 bytes, or general.alignment
    template <gguf_number T>
    void set(std::string_view key, T value) {
        check_key(key);
        put_value(key, kind_for<T>(), encoded_number(value));
    }

    /// Sets a key to a text.
    void set(std::string_view key, std::string_view text) {
        check_key(key);
        std::vector<std::byte> payload;
        put_string(payload, text);
        put_value(key, gguf_kind::string, std::move(payload));
    }

    /// Sets a key to an array of numbers, bools or texts, from any range of them.
    template <std::ranges::input_range Range>
        requires gguf_number<std::ranges::range_value_t<Range>> ||
            std::convertible_to<std::ranges::range_reference_t<Range>, std::string_view>
    void set_array(std::string_view key, Range&& values) {
        using element = std::ranges::range_value_t<Range>;
        check_key(key);
        std::vector<std::byte> payload(12);
        std::uint64_t count = 0;
        for(auto&& value: values) {
            if constexpr(gguf_number<element>) {
                put_number(payload, static_cast<element>(value));
            } else {
                put_string(payload, std::string_view{value});
            }
            ++count;
        }
        gguf_kind kind = gguf_kind::string;
        if constexpr(gguf_number<element>) {
            kind = kind_for<element>();
        }
        const auto id = static_cast<std::uint32_t>(kind);
        std::memcpy(payload.data(), &id, 4);
        std::memcpy(payload.data() + 4, &count, 8);
        put_value(key, gguf_kind::array, std::move(payload));
    }

    /// Sets a key to a value of another file, byte by byte.
    void set(const gguf_value& value) {
        check_key(value.key());
        std::vector<std::byte> payload;
        if(value.is_array()) {
            put_number(payload, static_cast<std::uint32_t>(value.element_kind()));
            put_number(payload, value.size());
        } else if(value.kind() == gguf_kind::string) {
            put_number(payload, std::uint64_t{value.payload().size()});
        }
        payload.insert(payload.end(), value.payload().begin(), value.payload().end());
        put_value(value.key(), value.kind(), std::move(payload));
    }

    /// Sets all metadata of another file, except what belongs to that file alone: its alignment, and `split.` keys.
    void copy_metadata(const gguf_file& file) {
        for(const gguf_value& value: file.metadata()) {
            if(value.key() != "general.alignment" && !value.key().starts_with("split.")) {
                set(value);
            }
        }
    }

    /// Removes a key; false where it was not set.
    bool erase(std::string_view key) {
        const auto at = places_.find(key);
        if(at == places_.end()) {
            return false;
        }
        values_[at->second].payload.clear(); // an entry without payload is not written
        places_.erase(at);
        return true;
    }

    /// Adds a tensor whose data the caller keeps until the file is saved.
    /// @param extents  1 to 4, fastest axis first: {C, V} for V rows of C elements
    /// @throws argument_error for a name that is empty, longer than 64 bytes or taken; extents that are zero, overflow,
    ///         or give no whole blocks; a type that GGUF lacks; data of another size
    void add_tensor(std::string_view name, dtype type, std::span<const std::uint64_t> extents,
                    std::span<const std::byte> data) {
        const std::uint64_t expected = check_tensor(name, type, extents);
        if(data.size() != expected) {
            refuse_tensor(name, {"has ", data.size(), " bytes of data; its extents need ", expected});
        }
        add(name, type, extents, expected, [data](const byte_sink& sink) { sink(data); });
    }

    /// Adds a tensor whose data is made while the file is saved.
    void add_tensor(std::string_view name, dtype type, std::span<const std::uint64_t> extents, byte_producer produce) {
        add(name, type, extents, check_tensor(name, type, extents), std::move(produce));
    }

    /// The same with the extents as a list.
    template <class Data>
    void add_tensor(std::string_view name, dtype type, std::initializer_list<std::uint64_t> extents, Data&& data) {
        add_tensor(name, type, std::span{extents.begin(), extents.size()}, std::forward<Data>(data));
    }

    [[nodiscard]] std::size_t tensor_count() const noexcept { return tensors_.size(); }
    /// Bytes the file will have.
    [[nodiscard]] std::uint64_t total_bytes() const { return header().size() + data_bytes_; }

    /// Writes the file atomically; see atomic_file.hpp.
    /// @throws io_error; argument_error where a producer makes another number of bytes than its tensor has;
    ///         cancelled_error from progress; whatever a producer throws. The old file stays in every case.
    void save(const std::string& path, const progress_callback& progress = {}) const {
        atomic_file file{path};
        const std::uint64_t total = total_bytes();
        write([&](std::span<const std::byte> bytes) {
            file.write(bytes);
            detail::report(progress, path, file.position(), total);
        });
        file.commit();
    }

    /// Writes the file to a sink, front to back.
    void write(const byte_sink& sink) const {
        sink(header());
        const std::vector<std::byte> zeros(alignment_);
        for(const tensor& t: tensors_) {
            std::uint64_t made = 0;
            t.produce([&](std::span<const std::byte> bytes) {
                if(bytes.size() > t.bytes - made) {
                    refuse_tensor(t.name, {"its producer makes more than its ", t.bytes, " bytes"});
                }
                made += bytes.size();
                sink(bytes);
            });
            if(made != t.bytes) {
                refuse_tensor(t.name, {"its producer made ", made, " of its ", t.bytes, " bytes"});
            }
            if(const std::size_t gap = static_cast<std::size_t>(padded(made) - made); gap != 0) {
                sink(std::span{zeros}.first(gap));
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
    struct entry {
        std::string key;
        gguf_kind kind;
        std::vector<std::byte> payload;
    };
    struct tensor {
        std::string name;
        dtype type;
        std::vector<std::uint64_t> extents;
        std::uint64_t bytes;
        std::uint64_t offset;
        byte_producer produce;
    };

    template <gguf_number T>
    [[nodiscard]] static constexpr gguf_kind kind_for() noexcept {
        if constexpr(std::same_as<T, bool>) {
            return gguf_kind::boolean;
        } else if constexpr(std::floating_point<T>) {
            return sizeof(T) == 4 ? gguf_kind::f32 : gguf_kind::f64;
        } else {
            constexpr gguf_kind with_sign[] = {gguf_kind::i8, gguf_kind::i16, gguf_kind::i32, gguf_kind::i64};
            constexpr gguf_kind without[] = {gguf_kind::u8, gguf_kind::u16, gguf_kind::u32, gguf_kind::u64};
            constexpr std::size_t log = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
            return std::signed_integral<T> ? with_sign[log] : without[log];
        }
    }

    template <class T>
    static void put_number(std::vector<std::byte>& to, T value) {
        std::array<std::byte, sizeof(T)> bytes;
        std::memcpy(bytes.data(), &value, sizeof(T));
        to.insert(to.end(), bytes.begin(), bytes.end());
    }

    template <class T>
    [[nodiscard]] static std::vector<std::byte> encoded_number(T value) {
        std::vector<std::byte> out;
        put_number(out, value);
        return out;
    }

    static void put_string(std::vector<std::byte>& to, std::string_view text) {
        put_number(to, std::uint64_t{text.size()});
        const auto bytes = as_bytes_of(text);
        to.insert(to.end(), bytes.begin(), bytes.end());
    }

    static void check_key(std::string_view key) {
        if(key.empty() || key.size() > limits{}.key_bytes) {
            tokenworks::detail::raise<argument_error>(
                {"gguf_writer: a key of ", key.size(), " bytes; 1 to ", limits{}.key_bytes, " are possible"});
        }
        if(key == "general.alignment") {
            tokenworks::detail::raise<argument_error>({"gguf_writer: general.alignment is set by the constructor"});
        }
    }

    void put_value(std::string_view key, gguf_kind kind, std::vector<std::byte> payload) {
        const auto [at, added] = places_.try_emplace(std::string{key}, values_.size());
        if(added) {
            values_.push_back({at->first, kind, std::move(payload)});
        } else {
            values_[at->second].kind = kind;
            values_[at->second].payload = std::move(payload);
        }
    }

    [[noreturn]] TOKENWORKS_COLD static void refuse_tensor(std::string_view name,
                                                           tokenworks::detail::message_parts what) {
        tokenworks::detail::raise<argument_error>(
            {"gguf_writer: tensor '", tokenworks::detail::escaped(name), "': ", tokenworks::detail::message(what)});
    }

    [[nodiscard]] std::uint64_t check_tensor(std::string_view name, dtype type,
                                             std::span<const std::uint64_t> extents) const {
        if(name.empty() || name.size() > limits{}.tensor_name_bytes) {
            refuse_tensor(name,
                          {"a name of ", name.size(), " bytes; 1 to ", limits{}.tensor_name_bytes, " are possible"});
        }
        if(names_.contains(name)) {
            refuse_tensor(name, {"the name is taken"});
        }
        if(extents.empty() || extents.size() > 4) {
            refuse_tensor(name, {extents.size(), " dimensions; 1 to 4 are possible"});
        }
        const auto id = static_cast<std::uint32_t>(type);
        if(id >= 1000 || !find_dtype(id)) {
            refuse_tensor(name, {"GGUF has no type ", info(type).name});
        }
        std::uint64_t elements = 1;
        for(const std::uint64_t extent: extents) {
            const auto product = checked_mul(elements, extent);
            if(extent == 0 || !product || *product >> 63 != 0) {
                refuse_tensor(name, {"a dimension is 0, or the product exceeds 2^63"});
            }
            elements = *product;
        }
        const dtype_info row = info(type);
        if(extents[0] % row.block_size != 0) {
            refuse_tensor(name, {"a row of ", extents[0], " elements is no multiple of the ", row.block_size, " of a ",
                                 row.name, " block"});
        }
        const auto bytes = checked_mul(elements / row.block_size, row.block_bytes);
        const auto total = bytes ? checked_add(data_bytes_, *bytes) : std::nullopt;
        if(!total || *total >> 62 != 0) {
            refuse_tensor(name, {"the file would exceed 2^62 bytes"});
        }
        return *bytes;
    }

    void add(std::string_view name, dtype type, std::span<const std::uint64_t> extents, std::uint64_t bytes,
             byte_producer produce) {
        tensors_.push_back(
            {std::string{name}, type, {extents.begin(), extents.end()}, bytes, data_bytes_, std::move(produce)});
        names_.emplace(name);
        data_bytes_ += padded(bytes);
    }

    [[nodiscard]] std::uint64_t padded(std::uint64_t bytes) const noexcept {
        return (bytes + alignment_ - 1) / alignment_ * alignment_;
    }

    /// Everything before the tensor data, padding included.
    [[nodiscard]] std::vector<std::byte> header() const {
        std::vector<std::byte> out;
        const auto magic = as_bytes_of("GGUF");
        out.insert(out.end(), magic.begin(), magic.end());
        put_number(out, std::uint32_t{3});
        put_number(out, std::uint64_t{tensors_.size()});
        put_number(out, std::uint64_t{places_.size()});
        for(const entry& e: values_) {
            if(e.payload.empty()) {
                continue;
            }
            put_string(out, e.key);
            put_number(out, static_cast<std::uint32_t>(e.kind));
            out.insert(out.end(), e.payload.begin(), e.payload.end());
        }
        for(const tensor& t: tensors_) {
            put_string(out, t.name);
            put_number(out, static_cast<std::uint32_t>(t.extents.size()));
            for(const std::uint64_t extent: t.extents) {
                put_number(out, extent);
            }
            put_number(out, static_cast<std::uint32_t>(t.type));
            put_number(out, t.offset);
        }
        out.resize(static_cast<std::size_t>(padded(out.size())));
        return out;
    }

    std::uint32_t alignment_;
    std::vector<entry> values_;
    std::map<std::string, std::size_t, std::less<>> places_; ///< key to its entry
    std::vector<tensor> tensors_;
    std::set<std::string, std::less<>> names_;
    std::uint64_t data_bytes_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::io
