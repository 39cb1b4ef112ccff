// Turns named tensors into the blocks of a decoder. The names are those of GGUF files; other formats map theirs to
// them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/packed_cache.hpp>
#include <tokenworks/models/relative_bias.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/cross_attention.hpp>
#include <tokenworks/nn/decoder_layer.hpp>
#include <tokenworks/nn/embedding.hpp>
#include <tokenworks/nn/input_embeddings.hpp>
#include <tokenworks/nn/patch_embeddings.hpp>
#include <tokenworks/nn/residual_mlp.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Makes the blocks that a configuration describes, each from the tensors that carry its names.
class block_loader {
public:
    /// @param part  in front of the names of all but the token embeddings and the head: "enc." or "dec." where a model
    ///              has both, as in GGUF files
    block_loader(const model_config& config, const weight_source& source, const execution& how, weight_loading loading,
                 std::string part = {})
        : config_{config}, source_{source}, how_{how}, loading_{std::move(loading)}, part_{std::move(part)} {
        for(const kernels::rope_config& rope: config.rope_configs) {
            ropes_.push_back(std::make_shared<const kernels::rope_table>(
                rope, config.rope_context == 0 ? config.context_length : config.rope_context));
        }
    }

    /// The tables before the first layer.
    /// @param tokens  the table of tokens, where another part of the model has loaded it
    [[nodiscard]] nn::input_embeddings embeddings(const nn::embedding* tokens = nullptr) {
        nn::input_embeddings result{.tokens = tokens != nullptr ? *tokens : table("token_embd", config_.vocab_size),
                                    .scale = config_.embedding_scale};
        if(config_.has_position_table()) {
            result.positions = table(part_ + "position_embd", config_.first_position + config_.context_length);
            result.first_position = config_.first_position;
        }
        if(config_.token_types != 0) {
            result.types = table("token_types", config_.token_types);
        }
        if(config_.embedding_norm) {
            result.after = norm(part_ + "token_embd_norm");
        }
        return result;
    }

    /// What makes rows of images.
    [[nodiscard]] nn::patch_embeddings patch_embeddings() {
        const image_config& image = *config_.image;
        return {.projection = linear(part_ + "patch_embd", config_.width, image.patch_values()),
                .first = load_vector(source_, part_ + "class_embd", config_.width),
                .positions = table(part_ + "position_embd", config_.context_length),
                .patch_height = image.patch_height,
                .patch_width = image.patch_width,
                .after = config_.embedding_norm ? std::optional{norm(part_ + "token_embd_norm")} : std::nullopt};
    }

    /// A layer behind the last, of a name of its own.
    [[nodiscard]] nn::linear behind(const std::string& name, std::size_t rows) {
        return linear(part_ + name, rows, config_.width);
    }
    /// The norm of pooled rows.
    [[nodiscard]] nn::norm pooled_norm() { return norm(part_ + "output_norm"); }

    /// A layer with a way around it.
    [[nodiscard]] nn::residual_mlp residual_mlp(const std::string& name, std::size_t inputs, std::size_t outputs) {
        return {.way = {.up = linear(name + ".up", config_.feed_forward, inputs),
                        .down = linear(name + ".down", outputs, config_.feed_forward),
                        .activation = {config_.activation}},
                .skip = linear(name + ".skip", outputs, inputs)};
    }

    /// What comes before the head of a masked language model.
    [[nodiscard]] nn::linear head_transform() { return linear("output_transform", config_.width, config_.width); }
    [[nodiscard]] nn::norm head_norm() { return norm("output_transform_norm"); }

    /// The parts of a head that tells classes.
    [[nodiscard]] nn::linear class_transform() { return linear("cls", config_.width, config_.width); }
    [[nodiscard]] nn::norm class_norm() { return norm("cls.norm"); }
    [[nodiscard]] nn::linear class_head() {
        return linear("cls.output", config_.classifier->labels.size(), config_.width);
    }

    [[nodiscard]] nn::linear head(const nn::embedding& embedding) {
        if(config_.tied_embeddings) {
            matrices_.emplace_back("output.weight", embedding.table().get());
            return nn::linear{embedding.table(), optional_vector("output.bias", config_.vocab_size)};
        }
        return linear("output", config_.vocab_size, config_.width);
    }

    [[nodiscard]] std::optional<nn::norm> final_norm() {
        return config_.final_norm ? std::optional{norm(part_ + "output_norm")} : std::nullopt;
    }

