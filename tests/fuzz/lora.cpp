// Fuzzes PEFT adapters, adapter_config.json and adapter_model.safetensors in one input, for names of every form: plain,
// fused, transposed in the base, with rows in another order.
#include <cstddef>
#include <cstdint>
#include <string>

#include <tokenworks/core/error.hpp>
#include <tokenworks/models/lora.hpp>

#include "gguf_oracle.hpp"
#include "support/allocations.hpp"
#include "two_files.hpp"

namespace {

namespace models = tokenworks::models;

const models::tensor_names& names() {
    static const models::tensor_names all{
        {"output", "lm_head"},
        {"blk.#.attn_q", "model.layers.#.self_attn.q_proj", {.turned = {4, 4}}},
        {"blk.#.attn_k", "model.layers.#.self_attn.qkv", {.rows = {8, 4, 2}}},
        {"blk.#.attn_v", "model.layers.#.self_attn.qkv", {.rows = {8, 6, 2}, .is_transposed = true}},
        {"blk.#.ffn_up", "model.layers.#.mlp.up_proj", {.is_transposed = true}}};
    return all;
}

void check(std::span<const std::byte> config, std::span<const std::byte> matrices) {
    const models::lora adapter = models::lora::from_memory(config, matrices, "input", names(), 0.5F);
    static_cast<void>(adapter.identity());
    for(const char* const name:
        {"output.weight", "blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.1.attn_v.weight", "blk.0.ffn_up.weight"}) {
        try {
            const auto found = adapter.find(name, 4, 6);
            fuzz::must(found.has_value() == adapter.changes(name), "what is there is found");
            fuzz::must(!found || (found->down.size() == found->rank * 6 && found->up.size() == 4 * found->rank),
                       "matrices have the rank");
        } catch(const tokenworks::error&) { // of another shape, or without its other half
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if(size > std::size_t{1} << 16) {
        return 0;
    }
    const std::size_t before = support::allocated_bytes;
    try {
        const auto [config, matrices] = fuzz::two_files(data, size);
        check(config, matrices);
    } catch(const tokenworks::error&) {
    }
    fuzz::must(support::allocated_bytes - before <= (std::size_t{32} << 20) + 1000 * size,
               "memory follows the size of the files");
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    return fuzz::mutate_two_files(data, size, most, seed);
}
