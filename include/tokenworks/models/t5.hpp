// T5 and Flan-T5: an encoder and a decoder with biases of distances in place of positions, scores that are not scaled,
// norms before the parts. Raffel et al., 2020; version 1.1, with a gated feed-forward and a head of its own: Shazeer,
// 2020; transformers 5.24, modeling_t5.py. GGUF: llama.cpp, architectures "t5" and "t5encoder", which is the encoder
// alone.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/chronos.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// "relu", or "gated-gelu" for a gated unit; gelu_new stands behind "gelu" there. T5's GGUF files say nothing: a gated
/// unit shows in its tensors.
inline void use_t5_feed_forward(const hyperparameters& from, model_config& config) {
    if(from.is_gguf() && !from.has("feed_forward_proj")) {
        const bool gated = from.has_tensor("enc.blk.0.ffn_gate.weight");
        config.mlp = gated ? feed_forward_kind::gated : feed_forward_kind::plain;
        config.activation = gated ? kernels::activation_kind::gelu_tanh : kernels::activation_kind::relu;
        return;
    }
    const std::string kind = from.text_or("feed_forward_proj", "relu");
    config.mlp = kind.starts_with("gated-") ? feed_forward_kind::gated : feed_forward_kind::plain;
    const std::string name = config.mlp == feed_forward_kind::gated ? kind.substr(6) : kind;
    using enum kernels::activation_kind;
    if(name != "relu" && name != "gelu" && name != "gelu_new" && name != "silu") {
        tokenworks::detail::raise<unsupported_error>(
            {from.label(), ": feed_forward_proj '", tokenworks::detail::escaped(kind), "'"});
    }
    const bool tanh_form = name == "gelu_new" || kind == "gated-gelu";
    config.activation = name == "relu" ? relu : name == "silu" ? silu : tanh_form ? gelu_tanh : gelu;
}

} // namespace detail

/// The encoder, and the decoder but for its number of layers.
/// @throws format_error naming the key; unsupported_error
[[nodiscard]] inline model_config t5_encoder_config(const hyperparameters& from) {
    model_config config = common_config(from, "t5", {.context_length = 512});
    config.causal = false;
    config.norm = norm_kind::rms;
    config.norm_epsilon =
        from.real_or("attention.layer_norm_epsilon", from.real_or("attention.layer_norm_rms_epsilon", 1e-6F));
    config.attention_scale = 1;
    config.position = position_kind::relative;
    config.relative = {from.count_or("attention.relative_buckets_count", 32),
                       from.count_or("relative_attention_max_distance", 128)};
    detail::use_t5_feed_forward(from, config);
    use_series(from, config);
    return config;
}

[[nodiscard]] inline model_config t5_config(const hyperparameters& from) {
    model_config config = t5_encoder_config(from);
    config.causal = true;
    config.layers.resize(from.count_or("decoder_block_count", config.layers.size(), 4096));
    config.memory_width = config.width;
    if(config.series && config.series->patch != 0) { // no head that tells tokens
        config.tied_embeddings = true;
        return config;
    }
    // Version 1.0 multiplies by the table of tokens, and makes its input smaller for that.
    // A GGUF file may hold it twice, but only that version is not gated.
    config.tied_embeddings = from.is_gguf() ? from.tied_embeddings() : from.flag_or("tie_word_embeddings", true);
    if(from.is_gguf() ? config.mlp == feed_forward_kind::plain
                      : from.flag_or("scale_decoder_outputs", config.tied_embeddings)) {
        config.logit_scale = 1.0F / std::sqrt(static_cast<float>(config.width));
    }
    return config;
}

namespace detail {

/// GGUF files abbreviate one name.
/// @param part  in front of the blocks' names
[[nodiscard]] inline tensor_names t5_gguf_names(const std::string& part, const std::string& side) {
    return {{part + "blk.#.attn_output", side + "blk.#.attn_o"},
            {part + "blk.#.cross_attn_output", side + "blk.#.cross_attn_o"}};
}

} // namespace detail

/// Of the encoder alone.
[[nodiscard]] inline tensor_names t5_encoder_names(const hyperparameters&, const model_config&) {
    tensor_names names = detail::t5_gguf_names("", "enc.");
    set_names(names, {{"output_norm", "enc.output_norm"}});
    for(const std::string name:
        {"attn_norm", "attn_rel_b", "attn_q", "attn_k", "attn_v", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"}) {
        set_names(names, {{"blk.#." + name, "enc.blk.#." + name}});
    }
    return names;
}

[[nodiscard]] inline tensor_names t5_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        tensor_names stored = detail::t5_gguf_names("enc.", "enc.");
        set_names(stored, detail::t5_gguf_names("dec.", "dec."));
        return stored;
    }
    const bool gated = config.mlp == feed_forward_kind::gated;
    tensor_names names{{"token_embd", "shared"}, {"output", "lm_head"}};
    const auto add_side = [&](const std::string& part, const std::string& side, const std::string& mlp) {
        const std::string layer = side + ".block.#.layer.";
        const std::string attention = layer + "0.SelfAttention.";
        const std::string feed_forward = layer + mlp + ".DenseReluDense.";
        set_names(names, {{part + "output_norm", side + ".final_layer_norm"},
                          {part + "blk.#.attn_norm", layer + "0.layer_norm"},
                          {part + "blk.#.attn_rel_b", attention + "relative_attention_bias"},
                          {part + "blk.#.attn_q", attention + "q"},
                          {part + "blk.#.attn_k", attention + "k"},
                          {part + "blk.#.attn_v", attention + "v"},
                          {part + "blk.#.attn_output", attention + "o"},
                          {part + "blk.#.ffn_norm", layer + mlp + ".layer_norm"},
                          {part + "blk.#.ffn_gate", feed_forward + "wi_0"},
                          {part + "blk.#.ffn_up", feed_forward + (gated ? "wi_1" : "wi")},
                          {part + "blk.#.ffn_down", feed_forward + "wo"}});
    };
    add_side("enc.", "encoder", "1");
    add_side("dec.", "decoder", "2");
    const std::string cross = "decoder.block.#.layer.1.";
    set_names(names, {{"dec.blk.#.cross_attn_norm", cross + "layer_norm"},
                      {"dec.blk.#.cross_attn_q", cross + "EncDecAttention.q"},
                      {"dec.blk.#.cross_attn_k", cross + "EncDecAttention.k"},
                      {"dec.blk.#.cross_attn_v", cross + "EncDecAttention.v"},
                      {"dec.blk.#.cross_attn_output", cross + "EncDecAttention.o"}});
    if(config.series) {
        set_names(names, series_names());
    }
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
