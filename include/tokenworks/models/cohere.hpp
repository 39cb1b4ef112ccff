// Cohere Command R: layer norms without bias, one before attention and feed-forward, which run side by side, rotary
// positions on neighbours, scaled logits, a head that is the embedding table. transformers 5.24, modeling_cohere.py.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/models/decoder_config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key; unsupported_error
[[nodiscard]] inline decoder_config cohere_config(const hyperparameters& from) {
    from.require_unset("use_qk_norm");
    decoder_config config = common_config(from, "cohere");
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    config.parallel_residual = true;
    config.logit_scale = from.real_or("logit_scale", 0.0625F);
    config.rope_configs.push_back(rope_parameters(from, config, 10000.0F, kernels::rope_pairing::interleaved));
    return config;
}

[[nodiscard]] inline tensor_names cohere_names(const hyperparameters& from, const decoder_config&) {
    if(from.is_gguf()) {
        return {};
    }
    tensor_names names = llama_like_names();
    set_names(names, {{"blk.#.ffn_norm", ""}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
