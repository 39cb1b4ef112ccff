// BLOOM: slopes in place of positions, a norm of the embeddings, layer norms and biases everywhere. Scao et al.,
// "BLOOM", 2022; transformers 5.24, modeling_bloom.py. Its files name no context: the 2048 is what it was trained on.
#pragma once

#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config bloom_config(const hyperparameters& from) {
    from.require_unset("apply_residual_connection_post_layernorm");
    model_config config = common_config(from, "bloom", {.feed_forward_factor = 4, .context_length = 2048});
    use_layer_norm(from, config);
    config.activation = kernels::activation_kind::gelu_tanh;
    config.mlp = feed_forward_kind::plain;
    config.position = position_kind::alibi;
    config.embedding_norm = true;
    return config;
}

[[nodiscard]] inline tensor_names bloom_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return fused_qkv_names(config, "blk.#.attn_qkv");
    }
    const std::string layer = "transformer.h.#.";
    tensor_names names = grouped_qkv_names(config, layer + "self_attention.query_key_value");
    set_names(names, {{"token_embd", "transformer.word_embeddings"},
                      {"token_embd_norm", "transformer.word_embeddings_layernorm"},
                      {"output_norm", "transformer.ln_f"},
                      {"output", "lm_head"},
                      {"blk.#.attn_norm", layer + "input_layernorm"},
                      {"blk.#.attn_output", layer + "self_attention.dense"},
                      {"blk.#.ffn_norm", layer + "post_attention_layernorm"},
                      {"blk.#.ffn_up", layer + "mlp.dense_h_to_4h"},
                      {"blk.#.ffn_down", layer + "mlp.dense_4h_to_h"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
