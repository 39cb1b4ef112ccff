#include <tokenworks/models/export_gguf.hpp>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/vocabulary_tokenizer.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/gguf_vocabulary.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/golden_rows.hpp"
#include "support/kernels.hpp"
#include "support/model_folders.hpp"
#include "support/opened_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;
using support::logits_of;
using support::rows_of;

namespace {

std::vector<std::byte> exported(const std::string& folder, const quantization& how) {
    const model_folder opened = model_folder::open(folder);
    tw::io::gguf_writer out;
    export_gguf(opened, how, out);
    return out.to_bytes();
}

/// Those of tests/golden, and forms of them that real models have.
std::map<std::string, nlohmann::json> tokenizer_files_of() {
    std::map<std::string, nlohmann::json> all;
    for(const std::string name: {"falcon", "gpt2", "llama2", "llama3", "qwen2", "bert", "bert_cased", "roberta",
                                 "unigram", "unigram_bytes", "albert", "wordlevel", "clip", "o200k"}) {
        all[name] = nlohmann::json::parse(std::ifstream{TOKENWORKS_TEST_DATA "/tokenizers/" + name + ".json"});
    }
    nlohmann::json& cased = all["bert_base_cased"] = all["bert_cased"];
    cased["model"]["max_input_chars_per_word"] = 100;
    cased["decoder"]["cleanup"] = true;
    nlohmann::json& roberta = all["roberta_base"] = all["roberta"];
    roberta["pre_tokenizer"]["add_prefix_space"] = false;
    const nlohmann::json words =
        nlohmann::json::parse(R"({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": true}]})");
    const auto text = [](const char* id) { return nlohmann::json{{"Sequence", {{"id", id}, {"type_id", 0}}}}; };
    const auto token = [](const char* id) { return nlohmann::json{{"SpecialToken", {{"id", id}, {"type_id", 0}}}}; };
    nlohmann::json form{{"type", "TemplateProcessing"},
                        {"special_tokens",
                         {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}},
                          {"</s>", {{"id", "</s>"}, {"ids", {2}}, {"tokens", {"</s>"}}}}}}};
    nlohmann::json& t5 = all["t5"] = all["unigram"];
    t5["pre_tokenizer"] = words;
    form["single"] = {text("A"), token("</s>")};
    form["pair"] = {text("A"), token("</s>"), text("B"), token("</s>")};
    t5["post_processor"] = form;
    nlohmann::json& xlm = all["xlm_roberta"] = t5;
    form["single"] = {token("<s>"), text("A"), token("</s>")};
    form["pair"] = {token("<s>"), text("A"), token("</s>"), token("</s>"), text("B"), token("</s>")};
    xlm["post_processor"] = form;
    return all;
}

} // namespace

TEST_CASE("export_gguf: the logits of transformers, from the file that a folder becomes", "[models]") {
    // No such files: of the family, of latent attention, of sinks, or of what these configurations say besides what is
    // usual in their family.
    const std::set<std::string> refused{"deepseek_v2",   "deepseek_v2_grouped",
                                        "deepseek_v3",   "deepseek_v3_direct",
                                        "falcon_slopes", "gemma2",
                                        "gemma3",        "gpt_oss",
                                        "gptj",          "codegen",
                                        "progen",        "llama_dynamic",
                                        "mpt",           "olmo3",
                                        "phi_normed",    "qwen2",
                                        "qwen2_moe_some"};
    const files::temporary_folder folder;
    for(const std::string& name: family_golden::names()) {
        INFO(name);
        const family_golden golden{name};
        golden.write_to(folder.string(), tw::dtype::f32);
        if(refused.contains(name)) {
            CHECK_THROWS_AS(exported(folder.string(), quantization::named("f32")), tw::unsupported_error);
            continue;
        }
        try {
            const std::vector<std::byte> bytes = exported(folder.string(), quantization::named("f32"));
            const auto file = tw::io::gguf_file::from_memory(bytes, name);
            model_config config = config_of(file);
            config.rope_context = golden.ids.size();
            const decoder model{config, *weights_of(file)};
            CHECK(golden.worst(support::all_logits(model, golden.ids, golden.ids.size())) < 1e-5);
        } catch(const tw::error& problem) {
            FAIL_CHECK(problem.what());
        }
    }
}

