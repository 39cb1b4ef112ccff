// Self-attention with a cache: queries, keys and values from the rows, positions, attention, and the way back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/kernels/rope.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/nn/latent_projection.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/norm.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// Causal self-attention of H query heads over G key heads. Fill in what the architecture has; the rest stays off.
struct attention {
    linear query;  ///< [H*D,C]
    linear key;    ///< [G*D,C]
    linear value;  ///< [G*Dv,C]
    linear output; ///< [C,H*Dv]
    std::size_t heads = 1;
    std::size_t kv_heads = 1;
    std::size_t key_width = 0;   ///< D
    std::size_t value_width = 0; ///< Dv
    float scale = 0;             ///< of the scores; 0: 1/sqrt(D)
    float softcap = 0;
    std::size_t window = 0;
    std::optional<latent_projection> latent{}; ///< makes keys and values in place of `key` and `value`
    std::size_t rope_first = 0;                ///< values of a head before those that turn
    float clip = 0;                            ///< queries, keys and values are kept within ± this; 0: off
    std::optional<norm> query_norm{};
    std::optional<norm> key_norm{};
    bool norm_before_split = false;    ///< norms run over all heads' values at once, not head by head
    std::vector<float> query_weight{}; ///< [H*D], of normalised queries whose heads differ in weight; or empty
    std::vector<float> key_weight{};   ///< [G*D]
    std::vector<float> sinks{};        ///< [H], or empty
    std::vector<float> alibi_slopes{};
    std::shared_ptr<const kernels::rope_table> rope{};

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return query.bytes() + key.bytes() + value.bytes() + output.bytes() + (latent ? latent->bytes() : 0);
    }

    /// @param x   [T,C]; the context says whose rows these are, and holds their caches
    /// @param to  [T,C]
    /// @throws shape_error where the context's step has another number of rows, or a cache is of another shape
    void operator()(context& c, const activations& x, destination to) const;

private:
    void normalize(context& c, const std::optional<norm>& layer, rows x, std::size_t count) const;

    static void weigh(context& c, const std::vector<float>& weight, rows x);

    void turn(context& c, rows x, std::size_t count) const;

    /// One sequence on all threads, or many sequences a thread each: no bit depends on which.
    void attend(context& c, rows q, rows k, rows v, rows mixed) const;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void attention::operator()(context& c, const activations& x, destination to) const {
    const arena::scope scratch{c.scratch};
    const std::size_t count = x.values().extent(0);
    if(c.positions().size() != count) {
        tokenworks::detail::raise<shape_error>(
            {"attention: x has T=", count, ", the step's sequences have T=", c.positions().size()});
    }
    const rows q = c.scratch_rows(count, heads * key_width);
    const rows k = c.scratch_rows(count, kv_heads * key_width);
    const rows v = c.scratch_rows(count, kv_heads * value_width);
    if(latent) {
        (*latent)(c, x, query, q, k, v);
    } else {
        project(c, x, {{query, q}, {key, k}, {value, v}});
    }
    if(clip > 0) {
        for(const rows each: {q, k, v}) {
            kernels::clip(each, clip, each, c.how);
        }
    }
    normalize(c, query_norm, q, heads);
    normalize(c, key_norm, k, kv_heads);
    weigh(c, query_weight, q);
    weigh(c, key_weight, k);
    if(rope) {
        turn(c, q, heads);
        turn(c, k, kv_heads);
    }
    const rows mixed = c.scratch_rows(count, heads * value_width);
    attend(c, q, k, v, mixed);
    output(c, activations{c, mixed}, to);
}

TOKENWORKS_FUNCTION void attention::normalize(context& c, const std::optional<norm>& layer, rows x,
                                              std::size_t count) const {
    if(layer) {
        const std::size_t parts = norm_before_split ? 1 : count;
        const rows each{x.data(), x.extent(0) * parts, x.extent(1) / parts};
        (*layer)(c, each, each);
    }
}

TOKENWORKS_FUNCTION void attention::weigh(context& c, const std::vector<float>& weight, rows x) {
    for(std::size_t t = 0; !weight.empty() && t < x.extent(0); ++t) {
        kernels::multiply(x.row(t), view<const float, dyn>{weight}, x.row(t), c.how);
    }
}

TOKENWORKS_FUNCTION void attention::turn(context& c, rows x, std::size_t count) const {
    const context::angles angles = c.angles_of(*rope);
    const strided_view<float, dyn, dyn, dyn> split{x.data() + rope_first,
                                                   extents<dyn, dyn, dyn>{x.extent(0), count, key_width - rope_first},
                                                   {count * key_width, key_width, 1}};
    kernels::rope(split, angles.cosines, angles.sines, rope->pairing(), split, c.how);
}

TOKENWORKS_FUNCTION void attention::attend(context& c, rows q, rows k, rows v, rows mixed) const {
    const std::span<const sequence_rows> sequences = c.sequences();
    const auto one = [&](const sequence_rows& s, const execution& how) {
        s.cache->store(c.layer, k.slice(s.first, s.count), v.slice(s.first, s.count), how);
        const view<const float, dyn, dyn, dyn> queries{q.row(s.first).data(), s.count, heads, key_width};
        const view<float, dyn, dyn, dyn> out{mixed.row(s.first).data(), s.count, heads, value_width};
        const kernels::attention_options options{.causal = true,
                                                 .start = s.start,
                                                 .window = window,
                                                 .scale = scale,
                                                 .softcap = softcap,
                                                 .sinks = sinks,
                                                 .alibi_slopes = alibi_slopes};
        s.cache->read(c.layer, s.start + s.count, [&](const auto& keys, const auto& values) {
            kernels::attention(queries, keys, values, options, out, how);
        });
    };
    if(sequences.size() < 2 * c.how.workers()) {
        for(const sequence_rows& s: sequences) {
            one(s, c.how);
        }
    } else {
        parallel_for(c.how, sequences.size(), 1, [&](work_range range) {
            for(std::size_t i = range.begin; i < range.end; ++i) {
                one(sequences[i], {.set = c.how.set});
            }
        });
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
