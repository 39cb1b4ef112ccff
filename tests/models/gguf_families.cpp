// GGUF files of the families, with keys and tensors as llama.cpp's convert_hf_to_gguf.py writes them (the copy in
// llama-cpp-python 0.3.36): fused tensors as they are or queries first, experts in one tensor, permuted heads. Their
// logits must be those of the Hugging Face folder.
#include <tokenworks/models/gguf.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/families.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

constexpr double bound = 1e-5; // as in families.cpp

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> of) {
    return std::ranges::find(of, name) != of.end();
}

class converter {
public:
    converter(const model_folder& from, std::string architecture)
        : config_{from.config()}, weights_{from.weights()}, architecture_{std::move(architecture)} {}

    [[nodiscard]] tw::io::gguf_writer operator()() {
        out_.set("general.architecture", architecture_);
        write_keys();
        write_rope();
        for(const char* const name: {"token_embd", "token_embd_norm", "position_embd", "output_norm"}) {
            copy(name, name);
        }
        if(!config_.tied_embeddings) {
            copy("output", "output");
        }
        for(std::size_t i = 0; i < config_.layers.size(); ++i) {
            write_layer("blk." + std::to_string(i) + ".");
        }
        return std::move(out_);
    }

private:
    struct values {
        std::vector<std::size_t> extents;
        std::vector<float> numbers;
    };

    template <class T>
    void set(const std::string& key, T value) {
        out_.set(architecture_ + "." + key, value);
    }
    void count(const std::string& key, std::size_t value) { set(key, static_cast<std::uint32_t>(value)); }

    void write_keys() {
        const model_config& c = config_;
        count("vocab_size", c.vocab_size);
        count("context_length", c.context_length);
        count("embedding_length", c.width);
        count("block_count", c.layers.size());
        count("feed_forward_length", c.feed_forward);
        count("attention.head_count", c.heads);
        count("attention.head_count_kv", c.kv_heads);
        count("attention.key_length", c.key_width);
        count("attention.value_length", c.value_width);
        set(c.norm == norm_kind::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
            c.norm_epsilon);
        if(is_one_of(architecture_, {"gptneox", "stablelm"})) {
            set("use_parallel_residual", c.parallel_residual);
        }
        if(is_one_of(architecture_, {"gemma2", "gemma3", "phi3", "gpt-oss", "olmo2", "cohere2"})) {
            const auto sliding =
                std::ranges::find_if(c.layers, [](const layer_config& layer) { return layer.window != 0; });
            if(sliding != c.layers.end()) {
                count("attention.sliding_window", sliding->window);
            } else if(architecture_ == "phi3") {
                count("attention.sliding_window", 0);
            }
        }
        if(architecture_ == "gemma3") {
            count("attention.sliding_window_pattern", 2);
        }
        if(architecture_ == "gemma2") {
            set("attn_logit_softcapping", c.attention_softcap);
            set("final_logit_softcapping", c.logit_softcap);
        }
        if(is_one_of(architecture_, {"command-r", "cohere2"})) {
            set("logit_scale", c.logit_scale);
        }
        if(architecture_ == "granite") {
            set("logit_scale", 1 / c.logit_scale);
            set("embedding_scale", c.embedding_scale);
            set("residual_scale", c.residual_scale);
            set("attention.scale", c.attention_scale);
        }
        if(architecture_ == "mpt") {
            set("attention.max_alibi_bias", c.alibi_max_bias);
        }
        if(c.latent) {
            if(c.latent->query_rank != 0) {
                count("attention.q_lora_rank", c.latent->query_rank);
            }
            count("attention.kv_lora_rank", c.latent->rank);
            count("attention.key_length_mla", c.key_width);
            count("attention.value_length_mla", c.value_width);
        }
        if(c.qkv_clip > 0) {
            set("attention.clamp_kqv", c.qkv_clip);
        }
        if(c.mixture) {
            count("expert_count", c.mixture->routing.experts);
            count("expert_used_count", c.mixture->routing.used);
            count("expert_feed_forward_length", c.mixture->feed_forward);
            if(architecture_ == "deepseek2") {
                count("expert_shared_count", c.mixture->shared / c.mixture->feed_forward);
                count("expert_group_count", c.mixture->routing.groups);
                count("expert_group_used_count", c.mixture->routing.groups_used);
                set("expert_weights_scale", c.mixture->routing.scale);
                set("expert_weights_norm", c.mixture->routing.normalize);
                using score_kind = tw::nn::routing_options::score_kind;
                count("expert_gating_func", c.mixture->routing.score == score_kind::sigmoid ? 2 : 1);
                count("leading_dense_block_count", 1);
            } else if(c.mixture->shared != 0) {
                count("expert_shared_feed_forward_length", c.mixture->shared);
            }
        }
    }

