// The decoder in shapes that neither Llama nor Gemma has, against a forward pass in double written by the formulas.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/models/decoder.hpp>

#include "reference/decoder.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;

namespace {

const std::vector<std::int32_t> ids{3, 0, 18, 7, 7, 11, 2, 1, 16, 5, 9};

/// A model of 19 tokens, and tensors for whatever its configuration asks for.
struct model {
    model_config config;
    reference::tensors tensors;
    bool biases = false;
    bool own_mlp_norm = true; ///< with a parallel residual
    unsigned seed = 1;

    model() {
        config.architecture = "mine";
        config.vocab_size = 19;
        config.width = 24;
        config.feed_forward = 40;
        config.context_length = 16;
        config.layers.resize(2);
        config.heads = 6;
        config.kv_heads = 2;
        config.key_width = 8;
        config.value_width = 5;
        config.attention_scale = 0.4F;
        config.norm_epsilon = 0.01F;
        config.rope_configs.push_back({.width = 8, .base = 300});
        config.rope_configs.push_back({.width = 4, .base = 50, .pairing = tw::kernels::rope_pairing::interleaved});
    }

    void add(const std::string& name, std::size_t rows, std::size_t columns) {
        const float deviation = columns == 1 ? 0.3F : 1 / std::sqrt(static_cast<float>(columns));
        tensors[name] = support::random_floats(rows * columns, seed++, deviation);
    }
    void add_linear(const std::string& name, std::size_t rows, std::size_t columns) {
        add(name + ".weight", rows, columns);
        if(biases) {
            add(name + ".bias", rows, 1);
        }
    }
    void add_norm(const std::string& name, std::size_t width) {
        add(name + ".weight", width, 1);
        for(float& value: tensors[name + ".weight"]) {
            value += 1;
        }
        if(config.norm == norm_kind::layer && biases) {
            add(name + ".bias", width, 1);
        }
    }

    void fill() {
        const model_config& c = config;
        add("token_embd.weight", c.vocab_size, c.width);
        if(c.position == position_kind::learned || c.position_table) {
            add("position_embd.weight", c.context_length, c.width);
        }
        add_norm("output_norm", c.width);
        if(!c.tied_embeddings) {
            add_linear("output", c.vocab_size, c.width);
        } else if(biases) {
            add("output.bias", c.vocab_size, 1);
        }
        for(std::size_t i = 0; i < c.layers.size(); ++i) {
            const std::string prefix = "blk." + std::to_string(i) + ".";
            if(c.pre_norm) {
                add_norm(prefix + "attn_norm", c.width);
                if(!c.parallel_residual || own_mlp_norm) {
                    add_norm(prefix + "ffn_norm", c.width);
                }
            }
            if(c.post_norm) {
                add_norm(prefix + "post_attention_norm", c.width);
                add_norm(prefix + "post_ffw_norm", c.width);
            }
            add_linear(prefix + "attn_q", c.heads * c.key_width, c.width);
            add_linear(prefix + "attn_k", c.kv_heads * c.key_width, c.width);
            add_linear(prefix + "attn_v", c.kv_heads * c.value_width, c.width);
            add_linear(prefix + "attn_output", c.width, c.heads * c.value_width);
            if(c.qk_norm != qk_norm_kind::none) {
                const bool full = c.qk_norm == qk_norm_kind::full;
                add_norm(prefix + "attn_q_norm", (full ? c.heads : 1) * c.key_width);
                add_norm(prefix + "attn_k_norm", (full ? c.kv_heads : 1) * c.key_width);
            }
            if(c.attention_sinks) {
                add(prefix + "attn_sinks.weight", c.heads, 1);
            }
            add_linear(prefix + "ffn_up", c.feed_forward, c.width);
            add_linear(prefix + "ffn_down", c.width, c.feed_forward);
            if(c.mlp == feed_forward_kind::gated) {
                add_linear(prefix + "ffn_gate", c.feed_forward, c.width);
            }
        }
    }

