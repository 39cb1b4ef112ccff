// Changes a GGUF file so that it still parses, mostly: flat mutations of libFuzzer die at the magic or at a length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "gguf_oracle.hpp"

extern "C" __attribute__((weak)) std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace fuzz {

/// One time in four any mutation, else one field gets a telling value.
/// @return the new size
inline std::size_t mutate_gguf(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    if(seed % 4 == 0) {
        return LLVMFuzzerMutate(data, size, most);
    }
    const std::vector<field> fields = gguf_fields(std::as_bytes(std::span{data, size}));
    const field chosen = fields.empty() ? field{0, 0} : fields[seed / 4 % fields.size()];
    std::uint64_t value = 0;
    std::memcpy(&value, data + chosen.offset, chosen.bytes);
    const std::vector<std::uint64_t> values = telling_values(value, size);
    value = values[seed / 4 / (fields.size() + 1) % values.size()];
    std::memcpy(data + chosen.offset, &value, chosen.bytes);
    return size;
}

} // namespace fuzz
