#include <tokenworks/nn/decoder_layer.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "nn/blocks.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::dense;
using blocks::matrix;

namespace {

constexpr std::size_t width = 24;
constexpr std::size_t hidden = 50;
constexpr std::size_t tokens = 6;

/// A layer of random weights beside the numbers it is made of; which norms it has is up to the test.
struct model {
    dense q{16, width, 1}, k{8, width, 2}, v{8, width, 3}, o{width, 16, 4};
    dense gate{hidden, width, 5}, up{hidden, width, 6}, down{width, hidden, 7};
    std::vector<float> norms[4] = {blocks::norm_weight(width, 8), blocks::norm_weight(width, 9),
                                   blocks::norm_weight(width, 10), blocks::norm_weight(width, 11)};
    bool before_attention = false, after_attention = false, before_mlp = false, after_mlp = false;
    bool parallel = false;
    bool gated = true;
    float residual_scale = 1;

    [[nodiscard]] nn::decoder_layer layer() const {
        const tw::kernels::any_activation silu{tw::kernels::activation_kind::silu};
        nn::decoder_layer out{.attend = {.query = q.layer,
                                         .key = k.layer,
                                         .value = v.layer,
                                         .output = o.layer,
                                         .heads = 2,
                                         .kv_heads = 1,
                                         .key_width = 8,
                                         .value_width = 8},
                              .mlp = nn::mlp<tw::kernels::any_activation>{up.layer, down.layer, silu}};
        if(gated) {
            out.mlp = nn::gated_mlp<tw::kernels::any_activation>{gate.layer, up.layer, down.layer, silu};
        }
        const auto norm = [&](bool there, std::size_t i) {
            return there ? std::optional{nn::norm{nn::rms_norm{norms[i], 0.01F}}} : std::nullopt;
        };
        out.before_attention = norm(before_attention, 0);
        out.after_attention = norm(after_attention, 1);
        out.before_mlp = norm(before_mlp, 2);
        out.after_mlp = norm(after_mlp, 3);
        out.parallel = parallel;
        out.residual_scale = residual_scale;
        return out;
    }

    [[nodiscard]] reference::grid normed(reference::grid x, bool there, std::size_t i) const {
        for(std::size_t t = 0; there && t < x.rows(); ++t) {
            reference::normalize(x.row(t), {false, norms[i], {}, static_cast<double>(0.01F)});
        }
        return x;
    }

    [[nodiscard]] reference::grid attended(const reference::grid& x) const {
        reference::attention_block block;
        block.heads = 2;
        block.key_width = block.value_width = 8;
        block.scale = 1 / std::sqrt(8.0);
        block.query = q.weight;
        block.key = k.weight;
        block.value = v.weight;
        block.output = o.weight;
        return block(x);
    }

    [[nodiscard]] reference::grid fed(const reference::grid& x) const {
        const reference::grid g = reference::product(x, gate.weight, {});
        reference::grid u = reference::product(x, up.weight, {});
        for(std::size_t i = 0; i < u.values.size(); ++i) {
            u.values[i] = gated ? reference::silu(g.values[i]) * u.values[i] : reference::silu(u.values[i]);
        }
        return reference::product(u, down.weight, {});
    }

    [[nodiscard]] reference::grid expected(const reference::grid& x) const {
        const auto plus = [&](const reference::grid& to, const reference::grid& branch) {
            reference::grid sum = to;
            for(std::size_t i = 0; i < sum.values.size(); ++i) {
                sum.values[i] += static_cast<double>(residual_scale) * branch.values[i];
            }
            return sum;
        };
        const reference::grid input = normed(x, before_attention, 0);
        const reference::grid middle = plus(x, normed(attended(input), after_attention, 1));
        const reference::grid second =
            parallel ? (before_mlp ? normed(x, true, 2) : input) : normed(middle, before_mlp, 2);
        return plus(middle, normed(fed(second), after_mlp, 3));
    }
};

void check(const model& m) {
    const nn::decoder_layer layer = m.layer();
    matrix x{tokens, width, 20};
    const std::vector<double> expected = m.expected(x.exact()).values;
    support::for_each_isa([&](const tw::execution& how) {
        INFO(tw::name(how.set));
        nn::context c{how};
        nn::kv_cache cache{1, 1, 8, 8, tokens, tw::dtype::f32};
        matrix out = x;
        blocks::begin_step(c, cache, tokens);
        layer(c, out.rows());
        CHECK(blocks::worst(expected, out.values) < blocks::float_bound);
        CHECK(c.scratch.mark().offset == 0); // all scratch is given back
    });
}

} // namespace

TEST_CASE("decoder_layer: every order of norms and residuals follows a double loop", "[nn]") {
    model m;
    m.gated = GENERATE(true, false);
    SECTION("no norms") { check(m); }
    SECTION("before: Llama") {
        m.before_attention = m.before_mlp = true;
        check(m);
    }
    SECTION("after: OLMo 2") {
        m.after_attention = m.after_mlp = true;
        check(m);
    }
    SECTION("before and after: Gemma") {
        m.before_attention = m.before_mlp = m.after_attention = m.after_mlp = true;
        check(m);
    }
    SECTION("one alone, each") {
        bool model::*each =
            GENERATE(&model::before_attention, &model::after_attention, &model::before_mlp, &model::after_mlp);
        m.*each = true;
        check(m);
    }
    SECTION("branches scaled, with and without norms") {
        m.residual_scale = 0.3F;
        m.before_attention = m.before_mlp = GENERATE(true, false);
        m.after_mlp = GENERATE(true, false);
        check(m);
    }
    SECTION("parallel, one norm for both: Falcon, GPT-J") {
        m.parallel = true;
        m.before_attention = true;
        m.residual_scale = GENERATE(1.0F, 0.3F);
        check(m);
    }
    SECTION("parallel, a norm each: GPT-NeoX") {
        m.parallel = true;
        m.before_attention = m.before_mlp = true;
        m.after_attention = m.after_mlp = GENERATE(true, false);
        check(m);
    }
    SECTION("parallel without norms") {
        m.parallel = true;
        check(m);
    }
}

TEST_CASE("decoder_layer: observers see what comes out; the bytes are those of its parts", "[nn]") {
    for(const bool parallel: {false, true}) {
        model m;
        m.before_attention = m.before_mlp = true;
        m.parallel = parallel;
        const nn::decoder_layer layer = m.layer();
        CHECK(layer.bytes() == layer.attend.bytes() + m.gate.layer.bytes() + m.up.layer.bytes() + m.down.layer.bytes());
        matrix x{tokens, width, 20};
        nn::context c;
        nn::kv_cache cache{1, 1, 8, 8, tokens};
        std::vector<std::string> names;
        std::vector<float> last;
        c.on_activation = [&](std::string_view name, std::size_t, nn::const_rows values) {
            names.emplace_back(name);
            last.assign(values.data(), values.data() + tokens * width);
        };
        blocks::begin_step(c, cache, tokens);
        layer(c, x.rows());
        CHECK(names.back() == "layer");
        CHECK(names.size() == (parallel ? 1U : 2U));
        CHECK(support::same_bits(last, x.values));
    }
}
