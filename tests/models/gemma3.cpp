#include <tokenworks/models/gemma3.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/models/gguf_source.hpp>

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::metadata_of;
using support::tiny_model;
using writer = tokenworks::io::gguf_writer;

namespace {

template <class Edit>
model_config config_with(Edit&& edit, std::size_t layers = 7) {
    const auto f = metadata_of(tiny_model{.architecture = "gemma3", .layers = layers}, edit);
    return gemma3_config(gguf_hyperparameters{f.file});
}

template <class Edit>
std::string refusal(Edit&& edit) {
    try {
        static_cast<void>(config_with(edit));
    } catch(const tw::format_error& problem) {
        CHECK(problem.file() == "test.gguf");
        return problem.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("gemma3: a configuration from a file's metadata", "[models]") {
    const model_config config = config_with([](writer& out) {
        out.set("gemma3.attn_logit_softcapping", 50.0F);
        out.set("gemma3.final_logit_softcapping", 30.0F);
        out.set("gemma3.rope.scaling.type", "linear");
        out.set("gemma3.rope.scaling.factor", 8.0F);
    });
    CHECK(config.architecture == "gemma3");
    CHECK(config.heads == 4);
    CHECK(config.kv_heads == 2);
    CHECK(config.attention_scale == 1 / std::sqrt(8.0F));
    CHECK(config.embedding_scale == std::sqrt(32.0F));
    CHECK(config.qk_norm == qk_norm_kind::per_head);
    CHECK((config.pre_norm && config.post_norm));
    CHECK(config.activation == tw::kernels::activation_kind::gelu_tanh);
    CHECK(config.attention_softcap == 50.0F);
    CHECK(config.logit_softcap == 30.0F);
    CHECK(config.tied_embeddings);
    REQUIRE(config.layers.size() == 7);
    for(std::size_t i = 0; i < 7; ++i) {
        const bool sees_everything = i == 5;
        CHECK(config.layers[i].window == (sees_everything ? 0U : 8U));
        CHECK(config.layers[i].rope == (sees_everything ? 0U : 1U));
    }
    REQUIRE(config.rope_configs.size() == 2);
    CHECK(config.rope_configs[0].base == 1000000.0);
    CHECK(config.rope_configs[0].pairing == tw::kernels::rope_pairing::halves);
    CHECK(config.rope_configs[0].scaling.kind == tw::kernels::rope_scaling_kind::linear);
    CHECK(config.rope_configs[0].scaling.factor == 8.0);
    CHECK(config.rope_configs[1].base == 10000.0);
    CHECK(config.rope_configs[1].scaling.kind == tw::kernels::rope_scaling_kind::none);
    CHECK_NOTHROW(config.validate());
}

TEST_CASE("gemma3: a pattern and bases of its own, values of another width", "[models]") {
    const model_config config = config_with([](writer& out) {
        out.set("gemma3.attention.sliding_window_pattern", std::uint32_t{2});
        out.set("gemma3.rope.freq_base", 70000.0F);
        out.set("gemma3.rope.freq_base_swa", 700.0F);
        out.erase("gemma3.attention.value_length");
    });
    CHECK(config.layers[0].window == 8);
    CHECK(config.layers[1].window == 0);
    CHECK(config.layers[3].rope == 0);
    CHECK(config.rope_configs[0].base == 70000.0);
    CHECK(config.rope_configs[1].base == 700.0);
    CHECK(config.value_width == 8);
    const auto own_head = tiny_model{.architecture = "gemma3"}.open();
    CHECK_FALSE(gemma3_config(gguf_hyperparameters{own_head.file}).tied_embeddings);
}

TEST_CASE("gemma3: the 27B model scales its scores by the width a head would have", "[models]") {
    const model_config config =
        config_with([](writer& out) { out.set("gemma3.embedding_length", std::uint32_t{64}); }, 62);
    CHECK(config.attention_scale == 1 / std::sqrt(16.0F));
}

TEST_CASE("gemma3: keys that are missing or zero", "[models]") {
    for(const std::string name: {"context_length", "embedding_length", "block_count", "feed_forward_length",
                                 "attention.head_count", "attention.head_count_kv", "attention.key_length",
                                 "attention.layer_norm_rms_epsilon", "attention.sliding_window"}) {
        const std::string key = "gemma3." + name;
        CHECK_THAT(refusal([&](writer& out) { out.erase(key); }),
                   ContainsSubstring(key) && ContainsSubstring("missing"));
        if(name != "attention.layer_norm_rms_epsilon") {
            CHECK_THAT(refusal([&](writer& out) { out.set(key, std::uint32_t{0}); }),
                       ContainsSubstring(key) && ContainsSubstring("is 0, not in 1.."));
        }
    }
    CHECK_THAT(refusal([](writer& out) { out.set("gemma3.attention.sliding_window_pattern", std::uint32_t{0}); }),
               ContainsSubstring("sliding_window_pattern") && ContainsSubstring("is 0, not in 1.."));
    for(const std::string name: {"attn_logit_softcapping", "final_logit_softcapping", "rope.freq_base_swa"}) {
        CHECK_THAT(refusal([&](writer& out) { out.set("gemma3." + name, INFINITY); }),
                   ContainsSubstring("gemma3." + name) && ContainsSubstring("is not a finite number"));
    }
    CHECK_THAT(refusal([](writer& out) { out.set("gemma3.attention.key_length", std::uint32_t{9}); }),
               ContainsSubstring("is 9, not an even number"));
}
