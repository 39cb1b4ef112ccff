// Writes a Hugging Face model folder as a GGUF file: metadata, tokenizer, chat template, and tensors in the types asked
// for.
//
//   const auto folder = models::model_folder::open("SmolLM2-135M-Instruct");
//   const auto how = models::quantization::named("q8_0");
//   io::gguf_writer out;
//   models::export_gguf(folder, how, out);
//   out.save("smollm2.q8_0.gguf");
//
// The family that reads GGUF files reads what was made, and must come to the configuration that config.json gives: a
// model that such a file cannot describe is refused and not written wrong. Names of keys and tensors, and the order of
// rows of queries and keys, are those of llama.cpp's convert_hf_to_gguf.py.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/classifier.hpp>
#include <tokenworks/models/embedding_options.hpp>
#include <tokenworks/models/export_forecaster.hpp>
#include <tokenworks/models/export_picture.hpp>
#include <tokenworks/models/export_tensors.hpp>
#include <tokenworks/models/export_video.hpp>
#include <tokenworks/models/export_vocabulary.hpp>
#include <tokenworks/models/families.hpp>
#include <tokenworks/models/gguf_source.hpp>
#include <tokenworks/models/hf_config.hpp>
#include <tokenworks/models/mesh_config.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantization.hpp>
#include <tokenworks/models/quantize_gguf.hpp>
#include <tokenworks/models/read_family.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/models/weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Adds all metadata and tensors of a folder to a writer, matrices in the types that they get, all else as float32.
/// @param folder  must stay until the writer has saved, and so must the team
/// @throws unsupported_error for a family, a configuration or a tokenizer that GGUF files do not hold; as the files'
///         readers do; saving throws as encode_rows
TOKENWORKS_FUNCTION void export_gguf(const model_folder& folder, const quantization& how, io::gguf_writer& out,
                                     const execution& where = {}, const limits& bounds = {});

/// What a GGUF file of the folder's model would call its tensors.
/// @throws unsupported_error as export_gguf
[[nodiscard]] TOKENWORKS_FUNCTION tensor_names exported_names(const model_folder& folder);

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// The hyperparameters of metadata that has no tensors yet.
class exported_hyperparameters final: public gguf_hyperparameters {
public:
    exported_hyperparameters(const io::gguf_file& file, const model_config& config, const weight_source& weights)
        : gguf_hyperparameters{file}, config_{&config}, weights_{&weights} {}

    [[nodiscard]] bool tied_embeddings() const override { return config_->tied_embeddings; }
    [[nodiscard]] bool has_tensor(std::string_view name) const override {
        if(name == "blk.0.attn_norm_2.weight") { // two norms beside each other have this name in Falcon's files
            return config_->parallel_residual && weights_->describe("blk.0.ffn_norm.weight").has_value();
        }
        if(name.starts_with("cls.")) { // a head of other weights may have the same names
            return config_->classifier.has_value();
        }
        if(name.find("_exps.") != name.npos) {
            return config_->mixture.has_value();
        }
        if(config_->qk_norm == qk_norm_kind::own_head && name == "blk.0.attn_q_norm.weight") {
            return true;
        }
        return weights_->describe(name).has_value();
    }
    [[nodiscard]] std::vector<float> factors(std::string_view name, std::size_t count) const override {
        if(config_->rope_configs.empty()) {
            return {};
        }
        const kernels::rope_scaling& scaling = config_->rope_configs[0].scaling;
        return name == "rope_factors_long"    ? scaling.long_factors
               : name == "rope_factors_short" ? scaling.short_factors
                                              : gguf_hyperparameters::factors(name, count);
    }

private:
    const model_config* config_;
    const weight_source* weights_;
};

class gguf_exporter {
public:
    gguf_exporter(const model_folder& folder, std::shared_ptr<const quantization> how, io::gguf_writer& out,
                  const execution& where, const limits& bounds)
        : folder_{folder},
          config_{folder.config()},
          weights_{folder.weights()},
          how_{std::move(how)},
          out_{out},
          where_{where},
          bounds_{bounds} {}

