#include <tokenworks/models/model_folder.hpp>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <tokenworks/models/decoder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using files::refusal;
using support::family_golden;

namespace {

constexpr double bound = 1e-5; // as in families.cpp

double worst_of(const std::string& folder, const family_golden& golden) {
    const model_folder opened = model_folder::open(folder);
    const decoder model{opened.config(), opened.weights()};
    return golden.worst(support::all_logits(model, golden.ids, golden.ids.size()));
}

template <class Error>
std::string refused(const std::string& folder) {
    return refusal<Error>([&] {
        const model_folder opened = model_folder::open(folder);
        const decoder model{opened.config(), opened.weights()};
    });
}

/// Renames the tensors of a golden model; their values stay those of the old names.
template <class Rename>
void write_renamed(const family_golden& golden, const std::string& folder, Rename rename) {
    std::ofstream{folder + "/config.json"} << golden.config.dump();
    tw::io::safetensors_writer out;
    std::vector<std::vector<float>> kept;
    for(const nlohmann::json& row: golden.tensors) {
        const auto shape = row[1].get<std::vector<std::uint64_t>>();
        std::size_t count = 1;
        for(const std::uint64_t extent: shape) {
            count *= static_cast<std::size_t>(extent);
        }
        const auto name = row[0].get<std::string>();
        kept.push_back(family_golden::weights(name, count, row[2].get<double>(), row[3].get<double>()));
        out.add_tensor(rename(name), tw::dtype::f32, shape, std::as_bytes(std::span{kept.back()}));
    }
    out.save(folder + "/model.safetensors");
}

} // namespace

TEST_CASE("model_folder: one file, shards behind an index, and folders that move", "[models]") {
    const files::temporary_folder folder;
    const family_golden golden{"qwen3"};
    golden.write_to(folder.string(), tw::dtype::bf16);
    CHECK(worst_of(folder.string(), golden) < bound);
    std::filesystem::remove(folder / "model.safetensors");
    golden.write_to(folder.string(), tw::dtype::f16, 3);
    CHECK(worst_of(folder.string(), golden) < bound);

    model_folder first = model_folder::open(folder.string());
    CHECK(first.file().parts() == 3);
    CHECK(first.config().architecture == "qwen3");
    CHECK(first.parameters().model_type() == "qwen3");
    const model_folder moved = std::move(first);
    const decoder model{moved.config(), moved.weights()};
    CHECK(golden.worst(support::all_logits(model, golden.ids, 5)) < bound);
}

TEST_CASE("model_folder: the two files in memory", "[models]") {
    const files::temporary_folder folder;
    const family_golden golden{"qwen2"};
    golden.write_to(folder.string(), tw::dtype::f32);
    const std::string config = files::read(folder / "config.json");
    const std::string tensors = files::read(folder / "model.safetensors");
    const auto bytes = [](const std::string& text) { return std::as_bytes(std::span{text}); };
    const model_folder opened = model_folder::from_memory(bytes(config), bytes(tensors), "here");
    CHECK(opened.path() == "here");
    const decoder model{opened.config(), opened.weights()};
    CHECK(golden.worst(support::all_logits(model, golden.ids, golden.ids.size())) < bound);
    CHECK_THAT(refusal<tw::format_error>(
                   [&] { (void)model_folder::from_memory(bytes(config), bytes(tensors).first(100), "here"); }),
               ContainsSubstring("here/model.safetensors"));
    CHECK_THAT(refusal<tw::format_error>([&] { (void)model_folder::from_memory(bytes("{"), {}, "here"); }),
               ContainsSubstring("here/config.json"));
}

TEST_CASE("model_folder: names without the body's, and inside of a larger model", "[models]") {
    const files::temporary_folder folder;
    const family_golden gpt2{"gpt2"};
    write_renamed(gpt2, folder.string(), [](const std::string& name) { return name.substr(name.find('.') + 1); });
    CHECK(worst_of(folder.string(), gpt2) < bound);
    const family_golden gemma{"gemma"};
    write_renamed(gemma, folder.string(), [](const std::string& name) { return "language_model." + name; });
    CHECK(worst_of(folder.string(), gemma) < bound);
    write_renamed(gemma, folder.string(),
                  [](const std::string& name) { return "model.language_model." + name.substr(name.find('.') + 1); });
    CHECK(worst_of(folder.string(), gemma) < bound);
}

TEST_CASE("model_folder: what is missing or does not fit, by the names of the folder", "[models]") {
    const files::temporary_folder folder;
    CHECK_THAT(refused<tw::io_error>(folder.string()), ContainsSubstring("config.json"));
    family_golden golden{"gpt_neox"};
    golden.write_to(folder.string(), tw::dtype::f32);
    std::filesystem::rename(folder / "model.safetensors", folder / "other");
    CHECK_THAT(refused<tw::io_error>(folder.string()), ContainsSubstring("model.safetensors"));

    const auto without = [&](const std::string& name) {
        family_golden less = golden;
        for(std::size_t i = 0; i < less.tensors.size(); ++i) {
            if(less.tensors[i][0] == name) {
                less.tensors.erase(i);
            }
        }
        less.write_to(folder.string(), tw::dtype::f32);
        return refused<tw::format_error>(folder.string());
    };
    CHECK_THAT(
        without("gpt_neox.embed_in.weight"),
        ContainsSubstring("model.safetensors: tensor gpt_neox.embed_in.weight: missing; expected extents [22,16]"));
    CHECK_THAT(without("gpt_neox.layers.1.attention.query_key_value.weight"),
               ContainsSubstring("tensor gpt_neox.layers.1.attention.query_key_value.weight: missing"));
    CHECK_THAT(without("embed_out.weight"), ContainsSubstring("tensor embed_out.weight: missing"));

    const auto with = [&](const char* key, const nlohmann::json& value) {
        family_golden other = golden;
        other.config[key] = value;
        other.write_to(folder.string(), tw::dtype::f32);
        const std::string text = refused<tw::format_error>(folder.string());
        return text.substr(text.find(folder.string()) + folder.string().size() + 1);
    };
    CHECK(with("hidden_size", 0) == "config.json: hidden_size: is 0, not in 1..268435456");
    CHECK(with("num_attention_heads", 3) ==
          "config.json: num_attention_heads: is 3, which does not divide the width 16");
    CHECK_THAT(with("vocab_size", 23), ContainsSubstring("extents [22,16], expected [23,16]"));
    CHECK_THAT(with("hidden_size", 20), ContainsSubstring("expected [22,20]"));
    CHECK_THAT(with("layer_norm_eps", -1), ContainsSubstring("norm_epsilon is negative"));
    golden.config["model_type"] = "mamba";
    golden.write_to(folder.string(), tw::dtype::f32);
    CHECK_THAT(refused<tw::unsupported_error>(folder.string()),
               ContainsSubstring("config.json: model_type 'mamba'; known are llama, mistral, "));
}

TEST_CASE("model_folder: element types that weights cannot have", "[models]") {
    const files::temporary_folder folder;
    const family_golden golden{"llama"};
    golden.write_to(folder.string(), tw::dtype::f32);
    tw::io::safetensors_writer out;
    const std::vector<std::byte> data(22 * 16);
    out.add_tensor("model.embed_tokens.weight", tw::dtype::i8, {22, 16}, std::span<const std::byte>{data});
    out.save(folder / "model.safetensors");
    CHECK_THAT(refused<tw::unsupported_error>(folder.string()),
               ContainsSubstring("tensor model.embed_tokens.weight") && ContainsSubstring("i8"));
}
