// DeepSeek V2 and V3: latent attention, dense layers first and then mixtures of experts, with an expert that all tokens
// share, sigmoids as scores, a bias that only chooses, and groups of experts. DeepSeek-AI, "DeepSeek-V3 Technical
// Report", 2024; transformers 5.24, modeling_deepseek_v3.py.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// @throws format_error naming the key
[[nodiscard]] inline model_config deepseek_v3_config(const hyperparameters& from) {
    model_config config = common_config(from, "deepseek_v3");
    use_rms_norm(from, config);
    use_activation(from, config, kernels::activation_kind::silu);

    latent_config& latent = config.latent.emplace();
    latent.query_rank = from.count_or("attention.q_lora_rank", 0);
    latent.rank = from.count("attention.kv_lora_rank");
    latent.turned = from.count("rope.dimension_count");
    config.key_width = from.is_gguf() ? from.count_or("attention.key_length_mla", config.key_width)
                                      : from.count("qk_nope_head_dim") + latent.turned;
    config.value_width = from.count_or("attention.value_length_mla", config.value_width);
    config.kv_heads = config.heads;
    const bool interleaved = from.flag_or("rope_interleave", true);
    config.rope_configs.push_back(rope_parameters(
        from, config, 10000.0F, interleaved ? kernels::rope_pairing::interleaved : kernels::rope_pairing::halves));
    // The scaling of positions scales the scores too.
    kernels::rope_scaling& scaling = config.rope_configs.front().scaling;
    if(from.has("rope.scaling.yarn_log_multiplier")) { // of GGUF files, a tenth of both
        scaling.mscale_all_dim = 10 * static_cast<double>(from.real("rope.scaling.yarn_log_multiplier"));
        scaling.mscale = scaling.mscale_all_dim;
    }
    double stretch = 1;
    if(scaling.kind != kernels::rope_scaling_kind::none && scaling.mscale_all_dim != 0 && scaling.factor > 1) {
        stretch = 0.1 * scaling.mscale_all_dim * std::log(scaling.factor) + 1;
    }
    config.attention_scale = static_cast<float>(stretch * stretch / std::sqrt(static_cast<double>(config.key_width)));

    mixture_config& mixture = use_mixture(from, config, from.count("expert_feed_forward_length"));
    mixture.shared = from.count_or("expert_shared_count", 1) * mixture.feed_forward;
    using enum nn::routing_options::score_kind;
    const bool biased =
        !from.is_gguf() || from.has_tensor("blk." + std::to_string(config.layers.size() - 1) + ".exp_probs_b.bias");
    mixture.routing.score = from.whole_or("expert_gating_func", biased ? 2 : 1) == 2 ? sigmoid : softmax;
    mixture.routing.normalize = from.flag_or("expert_weights_norm", !from.is_gguf());
    mixture.routing.scale = from.real_or("expert_weights_scale", from.is_gguf() ? 1.0F : 2.5F);
    mixture.routing.groups = from.count_or("expert_group_count", from.is_gguf() ? 1 : 8);
    mixture.routing.groups_used = from.count_or("expert_group_used_count", from.is_gguf() ? 1 : 4);
    mixture.routing.group_best = mixture.routing.score == softmax ? 1 : 2; // DeepSeek V2, and V3
    const auto dense = from.whole_or("leading_dense_block_count", 3);
    for(std::size_t i = 0; i < config.layers.size() && i < dense; ++i) {
        config.layers[i].is_mixture = false;
    }
    return config;
}

/// DeepSeek V2: softmax as scores, no bias that chooses, weights as they are; the best experts of all, or of the groups
/// that have the best ones.
/// @throws format_error naming the key; unsupported_error for another way to choose
[[nodiscard]] inline model_config deepseek_v2_config(const hyperparameters& from) {
    const std::string method = from.text_or("topk_method", "greedy");
    if(method != "greedy" && method != "group_limited_greedy") {
        tokenworks::detail::raise<unsupported_error>(
            {from.label(), ": topk_method '", tokenworks::detail::escaped(method), "'"});
    }
    model_config config = deepseek_v3_config(from);
    config.architecture = "deepseek_v2";
    nn::routing_options& routing = config.mixture->routing;
    routing.score = nn::routing_options::score_kind::softmax;
    routing.normalize = false;
    routing.scale = from.real_or("expert_weights_scale", 1);
    routing.group_best = 1;
    if(method == "greedy") {
        routing.groups = 1;
        routing.groups_used = 1;
    }
    return config;
}

[[nodiscard]] inline tensor_names deepseek_v3_names(const hyperparameters& from, const model_config& config) {
    const std::string attention = "model.layers.#.self_attn.";
    const std::string mlp = "model.layers.#.mlp.";
    const std::size_t p = config.latent->turned;
    const std::size_t r = config.latent->rank;
    const std::size_t n = config.key_width - p;
    const std::size_t v = config.value_width;
    if(from.is_gguf()) {
        tensor_names names = gguf_expert_names(from);
        set_names(names, {{"blk.#.attn_kv_a", "blk.#.attn_kv_a_mqa", {.rows = {r + p, 0, r}}},
                          {"blk.#.attn_k_turned", "blk.#.attn_kv_a_mqa", {.rows = {r + p, r, p}}}});
        if(from.has_tensor("blk.0.attn_kv_b.weight")) {
            set_names(names, {{"blk.#.attn_k_b", "blk.#.attn_kv_b", {.rows = {n + v, 0, n}}},
                              {"blk.#.attn_v_b", "blk.#.attn_kv_b", {.rows = {n + v, n, v}}}});
        } else {
            set_names(names, {{"blk.#.attn_k_b", "blk.#.attn_k_b", {.is_transposed = true, .is_flat = true}},
                              {"blk.#.attn_v_b", "blk.#.attn_v_b", {.is_flat = true}}});
        }
        return names;
    }
    tensor_names names = llama_like_names();
    set_names(names, {{"blk.#.attn_q_a", attention + "q_a_proj"},
                      {"blk.#.attn_q_a_norm", attention + "q_a_layernorm"},
                      {"blk.#.attn_q_b", attention + "q_b_proj"},
                      {"blk.#.attn_kv_a", attention + "kv_a_proj_with_mqa", {.rows = {r + p, 0, r}}},
                      {"blk.#.attn_k_turned", attention + "kv_a_proj_with_mqa", {.rows = {r + p, r, p}}},
                      {"blk.#.attn_kv_a_norm", attention + "kv_a_layernorm"},
                      {"blk.#.attn_k_b", attention + "kv_b_proj", {.rows = {n + v, 0, n}}},
                      {"blk.#.attn_v_b", attention + "kv_b_proj", {.rows = {n + v, n, v}}},
                      {"blk.#.ffn_gate_inp", mlp + "gate"},
                      {"blk.#.exp_probs_b.bias", mlp + "gate.e_score_correction_bias"},
                      {"blk.#.ffn_gate_shexp", mlp + "shared_experts.gate_proj"},
                      {"blk.#.ffn_up_shexp", mlp + "shared_experts.up_proj"},
                      {"blk.#.ffn_down_shexp", mlp + "shared_experts.down_proj"}});
    set_names(names, hf_expert_names(from, config, mlp + "experts", "gate_proj", "up_proj", "down_proj"));
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
