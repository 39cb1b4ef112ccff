// Attention to another sequence: the rows ask, what an encoder has made answers.
//
// The keys and values of the other sequence are computed once, into a cache of their own (remember), and read by every
// step. Vaswani et al., "Attention Is All You Need", 2017, section 3.2.3.
#pragma once

#include <cstddef>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/nn/linear.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/attention.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// H query heads over as many key heads of the other sequence, all of whose rows are seen.
struct cross_attention {
    linear query;  ///< [H*D,C]
    linear key;    ///< [H*D,M], M the width of the other sequence
    linear value;  ///< [H*D,M]
    linear output; ///< [C,H*D]
    std::size_t heads = 1;
    std::size_t width = 0; ///< D
    float scale = 0;       ///< of the scores; 0: 1/sqrt(D)

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return query.bytes() + key.bytes() + value.bytes() + output.bytes();
    }
    /// Whether it takes the 8-bit form of its input.
    [[nodiscard]] bool takes_quantized() const noexcept { return query.takes_quantized(); }

    /// Computes the other sequence's keys and values, for the layer that the context names.
    /// @param rows_of_other  [S,M]
    /// @param memory         has room for S, and is advanced by the caller once all layers are there
    void remember(context& c, const activations& rows_of_other, kv_cache& memory) const;

    /// @param x   [T,C]; the context says whose rows these are, and which memory they read
    /// @param to  [T,C]
    /// @throws argument_error for a sequence without a memory; shape_error for one of another model
    void operator()(context& c, const activations& x, destination to) const;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void cross_attention::remember(context& c, const activations& rows_of_other,
                                                   kv_cache& memory) const {
    const arena::scope scratch{c.scratch};
    const std::size_t count = rows_of_other.values().extent(0);
    const rows k = c.scratch_rows(count, heads * width);
    const rows v = c.scratch_rows(count, heads * width);
    project(c, rows_of_other, {{key, k}, {value, v}});
    memory.store(c.layer, k, v, c.how);
}

TOKENWORKS_FUNCTION void cross_attention::operator()(context& c, const activations& x, destination to) const {
    const arena::scope scratch{c.scratch};
    const std::size_t count = x.values().extent(0);
    for(const sequence_rows& s: c.sequences()) {
        if(s.memory == nullptr) {
            tokenworks::detail::raise<argument_error>({"cross_attention: a sequence without a memory"});
        }
        s.memory->require_layer(c.layer, heads, width, width);
    }
    const rows q = c.scratch_rows(count, heads * width);
    query(c, x, q);
    const rows out = c.scratch_rows(count, heads * width);
    for(const sequence_rows& s: c.sequences()) {
        const view<const float, dyn, dyn, dyn> queries{q.row(s.first).data(), s.count, heads, width};
        const view<float, dyn, dyn, dyn> mixed{out.row(s.first).data(), s.count, heads, width};
        s.memory->read(c.layer, s.memory->size(), [&](const auto& keys, const auto& values) {
            kernels::attention(queries, keys, values, {.scale = scale}, mixed, c.how);
        });
    }
    output(c, activations{c, out}, to);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
