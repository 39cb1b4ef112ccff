// ViT: an image is a text of patches. Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021; transformers 5.24,
// modeling_vit.py.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/image_family.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key; unsupported_error
[[nodiscard]] inline model_config vit_config(const hyperparameters& from) {
    model_config config =
        tower_config(from, "vit", {.width = 768, .feed_forward = 3072, .layers = 12, .heads = 12, .epsilon = 1e-12F});
    use_images(from, config, 224, 16);
    const std::string model = body_prefix(from, "vit", "embeddings.cls_token");
    if(from.has_tensor(model + "pooler.dense.weight")) {
        config.image->pooled = from.count_or("pooler_output_size", config.width);
        config.image->pooled_activation = activation_of(from, "pooler_act", kernels::activation_kind::tanh);
    }
    // config.json leaves the labels out where there are two.
    if(const std::optional<std::vector<std::size_t>> extents = from.tensor_extents("classifier.weight")) {
        config.image->labels = extents->empty() ? 0 : extents->front();
    }
    return config;
}

[[nodiscard]] inline tensor_names vit_names(const hyperparameters& from, const model_config&) {
    const std::string model = body_prefix(from, "vit", "embeddings.cls_token");
    const std::string layer = model + "encoder.layer.#.";
    return {{"class_embd", model + "embeddings.cls_token"},
            {"patch_embd", model + "embeddings.patch_embeddings.projection", {.is_filter = true}},
            {"position_embd.weight", model + "embeddings.position_embeddings"},
            {"blk.#.attn_norm", layer + "layernorm_before"},
            {"blk.#.attn_q", layer + "attention.attention.query"},
            {"blk.#.attn_k", layer + "attention.attention.key"},
            {"blk.#.attn_v", layer + "attention.attention.value"},
            {"blk.#.attn_output", layer + "attention.output.dense"},
            {"blk.#.ffn_norm", layer + "layernorm_after"},
            {"blk.#.ffn_up", layer + "intermediate.dense"},
            {"blk.#.ffn_down", layer + "output.dense"},
            {"output_norm", model + "layernorm"},
            {"pooled", model + "pooler.dense"},
            {"labels", "classifier"}};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
