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

/// Self-attention of H query heads over G key heads. Fill in what the architecture has; the rest stays off. Sequences
/// with a cache attend to what it holds; those without, to their own rows in the step.
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
    bool causal = true; ///< false: rows see those behind them too, and sequences have no cache
    std::size_t ahead = kernels::attention_options::no_bound; ///< so many of them
    std::optional<latent_projection> latent{};                ///< makes keys and values in place of `key` and `value`
    std::size_t rope_first = 0;                               ///< values of a head before those that turn
    float clip = 0; ///< queries, keys and values are kept within ± this; 0: off
    std::optional<norm> query_norm{};
    std::optional<norm> key_norm{};
    bool norm_before_split = false;    ///< norms run over all heads' values at once, not head by head
    bool turn_before_norm = false;     ///< positions come before norms and weights
    std::vector<float> query_weight{}; ///< [H*D], of normalised queries whose heads differ in weight; or empty
    std::vector<float> key_weight{};   ///< [G*D]
    std::vector<float> sinks{};        ///< [H], or empty
    std::vector<float> alibi_slopes{};
    std::shared_ptr<const std::vector<float>> relative_bias{}; ///< [H,2R+1], or none; see attention_options
    std::shared_ptr<const kernels::rope_table> rope{};

    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return query.bytes() + key.bytes() + value.bytes() + output.bytes() + (latent ? latent->bytes() : 0);
    }
    /// Whether it takes the 8-bit form of its input.
    [[nodiscard]] bool takes_quantized() const noexcept {
        return latent ? latent->latent_down.takes_quantized()
                      : query.takes_quantized() && key.takes_quantized() && value.takes_quantized();
    }

    /// @param x   [T,C]; the context says whose rows these are, and holds their caches
    /// @param to  [T,C]
    /// @throws shape_error where the context's step has another number of rows, or a cache is of another shape
    void operator()(context& c, const activations& x, destination to) const;

private:
    /// Whether norms and positions see one head at a time, so that they can follow on each head of the product.
    [[nodiscard]] bool works_by_heads() const noexcept {
        return !latent && key_width % 16 == 0 && value_width % 16 == 0 && takes_quantized() &&
               !(norm_before_split && (query_norm || key_norm));
    }

    /// What follows on a product: norm, weights and position, each if there is one.
    struct steps {
        const norm* layer = nullptr;
        std::span<const float> weight{};
        const context::angles* angles = nullptr;
    };

    /// Clip, norm, weights and position of some heads of some rows of x [T, heads*D].
    void finish(const execution& how, const steps& with, rows x, const kernels::product_part& part) const;

    /// Keys or values of some heads of some rows into the caches of their sequences.
    void store(const execution& how, context& c, bool are_keys, rows x, const kernels::product_part& part) const;

    /// One sequence on all threads, or many sequences a thread each: no bit depends on which.
    void attend(context& c, rows q, rows k, rows v, const activations& mixed, rows out) const;

    /// One sequence whose rows have gaps between them: each query has biases of its own, by where the keys stand.
    void attend_apart(const sequence_rows& s, rows q, rows k, rows v, rows out, const execution& how) const;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void attention::operator()(context& c, const activations& x, destination to) const {
    const arena::scope scratch{c.scratch};
    const std::size_t count = x.values().extent(0);
    if(c.positions().size() != count) {
        tokenworks::detail::raise<shape_error>(
            {"attention: x has T=", count, ", the step's sequences have T=", c.positions().size()});
    }
    for(const sequence_rows& each: c.sequences()) {
        if(each.cache == nullptr) {
            continue;
        }
        if(!causal) {
            tokenworks::detail::raise<argument_error>({"attention: a cache, where rows see those behind them"});
        }
        each.cache->require_layer(c.layer, kv_heads, key_width, value_width);
        each.cache->require_room(each.count);
    }
    const rows q = c.scratch_rows(count, heads * key_width);
    const rows k = c.scratch_rows(count, kv_heads * key_width);
    const rows v = c.scratch_rows(count, kv_heads * value_width);
    const std::optional<context::angles> angles = rope ? std::optional{c.angles_of(*rope)} : std::nullopt;
    const context::angles* const turn = angles ? &*angles : nullptr;
    const steps of_queries{query_norm ? &*query_norm : nullptr, query_weight, turn};
    const steps of_keys{key_norm ? &*key_norm : nullptr, key_weight, turn};
    const steps of_values{};
    const auto whole = [&](rows each) { return kernels::product_part{0, count, 0, each.extent(1)}; };
    if(works_by_heads()) {
        // Rows of a tile go on to the cache; of more, two threads could meet in a byte of 4-bit keys.
        const bool store_too = count <= kernels::quantized_rows::tile;
        const execution alone{.set = c.how.set};
        project(c, x,
                {{query, q, key_width, [&](const kernels::product_part& part) { finish(alone, of_queries, q, part); }},
                 {key, k, key_width,
                  [&](const kernels::product_part& part) {
                      finish(alone, of_keys, k, part);
                      if(store_too) {
                          store(alone, c, true, k, part);
                      }
                  }},
                 {value, v, value_width, [&](const kernels::product_part& part) {
                      finish(alone, of_values, v, part);
                      if(store_too) {
                          store(alone, c, false, v, part);
                      }
                  }}});
        if(!store_too) {
            store(c.how, c, true, k, whole(k));
            store(c.how, c, false, v, whole(v));
        }
    } else {
        if(latent) {
            (*latent)(c, x, query, q, k, v);
        } else {
            project(c, x, {{query, q}, {key, k}, {value, v}});
        }
        finish(c.how, of_queries, q, whole(q));
        finish(c.how, of_keys, k, whole(k));
        finish(c.how, of_values, v, whole(v));
        store(c.how, c, true, k, whole(k));
        store(c.how, c, false, v, whole(v));
    }
    c.observe_attention(q, k);
    const rows out = c.scratch_rows(count, heads * value_width);
    const activations mixed{c, out};
    attend(c, q, k, v, mixed, out);
    output(c, mixed, to);
}

