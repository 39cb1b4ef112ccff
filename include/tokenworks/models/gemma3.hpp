// Gemma 3 (text): Gemma 2 without soft caps, with normalised queries and keys, and with five layers of a sliding window
// and their own rotary base to each one that sees everything. Gemma Team, "Gemma 3 Technical Report", 2025;
// transformers 5.24, modeling_gemma3.py. Tensors are named as in gemma.hpp.
#pragma once

#include <cmath>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/gemma.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config gemma3_config(const hyperparameters& from) {
    model_config config = common_config(from, "gemma3");
    use_gemma_form(from, config);
    // What other families may leave out.
    for(const char* const name: {"attention.head_count_kv", "attention.key_length", "attention.sliding_window"}) {
        static_cast<void>(from.uniform_count(name, config.layers.size()));
    }
    use_gemma_scores(from, config, 62);
    config.qk_norm = qk_norm_kind::per_head;
    const std::size_t period = from.count_or("attention.sliding_window_pattern", 6);
    use_windows(from, config, [&](std::size_t layer) { return (layer + 1) % period != 0; });
    constexpr std::size_t global = 0;
    constexpr std::size_t local = 1;
    for(layer_config& layer: config.layers) {
        layer.rope = layer.window == 0 ? global : local;
    }
    use_rope(from, config, false, 1000000.0F);
    kernels::rope_config nearby = config.rope_configs[global];
    nearby.base = static_cast<double>(from.real_or("rope.freq_base_swa", 10000.0F));
    nearby.scaling = {};
    config.rope_configs.push_back(nearby);
    return config;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
