// ESM-2, a language model of proteins: rotary positions, norms before the parts, and embeddings that are scaled as if
// some residues had been masked. Lin et al., "Evolutionary-scale prediction of atomic-level protein structure with a
// language model", 2023; transformers 5.24, modeling_esm.py.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/classifier.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key; unsupported_error for ESM-1's positions
[[nodiscard]] inline model_config esm_config(const hyperparameters& from) {
    model_config config = common_config(from, "esm");
    if(from.text_or("position_embedding_type", "absolute") != "rotary") {
        tokenworks::detail::raise<unsupported_error>({from.label(), ": position_embedding_type is not rotary"});
    }
    from.require_unset("emb_layer_norm_before");
    config.causal = false;
    use_layer_norm(from, config, 1e-12F);
    config.activation = kernels::activation_kind::gelu;
    use_rope(from, config);
    // Checkpoints carry their frequencies along, once or once a layer.
    constexpr const char* stored[] = {"rotary_embeddings.inv_freq",
                                      "encoder.layer.*.attention.self.rotary_embeddings.inv_freq",
                                      "encoder.layer.0.attention.self.rotary_embeddings.inv_freq"};
    std::vector<float>& frequencies = config.rope_configs.front().frequencies;
    for(const char* const name: stored) {
        for(const std::string& each: {std::string{name}, std::string{"esm."} + name}) {
            if(frequencies.empty() && from.has_tensor(each)) {
                frequencies = from.factors(each, config.key_width / 2);
            }
        }
    }
    config.mlp = feed_forward_kind::plain;
    config.tied_embeddings = true;
    config.head_transform = head_transform_config{kernels::activation_kind::gelu};
    use_classifier(from, config, "classifier.dense", "classifier.out_proj", kernels::activation_kind::tanh);
    if(from.flag_or("token_dropout", false)) {
        config.dropped_mask = static_cast<std::int32_t>(from.count("mask_token_id"));
    }
    return config;
}

[[nodiscard]] inline tensor_names esm_names(const hyperparameters& from, const model_config&) {
    const std::string model = body_prefix(from, "esm", "embeddings.word_embeddings.weight");
    const std::string layer = model + "encoder.layer.#.";
    return {{"token_embd", model + "embeddings.word_embeddings"},
            {"blk.#.attn_norm", layer + "attention.LayerNorm"},
            {"blk.#.attn_q", layer + "attention.self.query"},
            {"blk.#.attn_k", layer + "attention.self.key"},
            {"blk.#.attn_v", layer + "attention.self.value"},
            {"blk.#.attn_output", layer + "attention.output.dense"},
            {"blk.#.ffn_norm", layer + "LayerNorm"},
            {"blk.#.ffn_up", layer + "intermediate.dense"},
            {"blk.#.ffn_down", layer + "output.dense"},
            {"output_norm", model + "encoder.emb_layer_norm_after"},
            {"output_transform", "lm_head.dense"},
            {"output_transform_norm", "lm_head.layer_norm"},
            {"output", "lm_head"},
            {"contacts", model + "contact_head.regression"},
            {"cls", "classifier.dense"},
            {"cls.output", "classifier.out_proj"}};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
