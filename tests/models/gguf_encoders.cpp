// GGUF files of encoders, and of T5, with keys and tensors as llama.cpp's convert_hf_to_gguf.py writes them (its
// conversion/bert.py and t5.py): positions cut, queries, keys and values in one where the family has them so, heads
// that tell classes. Rows and logits must be those of the Hugging Face folder.
#include <tokenworks/models/gguf.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/golden_rows.hpp"
#include "support/opened_model.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;
using support::gguf_in_memory;
using support::logits_of;
using support::rows_of;

namespace {

constexpr double bound = 1e-5; // as in encoder.cpp

class converter {
public:
    converter(const model_folder& from, std::string architecture)
        : folder_{from}, config_{from.config()}, architecture_{std::move(architecture)} {
        out_.set("general.architecture", architecture_);
        const model_config& c = from.encoder_config() ? *from.encoder_config() : config_;
        count("context_length", c.context_length);
        count("embedding_length", c.width);
        count("block_count", c.layers.size());
        count("feed_forward_length", c.feed_forward);
        count("attention.head_count", c.heads);
        set("attention.layer_norm_epsilon", c.norm_epsilon);
        copy("token_embd", "token_embd");
    }

    template <class T>
    void set(const std::string& key, T value) {
        out_.set(architecture_ + "." + key, value);
    }
    void count(const std::string& key, std::size_t value) { set(key, static_cast<std::uint32_t>(value)); }

    /// A tensor of parts one below the other.
    /// @param cut  rows left out at the start
    void stack(const std::string& to, const std::vector<std::string>& parts, const char* ending, std::size_t cut = 0) {
        std::vector<std::uint64_t> extents;
        std::vector<std::byte> bytes;
        for(const std::string& part: parts) {
            const std::optional<weight> found = folder_.weights().find(part + ending);
            if(!found) {
                return;
            }
            const std::size_t row = found->bytes.size() / found->extents[0];
            bytes.insert(bytes.end(), found->bytes.begin() + static_cast<std::ptrdiff_t>(cut * row),
                         found->bytes.end());
            if(extents.empty()) {
                extents.assign(found->extents.rbegin(), found->extents.rend());
                extents.back() -= cut;
            } else {
                extents.back() += found->extents[0];
            }
        }
        out_.add_tensor(to + ending, tw::dtype::f32, extents,
                        [bytes = std::move(bytes)](const tw::io::byte_sink& sink) { sink(bytes); });
    }
    void copy(const std::string& to, const std::string& from, std::size_t cut = 0) {
        stack(to, {from}, ".weight", cut);
        stack(to, {from}, ".bias", cut);
    }
    void stack(const std::string& to, const std::vector<std::string>& parts) {
        stack(to, parts, ".weight");
        stack(to, parts, ".bias");
    }

    void bert() {
        set("attention.causal", false);
        out_.set("tokenizer.ggml.token_type_count", static_cast<std::uint32_t>(config_.token_types));
        copy("token_types", "token_types");
        copy("position_embd", "position_embd", config_.first_position);
        copy("token_embd_norm", "token_embd_norm");
        for(std::size_t i = 0; i < config_.layers.size(); ++i) {
            const std::string layer = "blk." + std::to_string(i) + ".";
            for(const char* const name: {"attn_q", "attn_k", "attn_v", "attn_output", "attn_output_norm", "ffn_up",
                                         "ffn_down", "layer_output_norm"}) {
                copy(layer + name, layer + name);
            }
        }
        classifier();
    }

    void modern_bert() {
        set("attention.causal", false);
        count("attention.sliding_window", 6);
        count("attention.sliding_window_pattern", 3);
        set("rope.freq_base", 160000.0F);
        set("rope.freq_base_swa", 10000.0F);
        copy("token_embd_norm", "token_embd_norm");
        copy("output_norm", "output_norm");
        for(std::size_t i = 0; i < config_.layers.size(); ++i) {
            const std::string layer = "blk." + std::to_string(i) + ".";
            for(const char* const name: {"attn_norm", "attn_output", "ffn_norm", "ffn_down"}) {
                copy(layer + name, layer + name);
            }
            stack(layer + "attn_qkv", {layer + "attn_q", layer + "attn_k", layer + "attn_v"});
            stack(layer + "ffn_up", {layer + "ffn_gate", layer + "ffn_up"});
        }
        classifier();
        if(config_.classifier) {
            copy("cls.norm", "cls.norm");
            count("classifier.pooling_type", config_.classifier->mean ? 1 : 2);
        }
    }

