// Granite: the Llama form with scales on embeddings, scores, residuals and logits. transformers 5.24,
// modeling_granite.py.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/llama.hpp>
#include <tokenworks/models/model_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config granite_config(const hyperparameters& from) {
    model_config config = llama_config(from);
    config.architecture = "granite";
    config.embedding_scale = from.real_or("embedding_scale", 1);
    config.residual_scale = from.real_or("residual_scale", 1);
    config.attention_scale = from.real_or("attention.scale", config.attention_scale);
    config.logit_scale = 1 / from.real_or("logit_scale", 1); // a divisor, in both formats
    return config;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
