// config.json of a Hugging Face model folder, read by the names that GGUF files use (see hyperparameters.hpp).
//
// Families spell the same number in many ways, and transformers 5 moved what concerns rotary positions: the table below
// holds every spelling, in the order in which they are tried. A dot in a spelling goes into an object. `null` is
// as good as missing.
//
// Needs nlohmann-json (through io/json_tree.hpp).
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// A GGUF name and the spellings of config.json.
struct hf_key {
    std::string_view name;
    std::array<std::string_view, 5> spellings;
};

inline constexpr hf_key hf_keys[] = {
    {"context_length", {"max_position_embeddings", "n_positions", "max_seq_len", "seq_length"}},
    {"embedding_length", {"hidden_size", "n_embd", "d_model", "dim", "embed_dim"}},
    {"block_count", {"num_hidden_layers", "n_layer", "n_layers", "num_layers"}},
    {"feed_forward_length", {"intermediate_size", "n_inner", "ffn_hidden_size", "hidden_dim", "d_ff"}},
    {"activation", {"hidden_act", "hidden_activation", "activation_function", "activation"}},
    {"attention.head_count", {"num_attention_heads", "n_head", "n_heads", "num_heads"}},
    {"attention.head_count_kv", {"num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_head"}},
    {"attention.key_length", {"head_dim", "d_kv"}},
    {"attention.layer_norm_rms_epsilon", {"rms_norm_eps", "norm_eps"}},
    {"attention.layer_norm_epsilon", {"layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"}},
    {"attention.sliding_window", {"sliding_window"}},
    {"attention.sliding_window_pattern", {"sliding_window_pattern"}},
    {"attention.scale", {"attention_multiplier", "attn_config.softmax_scale"}},
    {"attention.clamp_kqv", {"clip_qkv", "attn_config.clip_qkv"}},
    {"attention.max_alibi_bias", {"attn_config.alibi_bias_max"}},
    {"attn_logit_softcapping", {"attn_logit_softcapping"}},
    {"embedding_scale", {"embedding_multiplier"}},
    {"residual_scale", {"residual_multiplier"}},
    {"logit_scale", {"logit_scale", "logits_scaling"}},
    {"rope.dimension_count", {"rotary_dim", "qk_rope_head_dim"}},
    {"rope.partial", {"rope_parameters.partial_rotary_factor", "partial_rotary_factor", "rotary_pct"}},
    {"rope.freq_base",
     {"rope_parameters.rope_theta", "rope_parameters.full_attention.rope_theta", "rope_theta", "rotary_emb_base",
      "rope_base"}},
    {"rope.freq_base_swa", {"rope_parameters.sliding_attention.rope_theta", "rope_local_base_freq"}},
    {"rope.scaling.type",
     {"rope_parameters.rope_type", "rope_parameters.full_attention.rope_type", "rope_scaling.rope_type",
      "rope_scaling.type"}},
    {"rope.scaling.factor", {"rope_parameters.factor", "rope_parameters.full_attention.factor", "rope_scaling.factor"}},
    {"rope.scaling.original_context_length",
     {"rope_parameters.original_max_position_embeddings", "rope_scaling.original_max_position_embeddings",
      "original_max_position_embeddings"}},
    {"rope.scaling.attn_factor", {"rope_parameters.attention_factor", "rope_scaling.attention_factor"}},
    {"rope.scaling.yarn_beta_fast", {"rope_parameters.beta_fast", "rope_scaling.beta_fast"}},
    {"rope.scaling.yarn_beta_slow", {"rope_parameters.beta_slow", "rope_scaling.beta_slow"}},
    {"rope.scaling.mscale", {"rope_parameters.mscale", "rope_scaling.mscale"}},
    {"rope.scaling.mscale_all_dim", {"rope_parameters.mscale_all_dim", "rope_scaling.mscale_all_dim"}},
    {"rope.scaling.truncate", {"rope_parameters.truncate", "rope_scaling.truncate"}},
    {"rope.scaling.low_freq_factor", {"rope_parameters.low_freq_factor", "rope_scaling.low_freq_factor"}},
    {"rope.scaling.high_freq_factor", {"rope_parameters.high_freq_factor", "rope_scaling.high_freq_factor"}},
    {"rope_factors_short", {"rope_parameters.short_factor", "rope_scaling.short_factor"}},
    {"rope_factors_long", {"rope_parameters.long_factor", "rope_scaling.long_factor"}},
    {"expert_count", {"num_local_experts", "num_experts", "n_routed_experts"}},
    {"expert_used_count", {"num_experts_per_tok"}},
    {"expert_feed_forward_length", {"moe_intermediate_size"}},
    {"expert_shared_feed_forward_length", {"shared_expert_intermediate_size"}},
    {"expert_shared_count", {"n_shared_experts"}},
    {"expert_weights_norm", {"norm_topk_prob"}},
    {"expert_weights_scale", {"routed_scaling_factor"}},
    {"expert_group_count", {"n_group"}},
    {"expert_group_used_count", {"topk_group"}},
    {"leading_dense_block_count", {"first_k_dense_replace"}},
    {"attention.q_lora_rank", {"q_lora_rank"}},
    {"attention.kv_lora_rank", {"kv_lora_rank"}},
    {"attention.value_length", {"v_head_dim"}},
    {"attention.relative_buckets_count", {"relative_attention_num_buckets"}},
    {"decoder_block_count", {"num_decoder_layers"}},
    {"tokenizer.ggml.token_type_count", {"type_vocab_size"}},
    {"classifier.output_labels", {"id2label"}},
    {"picture.codes", {"vocab_size"}},
    {"picture.tokens", {"block_size"}},
    {"picture.classes", {"num_classes"}},
    {"picture.labels", {"labels"}},
    {"picture.guidance", {"tokenworks_guidance"}},
    {"picture.temperature", {"tokenworks_temperature"}},
    {"vq.channels", {"vq_config.in_channels"}},
    {"vq.width", {"vq_config.ch", "vq_config.base_channels"}},
    {"vq.encoder_levels", {"vq_config.encoder_ch_mult", "vq_config.channel_multiplier"}},
    {"vq.decoder_levels", {"vq_config.decoder_ch_mult", "vq_config.channel_multiplier"}},
    {"vq.blocks", {"vq_config.num_res_blocks"}},
    {"vq.latent", {"vq_config.z_channels", "vq_config.latent_channels"}},
    {"vq.codes", {"vq_config.codebook_size", "vq_config.num_embeddings"}},
    {"vq.code_width", {"vq_config.codebook_embed_dim", "vq_config.embed_dim"}},
    {"vq.unit_latents", {"vq_config.codebook_l2_norm"}},
    {"mesh.levels", {"tokenworks_mesh_levels"}},
    {"mesh.vertices", {"tokenworks_mesh_vertices"}},
    {"mesh.classes", {"tokenworks_mesh_classes"}},
    {"video.codes", {"tokenworks_video_codes"}},
    {"video.classes", {"tokenworks_video_classes"}},
    {"video.frames", {"tokenworks_video_frames"}},
    {"video.rows", {"tokenworks_video_rows"}},
    {"video.columns", {"tokenworks_video_columns"}},
    {"video.patch", {"tokenworks_video_patch"}},
    {"video.channels", {"tokenworks_video_channels"}},
    {"video.rope_sections", {"tokenworks_video_rope_sections"}},
    {"series.context", {"chronos_config.context_length"}},
    {"series.horizon", {"chronos_config.prediction_length"}},
    {"series.patch", {"chronos_config.input_patch_size"}},
    {"series.stride", {"chronos_config.input_patch_stride"}},
    {"series.quantiles", {"chronos_config.quantiles"}},
    {"series.summary", {"chronos_config.use_reg_token"}},
    {"series.seasons", {"tokenworks_seasons"}},
    {"series.space", {"chronos_config.tokenizer_class"}},
    {"series.kind", {"chronos_config.model_type"}},
    {"series.low", {"chronos_config.tokenizer_kwargs.low_limit"}},
    {"series.high", {"chronos_config.tokenizer_kwargs.high_limit"}},
    {"series.tokens", {"chronos_config.n_tokens"}},
    {"series.special", {"chronos_config.n_special_tokens"}},
    {"series.missing", {"chronos_config.pad_token_id"}},
    {"series.end", {"chronos_config.eos_token_id"}},
    {"series.has_end", {"chronos_config.use_eos_token"}},
    {"series.samples", {"chronos_config.num_samples"}},
    {"series.temperature", {"chronos_config.temperature"}},
    {"series.top_k", {"chronos_config.top_k"}},
    {"series.top_p", {"chronos_config.top_p"}},
};

