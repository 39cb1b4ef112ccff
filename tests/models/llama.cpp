#include <tokenworks/models/llama.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
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
model_config config_with(Edit&& edit) {
    const auto f = metadata_of(tiny_model{}, edit);
    return llama_config(gguf_hyperparameters{f.file});
}

template <class Edit>
std::string refusal(Edit&& edit) {
    try {
        static_cast<void>(config_with(edit));
    } catch(const tw::format_error& problem) {
        CHECK(problem.file() == "test.gguf");
        return problem.field() + ": " + problem.what();
    } catch(const tw::unsupported_error& problem) {
        return std::string{"unsupported: "} + problem.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("llama: a configuration from a file's metadata", "[models]") {
    const model_config config = config_with([](writer& out) {
        out.set("llama.context_length", std::uint32_t{2048});
        out.set("llama.feed_forward_length", std::uint32_t{100});
        out.set("llama.attention.value_length", std::uint32_t{6});
        out.set("llama.rope.dimension_count", std::uint32_t{4});
        out.set("llama.rope.freq_base", 500000.0F);
    });
    CHECK(config.architecture == "llama");
    CHECK(config.vocab_size == support::byte_vocabulary::size);
    CHECK(config.width == 32);
    CHECK(config.feed_forward == 100);
    CHECK(config.context_length == 2048);
    CHECK(config.layers.size() == 2);
    CHECK(config.heads == 4);
    CHECK(config.kv_heads == 2);
    CHECK(config.key_width == 8);
    CHECK(config.value_width == 6);
    CHECK(config.attention_scale == 1 / std::sqrt(8.0F));
    CHECK(config.attention_softcap == 0);
    CHECK_FALSE(config.attention_sinks);
    CHECK(config.qk_norm == qk_norm_kind::none);
    CHECK(config.position == position_kind::rope);
    CHECK(config.norm == norm_kind::rms);
    CHECK(config.norm_epsilon == 1e-5F);
    CHECK((config.pre_norm && !config.post_norm && !config.parallel_residual));
    CHECK(config.mlp == feed_forward_kind::gated);
    CHECK(config.activation == tw::kernels::activation_kind::silu);
    CHECK((config.embedding_scale == 1 && config.residual_scale == 1 && config.logit_scale == 1 &&
           config.logit_softcap == 0));
    CHECK(config.tied_embeddings); // there is no output.weight
    REQUIRE(config.rope_configs.size() == 1);
    CHECK(config.rope_configs[0].width == 4);
    CHECK(config.rope_configs[0].base == 500000.0);
    CHECK(config.rope_configs[0].pairing == tw::kernels::rope_pairing::interleaved);
    for(const layer_config& layer: config.layers) {
        CHECK(layer.window == 0);
        CHECK(layer.rope == 0);
    }
    CHECK_NOTHROW(config.validate());
}

TEST_CASE("llama: what files may leave out", "[models]") {
    const model_config config = config_with([](writer& out) {
        out.erase("llama.attention.head_count_kv");
        out.erase("llama.attention.key_length");
        out.erase("llama.attention.value_length");
    });
    CHECK(config.kv_heads == 4);
    CHECK(config.key_width == 8); // 32 / 4
    CHECK(config.value_width == 8);
    CHECK(config.rope_configs[0].base == 10000.0);
    CHECK(config.rope_configs[0].width == 8);
    const auto own_head = tiny_model{}.open();
    CHECK_FALSE(llama_config(gguf_hyperparameters{own_head.file}).tied_embeddings);
}

TEST_CASE("llama: windows, counts once a layer, experts that are none", "[models]") {
    const model_config config = config_with([](writer& out) {
        out.set("llama.attention.sliding_window", std::uint32_t{17});
        out.set_array("llama.attention.head_count", std::vector<std::uint32_t>{4, 4});
        out.set_array("llama.attention.head_count_kv", std::vector<std::uint32_t>{1, 1});
        out.set_array("llama.feed_forward_length", std::vector<std::int32_t>{96, 96});
    });
    CHECK(config.layers[1].window == 17);
    CHECK(config.kv_heads == 1);
    CHECK(config.feed_forward == 96);
    for(const std::uint32_t experts: {0U, 1U}) {
        CHECK(refusal([&](writer& out) { out.set("llama.expert_count", experts); }) == "accepted");
    }
    CHECK_THAT(refusal([](writer& out) { out.set("llama.expert_count", std::uint32_t{8}); }),
               ContainsSubstring("llama.expert_used_count") && ContainsSubstring("missing"));
    const model_config mixture = config_with([](writer& out) {
        out.set("llama.expert_count", std::uint32_t{8});
        out.set("llama.expert_used_count", std::uint32_t{2});
    });
    REQUIRE(mixture.mixture);
    CHECK(mixture.mixture->routing.experts == 8);
    CHECK(mixture.mixture->routing.used == 2);
    CHECK(mixture.mixture->feed_forward == mixture.feed_forward);
    CHECK((mixture.layers[0].is_mixture && mixture.layers[1].is_mixture));
}

TEST_CASE("llama: keys that are missing, of a wrong type, zero or too large", "[models]") {
    const std::string needed[] = {"context_length", "embedding_length", "block_count", "feed_forward_length",
                                  "attention.head_count"};
    for(const std::string& name: needed) {
        const std::string key = "llama." + name;
        CHECK_THAT(refusal([&](writer& out) { out.erase(key); }),
                   ContainsSubstring(key + ": ") && ContainsSubstring("missing"));
        CHECK_THAT(refusal([&](writer& out) { out.set(key, std::uint32_t{0}); }),
                   ContainsSubstring(key) && ContainsSubstring("is 0, not in 1.."));
        CHECK_THAT(refusal([&](writer& out) { out.set(key, std::uint64_t{1} << 41); }),
                   ContainsSubstring(key) && ContainsSubstring("not in 1.."));
        CHECK_THAT(refusal([&](writer& out) { out.set(key, "many"); }), ContainsSubstring("is of type string"));
        CHECK_THAT(refusal([&](writer& out) { out.set(key, std::int32_t{-1}); }), ContainsSubstring("does not fit"));
    }
    for(const std::string name:
        {"attention.head_count_kv", "attention.key_length", "attention.value_length", "attention.sliding_window"}) {
        CHECK_THAT(refusal([&](writer& out) { out.set("llama." + name, std::uint32_t{0}); }),
                   ContainsSubstring("llama." + name) && ContainsSubstring("is 0, not in 1.."));
    }
    const std::string epsilon = "llama.attention.layer_norm_rms_epsilon";
    CHECK_THAT(refusal([&](writer& out) { out.erase(epsilon); }),
               ContainsSubstring(epsilon) && ContainsSubstring("missing"));
    CHECK_THAT(refusal([&](writer& out) { out.set(epsilon, std::numeric_limits<float>::quiet_NaN()); }),
               ContainsSubstring("is not a finite number"));
    CHECK_THAT(refusal([](writer& out) { out.set("llama.block_count", std::uint32_t{4097}); }),
               ContainsSubstring("is 4097, not in 1..4096"));
    CHECK_THAT(refusal([](writer& out) { out.set("llama.expert_count", "none"); }),
               ContainsSubstring("is of type string"));
}

TEST_CASE("llama: heads that do not fit the width, and head widths that cannot turn", "[models]") {
    const auto implied = [](std::uint32_t heads) {
        return refusal([&](writer& out) {
            out.erase("llama.attention.key_length");
            out.erase("llama.attention.head_count_kv");
            out.set("llama.attention.head_count", heads);
        });
    };
    CHECK(implied(8) == "accepted");
    CHECK_THAT(implied(5), ContainsSubstring("llama.attention.head_count") &&
                               ContainsSubstring("is 5, which does not divide the width 32"));
    CHECK_THAT(implied(64), ContainsSubstring("is 64, which does not divide the width 32"));
    CHECK_THAT(implied(32), ContainsSubstring("is 1, not an even number up to the head's 1"));
    CHECK_THAT(refusal([](writer& out) { out.set("llama.attention.key_length", std::uint32_t{7}); }),
               ContainsSubstring("is 7, not an even number up to the head's 7"));
    CHECK_THAT(refusal([](writer& out) { out.set_array("llama.attention.head_count", std::vector<std::uint32_t>{4}); }),
               ContainsSubstring("has 1 entries for 2 layers"));
    CHECK(refusal([](writer& out) {
              out.set_array("llama.attention.head_count_kv", std::vector<std::uint32_t>{1, 2});
          }) == "unsupported: test.gguf: llama.attention.head_count_kv: layers of different width");
}
