#include <tokenworks/nn/mlp.hpp>

#include <cstddef>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "nn/blocks.hpp"
#include "support/catch.hpp"
#include "support/teams.hpp"
#include "support/weights.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::dense;
using blocks::matrix;
using tw::kernels::activation_kind;

namespace {

constexpr std::size_t width = 33;
constexpr std::size_t hidden = 70;

struct layers {
    dense gate{hidden, width, 1, true};
    dense up{hidden, width, 2, true};
    dense down{width, hidden, 3, true};
    matrix x{5, width, 4};

    [[nodiscard]] reference::grid expected(activation_kind kind, bool gated) const {
        const reference::grid g = reference::product(x.exact(), gate.weight, gate.bias);
        reference::grid u = reference::product(x.exact(), up.weight, up.bias);
        for(std::size_t i = 0; i < u.values.size(); ++i) {
            u.values[i] =
                gated ? reference::activate(kind, g.values[i]) * u.values[i] : reference::activate(kind, u.values[i]);
        }
        return reference::product(u, down.weight, down.bias);
    }
};

} // namespace

TEST_CASE("mlp: gated and plain, with every activation", "[nn]") {
    using enum activation_kind;
    const layers l;
    for(const activation_kind kind: {silu, gelu, gelu_tanh, gelu_quick, relu, relu_squared, sigmoid, tanh, identity}) {
        const nn::gated_mlp<tw::kernels::any_activation> gated{l.gate.layer, l.up.layer, l.down.layer, {kind}};
        const nn::mlp<tw::kernels::any_activation> plain{l.up.layer, l.down.layer, {kind}};
        support::for_each_isa([&](const tw::execution& how) {
            INFO(tw::name(how.set) << " activation " << static_cast<int>(kind));
            nn::context c{how};
            matrix out{5, width};
            gated(c, nn::activations{c, l.x.rows()}, out.rows());
            CHECK(blocks::worst(l.expected(kind, true).values, out.values) < blocks::float_bound);
            plain(c, nn::activations{c, l.x.rows()}, out.rows());
            CHECK(blocks::worst(l.expected(kind, false).values, out.values) < blocks::float_bound);
        });
    }
    CHECK(nn::gated_mlp<tw::kernels::silu>{l.gate.layer, l.up.layer, l.down.layer}.bytes() ==
          l.gate.layer.bytes() + l.up.layer.bytes() + l.down.layer.bytes());
    CHECK(nn::mlp<tw::kernels::silu>{l.up.layer, l.down.layer}.bytes() == l.up.layer.bytes() + l.down.layer.bytes());
}

TEST_CASE("mlp: an activation chosen at compile time gives the same bits; add_to adds; scratch is given back", "[nn]") {
    const layers l;
    nn::context c;
    const nn::activations x{c, l.x.rows()};
    const std::size_t before = c.scratch.mark().offset;
    matrix dynamic{5, width};
    nn::gated_mlp<tw::kernels::any_activation>{l.gate.layer, l.up.layer, l.down.layer, {activation_kind::gelu_tanh}}(
        c, x, dynamic.rows());
    CHECK(c.scratch.mark().offset == before);
    const nn::gated_mlp<tw::kernels::gelu_tanh> fixed{l.gate.layer, l.up.layer, l.down.layer};
    matrix out{5, width};
    fixed(c, x, out.rows());
    CHECK(support::same_bits(out.values, dynamic.values));

    matrix sum{5, width, 9};
    reference::grid expected = sum.exact();
    for(std::size_t i = 0; i < expected.values.size(); ++i) {
        expected.values[i] += l.expected(activation_kind::gelu_tanh, true).values[i];
    }
    fixed(c, x, nn::add_to(sum.rows()));
    CHECK(blocks::worst(expected.values, sum.values) < blocks::float_bound);
}