/// The hyperparameters of a config.json. A name that is not in the table is a spelling itself.
class hf_config final: public hyperparameters {
public:
    /// @param file  what errors call it
    /// @throws format_error, limit_error
    hf_config(std::span<const std::byte> json, std::string file, const limits& bounds = {})
        : file_{std::move(file)},
          tree_{std::make_shared<const io::json_tree>(checked(json, file_, bounds), file_, bounds.json_depth)} {
        if(!tree_->root().is_object()) {
            tokenworks::detail::raise_format(file_, {"config"}, format_error::no_offset, {"is no object"});
        }
    }

    /// `model_type`: the family.
    [[nodiscard]] std::string model_type() const { return text("model_type"); }
    /// The weights that belong to it, which must outlive it: what config.json leaves open, they decide.
    void set_weights(const weight_source& weights) noexcept { weights_ = &weights; }

    [[nodiscard]] const std::string& label() const noexcept override { return file_; }
    [[nodiscard]] bool is_gguf() const noexcept override { return false; }
    [[nodiscard]] std::string key(std::string_view name) const override {
        return prefix_ + std::string{look_up(name).spelling};
    }
    [[nodiscard]] bool has(std::string_view name) const override { return look_up(name).value.has_value(); }
    [[nodiscard]] bool is_list(std::string_view name) const override {
        const found at = look_up(name);
        return at.value && at.value->is_array();
    }
    [[nodiscard]] std::uint64_t whole(std::string_view name) const override { return require(name).whole({key(name)}); }
    [[nodiscard]] std::vector<std::uint64_t> wholes(std::string_view name) const override {
        std::vector<std::uint64_t> all;
        require(name).elements({key(name)}, [&](io::json_value value) { all.push_back(value.whole({key(name)})); });
        return all;
    }
    [[nodiscard]] double number(std::string_view name) const override { return require(name).number({key(name)}); }
    [[nodiscard]] std::vector<float> numbers(std::string_view name) const override {
        std::vector<float> all;
        require(name).elements(
            {key(name)}, [&](io::json_value value) { all.push_back(static_cast<float>(value.number({key(name)}))); });
        return all;
    }
    [[nodiscard]] bool flag(std::string_view name) const override { return require(name).boolean({key(name)}); }
    [[nodiscard]] std::string text(std::string_view name) const override {
        return std::string{require(name).string({key(name)})};
    }
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const override {
        std::vector<std::string> all;
        const io::json_value list = require(name);
        if(list.is_object()) {
            return numbered_texts(list, name);
        }
        list.elements({key(name)}, [&](io::json_value value) { all.emplace_back(value.string({key(name)})); });
        return all;
    }
    [[nodiscard]] std::vector<float> factors(std::string_view name, std::size_t count) const override {
        std::vector<float> all;
        if(has_tensor(name)) {
            return load_vector(*weights_, std::string{name}, count);
        }
        if(has(name)) {
            require(name).elements({key(name)}, [&](io::json_value value) {
                all.push_back(static_cast<float>(value.number({key(name)})));
            });
            if(all.size() != count) {
                refuse(name, {"has ", all.size(), " entries, expected ", count});
            }
        }
        return all;
    }
    [[nodiscard]] std::size_t vocab_size() const override { return count("vocab_size"); }
    [[nodiscard]] bool tied_embeddings() const override {
        return flag_or("tie_word_embeddings", !has_tensor("lm_head.weight") && !has_tensor("embed_out.weight"));
    }
    [[nodiscard]] bool has_tensor(std::string_view name) const override {
        return weights_ != nullptr && weights_->describe(name).has_value();
    }
    [[nodiscard]] std::optional<std::vector<std::size_t>> tensor_extents(std::string_view name) const override {
        const std::optional<weight> tensor = weights_ == nullptr ? std::nullopt : weights_->describe(name);
        return tensor ? std::optional{tensor->extents} : std::nullopt;
    }
    /// What an object inside says: `text_config`, `vision_config`. One that is missing says nothing.
    [[nodiscard]] std::unique_ptr<hyperparameters> part(std::string_view name) const override {
        auto inner = std::make_unique<hf_config>(*this);
        inner->prefix_ += std::string{name} + ".";
        return inner;
    }

