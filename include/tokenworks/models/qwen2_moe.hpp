// Qwen 2 and Qwen 3 with mixtures of experts, in all layers or some. Qwen 2 has an expert that all tokens share
// besides, weighted by a gate of its own, and leaves the weights of the others as they are. transformers 5.24,
// modeling_qwen2_moe.py and modeling_qwen3_moe.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/qwen2.hpp>
#include <tokenworks/models/qwen3.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Turns off the mixture in the layers that have none.
inline void use_dense_layers(const hyperparameters& from, model_config& config) {
    const std::size_t step = from.count_or("decoder_sparse_step", 1);
    for(std::size_t i = 0; i < config.layers.size(); ++i) {
        config.layers[i].is_mixture = (i + 1) % step == 0;
    }
    for(const std::uint64_t layer:
        from.has("mlp_only_layers") ? from.wholes("mlp_only_layers") : std::vector<std::uint64_t>{}) {
        if(layer >= config.layers.size()) {
            from.refuse("mlp_only_layers", {"has ", layer, " of ", config.layers.size(), " layers"});
        }
        config.layers[static_cast<std::size_t>(layer)].is_mixture = false;
    }
}

/// @throws format_error naming the key
[[nodiscard]] inline model_config qwen2_moe_config(const hyperparameters& from) {
    model_config config = qwen2_config(from);
    config.architecture = "qwen2_moe";
    const std::size_t used = from.count("expert_used_count");
    mixture_config& mixture =
        use_mixture(from, config, from.count_or("expert_feed_forward_length", config.feed_forward / used));
    mixture.routing.normalize = from.flag_or("expert_weights_norm", false);
    mixture.shared = from.count_or("expert_shared_feed_forward_length", config.feed_forward);
    mixture.shared_gate = true;
    use_dense_layers(from, config);
    return config;
}

/// @throws format_error naming the key
[[nodiscard]] inline model_config qwen3_moe_config(const hyperparameters& from) {
    model_config config = qwen3_config(from);
    config.architecture = "qwen3_moe";
    mixture_config& mixture = use_mixture(from, config, from.count("expert_feed_forward_length"));
    mixture.routing.normalize = from.flag_or("expert_weights_norm", true);
    use_dense_layers(from, config);
    return config;
}

[[nodiscard]] inline tensor_names qwen_moe_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return gguf_expert_names(from);
    }
    const std::string mlp = "model.layers.#.mlp.";
    tensor_names names = llama_like_names();
    set_names(names, {{"blk.#.ffn_gate_inp", mlp + "gate"},
                      {"blk.#.ffn_gate_inp_shexp", mlp + "shared_expert_gate"},
                      {"blk.#.ffn_gate_shexp", mlp + "shared_expert.gate_proj"},
                      {"blk.#.ffn_up_shexp", mlp + "shared_expert.up_proj"},
                      {"blk.#.ffn_down_shexp", mlp + "shared_expert.down_proj"}});
    set_names(names, hf_expert_names(from, config, mlp + "experts", "gate_proj", "up_proj", "down_proj"));
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
