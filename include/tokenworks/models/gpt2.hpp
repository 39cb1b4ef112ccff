// GPT-2: learned positions, layer norms, biases, queries, keys and values in one tensor; matrices are stored
// transposed, except in GGUF files. Radford et al., "Language Models are Unsupervised Multitask Learners", 2019;
// transformers 5.24, modeling_gpt2.py.
#pragma once

#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config gpt2_config(const hyperparameters& from) {
    from.require_unset("scale_attn_by_inverse_layer_idx");
    model_config config = common_config(from, "gpt2", {.feed_forward_factor = 4});
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::gelu_tanh);
    if(!from.flag_or("scale_attn_weights", true)) {
        config.attention_scale = 1;
    }
    config.mlp = feed_forward_kind::plain;
    config.position = position_kind::learned;
    return config;
}

[[nodiscard]] inline tensor_names gpt2_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return fused_qkv_names(config, "blk.#.attn_qkv");
    }
    const std::string layer = "transformer.h.#.";
    const tensor_part transposed{.is_transposed = true};
    tensor_names names = fused_qkv_names(config, layer + "attn.c_attn", true);
    set_names(names, {{"token_embd", "transformer.wte"},
                      {"position_embd", "transformer.wpe"},
                      {"output_norm", "transformer.ln_f"},
                      {"output", "lm_head"},
                      {"blk.#.attn_norm", layer + "ln_1"},
                      {"blk.#.attn_output", layer + "attn.c_proj", transposed},
                      {"blk.#.ffn_norm", layer + "ln_2"},
                      {"blk.#.ffn_up", layer + "mlp.c_fc", transposed},
                      {"blk.#.ffn_down", layer + "mlp.c_proj", transposed}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
