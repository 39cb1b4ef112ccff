// LlamaGen: a decoder of Llama's form that makes pictures of a class, code by code. Sun et al., "Autoregressive Model
// Beats Diffusion: Llama for Scalable Image Generation", 2024; its code at commit ce98ec4, autoregressive/models/gpt.py
// and tokenizer/tokenizer_image/vq_model.py.
//
// That code has no config.json; a folder gets one with the names of both `ModelArgs`, the tokenizer's under
// `vq_config`, and "model_type": "llamagen". model.safetensors holds the transformer's state dict, and that of the
// tokenizer with "vq_model." in front. `labels` may name the classes; `tokenworks_guidance` and
// `tokenworks_temperature` may say with what the model draws best.
//
// Classes are tokens behind the codes, with rows of their own in the table of embeddings; the head has zeros for them.
// Models of captions (t2i) are not read.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/vq_autoencoder.hpp>
#include <tokenworks/models/vq_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The autoencoder that a file describes; what it leaves out is as in VQ-16.
/// @throws format_error naming the key
[[nodiscard]] inline vq_config vq_config_of(const hyperparameters& from) {
    vq_config config;
    const auto levels = [&](const char* key, std::vector<std::size_t>& to) {
        if(from.has(key)) {
            to.clear();
            for(const std::uint64_t level: from.wholes(key)) {
                to.push_back(static_cast<std::size_t>(std::min<std::uint64_t>(level, 65536)));
            }
        }
    };
    config.channels = from.count_or("vq.channels", config.channels, 65536);
    config.width = from.count_or("vq.width", config.width, 65536);
    levels("vq.encoder_levels", config.encoder_levels);
    levels("vq.decoder_levels", config.decoder_levels);
    config.blocks = from.count_or("vq.blocks", config.blocks, 64);
    config.latent = from.count_or("vq.latent", config.latent, 65536);
    config.codes = from.count_or("vq.codes", config.codes);
    config.code_width = from.count_or("vq.code_width", config.code_width, 65536);
    config.unit_latents = from.flag_or("vq.unit_latents", true);
    config.unit_codes = config.unit_latents;
    try {
        config.validate();
    } catch(const argument_error& problem) {
        from.refuse("vq.codes", std::string{"and its like: "} + problem.what());
    }
    return config;
}

namespace detail {

inline void use_picture(const hyperparameters& from, model_config& config) {
    picture_config& picture = config.picture.emplace();
    picture.codes = from.count("picture.codes");
    picture.classes = from.count_or("picture.classes", 1000);
    std::size_t rows = picture.classes + 1;
    if(const auto extents = from.tensor_extents("cls_embedding.embedding_table.weight")) {
        rows = extents->empty() ? 0 : extents->front();
    } else if(from.has("picture.has_no_class")) {
        rows = picture.classes + (from.flag("picture.has_no_class") ? 1 : 0);
    }
    picture.has_no_class = rows > picture.classes;
    config.vocab_size = picture.codes + picture.classes + (picture.has_no_class ? 1 : 0);
    const std::size_t tokens = from.count_or("picture.tokens", 256, std::size_t{1} << 24);
    picture.rows = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(tokens))));
    picture.columns = picture.rows;
    if(picture.tokens() != tokens) {
        from.refuse("picture.tokens", {"is ", tokens, ", which is no square"});
    }
    if(from.has("picture.labels")) {
        picture.labels = from.texts("picture.labels");
        if(picture.labels.size() != picture.classes) {
            from.refuse("picture.labels", {"has ", picture.labels.size(), " names for ", picture.classes, " classes"});
        }
    }
    picture.guidance = from.real_or("picture.guidance", picture.guidance);
    picture.temperature = from.real_or("picture.temperature", picture.temperature);
    picture.vq = vq_config_of(from);
    if(picture.vq.codes != picture.codes) {
        from.refuse("vq.codes", {"is ", picture.vq.codes, ", the transformer makes ", picture.codes});
    }
}

} // namespace detail

/// @throws format_error naming the key; unsupported_error for a model of captions
[[nodiscard]] inline model_config llamagen_config(const hyperparameters& from) {
    model_config config;
    config.architecture = "llamagen";
    if(!from.is_gguf() && from.whole_or("cls_token_num", 1) != 1) {
        tokenworks::detail::raise<unsupported_error>(
            {from.label(), ": cls_token_num is not 1: captions are not read, only classes"});
    }
    config.width = from.count_or("embedding_length", 4096);
    config.layers.resize(from.count_or("block_count", 32, 4096));
    config.heads = from.count_or("attention.head_count", 32);
    config.kv_heads = from.count_or("attention.head_count_kv", config.heads);
    if(config.width % config.heads != 0) {
        from.refuse("attention.head_count", {"is ", config.heads, ", which does not divide the width ", config.width});
    }
    config.key_width = config.width / config.heads;
    config.value_width = config.key_width;
    config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.key_width));
    if(from.has("feed_forward_length")) {
        config.feed_forward = from.count("feed_forward_length");
    } else {
        const std::size_t multiple = from.count_or("multiple_of", 256, 65536);
        const std::size_t whole = 8 * config.width / 3;
        auto hidden = static_cast<double>(whole);
        hidden = std::floor(hidden * static_cast<double>(from.real_or("ffn_dim_multiplier", 1)));
        if(!(hidden >= 1 && hidden < 1e9)) {
            from.refuse("ffn_dim_multiplier", {"gives a feed-forward width of ", hidden});
        }
        config.feed_forward = (static_cast<std::size_t>(hidden) + multiple - 1) / multiple * multiple;
    }
    config.norm = norm_kind::rms;
    config.norm_epsilon = from.real_or("attention.layer_norm_rms_epsilon", 1e-5F);
    config.tied_embeddings = false;
    detail::use_picture(from, config);
    config.context_length = config.picture->tokens() + 1;
    config.position = position_kind::rope;
    config.rope_configs.push_back({.width = config.key_width,
                                   .base = static_cast<double>(from.real_or("rope.freq_base", 10000)),
                                   .pairing = kernels::rope_pairing::interleaved,
                                   .grid = config.picture->columns,
                                   .before_grid = 1});
    return config;
}

[[nodiscard]] inline tensor_names llamagen_names(const hyperparameters& from, const model_config& config) {
    if(from.is_gguf()) {
        return {};
    }
    const std::string layer = "layers.#.";
    tensor_names names = fused_qkv_names(config, layer + "attention.wqkv");
    set_names(names, {{"token_embd.weight", "tok_embeddings.weight", {.then = "cls_embedding.embedding_table.weight"}},
                      {"output.weight", "output.weight", {.rows_in_all = config.vocab_size}},
                      {"output_norm", "norm"},
                      {"blk.#.attn_norm", layer + "attention_norm"},
                      {"blk.#.attn_output", layer + "attention.wo"},
                      {"blk.#.ffn_norm", layer + "ffn_norm"},
                      {"blk.#.ffn_gate", layer + "feed_forward.w1"},
                      {"blk.#.ffn_up", layer + "feed_forward.w3"},
                      {"blk.#.ffn_down", layer + "feed_forward.w2"}});
    set_names(names, llamagen_vq_names("vq_model.", "vq."));
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
