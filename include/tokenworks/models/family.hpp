// What the families of decoders have in common: the numbers that nearly every file gives, and the names of tensors that
// most Hugging Face families share.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/rope_parameters.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// A family: how its files call it, and the functions that read them.
struct family {
    std::string_view gguf; ///< general.architecture, or empty
    std::string_view hf;   ///< model_type of config.json, or empty
    model_config (*configure)(const hyperparameters&);
    /// What the file calls the tensors; names that a GGUF file shares with the blocks need no row.
    tensor_names (*names)(const hyperparameters&, const model_config&);
    /// Of models that have an encoder and a decoder, which `configure` reads: the encoder. Of texts and images, the
    /// texts' side is the decoder.
    model_config (*configure_encoder)(const hyperparameters&) = nullptr;
};

/// What files of some families leave out.
struct family_defaults {
    std::size_t feed_forward_factor = 0; ///< F / C where the file names no F; 0: it must
    std::size_t context_length = 0;      ///< 0: the file must name it
};

/// The numbers that files of all families give in the same way.
/// @throws format_error naming the key
[[nodiscard]] inline model_config common_config(const hyperparameters& from, std::string architecture,
                                                family_defaults defaults = {}) {
    constexpr std::size_t most_tokens = std::size_t{1} << 40;
    model_config config;
    config.architecture = std::move(architecture);
    config.vocab_size = from.vocab_size();
    config.width = from.count("embedding_length");
    const std::size_t layers = from.count("block_count", 4096);
    config.feed_forward = defaults.feed_forward_factor != 0 && !from.has("feed_forward_length")
                              ? defaults.feed_forward_factor * config.width
                              : from.uniform_count("feed_forward_length", layers);
    config.context_length = defaults.context_length != 0
                                ? from.count_or("context_length", defaults.context_length, most_tokens)
                                : from.count("context_length", most_tokens);
    config.layers.resize(layers);
    config.heads = from.uniform_count("attention.head_count", layers);
    config.kv_heads =
        from.has("attention.head_count_kv") ? from.uniform_count("attention.head_count_kv", layers) : config.heads;
    if(!from.has("attention.key_length") && config.width % config.heads != 0) {
        from.refuse("attention.head_count", {"is ", config.heads, ", which does not divide the width ", config.width});
    }
    config.key_width = from.count_or("attention.key_length", config.width / config.heads);
    config.value_width = from.count_or("attention.value_length", config.key_width);
    config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.key_width));
    config.tied_embeddings = from.tied_embeddings();
    return config;
}

/// Root mean square norms, as the file has their epsilon.
inline void use_rms_norm(const hyperparameters& from, model_config& config) {
    config.norm = norm_kind::rms;
    config.norm_epsilon = from.real("attention.layer_norm_rms_epsilon");
}

inline void use_layer_norm(const hyperparameters& from, model_config& config, float epsilon = 1e-5F) {
    config.norm = norm_kind::layer;
    config.norm_epsilon = from.real_or("attention.layer_norm_epsilon", epsilon);
}

/// Rotary positions in all layers. Converters to GGUF permute queries and keys of some families, so that neighbours
/// are turned together, as in the papers' own code.
inline void use_rope(const hyperparameters& from, model_config& config, bool permuted_in_gguf = false,
                     float base = 10000.0F) {
    const bool interleaved = permuted_in_gguf && from.is_gguf();
    config.rope_configs.push_back(rope_parameters(
        from, config, base, interleaved ? kernels::rope_pairing::interleaved : kernels::rope_pairing::halves));
}

