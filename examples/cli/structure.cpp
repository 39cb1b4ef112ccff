#include "structure.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/models/model_config.hpp>

namespace cli {

using json = nlohmann::ordered_json;
using tw::models::model_config;

namespace {

const char* activation_name(const model_config& config) {
    using enum tw::kernels::activation_kind;
    switch(config.activation) {
    case silu:
        return "silu";
    case gelu:
        return "gelu";
    case gelu_tanh:
        return "gelu_tanh";
    case gelu_quick:
        return "gelu_quick";
    case relu:
        return "relu";
    case relu_squared:
        return "relu_squared";
    case sigmoid:
        return "sigmoid";
    case tw::kernels::activation_kind::tanh:
        return "tanh";
    case identity:
        break;
    }
    return "none";
}

const char* position_name(const model_config& config) {
    using enum tw::models::position_kind;
    switch(config.position) {
    case rope:
        return "rotary";
    case alibi:
        return "alibi";
    case learned:
        return "learned";
    case relative:
        return "relative";
    case none:
        break;
    }
    return "none";
}

const char* norm_name(const model_config& config) {
    return config.norm == tw::models::norm_kind::rms ? "rms" : "layer";
}

std::string norm_places(const model_config& config) {
    std::string places;
    const auto add = [&](bool is_there, const char* place) {
        if(is_there) {
            places += places.empty() ? place : std::string{", "} + place;
        }
    };
    add(config.embedding_norm, "of the embeddings");
    add(config.pre_norm, "before each part");
    add(config.post_norm, "after each part");
    add(config.norm_sums, "of each sum");
    add(config.final_norm, "at the end");
    add(config.qk_norm != tw::models::qk_norm_kind::none, "of queries and keys");
    return places;
}

std::size_t layers_with_windows(const model_config& config) {
    const auto has_window = [](const tw::models::layer_config& layer) { return layer.window != 0; };
    return static_cast<std::size_t>(std::ranges::count_if(config.layers, has_window));
}

std::size_t largest_window(const model_config& config) {
    std::size_t largest = 0;
    for(const tw::models::layer_config& layer: config.layers) {
        largest = std::max(largest, layer.window);
    }
    return largest;
}

std::string count(std::size_t value) { return std::to_string(value); }

} // namespace

std::vector<std::pair<std::string, std::string>> structure_lines(const model_config& config) {
    std::vector<std::pair<std::string, std::string>> lines;
    if(config.image) {
        const tw::models::image_config& image = *config.image;
        lines.emplace_back("images", count(image.channels) + " x " + count(image.height) + " x " + count(image.width) +
                                         " in patches of " + count(image.patch_height) + " x " +
                                         count(image.patch_width));
        if(image.labels != 0) {
            lines.emplace_back("labels", count(image.labels));
        }
    } else {
        lines.emplace_back("vocabulary", count(config.vocab_size) + " tokens" +
                                             (config.tied_embeddings ? ", the table is the head too" : ""));
        lines.emplace_back("context", count(config.context_length) + " tokens");
    }
    lines.emplace_back("layers", count(config.layers.size()) + " of width " + count(config.width) +
                                     (config.causal ? "" : ", that see both sides") +
                                     (config.parallel_residual ? ", attention beside feed-forward" : ""));
    std::string heads = count(config.heads) + " heads of width " + count(config.key_width);
    heads += config.value_width == config.key_width ? "" : " and " + count(config.value_width);
    heads += ", " + count(config.kv_heads) + " of keys and values";
    heads += config.latent ? ", through a latent of " + count(config.latent->rank) : "";
    if(const std::size_t windows = layers_with_windows(config); windows != 0) {
        heads += ", " + count(windows) + " layers see " + count(largest_window(config)) + " tokens";
    }
    lines.emplace_back("attention", heads);
    std::string positions = position_name(config);
    if(config.position == tw::models::position_kind::rope && !config.rope_configs.empty()) {
        char base[32];
        std::snprintf(base, sizeof base, "%.7g", config.rope_configs[0].base);
        positions += ", " + count(config.rope_configs[0].width) + " of each head, base " + base;
    }
    lines.emplace_back("positions", positions);
    const bool is_gated = config.mlp == tw::models::feed_forward_kind::gated;
    lines.emplace_back("feed-forward",
                       count(config.feed_forward) + (is_gated ? ", gated" : "") + ", " + activation_name(config));
    if(config.mixture) {
        const tw::models::mixture_config& mixture = *config.mixture;
        lines.emplace_back("experts", count(mixture.routing.experts) + " of width " + count(mixture.feed_forward) +
                                          ", " + count(mixture.routing.used) + " a token" +
                                          (mixture.shared == 0 ? "" : ", and one of all, " + count(mixture.shared)));
    }
    const std::string places = norm_places(config);
    lines.emplace_back("norms", std::string{norm_name(config)} + (places.empty() ? "" : ", " + places));
    return lines;
}

json structure_json(const model_config& config) {
    json out{{"vocabulary", config.vocab_size},
             {"context", config.context_length},
             {"causal", config.causal},
             {"tied_embeddings", config.tied_embeddings},
             {"layers", config.layers.size()},
             {"width", config.width},
             {"heads", config.heads},
             {"kv_heads", config.kv_heads},
             {"key_width", config.key_width},
             {"value_width", config.value_width},
             {"window", largest_window(config)},
             {"window_layers", layers_with_windows(config)},
             {"positions", position_name(config)},
             {"feed_forward", config.feed_forward},
             {"gated", config.mlp == tw::models::feed_forward_kind::gated},
             {"activation", activation_name(config)},
             {"norm", norm_name(config)},
             {"parallel", config.parallel_residual}};
    if(config.image) {
        const tw::models::image_config& image = *config.image;
        out["image"] = {
            {"channels", image.channels},         {"height", image.height},           {"width", image.width},
            {"patch_height", image.patch_height}, {"patch_width", image.patch_width}, {"labels", image.labels}};
    }
    if(config.mixture) {
        out["experts"] = config.mixture->routing.experts;
        out["experts_used"] = config.mixture->routing.used;
        out["expert_feed_forward"] = config.mixture->feed_forward;
    }
    return out;
}

} // namespace cli
