// The Llama family (Llama 1 to 3.x, SmolLM2, Mistral 7B v0.1 in its GGUF form): pre-norm RMS, rotary positions on
// interleaved pairs, grouped queries, SwiGLU. Hyperparameters: ggml, docs/gguf.md; llama.cpp, convert_hf_to_gguf.py.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/decoder_config.hpp>
#include <tokenworks/models/gguf_source.hpp>
#include <tokenworks/models/rope_parameters.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The configuration of a GGUF file whose architecture is "llama".
/// @throws format_error naming the key; unsupported_error for mixtures of experts
[[nodiscard]] inline decoder_config llama_config(const io::gguf_file& file) {
    const gguf_hyperparameters from{file};
    if(file.get_or<std::uint64_t>(from.key("expert_count"), 0) > 1) {
        tokenworks::detail::raise<unsupported_error>({file.name(), ": architecture llama with a mixture of experts"});
    }
    decoder_config config;
    config.architecture = "llama";
    config.vocab_size = from.vocab_size();
    config.width = from.count("embedding_length");
    const std::size_t layers = from.count("block_count", 4096);
    config.feed_forward = from.uniform_count("feed_forward_length", layers);
    config.context_length = from.count("context_length", std::size_t{1} << 40);
    config.layers.resize(layers);
    config.heads = from.uniform_count("attention.head_count", layers);
    config.kv_heads =
        from.has("attention.head_count_kv") ? from.uniform_count("attention.head_count_kv", layers) : config.heads;
    if(!from.has("attention.key_length") && config.width % config.heads != 0) {
        from.refuse("attention.head_count", {"is ", config.heads, ", which does not divide the width ", config.width});
    }
    config.key_width = from.count_or("attention.key_length", config.width / config.heads);
    config.value_width = from.count_or("attention.value_length", config.key_width);
    config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.key_width));
    config.norm_epsilon = from.real("attention.layer_norm_rms_epsilon");
    config.activation = kernels::activation_kind::silu;
    config.tied_embeddings = file.find_tensor("output.weight") == nullptr;
    if(const std::size_t window = from.count_or("attention.sliding_window", 0); window != 0) {
        for(layer_config& layer: config.layers) {
            layer.window = window;
        }
    }
    config.rope_configs.push_back(rope_parameters(from, config, 10000.0F, kernels::rope_pairing::interleaved));
    return config;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
