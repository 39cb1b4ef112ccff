// MPT: slopes in place of positions, layer norms without bias, no biases. transformers 5.24, modeling_mpt.py.
#pragma once

#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key; unsupported_error
[[nodiscard]] inline model_config mpt_config(const hyperparameters& from) {
    from.require_unset("attn_config.qk_ln");
    if(!from.flag_or("attn_config.alibi", true)) {
        tokenworks::detail::raise<unsupported_error>({from.label(), ": attn_config.alibi is off"});
    }
    model_config config = common_config(from, "mpt", {.feed_forward_factor = 4});
    use_layer_norm(from, config);
    config.activation = kernels::activation_kind::gelu;
    config.mlp = feed_forward_kind::plain;
    config.position = position_kind::alibi;
    config.alibi_max_bias = from.real_or("attention.max_alibi_bias", 8);
    config.attention_scale = from.real_or("attention.scale", config.attention_scale);
    config.qkv_clip = from.real_or("attention.clamp_kqv", 0);
    return config;
}

[[nodiscard]] inline tensor_names mpt_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return fused_qkv_names(config, "blk.#.attn_qkv");
    }
    const std::string layer = "transformer.blocks.#.";
    tensor_names names = fused_qkv_names(config, layer + "attn.Wqkv");
    set_names(names, {{"token_embd", "transformer.wte"},
                      {"output_norm", "transformer.norm_f"},
                      {"output", "lm_head"},
                      {"blk.#.attn_norm", layer + "norm_1"},
                      {"blk.#.attn_output", layer + "attn.out_proj"},
                      {"blk.#.ffn_norm", layer + "norm_2"},
                      {"blk.#.ffn_up", layer + "ffn.up_proj"},
                      {"blk.#.ffn_down", layer + "ffn.down_proj"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
