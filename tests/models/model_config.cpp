#include <tokenworks/models/model_config.hpp>

#include <cstddef>
#include <functional>
#include <limits>
#include <string>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::models::layer_config;
using tw::models::model_config;

namespace {

model_config good() {
    model_config config;
    config.architecture = "mine";
    config.vocab_size = 10;
    config.width = 8;
    config.feed_forward = 16;
    config.context_length = 32;
    config.layers.resize(2);
    config.heads = 4;
    config.kv_heads = 2;
    config.key_width = 2;
    config.value_width = 3;
    config.attention_scale = 0.5F;
    config.rope_configs.push_back({.width = 2});
    return config;
}

std::string refusal(const std::function<void(model_config&)>& change) {
    model_config config = good();
    change(config);
    try {
        config.validate();
    } catch(const tw::argument_error& problem) {
        return problem.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("model_config: what fits together passes", "[models]") {
    CHECK_NOTHROW(good().validate());
    using change = std::function<void(model_config&)>;
    for(const change& each: {
            change{[](model_config& c) { c.vocab_size = std::size_t{1} << 28; }},
            change{[](model_config& c) { c.layers.resize(4096); }},
            change{[](model_config& c) { c.kv_heads = c.heads; }},
            change{[](model_config& c) { c.context_length = std::size_t{1} << 40; }},
            change{[](model_config& c) { c.norm_epsilon = 0; }},
            change{[](model_config& c) { c.residual_scale = -1; }},
            change{[](model_config& c) { c.layers[1].rope = layer_config::no_rope; }},
            change{[](model_config& c) {
                c.position = tw::models::position_kind::alibi;
                c.rope_configs.clear();
            }},
        }) {
        CHECK(refusal(each) == "accepted");
    }
}

TEST_CASE("model_config: every refusal names the field", "[models]") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinite = std::numeric_limits<float>::infinity();
    struct field {
        std::size_t model_config::*member;
        const char* name;
    };
    for(const field each: {field{&model_config::vocab_size, "vocab_size"}, field{&model_config::width, "width"},
                           field{&model_config::feed_forward, "feed_forward"}, field{&model_config::heads, "heads"},
                           field{&model_config::kv_heads, "kv_heads"}, field{&model_config::key_width, "key_width"},
                           field{&model_config::value_width, "value_width"}}) {
        const std::string prefix = std::string{"mine configuration: "} + each.name + " is ";
        CHECK(refusal([&](model_config& c) { c.*each.member = 0; }) == prefix + "0, not in 1..268435456");
        CHECK(refusal([&](model_config& c) { c.*each.member = (std::size_t{1} << 28) + 1; }) ==
              prefix + "268435457, not in 1..268435456");
    }
    struct number {
        float model_config::*member;
        const char* name;
    };
    for(const number each:
        {number{&model_config::attention_scale, "attention_scale"}, number{&model_config::norm_epsilon, "norm_epsilon"},
         number{&model_config::attention_softcap, "attention_softcap"},
         number{&model_config::logit_softcap, "logit_softcap"},
         number{&model_config::embedding_scale, "embedding_scale"},
         number{&model_config::residual_scale, "residual_scale"}, number{&model_config::logit_scale, "logit_scale"},
         number{&model_config::alibi_max_bias, "alibi_max_bias"}}) {
        for(const float value: {nan, infinite, -infinite}) {
            CHECK_THAT(refusal([&](model_config& c) { c.*each.member = value; }),
                       ContainsSubstring(std::string{"mine configuration: "} + each.name + " is "));
        }
    }
    CHECK_THAT(refusal([](model_config& c) { c.attention_scale = 0; }), ContainsSubstring("attention_scale is 0"));
    CHECK_THAT(refusal([](model_config& c) { c.norm_epsilon = -1e-6F; }),
               ContainsSubstring("norm_epsilon is negative"));
    CHECK_THAT(refusal([](model_config& c) { c.attention_softcap = -1; }), ContainsSubstring("a soft-cap is negative"));
    CHECK_THAT(refusal([](model_config& c) { c.logit_softcap = -1; }), ContainsSubstring("a soft-cap is negative"));
    CHECK_THAT(refusal([](model_config& c) { c.layers.clear(); }), ContainsSubstring("layers are 0, not in 1..4096"));
    CHECK_THAT(refusal([](model_config& c) { c.layers.resize(4097); }), ContainsSubstring("layers are 4097"));
    CHECK_THAT(refusal([](model_config& c) { c.kv_heads = 3; }),
               ContainsSubstring("kv_heads 3 does not divide heads 4"));
    CHECK_THAT(refusal([](model_config& c) { c.kv_heads = 8; }),
               ContainsSubstring("kv_heads 8 does not divide heads 4"));
    CHECK_THAT(refusal([](model_config& c) { c.context_length = 0; }), ContainsSubstring("context_length is 0"));
    CHECK_THAT(refusal([](model_config& c) { c.rope_configs.clear(); }),
               ContainsSubstring("a rope configuration that does not exist"));
    CHECK_THAT(refusal([](model_config& c) { c.layers[1].rope = 1; }),
               ContainsSubstring("a rope configuration that does not exist"));
    CHECK_THAT(refusal([](model_config& c) { c.rope_configs[0].width = 4; }),
               ContainsSubstring("a rope configuration of width 4 for heads of 2"));
}
