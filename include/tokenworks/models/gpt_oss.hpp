// gpt-oss: the Llama form with a mixture of experts in every layer, whose gated unit is clamped, biases everywhere, a
// learned sink for each head's attention, and a window in every other layer. OpenAI, "gpt-oss-120b & gpt-oss-20b Model
// Card", 2025; transformers 5.24, modeling_gpt_oss.py. Experts are stored with gate and up in turns, as MXFP4 or
// transposed.
#pragma once

#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key; unsupported_error
[[nodiscard]] inline model_config gpt_oss_config(const hyperparameters& from) {
    if(from.real_or("swiglu_alpha", 1.702F) != 1.702F) {
        tokenworks::detail::raise<unsupported_error>({from.label(), ": ", from.key("swiglu_alpha"), " is not 1.702"});
    }
    // F is that of an expert; no layer is without.
    model_config config = common_config(from, "gpt_oss", {.feed_forward_factor = 1});
    use_rms_norm(from, config);
    config.attention_sinks = true;
    use_windows(from, config, [](std::size_t layer) { return layer % 2 == 0; });
    use_rope(from, config, false, 150000.0F);
    if(from.is_gguf()) { // GGUF files cannot say it
        config.rope_configs.front().scaling.truncate = false;
    }
    mixture_config& mixture =
        use_mixture(from, config, from.count_or("expert_feed_forward_length", config.feed_forward));
    mixture.clamp = from.real_or("swiglu_limit", 7);
    return config;
}

[[nodiscard]] inline tensor_names gpt_oss_names(const hyperparameters& from, const model_config&) {
    if(from.is_gguf()) {
        tensor_names names = gguf_expert_names(from);
        set_names(names, {{"blk.#.ffn_norm", "blk.#.post_attention_norm"}});
        return names;
    }
    const std::string experts = "model.layers.#.mlp.experts.";
    const bool packed = from.has_tensor("model.layers.0.mlp.experts.gate_up_proj_blocks");
    const std::string suffix = packed ? "_blocks" : "";
    const auto part = [&](row_pattern rows) {
        return tensor_part{.rows = rows, .is_one_of_many = true, .is_mxfp4 = packed, .is_transposed = !packed};
    };
    const row_pattern all{};
    tensor_names names = llama_like_names();
    set_names(names,
              {{"blk.#.attn_sinks.weight", "model.layers.#.self_attn.sinks"},
               {"blk.#.ffn_gate_inp", "model.layers.#.mlp.router"},
               {"blk.#.ffn_gate.@.weight", experts + "gate_up_proj" + suffix, part({2, 0, 1})},
               {"blk.#.ffn_up.@.weight", experts + "gate_up_proj" + suffix, part({2, 1, 1})},
               {"blk.#.ffn_down.@.weight", experts + "down_proj" + suffix, part(all)},
               {"blk.#.ffn_gate.@.bias", experts + "gate_up_proj_bias", {.rows = {2, 0, 1}, .is_one_of_many = true}},
               {"blk.#.ffn_up.@.bias", experts + "gate_up_proj_bias", {.rows = {2, 1, 1}, .is_one_of_many = true}},
               {"blk.#.ffn_down.@.bias", experts + "down_proj_bias", {.is_one_of_many = true}}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