    void t5(const std::vector<std::string>& sides) {
        set("attention.layer_norm_rms_epsilon", config_.norm_epsilon);
        count("attention.key_length", config_.key_width);
        count("attention.value_length", config_.key_width);
        count("attention.relative_buckets_count", config_.relative.buckets);
        count("decoder_block_count", config_.layers.size());
        count("decoder_start_token_id", 0);
        if(!config_.tied_embeddings) {
            copy("output", "output");
        }
        for(const std::string& side: sides) {
            copy(side + "output_norm", side + "output_norm");
            const std::size_t layers = (side == "enc." ? *folder_.encoder_config() : config_).layers.size();
            for(std::size_t i = 0; i < layers; ++i) {
                const std::string layer = side + "blk." + std::to_string(i) + ".";
                for(const char* const name:
                    {"attn_norm", "attn_rel_b", "attn_q", "attn_k", "attn_v", "ffn_norm", "ffn_gate", "ffn_up",
                     "ffn_down", "cross_attn_norm", "cross_attn_q", "cross_attn_k", "cross_attn_v"}) {
                    copy(layer + name, layer + name);
                }
                copy(layer + "attn_o", layer + "attn_output");
                copy(layer + "cross_attn_o", layer + "cross_attn_output");
            }
        }
    }

    [[nodiscard]] tw::io::gguf_writer& out() { return out_; }

private:
    void classifier() {
        if(!config_.classifier) {
            return;
        }
        set("pooling_type", std::uint32_t{4});
        out_.set_array(architecture_ + ".classifier.output_labels", config_.classifier->labels);
        copy("cls", "cls");
        copy("cls.output", "cls.output");
    }

    const model_folder& folder_;
    const model_config& config_;
    std::string architecture_;
    tw::io::gguf_writer out_;
};

void add_classes(std::vector<float>& logits, const encoder& model, const family_golden& golden) {
    tw::nn::context c;
    const encoder_input input{golden.ids, golden.types};
    std::vector<float> one(model.class_count());
    model.forward_classes(c, std::span{&input, 1}, tw::nn::rows{one.data(), std::size_t{1}, one.size()});
    logits.insert(logits.end(), one.begin(), one.end());
}

/// T5 as GGUF files know it: its distances are 128 at most.
family_golden t5_golden(const std::string& name) {
    family_golden golden{name, "encoder_decoders"};
    golden.config["relative_attention_max_distance"] = 128;
    return golden;
}

} // namespace

TEST_CASE("gguf: encoders give the rows that their folders give", "[models]") {
    for(const std::string name: {"bert", "roberta", "xlm_roberta", "distilbert", "modernbert"}) {
        INFO(name);
        const family_golden golden{name, "encoders"};
        const support::opened_model<encoder> folder{golden};
        const bool modern = name == "modernbert";
        converter convert{*folder.files, modern ? "modern-bert" : "bert"};
        if(modern) {
            convert.modern_bert();
        } else {
            convert.bert();
        }
        const gguf_in_memory made{convert.out()};
        CHECK_FALSE(encoder_config_of(made.file));
        const model_config config = config_of(made.file);
        CHECK(config.first_position == 0);
        CHECK_FALSE(config.causal);
        const encoder model{config, *weights_of(made.file)};
        CHECK(family_golden::worst(rows_of(model, golden.ids), rows_of(*folder.model, golden.ids)) < bound);
        CHECK_FALSE(model.has_head());
        CHECK_FALSE(model.has_classifier());
    }
}

