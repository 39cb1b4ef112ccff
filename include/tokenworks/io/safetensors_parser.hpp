// Reads the header of one safetensors file and checks everything it says.
// Format: safetensors README, "Format"; rules: validate() in the reference's tensor.rs.
//
// Needs nlohmann-json (through json.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
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
#include <tokenworks/io/json.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// A tensor of a safetensors file. Its bytes lie inside the file's, and no other tensor's overlap them.
struct safetensor {
    std::string name;
    dtype type = dtype::f32;
    std::size_t part = 0;             ///< which shard
    std::vector<std::uint64_t> shape; ///< slowest axis first, as the format has them; none for a scalar
    std::uint64_t offset = 0;         ///< bytes from the start of that file
    std::uint64_t bytes = 0;          ///< may be 0, where a dimension is
    std::span<const std::byte> data;  ///< aligned to nothing: the format promises no alignment
};

/// Element types of the format and their names in it.
struct safetensors_dtype {
    std::string_view name;
    dtype type;
};
inline constexpr std::array<safetensors_dtype, 15> safetensors_dtypes{{{"F64", dtype::f64},
                                                                       {"F32", dtype::f32},
                                                                       {"F16", dtype::f16},
                                                                       {"BF16", dtype::bf16},
                                                                       {"F8_E4M3", dtype::f8_e4m3},
                                                                       {"F8_E5M2", dtype::f8_e5m2},
                                                                       {"I64", dtype::i64},
                                                                       {"I32", dtype::i32},
                                                                       {"I16", dtype::i16},
                                                                       {"I8", dtype::i8},
                                                                       {"U64", dtype::u64},
                                                                       {"U32", dtype::u32},
                                                                       {"U16", dtype::u16},
                                                                       {"U8", dtype::u8},
                                                                       {"BOOL", dtype::boolean}}};
/// Element types that the format has and this library lacks.
inline constexpr std::array<std::string_view, 7> safetensors_unsupported{
    "F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"};

namespace detail {

struct safetensors_part {
    std::deque<std::pair<std::string, std::string>> metadata;
    std::deque<safetensor> tensors;
};

/// Events of a header: an object of tensors, each an object of three members, and `__metadata__`.
class safetensors_header final: public json_handler {
public:
    safetensors_header(safetensors_part& part, const limits& bounds) : part_{part}, bounds_{bounds} {}

    void begin_object() override {
        if(state_ == state::start) {
            state_ = state::top;
        } else if(state_ == state::entry) {
            state_ = name_ == "__metadata__" ? state::metadata : state::tensor;
            if(state_ == state::tensor) {
                part_.tensors.emplace_back().name = name_;
                seen_ = {};
            }
        } else {
            unexpected("an object");
        }
    }

    void key(std::string& text) override {
        if(state_ == state::top) {
            name_ = text;
            state_ = state::entry;
        } else if(state_ == state::metadata) {
            part_.metadata.emplace_back(text, std::string{});
            state_ = state::metadata_value;
        } else {
            const auto at = std::find(members.begin(), members.end(), text);
            if(at == members.end()) {
                refuse(field(), {"has the unknown member '", tokenworks::detail::escaped(text), "'"});
            }
            member_ = static_cast<std::size_t>(at - members.begin());
            seen_[member_] = true;
            state_ = state::member;
        }
    }

    void end_object() override {
        if(state_ == state::tensor) {
            for(std::size_t i = 0; i < members.size(); ++i) {
                if(!seen_[i]) {
                    refuse(field(), {"lacks its ", members[i]});
                }
            }
            finish_tensor();
        }
        state_ = state_ == state::top ? state::start : state::top;
    }

    void begin_array() override {
        if(state_ != state::member || member_ == 0) {
            unexpected("an array");
        }
        numbers_.clear();
        state_ = state::numbers;
    }

    void unsigned_integer(std::uint64_t value) override {
        if(state_ != state::numbers) {
            unexpected("a number");
        }
        const std::size_t most = member_ == 1 ? bounds_.tensor_rank : 2;
        if(numbers_.size() == most) {
            refuse(field(), {"its ", members[member_], " has more than ", most, " numbers"});
        }
        numbers_.push_back(value);
    }

    void end_array() override {
        safetensor& tensor = part_.tensors.back();
        if(member_ == 1) {
            tensor.shape.assign(numbers_.begin(), numbers_.end());
        } else {
            if(numbers_.size() != 2 || numbers_[1] < numbers_[0]) {
                refuse(field(), {"its data_offsets are not a begin and an end"});
            }
            tensor.offset = numbers_[0];
            tensor.bytes = numbers_[1] - numbers_[0];
        }
        state_ = state::tensor;
    }

