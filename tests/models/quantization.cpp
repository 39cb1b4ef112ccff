#include <tokenworks/models/quantization.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantize_gguf.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;

TEST_CASE("quantization: names of types and mixes", "[models]") {
    CHECK(quantization::named("Q8_0").type == tw::dtype::q8_0);
    CHECK(quantization::named("q4_k_M").is_mix);
    CHECK(quantization::named("q4_k_m").type == tw::dtype::q4_k);
    for(const char* const name: {"", "q9_0", "q4_k_s", "f64", "q2_k", "i32", "q4_k_m "}) {
        CHECK_THROWS_AS(quantization::named(name), tw::argument_error);
    }
    // Each name that is told to users is one.
    std::string name;
    for(const char* c = quantization::names;; ++c) {
        if(*c != ' ' && *c != '\0') {
            name += *c;
            continue;
        }
        CHECK_NOTHROW(quantization::named(name));
        name.clear();
        if(*c == '\0') {
            break;
        }
    }
}

TEST_CASE("quantization: which tensors, and which types", "[models]") {
    CHECK(quantization::applies_to("blk.0.attn_q.weight", 2));
    CHECK(quantization::applies_to("blk.0.ffn_up_exps.weight", 3));
    CHECK_FALSE(quantization::applies_to("blk.0.attn_q.bias", 1));
    CHECK_FALSE(quantization::applies_to("blk.0.attn_norm.weight", 1));
    CHECK_FALSE(quantization::applies_to("blk.0.attn_q_norm.weight", 2));
    CHECK_FALSE(quantization::applies_to("blk.0.ffn_gate_inp.weight", 2));
    CHECK_FALSE(quantization::applies_to("position_embd.weight", 2));

    quantization how = quantization::named("q4_k_m");
    CHECK(how.type_of("blk.3.attn_q.weight", 256, 16, false) == tw::dtype::q4_k);
    CHECK(how.type_of("blk.0.attn_v.weight", 256, 16, false) == tw::dtype::q6_k); // the first eighth
    CHECK(how.type_of("blk.5.ffn_down.weight", 256, 16, false) == tw::dtype::q4_k);
    CHECK(how.type_of("blk.7.ffn_down_exps.weight", 256, 16, false) == tw::dtype::q6_k); // every third
    CHECK(how.type_of("output.weight", 256, 16, true) == tw::dtype::q6_k);
    CHECK(how.type_of("blk.3.attn_q.weight", 64, 16, false) == tw::dtype::q5_0);
    CHECK(how.type_of("output.weight", 64, 16, true) == tw::dtype::q8_0);
    CHECK(how.type_of("blk.3.attn_q.weight", 40, 16, false) == tw::dtype::f16);

    how.rules.push_back({tw::codec::regex{R"(^blk\.[0-3]\.attn_)"}, tw::dtype::q8_0});
    how.rules.push_back({tw::codec::regex{"attn_q"}, tw::dtype::bf16});
    CHECK(how.type_of("blk.3.attn_q.weight", 256, 16, false) == tw::dtype::q8_0);
    CHECK(how.type_of("blk.4.attn_q.weight", 256, 16, false) == tw::dtype::bf16);
    CHECK(how.type_of("blk.4.attn_k.weight", 256, 16, false) == tw::dtype::q4_k);
    CHECK(how.identity() != quantization::named("q4_k_m").identity());
}

