// StableLM: the Llama form with layer norms, rotary positions on a part of each head, biases where the file has them,
// and with a parallel residual in some sizes. transformers 5.24, modeling_stablelm.py.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/models/decoder_config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key; unsupported_error
[[nodiscard]] inline decoder_config stablelm_config(const hyperparameters& from) {
    from.require_unset("qk_layernorm");
    decoder_config config = common_config(from, "stablelm");
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    config.parallel_residual = from.flag_or("use_parallel_residual", false);
    use_rope(from, config);
    return config;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