    [[nodiscard]] decoder load() const {
        memory_weights source;
        for(const auto& [name, values]: tensors) {
            const bool is_vector =
                name.ends_with(".bias") || name.find("norm") != name.npos || name.find("sinks") != name.npos;
            const std::size_t rows = name == "token_embd.weight" || name == "output.weight" ? config.vocab_size
                                     : name == "position_embd.weight"                       ? config.context_length
                                     : name.find("attn_q.") != name.npos ? config.heads * config.key_width
                                     : name.find("attn_k.") != name.npos ? config.kv_heads * config.key_width
                                     : name.find("attn_v.") != name.npos ? config.kv_heads * config.value_width
                                     : name.find("attn_output") != name.npos || name.find("ffn_down") != name.npos
                                         ? config.width
                                         : config.feed_forward;
            source.add(name, is_vector ? std::vector{values.size()} : std::vector{rows, values.size() / rows}, values);
        }
        return decoder{config, source};
    }
};

std::vector<float> run(const decoder& m, std::size_t chunk, const tw::execution& how) {
    tw::nn::context c{how};
    tw::nn::kv_cache cache = m.make_cache(ids.size(), tw::dtype::f32);
    std::vector<float> logits(ids.size() * m.vocab_size());
    for(std::size_t at = 0; at < ids.size(); at += chunk) {
        const std::size_t count = std::min(chunk, ids.size() - at);
        const decoder_input input{&cache, std::span{ids}.subspan(at, count), decoder_input::logits::all};
        m.forward(c, std::span{&input, 1}, tw::nn::rows{logits.data() + at * m.vocab_size(), count, m.vocab_size()});
    }
    return logits;
}

/// A model of two layers sums along about twenty products of widths up to 48; without norms between them values grow,
/// which the scale of the logits measures too.
constexpr double bound = 2e-5;

void check(model m) {
    m.fill();
    const decoder loaded = m.load();
    const std::vector<double> expected = reference::decoder{m.config, m.tensors}(ids).values;
    double scale = 0;
    for(const double value: expected) {
        scale = std::max(scale, std::abs(value));
    }
    REQUIRE(scale > 1e-3);
    support::for_each_isa([&](const tw::execution& how) {
        const std::vector<float> logits = run(loaded, ids.size(), how);
        double worst = 0;
        for(std::size_t i = 0; i < logits.size(); ++i) {
            const double difference = std::abs(static_cast<double>(logits[i]) - expected[i]);
            worst = std::isfinite(difference) ? std::max(worst, difference / scale) : INFINITY;
        }
        INFO(tw::name(how.set));
        CHECK(worst < bound);
        CHECK(support::same_bits(run(loaded, 1, how), logits));
        CHECK(support::same_bits(run(loaded, 4, how), logits));
    });
}

} // namespace

