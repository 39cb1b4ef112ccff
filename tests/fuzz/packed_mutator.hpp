// Seals a packed file again after a change: most others die at a checksum.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <tokenworks/io/packed_format.hpp>

extern "C" __attribute__((weak)) std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace fuzz {

/// Sets the checksums of the matrices in a table to those of the bytes that they name, as far as they are there.
inline void seal_matrices(std::span<std::uint8_t> file, std::size_t table, std::size_t end) {
    namespace io = tokenworks::io;
    const auto number = [&](std::size_t at) {
        std::uint64_t value = 0;
        std::memcpy(&value, file.data() + at, sizeof value);
        return value;
    };
    while(end - table > io::detail::packed_entry_bytes) {
        std::uint32_t name = 0;
        std::memcpy(&name, file.data() + table, sizeof name);
        const std::uint64_t offset = number(table + 24);
        const std::uint64_t bytes = number(table + 32);
        table += io::detail::packed_entry_bytes;
        if(name > end - table || offset > file.size() || bytes > file.size() - offset) {
            return;
        }
        table += name;
        for(std::uint64_t first = 0; first < bytes && end - table >= 8; first += io::packed_chunk, table += 8) {
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(io::packed_chunk, bytes - first));
            const std::uint64_t sum =
                io::checksum(std::as_bytes(file.subspan(static_cast<std::size_t>(offset + first), count)));
            std::memcpy(file.data() + table, &sum, sizeof sum);
        }
    }
}

/// Changes a file, and in half of all cases sets right what its table and its end say of it.
/// @param matrices  the checksums of these too
inline std::size_t mutate_packed(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed, bool matrices) {
    namespace io = tokenworks::io;
    size = LLVMFuzzerMutate(data, size, most);
    if(seed % 2 == 0 || size < 128) {
        return size;
    }
    std::uint8_t* const footer = data + size - 64;
    const auto set = [&](std::size_t at, std::uint64_t value) { std::memcpy(footer + at, &value, 8); };
    std::memcpy(footer, "TWPACKED", 8);
    const std::uint32_t words[] = {io::packed_file_version, io::detail::packed_byte_order};
    std::memcpy(footer + 8, words, 8);
    std::uint64_t start = 0;
    std::memcpy(&start, footer + 24, 8);
    if(start > size - 64 || start % 64 != 0) {
        start = 64 * (seed % (size / 64));
        set(24, start);
    }
    const std::span file{data, size};
    const auto table = static_cast<std::size_t>(start);
    if(matrices) {
        seal_matrices(file, table, size - 64);
    }
    set(32, size - 64 - table);
    set(48, io::checksum(std::as_bytes(file.subspan(table, size - 64 - table))));
    set(56, io::checksum(std::as_bytes(file.subspan(size - 64, 56))));
    return size;
}

} // namespace fuzz
