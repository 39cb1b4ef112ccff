#include <tokenworks/models/rope_parameters.hpp>

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
using support::gguf_in_memory;
using tokenworks::kernels::rope_config;
using tokenworks::kernels::rope_pairing;
using tokenworks::kernels::rope_scaling_kind;
using writer = tokenworks::io::gguf_writer;

namespace {

/// The parameters of heads of width 8 in a model of 64 tokens of context, from a file with these keys and tensors.
template <class Edit>
rope_config parameters(Edit&& edit) {
    writer out;
    out.set("general.architecture", "x");
    edit(out);
    const gguf_in_memory f{out};
    model_config config;
    config.key_width = 8;
    config.context_length = 64;
    return rope_parameters(gguf_hyperparameters{f.file}, config, 10000.0F, rope_pairing::interleaved);
}

template <class Edit>
std::string refusal(Edit&& edit) {
    try {
        static_cast<void>(parameters(edit));
    } catch(const tw::format_error& problem) {
        CHECK(problem.file() == "test.gguf");
        return problem.what();
    } catch(const tw::unsupported_error& problem) {
        return std::string{"unsupported: "} + problem.what();
    }
    return "accepted";
}

template <class T>
std::string refusal_of(const std::string& key, T value) {
    return refusal([&](writer& out) { out.set("x." + key, value); });
}

const std::vector<float> four{1.0F, 2.0F, 3.0F, 4.0F};

void add_factors(writer& out, const std::string& name, const std::vector<float>& values) {
    out.add_tensor(name, tw::dtype::f32, {values.size()}, std::as_bytes(std::span{values}));
}

} // namespace

TEST_CASE("rope_parameters: a file that says nothing turns whole heads by the given base", "[models]") {
    const rope_config rope = parameters([](writer&) {});
    CHECK(rope.width == 8);
    CHECK(rope.base == 10000.0);
    CHECK(rope.pairing == rope_pairing::interleaved);
    CHECK(rope.factors.empty());
    CHECK(rope.scaling.kind == rope_scaling_kind::none);
    CHECK(rope.scaling.original_context == 64);
}

TEST_CASE("rope_parameters: every key that is read", "[models]") {
    const rope_config yarn = parameters([](writer& out) {
        out.set("x.rope.dimension_count", std::uint32_t{6});
        out.set("x.rope.freq_base", 5e5F);
        out.set("x.rope.scaling.type", "yarn");
        out.set("x.rope.scaling.factor", 4.0F);
        out.set("x.rope.scaling.original_context_length", std::uint32_t{16});
        out.set("x.rope.scaling.attn_factor", 0.5F);
        out.set("x.rope.scaling.yarn_beta_fast", 20.0F);
        out.set("x.rope.scaling.yarn_beta_slow", 2.0F);
        const static std::vector<float> three{1, 2, 3};
        add_factors(out, "rope_freqs.weight", three);
    });
    CHECK(yarn.width == 6);
    CHECK(yarn.base == 5e5);
    CHECK(yarn.factors == std::vector<float>{1, 2, 3});
    CHECK(yarn.scaling.kind == rope_scaling_kind::yarn);
    CHECK(yarn.scaling.factor == 4.0);
    CHECK(yarn.scaling.original_context == 16);
    CHECK(yarn.scaling.attention_factor == 0.5);
    CHECK(yarn.scaling.beta_fast == 20.0);
    CHECK(yarn.scaling.beta_slow == 2.0);

    const rope_config old = parameters([](writer& out) { out.set("x.rope.scale_linear", 2.0F); });
    CHECK(old.scaling.kind == rope_scaling_kind::linear);
    CHECK(old.scaling.factor == 2.0);
    const rope_config off = parameters([](writer& out) {
        out.set("x.rope.scaling.type", "none");
        out.set("x.rope.scaling.factor", 4.0F);
    });
    CHECK(off.scaling.kind == rope_scaling_kind::none);
    const rope_config linear = parameters([](writer& out) {
        out.set("x.rope.scaling.type", "linear");
        out.set("x.rope.scaling.factor", 8.0F);
    });
    CHECK(linear.scaling.kind == rope_scaling_kind::linear);
    CHECK(linear.scaling.factor == 8.0);
}