TEST_CASE("export_gguf: encoders give the rows of their folders", "[models]") {
    // Files cannot tell another activation, and know no ESM.
    const std::set<std::string> refused{"bert_types", "esm", "esm_kept"};
    for(const std::string& name: family_golden::names("encoders")) {
        INFO(name);
        const family_golden golden{name, "encoders"};
        const support::opened_model<encoder> before{golden};
        if(refused.contains(name)) {
            CHECK_THROWS_AS(exported(before.folder.string(), quantization::named("f32")), tw::unsupported_error);
            continue;
        }
        const std::vector<std::byte> bytes = exported(before.folder.string(), quantization::named("f32"));
        const auto file = tw::io::gguf_file::from_memory(bytes, name);
        const encoder after{config_of(file), *weights_of(file)};
        CHECK(family_golden::worst(rows_of(after, golden.ids), rows_of(*before.model, golden.ids)) < 1e-5);
        CHECK(file.get<std::uint32_t>(std::string{file.architecture()} + ".pooling_type") == 1);
    }
}

TEST_CASE("export_gguf: classifiers give the logits of transformers", "[models]") {
    // Heads with another activation, or with biases that files do not have, and a family.
    const std::set<std::string> refused{"distilbert", "modernbert_mean", "esm"};
    for(const std::string& name: family_golden::names("classifiers")) {
        INFO(name);
        family_golden golden{name, "classifiers"};
        std::vector<float> logits;
        for(const std::string& salt: golden.salts) {
            golden.salt = salt;
            const support::opened_model<encoder> before{golden};
            if(refused.contains(name)) {
                CHECK_THROWS_AS(exported(before.folder.string(), quantization::named("f32")), tw::unsupported_error);
                continue;
            }
            const std::vector<std::byte> bytes = exported(before.folder.string(), quantization::named("f32"));
            const auto file = tw::io::gguf_file::from_memory(bytes, name);
            const encoder after{config_of(file), *weights_of(file)};
            REQUIRE(after.has_classifier());
            CHECK(*after.config().classifier == *before.model->config().classifier);
            tw::nn::context c;
            const encoder_input input{golden.ids, golden.types};
            std::vector<float> one(after.class_count());
            after.forward_classes(c, std::span{&input, 1}, tw::nn::rows{one.data(), std::size_t{1}, one.size()});
            logits.insert(logits.end(), one.begin(), one.end());
        }
        if(!refused.contains(name)) {
            CHECK(golden.worst(logits) < 1e-5);
        }
    }
}

TEST_CASE("export_gguf: T5 gives the logits of its folder, and keeps its start", "[models]") {
    const std::string kind = "encoder_decoders";
    for(const std::string& name: family_golden::names(kind)) {
        INFO(name);
        family_golden golden{name, kind};
        golden.config["decoder_start_token_id"] = 3;
        const support::opened_model<encoder_decoder> odd{golden}; // BART, or distances that files do not know
        CHECK_THROWS_AS(exported(odd.folder.string(), quantization::named("f32")), tw::unsupported_error);
        if(!name.starts_with("t5")) {
            continue;
        }
        golden.config["relative_attention_max_distance"] = 128;
        const support::opened_model<encoder_decoder> before{golden};
        const std::vector<std::byte> bytes = exported(before.folder.string(), quantization::named("f32"));
        const auto file = tw::io::gguf_file::from_memory(bytes, name);
        CHECK(file.get<std::uint32_t>("t5.decoder_start_token_id") == 3);
        const encoder_decoder after{encoder_config_of(file).value(), config_of(file), *weights_of(file)};
        CHECK(family_golden::worst(logits_of(after, golden), logits_of(*before.model, golden)) < 1e-5);
        golden.config.erase("decoder_start_token_id");
        golden.write_to(before.folder.string(), tw::dtype::f32);
        CHECK_THROWS_WITH(exported(before.folder.string(), quantization::named("f32")),
                          ContainsSubstring("decoder_start_token_id"));
    }
}

