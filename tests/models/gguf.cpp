#include <tokenworks/models/gguf.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::metadata_of;
using support::tiny_model;
using writer = tokenworks::io::gguf_writer;

namespace {

template <class Edit>
std::string refusal(const std::string& architecture, Edit&& edit) {
    const auto f = metadata_of(tiny_model{.architecture = architecture}, edit);
    try {
        static_cast<void>(config_of(f.file));
    } catch(const tw::format_error& problem) {
        CHECK(problem.file() == "test.gguf");
        return problem.what();
    } catch(const tw::unsupported_error& problem) {
        return std::string{"unsupported: "} + problem.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("gguf: the architecture's name chooses who reads the file", "[models]") {
    CHECK(config_of(metadata_of(tiny_model{}).file).architecture == "llama");
    CHECK(config_of(metadata_of(tiny_model{.architecture = "gemma3"}).file).architecture == "gemma3");
    CHECK_THAT(refusal("mamba\x1b", [](writer&) {}),
               ContainsSubstring("unsupported: test.gguf: architecture 'mamba\\x1b'; known are llama, ") &&
                   ContainsSubstring(", gemma3, "));
    CHECK_THAT(refusal("llama", [](writer& out) { out.erase("general.architecture"); }),
               ContainsSubstring("general.architecture") && ContainsSubstring("missing"));
    CHECK_THAT(refusal("llama", [](writer& out) { out.set("general.architecture", std::uint32_t{1}); }),
               ContainsSubstring("is of type u32, not string"));
}

TEST_CASE("gguf: what does not fit together is the file's fault, and names it", "[models]") {
    CHECK_THAT(refusal("llama", [](writer& out) { out.set("llama.attention.head_count_kv", std::uint32_t{3}); }),
               ContainsSubstring("test.gguf: llama configuration: kv_heads 3 does not divide heads 4"));
    CHECK_THAT(refusal("llama", [](writer& out) { out.set("llama.attention.layer_norm_rms_epsilon", -1.0F); }),
               ContainsSubstring("norm_epsilon is negative"));
    CHECK_THAT(refusal("gemma3", [](writer& out) { out.set("gemma3.final_logit_softcapping", -1.0F); }),
               ContainsSubstring("a soft-cap is negative"));
    CHECK_THAT(refusal("gemma3", [](writer& out) { out.set("gemma3.rope.freq_base_swa", 0.0F); }),
               ContainsSubstring("test.gguf: rope: base 0"));
    CHECK_THAT(refusal("llama", [](writer& out) { out.set("llama.rope.scaling.attn_factor", -1.0F); }),
               ContainsSubstring("test.gguf: rope: attention_factor is negative"));
    CHECK_THAT(refusal("llama", [](writer& out) { out.set("llama.rope.scaling.type", "longrope"); }),
               ContainsSubstring("test.gguf: rope: short_factors has 0 values for 4 pairs"));
    CHECK_THAT(refusal("llama",
                       [](writer& out) {
                           out.set("llama.rope.scaling.type", "yarn");
                           out.set("llama.rope.scaling.yarn_beta_fast", 0.0F);
                       }),
               ContainsSubstring("beta_fast and beta_slow must be above 0"));
}