/// The activation that config.json calls so.
/// @param key  what names it, for messages
/// @throws unsupported_error for one that is not known
[[nodiscard]] inline kernels::activation_kind activation_of(const hyperparameters& from, std::string_view key,
                                                            std::string_view name) {
    struct row {
        std::string_view name;
        kernels::activation_kind kind;
    };
    using enum kernels::activation_kind;
    static constexpr row known[] = {{"silu", silu},
                                    {"swish", silu},
                                    {"gelu", gelu},
                                    {"gelu_python", gelu},
                                    {"gelu_new", gelu_tanh},
                                    {"gelu_fast", gelu_tanh},
                                    {"gelu_pytorch_tanh", gelu_tanh},
                                    {"quick_gelu", gelu_quick},
                                    {"relu", relu},
                                    {"relu2", relu_squared},
                                    {"sigmoid", sigmoid},
                                    {"tanh", kernels::activation_kind::tanh},
                                    {"linear", identity}};
    for(const row& each: known) {
        if(each.name == name) {
            return each.kind;
        }
    }
    tokenworks::detail::raise<unsupported_error>(
        {from.label(), ": ", from.key(key), " '", tokenworks::detail::escaped(name), "'"});
}

/// The activation that a key of config.json names; GGUF files name none.
/// @throws as above
[[nodiscard]] inline kernels::activation_kind activation_of(const hyperparameters& from, std::string_view key,
                                                            kernels::activation_kind otherwise) {
    return from.is_gguf() || !from.has(key) ? otherwise : activation_of(from, key, from.text(key));
}

/// The activation of feed-forward layers.
/// @throws as activation_of
inline void use_activation(const hyperparameters& from, model_config& config, kernels::activation_kind otherwise) {
    config.activation = activation_of(from, "activation", otherwise);
}

/// Calls slide(layer) for the layers that layer_types names as such, or else for those where slides(i).
template <class Slides, class Slide>
void for_sliding_layers(const hyperparameters& from, model_config& config, Slides slides, Slide slide) {
    std::vector<std::string> types;
    if(!from.is_gguf() && from.has("layer_types")) {
        types = from.texts("layer_types");
        if(types.size() != config.layers.size()) {
            from.refuse("layer_types", {"has ", types.size(), " entries for ", config.layers.size(), " layers"});
        }
    }
    for(std::size_t i = 0; i < config.layers.size(); ++i) {
        if(!types.empty() && types[i] != "sliding_attention" && types[i] != "full_attention") {
            from.refuse("layer_types", {"has '", tokenworks::detail::escaped(types[i]), "'"});
        }
        if(types.empty() ? slides(i) : types[i] == "sliding_attention") {
            slide(config.layers[i]);
        }
    }
}

/// Windows of the layers that slide.
template <class Slides>
void use_windows(const hyperparameters& from, model_config& config, Slides slides) {
    if(!from.has("attention.sliding_window") || (!from.is_gguf() && !from.flag_or("use_sliding_window", true))) {
        return;
    }
    const std::size_t window = from.count("attention.sliding_window");
    for_sliding_layers(from, config, slides, [&](layer_config& layer) { layer.window = window; });
}
inline void use_windows(const hyperparameters& from, model_config& config) {
    use_windows(from, config, [](std::size_t) { return true; });
}

/// A mixture of experts in every layer; what a family has besides, it sets itself.
/// @param feed_forward  F of an expert
inline mixture_config& use_mixture(const hyperparameters& from, model_config& config, std::size_t feed_forward) {
    mixture_config& mixture = config.mixture.emplace();
    mixture.feed_forward = feed_forward;
    mixture.routing.experts = from.count("expert_count", nn::routing_options::most_experts);
    mixture.routing.used = from.count("expert_used_count", mixture.routing.experts);
    for(layer_config& layer: config.layers) {
        layer.is_mixture = true;
    }
    return mixture;
}

/// What stands in front of the names of a model's body where the file has a head beside it; nothing elsewhere.
/// @param inner  a tensor of the body, without that
[[nodiscard]] inline std::string body_prefix(const hyperparameters& from, const std::string& body,
                                             const std::string& inner) {
    return from.has_tensor(body + "." + inner) ? body + "." : "";
}

