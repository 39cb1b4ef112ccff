// Fuzzes the table of packed files. Every second mutation seals the file again: most others die at a checksum.
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

#include <tokenworks/io/packed_format.hpp>

#include "packed_mutator.hpp"

namespace io = tokenworks::io;

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
    return fuzz::mutate_packed(data, size, most, seed, false);
}
