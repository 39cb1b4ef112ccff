// Fuzzes the table of packed files. Every second mutation seals the file again: most others die at a checksum.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>

#include <tokenworks/io/packed_format.hpp>

namespace io = tokenworks::io;

extern "C" __attribute__((weak)) std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto must = [](bool holds) {
        if(!holds) {
            throw std::logic_error("a promise of packed_index does not hold");
        }
    };
    try {
        const io::packed_index index = io::packed_index_of(std::as_bytes(std::span{data, size}), "input");
        std::uint64_t end = io::packed_alignment;
        std::size_t checksums = 0;
        for(const io::packed_entry& entry: index.entries) {
            must(entry.offset >= end && entry.offset % io::packed_alignment == 0);
            must(entry.bytes <= size && entry.offset <= size - entry.bytes);
            must(entry.first_checksum == checksums && !entry.name.empty());
            end = entry.offset + entry.bytes;
            checksums += static_cast<std::size_t>((entry.bytes + io::packed_chunk - 1) / io::packed_chunk);
        }
        must(checksums == index.checksums.size() && index.by_name.size() == index.entries.size());
    } catch(const tokenworks::error&) {
        return 0;
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
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
    const auto bytes = std::as_bytes(std::span{data, size});
    const auto table = static_cast<std::size_t>(start);
    set(32, size - 64 - table);
    set(48, io::checksum(bytes.subspan(table, size - 64 - table)));
    set(56, io::checksum(bytes.subspan(size - 64, 56)));
    return size;
}
