// Qwen 3: the Llama form with a norm of each head of queries and keys, and head widths of their own. transformers 5.24,
// modeling_qwen3.py.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/qwen2.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config qwen3_config(const hyperparameters& from) {
    model_config config = qwen2_config(from);
    config.architecture = "qwen3";
    config.qk_norm = qk_norm_kind::per_head;
    return config;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