    [[nodiscard]] nn::decoder_layer layer(std::size_t index) {
        const std::string prefix = tokenworks::detail::message({part_, "blk.", index, "."});
        nn::decoder_layer result{.attend = attention(index, prefix), .mlp = feed_forward(index, prefix)};
        if(config_.pre_norm) {
            if(config_.layers[index].attention_norm) {
                result.before_attention = norm(prefix + "attn_norm");
            }
            // With a parallel residual, one norm may serve both.
            if(!config_.parallel_residual || source_.describe(prefix + "ffn_norm.weight")) {
                result.before_mlp = norm(prefix + "ffn_norm");
            }
        }
        if(config_.post_norm) {
            result.after_attention = norm(prefix + "post_attention_norm");
            result.after_mlp = norm(prefix + "post_ffw_norm");
        }
        if(config_.norm_sums) {
            result.after_attention = norm(prefix + "attn_output_norm");
            result.after_mlp = norm(prefix + "layer_output_norm");
            result.norm_sums = true;
        }
        if(config_.memory_width != 0) {
            add_cross_attention(result, prefix);
        }
        result.parallel = config_.parallel_residual;
        result.residual_scale = config_.residual_scale;
        return result;
    }

    /// The weights of the linear layers that were made, by name.
    [[nodiscard]] named_matrices& matrices() noexcept { return matrices_; }

private:
    void add_cross_attention(nn::decoder_layer& layer, const std::string& prefix) {
        const std::size_t inner = config_.heads * config_.key_width;
        layer.cross = nn::cross_attention{.query = linear(prefix + "cross_attn_q", inner, config_.width),
                                          .key = linear(prefix + "cross_attn_k", inner, config_.memory_width),
                                          .value = linear(prefix + "cross_attn_v", inner, config_.memory_width),
                                          .output = linear(prefix + "cross_attn_output", config_.width, inner),
                                          .heads = config_.heads,
                                          .width = config_.key_width,
                                          .scale = config_.attention_scale};
        if(config_.pre_norm) {
            layer.before_cross = norm(prefix + "cross_attn_norm");
        }
        if(config_.norm_sums) {
            layer.after_cross = norm(prefix + "cross_attn_output_norm");
        }
    }

    [[nodiscard]] nn::embedding table(const std::string& name, std::size_t rows) {
        return nn::embedding{std::make_shared<const kernels::packed_matrix>(
            matrix(name + ".weight", rows, config_.width, kernels::precision_of_table(loading_.precision)))};
    }

    /// The biases of distances, which all layers share.
    [[nodiscard]] std::shared_ptr<const std::vector<float>> relative_bias() {
        if(!relative_bias_) {
            const std::size_t buckets = config_.relative.buckets;
            const std::vector<float> values =
                load_values(source_, part_ + "blk.0.attn_rel_b.weight", std::array{buckets, config_.heads});
            relative_bias_ = models::relative_bias(config_.relative, values, config_.heads, config_.causal);
        }
        return relative_bias_;
    }

    [[nodiscard]] kernels::packed_matrix matrix(const std::string& name, std::size_t rows, std::size_t columns) {
        return matrix(name, rows, columns, loading_.precision);
    }
    [[nodiscard]] kernels::packed_matrix matrix(const std::string& name, std::size_t rows, std::size_t columns,
                                                kernels::matmul_precision precision) {
        // What the matrix is tells whether a cache has it; its values, which may be costly to make, are then not
        // needed.
        const bool described = loading_.cache != nullptr;
        const weight found = require_real(source_, name, std::array{rows, columns}, described);
        const dtype_info type = info(found.type);
        if(columns % type.block_size != 0) {
            raise_weight(source_, name, found.offset,
                         {"rows of ", columns, " are no multiple of the ", type.name, " block"});
        }
        std::optional<kernels::packed_matrix> packed;
        if(loading_.cache != nullptr) {
            packed = loading_.cache->find(name, found.type, rows, columns, how_, &pool_, precision);
        }
        if(packed) {
            done_ += static_cast<std::uint64_t>(rows) * (columns / type.block_size) * type.block_bytes;
        } else {
            const weight whole = described ? require_real(source_, name, std::array{rows, columns}) : found;
            packed = kernels::pack(whole.type, whole.bytes, rows, columns, how_, {}, &pool_, precision);
            source_.release(whole);
            done_ += whole.progress_bytes();
        }
        if(loading_.cache != nullptr) {
            loading_.cache->keep(name, *packed);
        }
        if(loading_.progress && !loading_.progress(done_)) {
            tokenworks::detail::raise<cancelled_error>({"loading ", source_.label(), ": cancelled"});
        }
        return *std::move(packed);
    }

    [[nodiscard]] std::vector<float> optional_vector(const std::string& name, std::size_t length) {
        return source_.describe(name) ? load_vector(source_, name, length) : std::vector<float>{};
    }

