// ModernBERT: rotary positions, gated feed-forward, norms before the parts, and layers that look at a window on either
// side between those that see all. Warner et al., "Smarter, Better, Faster, Longer", 2024; transformers 5.24,
// modeling_modernbert.py.
#pragma once

#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/classifier.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config modernbert_config(const hyperparameters& from) {
    model_config config = common_config(from, "modernbert");
    config.causal = false;
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::gelu);
    use_rope(from, config, false, from.real_or("global_rope_theta", 160000.0F));
    kernels::rope_config local = config.rope_configs.front();
    local.base = from.real_or("rope.freq_base_swa", from.real_or("local_rope_theta", 10000.0F));
    config.rope_configs.push_back(local);
    // A window of n keys: n/2 on either side.
    const std::size_t side = from.count_or("local_attention", 128) / 2;
    const std::size_t every = from.count_or("global_attn_every_n_layers", 3);
    const auto slides = [&](std::size_t layer) { return layer % every != 0; };
    for_sliding_layers(from, config, slides, [&](layer_config& layer) {
        layer.window = side + 1;
        layer.rope = 1;
    });
    config.layers.front().attention_norm = false; // it reads the normalised embeddings
    config.embedding_norm = true;
    config.tied_embeddings = true;
    // Classifiers share the first half of their head with the one that tells masked tokens.
    const std::string activation = from.text_or("classifier_activation", "gelu");
    const kernels::activation_kind kind = activation_of(from, "classifier_activation", activation);
    if(!from.has_tensor("classifier.weight")) {
        config.head_transform = head_transform_config{kind};
    }
    use_classifier(from, config, "head.dense", "classifier", kind);
    if(config.classifier) {
        config.classifier->norm = true;
        const std::string pooling = from.text_or("classifier_pooling", "cls");
        if(pooling != "cls" && pooling != "mean") {
            from.refuse("classifier_pooling", {"is '", tokenworks::detail::escaped(pooling), "', not cls or mean"});
        }
        config.classifier->mean = pooling == "mean";
    }
    return config;
}

[[nodiscard]] inline tensor_names modernbert_names(const hyperparameters& from, const model_config& config) {
    const std::string model = body_prefix(from, "model", "embeddings.tok_embeddings.weight");
    const std::string layer = model + "layers.#.";
    const std::size_t f = config.feed_forward;
    tensor_names names = fused_qkv_names(config, layer + "attn.Wqkv");
    set_names(names, {{"token_embd", model + "embeddings.tok_embeddings"},
                      {"token_embd_norm", model + "embeddings.norm"},
                      {"blk.#.attn_norm", layer + "attn_norm"},
                      {"blk.#.attn_output", layer + "attn.Wo"},
                      {"blk.#.ffn_norm", layer + "mlp_norm"},
                      {"blk.#.ffn_gate", layer + "mlp.Wi", {.rows = {2 * f, 0, f}}},
                      {"blk.#.ffn_up", layer + "mlp.Wi", {.rows = {2 * f, f, f}}},
                      {"blk.#.ffn_down", layer + "mlp.Wo"},
                      {"output_norm", model + "final_norm"},
                      {"output_transform", "head.dense"},
                      {"output_transform_norm", "head.norm"},
                      {"output", "decoder"},
                      {"cls", "head.dense"},
                      {"cls.norm", "head.norm"},
                      {"cls.output", "classifier"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
