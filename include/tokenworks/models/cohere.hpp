// Cohere Command R and R+, and Command R7B and A (cohere2): layer norms without bias, one before attention and
// feed-forward, which run side by side, rotary positions on neighbours, scaled logits, a head that is the embedding
// table. transformers 5.24, modeling_cohere.py.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config cohere_config(const hyperparameters& from) {
    model_config config = common_config(from, "cohere");
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    config.parallel_residual = true;
    config.logit_scale = from.real_or("logit_scale", 0.0625F);
    if(from.is_gguf() ? from.has_tensor("blk.0.attn_q_norm.weight") : from.flag_or("use_qk_norm", false)) {
        config.qk_norm = qk_norm_kind::own_head;
    }
    config.rope_configs.push_back(rope_parameters(from, config, 10000.0F, kernels::rope_pairing::interleaved));
    return config;
}

/// Three layers with a window to each one that sees everything, and has no positions.
/// @throws format_error naming the key
[[nodiscard]] inline model_config cohere2_config(const hyperparameters& from) {
    model_config config = cohere_config(from);
    config.architecture = "cohere2";
    const std::size_t period = from.is_gguf() ? 4 : from.count_or("attention.sliding_window_pattern", 4);
    use_windows(from, config, [&](std::size_t layer) { return (layer + 1) % period != 0; });
    for(layer_config& layer: config.layers) {
        layer.rope = layer.window == 0 ? layer_config::no_rope : 0;
    }
    return config;
}

[[nodiscard]] inline tensor_names cohere_names(const hyperparameters& from, const model_config&) {
    if(from.is_gguf()) {
        return {};
    }
    tensor_names names = llama_like_names();
    set_names(names, {{"blk.#.ffn_norm", ""}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
