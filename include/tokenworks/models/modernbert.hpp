// ModernBERT: rotary positions, gated feed-forward, norms before the parts, and layers that look at a window on either
// side between those that see all. Warner et al., "Smarter, Better, Faster, Longer", 2024; transformers 5.24,
// modeling_modernbert.py. GGUF: llama.cpp, architecture "modern-bert", without the head for masked tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/classifier.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// What GGUF files say otherwise.
inline void use_modernbert_gguf(const hyperparameters& from, model_config& config) {
    from.require_unset("attention.causal");
    if(from.has("hidden_activation")) {
        config.activation = activation_of(from, "hidden_activation", from.text("hidden_activation"));
    }
    use_classifier(from, config, "cls", "cls.output", kernels::activation_kind::gelu);
    if(config.classifier) {
        constexpr std::uint64_t first_row = 2; // llama.h, enum llama_pooling_type; 1: the mean
        const std::uint64_t pooling = from.whole_or("classifier.pooling_type", 1);
        if(pooling != 1 && pooling != first_row) {
            from.refuse("classifier.pooling_type", {"is ", pooling, ", not 1 or 2"});
        }
        config.classifier->norm = true;
        config.classifier->mean = pooling != first_row;
    }
}

} // namespace detail

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
    const bool is_gguf = from.is_gguf();
    const std::size_t side =
        (is_gguf ? from.whole_or("attention.sliding_window", 0) : from.count_or("local_attention", 128)) / 2;
    const std::size_t every =
        from.count_or(is_gguf ? "attention.sliding_window_pattern" : "global_attn_every_n_layers", 3);
    const auto slides = [&](std::size_t layer) { return layer % every != 0; };
    if(side != 0) {
        for_sliding_layers(from, config, slides, [&](layer_config& layer) {
            layer.window = side + 1;
            layer.rope = 1;
        });
    }
    config.layers.front().attention_norm = false; // it reads the normalised embeddings
    config.embedding_norm = true;
    config.tied_embeddings = true;
    if(is_gguf) {
        detail::use_modernbert_gguf(from, config);
        return config;
    }
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
    const std::size_t f = config.feed_forward;
    if(from.is_gguf()) {
        tensor_names stored = fused_qkv_names(config, "blk.#.attn_qkv");
        set_names(stored, {{"blk.#.ffn_gate", "blk.#.ffn_up", {.rows = {2 * f, 0, f}}},
                           {"blk.#.ffn_up", "blk.#.ffn_up", {.rows = {2 * f, f, f}}}});
        return stored;
    }
    const std::string model = body_prefix(from, "model", "embeddings.tok_embeddings.weight");
    const std::string layer = model + "layers.#.";
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