TOKENWORKS_FUNCTION void attention::finish(const execution& how, const steps& with, rows x,
                                           const kernels::product_part& part) const {
    const std::size_t count = part.end_row - part.begin_row;
    const std::size_t columns = part.end_column - part.begin_column;
    float* const first = x.row(part.begin_row).data() + part.begin_column;
    if(clip > 0) {
        const strided_view<float, dyn, dyn> all{first, extents<dyn, dyn>{count, columns}, {x.extent(1), 1}};
        kernels::clip(all, clip, all, how);
    }
    const auto turn = [&] {
        const strided_view<float, dyn, dyn, dyn> split{
            first + rope_first,
            extents<dyn, dyn, dyn>{count, columns / key_width, key_width - rope_first},
            {x.extent(1), key_width, 1}};
        kernels::rope(split, with.angles->cosines.slice(part.begin_row, count),
                      with.angles->sines.slice(part.begin_row, count), rope->pairing(), split, how);
    };
    if(with.angles != nullptr && turn_before_norm) {
        turn();
    }
    if(with.layer != nullptr) {
        const std::size_t width = norm_before_split ? x.extent(1) : key_width;
        if(columns == x.extent(1)) {
            const rows each{first, count * (columns / width), width};
            (*with.layer)(how, each, each);
        } else {
            for(std::size_t t = 0; t < count; ++t) {
                const rows each{first + t * x.extent(1), columns / width, width};
                (*with.layer)(how, each, each);
            }
        }
    }
    if(!with.weight.empty()) {
        const view<const float, dyn> weight{with.weight.data() + part.begin_column, columns};
        for(std::size_t t = 0; t < count; ++t) {
            const view<float, dyn> row{first + t * x.extent(1), columns};
            kernels::multiply(row, weight, row, how);
        }
    }
    if(with.angles != nullptr && !turn_before_norm) {
        turn();
    }
}

TOKENWORKS_FUNCTION void attention::store(const execution& how, context& c, bool are_keys, rows x,
                                          const kernels::product_part& part) const {
    const std::size_t width = are_keys ? key_width : value_width;
    for(const sequence_rows& s: c.sequences()) {
        const std::size_t begin = std::max(part.begin_row, s.first);
        const std::size_t end = std::min(part.end_row, s.first + s.count);
        if(begin >= end || s.cache == nullptr) {
            continue;
        }
        const kv_cache::heads_view each{
            x.row(begin).data() + part.begin_column,
            extents<dyn, dyn, dyn>{end - begin, (part.end_column - part.begin_column) / width, width},
            {x.extent(1), width, 1}};
        const std::size_t head = part.begin_column / width;
        if(are_keys) {
            s.cache->store_keys(c.layer, begin - s.first, head, each, how);
        } else {
            s.cache->store_values(c.layer, begin - s.first, head, each, how);
        }
    }
}

