// Mixtral: the Llama form with a mixture of experts in every layer. Jiang et al., "Mixtral of Experts", 2024;
// transformers 5.24, modeling_mixtral.py. GGUF files of it are of architecture llama.
#pragma once

#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/llama.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config mixtral_config(const hyperparameters& from) {
    model_config config = llama_config(from);
    config.architecture = "mixtral";
    use_mixture(from, config, config.feed_forward);
    return config;
}

[[nodiscard]] inline tensor_names mixtral_names(const hyperparameters& from, const model_config& config) {
    const std::string experts = "model.layers.#.block_sparse_moe.";
    tensor_names names = llama_like_names();
    set_names(names, {{"blk.#.ffn_gate_inp", experts + "gate"}});
    set_names(names, hf_expert_names(from, config, experts + "experts", "w1", "w3", "w2"));
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
