// Walks the metadata and the tensor table of one GGUF file (versions 2 and 3, little-endian) and checks everything it
// says before anybody uses it: each count against the bytes that are left, each tensor against the file.
//
// Both tables are walked twice, first to check and count, then to store, so that memory is reserved for what is there
// and never for what a header claims.  Format: ggml, docs/gguf.md.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
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
#include <tokenworks/io/byte_cursor.hpp>
#include <tokenworks/io/gguf_value.hpp>
#include <tokenworks/io/name_index.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// A tensor of a GGUF file. Its bytes lie inside the file's, and no other tensor's overlap them.
struct gguf_tensor {
    std::string name;
    dtype type = dtype::f32;
    /// Fastest axis first, as the format has them: a matrix of V rows and C columns is {C, V, 1, 1}.
    std::array<std::uint64_t, 4> extents{1, 1, 1, 1};
    std::uint32_t rank = 1;          ///< dimensions the file gives, 1 to 4
    std::size_t part = 0;            ///< which file of a split model
    std::uint64_t offset = 0;        ///< bytes from the start of that file
    std::uint64_t bytes = 0;         ///< bytes of data
    std::span<const std::byte> data; ///< in a file, aligned to alignment() from the file's start

    [[nodiscard]] std::uint64_t elements() const noexcept { return extents[0] * extents[1] * extents[2] * extents[3]; }
};

/// How the tensors of one file lie, for reports; nothing in it is an error.
struct gguf_layout {
    std::uint64_t metadata_bytes = 0; ///< everything before the tensor data
    std::uint64_t data_offset = 0;    ///< where tensor data starts
    bool in_order = true;             ///< tensors lie in the order of the table
    std::uint64_t gap_bytes = 0;      ///< bytes between tensors that no tensor owns, alignment aside
    std::uint64_t trailing_bytes = 0; ///< bytes after the last tensor, alignment aside
};

/// "[576 x 49152]", for messages.
[[nodiscard]] inline std::string extents_text(const gguf_tensor& tensor) {
    std::string text = "[";
    text += std::to_string(tensor.extents[0]);
    for(std::uint32_t d = 1; d < tensor.rank; ++d) {
        text += " x ";
        text += std::to_string(tensor.extents[d]);
    }
    text += ']';
    return text;
}

namespace detail {

/// What one GGUF file holds.
struct gguf_part {
    std::uint32_t version = 0;
    std::uint64_t alignment = 32;
    std::vector<gguf_value> values;
    std::vector<std::size_t> values_by_key;
    std::vector<gguf_tensor> tensors;
    gguf_layout layout;

    [[nodiscard]] const gguf_value* find(std::string_view key) const noexcept {
        return find_by_name(values, values_by_key, key, [](const gguf_value& value) { return value.key(); });
    }
};

class gguf_parser {
public:
    gguf_parser(std::span<const std::byte> bytes, const std::string& file, const limits& bounds)
        : bytes_{bytes}, file_{file}, bounds_{bounds}, cursor_{bytes, file, bounds.metadata_bytes} {}

    [[nodiscard]] gguf_part parse() {
        gguf_part part;
        part.version = read_version();
        const auto tensor_count = cursor_.read<std::uint64_t>("tensor count");
        const auto value_count = cursor_.read<std::uint64_t>("metadata count");
        cursor_.expect(value_count, 8 + 1 + 4 + 1, "metadata count");
        cursor_.expect(tensor_count, 8 + 1 + 4 + 8 + 4 + 8, "tensor count");
        read_values(part, value_count);
        read_alignment(part);
        read_tensors(part, tensor_count);
        place_tensors(part);
        return part;
    }

private:
    [[nodiscard]] std::uint32_t read_version() {
        const std::string_view magic = as_text(cursor_.take(4, "magic"));
        if(magic != "GGUF") {
            cursor_.fail_at(0, "magic", {"is '", tokenworks::detail::escaped(magic), "', not 'GGUF'"});
        }
        const auto version = cursor_.read<std::uint32_t>("version");
        if(version != 0 && (version & 0xFFFFU) == 0) {
            cursor_.fail_at(4, "version", {"the file is big-endian; only little-endian files are supported"});
        }
        if(version != 2 && version != 3) {
            cursor_.fail_at(4, "version", {"is ", version, "; versions 2 and 3 are supported"});
        }
        return version;
    }

    [[nodiscard]] std::string_view read_string(std::uint64_t most, std::string_view field) {
        const std::uint64_t at = cursor_.offset();
        const auto length = cursor_.read<std::uint64_t>(field);
        if(length > cursor_.total_left()) {
            cursor_.fail_at(
                at, field,
                {"a string of ", length, " bytes does not fit in the ", cursor_.total_left(), " bytes left"});
        }
        if(length > most) {
            tokenworks::detail::raise<limit_error>({file_, ": ", field, " at offset ", at, ": a string of ", length,
                                                    " bytes is over the limit of ", most});
        }
        return as_text(cursor_.take(length, field));
    }