    void write();

    /// How the file calls the tensors.
    [[nodiscard]] tensor_names names() { return describe().names; }

private:
    /// What the file says of the model, read back.
    struct description {
        model_config config;
        tensor_names names;
    };
    [[nodiscard]] description describe();

    [[noreturn]] TOKENWORKS_COLD void refuse(tokenworks::detail::message_parts why) const {
        tokenworks::detail::raise<unsupported_error>(
            {folder_.parameters().label(),
             ": there is no GGUF form of this model: ", tokenworks::detail::message(why)});
    }

    [[nodiscard]] const family& target() const;
    void write_config();
    void write_ropes();
    void write_mixture();
    void write_family_keys();
    void write_encoder_keys();
    void write_classifier_keys();
    void write_decoder_start();
    void write_window();
    [[nodiscard]] static model_config comparable(model_config config);
    void require_same(const model_config& read, const model_config& wanted) const;

    template <class T>
    void set(const char* key, T value) {
        out_.set(architecture_ + "." + key, value);
    }
    void count(const char* key, std::size_t value) { set(key, static_cast<std::uint32_t>(value)); }

    const model_folder& folder_;
    const model_config& config_;
    const weight_source& weights_;
    std::shared_ptr<const quantization> how_;
    io::gguf_writer& out_;
    execution where_;
    limits bounds_;
    std::string architecture_;
};

/// The family of GGUF files that holds this model.
inline const family& gguf_exporter::target() const {
    std::string_view name =
        find_family(&family::hf, folder_.parameters().model_type(), folder_.parameters().label(), "model_type").gguf;
    const std::string type = folder_.parameters().model_type();
    if(type == "mistral" || type == "mixtral") {
        name = "llama";
    }
    if(type == "roberta" || type == "xlm-roberta" || type == "distilbert") {
        name = "bert";
    }
    if(name.empty() || config_.latent || config_.attention_sinks) {
        refuse({"'", tokenworks::detail::escaped(type), "' has none that is known here"});
    }
    return find_family(&family::gguf, name, folder_.parameters().label(), "architecture");
}

inline void gguf_exporter::write_config() {
    count("vocab_size", config_.vocab_size);
    count("context_length", config_.context_length);
    count("embedding_length", config_.width);
    count("block_count", (folder_.encoder_config() ? *folder_.encoder_config() : config_).layers.size());
    count("feed_forward_length", config_.feed_forward);
    count("attention.head_count", config_.heads);
    count("attention.head_count_kv", config_.kv_heads);
    count("attention.key_length", config_.key_width);
    count("attention.value_length", config_.value_width);
    set(config_.norm == norm_kind::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
        config_.norm_epsilon);
    write_window();
    if(config_.attention_softcap != 0) {
        set("attn_logit_softcapping", config_.attention_softcap);
    }
    if(config_.logit_softcap != 0) {
        set("final_logit_softcapping", config_.logit_softcap);
    }
    write_ropes();
    write_mixture();
    write_family_keys();
}

inline void gguf_exporter::write_window() {
    const auto slides = [](const layer_config& layer) { return layer.window != 0; };
    const auto sliding = std::ranges::find_if(config_.layers, slides);
    if(sliding == config_.layers.end()) {
        return;
    }
    if(config_.causal) {
        count("attention.sliding_window", sliding->window);
        return;
    }
    // Encoders count what is on both sides, and the layers from one that sees all to the next.
    count("attention.sliding_window", 2 * (sliding->window - 1));
    const auto next = std::find_if_not(config_.layers.begin() + 1, config_.layers.end(), slides);
    count("attention.sliding_window_pattern", static_cast<std::size_t>(next - config_.layers.begin()));
}

