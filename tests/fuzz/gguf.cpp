// Fuzzes the GGUF reader: flat mutations of libFuzzer, and one that changes a single field of a file that still parses.
#include <cstdint>
#include <cstring>

#include "gguf_oracle.hpp"

extern "C" __attribute__((weak)) std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)fuzz::check_gguf(std::as_bytes(std::span{data, size}));
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    if(seed % 4 == 0) {
        return LLVMFuzzerMutate(data, size, most);
    }
    const std::vector<fuzz::field> fields = fuzz::gguf_fields(std::as_bytes(std::span{data, size}));
    const fuzz::field field = fields.empty() ? fuzz::field{0, 0} : fields[seed / 4 % fields.size()];
    std::uint64_t value = 0;
    std::memcpy(&value, data + field.offset, field.bytes);
    const std::vector<std::uint64_t> values = fuzz::telling_values(value, size);
    value = values[seed / 4 / (fields.size() + 1) % values.size()];
    std::memcpy(data + field.offset, &value, field.bytes);
    return size;
}