    [[nodiscard]] nn::linear linear(const std::string& name, std::size_t rows, std::size_t columns) {
        nn::linear made{matrix(name + ".weight", rows, columns), optional_vector(name + ".bias", rows)};
        matrices_.emplace_back(name + ".weight", &made.weight());
        return made;
    }

    [[nodiscard]] nn::norm norm(const std::string& name) { return norm(name, config_.width); }
    [[nodiscard]] nn::norm norm(const std::string& name, std::size_t width) {
        std::vector<float> scale =
            config_.norm_weights ? load_vector(source_, name + ".weight", width) : std::vector<float>(width, 1.0F);
        const bool is_biased = config_.norm == norm_kind::layer;
        return norm_of(std::move(scale), is_biased ? optional_vector(name + ".bias", width) : std::vector<float>{});
    }

    [[nodiscard]] nn::norm norm_of(std::vector<float> scale, std::vector<float> bias) const {
        if(config_.norm == norm_kind::layer) {
            return nn::layer_norm{std::move(scale), std::move(bias), config_.norm_epsilon};
        }
        return nn::rms_norm{std::move(scale), config_.norm_epsilon};
    }

    /// Weights [H,D] of norms head by head: one tensor, or one a head.
    [[nodiscard]] std::vector<float> head_weights(const std::string& name, std::size_t heads) {
        const std::size_t d = config_.key_width;
        if(source_.describe(name + ".weight")) {
            return load_values(source_, name + ".weight", std::array{heads, d});
        }
        std::vector<float> all(heads * d);
        for(std::size_t h = 0; h < heads; ++h) {
            const std::vector<float> one =
                load_vector(source_, tokenworks::detail::message({name, ".", h, ".weight"}), d);
            std::ranges::copy(one, all.begin() + static_cast<std::ptrdiff_t>(h * d));
        }
        return all;
    }

    [[nodiscard]] nn::attention attention(std::size_t index, const std::string& prefix) {
        const std::size_t queries = config_.heads * config_.key_width;
        const std::size_t keys = config_.kv_heads * config_.key_width;
        const std::size_t values = config_.kv_heads * config_.value_width;
        const bool plain = !config_.latent;
        const std::size_t query_rank = plain ? 0 : config_.latent->query_rank;
        nn::attention result{
            .query = query_rank == 0 ? linear(prefix + "attn_q", queries, config_.width)
                                     : linear(prefix + "attn_q_b", queries, query_rank),
            .key = plain ? linear(prefix + "attn_k", keys, config_.width) : nn::linear{},
            .value = plain ? linear(prefix + "attn_v", values, config_.width) : nn::linear{},
            .output = linear(prefix + "attn_output", config_.width, config_.heads * config_.value_width),
            .heads = config_.heads,
            .kv_heads = config_.kv_heads,
            .key_width = config_.key_width,
            .value_width = config_.value_width,
            .scale = config_.attention_scale,
            .softcap = config_.attention_softcap,
            .window = config_.layers[index].window,
            .causal = config_.causal,
            .clip = config_.qkv_clip,
        };
        if(!config_.causal && result.window != 0) {
            result.ahead = result.window - 1;
        }
        if(config_.position == position_kind::relative) {
            result.relative_bias = relative_bias();
        }
        if(config_.latent) {
            result.latent = latent_projection(prefix);
            result.rope_first = config_.key_width - config_.latent->turned;
        }
        if(config_.qk_norm == qk_norm_kind::per_head) {
            result.query_norm = norm(prefix + "attn_q_norm", config_.key_width);
            result.key_norm = norm(prefix + "attn_k_norm", config_.key_width);
        } else if(config_.qk_norm == qk_norm_kind::full) {
            result.query_norm = norm(prefix + "attn_q_norm", queries);
            result.key_norm = norm(prefix + "attn_k_norm", keys);
            result.norm_before_split = true;
        } else if(config_.qk_norm == qk_norm_kind::own_head) {
            result.query_norm = norm_of(std::vector<float>(config_.key_width, 1.0F), {});
            result.key_norm = result.query_norm;
            result.query_weight = head_weights(prefix + "attn_q_norm", config_.heads);
            result.key_weight = head_weights(prefix + "attn_k_norm", config_.kv_heads);
        }
        if(config_.attention_sinks) {
            result.sinks = load_vector(source_, prefix + "attn_sinks.weight", config_.heads);
        }
        if(config_.position == position_kind::alibi) {
            result.alibi_slopes = alibi_slopes(config_.heads, config_.alibi_max_bias, config_.alibi_scale);
        }
        if(config_.position == position_kind::rope && config_.layers[index].rope != layer_config::no_rope) {
            result.rope = ropes_[config_.layers[index].rope];
        }
        return result;
    }

