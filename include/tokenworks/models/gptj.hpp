// GPT-J: one layer norm before attention and feed-forward, which run side by side; rotary positions on neighbours in a
// part of each head. transformers 5.24, modeling_gptj.py.
#pragma once

#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config gptj_config(const hyperparameters& from) {
    model_config config = common_config(from, "gptj", {.feed_forward_factor = 4});
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::gelu_tanh);
    config.mlp = feed_forward_kind::plain;
    config.parallel_residual = true;
    config.rope_configs.push_back(rope_parameters(from, config, 10000.0F, kernels::rope_pairing::interleaved));
    return config;
}

[[nodiscard]] inline tensor_names gptj_names(const hyperparameters&, const model_config&) {
    const std::string layer = "transformer.h.#.";
    return {{"token_embd", "transformer.wte"},
            {"output_norm", "transformer.ln_f"},
            {"output", "lm_head"},
            {"blk.#.attn_norm", layer + "ln_1"},
            {"blk.#.attn_q", layer + "attn.q_proj"},
            {"blk.#.attn_k", layer + "attn.k_proj"},
            {"blk.#.attn_v", layer + "attn.v_proj"},
            {"blk.#.attn_output", layer + "attn.out_proj"},
            {"blk.#.ffn_up", layer + "mlp.fc_in"},
            {"blk.#.ffn_down", layer + "mlp.fc_out"}};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
