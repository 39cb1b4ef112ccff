#include <tokenworks/models/load_blocks.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/packed_cache.hpp>
#include <tokenworks/models/quantization.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::gguf_in_memory;
using support::tiny_model;

namespace {

decoder load(const gguf_in_memory& f, const load_progress& progress = {}) {
    const gguf_weights weights{f.file};
    return decoder{config_of(f.file), weights, {}, {.progress = progress}};
}

template <class Change>
std::string refusal(const std::string& architecture, Change&& change) {
    tiny_model model{.architecture = architecture};
    model.fill();
    change(model);
    const gguf_in_memory f = model.open();
    try {
        static_cast<void>(load(f));
    } catch(const tw::format_error& problem) {
        CHECK(problem.file() == "test.gguf");
        return problem.what();
    } catch(const tw::unsupported_error& problem) {
        return std::string{"unsupported: "} + problem.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("load_blocks: every tensor that is missing or transposed is named, with what was expected", "[models]") {
    for(const std::string architecture: {"llama", "gemma3"}) {
        const tiny_model all = tiny_model{.architecture = architecture}.fill();
        for(const auto& [name, tensor]: all.tensors) {
            if(name == "output.weight") { // without it the head is the embedding
                CHECK(refusal(architecture, [](tiny_model& m) { m.tensors.erase("output.weight"); }) == "accepted");
                continue;
            }
            INFO(architecture << " " << name);
            const std::string& tensor_name = name;
            CHECK_THAT(refusal(architecture, [&](tiny_model& m) { m.tensors.erase(tensor_name); }),
                       ContainsSubstring("test.gguf: tensor " + name + ": missing; expected extents ["));
            const auto wrong = refusal(architecture, [&](tiny_model& m) {
                auto extents = m.tensors[tensor_name].extents;
                if(extents.size() == 2 && extents[0] != extents[1]) {
                    std::swap(extents[0], extents[1]);
                } else {
                    extents.back() += 1;
                }
                m.add(tensor_name, m.tensors[tensor_name].type, extents);
            });
            CHECK_THAT(wrong, ContainsSubstring("test.gguf: tensor " + name + " at offset ") &&
                                  ContainsSubstring(": extents [") && ContainsSubstring("expected ["));
        }
    }
}

TEST_CASE("load_blocks: biases are taken where they are, and must fit", "[models]") {
    for(const std::string name: {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
        const std::string bias = "blk.1." + name + ".bias";
        const auto add = [&](tiny_model& m, std::size_t more) {
            const std::uint64_t rows = m.tensors["blk.1." + name + ".weight"].extents[1];
            m.add(bias, tw::dtype::f32, {rows + more});
        };
        CHECK(refusal("llama", [&](tiny_model& m) { add(m, 0); }) == "accepted");
        CHECK_THAT(refusal("llama", [&](tiny_model& m) { add(m, 1); }), ContainsSubstring("tensor " + bias));
    }
    CHECK_THAT(refusal("llama", [](tiny_model& m) { m.add("output.bias", tw::dtype::f32, {7}); }),
               ContainsSubstring("tensor output.bias at offset ") && ContainsSubstring("extents [7], expected [259]"));
    CHECK_THAT(refusal("llama",
                       [](tiny_model& m) {
                           m.tensors.erase("output.weight");
                           m.add("output.bias", tw::dtype::f32, {7});
                       }),
               ContainsSubstring("tensor output.bias"));
}

TEST_CASE("load_blocks: leading extents of 1 may be written", "[models]") {
    CHECK(refusal("llama", [](tiny_model& m) {
              m.tensors["output_norm.weight"].extents = {32, 1, 1};
              m.tensors["output.weight"].extents = {32, 259, 1};
          }) == "accepted");
}

TEST_CASE("load_blocks: types that a place cannot take", "[models]") {
    const auto with_type = [](const std::string& name, tw::dtype type) {
        return refusal("llama", [&](tiny_model& m) {
            tiny_model::tensor& t = m.tensors[name];
            std::uint64_t count = 1;
            for(const std::uint64_t extent: t.extents) {
                count *= extent;
            }
            t.type = type;
            t.bytes.assign(count / tw::info(type).block_size * tw::info(type).block_bytes, std::byte{1});
        });
    };
    for(const std::string name:
        {"token_embd.weight", "blk.0.attn_q.weight", "output.weight", "output_norm.weight", "blk.1.attn_norm.weight"}) {
        for(const tw::dtype type: {tw::dtype::i8, tw::dtype::i16, tw::dtype::i32, tw::dtype::i64}) {
            CHECK_THAT(with_type(name, type), ContainsSubstring("unsupported: test.gguf: tensor " + name) &&
                                                  ContainsSubstring(std::string{tw::info(type).name}));
        }
        for(const tw::dtype type: {tw::dtype::f32, tw::dtype::f16, tw::dtype::bf16, tw::dtype::f64, tw::dtype::q8_0,
                                   tw::dtype::q4_1, tw::dtype::mxfp4}) {
            CHECK(with_type(name, type) == "accepted");
        }
    }
}

TEST_CASE("load_blocks: blocks that do not fit the width", "[models]") {
    // A file cannot say this: its reader refuses rows of broken blocks. Another source can.
    memory_weights source;
    const std::vector<std::byte> bytes(1000);
    source.add("token_embd.weight", tw::dtype::q4_0, {3, 48}, bytes);
    model_config config;
    config.architecture = "mine";
    config.vocab_size = 3;
    config.width = 48;
    config.feed_forward = config.context_length = config.heads = config.kv_heads = config.key_width =
        config.value_width = 2;
    config.attention_scale = 1;
    config.layers.resize(1);
    config.position = position_kind::none;
    CHECK_THROWS_WITH(
        (decoder{config, source}),
        ContainsSubstring("<memory>: tensor token_embd.weight: rows of 48 are no multiple of the q4_0 block"));
    source.add("token_embd.weight", tw::dtype::f32, {3, 48}, std::span{bytes}.first(48 * 4 * 2));
    CHECK_THROWS_AS((decoder{config, source}), tw::argument_error); // bytes of two rows for three
    config.heads = 0;
    CHECK_THROWS_AS((decoder{config, source}), tw::argument_error); // validated before anything is read
}

TEST_CASE("load_blocks: progress counts bytes, and may cancel at any point", "[models]") {
    const gguf_in_memory f = tiny_model{}.open();
    std::vector<std::uint64_t> seen;
    static_cast<void>(load(f, [&](std::uint64_t done) {
        seen.push_back(done);
        return true;
    }));
    CHECK(seen.size() == 2 + 2 * 7);
    std::uint64_t matrices = 0;
    for(const tw::io::gguf_tensor& tensor: f.file.tensors()) {
        matrices += tensor.rank == 2 ? tensor.bytes : 0;
    }
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(seen.back() == matrices);
    for(std::size_t stop = 0; stop < seen.size(); ++stop) {
        std::size_t calls = 0;
        CHECK_THROWS_WITH(load(f, [&](std::uint64_t) { return calls++ != stop; }),
                          ContainsSubstring("loading test.gguf: cancelled"));
        CHECK(calls == stop + 1);
    }
    CHECK_THROWS_AS(load(f, [](std::uint64_t) { return false; }), tw::cancelled_error);
}

TEST_CASE("load_blocks: a progress callback's exception reaches the caller", "[models]") {
    const gguf_in_memory f = tiny_model{}.open();
    CHECK_THROWS_AS(load(f, [](std::uint64_t) -> bool { throw 7; }), int);
}

namespace {

/// Another source, whose answers with bytes are counted.
class counted_weights final: public weight_source {
public:
    explicit counted_weights(const weight_source& of) : of_{&of} {}
    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        std::optional<weight> found = of_->find(name);
        matrices += found && found->extents.size() > 1 ? 1U : 0U;
        return found;
    }
    [[nodiscard]] std::optional<weight> describe(std::string_view name) const override { return of_->describe(name); }
    [[nodiscard]] std::string label() const override { return of_->label(); }
    mutable std::size_t matrices = 0;

private:
    const weight_source* of_;
};

} // namespace

TEST_CASE("load_blocks: what a cache has is not made again", "[models]") {
    tiny_model model;
    model.fill();
    const gguf_in_memory f = model.open();
    const gguf_weights stored{f.file};
    const files::temporary_folder folder;
    const model_config config = config_of(f.file);
    const auto logits_of = [&](const weight_source& from, bool with_cache) {
        std::optional<packed_cache> cache;
        if(with_cache) {
            cache.emplace(folder / "packed", 3);
        }
        std::uint64_t last = 0;
        const decoder made{config,
                           from,
                           {},
                           {.progress =
                                [&](std::uint64_t done) {
                                    CHECK(done >= last);
                                    last = done;
                                    return true;
                                },
                            .cache = cache ? &*cache : nullptr}};
        CHECK(last > 0);
        if(cache) {
            cache->finish();
        }
        const std::int32_t ids[] = {1, 2, 0};
        std::vector<float> logits(made.vocab_size());
        tw::nn::context c;
        tw::nn::kv_cache keys = made.make_cache(3);
        const decoder_input input{&keys, ids};
        made.forward(c, std::span{&input, 1}, tw::nn::rows{logits.data(), std::size_t{1}, logits.size()});
        return logits;
    };
    for(const char* const type: {"", "q8_0"}) { // as it is, and quantised on the way
        INFO(type);
        const counted_weights counted{stored};
        std::vector<weight_transform> transforms;
        if(*type != '\0') {
            transforms.push_back(quantize_on_load(quantization::named(type)));
        }
        const transformed_weights weights{counted, transforms, config, {}};
        const std::vector<float> expected = logits_of(weights.get(), false);
        const std::size_t all = std::exchange(counted.matrices, 0);
        CHECK(all > 10);
        CHECK(logits_of(weights.get(), true) == expected); // writes it
        CHECK(std::exchange(counted.matrices, 0) >= all);
        CHECK(logits_of(weights.get(), true) == expected);
        CHECK(counted.matrices == 0);
        std::filesystem::remove(folder / "packed");
    }
}
