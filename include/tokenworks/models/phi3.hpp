// Phi-3 and Phi-4-mini: the Llama form with queries, keys and values in one tensor, gate and up in another, and factors
// of rotary pairs for short and for long contexts. transformers 5.24, modeling_phi3.py.
#pragma once

#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config phi3_config(const hyperparameters& from) {
    model_config config = common_config(from, "phi3");
    use_rms_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    if(from.whole_or("attention.sliding_window", 0) != 0) { // GGUF files say 0 for none
        use_windows(from, config);
    }
    use_rope(from, config);
    return config;
}

[[nodiscard]] inline tensor_names phi3_names(const hyperparameters& from, const model_config& config) {
    const std::size_t f = config.feed_forward;
    const bool gguf = from.is_gguf();
    const std::string both = gguf ? "blk.#.ffn_up" : "model.layers.#.mlp.gate_up_proj";
    tensor_names names = gguf ? tensor_names{} : llama_like_names();
    set_names(names,
              {{"blk.#.ffn_gate", both, {.rows = {2 * f, 0, f}}}, {"blk.#.ffn_up", both, {.rows = {2 * f, f, f}}}});
    set_names(names, fused_qkv_names(config, gguf ? "blk.#.attn_qkv" : "model.layers.#.self_attn.qkv_proj"));
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
