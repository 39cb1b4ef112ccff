// StarCoder 2: layer norms and biases everywhere, a plain feed-forward, windows. transformers 5.24,
// modeling_starcoder2.py.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config starcoder2_config(const hyperparameters& from) {
    model_config config = common_config(from, "starcoder2");
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::gelu_tanh);
    config.mlp = feed_forward_kind::plain;
    use_windows(from, config);
    use_rope(from, config);
    return config;
}

[[nodiscard]] inline tensor_names starcoder2_names(const hyperparameters& from, const model_config&) {
    if(from.is_gguf()) {
        return {};
    }
    tensor_names names = llama_like_names();
    set_names(names, {{"blk.#.ffn_up", "model.layers.#.mlp.c_fc"}, {"blk.#.ffn_down", "model.layers.#.mlp.c_proj"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
