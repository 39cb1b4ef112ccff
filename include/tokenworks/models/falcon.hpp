// Falcon: layer norms; queries, keys and values in one tensor, whose order tells three generations apart: heads one by
// one (1B, with slopes instead of rotary positions), all queries and then one key and value (7B), group by group (40B
// and later, with a norm each for attention and feed-forward). Almazrouei et al., "The Falcon Series of Open Language
// Models", 2023; transformers 5.24, modeling_falcon.py.
#pragma once

#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config falcon_config(const hyperparameters& from) {
    model_config config = common_config(from, "falcon", {.feed_forward_factor = 4, .context_length = 2048});
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::gelu);
    config.mlp = feed_forward_kind::plain;
    config.parallel_residual = true;
    if(!from.is_gguf()) {
        const bool grouped = from.flag_or("new_decoder_architecture", false);
        config.kv_heads = grouped ? config.kv_heads : from.flag_or("multi_query", true) ? 1 : config.heads;
        config.parallel_residual = grouped || from.flag_or("parallel_attn", true);
        if(from.flag_or("alibi", false)) {
            config.position = position_kind::alibi;
            config.alibi_scale = config.attention_scale; // slopes are added before the scores are scaled
            return config;
        }
    }
    use_rope(from, config);
    return config;
}

[[nodiscard]] inline tensor_names falcon_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        tensor_names names = fused_qkv_names(config, "blk.#.attn_qkv");
        if(from.has_tensor("blk.0.attn_norm_2.weight")) { // the second is attention's
            set_names(names, {{"blk.#.attn_norm", "blk.#.attn_norm_2"}, {"blk.#.ffn_norm", "blk.#.attn_norm"}});
        }
        return names;
    }
    const std::string layer = "transformer.h.#.";
    const std::string fused = layer + "self_attention.query_key_value";
    const bool grouped = from.flag_or("new_decoder_architecture", false);
    const bool two_norms = grouped && from.whole_or("num_ln_in_parallel_attn", 2) == 2;
    tensor_names names =
        config.kv_heads == 1 && !grouped ? fused_qkv_names(config, fused) : grouped_qkv_names(config, fused);
    set_names(names, {{"token_embd", "transformer.word_embeddings"},
                      {"output_norm", "transformer.ln_f"},
                      {"output", "lm_head"},
                      {"blk.#.attn_norm", layer + (two_norms ? "ln_attn" : "input_layernorm")},
                      {"blk.#.attn_output", layer + "self_attention.dense"},
                      {"blk.#.ffn_norm", two_norms                  ? layer + "ln_mlp"
                                         : config.parallel_residual ? ""
                                                                    : layer + "post_attention_layernorm"},
                      {"blk.#.ffn_up", layer + "mlp.dense_h_to_4h"},
                      {"blk.#.ffn_down", layer + "mlp.dense_4h_to_h"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
