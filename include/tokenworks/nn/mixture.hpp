// A mixture of experts as the feed-forward of a layer: each token goes through a few of many, and through one that all
// tokens share where there is such.
//
// Tokens of a step are gathered by expert, so that an expert's weights are read once for all its tokens. The order of
// sums does not show it: a token's experts are added in the order of their numbers, the shared one last.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/clamped_swiglu.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/mlp.hpp>
#include <tokenworks/nn/routing.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// out = sum over the token's experts e of weight_e * expert_e(x), and the shared expert's output.
/// Shazeer et al., "Outrageously Large Neural Networks", 2017; Fedus et al., "Switch Transformers", 2021.
struct mixture {
    using expert = std::variant<gated_mlp<kernels::any_activation>, gated_mlp<kernels::clamped_swiglu>>;

    linear router; ///< [E,C]
    routing_options routing{};
    std::vector<float> selection_bias{}; ///< [E], or empty: see route()
    std::vector<expert> experts{};       ///< E
    std::optional<gated_mlp<kernels::any_activation>> shared{};
    std::optional<linear> shared_gate{}; ///< [1,C]: the shared expert counts sigmoid(gate(x))

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept;

    /// Whether it takes the 8-bit form of its input, for the router or the shared expert; experts gather theirs.
    [[nodiscard]] bool takes_quantized() const noexcept {
        return router.takes_quantized() || (shared && shared->takes_quantized());
    }

    /// @param x  [T,C]   @param to  [T,C]
    void operator()(context& c, const activations& x, destination to) const;

private:
    /// Experts' tokens, expert after expert: those of e are places[starts[e]] … places[starts[e + 1] - 1].
    struct plan {
        std::span<routed> chosen;      ///< [T * used], token after token
        std::span<std::size_t> starts; ///< [E + 1]
        std::span<std::size_t> places; ///< [T * used], indices into chosen
    };

    [[nodiscard]] plan make_plan(context& c, const activations& x) const;
    /// Room for an expert that sees every token, so that later steps find it however they are routed.
    void reserve(context& c, std::size_t count, std::size_t width) const;
    void run_expert(context& c, const activations& x, const plan& p, std::size_t e, rows sum) const;
    void run_shared(context& c, const activations& x, rows sum) const;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION std::size_t mixture::bytes() const noexcept {
    std::size_t sum = router.bytes() + (shared ? shared->bytes() : 0) + (shared_gate ? shared_gate->bytes() : 0);
    for(const expert& each: experts) {
        sum += std::visit([](const auto& mlp) { return mlp.bytes(); }, each);
    }
    return sum;
}

TOKENWORKS_FUNCTION void mixture::operator()(context& c, const activations& x, destination to) const {
    const arena::scope scratch{c.scratch};
    const std::size_t count = x.values().extent(0);
    const rows sum = c.scratch_rows(count, x.values().extent(1));
    std::ranges::fill(sum.as_span(), 0.0F);
    const plan p = make_plan(c, x);
    reserve(c, count, sum.extent(1));
    for(std::size_t e = 0; e < experts.size(); ++e) {
        if(p.starts[e] != p.starts[e + 1]) {
            run_expert(c, x, p, e, sum);
        }
    }
    if(shared) {
        run_shared(c, x, sum);
    }
    if(to.add) {
        kernels::add(to.out, sum, to.out, c.how);
    } else {
        std::ranges::copy(sum.as_span(), to.out.data());
    }
}

TOKENWORKS_FUNCTION mixture::plan mixture::make_plan(context& c, const activations& x) const {
    const std::size_t count = x.values().extent(0);
    plan p{c.scratch.take<routed>(count * routing.used), c.scratch.take<std::size_t>(experts.size() + 1),
           c.scratch.take<std::size_t>(count * routing.used)};
    const rows logits = c.scratch_rows(count, experts.size());
    router(c, x, logits);
    const std::span<double> scores = c.scratch.take<double>(2 * experts.size());
    std::ranges::fill(p.starts, std::size_t{0});
    for(std::size_t t = 0; t < count; ++t) {
        const std::span<routed> own = p.chosen.subspan(t * routing.used, routing.used);
        route(routing, logits.row(t).as_span(), selection_bias, scores, own);
        for(const routed& one: own) {
            ++p.starts[one.expert];
        }
    }
    // Counts become ends, and then, counted down, starts.
    for(std::size_t e = 1; e < p.starts.size(); ++e) {
        p.starts[e] += p.starts[e - 1];
    }
    for(std::size_t i = p.chosen.size(); i-- > 0;) {
        p.places[--p.starts[p.chosen[i].expert]] = i;
    }
    return p;
}

TOKENWORKS_FUNCTION void mixture::reserve(context& c, std::size_t count, std::size_t width) const {
    const std::size_t inner = std::visit([](const auto& mlp) { return mlp.gate.out_width(); }, experts.front());
    constexpr std::size_t padding = 8 * default_alignment; // of eight pieces
    c.scratch.reserve(2 * count * (width + inner) * sizeof(float) + kernels::quantized_rows::bytes(count, width) +
                      kernels::quantized_rows::bytes(count, inner) + padding);
}

TOKENWORKS_FUNCTION void mixture::run_expert(context& c, const activations& x, const plan& p, std::size_t e,
                                             rows sum) const {
    const arena::scope scratch{c.scratch};
    const std::size_t width = sum.extent(1);
    const std::span<const std::size_t> places = p.places.subspan(p.starts[e], p.starts[e + 1] - p.starts[e]);
    const rows gathered = c.scratch_rows(places.size(), width);
    const rows result = c.scratch_rows(places.size(), width);
    parallel_for(c.how, places.size(), 16, [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            std::ranges::copy(x.values().row(places[i] / routing.used).as_span(), gathered.row(i).data());
        }
    });
    const activations input{c, gathered};
    std::visit([&](const auto& mlp) { mlp(c, input, result); }, experts[e]);
    parallel_for(c.how, places.size(), 16, [&](work_range range) {
        const execution alone{.set = c.how.set};
        for(std::size_t i = range.begin; i < range.end; ++i) {
            const auto row = sum.row(places[i] / routing.used);
            kernels::add_scaled(row, result.row(i), p.chosen[places[i]].weight, row, alone);
        }
    });
}

TOKENWORKS_FUNCTION void mixture::run_shared(context& c, const activations& x, rows sum) const {
    const arena::scope scratch{c.scratch};
    const std::size_t count = sum.extent(0);
    if(!shared_gate) {
        (*shared)(c, x, add_to(sum));
        return;
    }
    const rows result = c.scratch_rows(count, sum.extent(1));
    const rows gate = c.scratch_rows(count, 1);
    (*shared)(c, x, result);
    (*shared_gate)(c, x, gate);
    for(std::size_t t = 0; t < count; ++t) {
        const float weight = 1 / (1 + std::exp(-gate(t, 0)));
        kernels::add_scaled(sum.row(t), result.row(t), weight, sum.row(t), {.set = c.how.set});
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