    void write_rope() {
        if(config_.rope_configs.empty()) {
            return;
        }
        const tw::kernels::rope_config& rope = config_.rope_configs.front();
        count("rope.dimension_count", rope.width);
        set("rope.freq_base", static_cast<float>(rope.base));
        using enum tw::kernels::rope_scaling_kind;
        const auto factors = [&](const std::string& name, const std::vector<float>& numbers) {
            add(name, {{numbers.size()}, numbers});
        };
        const tw::kernels::rope_scaling& scaling = rope.scaling;
        if(scaling.kind == linear || scaling.kind == yarn) {
            set("rope.scaling.type", scaling.kind == yarn ? "yarn" : "linear");
            set("rope.scaling.factor", static_cast<float>(scaling.factor));
            count("rope.scaling.original_context_length", scaling.original_context);
            if(config_.latent) {
                set("rope.scaling.yarn_log_multiplier", static_cast<float>(scaling.mscale_all_dim / 10));
            }
        } else if(scaling.kind == llama3) {
            tw::kernels::rope_config unscaled = rope;
            unscaled.scaling = {};
            const tw::kernels::rope_table plain{unscaled};
            const tw::kernels::rope_table stretched{rope};
            std::vector<float> ratios;
            for(std::size_t i = 0; i < plain.frequencies().size(); ++i) {
                ratios.push_back(static_cast<float>(plain.frequencies()[i] / stretched.frequencies()[i]));
            }
            factors("rope_freqs.weight", ratios);
        } else if(scaling.kind == longrope) {
            count("rope.scaling.original_context_length", scaling.original_context);
            factors("rope_factors_short.weight", scaling.short_factors);
            factors("rope_factors_long.weight", scaling.long_factors);
        }
    }

    [[nodiscard]] std::optional<values> read(const std::string& name) const {
        const std::optional<weight> found = weights_.find(name);
        if(!found) {
            return std::nullopt;
        }
        std::size_t size = 1;
        for(const std::size_t extent: found->extents) {
            size *= extent;
        }
        values all{found->extents, std::vector<float>(size)};
        tw::quant::decode(found->type, found->bytes, all.numbers);
        return all;
    }

    void add(const std::string& name, const values& v) {
        std::vector<std::uint64_t> extents(v.extents.rbegin(), v.extents.rend());
        const std::vector<float>& kept = kept_[name] = v.numbers;
        out_.add_tensor(name, tw::dtype::f32, extents, std::as_bytes(std::span{kept}));
    }

    void copy(const std::string& from, const std::string& to) {
        for(const char* const suffix: {".weight", ".bias"}) {
            if(const auto found = read(from + suffix)) {
                add(to + suffix, *found);
            }
        }
    }

    /// Rows of several tensors below each other.
    void join(const std::vector<std::string>& from, const std::string& to) {
        for(const char* const suffix: {".weight", ".bias"}) {
            std::optional<values> all;
            for(const std::string& each: from) {
                if(const auto found = read(each + suffix)) {
                    if(!all) {
                        all = values{found->extents, {}};
                        all->extents[0] = 0;
                    }
                    all->extents[0] += found->extents[0];
                    all->numbers.insert(all->numbers.end(), found->numbers.begin(), found->numbers.end());
                }
            }
            if(all) {
                add(to + suffix, *all);
            }
        }
    }