    [[nodiscard]] format_error refusal(std::string_view name, const std::string& what) const override {
        return {file_, key(name), format_error::no_offset, what};
    }

private:
    struct found {
        std::string_view spelling;
        std::optional<io::json_value> value;
    };

    [[nodiscard]] static std::span<const std::byte> checked(std::span<const std::byte> json, const std::string& file,
                                                            const limits& bounds) {
        if(json.size() > bounds.config_bytes) {
            tokenworks::detail::raise<limit_error>(
                {file, ": JSON of ", json.size(), " bytes is over the limit of ", bounds.config_bytes});
        }
        return json;
    }

    /// {"0": "a", "1": "b"} is the list of both.
    [[nodiscard]] std::vector<std::string> numbered_texts(io::json_value object, std::string_view name) const {
        std::vector<std::optional<std::string>> all(object.size());
        object.members({key(name)}, [&](std::string_view number, io::json_value value) {
            std::size_t place = all.size();
            const auto [last, problem] = std::from_chars(number.data(), number.data() + number.size(), place);
            if(problem != std::errc{} || last != number.data() + number.size() || place >= all.size() || all[place]) {
                refuse(name, {"has a key '", tokenworks::detail::escaped(number), "'; expected are 0..", all.size() - 1,
                              ", each once"});
            }
            all[place] = value.string({key(name)});
        });
        std::vector<std::string> texts;
        texts.reserve(all.size());
        for(std::optional<std::string>& each: all) {
            texts.push_back(*std::move(each));
        }
        return texts;
    }

