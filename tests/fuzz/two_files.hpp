// Inputs that are two files: 32 bits of the length of the first, little-endian, the first, the second.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

extern "C" __attribute__((weak)) std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace fuzz {

using bytes = std::span<const std::byte>;

/// Both, the first cut to what is there.
inline std::pair<bytes, bytes> two_files(const std::uint8_t* data, std::size_t size) {
    const auto all = std::as_bytes(std::span{data, size});
    std::uint32_t length = 0;
    if(size < sizeof length) {
        return {};
    }
    std::memcpy(&length, data, sizeof length);
    const auto rest = all.subspan(sizeof length);
    const std::size_t first = std::min<std::size_t>(length, rest.size());
    return {rest.first(first), rest.subspan(first)};
}

/// Changes one of the files, or the header of the second, a safetensors file, and sets lengths right; most others die
/// there.
inline std::size_t mutate_two_files(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    const auto [first, second] = two_files(data, size);
    if(size < 4 || most < size + 64) {
        return LLVMFuzzerMutate(data, size, most);
    }
    std::uint64_t header = 0;
    if(second.size() >= sizeof header) {
        std::memcpy(&header, second.data(), sizeof header);
    }
    const bool has_header = second.size() >= sizeof header && header <= second.size() - sizeof header;
    const auto mutated = [&](bytes part) {
        std::vector<std::uint8_t> out(part.size() + most - size);
        if(!part.empty()) {
            std::memcpy(out.data(), part.data(), part.size());
        }
        out.resize(LLVMFuzzerMutate(out.data(), part.size(), out.size()));
        return out;
    };
    std::vector<std::uint8_t> out(4);
    const auto append = [&](bytes part) {
        const auto* const from = reinterpret_cast<const std::uint8_t*>(part.data());
        out.insert(out.end(), from, from + part.size());
    };
    auto length = static_cast<std::uint32_t>(first.size());
    if(seed % 2 == 0) {
        const std::vector<std::uint8_t> fresh = mutated(first);
        length = static_cast<std::uint32_t>(fresh.size());
        append(std::as_bytes(std::span{fresh}));
        append(second);
    } else if(has_header && seed % 4 == 1) {
        const std::vector<std::uint8_t> fresh = mutated(second.subspan(8, static_cast<std::size_t>(header)));
        const std::uint64_t fresh_length = fresh.size();
        append(first);
        append(std::as_bytes(std::span{&fresh_length, 1}));
        append(std::as_bytes(std::span{fresh}));
        append(second.subspan(8 + static_cast<std::size_t>(header)));
    } else {
        const std::vector<std::uint8_t> fresh = mutated(second);
        append(first);
        append(std::as_bytes(std::span{fresh}));
    }
    std::memcpy(out.data(), &length, sizeof length);
    std::memcpy(data, out.data(), out.size());
    return out.size();
}

} // namespace fuzz
