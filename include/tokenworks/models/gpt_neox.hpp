// GPT-NeoX and Pythia: layer norms, biases, attention and feed-forward side by side, each with a norm of its own,
// rotary positions on a part of each head. Black et al., "GPT-NeoX-20B", 2022; transformers 5.24, modeling_gpt_neox.py.
#pragma once

#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config gpt_neox_config(const hyperparameters& from) {
    model_config config = common_config(from, "gpt_neox");
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::gelu);
    config.mlp = feed_forward_kind::plain;
    config.parallel_residual = from.flag_or("use_parallel_residual", true);
    if(!from.is_gguf() && !from.has("rope.partial")) {
        tokenworks::detail::raise<unsupported_error>({from.label(), ": ", from.key("rope.partial"), " is missing"});
    }
    use_rope(from, config);
    return config;
}

[[nodiscard]] inline tensor_names gpt_neox_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return fused_qkv_names(config, "blk.#.attn_qkv");
    }
    const std::string layer = "gpt_neox.layers.#.";
    tensor_names names = grouped_qkv_names(config, layer + "attention.query_key_value");
    set_names(names, {{"token_embd", "gpt_neox.embed_in"},
                      {"output_norm", "gpt_neox.final_layer_norm"},
                      {"output", "embed_out"},
                      {"blk.#.attn_norm", layer + "input_layernorm"},
                      {"blk.#.attn_output", layer + "attention.dense"},
                      {"blk.#.ffn_norm", layer + "post_attention_layernorm"},
                      {"blk.#.ffn_up", layer + "mlp.dense_h_to_4h"},
                      {"blk.#.ffn_down", layer + "mlp.dense_4h_to_h"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