    [[nodiscard]] nn::latent_projection latent_projection(const std::string& prefix) {
        const latent_config& how = *config_.latent;
        nn::latent_projection result{
            .latent_down = linear(prefix + "attn_kv_a", how.rank, config_.width),
            .turned_key = linear(prefix + "attn_k_turned", how.turned, config_.width),
            .latent_norm = norm(prefix + "attn_kv_a_norm", how.rank),
            .key_up = linear(prefix + "attn_k_b", config_.heads * (config_.key_width - how.turned), how.rank),
            .value_up = linear(prefix + "attn_v_b", config_.heads * config_.value_width, how.rank),
        };
        if(how.query_rank != 0) {
            result.query_down = linear(prefix + "attn_q_a", how.query_rank, config_.width);
            result.query_norm = norm(prefix + "attn_q_a_norm", how.query_rank);
        }
        return result;
    }

    using gated = nn::gated_mlp<kernels::any_activation>;

    [[nodiscard]] nn::feed_forward feed_forward(std::size_t index, const std::string& prefix) {
        if(config_.layers[index].is_mixture) {
            return mixture(prefix);
        }
        if(config_.mlp == feed_forward_kind::gated) {
            return gated_mlp<gated>(prefix, "", config_.feed_forward, {config_.activation});
        }
        nn::linear up = linear(prefix + "ffn_up", config_.feed_forward, config_.width);
        nn::linear down = linear(prefix + "ffn_down", config_.width, config_.feed_forward);
        return nn::mlp<kernels::any_activation>{std::move(up), std::move(down), {config_.activation}};
    }

    /// @param suffix  of the tensors' names: nothing, the number of an expert, or that of the shared one
    template <class Mlp>
    [[nodiscard]] Mlp gated_mlp(const std::string& prefix, const std::string& suffix, std::size_t width,
                                decltype(Mlp::activation) activation) {
        nn::linear up = linear(prefix + "ffn_up" + suffix, width, config_.width);
        nn::linear down = linear(prefix + "ffn_down" + suffix, config_.width, width);
        nn::linear gate = linear(prefix + "ffn_gate" + suffix, width, config_.width);
        return {std::move(gate), std::move(up), std::move(down), activation};
    }

    [[nodiscard]] nn::mixture mixture(const std::string& prefix) {
        const mixture_config& how = *config_.mixture;
        nn::mixture result{
            .router = linear(prefix + "ffn_gate_inp", how.routing.experts, config_.width),
            .routing = how.routing,
            .selection_bias = optional_vector(prefix + "exp_probs_b.bias", how.routing.experts),
        };
        for(std::size_t e = 0; e < how.routing.experts; ++e) {
            const std::string suffix = tokenworks::detail::message({".", e});
            if(how.clamp > 0) {
                using clamped = nn::gated_mlp<kernels::clamped_swiglu>;
                result.experts.emplace_back(gated_mlp<clamped>(prefix, suffix, how.feed_forward, {how.clamp}));
            } else {
                result.experts.emplace_back(gated_mlp<gated>(prefix, suffix, how.feed_forward, {config_.activation}));
            }
        }
        if(how.shared != 0) {
            result.shared = gated_mlp<gated>(prefix, "_shexp", how.shared, {config_.activation});
        }
        if(how.shared_gate) {
            result.shared_gate = linear(prefix + "ffn_gate_inp_shexp", 1, config_.width);
        }
        return result;
    }

    /// Slopes of H heads. Press et al., "Train Short, Test Long", 2022, with the usual extension to H that are no power
    /// of two.
    [[nodiscard]] static std::vector<float> alibi_slopes(std::size_t heads, float max_bias, float scale) {
        std::size_t power = 1;
        while(power * 2 <= heads) {
            power *= 2;
        }
        const double ratio = std::exp2(-static_cast<double>(max_bias) / static_cast<double>(power));
        const double between = std::exp2(-static_cast<double>(max_bias) / 2 / static_cast<double>(power));
        std::vector<float> slopes;
        for(std::size_t h = 0; h < heads; ++h) {
            const double slope = h < power ? std::pow(ratio, static_cast<double>(h + 1))
                                           : std::pow(between, static_cast<double>(2 * (h - power) + 1));
            slopes.push_back(static_cast<float>(slope * static_cast<double>(scale)));
        }
        return slopes;
    }

    const model_config& config_;
    const weight_source& source_;
    execution how_;
    weight_loading loading_;
    std::string part_;
    std::shared_ptr<const std::vector<float>> relative_bias_;
    huge_pool pool_;
    std::uint64_t done_ = 0;
    std::vector<std::shared_ptr<const kernels::rope_table>> ropes_;
    named_matrices matrices_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::models
