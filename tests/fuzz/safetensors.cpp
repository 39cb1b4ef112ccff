// Fuzzes the safetensors reader and the index of shards. Every second mutation changes the header's text and then sets
// its length right, since most others die there.
#include <cstdint>
#include <cstring>

#include "safetensors_oracle.hpp"

extern "C" __attribute__((weak)) std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span{data, size});
    (void)fuzz::check_safetensors(bytes);
    (void)fuzz::check_safetensors_index(bytes);
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    std::uint64_t length = 0;
    if(size >= 8) {
        std::memcpy(&length, data, 8);
    }
    if(seed % 2 == 0 || size < 8 || length > size - 8) {
        return LLVMFuzzerMutate(data, size, most);
    }
    const std::size_t tail = size - 8 - static_cast<std::size_t>(length);
    std::vector<std::uint8_t> header(most - 8 - tail);
    std::memcpy(header.data(), data + 8, static_cast<std::size_t>(length));
    const std::size_t fresh = LLVMFuzzerMutate(header.data(), static_cast<std::size_t>(length), header.size());
    std::memmove(data + 8 + fresh, data + 8 + length, tail);
    std::memcpy(data + 8, header.data(), fresh);
    length = fresh;
    std::memcpy(data, &length, 8);
    return 8 + fresh + tail;
}