TOKENWORKS_FUNCTION void attention::attend(context& c, rows q, rows k, rows v, const activations& mixed,
                                           rows out) const {
    const std::span<const sequence_rows> sequences = c.sequences();
    const auto one = [&](const sequence_rows& s, const execution& how) {
        if(!s.places.empty()) {
            attend_apart(s, q, k, v, out, how);
            return;
        }
        const view<const float, dyn, dyn, dyn> queries{q.row(s.first).data(), s.count, heads, key_width};
        const view<float, dyn, dyn, dyn> to{out.row(s.first).data(), s.count, heads, value_width};
        kernels::attention_options options{.causal = causal,
                                           .start = s.start,
                                           .window = window,
                                           .ahead = ahead,
                                           .scale = scale,
                                           .softcap = softcap,
                                           .sinks = sinks,
                                           .alibi_slopes = alibi_slopes};
        if(relative_bias) {
            options.relative_bias =
                view<const float, dyn, dyn>{relative_bias->data(), heads, relative_bias->size() / heads};
        }
        if(s.cache == nullptr) {
            const view<const float, dyn, dyn, dyn> keys{k.row(s.first).data(), s.count, kv_heads, key_width};
            const view<const float, dyn, dyn, dyn> values{v.row(s.first).data(), s.count, kv_heads, value_width};
            options.start = 0;
            kernels::attention(queries, keys, values, options, to, how);
            return;
        }
        s.cache->visit(c.layer, s.start + s.count, [&](const auto& keys, const auto& values) {
            kernels::attention(queries, keys, values, options, to, how);
        });
    };
    if(sequences.size() < 2 * c.how.workers()) {
        for(const sequence_rows& s: sequences) {
            one(s, c.how);
        }
        return;
    }
    const kernels::quantized_rows* const form = output.takes_quantized() ? &mixed.begin_quantized() : nullptr;
    parallel_for(c.how, sequences.size(), 1, [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            const sequence_rows& s = sequences[i];
            one(s, {.set = c.how.set});
            if(form != nullptr) {
                kernels::quantize_part(out, {s.first, s.first + s.count, 0, form->blocks()}, *form, c.how.set);
            }
        }
    });
}

TOKENWORKS_FUNCTION void attention::attend_apart(const sequence_rows& s, rows q, rows k, rows v, rows out,
                                                 const execution& how) const {
    if(s.cache != nullptr || !relative_bias || s.places.size() != s.count) {
        tokenworks::detail::raise<argument_error>({"attention: ", s.places.size(), " places for ", s.count,
                                                   " rows; they need biases of distances, and no cache"});
    }
    const std::size_t table = relative_bias->size() / heads;
    const auto reach = static_cast<std::ptrdiff_t>(table / 2);
    const std::size_t width = 2 * s.count + 1;
    const view<const float, dyn, dyn, dyn> keys{k.row(s.first).data(), s.count, kv_heads, key_width};
    const view<const float, dyn, dyn, dyn> values{v.row(s.first).data(), s.count, kv_heads, value_width};
    parallel_for(how, s.count, 1, [&](work_range range) {
        std::vector<float> own(heads * width);
        for(std::size_t t = range.begin; t < range.end; ++t) {
            for(std::size_t j = 0; j < s.count; ++j) {
                const auto distance =
                    static_cast<std::ptrdiff_t>(s.places[j]) - static_cast<std::ptrdiff_t>(s.places[t]);
                const auto column = static_cast<std::size_t>(std::clamp(distance, -reach, reach) + reach);
                for(std::size_t h = 0; h < heads; ++h) {
                    own[h * width + s.count + j - t] = (*relative_bias)[h * table + column];
                }
            }
            const view<const float, dyn, dyn, dyn> query_row{q.row(s.first + t).data(), 1, heads, key_width};
            const view<float, dyn, dyn, dyn> to{out.row(s.first + t).data(), 1, heads, value_width};
            kernels::attention_options options{.causal = causal, .start = t, .scale = scale, .softcap = softcap};
            options.relative_bias = view<const float, dyn, dyn>{own.data(), heads, width};
            kernels::attention(query_row, keys, values, options, to, {.set = how.set});
        }
    });
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
