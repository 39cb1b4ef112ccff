// What the families of image encoders have in common.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// What files leave out, as transformers has it.
struct tower_defaults {
    std::size_t width = 0;
    std::size_t feed_forward = 0;
    std::size_t layers = 0;
    std::size_t heads = 0;
    float epsilon = 0;
    kernels::activation_kind activation = kernels::activation_kind::gelu;
};

/// Layers with a norm before each part, learned positions and a plain feed-forward, of images or of texts.
/// @throws format_error naming the key; unsupported_error for an activation
[[nodiscard]] inline model_config tower_config(const hyperparameters& from, std::string architecture,
                                               const tower_defaults& defaults) {
    model_config config;
    config.architecture = std::move(architecture);
    config.width = from.count_or("embedding_length", defaults.width);
    config.feed_forward = from.count_or("feed_forward_length", defaults.feed_forward);
    config.layers.resize(from.count_or("block_count", defaults.layers, 4096));
    config.heads = from.count_or("attention.head_count", defaults.heads);
    config.kv_heads = config.heads;
    if(config.width % config.heads != 0) {
        from.refuse("attention.head_count", {"is ", config.heads, ", which does not divide the width ", config.width});
    }
    config.key_width = config.width / config.heads;
    config.value_width = config.key_width;
    config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.key_width));
    config.position = position_kind::learned;
    config.mlp = feed_forward_kind::plain;
    use_layer_norm(from, config, defaults.epsilon);
    use_activation(from, config, defaults.activation);
    return config;
}

/// The sizes of images and patches: a number for a square, or height and width.
/// @throws format_error naming the key
inline void use_images(const hyperparameters& from, model_config& config, std::uint64_t size, std::uint64_t patch) {
    const auto extents = [&](std::string_view key, std::uint64_t otherwise) {
        std::vector<std::uint64_t> both(2, otherwise);
        if(from.has(key)) {
            both = from.is_list(key) ? from.wholes(key) : std::vector<std::uint64_t>(2, from.whole(key));
        }
        if(both.size() != 2 || both[0] == 0 || both[1] == 0 || both[0] > 65536 || both[1] > 65536) {
            from.refuse(key, {"is no size in 1..65536, or a pair of such"});
        }
        return std::pair{static_cast<std::size_t>(both[0]), static_cast<std::size_t>(both[1])};
    };
    image_config& image = config.image.emplace();
    image.channels = from.count_or("num_channels", 3, 4096);
    std::tie(image.height, image.width) = extents("image_size", size);
    std::tie(image.patch_height, image.patch_width) = extents("patch_size", patch);
    if(image.patch_height > image.height || image.patch_width > image.width) {
        from.refuse("patch_size", {"is larger than the image"});
    }
    config.context_length = image.patches() + 1;
    config.causal = false;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
