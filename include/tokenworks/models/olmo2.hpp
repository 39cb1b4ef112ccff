// OLMo 2 and 3: the Llama form with norms after attention and feed-forward instead of before, and norms of all queries
// and of all keys at once. OLMo 3 has windows in three of four layers. transformers 5.24, modeling_olmo2.py and
// modeling_olmo3.py.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config olmo2_config(const hyperparameters& from) {
    model_config config = common_config(from, "olmo2");
    use_rms_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    config.pre_norm = false;
    config.post_norm = true;
    config.qk_norm = qk_norm_kind::full;
    use_windows(from, config, [](std::size_t layer) { return (layer + 1) % 4 != 0; });
    use_rope(from, config);
    return config;
}

[[nodiscard]] inline tensor_names olmo2_names(const hyperparameters& from, const model_config&) {
    if(from.is_gguf()) {
        return {};
    }
    tensor_names names = llama_like_names();
    set_names(names, {{"blk.#.post_attention_norm", "model.layers.#.post_attention_layernorm"},
                      {"blk.#.post_ffw_norm", "model.layers.#.post_feedforward_layernorm"},
                      {"blk.#.attn_norm", ""},
                      {"blk.#.ffn_norm", ""}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