    [[nodiscard]] std::optional<io::json_value> at(std::string_view spelling) const {
        const std::string whole = prefix_ + std::string{spelling};
        std::string_view path = whole;
        std::optional<io::json_value> here = tree_->root();
        while(here) {
            if(!here->is_object()) {
                return std::nullopt;
            }
            const std::size_t dot = path.find('.');
            here = here->find(path.substr(0, dot), {path});
            if(dot == std::string_view::npos) {
                break;
            }
            path.remove_prefix(dot + 1);
        }
        return here;
    }

    [[nodiscard]] found look_up(std::string_view name) const {
        for(const hf_key& row: hf_keys) {
            if(row.name != name) {
                continue;
            }
            for(const std::string_view spelling: row.spellings) {
                if(const auto value = spelling.empty() ? std::nullopt : at(spelling)) {
                    return {spelling, value};
                }
            }
            return {row.spellings[0], std::nullopt};
        }
        return {name, at(name)};
    }

    [[nodiscard]] io::json_value require(std::string_view name) const {
        const found at = look_up(name);
        if(!at.value) {
            refuse(name, {"the key is missing"});
        }
        return *at.value;
    }

    std::string file_;
    std::shared_ptr<const io::json_tree> tree_;
    std::string prefix_{}; ///< of what a part says
    const weight_source* weights_ = nullptr;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
