// StableLM: the Llama form with layer norms, rotary positions on a part of each head, biases where the file has them,
// and with a parallel residual in some sizes. transformers 5.24, modeling_stablelm.py.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config stablelm_config(const hyperparameters& from) {
    model_config config = common_config(from, "stablelm");
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    config.parallel_residual = from.flag_or("use_parallel_residual", false);
    if(from.is_gguf() ? from.has_tensor("blk.0.attn_q_norm.weight") : from.flag_or("qk_layernorm", false)) {
        config.qk_norm = qk_norm_kind::own_head;
    }
    use_rope(from, config);
    return config;
}

[[nodiscard]] inline tensor_names stablelm_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return {};
    }
    tensor_names names = llama_like_names();
    set_names(names, {{"blk.#.attn_q_norm.@.weight", "model.layers.#.self_attn.q_layernorm.norms.@.weight"},
                      {"blk.#.attn_k_norm.@.weight", "model.layers.#.self_attn.k_layernorm.norms.@.weight"}});
    if(config.parallel_residual) {
        set_names(names, {{"blk.#.ffn_norm", ""}});
    }
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
