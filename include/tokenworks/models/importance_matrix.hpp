// How much each column of a matrix matters: the mean square of what it is multiplied with, over a text. Made by
// models::importance_collector or llama.cpp's `llama-imatrix`, in its GGUF form or in the binary form that came before.
//
//   GGUF     general.type = "imatrix"; for each matrix NAME.in_sum2 [E,K] (one row, or one for each expert) and
//            NAME.counts [E,1]
//   binary   int32 entries; for each int32 length, name, int32 calls, int32 count, float32 sums [count]
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/byte_cursor.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/packed_format.hpp>
#include <tokenworks/models/gguf_source.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

class importance_matrix {
public:
    /// @throws io_error, format_error, limit_error
    [[nodiscard]] static importance_matrix open(const std::string& path) {
        const io::file_bytes file = io::file_bytes::open(path);
        return from_memory(file.bytes(), path);
    }
    /// The same from a file in memory.
    [[nodiscard]] static importance_matrix from_memory(std::span<const std::byte> bytes, const std::string& name) {
        importance_matrix made;
        if(io::as_text(bytes).starts_with("GGUF")) {
            made.read_gguf(io::gguf_file::from_memory(bytes, name));
        } else {
            made.read_binary(bytes, name);
        }
        return made;
    }

    /// The importance of a matrix' columns, [K] or [E,K]; empty where the text never reached it. What is not there is
    /// looked for under the name of a matrix that sees the same: queries, keys and values may be one, gate and up too.
    [[nodiscard]] std::span<const float> find(std::string_view name) const {
        if(const auto at = columns_.find(name); at != columns_.end()) {
            return at->second;
        }
        using both = std::pair<std::string_view, std::string_view>;
        for(const auto& [asked, same]: {both{".attn_q.", ".attn_qkv."}, both{".attn_k.", ".attn_qkv."},
                                        both{".attn_v.", ".attn_qkv."}, both{".attn_qkv.", ".attn_q."},
                                        both{".ffn_gate.", ".ffn_up."}, both{".ffn_gate_exps.", ".ffn_up_exps."}}) {
            const std::size_t found = name.find(asked);
            if(found != name.npos) {
                std::string other{name};
                other.replace(found, asked.size(), same);
                const auto at = columns_.find(other);
                return at == columns_.end() ? std::span<const float>{} : std::span<const float>{at->second};
            }
        }
        return {};
    }
    /// Matrices that there are values for.
    [[nodiscard]] std::size_t size() const noexcept { return columns_.size(); }
    /// A number that changes with the values.
    [[nodiscard]] std::uint64_t identity() const {
        std::uint64_t sum = columns_.size();
        for(const auto& [name, values]: columns_) {
            sum = io::checksum(std::as_bytes(std::span{values}), io::checksum(io::as_bytes_of(name), sum));
        }
        return sum;
    }

private:
    void add(std::string name, std::vector<float> values, const std::string& file, std::uint64_t offset) {
        for(const float value: values) {
            if(!std::isfinite(value) || value < 0) {
                tokenworks::detail::raise_format(file, {name}, offset, {"has a value that is negative, or no number"});
            }
        }
        columns_.insert_or_assign(std::move(name), std::move(values));
    }

    void read_gguf(const io::gguf_file& file) {
        constexpr std::string_view suffix = ".in_sum2";
        const gguf_weights tensors{file};
        for(const io::gguf_tensor& tensor: file.tensors()) {
            if(!tensor.name.ends_with(suffix)) {
                continue;
            }
            const std::string name{tensor.name.substr(0, tensor.name.size() - suffix.size())};
            const weight sums = *tensors.find(tensor.name);
            const std::size_t columns = sums.extents.back();
            const std::size_t experts = sums.extents.size() > 1 ? sums.extents[sums.extents.size() - 2] : 1;
            std::vector<float> values = load_values(tensors, std::string{tensor.name}, sums.extents);
            const std::vector<float> counts =
                load_values(tensors, name + ".counts", std::vector{experts, std::size_t{1}});
            for(std::size_t i = 0; i < values.size(); ++i) {
                // What was never used matters as little everywhere.
                const float count = counts[i / columns];
                values[i] = count > 0 ? values[i] / count : 1;
            }
            add(name, std::move(values), file.name(), tensor.offset);
        }
        if(columns_.empty()) {
            tokenworks::detail::raise_format(file.name(), {"tensors"}, format_error::no_offset,
                                             {"none ends with .in_sum2: this is no importance matrix"});
        }
    }

    void read_binary(std::span<const std::byte> bytes, const std::string& file) {
        io::byte_cursor cursor{bytes, file, bytes.size()};
        const auto count = [&](const char* field) {
            const std::uint64_t at = cursor.offset();
            const auto value = cursor.read<std::int32_t>(field);
            if(value < 0 || static_cast<std::uint64_t>(value) > bytes.size()) {
                tokenworks::detail::raise_format(file, {field}, at, {"is ", value});
            }
            return static_cast<std::size_t>(value);
        };
        const std::size_t entries = count("number of matrices");
        for(std::size_t i = 0; i < entries; ++i) {
            const std::uint64_t at = cursor.offset();
            const std::size_t length = count("length of a name");
            std::string name{io::as_text(cursor.take(length, "name"))};
            const std::size_t calls = count("number of calls");
            const std::size_t columns = count("number of columns");
            cursor.expect(columns, sizeof(float), "number of columns");
            std::vector<float> values;
            values.reserve(columns);
            for(std::size_t k = 0; k < columns; ++k) {
                values.push_back(cursor.read<float>("sum") / static_cast<float>(calls == 0 ? 1 : calls));
            }
            add(std::move(name), std::move(values), file, at);
        }
        if(columns_.empty()) {
            tokenworks::detail::raise_format(file, {"number of matrices"}, 0, {"is 0"});
        }
    }

    std::map<std::string, std::vector<float>, std::less<>> columns_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
