// BART, mBART and NLLB's dense models: an encoder and a decoder with learned positions. BART normalises sums, mBART
// what comes before each part. Lewis et al., 2019; Liu et al., 2020; transformers 5.24, modeling_bart.py and
// modeling_mbart.py.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// @param side  "encoder" or "decoder"
[[nodiscard]] inline model_config bart_side(const hyperparameters& from, const std::string& side,
                                            const char* architecture) {
    model_config config;
    config.architecture = architecture;
    config.vocab_size = from.vocab_size();
    config.width = from.count("embedding_length");
    config.context_length = from.count("context_length", std::size_t{1} << 40);
    config.layers.resize(from.count(side + "_layers", 4096));
    config.feed_forward = from.count(side + "_ffn_dim");
    config.heads = config.kv_heads = from.count(side + "_attention_heads");
    if(config.width % config.heads != 0) {
        from.refuse(side + "_attention_heads", {"does not divide d_model ", config.width});
    }
    config.key_width = config.value_width = config.width / config.heads;
    config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.key_width));
    use_layer_norm(from, config);
    use_activation(from, config, kernels::activation_kind::gelu);
    config.mlp = feed_forward_kind::plain;
    config.position = position_kind::learned;
    config.first_position = 2;
    config.embedding_norm = true;
    config.pre_norm = false;
    config.norm_sums = true;
    config.final_norm = false;
    config.tied_embeddings = true;
    if(from.flag_or("scale_embedding", false)) {
        config.embedding_scale = std::sqrt(static_cast<float>(config.width));
    }
    config.causal = side == "decoder";
    config.memory_width = config.causal ? config.width : 0;
    return config;
}

[[nodiscard]] inline model_config mbart_side(const hyperparameters& from, const std::string& side) {
    model_config config = bart_side(from, side, "mbart");
    config.pre_norm = true;
    config.norm_sums = false;
    config.final_norm = true;
    return config;
}

} // namespace detail

/// @throws format_error naming the key
[[nodiscard]] inline model_config bart_encoder_config(const hyperparameters& from) {
    return detail::bart_side(from, "encoder", "bart");
}
[[nodiscard]] inline model_config bart_config(const hyperparameters& from) {
    return detail::bart_side(from, "decoder", "bart");
}
[[nodiscard]] inline model_config mbart_encoder_config(const hyperparameters& from) {
    return detail::mbart_side(from, "encoder");
}
[[nodiscard]] inline model_config mbart_config(const hyperparameters& from) {
    return detail::mbart_side(from, "decoder");
}

[[nodiscard]] inline tensor_names bart_names(const hyperparameters&, const model_config& config) {
    const bool before = config.pre_norm; // which of a part's two sides its norm is on
    tensor_names names{
        {"token_embd", "model.shared"}, {"output.weight", "lm_head.weight"}, {"output.bias", "final_logits_bias"}};
    const auto add_side = [&](const std::string& part, const std::string& side) {
        const std::string layer = side + ".layers.#.";
        set_names(names,
                  {{part + "position_embd", side + ".embed_positions"},
                   {part + "token_embd_norm", side + ".layernorm_embedding"},
                   {part + "output_norm", side + ".layer_norm"},
                   {part + (before ? "blk.#.attn_norm" : "blk.#.attn_output_norm"), layer + "self_attn_layer_norm"},
                   {part + "blk.#.attn_q", layer + "self_attn.q_proj"},
                   {part + "blk.#.attn_k", layer + "self_attn.k_proj"},
                   {part + "blk.#.attn_v", layer + "self_attn.v_proj"},
                   {part + "blk.#.attn_output", layer + "self_attn.out_proj"},
                   {part + "blk.#.ffn_up", layer + "fc1"},
                   {part + "blk.#.ffn_down", layer + "fc2"},
                   {part + (before ? "blk.#.ffn_norm" : "blk.#.layer_output_norm"), layer + "final_layer_norm"}});
    };
    add_side("enc.", "model.encoder");
    add_side("dec.", "model.decoder");
    const std::string cross = "model.decoder.layers.#.encoder_attn";
    set_names(names,
              {{before ? "dec.blk.#.cross_attn_norm" : "dec.blk.#.cross_attn_output_norm", cross + "_layer_norm"},
               {"dec.blk.#.cross_attn_q", cross + ".q_proj"},
               {"dec.blk.#.cross_attn_k", cross + ".k_proj"},
               {"dec.blk.#.cross_attn_v", cross + ".v_proj"},
               {"dec.blk.#.cross_attn_output", cross + ".out_proj"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