inline void gguf_exporter::write_ropes() {
    if(config_.rope_configs.empty()) {
        return;
    }
    const kernels::rope_config& rope = config_.rope_configs[0];
    count("rope.dimension_count", rope.width);
    set("rope.freq_base", static_cast<float>(rope.base));
    if(config_.rope_configs.size() > 1) {
        set("rope.freq_base_swa", static_cast<float>(config_.rope_configs[1].base));
    }
    const kernels::rope_scaling& scaling = rope.scaling;
    const auto real = [&](const char* key, double value) { set(key, static_cast<float>(value)); };
    using enum kernels::rope_scaling_kind;
    switch(scaling.kind) {
    case none:
    case llama3: // becomes a tensor of factors
        return;
    case linear:
        out_.set(architecture_ + ".rope.scaling.type", std::string_view{"linear"});
        break;
    case yarn:
        out_.set(architecture_ + ".rope.scaling.type", std::string_view{"yarn"});
        break;
    case longrope:
        out_.set(architecture_ + ".rope.scaling.type", std::string_view{"longrope"});
        break;
    default:
        refuse({"its rotary positions are scaled in a way that depends on the text's length"});
    }
    real("rope.scaling.factor", scaling.factor);
    count("rope.scaling.original_context_length", scaling.original_context);
    if(scaling.attention_factor != 0) {
        real("rope.scaling.attn_factor", scaling.attention_factor);
    }
}

inline void gguf_exporter::write_mixture() {
    if(!config_.mixture) {
        return;
    }
    const mixture_config& mixture = *config_.mixture;
    count("expert_count", mixture.routing.experts);
    count("expert_used_count", mixture.routing.used);
    if(architecture_ != "llama") { // where an expert is as wide as a layer without them
        count("expert_feed_forward_length", mixture.feed_forward);
    }
    if(mixture.shared != 0) {
        count("expert_shared_feed_forward_length", mixture.shared);
    }
}

/// What some families say besides.
inline void gguf_exporter::write_family_keys() {
    if(architecture_ == "granite") {
        set("embedding_scale", config_.embedding_scale);
        set("residual_scale", config_.residual_scale);
        set("attention.scale", config_.attention_scale);
        set("logit_scale", 1 / config_.logit_scale);
    } else if(architecture_ == "command-r" || architecture_ == "cohere2") {
        set("logit_scale", config_.logit_scale);
    } else if(architecture_ == "gptneox" || architecture_ == "stablelm") {
        set("use_parallel_residual", config_.parallel_residual);
    }
    if(folder_.encoder_config()) {
        count("decoder_block_count", config_.layers.size());
        set("attention.layer_norm_epsilon", config_.norm_epsilon);
        write_decoder_start();
    } else if(!config_.causal) {
        write_encoder_keys();
    }
    if(config_.position == position_kind::relative) {
        count("attention.relative_buckets_count", config_.relative.buckets);
    }
    if(config_.position == position_kind::alibi) {
        set("attention.max_alibi_bias", config_.alibi_max_bias);
    }
    if(config_.qkv_clip != 0) {
        set("attention.clamp_kqv", config_.qkv_clip);
    }
    if(const auto tokens = mesh_tokens_of(folder_.parameters())) {
        set_mesh_keys(*tokens, architecture_, out_);
    }
}

inline void gguf_exporter::write_decoder_start() {
    std::vector<codec::token_id> ids;
    for(const char* const file: {"generation_config.json", "config.json"}) {
        const std::optional<io::json_tree> tree = json_beside(folder_.path(), file, bounds_);
        if(ids.empty() && tree) {
            ids = ids_of(*tree, "decoder_start_token_id", config_.vocab_size - 1);
        }
    }
    if(ids.empty()) {
        refuse({"its files name no decoder_start_token_id"});
    }
    count("decoder_start_token_id", static_cast<std::size_t>(ids.front()));
}