/// Names of the Llama form, which most families of transformers follow.
[[nodiscard]] inline tensor_names llama_like_names() {
    const std::string layer = "model.layers.#.";
    return {
        {"token_embd", "model.embed_tokens"},
        {"output_norm", "model.norm"},
        {"output", "lm_head"},
        {"blk.#.attn_norm", layer + "input_layernorm"},
        {"blk.#.attn_q", layer + "self_attn.q_proj"},
        {"blk.#.attn_k", layer + "self_attn.k_proj"},
        {"blk.#.attn_v", layer + "self_attn.v_proj"},
        {"blk.#.attn_q_norm", layer + "self_attn.q_norm"},
        {"blk.#.attn_k_norm", layer + "self_attn.k_norm"},
        {"blk.#.attn_output", layer + "self_attn.o_proj"},
        {"blk.#.ffn_norm", layer + "post_attention_layernorm"},
        {"blk.#.ffn_gate", layer + "mlp.gate_proj"},
        {"blk.#.ffn_up", layer + "mlp.up_proj"},
        {"blk.#.ffn_down", layer + "mlp.down_proj"},
    };
}

/// Queries, keys and values from one tensor, all queries first: the form of GGUF files, and of some others.
[[nodiscard]] inline tensor_names fused_qkv_names(const model_config& config, const std::string& stored,
                                                  bool transposed = false) {
    const std::size_t q = config.heads * config.key_width;
    const std::size_t k = config.kv_heads * config.key_width;
    const std::size_t v = config.kv_heads * config.value_width;
    const auto part = [&](std::size_t first, std::size_t count) {
        return tensor_part{.rows = {q + k + v, first, count}, .is_transposed = transposed};
    };
    return {{"blk.#.attn_q", stored, part(0, q)},
            {"blk.#.attn_k", stored, part(q, k)},
            {"blk.#.attn_v", stored, part(q + k, v)}};
}

/// The same from a tensor that goes group by group: the queries of a key/value head, its key, its value.
[[nodiscard]] inline tensor_names grouped_qkv_names(const model_config& config, const std::string& stored) {
    const std::size_t d = config.key_width;
    const std::size_t q = config.heads / config.kv_heads * d;
    return {{"blk.#.attn_q", stored, {.rows = {q + 2 * d, 0, q}}},
            {"blk.#.attn_k", stored, {.rows = {q + 2 * d, q, d}}},
            {"blk.#.attn_v", stored, {.rows = {q + 2 * d, q + d, d}}}};
}

/// Experts of a GGUF file, all in one tensor; the first files had them one by one, under the blocks' names.
[[nodiscard]] inline tensor_names gguf_expert_names(const hyperparameters& from) {
    tensor_names names;
    for(const std::string name: {"gate", "up", "down"}) {
        const std::string all = "ffn_" + name + "_exps";
        if(from.has_tensor("blk.0." + all + ".weight") || !from.has_tensor("blk.0.ffn_" + name + ".0.weight")) {
            names.push_back({"blk.#.ffn_" + name + ".@", "blk.#." + all, {.is_one_of_many = true}});
        }
    }
    return names;
}

/// Experts of a Hugging Face file, one by one, or, as transformers 5 may write them, all in one tensor.
/// @param experts         what the file calls them
/// @param gate, up, down  and the parts of one
[[nodiscard]] inline tensor_names hf_expert_names(const hyperparameters& from, const model_config& config,
                                                  const std::string& experts, const std::string& gate,
                                                  const std::string& up, const std::string& down) {
    const std::size_t f = config.mixture->feed_forward;
    const std::string together = "model.layers.#.mlp.experts.";
    for(std::size_t i = 0; i < config.layers.size(); ++i) {
        if(from.has_tensor("model.layers." + std::to_string(i) + ".mlp.experts.gate_up_proj")) {
            const std::string both = together + "gate_up_proj";
            return {{"blk.#.ffn_gate.@.weight", both, {.rows = {2 * f, 0, f}, .is_one_of_many = true}},
                    {"blk.#.ffn_up.@.weight", both, {.rows = {2 * f, f, f}, .is_one_of_many = true}},
                    {"blk.#.ffn_down.@.weight", together + "down_proj", {.is_one_of_many = true}}};
        }
    }
    return {{"blk.#.ffn_gate.@", experts + ".@." + gate},
            {"blk.#.ffn_up.@", experts + ".@." + up},
            {"blk.#.ffn_down.@", experts + ".@." + down}};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