TEST_CASE("rope_parameters: factors for long contexts", "[models]") {
    const auto with_factors = [](writer& out) {
        const static std::vector<float> twice{2, 4, 6, 8};
        add_factors(out, "rope_factors_short.weight", four);
        add_factors(out, "rope_factors_long.weight", twice);
        out.set("x.rope.scaling.original_context_length", std::uint32_t{16});
    };
    const rope_config silent = parameters(with_factors);
    CHECK(silent.scaling.kind == rope_scaling_kind::longrope);
    CHECK(silent.scaling.short_factors == four);
    CHECK(silent.scaling.long_factors == std::vector<float>{2, 4, 6, 8});
    CHECK(silent.scaling.factor == 4.0); // 64 / 16
    const rope_config named = parameters([&](writer& out) {
        with_factors(out);
        out.set("x.rope.scaling.type", "longrope");
        out.set("x.rope.scaling.factor", 3.0F);
    });
    CHECK(named.scaling.kind == rope_scaling_kind::longrope);
    CHECK(named.scaling.factor == 3.0);
}

TEST_CASE("rope_parameters: what it refuses", "[models]") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK_THAT(refusal_of("rope.dimension_count", std::uint32_t{5}),
               ContainsSubstring("x.rope.dimension_count") &&
                   ContainsSubstring("is 5, not an even number up to the head's 8"));
    CHECK_THAT(refusal_of("rope.dimension_count", std::uint32_t{10}), ContainsSubstring("is 10, not an even number"));
    CHECK_THAT(refusal_of("rope.dimension_count", std::uint32_t{0}), ContainsSubstring("is 0, not in 1.."));
    CHECK_THAT(refusal_of("rope.freq_base", 0.0F),
               ContainsSubstring("x.rope.freq_base") && ContainsSubstring("not above 0"));
    CHECK_THAT(refusal_of("rope.freq_base", -1.0F), ContainsSubstring("not above 0"));
    CHECK_THAT(refusal_of("rope.freq_base", nan), ContainsSubstring("is not a finite number"));
    CHECK_THAT(refusal_of("rope.freq_base", "10000"), ContainsSubstring("is of type string"));
    CHECK_THAT(refusal_of("rope.scaling.factor", 0.0F),
               ContainsSubstring("x.rope.scaling.factor") && ContainsSubstring("is not above 0"));
    CHECK_THAT(refusal_of("rope.scaling.factor", -2.0F), ContainsSubstring("is not above 0"));
    CHECK_THAT(refusal_of("rope.scaling.factor", nan), ContainsSubstring("is not a finite number"));
    CHECK_THAT(refusal_of("rope.scale_linear", nan), ContainsSubstring("is not a finite number"));
    CHECK_THAT(refusal_of("rope.scaling.original_context_length", std::uint32_t{0}),
               ContainsSubstring("is 0, not in 1.."));
    CHECK_THAT(refusal_of("rope.scaling.attn_factor", nan), ContainsSubstring("is not a finite number"));
    CHECK_THAT(refusal_of("rope.scaling.yarn_beta_fast", nan), ContainsSubstring("is not a finite number"));
    CHECK(refusal_of("rope.scaling.type", "dynamic\n") == "unsupported: test.gguf: x.rope.scaling.type 'dynamic\\x0a'");
    CHECK_THAT(refusal_of("rope.scaling.type", std::uint32_t{1}), ContainsSubstring("is of type u32, not string"));
}

TEST_CASE("rope_parameters: factor tensors that do not fit", "[models]") {
    for(const std::string name: {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"}) {
        const auto with = [&](std::vector<float> values) {
            return refusal([&](writer& out) {
                if(name == "rope_factors_short.weight") {
                    add_factors(out, "rope_factors_long.weight", four);
                }
                add_factors(out, name, values);
            });
        };
        INFO(name);
        CHECK(with({1, 1, 1, 1}) == "accepted");
        CHECK_THAT(with({1, 1, 1}),
                   ContainsSubstring("tensor " + name) && ContainsSubstring("extents [3], expected [4]"));
        CHECK_THAT(with({1, 1, 0, 1}),
                   ContainsSubstring("tensor " + name) && ContainsSubstring("has a factor that is not above 0"));
        CHECK_THAT(with({1, -1, 1, 1}), ContainsSubstring("not above 0"));
        CHECK_THAT(with({1, std::numeric_limits<float>::infinity(), 1, 1}), ContainsSubstring("not above 0"));
        CHECK_THAT(with({std::numeric_limits<float>::quiet_NaN(), 1, 1, 1}), ContainsSubstring("not above 0"));
        CHECK_THAT(refusal([&](writer& out) {
                       out.add_tensor(name, tw::dtype::i32, {4}, std::as_bytes(std::span{four}));
                       if(name == "rope_factors_short.weight") {
                           add_factors(out, "rope_factors_long.weight", four);
                       }
                   }),
                   ContainsSubstring("unsupported: test.gguf: tensor " + name) && ContainsSubstring("i32"));
    }
}
