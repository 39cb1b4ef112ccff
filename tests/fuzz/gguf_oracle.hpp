// What must hold for every input of the GGUF reader, and a way to change one field of a file and leave the rest intact.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/io/gguf.hpp>

namespace fuzz {

namespace tw = tokenworks;
namespace io = tokenworks::io;

/// Ends the run: an input that breaks a promise was found.
inline void must(bool holds, const char* promise) {
    if(!holds) {
        throw std::logic_error(promise);
    }
}

inline bool inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
    return part.empty() || (std::less_equal<>{}(whole.data(), part.data()) &&
                            std::less_equal<>{}(part.data() + part.size(), whole.data() + whole.size()));
}

inline bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

inline void check_value(const io::gguf_file& file, const io::gguf_value& value, std::span<const std::byte> bytes) {
    must(file.find(value.key()) == &value, "a key is found");
    must(inside(io::as_bytes_of(value.key()), bytes), "a key lies inside the file");
    must(inside(value.payload(), bytes), "a value lies inside the file");
    std::size_t seen = 0;
    if(const auto strings = value.to<io::string_array>()) {
        for(const std::string_view text: *strings) {
            must(inside(io::as_bytes_of(text), bytes), "a string lies inside the file");
            must((*strings)[seen++].data() == text.data(), "a string is found by its number");
        }
        must(seen == value.size(), "all strings are walked");
    }
    if(const auto numbers = value.to<io::array_view<std::int64_t>>()) {
        for(const std::int64_t number: *numbers) {
            must((*numbers)[seen++] == number, "a number is found by its index");
        }
        must(seen == value.size(), "all numbers are walked");
    }
    if(const auto numbers = value.to<std::vector<float>>()) {
        must(numbers->size() == value.size(), "all numbers are copied");
    }
    (void)value.to<std::uint8_t>();
    (void)value.to<std::int32_t>();
    (void)value.to<double>();
    (void)value.to<bool>();
    (void)value.to<std::string>();
}

/// Opens the bytes and holds what was accepted against the promises.
/// @return whether the file was accepted
inline bool check_gguf(std::span<const std::byte> bytes) {
    try {
        const io::gguf_file file = io::gguf_file::from_memory(bytes, "input");
        std::vector<const io::gguf_tensor*> order;
        for(const io::gguf_tensor& tensor: file.tensors()) {
            must(!tensor.data.empty() && inside(tensor.data, bytes), "a tensor lies inside the file");
            must(tensor.data.size() == tensor.bytes, "a tensor has all its bytes");
            must(tensor.offset % file.alignment() == file.layout().data_offset % file.alignment(), "alignment");
            must(file.find_tensor(tensor.name) == &tensor, "a tensor is found");
            const tw::dtype_info row = tw::info(tensor.type);
            must(tensor.elements() / row.block_size * row.block_bytes == tensor.bytes, "bytes follow from extents");
            order.push_back(&tensor);
        }
        std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
        for(std::size_t i = 1; i < order.size(); ++i) {
            must(order[i - 1]->offset + order[i - 1]->bytes <= order[i]->offset, "tensors do not overlap");
        }
        for(const io::gguf_value& value: file.metadata()) {
            check_value(file, value, bytes);
        }

        io::gguf_writer writer{static_cast<std::uint32_t>(file.alignment())};
        writer.copy_metadata(file);
        for(const io::gguf_tensor& tensor: file.tensors()) {
            writer.add_tensor(tensor.name, tensor.type, std::span{tensor.extents}.first(tensor.rank), tensor.data);
        }
        const std::vector<std::byte> copy = writer.to_bytes();
        must(copy.size() == writer.total_bytes(), "the size is known before writing");
        const io::gguf_file again = io::gguf_file::from_memory(copy, "copy");
        must(again.alignment() == file.alignment(), "the alignment survives");
        must(again.tensors().size() == file.tensors().size(), "the tensors survive");
        for(const io::gguf_tensor& tensor: file.tensors()) {
            const io::gguf_tensor& other = again.tensor(tensor.name);
            must(other.type == tensor.type && other.extents == tensor.extents && other.rank == tensor.rank &&
                     same(other.data, tensor.data),
                 "a tensor survives");
        }
        for(const io::gguf_value& value: file.metadata()) {
            if(value.key() != "general.alignment" && !value.key().starts_with("split.")) {
                const io::gguf_value* const other = again.find(value.key());
                must(other != nullptr && other->type_name() == value.type_name() && other->size() == value.size() &&
                         same(other->payload(), value.payload()),
                     "a value survives");
            }
        }
        return true;
    } catch(const tw::error&) {
        return false;
    }
}

struct field {
    std::size_t offset;
    std::size_t bytes;
};

/// Where the numbers of a GGUF file are: magic, version, counts, lengths, types, extents, offsets, scalar values; as
/// far as the file makes sense.
inline std::vector<field> gguf_fields(std::span<const std::byte> bytes) {
    constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    std::vector<field> fields;
    std::size_t at = 0;
    const auto number = [&](std::size_t size) -> std::uint64_t {
        std::uint64_t value = 0;
        if(size > bytes.size() - at) {
            at = bytes.size();
            return 0;
        }
        std::memcpy(&value, bytes.data() + at, size);
        fields.push_back({at, size});
        at += size;
        return value;
    };
    const auto skip = [&](std::uint64_t count) {
        at += static_cast<std::size_t>(std::min<std::uint64_t>(count, bytes.size() - at));
    };
    (void)number(4);
    (void)number(4);
    const std::uint64_t tensors = number(8);
    const std::uint64_t values = number(8);
    for(std::uint64_t i = 0; i < values && at < bytes.size(); ++i) {
        skip(number(8));
        std::uint64_t kind = number(4);
        std::uint64_t count = 1;
        if(kind == 9) {
            kind = number(4);
            count = number(8);
        }
        for(std::uint64_t n = 0; n < count && at < bytes.size() && kind < 13 && kind != 9; ++n) {
            if(kind == 8) {
                skip(number(8));
            } else {
                (void)number(sizes[kind]);
            }
        }
    }
    for(std::uint64_t i = 0; i < tensors && at < bytes.size(); ++i) {
        skip(number(8));
        const std::uint64_t rank = number(4);
        for(std::uint64_t d = 0; d < rank && d < 4; ++d) {
            (void)number(8);
        }
        (void)number(4);
        (void)number(8);
    }
    return fields;
}

/// Values that formats get wrong, for a field that holds now.
inline std::vector<std::uint64_t> telling_values(std::uint64_t now, std::size_t file_size) {
    std::vector<std::uint64_t> values{0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 31, 32, 33, 64, 255, 256};
    for(const std::uint64_t step: {1U, 8U, 32U}) {
        values.push_back(now + step);
        values.push_back(now - step);
    }
    for(unsigned bit = 0; bit < 64; ++bit) {
        values.push_back(std::uint64_t{1} << bit);
        values.push_back((std::uint64_t{1} << bit) - 1);
        values.push_back(now ^ (std::uint64_t{1} << bit));
    }
    for(const std::uint64_t divisor: {1U, 2U, 4U, 8U, 14U, 33U}) {
        values.push_back(file_size / divisor);
        values.push_back(file_size / divisor + 1);
        values.push_back(~std::uint64_t{0} / divisor + 1); // wraps to nearly 0 when multiplied
    }
    values.push_back(~std::uint64_t{0});
    values.push_back(now * 2);
    values.push_back(now << 32);
    return values;
}

} // namespace fuzz