    /// Halves of a head become neighbours.
    void copy_permuted(const std::string& name, std::size_t heads) {
        for(const char* const suffix: {".weight", ".bias"}) {
            const auto found = read(name + suffix);
            if(!found) {
                continue;
            }
            values out = *found;
            const std::size_t d = found->extents[0] / heads;
            const std::size_t row = found->numbers.size() / found->extents[0];
            for(std::size_t r = 0; r < found->extents[0]; ++r) {
                const std::size_t i = r % d;
                const std::size_t to = r / d * d + (i < d / 2 ? 2 * i : 2 * (i - d / 2) + 1);
                std::copy_n(found->numbers.begin() + static_cast<std::ptrdiff_t>(r * row), row,
                            out.numbers.begin() + static_cast<std::ptrdiff_t>(to * row));
            }
            add(name + suffix, out);
        }
    }

    void write_layer(const std::string& p) {
        const bool two_norms = architecture_ == "falcon" && weights_.find(p + "ffn_norm.weight").has_value();
        if(config_.norm_weights) {
            copy(p + "attn_norm", p + (two_norms ? "attn_norm_2" : "attn_norm"));
            copy(p + "ffn_norm", p + (two_norms                    ? "attn_norm"
                                      : architecture_ == "gpt-oss" ? "post_attention_norm"
                                                                   : "ffn_norm"));
        }
        for(const char* const name:
            {"post_attention_norm", "post_ffw_norm", "attn_q_norm", "attn_k_norm", "attn_output", "attn_sinks",
             "ffn_gate_inp", "ffn_gate_inp_shexp", "ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp"}) {
            if(std::string_view{name} != "post_attention_norm" || architecture_ != "gpt-oss") {
                copy(p + name, p + name);
            }
        }
        if(config_.latent) {
            write_latent(p);
        } else if(is_one_of(architecture_, {"gpt2", "gptneox", "falcon", "bloom", "mpt", "phi3"})) {
            join({p + "attn_q", p + "attn_k", p + "attn_v"}, p + "attn_qkv");
        } else if(is_one_of(architecture_, {"llama", "granite", "smollm3", "olmo"})) {
            copy_permuted(p + "attn_q", config_.heads);
            copy_permuted(p + "attn_k", config_.kv_heads);
            copy(p + "attn_v", p + "attn_v");
        } else {
            for(const char* const name: {"attn_q", "attn_k", "attn_v"}) {
                copy(p + name, p + name);
            }
        }
        for(const std::string name: {"ffn_gate", "ffn_up", "ffn_down"}) {
            if(config_.mixture && weights_.find(p + "ffn_gate_inp.weight")) {
                write_experts(p + name);
            } else if(architecture_ == "phi3" && name != "ffn_down") {
                if(name == "ffn_up") {
                    join({p + "ffn_gate", p + "ffn_up"}, p + "ffn_up");
                }
            } else {
                copy(p + name, p + name);
            }
        }
    }

    /// Up-projections of keys head by head, and transposed; of values head by head.
    void write_latent(const std::string& p) {
        for(const char* const name: {"attn_q", "attn_q_a", "attn_q_a_norm", "attn_q_b", "attn_kv_a_norm"}) {
            copy(p + name, p + name);
        }
        copy(p + "exp_probs_b", p + "exp_probs_b");
        join({p + "attn_kv_a", p + "attn_k_turned"}, p + "attn_kv_a_mqa");
        const auto keys = read(p + "attn_k_b.weight");
        const auto of_values = read(p + "attn_v_b.weight");
        REQUIRE((keys && of_values));
        const std::size_t rank = config_.latent->rank;
        const std::size_t n = config_.key_width - config_.latent->turned;
        values turned{{config_.heads, rank, n}, std::vector<float>(keys->numbers.size())};
        for(std::size_t i = 0; i < turned.numbers.size(); ++i) {
            turned.numbers[i] = keys->numbers[(i / (rank * n) * n + i % n) * rank + i / n % rank];
        }
        add(p + "attn_k_b.weight", turned);
        add(p + "attn_v_b.weight", {{config_.heads, config_.value_width, rank}, of_values->numbers});
    }