inline void gguf_exporter::write_encoder_keys() {
    set("attention.causal", false);
    out_.set("tokenizer.ggml.token_type_count", static_cast<std::uint32_t>(config_.token_types));
    if(config_.mlp == feed_forward_kind::gated && config_.activation == kernels::activation_kind::silu) {
        out_.set(architecture_ + ".hidden_activation", std::string_view{"silu"});
    }
    if(config_.classifier) {
        write_classifier_keys();
        return;
    }
    const embedding_options embedding = embedding_options_of(std::filesystem::path{folder_.path()}, bounds_);
    if(embedding.pooling == pooling::max) {
        refuse({"it takes the largest of each column"});
    }
    set("pooling_type", gguf_pooling(embedding.pooling));
    out_.set("tokenworks.normalize", embedding.normalize);
    if(embedding.max_tokens != 0) {
        out_.set("tokenworks.max_tokens", static_cast<std::uint64_t>(embedding.max_tokens));
    }
}

inline void gguf_exporter::write_classifier_keys() {
    constexpr std::uint32_t rank = 4; // llama.h, enum llama_pooling_type
    set("pooling_type", rank);
    out_.set_array(architecture_ + ".classifier.output_labels", config_.classifier->labels);
    if(architecture_ == "modern-bert") {
        set("classifier.pooling_type", gguf_pooling(config_.classifier->mean ? pooling::mean : pooling::cls));
    }
    const hf_config& from = folder_.parameters();
    if(from.has("problem_type")) {
        out_.set(architecture_ + ".problem_type", from.text("problem_type"));
    }
    if(ranks_by_logits(from)) {
        out_.set("tokenworks.ranks_by_logits", true);
    }
    const classifier_input input = classifier_input_of(folder_.path(), bounds_);
    if(!input.types) {
        out_.set("tokenworks.pair_types", false);
    }
    if(input.max_tokens != 0) {
        out_.set("tokenworks.max_tokens", static_cast<std::uint64_t>(input.max_tokens));
    }
}

/// Factors that divide a pair's frequency in place of a scaling by wavelength.
[[nodiscard]] inline std::vector<float> factors_of(const kernels::rope_config& scaled) {
    kernels::rope_config plain = scaled;
    plain.scaling = {};
    const kernels::rope_table from{plain};
    const kernels::rope_table to{scaled};
    std::vector<float> factors;
    for(std::size_t i = 0; i < from.frequencies().size(); ++i) {
        factors.push_back(static_cast<float>(from.frequencies()[i] / to.frequencies()[i]));
    }
    return factors;
}

/// A configuration without what may differ between the formats.
inline model_config gguf_exporter::comparable(model_config config) {
    config.architecture.clear();
    config.first_position = 0; // the table is cut
    config.head_transform.reset();
    for(kernels::rope_config& rope: config.rope_configs) {
        rope.pairing = kernels::rope_pairing::halves;
        if(rope.scaling.kind == kernels::rope_scaling_kind::llama3) {
            rope.factors.clear();
        }
        if(rope.scaling.kind == kernels::rope_scaling_kind::none ||
           rope.scaling.kind == kernels::rope_scaling_kind::llama3) {
            rope.scaling = {};
        }
    }
    return config;
}

inline void gguf_exporter::require_same(const model_config& read, const model_config& wanted) const {
    if(read == wanted) {
        return;
    }
    const auto differs = [&](const char* what) {
        refuse({"'", architecture_, "' files cannot say what config.json does about ", what});
    };
    if(read.layers != wanted.layers) {
        differs("layers with windows, without positions, or without experts");
    }
    if(read.attention_scale != wanted.attention_scale) {
        differs("the scale of attention's scores");
    }
    if(read.position != wanted.position || read.rope_configs != wanted.rope_configs ||
       read.alibi_scale != wanted.alibi_scale || read.alibi_max_bias != wanted.alibi_max_bias ||
       read.relative != wanted.relative) {
        differs("positions");
    }
    if(read.qk_norm != wanted.qk_norm) {
        differs("norms of queries and keys");
    }
    if(read.classifier != wanted.classifier) {
        differs("the head that tells classes");
    }
    if(read.mlp != wanted.mlp || read.activation != wanted.activation || read.mixture != wanted.mixture) {
        differs("the feed-forward part");
    }
    differs("sizes, norms or scales");
}

