// What may differ between attentions of one shape.
#pragma once

#include <cstddef>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/view.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

struct attention_options {
    /// A query sees no key behind its own position.
    bool causal = false;
    /// Absolute position of query 0, tokens. Keys sit at positions 0 … S - 1.
    std::size_t start = 0;
    /// A query at position p sees keys above p - window, its own included; 0: no such bound.
    std::size_t window = 0;
    /// Where not causal: a query at position p sees keys up to p + ahead.
    std::size_t ahead = no_bound;
    /// Of each dot product; 0 stands for 1 / sqrt(D).
    float scale = 0;
    /// c: scores become c * tanh(score / c), after the scale; 0: off. Gemma 2.
    float softcap = 0;
    /// [H], or empty: a logit a head that takes part in the softmax and has no value, so that a head may attend to
    /// nothing. gpt-oss.
    std::span<const float> sinks{};
    /// [H], or empty: slope * (key position - query position) is added to each score. Press et al., "Train Short, Test
    /// Long", 2021 (ALiBi).
    std::span<const float> alibi_slopes{};
    /// [H,2R+1], or empty: column R + d, d = key position - query position, is added to each score; beyond R on either
    /// side the last column counts. T5.
    view<const float, dyn, dyn> relative_bias{};

    static constexpr std::size_t no_bound = ~std::size_t{0};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
