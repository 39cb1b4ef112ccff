// The Llama family (Llama 1 to 3.x, SmolLM2, Mistral): pre-norm RMS, rotary positions, grouped queries, SwiGLU. In GGUF
// files queries and keys are permuted, so that pairs are neighbours. Hyperparameters: ggml, docs/gguf.md; llama.cpp,
// convert_hf_to_gguf.py; transformers 5.24, modeling_llama.py and modeling_mistral.py.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The configuration of a file of the Llama form.
/// @throws format_error naming the key
[[nodiscard]] inline model_config llama_config(const hyperparameters& from) {
    model_config config = common_config(from, "llama");
    use_rms_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);
    use_windows(from, config);
    use_rope(from, config, true);
    if(from.is_gguf() && from.whole_or("expert_count", 0) > 1) { // Mixtral
        use_mixture(from, config, config.feed_forward);
    }
    return config;
}

[[nodiscard]] inline tensor_names llama_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return config.mixture ? gguf_expert_names(from) : tensor_names{};
    }
    return llama_like_names();
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