TEST_CASE("gguf: classes as transformers tells them", "[models]") {
    for(const std::string name: {"bert", "bert_pair", "roberta", "xlm_roberta", "modernbert", "modernbert_mean"}) {
        INFO(name);
        family_golden golden{name, "classifiers"};
        golden.config["classifier_activation"] = "gelu"; // the only one of these files
        std::vector<float> logits;
        std::vector<float> expected;
        for(const std::string& salt: golden.salts) {
            golden.salt = salt;
            const support::opened_model<encoder> folder{golden};
            const bool modern = name.starts_with("modernbert");
            converter convert{*folder.files, modern ? "modern-bert" : "bert"};
            if(modern) {
                convert.modern_bert();
            } else {
                convert.bert();
            }
            const gguf_in_memory made{convert.out()};
            const encoder model{config_of(made.file), *weights_of(made.file)};
            REQUIRE(model.has_classifier());
            CHECK(model.config().classifier->labels == folder.model->config().classifier->labels);
            add_classes(logits, model, golden);
            add_classes(expected, *folder.model, golden);
        }
        CHECK(family_golden::worst(logits, expected) < bound);
        CHECK((golden.worst(logits) < bound || name == "modernbert_mean"));
    }
}

TEST_CASE("gguf: T5 gives the logits that its folder gives, and its encoder alone the rows", "[models]") {
    for(const std::string name: {"t5", "t5_gated"}) {
        INFO(name);
        const family_golden golden = t5_golden(name);
        const support::opened_model<encoder_decoder> folder{golden};
        converter convert{*folder.files, "t5"};
        convert.t5({"enc.", "dec."});
        const gguf_in_memory made{convert.out()};
        const std::optional<model_config> of_encoder = encoder_config_of(made.file);
        REQUIRE(of_encoder);
        CHECK(*of_encoder == *folder.files->encoder_config());
        CHECK(config_of(made.file) == folder.files->config());
        const encoder_decoder model{*of_encoder, config_of(made.file), *weights_of(made.file)};
        CHECK(family_golden::worst(logits_of(model, golden), logits_of(*folder.model, golden)) < bound);

        converter half{*folder.files, "t5encoder"};
        half.t5({"enc."});
        const gguf_in_memory alone{half.out()};
        CHECK_FALSE(encoder_config_of(alone.file));
        const encoder reader{config_of(alone.file), *weights_of(alone.file)};
        CHECK(family_golden::worst(rows_of(reader, golden.ids), rows_of(folder.model->encoder(), golden.ids)) < bound);
    }
}

TEST_CASE("gguf: what is wrong with an encoder's file is named", "[models]") {
    const family_golden golden{"bert", "encoders"};
    const support::opened_model<encoder> folder{golden};
    const auto refusal = [&](auto edit) {
        converter convert{*folder.files, "bert"};
        convert.bert();
        edit(convert);
        const gguf_in_memory made{convert.out()};
        try {
            const encoder model{config_of(made.file), *weights_of(made.file)};
        } catch(const tw::error& problem) {
            return std::string{problem.what()};
        }
        return std::string{"accepted"};
    };
    CHECK(refusal([](converter&) {}) == "accepted");
    CHECK_THAT(refusal([](converter& c) { c.set("attention.causal", true); }),
               ContainsSubstring("bert.attention.causal is set"));
    CHECK_THAT(refusal([](converter& c) { c.count("context_length", 31); }),
               ContainsSubstring("tensor position_embd.weight") && ContainsSubstring("expected [31,16]"));
    CHECK_THAT(refusal([](converter& c) { c.set("embedding_length", "x"); }),
               ContainsSubstring("bert.embedding_length"));
    CHECK_THAT(refusal([](converter& c) { c.out().set("tokenizer.ggml.token_type_count", std::uint32_t{5}); }),
               ContainsSubstring("tensor token_types.weight"));
    CHECK_THAT(refusal([](converter& c) { c.out().set("tokenizer.ggml.token_type_count", std::uint32_t{0}); }),
               ContainsSubstring("tokenizer.ggml.token_type_count"));

    const family_golden half = t5_golden("t5");
    const support::opened_model<encoder_decoder> both{half};
    converter convert{*both.files, "t5"};
    convert.t5({"enc."});
    const gguf_in_memory made{convert.out()};
    CHECK_THROWS_WITH((encoder_decoder{*encoder_config_of(made.file), config_of(made.file), *weights_of(made.file)}),
                      ContainsSubstring("dec.blk.0."));
}
