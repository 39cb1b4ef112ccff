#include <tokenworks/nn/mixture.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/core/thread_team.hpp>

#include "nn/blocks.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::dense;
using blocks::matrix;

namespace {

constexpr std::size_t width = 33;
constexpr std::size_t hidden = 21;
constexpr std::size_t experts = 5;
constexpr std::size_t tokens = 12;

struct gated {
    dense gate, up, down;

    gated(std::size_t inner, unsigned seed)
        : gate{inner, width, seed, true}, up{inner, width, seed + 1, true}, down{width, inner, seed + 2, true} {}

    template <class Mlp>
    [[nodiscard]] Mlp layer(decltype(Mlp::activation) activation) const {
        return {gate.layer, up.layer, down.layer, activation};
    }

    /// By the formula; clamp as clamped_swiglu has it, or 0.
    [[nodiscard]] reference::grid operator()(const reference::grid& x, double clamp) const {
        const reference::grid g = reference::product(x, gate.weight, gate.bias);
        reference::grid u = reference::product(x, up.weight, up.bias);
        for(std::size_t i = 0; i < u.values.size(); ++i) {
            u.values[i] = clamp == 0 ? reference::silu(g.values[i]) * u.values[i]
                                     : reference::gelu_quick(std::min(g.values[i], clamp)) *
                                           (std::clamp(u.values[i], -clamp, clamp) + 1);
        }
        return reference::product(u, down.weight, down.bias);
    }
};

struct model {
    dense router{experts, width, 100, true};
    std::vector<gated> each;
    gated shared{17, 200};
    dense shared_gate{1, width, 300};
    float clamp = 0;
    nn::mixture layer;

    explicit model(nn::routing_options routing, float clamp_at = 0, bool with_shared = false, bool with_gate = false)
        : clamp{clamp_at}, layer{.router = router.layer, .routing = routing} {
        for(unsigned e = 0; e < experts; ++e) {
            each.emplace_back(hidden, 10 * e + 1);
            if(clamp > 0) {
                layer.experts.emplace_back(each.back().layer<nn::gated_mlp<tw::kernels::clamped_swiglu>>({clamp}));
            } else {
                layer.experts.emplace_back(each.back().layer<nn::gated_mlp<tw::kernels::any_activation>>(
                    {tw::kernels::activation_kind::silu}));
            }
        }
        if(with_shared) {
            layer.shared =
                shared.layer<nn::gated_mlp<tw::kernels::any_activation>>({tw::kernels::activation_kind::silu});
        }
        if(with_gate) {
            layer.shared_gate = shared_gate.layer;
        }
    }

    /// Each token by itself, through the experts of the highest logits; softmax over these alone or over all.
    [[nodiscard]] std::vector<double> expected(const matrix& x) const {
        const reference::grid logits = reference::product(x.exact(), router.weight, router.bias);
        std::vector<reference::grid> results;
        for(const gated& one: each) {
            results.push_back(one(x.exact(), static_cast<double>(clamp)));
        }
        const reference::grid common = shared(x.exact(), 0);
        const reference::grid share = reference::product(x.exact(), shared_gate.weight, {});
        reference::grid out(logits.rows(), width);
        for(std::size_t t = 0; t < out.rows(); ++t) {
            std::vector<std::size_t> order(experts);
            for(std::size_t e = 0; e < experts; ++e) {
                order[e] = e;
            }
            std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return logits.row(t)[a] > logits.row(t)[b]; });
            double all = 0;
            double chosen = 0;
            for(std::size_t i = 0; i < experts; ++i) {
                all += std::exp(logits.row(t)[order[i]]);
                chosen += i < layer.routing.used ? std::exp(logits.row(t)[order[i]]) : 0;
            }
            for(std::size_t i = 0; i < layer.routing.used; ++i) {
                const double weight = std::exp(logits.row(t)[order[i]]) / (layer.routing.normalize ? chosen : all);
                for(std::size_t k = 0; k < width; ++k) {
                    out.row(t)[k] += weight * results[order[i]].row(t)[k];
                }
            }
            for(std::size_t k = 0; layer.shared && k < width; ++k) {
                out.row(t)[k] += common.row(t)[k] * (layer.shared_gate ? reference::sigmoid(share.row(t)[0]) : 1.0);
            }
        }
        return out.values;
    }

    [[nodiscard]] std::vector<float> run(const matrix& x, const tw::execution& how) const {
        nn::context c{how};
        matrix out{x.values.size() / width, width};
        layer(c, nn::activations{c, x.rows()}, out.rows());
        return out.values;
    }
};

} // namespace

