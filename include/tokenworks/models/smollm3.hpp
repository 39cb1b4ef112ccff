// SmolLM3: the Llama form with every fourth layer without positions. transformers 5.24, modeling_smollm3.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config smollm3_config(const hyperparameters& from) {
    model_config config = common_config(from, "smollm3");
    use_rms_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    if(from.flag_or("use_sliding_window", false)) {
        use_windows(from, config, [](std::size_t) { return false; });
    }
    use_rope(from, config, true, 2000000.0F);
    const std::size_t period = from.count_or("no_rope_layer_interval", 4);
    std::vector<std::uint64_t> turned;
    if(from.has("no_rope_layers")) { // 1 where positions are used, its name notwithstanding
        turned = from.wholes("no_rope_layers");
        if(turned.size() != config.layers.size()) {
            from.refuse("no_rope_layers", {"has ", turned.size(), " entries for ", config.layers.size(), " layers"});
        }
    }
    for(std::size_t i = 0; i < config.layers.size(); ++i) {
        if(turned.empty() ? (i + 1) % period == 0 : turned[i] == 0) {
            config.layers[i].rope = layer_config::no_rope;
        }
    }
    return config;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