TEST_CASE("mlp: what follows on the columns of a product gives the bits of one step after another", "[nn]") {
    constexpr std::size_t in = 64;
    constexpr std::size_t inner = 96 + 16; // the last unit is half a block
    const auto layer = [](tw::dtype type, std::size_t out, std::size_t columns, unsigned seed) {
        return nn::linear{tw::kernels::pack(type, support::random_blocks(type, out * columns, seed), out, columns)};
    };
    const nn::linear gate = layer(tw::dtype::q4_0, inner, in, 1);
    const nn::linear up = layer(tw::dtype::q8_0, inner, in, 2);
    const dense wide_down{in, inner, 3, true};
    const nn::linear narrow_down{
        tw::kernels::pack(tw::dtype::q8_0, support::random_blocks(tw::dtype::q8_0, in * 128, 4), in, 128)};
    const nn::linear gate_128 = layer(tw::dtype::q4_0, 128, in, 5);
    const nn::linear up_128 = layer(tw::dtype::q4_1, 128, in, 6);
    for(const std::size_t rows: {1U, 16U, 40U}) {
        const matrix x{rows, in, 7};
        support::for_each_team([&](const tw::execution& how) {
            INFO(rows << " rows");
            nn::context c{how};
            const nn::activations input{c, x.rows()};
            const auto check = [&](const nn::linear& g, const nn::linear& u, const nn::linear& down) {
                matrix a{rows, g.out_width()};
                matrix b{rows, g.out_width()};
                g(c, input, a.rows());
                u(c, input, b.rows());
                matrix joined{rows, g.out_width()};
                tw::kernels::glu(tw::kernels::silu{}, a.rows(), b.rows(), joined.rows(), how);
                matrix expected{rows, in};
                down(c, nn::activations{c, joined.rows()}, expected.rows());
                matrix out{rows, in};
                nn::gated_mlp<tw::kernels::silu>{g, u, down}(c, input, out.rows());
                CHECK(support::same_bits(out.values, expected.values));

                tw::kernels::activate(tw::kernels::gelu{}, b.rows(), b.rows(), how);
                down(c, nn::activations{c, b.rows()}, expected.rows());
                nn::mlp<tw::kernels::gelu>{u, down}(c, input, out.rows());
                CHECK(support::same_bits(out.values, expected.values));
            };
            check(gate, up, wide_down.layer);
            check(gate_128, up_128, narrow_down);
        });
    }
}

TEST_CASE("mlp: float weights give the same bits on every team", "[nn]") {
    constexpr std::size_t in = 40;
    constexpr std::size_t inner = 1100;
    const dense gate{inner, in, 1, true};
    const dense up{inner, in, 2, true};
    const dense down{in, inner, 3, true};
    for(const std::size_t rows: {5U, 200U}) { // of a few rows the columns are cut over the team, of many the rows
        const matrix x{rows, in, 4};
        support::for_each_team([&](const tw::execution& how) {
            INFO(rows << " rows");
            nn::context c{how};
            const nn::activations input{c, x.rows()};
            nn::context alone{{.set = how.set}};
            const auto check = [&](const auto& block) {
                matrix expected{rows, in};
                block(alone, nn::activations{alone, x.rows()}, expected.rows());
                matrix out{rows, in};
                block(c, input, out.rows());
                CHECK(support::same_bits(out.values, expected.values));
            };
            check(nn::gated_mlp<tw::kernels::silu>{gate.layer, up.layer, down.layer});
            check(nn::mlp<tw::kernels::gelu>{up.layer, down.layer});
        });
    }
}

TEST_CASE("mlp: widths that disagree", "[nn]") {
    const layers l;
    nn::context c;
    matrix out{5, width};
    const dense other{hidden + 1, width, 5};
    const nn::gated_mlp<tw::kernels::silu> uneven{other.layer, l.up.layer, l.down.layer};
    CHECK_THROWS_AS(uneven(c, nn::activations{c, l.x.rows()}, out.rows()), tw::shape_error);
    const nn::mlp<tw::kernels::silu> loose{other.layer, l.down.layer};
    CHECK_THROWS_AS(loose(c, nn::activations{c, l.x.rows()}, out.rows()), tw::shape_error);
}