TEST_CASE("mixture: every form, by the formulas", "[nn]") {
    const matrix x{tokens, width, 7};
    const model forms[] = {
        model{{.experts = experts, .used = 2}},
        model{{.experts = experts, .used = 3, .normalize = false}},
        model{{.experts = experts, .used = 1}, 0.5F},
        model{{.experts = experts, .used = 2, .normalize = false}, 0, true},
        model{{.experts = experts, .used = 2}, 0, true, true},
        model{{.experts = experts, .used = experts}},
    };
    for(const model& each: forms) {
        support::for_each_isa([&](const tw::execution& how) {
            INFO(tw::name(how.set) << " form " << &each - forms);
            CHECK(blocks::worst(each.expected(x), each.run(x, how)) < blocks::float_bound);
        });
    }
}

TEST_CASE("mixture: a token's result is the same bits in any company, on any team", "[nn]") {
    const matrix x{tokens, width, 8};
    const model m{{.experts = experts, .used = 2}, 0, true, true};
    tw::thread_team team{3};
    const std::vector<float> all = m.run(x, {});
    CHECK(support::same_bits(m.run(x, {.threads = &team}), all));
    for(std::size_t t = 0; t < tokens; ++t) {
        matrix alone{1, width};
        std::ranges::copy(x.rows().row(t).as_span(), alone.values.begin());
        CHECK(support::same_bits(m.run(alone, {}), std::span{all}.subspan(t * width, width)));
    }
}

TEST_CASE("mixture: add_to adds; scratch is given back; a second step allocates nothing", "[nn]") {
    const matrix x{tokens, width, 9};
    const model m{{.experts = experts, .used = 2}};
    nn::context c;
    matrix sum{tokens, width, 10};
    std::vector<double> expected = m.expected(x);
    for(std::size_t i = 0; i < expected.size(); ++i) {
        expected[i] += static_cast<double>(sum.values[i]);
    }
    const auto step = [&](nn::destination to) {
        const tw::arena::scope scratch{c.scratch};
        m.layer(c, nn::activations{c, x.rows()}, to);
    };
    step(nn::add_to(sum.rows()));
    CHECK(c.scratch.mark().offset == 0);
    CHECK(blocks::worst(expected, sum.values) < blocks::float_bound);
    matrix out{tokens, width};
    step(out.rows());
    CHECK(support::allocations_during([&] { step(out.rows()); }) == 0);
    // Nor does one that is routed otherwise: all tokens to the same experts.
    matrix same{tokens, width};
    for(std::size_t i = 0; i < same.values.size(); ++i) {
        same.values[i] = x.values[i % width];
    }
    CHECK(support::allocations_during([&] {
              const tw::arena::scope scratch{c.scratch};
              m.layer(c, nn::activations{c, same.rows()}, out.rows());
          }) == 0);
}

TEST_CASE("mixture: bytes of all parts", "[nn]") {
    const model m{{.experts = experts, .used = 2}, 0, true};
    const std::size_t one = m.each[0].gate.layer.bytes() + m.each[0].up.layer.bytes() + m.each[0].down.layer.bytes();
    const std::size_t common = m.router.layer.bytes() + m.layer.shared->bytes();
    CHECK(m.layer.bytes() == common + experts * one);
}