    void string(std::string& text) override {
        if(state_ == state::metadata_value) {
            part_.metadata.back().second = text;
            state_ = state::metadata;
        } else if(state_ == state::member && member_ == 0) {
            set_type(text);
            state_ = state::tensor;
        } else {
            unexpected("a string");
        }
    }

    [[noreturn]] void unexpected(std::string_view what) override {
        if(state_ == state::metadata_value) {
            refuse("__metadata__",
                   {"'", tokenworks::detail::escaped(part_.metadata.back().first), "' is ", what, ", not a string"});
        }
        if(state_ == state::entry) {
            refuse(field(), {"is ", what, ", not an object"});
        }
        refuse(field(), {"its ", members[member_], state_ == state::member ? " is " : " holds ", what});
    }

private:
    enum class state { start, top, entry, metadata, metadata_value, tensor, member, numbers };
    static constexpr std::array<std::string_view, 3> members{"dtype", "shape", "data_offsets"};

    [[nodiscard]] std::string field() const { return "tensor '" + printable(name_) + "'"; }

    void set_type(const std::string& text) {
        const auto at = std::find_if(safetensors_dtypes.begin(), safetensors_dtypes.end(),
                                     [&](const safetensors_dtype& row) { return row.name == text; });
        if(at != safetensors_dtypes.end()) {
            part_.tensors.back().type = at->type;
            return;
        }
        const auto& known = safetensors_unsupported;
        if(std::find(known.begin(), known.end(), text) != known.end()) {
            tokenworks::detail::raise<unsupported_error>(
                {file(), ": ", field(), " at offset ", offset(), ": elements of type ", text, " are not supported"});
        }
        refuse(field(), {"its dtype '", tokenworks::detail::escaped(text), "' is unknown"});
    }

    void finish_tensor() {
        const safetensor& tensor = part_.tensors.back();
        std::optional<std::uint64_t> bytes = info(tensor.type).block_bytes;
        for(const std::uint64_t extent: tensor.shape) {
            bytes = bytes ? checked_mul(*bytes, extent) : bytes;
        }
        if(!bytes) {
            refuse(field(), {"its shape overflows 64 bits"});
        }
        if(*bytes != tensor.bytes) {
            refuse(field(), {"its shape needs ", *bytes, " bytes, its data_offsets span ", tensor.bytes});
        }
    }

    safetensors_part& part_;
    const limits& bounds_;
    state state_ = state::start;
    std::string name_;
    std::size_t member_ = 0;
    std::array<bool, 3> seen_{};
    std::vector<std::uint64_t> numbers_;
};

/// Reads the header of a whole file and gives each tensor its bytes.
[[nodiscard]] inline safetensors_part parse_safetensors(std::span<const std::byte> bytes, const std::string& file,
                                                        const limits& bounds) {
    byte_cursor cursor{bytes, file, ~std::uint64_t{0}};
    const auto length = cursor.read<std::uint64_t>("header length");
    if(length > bounds.json_header_bytes) {
        cursor.fail_at(0, "header length", {"is ", length, ", more than ", bounds.json_header_bytes});
    }
    const auto header = cursor.take(length, "header");
    if(header.empty() || header[0] != std::byte{'{'}) {
        cursor.fail_at(8, "header", {"does not start with '{'"});
    }
    safetensors_part part;
    safetensors_header handler{part, bounds};
    parse_json(header, file, 8, bounds.header_json_depth, handler);

    const std::uint64_t start = cursor.offset();
    std::vector<safetensor*> order;
    order.reserve(part.tensors.size());
    for(safetensor& tensor: part.tensors) {
        order.push_back(&tensor);
    }
    std::sort(order.begin(), order.end(), [](const safetensor* a, const safetensor* b) {
        return a->offset != b->offset ? a->offset < b->offset : a->bytes < b->bytes;
    });
    std::uint64_t end = 0;
    for(safetensor* const tensor: order) {
        const std::string_view name = tensor->name;
        if(tensor->offset != end) {
            tokenworks::detail::raise_format(
                file, {"tensor '", tokenworks::detail::escaped(name), "'"}, start + end,
                {"its data begin at data offset ", tensor->offset, ", the tensor before ends at ", end});
        }
        if(tensor->bytes > bytes.size() - start - end) {
            tokenworks::detail::raise_format(
                file, {"tensor '", tokenworks::detail::escaped(name), "'"}, start + end,
                {tensor->bytes, " bytes do not fit in the ", bytes.size() - start - end, " bytes left"});
        }
        end += tensor->bytes;
        tensor->offset += start;
        tensor->data = bytes.subspan(static_cast<std::size_t>(tensor->offset), static_cast<std::size_t>(tensor->bytes));
    }
    if(end != bytes.size() - start) {
        tokenworks::detail::raise_format(file, {"data"}, start + end,
                                         {bytes.size() - start - end, " bytes belong to no tensor"});
    }
    return part;
}

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::io
