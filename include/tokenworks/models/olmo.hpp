// OLMo: the Llama form with layer norms that have neither weight nor bias. transformers 5.24, modeling_olmo.py.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config olmo_config(const hyperparameters& from) {
    model_config config = common_config(from, "olmo");
    use_layer_norm(from, config);
    config.norm_weights = false;
    use_activation(from, config, kernels::activation_kind::silu);
    config.qkv_clip = from.real_or("attention.clamp_kqv", 0);
    use_rope(from, config, true);
    return config;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
