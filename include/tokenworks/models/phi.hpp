// Phi-1, 1.5 and 2: one layer norm before attention and feed-forward, which run side by side, biases everywhere, the
// head's included, and rotary positions on a part of each head. transformers 5.24, modeling_phi.py.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config phi_config(const hyperparameters& from) {
    model_config config = common_config(from, "phi");
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::gelu_tanh);
    config.mlp = feed_forward_kind::plain;
    config.parallel_residual = true;
    if(from.flag_or("qk_layernorm", false)) {
        config.qk_norm = qk_norm_kind::per_head;
    }
    use_rope(from, config);
    return config;
}

[[nodiscard]] inline tensor_names phi_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return from.has_tensor("blk.0.attn_qkv.weight") ? fused_qkv_names(config, "blk.#.attn_qkv") : tensor_names{};
    }
    tensor_names names = llama_like_names();
    set_names(names, {{"output_norm", "model.final_layernorm"},
                      {"blk.#.ffn_norm", ""},
                      {"blk.#.attn_q_norm", "model.layers.#.self_attn.q_layernorm"},
                      {"blk.#.attn_k_norm", "model.layers.#.self_attn.k_layernorm"},
                      {"blk.#.attn_output", "model.layers.#.self_attn.dense"},
                      {"blk.#.ffn_up", "model.layers.#.mlp.fc1"},
                      {"blk.#.ffn_down", "model.layers.#.mlp.fc2"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
