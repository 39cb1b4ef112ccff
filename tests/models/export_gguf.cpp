#include <tokenworks/models/export_gguf.hpp>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/gguf_vocabulary.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"
#include "support/model_folders.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

std::vector<std::byte> exported(const std::string& folder, const quantization& how) {
    const model_folder opened = model_folder::open(folder);
    tw::io::gguf_writer out;
    export_gguf(opened, how, out);
    return out.to_bytes();
}

} // namespace

TEST_CASE("export_gguf: the logits of transformers, from the file that a folder becomes", "[models]") {
    // No such files: of the family, of latent attention, of sinks, or of what these configurations say besides what is
    // usual in their family.
    const std::set<std::string> refused{
        "deepseek_v2", "deepseek_v3",   "deepseek_v3_direct", "falcon_slopes", "gemma2", "gemma3",
        "gpt_oss",     "gptj",          "llama_dynamic",      "mpt",           "olmo3",  "phi_normed",
        "qwen2",       "qwen2_moe_some"};
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
    const std::set<std::string> held{"falcon", "gpt2", "llama2", "llama3", "qwen2"};
    const files::temporary_folder folder;
    for(const std::string name: {"falcon", "gpt2", "llama2", "llama3", "qwen2", "bert", "unigram", "clip", "o200k"}) {
        INFO(name);
        std::filesystem::copy_file(TOKENWORKS_TEST_DATA "/tokenizers/" + name + ".json",
                                   folder.string() + "/tokenizer.json",
                                   std::filesystem::copy_options::overwrite_existing);
        const tokenizer_files from{folder.string()};
        tw::io::gguf_writer out;
        out.set("general.architecture", std::string_view{"llama"});
        const std::size_t tokens = from.size() + 3;
        if(!held.contains(name)) {
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
        const tw::codec::tokenizer after{vocabulary_of(file)};
        const tw::codec::tokenizer before = tokenizer_of(folder.string());
        CHECK(after.vocab_size() == tokens);
        for(const std::string text: {"The quick brown fox's 12345 tricks", "x <= y ? \"a\" : 'b';\n\n\tz"}) {
            CHECK(after.encode(text, {.add_special = true}) == before.encode(text, {.add_special = true}));
        }
    }
}