TEST_CASE("decoder: architectures of other families follow a double-precision forward pass", "[models]") {
    using tw::kernels::activation_kind;
    model m;
    model_config& c = m.config;
    SECTION("GPT-2: layer norms, learned positions, a plain GELU mlp, biases, tied embeddings") {
        m.biases = true;
        c.norm = norm_kind::layer;
        c.position = position_kind::learned;
        c.mlp = feed_forward_kind::plain;
        c.activation = activation_kind::gelu_tanh;
        c.tied_embeddings = true;
        check(m);
    }
    SECTION("MPT: ALiBi, and heads that are no power of two") {
        c.norm = norm_kind::layer;
        c.position = position_kind::alibi;
        c.mlp = feed_forward_kind::plain;
        c.activation = activation_kind::gelu;
        check(m);
    }
    SECTION("GPT-NeoX: parallel residual with a norm each, part of a head turned") {
        m.biases = true;
        c.norm = norm_kind::layer;
        c.parallel_residual = true;
        c.mlp = feed_forward_kind::plain;
        c.activation = activation_kind::gelu;
        c.layers[0].rope = c.layers[1].rope = 1;
        check(m);
    }
    SECTION("Falcon, Command R: parallel residual with one norm, scaled logits") {
        m.own_mlp_norm = false;
        c.parallel_residual = true;
        c.logit_scale = 0.25F;
        check(m);
    }
    SECTION("OLMo 2: norms after only, queries and keys normalised before the split") {
        c.pre_norm = false;
        c.post_norm = true;
        c.qk_norm = qk_norm_kind::full;
        check(m);
    }
    SECTION("gpt-oss: sinks, and a window on every other layer") {
        m.biases = true;
        c.attention_sinks = true;
        c.layers[0].window = 3;
        check(m);
    }
    SECTION("Gemma 2: soft-caps on scores and logits, sandwich norms") {
        c.post_norm = true;
        c.attention_softcap = 0.7F;
        c.logit_softcap = 0.9F;
        c.activation = activation_kind::gelu_tanh;
        c.embedding_scale = 4.9F;
        check(m);
    }
    SECTION("Granite, MiniCPM: scaled residuals; SmolLM3: a layer without position") {
        c.residual_scale = 0.22F;
        c.embedding_scale = 12;
        c.logit_scale = 0.125F;
        c.layers[1].rope = layer_config::no_rope;
        check(m);
    }
    SECTION("no position at all, ReLU squared, no norm before") {
        c.position = position_kind::none;
        c.mlp = feed_forward_kind::plain;
        c.activation = activation_kind::relu_squared;
        c.pre_norm = false;
        check(m);
    }
    SECTION("a table of positions besides: turned heads, as of videos") {
        c.position_table = true;
        c.layers[1].rope = 1;
        check(m);
    }
    SECTION("a table of positions besides: slopes") {
        c.position = position_kind::alibi;
        c.position_table = true;
        check(m);
    }
    SECTION("parallel without norms") {
        c.pre_norm = false;
        c.parallel_residual = true;
        check(m);
    }
}

TEST_CASE("decoder: sixty configurations drawn at random", "[models]") {
    std::mt19937 engine{2024};
    const auto any = [&](std::uint32_t count) { return static_cast<std::size_t>(engine() % count); };
    for(unsigned i = 0; i < 60; ++i) {
        model m;
        model_config& c = m.config;
        m.seed = i * 1000;
        m.biases = any(2) != 0;
        m.own_mlp_norm = any(2) != 0;
        c.kv_heads = std::vector<std::size_t>{1, 2, 3}[any(3)];
        c.heads = c.kv_heads * (1 + any(3));
        c.layers.resize(1 + any(3));
        c.norm = any(2) != 0 ? norm_kind::layer : norm_kind::rms;
        c.position = static_cast<position_kind>(any(4));
        c.position_table = any(3) == 0;
        c.qk_norm = static_cast<qk_norm_kind>(any(3));
        c.mlp = static_cast<feed_forward_kind>(any(2));
        c.activation = static_cast<tw::kernels::activation_kind>(any(9));
        c.pre_norm = any(4) != 0;
        c.post_norm = any(2) != 0;
        c.parallel_residual = any(3) == 0;
        c.attention_sinks = any(2) != 0;
        c.attention_softcap = any(2) != 0 ? 1.5F : 0.0F;
        c.logit_softcap = any(2) != 0 ? 2.0F : 0.0F;
        c.residual_scale = any(2) != 0 ? 0.5F : 1.0F;
        c.logit_scale = any(2) != 0 ? 0.5F : 1.0F;
        c.embedding_scale = any(2) != 0 ? 3.0F : 1.0F;
        c.tied_embeddings = any(2) != 0;
        for(layer_config& layer: c.layers) {
            layer = {.window = any(2) * (1 + any(7)), .rope = any(2)};
        }
        INFO("configuration " << i);
        check(m);
    }
}

