// Gemma and Gemma 2: embeddings scaled by sqrt(C), norms that multiply by one more than their weight (in GGUF files the
// one is added already), GeGLU. Gemma 2 has norms after attention and feed-forward too, soft caps, and a window in
// every other layer. transformers 5.24, modeling_gemma.py and modeling_gemma2.py.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Turns on what all Gemmas share.
inline void use_gemma_form(const hyperparameters& from, model_config& config) {
    use_rms_norm(from, config);
    use_activation(from, config, kernels::activation_kind::gelu_tanh);
    if(config.activation == kernels::activation_kind::gelu) { // what the first files said, and did not mean
        config.activation = kernels::activation_kind::gelu_tanh;
    }
    config.embedding_scale = std::sqrt(static_cast<float>(config.width));
}

/// Turns on what Gemma 2 and 3 add to it.
/// @param layers_of_27b  of the largest model, which scales scores by the width that a head would have without its
/// wider
///                       heads; GGUF files do not say so
inline void use_gemma_scores(const hyperparameters& from, model_config& config, std::size_t layers_of_27b) {
    const bool is_27b = config.layers.size() == layers_of_27b;
    const auto implied = static_cast<float>(is_27b ? config.width / config.heads : config.key_width);
    config.attention_scale = 1.0F / std::sqrt(from.real_or("query_pre_attn_scalar", implied));
    config.attention_softcap = from.real_or("attn_logit_softcapping", 0);
    config.logit_softcap = from.real_or("final_logit_softcapping", 0);
    config.post_norm = true;
}

/// @throws format_error naming the key
[[nodiscard]] inline model_config gemma_config(const hyperparameters& from) {
    model_config config = common_config(from, "gemma");
    use_gemma_form(from, config);
    use_rope(from, config);
    return config;
}

/// @throws format_error naming the key
[[nodiscard]] inline model_config gemma2_config(const hyperparameters& from) {
    model_config config = common_config(from, "gemma2");
    use_gemma_form(from, config);
    use_gemma_scores(from, config, 46);
    use_windows(from, config, [](std::size_t layer) { return layer % 2 == 0; });
    use_rope(from, config);
    return config;
}

[[nodiscard]] inline tensor_names gemma_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return {};
    }
    const std::string layer = "model.layers.#.";
    const tensor_part one_more{.plus_one = true};
    tensor_names names = llama_like_names();
    set_names(names, {{"output_norm", "model.norm", one_more},
                      {"blk.#.attn_norm", layer + "input_layernorm", one_more},
                      {"blk.#.attn_q_norm", layer + "self_attn.q_norm", one_more},
                      {"blk.#.attn_k_norm", layer + "self_attn.k_norm", one_more},
                      {"blk.#.ffn_norm", layer + "post_attention_layernorm", one_more}});
    if(config.post_norm) {
        set_names(names, {{"blk.#.post_attention_norm", layer + "post_attention_layernorm", one_more},
                          {"blk.#.ffn_norm", layer + "pre_feedforward_layernorm", one_more},
                          {"blk.#.post_ffw_norm", layer + "post_feedforward_layernorm", one_more}});
    }
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
