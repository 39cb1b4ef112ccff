// CLIP: a tower of images and one of texts, whose last rows meet in one space. Radford et al., "Learning Transferable
// Visual Models From Natural Language Supervision", 2021; transformers 5.24, modeling_clip.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/image_family.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The texts' side: a decoder of which the head is not used.
/// @throws format_error naming the key; unsupported_error
[[nodiscard]] inline model_config clip_config(const hyperparameters& from) {
    const std::unique_ptr<hyperparameters> text = from.part("text_config");
    model_config config = tower_config(*text, "clip",
                                       {.width = 512,
                                        .feed_forward = 2048,
                                        .layers = 12,
                                        .heads = 8,
                                        .epsilon = 1e-5F,
                                        .activation = kernels::activation_kind::gelu_quick});
    config.vocab_size = text->count_or("vocab_size", 49408);
    config.context_length = text->count_or("context_length", 77);
    config.tied_embeddings = true;
    config.projection = from.count_or("projection_dim", 512);
    // The first files name 2, which is wrong: the end of a text is then the highest id in it.
    const std::uint64_t end = text->whole_or("eos_token_id", 49407);
    if(end >= config.vocab_size) {
        text->refuse("eos_token_id", {"is ", end, ", and the vocabulary has ", config.vocab_size});
    }
    if(end != 2) {
        config.end_of_text = static_cast<std::int32_t>(end);
    }
    return config;
}

[[nodiscard]] inline model_config clip_image_config(const hyperparameters& from) {
    const std::unique_ptr<hyperparameters> vision = from.part("vision_config");
    model_config config = tower_config(*vision, "clip",
                                       {.width = 768,
                                        .feed_forward = 3072,
                                        .layers = 12,
                                        .heads = 12,
                                        .epsilon = 1e-5F,
                                        .activation = kernels::activation_kind::gelu_quick});
    use_images(*vision, config, 224, 32);
    config.embedding_norm = true;
    config.final_norm = false;
    config.image->norm_pooled = true;
    config.projection = from.count_or("projection_dim", 512);
    return config;
}

[[nodiscard]] inline tensor_names clip_names(const hyperparameters&, const model_config&) {
    tensor_names names{{"logit_scale", "logit_scale"},
                       {"token_embd", "text_model.embeddings.token_embedding"},
                       {"position_embd", "text_model.embeddings.position_embedding"},
                       {"output_norm", "text_model.final_layer_norm"},
                       {"projection", "text_projection"},
                       {"enc.class_embd", "vision_model.embeddings.class_embedding"},
                       {"enc.patch_embd", "vision_model.embeddings.patch_embedding", {.is_filter = true}},
                       {"enc.position_embd", "vision_model.embeddings.position_embedding"},
                       {"enc.token_embd_norm", "vision_model.pre_layrnorm"},
                       {"enc.output_norm", "vision_model.post_layernorm"},
                       {"enc.projection", "visual_projection"}};
    for(const std::string part: {"", "enc."}) {
        const std::string layer = (part.empty() ? "text_model" : "vision_model") + std::string{".encoder.layers.#."};
        set_names(names, {{part + "blk.#.attn_norm", layer + "layer_norm1"},
                          {part + "blk.#.attn_q", layer + "self_attn.q_proj"},
                          {part + "blk.#.attn_k", layer + "self_attn.k_proj"},
                          {part + "blk.#.attn_v", layer + "self_attn.v_proj"},
                          {part + "blk.#.attn_output", layer + "self_attn.out_proj"},
                          {part + "blk.#.ffn_norm", layer + "layer_norm2"},
                          {part + "blk.#.ffn_up", layer + "mlp.fc1"},
                          {part + "blk.#.ffn_down", layer + "mlp.fc2"}});
    }
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
