// TimesFM: a decoder that reads a series in patches and tells, behind each, the values that follow. Das et al., "A
// decoder-only foundation model for time-series forecasting", 2024; transformers 5.24, modeling_timesfm.py (1.0, 2.0)
// and modeling_timesfm2_5.py.
//
//   const auto folder = models::model_folder::open("timesfm-2.0-500m");
//   folder.config().series->timesfm->frequencies == 3;
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/chronos.hpp>
#include <tokenworks/models/family.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/timesfm_form.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// What both generations say.
/// @param context  where the file names none
inline model_config timesfm_base(const hyperparameters& from, const char* architecture, std::size_t layers,
                                 std::size_t context) {
    model_config config;
    config.architecture = architecture;
    config.width = from.count_or("embedding_length", 1280);
    config.feed_forward = from.count_or("feed_forward_length", 1280);
    config.layers.resize(from.count_or("block_count", layers, 4096));
    config.heads = from.count_or("attention.head_count", 16);
    config.kv_heads = config.heads;
    config.key_width = from.count_or("attention.key_length", 80);
    config.value_width = config.key_width;
    config.attention_scale = 1; // queries are scaled one by one
    config.norm = norm_kind::rms;
    config.norm_epsilon = from.real_or("attention.layer_norm_rms_epsilon", 1e-6F);
    config.mlp = feed_forward_kind::plain;
    config.position = position_kind::none;
    config.final_norm = false;
    config.tied_embeddings = true; // there is no head of tokens
    config.vocab_size = 1;
    series_config& series = config.series.emplace();
    series.patch = from.count_or("series.patch", 32, 65536);
    series.stride = series.patch;
    series.context = from.count_or("series.context", context, std::size_t{1} << 24);
    series.horizon = from.count_or("series.horizon", 128, 65536);
    if(series.context < 2 || series.context % series.patch != 0) {
        from.refuse("series.context", {"is ", series.context, ", not whole patches of ", series.patch});
    }
    config.context_length = series.context / series.patch;
    series.quantiles = from.has("series.quantiles")
                           ? series_quantiles(from)
                           : std::vector<float>{0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F, 0.7F, 0.8F, 0.9F};
    series.timesfm.emplace();
    return config;
}

} // namespace detail

/// Versions 1.0 and 2.0.
/// @throws format_error naming the key
[[nodiscard]] inline model_config timesfm_config(const hyperparameters& from) {
    model_config config = detail::timesfm_base(from, "timesfm", 50, 512);
    config.activation = kernels::activation_kind::relu;
    timesfm_form& form = *config.series->timesfm;
    form.frequencies = from.count_or("series.frequencies", 3, 65536);
    config.vocab_size = form.frequencies;
    form.tolerance = from.real_or("series.tolerance", 1e-6F);
    if(!(form.tolerance > 0)) {
        from.refuse("series.tolerance", {"is ", form.tolerance, ", not above 0"});
    }
    form.waves = from.flag_or("series.waves", false);
    form.least_period = from.real_or("series.least_period", 1);
    form.most_period = from.real_or("series.most_period", 10000);
    if(!(form.least_period > 0 && form.most_period >= form.least_period)) {
        from.refuse("series.most_period", {"is ", form.most_period, ", the least ", form.least_period});
    }
    if(form.waves && config.width % 2 != 0) {
        from.refuse("embedding_length", {"is ", config.width, ", which sines and cosines do not share evenly"});
    }
    return config;
}

/// Version 2.5.
/// @throws format_error naming the key; unsupported_error
[[nodiscard]] inline model_config timesfm2_5_config(const hyperparameters& from) {
    model_config config = detail::timesfm_base(from, "timesfm2.5", 20, 16384);
    config.kv_heads = from.count_or("attention.head_count_kv", 16);
    use_activation(from, config, kernels::activation_kind::silu);
    config.position = position_kind::rope;
    config.qk_norm = qk_norm_kind::per_head;
    config.post_norm = true;
    use_rope(from, config);
    if(config.rope_configs.back().scaling.kind != kernels::rope_scaling_kind::none) {
        tokenworks::detail::raise<unsupported_error>({from.label(), ": ", from.key("rope.scaling.type"), " is set"});
    }
    series_config& series = *config.series;
    timesfm_form& form = *series.timesfm;
    form.is_second = true;
    const std::size_t spread = from.count_or("series.spread", 1024, 65536);
    form.spread = from.flag_or("series.has_spread", true) ? spread : 0;
    form.point =
        static_cast<std::size_t>(std::min<std::uint64_t>(from.whole_or("series.point", 5), series.quantiles.size()));
    form.flip = from.flag_or("series.flip", true);
    form.positive = from.flag_or("series.positive", true);
    return config;
}

namespace detail {

[[nodiscard]] inline tensor_names residual_names(const std::string& name, const std::string& stored) {
    return {{name + ".up", stored + ".input_layer"},
            {name + ".down", stored + ".output_layer"},
            {name + ".skip", stored + ".residual_layer"}};
}

[[nodiscard]] inline tensor_names timesfm_layer_names(const std::string& layer) {
    return {
        {"blk.#.attn_norm", layer + "input_layernorm"},    {"blk.#.attn_q", layer + "self_attn.q_proj"},
        {"blk.#.attn_k", layer + "self_attn.k_proj"},      {"blk.#.attn_v", layer + "self_attn.v_proj"},
        {"blk.#.attn_output", layer + "self_attn.o_proj"}, {"blk.#.attn_q_scale.weight", layer + "self_attn.scaling"}};
}

} // namespace detail

[[nodiscard]] inline tensor_names timesfm_names(const hyperparameters& from, const model_config&) {
    if(from.is_gguf()) {
        return {};
    }
    const std::string layer = "decoder.layers.#.";
    tensor_names names = detail::timesfm_layer_names(layer);
    set_names(names, detail::residual_names("patch_in", "decoder.input_ff_layer"));
    set_names(names, detail::residual_names("patch_out", "horizon_ff_layer"));
    set_names(names, {{"frequency_embd", "decoder.freq_emb"},
                      {"blk.#.ffn_norm", layer + "mlp.layer_norm"},
                      {"blk.#.ffn_up", layer + "mlp.gate_proj"},
                      {"blk.#.ffn_down", layer + "mlp.down_proj"}});
    return names;
}

[[nodiscard]] inline tensor_names timesfm2_5_names(const hyperparameters& from, const model_config&) {
    if(from.is_gguf()) {
        return {};
    }
    const std::string layer = "model.layers.#.";
    // transformers calls them fc1 and fc2, and ff0 and ff1 in files.
    const bool as_saved = from.has_tensor("model.layers.0.mlp.ff0.weight");
    tensor_names names = detail::timesfm_layer_names(layer);
    set_names(names, detail::residual_names("patch_in", "model.input_ff_layer"));
    set_names(names, detail::residual_names("patch_out", "output_projection_point"));
    set_names(names, detail::residual_names("spread_out", "output_projection_quantiles"));
    set_names(names, {{"blk.#.attn_q_norm", layer + "self_attn.q_norm"},
                      {"blk.#.attn_k_norm", layer + "self_attn.k_norm"},
                      {"blk.#.post_attention_norm", layer + "post_attention_layernorm"},
                      {"blk.#.ffn_norm", layer + "pre_feedforward_layernorm"},
                      {"blk.#.ffn_up", layer + (as_saved ? "mlp.ff0" : "mlp.fc1")},
                      {"blk.#.ffn_down", layer + (as_saved ? "mlp.ff1" : "mlp.fc2")},
                      {"blk.#.post_ffw_norm", layer + "post_feedforward_layernorm"}});
    return names;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