TEST_CASE("quantization: on load, experts and transposed matrices included", "[models]") {
    const files::temporary_folder folder;
    tw::thread_team team{3};
    for(const std::string name: {"qwen3", "qwen3_moe", "gpt2"}) {
        INFO(name);
        const support::family_golden golden{name};
        golden.write_to(folder.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(folder.string());
        // Rows of these models are too narrow for blocks; their weights have few bits, which a half holds.
        const std::vector<weight_transform> transforms{quantize_on_load(quantization::named("q8_0"))};
        const transformed_weights loaded{opened.weights(), transforms, opened.config(), {.threads = &team}};
        const std::string up = name == "qwen3_moe" ? "blk.0.ffn_up.1.weight" : "blk.0.ffn_up.weight";
        const auto made = loaded.get().find(up);
        REQUIRE(made);
        CHECK(made->type == tw::dtype::f16);
        CHECK(made->progress_bytes() == 2 * made->bytes.size());
        CHECK(loaded.get().find("blk.0.attn_norm.weight")->type == tw::dtype::f32);
        const decoder model{opened.config(), loaded.get()};
        CHECK(golden.worst(support::all_logits(model, golden.ids, golden.ids.size())) < 1e-5);
    }
}

TEST_CASE("quantized_weights: what encoders give, each expert with its importance", "[models]") {
    const std::vector<float> values = support::random_floats(96 * 64, 3);
    memory_weights source;
    source.add("blk.2.ffn_up.1.weight", {96, 64}, values);
    tw::io::gguf_writer file;
    std::vector<float> sums(2 * 64);
    for(std::size_t i = 0; i < sums.size(); ++i) {
        sums[i] = static_cast<float>(i * i);
    }
    const float counts[] = {1, 1};
    file.add_tensor("blk.2.ffn_up_exps.weight.in_sum2", tw::dtype::f32, {64, 2}, std::as_bytes(std::span{sums}));
    file.add_tensor("blk.2.ffn_up_exps.weight.counts", tw::dtype::f32, {1, 2}, std::as_bytes(std::span{counts}));
    quantization how = quantization::named("q4_0");
    how.importance =
        std::make_shared<const importance_matrix>(importance_matrix::from_memory(file.to_bytes(), "imatrix"));
    tw::thread_team team{3};
    const quantized_weights made{source, how, 4, {.threads = &team}};
    std::vector<std::byte> expected(96 * 64 / 32 * 18);
    for(std::size_t row = 0; row < 96; ++row) {
        tw::quant::encode(tw::dtype::q4_0, std::span{values}.subspan(row * 64, 64),
                          std::span{expected}.subspan(row * 36, 36), std::span{sums}.subspan(64));
    }
    CHECK(std::ranges::equal(made.find("blk.2.ffn_up.1.weight")->bytes, expected));
}

TEST_CASE("quantize_gguf: rules and fallbacks reach the file, which holds what encoders give", "[models]") {
    const std::vector<float> values = support::random_floats(64 * 4, 3);
    const std::vector<float> narrow = support::random_floats(24 * 4, 4);
    tw::io::gguf_writer in;
    in.set("general.architecture", std::string_view{"llama"});
    in.set("llama.block_count", std::uint32_t{2});
    const auto bytes = [](const std::vector<float>& of) { return std::as_bytes(std::span{of}); };
    in.add_tensor("token_embd.weight", tw::dtype::f32, {64, 4}, bytes(values));
    in.add_tensor("blk.0.ffn_up.weight", tw::dtype::f32, {64, 4}, bytes(values));
    in.add_tensor("blk.0.attn_q.weight", tw::dtype::f32, {24, 4}, bytes(narrow));
    in.add_tensor("blk.0.ffn_gate_inp.weight", tw::dtype::f32, {64, 4}, bytes(values));
    in.add_tensor("output_norm.weight", tw::dtype::f32, {64}, bytes(values).first(256));
    const std::vector<std::byte> first = in.to_bytes();
    const auto file = tw::io::gguf_file::from_memory(first, "in.gguf");
    quantization how = quantization::named("q4_0");
    how.rules.push_back({tw::codec::regex{"ffn_.p"}, tw::dtype::q5_1});
    tw::io::gguf_writer out;
    quantize_gguf(file, how, out);
    const std::vector<std::byte> second = out.to_bytes();
    const auto made = tw::io::gguf_file::from_memory(second, "out.gguf");
    CHECK(made.get<std::uint32_t>("general.file_type") == 2);
    CHECK(made.tensor("token_embd.weight").type == tw::dtype::q4_0);
    CHECK(made.tensor("blk.0.ffn_up.weight").type == tw::dtype::q5_1);
    CHECK(made.tensor("blk.0.attn_q.weight").type == tw::dtype::f16);
    CHECK(made.tensor("blk.0.ffn_gate_inp.weight").type == tw::dtype::f32);
    CHECK(made.tensor("output_norm.weight").type == tw::dtype::f32);
    std::vector<std::byte> expected(64 * 4 / 32 * 24);
    tw::quant::encode(tw::dtype::q5_1, values, expected);
    CHECK(std::ranges::equal(made.tensor("blk.0.ffn_up.weight").data, expected));
}

TEST_CASE("encode_rows: a value that fits no scale names its tensor", "[models]") {
    std::vector<float> values(64, 1.0F);
    values[40] = INFINITY;
    memory_weights source;
    source.add("blk.0.ffn_up.weight", {2, 32}, values);
    const auto nothing = [](std::span<const std::byte>) {};
    const weight w = *source.find("blk.0.ffn_up.weight");
    CHECK_THROWS_WITH(encode_rows(source, w, tw::dtype::q8_0, {}, {}, nothing), Catch::Contains("blk.0.ffn_up.weight"));
    values[40] = 1;
    source.add("blk.0.ffn_up.weight", {2, 32}, values);
    const std::vector<float> importance(33, 1.0F);
    CHECK_THROWS_AS(encode_rows(source, *source.find("blk.0.ffn_up.weight"), tw::dtype::q8_0, importance, {}, nothing),
                    tw::format_error);
}
