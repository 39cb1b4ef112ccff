// Gemma 3 (text): embeddings scaled by sqrt(C), RMS norms before and after attention and feed-forward, normalised
// queries and keys, five layers with a sliding window and their own rotary base to each one that sees everything,
// GeGLU. Gemma Team, "Gemma 3 Technical Report", 2025; transformers 4.50, modeling_gemma3.py. The converter has already
// added the 1 to the norms' weights.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/decoder_config.hpp>
#include <tokenworks/models/gguf_source.hpp>
#include <tokenworks/models/rope_parameters.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The configuration of a GGUF file whose architecture is "gemma3".
/// @throws format_error naming the key
[[nodiscard]] inline decoder_config gemma3_config(const io::gguf_file& file) {
    const gguf_hyperparameters from{file};
    decoder_config config;
    config.architecture = "gemma3";
    config.vocab_size = from.vocab_size();
    config.width = from.count("embedding_length");
    const std::size_t layers = from.count("block_count", 4096);
    config.feed_forward = from.uniform_count("feed_forward_length", layers);
    config.context_length = from.count("context_length", std::size_t{1} << 40);
    config.layers.resize(layers);
    config.heads = from.uniform_count("attention.head_count", layers);
    config.kv_heads = from.uniform_count("attention.head_count_kv", layers);
    config.key_width = from.count("attention.key_length");
    config.value_width = from.count_or("attention.value_length", config.key_width);
    // The 27B model scales by the width a head would have without its wider heads; the smaller ones by their own.
    const std::size_t scaled_by = layers == 62 ? config.width / config.heads : config.key_width;
    config.attention_scale = 1.0F / std::sqrt(static_cast<float>(scaled_by));
    config.norm_epsilon = from.real("attention.layer_norm_rms_epsilon");
    config.post_norm = true;
    config.qk_norm = qk_norm_kind::per_head;
    config.activation = kernels::activation_kind::gelu_tanh;
    config.embedding_scale = std::sqrt(static_cast<float>(config.width));
    config.attention_softcap = from.real_or("attn_logit_softcapping", 0);
    config.logit_softcap = from.real_or("final_logit_softcapping", 0);
    config.tied_embeddings = file.find_tensor("output.weight") == nullptr;
    const std::size_t window = from.count("attention.sliding_window");
    const std::size_t period = from.count_or("attention.sliding_window_pattern", 6);
    constexpr std::size_t global = 0;
    constexpr std::size_t local = 1;
    for(std::size_t i = 0; i < layers; ++i) {
        const bool sees_everything = (i + 1) % period == 0;
        config.layers[i] = {.window = sees_everything ? 0 : window, .rope = sees_everything ? global : local};
    }
    config.rope_configs.push_back(rope_parameters(from, config, 1000000.0F, kernels::rope_pairing::halves));
    kernels::rope_config nearby = config.rope_configs[global];
    nearby.base = static_cast<double>(from.real_or("rope.freq_base_swa", 10000.0F));
    nearby.scaling = {};
    config.rope_configs.push_back(nearby);
    return config;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