    /// A name that must not be empty nor longer than the format allows.
    [[nodiscard]] std::string_view read_name(std::uint64_t most, std::string_view field) {
        const std::uint64_t at = cursor_.offset();
        const auto length = cursor_.read<std::uint64_t>(field);
        if(length == 0) {
            cursor_.fail_at(at, field, {"is empty"});
        }
        if(length > most) {
            cursor_.fail_at(at, field, {"has ", length, " bytes, more than ", most});
        }
        return as_text(cursor_.take(length, field));
    }

    [[nodiscard]] gguf_kind read_kind(std::string_view field, const char* what) {
        const std::uint64_t at = cursor_.offset();
        const auto kind = cursor_.read<std::uint32_t>(field);
        if(kind >= gguf_kind_names.size()) {
            cursor_.fail_at(at, field, {what, " ", kind, " is unknown"});
        }
        return static_cast<gguf_kind>(kind);
    }

    [[nodiscard]] std::span<const std::byte> read_plain(gguf_kind kind, std::uint64_t count, std::string_view field) {
        cursor_.expect(count, size_of(kind), field);
        const std::uint64_t at = cursor_.offset();
        const auto payload = cursor_.take(count * size_of(kind), field);
        if(kind == gguf_kind::boolean) {
            const auto bad = std::find_if(payload.begin(), payload.end(), [](std::byte b) { return b > std::byte{1}; });
            if(bad != payload.end()) {
                cursor_.fail_at(at + static_cast<std::uint64_t>(bad - payload.begin()), field,
                                {"a bool has the value ", std::to_integer<unsigned>(*bad)});
            }
        }
        return payload;
    }

    [[nodiscard]] std::span<const std::byte> read_strings(std::uint64_t count, std::string_view field) {
        cursor_.expect(count, 8, field);
        const std::uint64_t first = cursor_.offset();
        for(std::uint64_t i = 0; i < count; ++i) {
            (void)read_string(bounds_.metadata_string_bytes, field);
        }
        return bytes_.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(cursor_.offset() - first));
    }

    [[nodiscard]] gguf_value read_value() {
        const std::string_view key = read_name(bounds_.key_bytes, "metadata key");
        const std::string field = printable(key);
        const gguf_kind kind = read_kind(field, "value type");
        const std::uint64_t at = cursor_.offset();
        if(kind == gguf_kind::string) {
            const std::string_view text = read_string(bounds_.metadata_string_bytes, field);
            return {key, kind, kind, 1, as_bytes_of(text), at};
        }
        if(kind != gguf_kind::array) {
            return {key, kind, kind, 1, read_plain(kind, 1, field), at};
        }
        const gguf_kind element = read_kind(field, "array element type");
        if(element == gguf_kind::array) {
            cursor_.fail_at(at, field, {"is an array of arrays"});
        }
        const auto count = cursor_.read<std::uint64_t>(field);
        const auto payload =
            element == gguf_kind::string ? read_strings(count, field) : read_plain(element, count, field);
        return {key, kind, element, count, payload, at};
    }

    void read_values(gguf_part& part, std::uint64_t count) {
        const byte_cursor start = cursor_;
        for(std::uint64_t i = 0; i < count; ++i) {
            (void)read_value();
        }
        cursor_ = start;
        part.values.reserve(static_cast<std::size_t>(count));
        for(std::uint64_t i = 0; i < count; ++i) {
            part.values.push_back(read_value());
        }
        part.values_by_key = sort_by_name(part.values, [](const gguf_value& value) { return value.key(); });
        for(std::size_t i = 1; i < part.values.size(); ++i) {
            const gguf_value& value = part.values[part.values_by_key[i]];
            if(part.values[part.values_by_key[i - 1]].key() == value.key()) {
                cursor_.fail_at(value.offset(), printable(value.key()), {"the key occurs twice"});
            }
        }
    }

    void read_alignment(gguf_part& part) const {
        const gguf_value* const value = part.find("general.alignment");
        if(value == nullptr) {
            return;
        }
        if(value->kind() != gguf_kind::u32) {
            cursor_.fail_at(value->offset(), "general.alignment", {"is of type ", value->type_name(), ", not u32"});
        }
        const std::uint64_t alignment = value->to<std::uint64_t>().value_or(0);
        if(alignment < bounds_.alignment_least || alignment > bounds_.alignment_most ||
           (alignment & (alignment - 1)) != 0) {
            cursor_.fail_at(value->offset(), "general.alignment",
                            {"is ", alignment, ", not a power of two from ", bounds_.alignment_least, " to ",
                             bounds_.alignment_most});
        }
        part.alignment = alignment;
    }

    /// One row of the tensor table, as the file has it; offset counts from the start of the tensor data.
    struct row {
        std::string_view name;
        dtype_info type;
        std::array<std::uint64_t, 4> extents{1, 1, 1, 1};
        std::uint32_t rank = 0;
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
    };

    [[noreturn]] TOKENWORKS_COLD void fail_tensor(std::uint64_t at, std::string_view name,
                                                  tokenworks::detail::message_parts what) const {
        tokenworks::detail::raise_format(file_, {"tensor '", tokenworks::detail::escaped(name), "'"}, at, what);
    }