TEST_CASE("export_gguf: configurations as the families' models have them", "[models]") {
    const files::temporary_folder folder;
    for(const std::string name: {"gemma2", "gemma3", "mpt", "qwen2"}) {
        INFO(name);
        family_golden golden{name};
        nlohmann::json& config = golden.config;
        if(name == "mpt") {
            config["attn_config"].erase("softmax_scale");
        } else {
            config["query_pre_attn_scalar"] = config.value("head_dim", 0);
            config.erase("layer_types");
            config.erase("sliding_window_pattern");
        }
        if(name == "qwen2") {
            config["use_sliding_window"] = false;
        }
        golden.write_to(folder.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(folder.string());
        const decoder before{opened.config(), opened.weights()};
        const std::vector<std::byte> bytes = exported(folder.string(), quantization::named("f32"));
        const auto file = tw::io::gguf_file::from_memory(bytes, name);
        const decoder after{config_of(file), *weights_of(file)};
        golden.logits = support::all_logits(before, golden.ids, golden.ids.size());
        CHECK(golden.worst(support::all_logits(after, golden.ids, golden.ids.size())) < 1e-5);
    }
}

TEST_CASE("export_gguf: tokenizers that these files hold give the same ids from them", "[models]") {
    // What is not: words cut elsewhere, blanks before byte-level BPE, other normalizations.
    const std::set<std::string> refused{"bert_cased", "roberta",   "unigram", "unigram_bytes",
                                        "albert",     "wordlevel", "clip",    "o200k"};
    const files::temporary_folder folder;
    for(const auto& [name, json]: tokenizer_files_of()) {
        INFO(name);
        support::write_text(folder.string(), "tokenizer.json", json.dump());
        const tokenizer_files from{folder.string()};
        tw::io::gguf_writer out;
        out.set("general.architecture", std::string_view{"llama"});
        const std::size_t tokens = from.size() + 3;
        if(refused.contains(name)) {
            CHECK_THROWS_AS(export_vocabulary(from, tokens, out), tw::unsupported_error);
            continue;
        }
        try {
            export_vocabulary(from, tokens, out);
        } catch(const tw::error& problem) {
            FAIL_CHECK(problem.what());
            continue;
        }
        const std::vector<std::byte> bytes = out.to_bytes();
        const auto file = tw::io::gguf_file::from_memory(bytes, name);
        const tw::codec::tokenizer after = tw::codec::make_tokenizer(vocabulary_of(file));
        const tw::codec::tokenizer before = tokenizer_of(folder.string());
        const std::string model = file.get<std::string>("tokenizer.ggml.model");
        CHECK(file.get<tw::io::string_array>("tokenizer.ggml.tokens").size() == tokens);
        CHECK(after.vocab_size() == (model == "bert" || model == "t5" ? tokens - 3 : tokens));
        for(const std::string text: {"The quick brown fox's 12345 tricks", "x <= y ? \"a\" : 'b';\n\n\tz"}) {
            const std::vector<tw::codec::token_id> ids = before.encode(text, {.add_special = true});
            CHECK(after.encode(text, {.add_special = true}) == ids);
            if(model == "bert" || model == "t5") {
                CHECK(after.decode(ids) == before.decode(ids));
                const auto pair = before.encode_pair(text, "a b", {.add_special = true});
                CHECK(after.encode_pair(text, "a b", {.add_special = true}).ids == pair.ids);
            }
        }
    }
}
