// How much the library accepts from files that strangers wrote, in one place with the default of each.
//
// A file past a limit may be well-formed; it is refused with limit_error, and a caller who trusts it passes a larger
// limit. What the formats themselves bound (the length of a key, the number of dimensions) is refused with
// format_error.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

struct limits {
    /// Bytes of a metadata key of a GGUF file (the format's own bound).
    std::uint64_t key_bytes = 65535;
    /// Bytes of a tensor's name in a GGUF file. llama.cpp stops at 63.
    std::uint64_t tensor_name_bytes = 64;
    /// Bytes of one metadata string, alone or in an array.
    std::uint64_t metadata_string_bytes = std::uint64_t{16} << 20;
    /// Bytes of a GGUF file before its tensor data: everything that is walked when a file is opened.
    std::uint64_t metadata_bytes = std::uint64_t{1} << 30;
    /// Range of general.alignment of a GGUF file, bytes; it must be a power of two too.
    std::uint64_t alignment_least = 8;
    std::uint64_t alignment_most = std::uint64_t{1} << 20;
    /// Bytes of the JSON header of a safetensors file (the format's own bound), and of an index of shards.
    std::uint64_t json_header_bytes = 100'000'000;
    /// Bytes of a model's config.json.
    std::uint64_t config_bytes = std::uint64_t{1} << 20;
    /// Nesting of JSON objects and arrays in file headers, and in configurations, requests and schemas.
    std::size_t header_json_depth = 64;
    std::size_t json_depth = 128;
    /// Dimensions of a tensor in a safetensors file.
    std::size_t tensor_rank = 16;
    /// Parts of a split model.
    std::size_t parts = 4096;

    /// Heap that opening a file may take, weights aside, for that many bytes of metadata.
    [[nodiscard]] static constexpr std::uint64_t heap_bound(std::uint64_t bytes_of_metadata) noexcept {
        return 8 * bytes_of_metadata + (std::uint64_t{16} << 20);
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI
