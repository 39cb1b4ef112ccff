#include <tokenworks/models/lora.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/io/safetensors_writer.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/export_gguf.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"
#include "support/model_folders.hpp"
#include "support/teams.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

/// A PEFT adapter of some matrices of a golden model, and that model with it merged, both by PEFT's definition.
struct peft_case {
    family_golden golden;
    std::string folder; ///< of the adapter
    static constexpr std::size_t rank = 3;
    static constexpr float alpha = 6;

    /// @param modules  ends of names that are changed   @param conv  matrices are stored [K,N]
    peft_case(const std::string& family, std::string to, const std::vector<std::string>& modules, bool conv)
        : golden{family}, folder{std::move(to)}, conv_{conv} {
        tw::io::safetensors_writer out;
        std::map<std::string, std::vector<float>> kept;
        for(const nlohmann::json& row: golden.tensors) {
            const auto name = row[0].get<std::string>();
            const auto shape = row[1].get<std::vector<std::uint64_t>>();
            for(const std::string& module: modules) {
                if(!name.ends_with(module + ".weight") || shape.size() != 2) {
                    continue;
                }
                const std::uint64_t n = shape[conv ? 1 : 0];
                const std::uint64_t k = shape[conv ? 0 : 1];
                const std::string base = "base_model.model." + name.substr(0, name.size() - 7);
                const std::vector<float>& a = kept[base + ".lora_A.weight"] =
                    support::random_floats(rank * k, static_cast<unsigned>(kept.size()), 0.1F);
                const std::vector<float>& b = kept[base + ".lora_B.weight"] =
                    support::random_floats(n * rank, static_cast<unsigned>(kept.size()), 0.1F);
                out.add_tensor(base + ".lora_A.weight", tw::dtype::f32, std::vector<std::uint64_t>{rank, k},
                               std::as_bytes(std::span{a}));
                out.add_tensor(base + ".lora_B.weight", tw::dtype::f32, std::vector<std::uint64_t>{n, rank},
                               std::as_bytes(std::span{b}));
                changes_[name] = {n, k, &a, &b};
            }
        }
        kept_ = std::move(kept);
        out.save(folder + "/adapter_model.safetensors");
        config["peft_type"] = "LORA";
        config["r"] = rank;
        config["lora_alpha"] = alpha;
        config["bias"] = "none";
        config["use_dora"] = false;
        config["modules_to_save"] = nullptr;
        write_config();
    }

    void write_config() const { support::write_text(folder, "adapter_config.json", config.dump(1)); }

    /// The model's folder with the adapter merged.
    void write_merged(const std::string& to, float scale) const {
        support::write_text(to, "config.json", golden.config.dump(1));
        tw::io::safetensors_writer out;
        std::vector<std::vector<float>> all;
        all.reserve(golden.tensors.size());
        for(const nlohmann::json& row: golden.tensors) {
            const auto name = row[0].get<std::string>();
            const auto shape = row[1].get<std::vector<std::uint64_t>>();
            std::size_t count = 1;
            for(const std::uint64_t extent: shape) {
                count *= static_cast<std::size_t>(extent);
            }
            std::vector<float>& w =
                all.emplace_back(family_golden::weights(name, count, row[2].get<double>(), row[3].get<double>()));
            if(const auto at = changes_.find(name); at != changes_.end()) {
                const auto& [n, k, a, b] = at->second;
                for(std::size_t i = 0; i < n; ++i) {
                    for(std::size_t j = 0; j < k; ++j) {
                        double sum = 0;
                        for(std::size_t r = 0; r < rank; ++r) {
                            sum += static_cast<double>((*b)[i * rank + r]) * static_cast<double>((*a)[r * k + j]);
                        }
                        w[conv_ ? j * n + i : i * k + j] += static_cast<float>(static_cast<double>(scale) * sum);
                    }
                }
            }
            out.add_tensor(name, tw::dtype::f32, shape, std::as_bytes(std::span{w}));
        }
        out.save(to + "/model.safetensors");
    }

    nlohmann::json config;

private:
    struct change {
        std::uint64_t n, k;
        const std::vector<float>*a, *b;
    };
    bool conv_;
    std::map<std::string, std::vector<float>> kept_;
    std::map<std::string, change> changes_;
};

/// The logits of all tokens with adapters, in steps of `chunk`.
std::vector<float> logits_with(const decoder& model, std::span<const tw::nn::adapter* const> with,
                               std::span<const std::int32_t> ids, std::size_t chunk, const tw::execution& how = {}) {
    tw::nn::context c{how};
    tw::nn::kv_cache cache = model.make_cache(ids.size(), tw::dtype::f32);
    const std::size_t v = model.vocab_size();
    std::vector<float> logits(ids.size() * v);
    for(std::size_t at = 0; at < ids.size(); at += chunk) {
        const std::size_t count = std::min(chunk, ids.size() - at);
        const decoder_input next{&cache, ids.subspan(at, count), decoder_input::logits::all, nullptr, with};
        model.forward(c, std::span{&next, 1}, tw::nn::rows{logits.data() + at * v, count, v});
    }
    return logits;
}

struct layout {
    std::string family;
    std::vector<std::string> modules;
    bool conv;
};

} // namespace

TEST_CASE("lora: an adapter gives what the merged model gives, beside the base and merged on load", "[models]") {
    const files::temporary_folder base, merged, adapter;
    // Plain, tied head, fused by rows, fused and transposed, with experts beside.
    const layout layouts[] = {{"llama", {"q_proj", "v_proj", "down_proj", "lm_head"}, false},
                              {"gemma3", {"q_proj", "k_proj", "o_proj", "gate_proj", "up_proj"}, false},
                              {"phi3", {"qkv_proj", "gate_up_proj", "o_proj"}, false},
                              {"gpt2", {"c_attn", "c_fc", "c_proj"}, true},
                              {"gpt_neox", {"query_key_value", "dense_h_to_4h"}, false},
                              {"qwen3_moe", {"k_proj", "o_proj"}, false}};
    for(const layout& each: layouts) {
        INFO(each.family);
        peft_case made{each.family, adapter.string(), each.modules, each.conv};
        made.golden.write_to(base.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(base.string());
        const decoder model{opened.config(), opened.weights()};
        const std::vector<float> plain = support::all_logits(model, made.golden.ids, made.golden.ids.size());
        for(const bool by_root: {false, true}) {
            made.config["use_rslora"] = by_root;
            made.write_config();
            const auto rank = static_cast<float>(peft_case::rank);
            made.write_merged(merged.string(), 0.5F * peft_case::alpha / (by_root ? std::sqrt(rank) : rank));
            const model_folder by_hand = model_folder::open(merged.string());
            const decoder wanted{by_hand.config(), by_hand.weights()};
            made.golden.logits = support::all_logits(wanted, made.golden.ids, made.golden.ids.size());
            CHECK(made.golden.worst(plain) > 1e-3); // it changes something

            const lora opened_lora = lora::open(adapter.string(), opened.names(), 0.5F);
            const tw::nn::adapter with = opened_lora.adapter_of(model);
            const tw::nn::adapter* const list[] = {&with};
            const std::vector<float> whole = logits_with(model, list, made.golden.ids, made.golden.ids.size());
            CHECK(made.golden.worst(whole) < 1e-5);
            CHECK(support::same_bits(logits_with(model, list, made.golden.ids, 1), whole));

            const std::vector<weight_transform> transforms{merge_on_load(opened_lora)};
            const transformed_weights weights{opened.weights(), transforms, opened.config(), {}};
            const decoder loaded{opened.config(), weights.get()};
            CHECK(made.golden.worst(support::all_logits(loaded, made.golden.ids, made.golden.ids.size())) < 1e-5);
        }
        CHECK(support::same_bits(support::all_logits(model, made.golden.ids, made.golden.ids.size()), plain));
    }
}

TEST_CASE("lora: adapters as the peft library applies them", "[models]") {
    for(const std::string& name: family_golden::names("adapters")) { // tools/golden/adapters.py
        INFO(name);
        std::ifstream file{TOKENWORKS_TEST_DATA "/adapters/" + name + ".json"};
        const nlohmann::json made = nlohmann::json::parse(file);
        const files::temporary_folder base, adapter;
        support::write_text(adapter.string(), "adapter_config.json", made.at("config").dump(1));
        tw::io::safetensors_writer out;
        std::vector<std::vector<float>> kept;
        kept.reserve(made.at("tensors").size()); // the writer refers to them
        for(const nlohmann::json& row: made.at("tensors")) {
            const auto shape = row[1].get<std::vector<std::uint64_t>>();
            kept.push_back(family_golden::weights(row[2].get<std::string>(),
                                                  static_cast<std::size_t>(shape[0] * shape[1]), row[3].get<double>(),
                                                  row[4].get<double>()));
            out.add_tensor(row[0].get<std::string>(), tw::dtype::f32, shape, std::as_bytes(std::span{kept.back()}));
        }
        out.save(adapter.string() + "/adapter_model.safetensors");
        family_golden golden{made.at("family").get<std::string>()};
        golden.write_to(base.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(base.string());
        const decoder model{opened.config(), opened.weights()};
        golden.logits = family_golden::flat(made.at("logits"));
        CHECK(golden.worst(support::all_logits(model, golden.ids, golden.ids.size())) > 1e-2); // it changes something
        const lora read = lora::open(adapter.string(), opened.names());
        const tw::nn::adapter with = read.adapter_of(model);
        const tw::nn::adapter* const list[] = {&with};
        CHECK(golden.worst(logits_with(model, list, golden.ids, golden.ids.size())) < 1e-5);
        const std::vector<weight_transform> transforms{merge_on_load(read)};
        const transformed_weights weights{opened.weights(), transforms, opened.config(), {}};
        const decoder merged{opened.config(), weights.get()};
        CHECK(golden.worst(support::all_logits(merged, golden.ids, golden.ids.size())) < 1e-5);
    }
}

TEST_CASE("lora: sequences of a step have their own, several, or none, with the bits of each alone", "[models]") {
    const files::temporary_folder base, first, second;
    peft_case one{"llama", first.string(), {"q_proj", "k_proj", "v_proj", "lm_head"}, false};
    const peft_case two{"llama", second.string(), {"gate_proj", "up_proj", "down_proj", "o_proj"}, false};
    one.golden.write_to(base.string(), tw::dtype::f32);
    const model_folder opened = model_folder::open(base.string());
    const std::vector<std::int32_t>& ids = one.golden.ids;
    const decoder model{opened.config(), opened.weights()};
    const tw::nn::adapter a = lora::open(first.string(), opened.names()).adapter_of(model);
    const tw::nn::adapter b = lora::open(second.string(), opened.names(), 2).adapter_of(model);
    const tw::nn::adapter* const both[] = {&a, &b};
    const std::span<const tw::nn::adapter* const> lists[] = {{}, {&both[0], 1}, {&both[1], 1}, both};
    support::for_each_team([&](const tw::execution& how) {
        std::vector<tw::nn::kv_cache> caches;
        std::vector<decoder_input> inputs;
        std::vector<float> expected;
        for(std::size_t i = 0; i < 4; ++i) {
            caches.push_back(model.make_cache(ids.size(), tw::dtype::f32));
        }
        for(std::size_t i = 0; i < 4; ++i) {
            const std::span<const std::int32_t> mine = std::span{ids}.first(ids.size() - i);
            inputs.push_back({&caches[i], mine, decoder_input::logits::all, nullptr, lists[i]});
            const std::vector<float> alone = logits_with(model, lists[i], mine, mine.size(), {.set = how.set});
            expected.insert(expected.end(), alone.begin(), alone.end());
        }
        tw::nn::context c{how};
        std::vector<float> logits(expected.size());
        model.forward(c, inputs, tw::nn::rows{logits.data(), expected.size() / model.vocab_size(), model.vocab_size()});
        CHECK(support::same_bits(logits, expected));
        // The last token's best, without logits.
        for(std::size_t i = 0; i < 4; ++i) {
            caches[i].truncate(0);
            inputs[i].want = decoder_input::logits::last;
        }
        std::vector<std::int32_t> best(4);
        model.forward_greedy(c, inputs, best);
        std::size_t end = 0;
        for(std::size_t i = 0; i < 4; ++i) {
            end += inputs[i].tokens.size() * model.vocab_size();
            const std::span<const float> row =
                std::span{expected}.subspan(end - model.vocab_size(), model.vocab_size());
            CHECK(best[i] == std::ranges::max_element(row) - row.begin());
        }
    });
}

TEST_CASE("lora: a GGUF adapter of a GGUF model", "[models]") {
    const files::temporary_folder base, adapter;
    const peft_case made{"qwen3", adapter.string(), {"v_proj", "up_proj"}, false};
    made.golden.write_to(base.string(), tw::dtype::f32);
    const model_folder opened = model_folder::open(base.string());
    const decoder model{opened.config(), opened.weights()};
    const tw::nn::adapter with = lora::open(adapter.string(), opened.names()).adapter_of(model);
    const tw::nn::adapter* const list[] = {&with};
    const std::vector<float> expected = logits_with(model, list, made.golden.ids, made.golden.ids.size());

    tw::io::gguf_writer out;
    export_gguf(opened, quantization::named("f32"), out);
    const std::vector<std::byte> bytes = out.to_bytes();
    const auto file = tw::io::gguf_file::from_memory(bytes, "base.gguf");
    const decoder from_gguf{config_of(file), *weights_of(file)};
    const auto stored = tw::io::safetensors_file::open(adapter.string() + "/adapter_model.safetensors");
    const auto write = [&](const char* type, float alpha, bool rename) {
        tw::io::gguf_writer to;
        to.set("general.type", std::string_view{type});
        to.set("general.architecture", std::string_view{"qwen3"});
        to.set("adapter.type", std::string_view{"lora"});
        to.set("adapter.lora.alpha", alpha);
        for(const tw::io::safetensor& tensor: stored.tensors()) {
            const std::size_t layers = tensor.name.find("layers.") + 7;
            const std::string layer = tensor.name.substr(layers, tensor.name.find('.', layers) - layers);
            const bool is_value = tensor.name.find("v_proj") != std::string::npos;
            const std::string name = "blk." + layer + (is_value ? (rename ? ".attn_x" : ".attn_v") : ".ffn_up") +
                                     ".weight.lora_" + (tensor.name.find("lora_A") != std::string::npos ? "a" : "b");
            to.add_tensor(name, tw::dtype::f32, {tensor.shape[1], tensor.shape[0]}, tensor.data);
        }
        to.save(adapter.string() + "/lora.gguf");
    };
    write("adapter", peft_case::alpha, false);
    const tw::nn::adapter same = lora::open(adapter.string() + "/lora.gguf", gguf_names(file)).adapter_of(from_gguf);
    const tw::nn::adapter* const other[] = {&same};
    family_golden golden = made.golden;
    golden.logits = expected;
    CHECK(golden.worst(logits_with(from_gguf, other, golden.ids, golden.ids.size())) < 1e-5);

    write("model", peft_case::alpha, false);
    CHECK_THROWS_AS(lora::open(adapter.string() + "/lora.gguf", gguf_names(file)), tw::format_error);
    write("adapter", INFINITY, false);
    CHECK_THROWS_AS(lora::open(adapter.string() + "/lora.gguf", gguf_names(file)), tw::format_error);
    write("adapter", 1, true); // for a layer that the model lacks
    CHECK_THROWS_AS(lora::open(adapter.string() + "/lora.gguf", gguf_names(file)).adapter_of(from_gguf),
                    tw::format_error);
}

TEST_CASE("lora: a PEFT adapter of a GGUF model, whose converter orders rows anew or fuses matrices", "[models]") {
    const files::temporary_folder base, adapter;
    const layout layouts[] = {{"llama", {"q_proj", "k_proj", "v_proj", "down_proj", "lm_head"}, false},
                              {"smollm3", {"q_proj", "k_proj", "o_proj"}, false},
                              {"olmo", {"q_proj", "k_proj", "up_proj"}, false},
                              {"granite", {"q_proj", "k_proj", "gate_proj"}, false},
                              {"mixtral", {"q_proj", "k_proj", "v_proj"}, false},
                              {"cohere", {"q_proj", "k_proj", "o_proj"}, false}, // neighbours in both
                              {"gemma", {"q_proj", "k_proj", "o_proj", "gate_proj", "up_proj"}, false},
                              {"phi", {"q_proj", "fc1", "dense"}, false},
                              {"phi3", {"qkv_proj", "gate_up_proj", "o_proj"}, false},
                              {"qwen2_moe", {"k_proj", "o_proj"}, false},
                              {"qwen3_moe", {"k_proj", "o_proj"}, false},
                              {"stablelm", {"q_proj", "k_proj", "down_proj"}, false},
                              {"starcoder2", {"q_proj", "c_fc", "c_proj"}, false},
                              {"olmo2", {"q_proj", "k_proj"}, false},
                              {"bloom", {"query_key_value", "dense_4h_to_h"}, false},
                              {"falcon", {"query_key_value", "dense"}, false},
                              {"falcon_grouped", {"query_key_value", "dense_h_to_4h"}, false},
                              {"gpt2", {"c_attn", "c_fc", "c_proj"}, true},
                              {"gpt_neox", {"query_key_value", "dense_h_to_4h"}, false}};
    for(const layout& each: layouts) {
        INFO(each.family);
        peft_case made{each.family, adapter.string(), each.modules, each.conv};
        made.golden.write_to(base.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(base.string());
        const decoder model{opened.config(), opened.weights()};
        const tw::nn::adapter with = lora::open(adapter.string(), opened.names()).adapter_of(model);
        const tw::nn::adapter* const list[] = {&with};
        const std::vector<float> plain = support::all_logits(model, made.golden.ids, made.golden.ids.size());
        made.golden.logits = logits_with(model, list, made.golden.ids, made.golden.ids.size());
        CHECK(made.golden.worst(plain) > 1e-3); // it changes something

        tw::io::gguf_writer out;
        export_gguf(opened, quantization::named("f32"), out);
        const std::vector<std::byte> bytes = out.to_bytes();
        const auto file = tw::io::gguf_file::from_memory(bytes, "base.gguf");
        const std::unique_ptr<weight_source> stored = weights_of(file);
        const decoder from_gguf{config_of(file), *stored};
        const adapter_names names = adapter_names_of(file);
        const tw::nn::adapter same = lora::open(adapter.string(), names).adapter_of(from_gguf);
        CHECK(same.size() == with.size());
        const tw::nn::adapter* const other[] = {&same};
        CHECK(made.golden.worst(logits_with(from_gguf, other, made.golden.ids, made.golden.ids.size())) < 1e-5);

        const std::vector<weight_transform> transforms =
            bound_transforms({merge_on_load(adapter.string(), 1.0F)}, names);
        const transformed_weights weights{*stored, transforms, config_of(file), {}};
        const decoder merged{config_of(file), weights.get()};
        CHECK(made.golden.worst(support::all_logits(merged, made.golden.ids, made.golden.ids.size())) < 1e-5);
    }
}

TEST_CASE("lora: a folder's two files in memory", "[models]") {
    const files::temporary_folder base, adapter;
    const peft_case made{"llama", adapter.string(), {"q_proj", "up_proj"}, false};
    made.golden.write_to(base.string(), tw::dtype::f32);
    const model_folder opened = model_folder::open(base.string());
    const std::string config = files::read(adapter / "adapter_config.json");
    const std::string matrices = files::read(adapter / "adapter_model.safetensors");
    const lora expected = lora::open(adapter.string(), opened.names(), 2);
    const lora same = lora::from_memory(std::as_bytes(std::span{config}), std::as_bytes(std::span{matrices}), "here",
                                        opened.names(), 2);
    CHECK(same.identity() == expected.identity());
    CHECK(same.label() == "here/adapter_model.safetensors");
    const weight w = *opened.weights().find("blk.0.attn_q.weight");
    CHECK(same.find(w.name, w.extents[0], w.extents[1]).has_value() == false); // a name of the folder
    CHECK(same.find("blk.0.attn_q.weight", w.extents[0], w.extents[1])->up ==
          expected.find("blk.0.attn_q.weight", w.extents[0], w.extents[1])->up);
}

TEST_CASE("lora: an adapter in a form that does not fit its base", "[models]") {
    const files::temporary_folder adapter;
    const peft_case made{"llama", adapter.string(), {"q_proj"}, false};
    CHECK_THROWS_WITH(lora::open(adapter.string(), adapter_names{.gguf = tensor_names{}}), Catch::Contains("PEFT"));
    CHECK_THROWS_WITH(lora::open(adapter.string() + "/lora.gguf", adapter_names{.folder = tensor_names{}}),
                      Catch::Contains("not in a folder"));
    const std::vector<weight_transform> transforms{merge_on_load(adapter.string(), 1.0F)};
    const memory_weights none;
    CHECK_THROWS_AS(transformed_weights(none, transforms, model_config{}, {}), tw::argument_error); // not bound
    CHECK_THROWS_AS(bound_transforms(transforms, {}), tw::unsupported_error);
}

TEST_CASE("lora: alpha_pattern gives modules an alpha of their own, rank_pattern a rank", "[models]") {
    const files::temporary_folder base, adapter;
    peft_case made{"llama", adapter.string(), {"q_proj", "v_proj", "up_proj"}, false};
    made.golden.write_to(base.string(), tw::dtype::f32);
    const model_folder opened = model_folder::open(base.string());
    const auto alpha_of = [&](const char* name) {
        const lora with = lora::open(adapter.string(), opened.names(), 1);
        const weight w = *opened.weights().find(name);
        const lora::change found = *with.find(name, w.extents[0], w.extents[1]);
        // What is stored is the same each time; the scale is in `up`.
        const auto file = tw::io::safetensors_file::open(adapter.string() + "/adapter_model.safetensors");
        const safetensors_weights stored{file};
        const std::string module = named_weights{opened.weights(), opened.names(), false}.name_of(name);
        const std::vector<float> up =
            load_values(stored, "base_model.model." + module.substr(0, module.size() - 7) + ".lora_B.weight",
                        std::array{w.extents[0], found.rank});
        return found.up[1] / up[1] * static_cast<float>(found.rank);
    };
    const float plain = peft_case::alpha;
    CHECK(alpha_of("blk.0.attn_q.weight") == Approx(plain));
    const std::uint64_t before = lora::open(adapter.string(), opened.names()).identity();
    made.config["rank_pattern"] = {{"q_proj", 3}};
    made.config["alpha_pattern"] =
        nlohmann::ordered_json::parse(R"({"layers.0.self_attn.q_proj": 12, "roj": 5, "q_proj": 24,
                                          "model\\.layers\\.[1-9]\\.mlp.*": 2})");
    made.write_config();
    CHECK(alpha_of("blk.0.attn_q.weight") == Approx(12.0F));
    CHECK(alpha_of("blk.1.attn_q.weight") == Approx(24.0F)); // "roj" is no whole name
    CHECK(alpha_of("blk.0.attn_v.weight") == Approx(plain));
    CHECK(alpha_of("blk.0.ffn_up.weight") == Approx(plain));
    CHECK(alpha_of("blk.1.ffn_up.weight") == Approx(2.0F));
    CHECK(lora::open(adapter.string(), opened.names()).identity() != before);

    made.config["alpha_pattern"] = {{"(", 1}};
    made.write_config();
    CHECK_THROWS_WITH(lora::open(adapter.string(), opened.names()), Catch::Contains("alpha_pattern"));
    made.config["alpha_pattern"] = {{"q_proj", "8"}};
    made.write_config();
    CHECK_THROWS_AS(lora::open(adapter.string(), opened.names()), tw::format_error);
    made.config["alpha_pattern"] = {{"q_proj", 1e300}};
    made.write_config();
    CHECK_THROWS_AS(lora::open(adapter.string(), opened.names()), tw::format_error);
}

TEST_CASE("lora: what is more than low-rank matrices is refused by name", "[models]") {
    const files::temporary_folder base, adapter;
    peft_case made{"llama", adapter.string(), {"q_proj"}, false};
    made.golden.write_to(base.string(), tw::dtype::f32);
    const model_folder opened = model_folder::open(base.string());
    const nlohmann::json good = made.config;
    const std::pair<const char*, nlohmann::json> refused[] = {
        {"use_dora", true}, {"bias", "all"}, {"peft_type", "IA3"}, {"modules_to_save", {"lm_head"}}};
    for(const auto& [key, value]: refused) {
        made.config = good;
        made.config[key] = value;
        made.write_config();
        CHECK_THROWS_WITH(lora::open(adapter.string(), opened.names()), Catch::Contains(key));
    }
    made.config = good;
    made.config.erase("lora_alpha");
    made.write_config();
    CHECK_THROWS_AS(lora::open(adapter.string(), opened.names()), tw::format_error);
    CHECK_THROWS_AS(lora::open(base.string(), opened.names()), tw::io_error);

    // Of another model: no layer of it, or one of another shape.
    made.config = good;
    made.write_config();
    family_golden{"gpt2"}.write_to(base.string(), tw::dtype::f32);
    const model_folder other = model_folder::open(base.string());
    const decoder model{other.config(), other.weights()};
    CHECK_THROWS_AS(lora::open(adapter.string(), other.names()).adapter_of(model), tw::format_error);
}