TEST_CASE("decoder: learned positions end with their table", "[models]") {
    model m;
    SECTION("alone") { m.config.position = position_kind::learned; }
    SECTION("besides others") { m.config.position_table = true; }
    m.config.context_length = 4;
    m.fill();
    const decoder loaded = m.load();
    tw::nn::context c;
    tw::nn::kv_cache cache = loaded.make_cache(10);
    std::vector<float> logits(19);
    const auto feed = [&](std::size_t count) {
        const decoder_input input{&cache, std::span{ids}.first(count), decoder_input::logits::last};
        loaded.forward(c, std::span{&input, 1}, tw::nn::rows{logits.data(), std::size_t{1}, std::size_t{19}});
    };
    CHECK_THROWS_WITH(feed(5), ContainsSubstring("0 tokens and 5 more, but positions are learned up to 4"));
    CHECK(cache.size() == 0);
    feed(3);
    CHECK_THROWS_AS(feed(2), tw::capacity_error);
    feed(1);
    CHECK_THROWS_AS(feed(1), tw::capacity_error);
    CHECK(cache.size() == 4);
}

TEST_CASE("decoder: caches of another model, an input without one, steps without inputs", "[models]") {
    model m;
    m.fill();
    const decoder loaded = m.load();
    tw::nn::context c;
    std::vector<float> logits(19 * 4);
    const tw::nn::rows one{logits.data(), std::size_t{1}, std::size_t{19}};
    const std::vector<std::int32_t> token{1};
    const auto feed = [&](tw::nn::kv_cache* cache) {
        const decoder_input input{cache, token, decoder_input::logits::last};
        loaded.forward(c, std::span{&input, 1}, one);
    };
    CHECK_THROWS_WITH(feed(nullptr), ContainsSubstring("an input without a cache"));
    const std::size_t shapes[][4] = {{1, 2, 8, 5}, {2, 1, 8, 5}, {2, 2, 7, 5}, {2, 2, 8, 6}};
    for(const auto& s: shapes) {
        tw::nn::kv_cache other{s[0], s[1], s[2], s[3], 10};
        CHECK_THROWS_AS(feed(&other), tw::shape_error);
        CHECK(other.size() == 0);
    }
    loaded.forward(c, {}, tw::nn::rows{logits.data(), std::size_t{0}, std::size_t{19}});
    CHECK_THROWS_WITH(loaded.forward(c, {}, one), ContainsSubstring("logits is [1,19], expected [0,19]"));
    tw::nn::kv_cache good = loaded.make_cache(3);
    CHECK_NOTHROW(feed(&good)); // errors before have left the context usable
    CHECK(good.size() == 1);
}

TEST_CASE("decoder: observers see embeddings, layers and the final norm; sizes add up", "[models]") {
    model m;
    m.config.position = position_kind::learned;
    m.fill();
    const decoder loaded = m.load();
    tw::nn::context c;
    std::vector<std::string> names;
    c.on_activation = [&](std::string_view name, std::size_t layer, tw::nn::const_rows x) {
        names.push_back(std::string{name} + std::to_string(layer));
        CHECK(x.extent(1) == 24);
    };
    tw::nn::kv_cache cache = loaded.make_cache(20);
    CHECK(cache.bytes() == 2 * 2 * (64 * 8 + 20 * 5) * 2); // keys come in steps of 64
    std::vector<float> logits(19);
    const decoder_input input{&cache, std::span{ids}.first(2), decoder_input::logits::last};
    loaded.forward(c, std::span{&input, 1}, tw::nn::rows{logits.data(), std::size_t{1}, std::size_t{19}});
    CHECK(names == std::vector<std::string>{"embedding0", "attention0", "layer0", "attention1", "layer1", "final1"});

    // Panels of 16 rows of floats.
    const auto panels = [](std::size_t rows, std::size_t columns) {
        return (rows + 15) / 16 * 16 * columns * sizeof(float);
    };
    const std::size_t layers =
        2 * (panels(48, 24) + panels(16, 24) + panels(10, 24) + panels(24, 30) + 3 * panels(40, 24));
    const std::size_t positions = panels(16, 24);
    const std::size_t embedding = panels(19, 24);
    CHECK(panels(24, 40) == 32 * 40 * 4);
    CHECK(loaded.weight_bytes() == layers - 2 * panels(40, 24) + 2 * panels(24, 40) + positions + 2 * embedding);
}