    void write_experts(const std::string& name) {
        for(const char* const suffix: {".weight", ".bias"}) {
            std::optional<values> all;
            for(std::size_t e = 0; e < config_.mixture->routing.experts; ++e) {
                if(const auto found = read(name + "." + std::to_string(e) + suffix)) {
                    if(!all) {
                        all = values{found->extents, {}};
                        all->extents.insert(all->extents.begin(), config_.mixture->routing.experts);
                    }
                    all->numbers.insert(all->numbers.end(), found->numbers.begin(), found->numbers.end());
                }
            }
            if(all) {
                add(name + "_exps" + suffix, *all);
            }
        }
    }

    const model_config& config_;
    const weight_source& weights_;
    std::string architecture_;
    tw::io::gguf_writer out_;
    std::map<std::string, std::vector<float>> kept_;
};

/// What GGUF files cannot say, as those who read them take it.
model_config as_gguf_has_it(model_config config, std::string_view architecture) {
    if(is_one_of(architecture, {"llama", "qwen2", "starcoder2"})) {
        for(layer_config& layer: config.layers) {
            layer.window = 0;
        }
    }
    if(is_one_of(architecture, {"gemma2", "gemma3", "mpt"})) {
        config.attention_scale = 1 / std::sqrt(static_cast<float>(config.key_width));
    }
    if(architecture == "gpt-oss") {
        config.mixture->clamp = 7;
    }
    if(architecture == "deepseek2") {
        tw::kernels::rope_scaling& scaling = config.rope_configs.front().scaling;
        scaling.mscale = scaling.mscale_all_dim;
    }
    return config;
}

} // namespace

TEST_CASE("gguf: files of every family as converters write them", "[models]") {
    const files::temporary_folder folder;
    // Forms that have no GGUF file, or none that says what they are.
    const std::set<std::string> unwritten{"falcon_slopes", "llama_dynamic",   "qwen2_moe_some",
                                          "phi_normed",    "stablelm_normed", "deepseek_v3_direct"};
    std::set<std::string> seen;
    for(const std::string& name: family_golden::names()) {
        const family_golden golden{name};
        const std::string type = golden.config.at("model_type").get<std::string>();
        const auto found = std::ranges::find(families(), type, &family::hf);
        REQUIRE(found != families().end());
        std::string architecture{found->gguf};
        architecture = is_one_of(type, {"mistral", "mixtral"}) ? "llama"
                       : type == "olmo3"                       ? "olmo2"
                       : type == "deepseek_v2"                 ? "deepseek2"
                                                               : architecture;
        if(architecture.empty() || unwritten.contains(name)) {
            continue;
        }
        INFO(name << " as " << architecture);
        seen.insert(architecture);
        golden.write_to(folder.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(folder.string());
        const decoder expected{as_gguf_has_it(opened.config(), architecture), opened.weights()};
        const support::gguf_in_memory file{converter{opened, architecture}()};
        const decoder actual{config_of(file.file), *weights_of(file.file)};
        family_golden reference = golden;
        reference.logits = support::all_logits(expected, golden.ids, golden.ids.size());
        CHECK(reference.worst(support::all_logits(actual, golden.ids, golden.ids.size())) < bound);
    }
    // gguf_encoders.cpp, runtime/forecaster.cpp and runtime/image_model.cpp look at those that are no decoders.
    seen.insert({"bert", "modern-bert", "t5", "t5encoder", "chronos-bolt", "llamagen", "timesfm", "timesfm2.5"});
    for(const family& each: families()) {
        CHECK((each.gguf.empty() || seen.contains(std::string{each.gguf})));
    }
}