inline gguf_exporter::description gguf_exporter::describe() {
    const family& kind = target();
    architecture_ = kind.gguf;
    out_.set("general.architecture", std::string_view{architecture_});
    write_config();
    const std::vector<std::byte> metadata = out_.to_bytes();
    const io::gguf_file file = io::gguf_file::from_memory(metadata, folder_.parameters().label());
    const exported_hyperparameters from{file, config_, weights_};
    model_config again = read_config(kind.configure, from);
    require_same(comparable(again), comparable(config_));
    if(folder_.encoder_config()) {
        require_same(comparable(read_config(kind.configure_encoder, from)), comparable(*folder_.encoder_config()));
    }
    tensor_names names = kind.names(from, again);
    return {std::move(again), std::move(names)};
}

inline void gguf_exporter::write() {
    const std::filesystem::path place{folder_.path()};
    const std::string name = (place.has_filename() ? place : place.parent_path()).filename().string();
    out_.set("general.type", std::string_view{"model"});
    const auto [again, names] = describe();
    out_.set("general.name", std::string_view{name.empty() ? architecture_ : name});
    set_quantization(out_, *how_);
    const bool turned = !config_.rope_configs.empty() &&
                        again.rope_configs[0].pairing == kernels::rope_pairing::interleaved &&
                        config_.rope_configs[0].pairing == kernels::rope_pairing::halves;

    std::error_code none;
    if(std::filesystem::exists(place / "tokenizer.json", none) ||
       std::filesystem::exists(place / "tokenizer.model", none)) {
        export_vocabulary(tokenizer_files{place, bounds_}, config_.vocab_size, out_);
    } else {
        out_.set("tokenizer.ggml.model", std::string_view{"no_vocab"});
    }
    if(const std::optional<std::string> source = chat_template_of(place, bounds_)) {
        out_.set("tokenizer.chat_template", std::string_view{*source});
    }
    const tensor_exporter exporter{folder_, how_, out_, where_};
    const std::string_view head = config_.tied_embeddings ? "token_embd.weight" : "output.weight";
    for(const exported_tensor& tensor: exporter.tensors(names, turned)) {
        if(architecture_ == "modern-bert" && tensor.name.ends_with(".bias") && tensor.name != "cls.output.bias") {
            refuse({"such files have no ", tensor.name}); // readers count the tensors
        }
        exporter.add(tensor, tensor.name == head);
    }
    if(!config_.rope_configs.empty()) {
        const kernels::rope_config& rope = config_.rope_configs[0];
        const auto factors = [&](const char* tensor, std::vector<float> values) {
            const std::array<std::uint64_t, 1> extents{values.size()};
            out_.add_tensor(tensor, dtype::f32, extents, [values = std::move(values)](const io::byte_sink& sink) {
                sink(std::as_bytes(std::span{values}));
            });
        };
        if(rope.scaling.kind == kernels::rope_scaling_kind::llama3) {
            factors("rope_freqs.weight", factors_of(rope));
        } else if(rope.scaling.kind == kernels::rope_scaling_kind::longrope) {
            factors("rope_factors_long.weight", rope.scaling.long_factors);
            factors("rope_factors_short.weight", rope.scaling.short_factors);
        }
    }
}

} // namespace detail

TOKENWORKS_FUNCTION void export_gguf(const model_folder& folder, const quantization& how, io::gguf_writer& out,
                                     const execution& where, const limits& bounds) {
    if(folder.config().series && folder.config().series->patch != 0) {
        export_forecaster(folder, how, out, where);
        return;
    }
    if(folder.config().picture) {
        export_picture(folder, how, out, where);
        return;
    }
    if(folder.config().video) {
        export_video(folder, how, out, where);
        return;
    }
    detail::gguf_exporter{folder, std::make_shared<const quantization>(how), out, where, bounds}.write();
}

TOKENWORKS_FUNCTION tensor_names exported_names(const model_folder& folder) {
    io::gguf_writer none;
    return detail::gguf_exporter{folder, std::make_shared<const quantization>(), none, {}, {}}.names();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
