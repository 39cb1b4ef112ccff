// Fuzzes importance matrices in both forms. What is accepted has no value that is negative or no number.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tokenworks/core/error.hpp>
#include <tokenworks/models/importance_matrix.hpp>

#include "gguf_mutator.hpp"
#include "gguf_oracle.hpp"
#include "support/allocations.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if(size > std::size_t{1} << 16) {
        return 0;
    }
    const std::size_t before = support::allocated_bytes;
    try {
        const auto made =
            tokenworks::models::importance_matrix::from_memory(std::as_bytes(std::span{data, size}), "input");
        fuzz::must(made.size() != 0, "one without a matrix is refused");
        static_cast<void>(made.identity());
        for(const char* const name: {"a", "blk.0.attn_q.weight", "blk.0.ffn_gate.weight", "blk.0.ffn_up_exps.weight"}) {
            const std::span<const float> values = made.find(name);
            fuzz::must(std::ranges::all_of(values, [](float value) { return std::isfinite(value) && value >= 0; }),
                       "values are numbers, and not negative");
        }
    } catch(const tokenworks::error&) {
    }
    fuzz::must(support::allocated_bytes - before <= (std::size_t{4} << 20) + 200 * size,
               "memory follows the size of the file");
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    return fuzz::mutate_gguf(data, size, most, seed);
}
