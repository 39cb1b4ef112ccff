#include <tokenworks/models/hf_config.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using files::refusal;
using tokenworks::models::hf_config;
using tokenworks::models::memory_weights;

namespace {

hf_config config(std::string_view json) { return hf_config{files::bytes_of(json), "config.json"}; }

template <class Call>
std::string refused(Call&& call) {
    return refusal<tw::format_error>(call);
}

} // namespace

TEST_CASE("hf_config: GGUF names find every spelling, the first first", "[models]") {
    for(const char* const spelling: {"hidden_size", "n_embd", "d_model"}) {
        CHECK(config("{\"" + std::string{spelling} + "\": 12}").count("embedding_length") == 12);
    }
    CHECK(config(R"({"n_embd": 3, "hidden_size": 2})").count("embedding_length") == 2);
    CHECK(config(R"({"hidden_size": null, "n_embd": 3})").count("embedding_length") == 3);
    CHECK(config(R"({"anything": 4})").count("anything") == 4); // not in the table
    CHECK(config(R"({"a": {"b": {"c": 5}}})").count("a.b.c") == 5);
    CHECK_FALSE(config(R"({"a": {"b": 1}})").has("a.b.c"));
    CHECK_FALSE(config(R"({"a": 1})").has("a.b"));
    CHECK_FALSE(config(R"({"a": null})").has("a"));
    CHECK(config(R"({"rope_theta": 1e6})").real("rope.freq_base") == 1e6F);
    CHECK(config(R"({"rope_parameters": {"rope_theta": 5}, "rope_theta": 1e6})").real("rope.freq_base") == 5);
    CHECK(config(R"({"n_embd": 3})").key("embedding_length") == "n_embd");
    CHECK(config("{}").key("embedding_length") == "hidden_size");
    CHECK(config(R"({"model_type": "x"})").model_type() == "x");
    CHECK_FALSE(config("{}").is_gguf());
    CHECK(config("{}").label() == "config.json");
}

TEST_CASE("hf_config: every type, and what is of another", "[models]") {
    const hf_config c = config(R"({"n": 3, "r": 0.5, "minus": -1, "t": "x", "yes": true, "list": [1, 2], "texts": ["a"],
                                   "long_factor": 1, "rope_scaling": {"short_factor": [1, 2.5]}, "huge": 1e300})");
    CHECK(c.whole("n") == 3);
    CHECK(c.number("n") == 3);
    CHECK(c.number("r") == 0.5);
    CHECK(c.real_or("minus", 0) == -1);
    CHECK(c.text("t") == "x");
    CHECK(c.flag("yes"));
    CHECK(c.wholes("list") == std::vector<std::uint64_t>{1, 2});
    CHECK(c.texts("texts") == std::vector<std::string>{"a"});
    CHECK(c.is_list("list"));
    CHECK_FALSE(c.is_list("n"));
    CHECK(c.uniform_count("n", 2) == 3);
    CHECK(c.factors("rope_factors_short", 2) == std::vector<float>{1, 2.5F});
    CHECK(c.factors("rope_factors_long", 2).empty());
    CHECK(refused([&] { (void)c.whole("r"); }) == "config.json: r: is a number, not a whole number");
    CHECK_THAT(refused([&] { (void)c.whole("minus"); }), ContainsSubstring("minus"));
    CHECK_THAT(refused([&] { (void)c.number("t"); }), ContainsSubstring("t: is a string, not a number"));
    CHECK_THAT(refused([&] { (void)c.flag("n"); }), ContainsSubstring("n: is a whole number, not a bool"));
    CHECK_THAT(refused([&] { (void)c.text("n"); }), ContainsSubstring("n: is a whole number, not a string"));
    CHECK_THAT(refused([&] { (void)c.wholes("n"); }), ContainsSubstring("n: is a whole number, not an array"));
    CHECK_THAT(refused([&] { (void)c.wholes("texts"); }), ContainsSubstring("texts: is a string, not a whole number"));
    CHECK_THAT(refused([&] { (void)c.texts("list"); }), ContainsSubstring("list: is a whole number, not a string"));
    CHECK_THAT(refused([&] { (void)c.real("huge"); }), ContainsSubstring("huge: is not a finite number"));
    CHECK_THAT(refused([&] { (void)c.count("n", 2); }), ContainsSubstring("n: is 3, not in 1..2"));
    CHECK_THAT(refused([&] { (void)c.uniform_count("list", 3); }), ContainsSubstring("has 2 entries for 3 layers"));
    CHECK_THAT(refused([&] { (void)c.factors("rope_factors_short", 3); }),
               ContainsSubstring("rope_scaling.short_factor: has 2 entries, expected 3"));
    CHECK(refused([&] { (void)c.count("embedding_length"); }) == "config.json: hidden_size: the key is missing");
    CHECK_THAT(refusal<tw::unsupported_error>([&] { c.require_unset("yes"); }), ContainsSubstring("yes is set"));
    CHECK_NOTHROW(c.require_unset("no"));
}

TEST_CASE("hf_config: a head is tied where the file says so, or has none", "[models]") {
    const std::vector<float> values(4);
    for(const char* const head: {"lm_head.weight", "embed_out.weight", ""}) {
        memory_weights weights;
        if(*head != '\0') {
            weights.add(head, {2, 2}, values);
        }
        hf_config silent = config("{}");
        silent.set_weights(weights);
        CHECK(silent.tied_embeddings() == (*head == '\0'));
        hf_config loud = config(R"({"tie_word_embeddings": true})");
        loud.set_weights(weights);
        CHECK(loud.tied_embeddings());
    }
}

TEST_CASE("hf_config: what is no configuration", "[models]") {
    CHECK(refused([] { (void)config("[]"); }) == "config.json: config: is no object");
    CHECK_THAT(refused([] { (void)config("{"); }), ContainsSubstring("config.json: JSON"));
    const std::string much(std::size_t{1} << 21, ' ');
    CHECK_THAT(refusal<tw::limit_error>([&] { (void)config(much); }), ContainsSubstring("over the limit"));
}