    [[nodiscard]] row read_row() {
        const std::uint64_t at = cursor_.offset();
        row out{};
        out.extents = {1, 1, 1, 1};
        out.name = read_name(bounds_.tensor_name_bytes, "tensor name");
        const auto fail = [&](tokenworks::detail::message_parts what) { fail_tensor(at, out.name, what); };
        out.rank = cursor_.read<std::uint32_t>("tensor rank");
        if(out.rank == 0 || out.rank > 4) {
            fail({"has ", out.rank, " dimensions; 1 to 4 are possible"});
        }
        std::uint64_t elements = 1;
        for(std::uint32_t d = 0; d < out.rank; ++d) {
            const auto extent = cursor_.read<std::uint64_t>("tensor dimension");
            const auto product = checked_mul(elements, extent);
            if(extent == 0 || extent >> 63 != 0) {
                fail({"dimension ", d, " is ", extent});
            }
            if(!product || *product >> 63 != 0) {
                fail({"its ", out.rank, " dimensions multiply to more than 2^63 elements"});
            }
            out.extents[d] = extent;
            elements = *product;
        }
        const auto type = cursor_.read<std::uint32_t>("tensor type");
        const auto info = type < 1000 ? find_dtype(type) : std::nullopt;
        if(!info) {
            fail({"element type ", type, is_removed(type) ? " was removed from the format" : " is unknown"});
        }
        out.type = *info;
        if(out.extents[0] % info->block_size != 0) {
            fail({"a row of ", out.extents[0], " elements is no multiple of the ", info->block_size, " elements of a ",
                  info->name, " block"});
        }
        const auto bytes = checked_mul(elements / info->block_size, info->block_bytes);
        if(!bytes) {
            fail({"its size in bytes exceeds 64 bits"});
        }
        out.bytes = *bytes;
        out.offset = cursor_.read<std::uint64_t>("tensor offset");
        return out;
    }

    /// Types that once had these numbers: q4_2, q4_3; q4_0_4_4 to q4_0_8_8; iq4_nl_4_4 to iq4_nl_8_8.
    [[nodiscard]] static bool is_removed(std::uint32_t type) noexcept {
        return type == 4 || type == 5 || (type >= 31 && type <= 33) || (type >= 36 && type <= 38);
    }

    void read_tensors(gguf_part& part, std::uint64_t count) {
        const byte_cursor start = cursor_;
        for(std::uint64_t i = 0; i < count; ++i) {
            (void)read_row();
        }
        part.layout.metadata_bytes = cursor_.offset();
        part.layout.data_offset = (cursor_.offset() + part.alignment - 1) / part.alignment * part.alignment;
        const std::uint64_t data_bytes =
            bytes_.size() - std::min<std::uint64_t>(bytes_.size(), part.layout.data_offset);
        cursor_ = start;
        part.tensors.reserve(static_cast<std::size_t>(count));
        for(std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t at = cursor_.offset();
            const row from = read_row();
            const auto fail = [&](tokenworks::detail::message_parts what) { fail_tensor(at, from.name, what); };
            if(from.offset % part.alignment != 0) {
                fail({"data offset ", from.offset, " is no multiple of the alignment ", part.alignment});
            }
            if(from.offset > data_bytes || from.bytes > data_bytes - from.offset) {
                fail({from.bytes, " bytes at data offset ", from.offset, " do not fit in the file's ", data_bytes,
                      " bytes of tensor data"});
            }
            const std::uint64_t offset = part.layout.data_offset + from.offset;
            part.tensors.push_back(
                {std::string{from.name}, from.type.type, from.extents, from.rank, 0, offset, from.bytes,
                 bytes_.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(from.bytes))});
        }
    }

    /// Refuses tensors that share bytes, and measures what lies between them.
    void place_tensors(gguf_part& part) const {
        const std::vector<gguf_tensor>& tensors = part.tensors;
        std::vector<std::size_t> order(tensors.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return tensors[a].offset != tensors[b].offset ? tensors[a].offset < tensors[b].offset : a < b;
        });
        part.layout.in_order = std::is_sorted(order.begin(), order.end());
        std::uint64_t end = part.layout.data_offset;
        const gguf_tensor* before = nullptr;
        for(const std::size_t i: order) {
            const gguf_tensor& tensor = tensors[i];
            if(before != nullptr && tensor.offset < before->offset + before->bytes) {
                fail_tensor(tensor.offset, tensor.name,
                            {"its data overlap those of tensor '", tokenworks::detail::escaped(before->name),
                             "', which end at ", before->offset + before->bytes});
            }
            part.layout.gap_bytes += tensor.offset - std::min(end, tensor.offset);
            end = (tensor.offset + tensor.bytes + part.alignment - 1) / part.alignment * part.alignment;
            before = &tensor;
        }
        part.layout.trailing_bytes = bytes_.size() - std::min<std::uint64_t>(end, bytes_.size());
    }

    std::span<const std::byte> bytes_;
    const std::string& file_;
    const limits& bounds_;
    byte_cursor cursor_;
};

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::io
