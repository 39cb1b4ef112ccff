// Qwen 2 and 2.5: the Llama form with biases on queries, keys and values. In transformers the first max_window_layers
// see everything, where windows are used at all. transformers 5.24, modeling_qwen2.py and configuration_qwen2.py.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config qwen2_config(const hyperparameters& from) {
    model_config config = common_config(from, "qwen2");
    use_rms_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    if(from.flag_or("use_sliding_window", false)) {
        const auto first = from.whole_or("max_window_layers", 0);
        use_windows(from, config, [&](std::size_t layer) { return layer >= first; });
    }
    use_rope(from, config, false, 1000000.0F);
    return config;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
