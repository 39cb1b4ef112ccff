// What must hold for every input of the safetensors reader.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <tokenworks/io/safetensors.hpp>

namespace fuzz {

/// Opens the bytes and holds what was accepted against the promises.
/// @return whether the file was accepted
inline bool check_safetensors(std::span<const std::byte> bytes) {
    namespace tw = tokenworks;
    namespace io = tokenworks::io;
    const auto must = [](bool holds, const char* promise) {
        if(!holds) {
            throw std::logic_error(promise);
        }
    };
    const auto same = [](std::span<const std::byte> a, std::span<const std::byte> b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    };
    try {
        const io::safetensors_file file = io::safetensors_file::from_memory(bytes, "input");
        std::uint64_t total = 8 + io::load_unaligned<std::uint64_t>(bytes.data());
        for(const io::safetensor& tensor: file.tensors()) {
            must(tensor.data.size() == tensor.bytes, "a tensor has all its bytes");
            must(tensor.bytes == 0 ||
                     (std::less_equal<>{}(bytes.data(), tensor.data.data()) &&
                      std::less_equal<>{}(tensor.data.data() + tensor.data.size(), bytes.data() + bytes.size())),
                 "a tensor lies inside the file");
            must(file.find_tensor(tensor.name) == &tensor, "a tensor is found");
            std::uint64_t expected = tw::info(tensor.type).block_bytes;
            for(const std::uint64_t extent: tensor.shape) {
                expected *= extent;
            }
            must(expected == tensor.bytes, "bytes follow from the shape");
            total += tensor.bytes;
        }
        must(total == bytes.size(), "every byte has an owner");

        io::safetensors_writer writer;
        for(const auto& [key, text]: file.metadata()) {
            writer.set_metadata(key, text);
        }
        for(const io::safetensor& tensor: file.tensors()) {
            writer.add_tensor(tensor.name, tensor.type, tensor.shape, tensor.data);
        }
        const std::vector<std::byte> copy = writer.to_bytes();
        const io::safetensors_file again = io::safetensors_file::from_memory(copy, "copy");
        must(again.tensors().size() == file.tensors().size(), "the tensors survive");
        for(const io::safetensor& tensor: file.tensors()) {
            const io::safetensor& other = again.tensor(tensor.name);
            must(other.type == tensor.type && other.shape == tensor.shape && same(other.data, tensor.data),
                 "a tensor survives");
        }
        must(again.metadata().size() == file.metadata().size(), "the metadata survive");
        for(const auto& [key, text]: file.metadata()) {
            must(again.find_metadata(key) != nullptr && *again.find_metadata(key) == text, "a text survives");
        }
        return true;
    } catch(const tw::error&) {
        return false;
    }
}

/// Reads the bytes as an index of shards; true where it is accepted.
inline bool check_safetensors_index(std::span<const std::byte> bytes) {
    namespace io = tokenworks::io;
    try {
        const tokenworks::limits bounds;
        const auto index = io::detail::parse_safetensors_index(bytes, "input", bounds);
        for(const auto& [name, shard]: index.tensors) {
            if(shard >= index.shards.size() || index.shards[shard].find('/') != std::string::npos) {
                throw std::logic_error("a tensor lies in a shard beside the index");
            }
        }
        return true;
    } catch(const tokenworks::error&) {
        return false;
    }
}

} // namespace fuzz
