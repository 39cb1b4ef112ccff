// Fuzzes the GGUF reader: flat mutations of libFuzzer, and one that changes a single field of a file that still parses.
#include <cstddef>
#include <cstdint>
#include <span>

#include "gguf_mutator.hpp"
#include "gguf_oracle.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)fuzz::check_gguf(std::as_bytes(std::span{data, size}));
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    return fuzz::mutate_gguf(data, size, most, seed);
}
