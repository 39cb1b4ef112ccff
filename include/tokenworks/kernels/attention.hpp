// Attention of queries over keys and values, with an online softmax: no T x S matrix is ever formed.
// Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022.
//
// Keys and values are read where they are stored, as f32, f16, bf16, q8_0 or q4_0, in views of any stride whose last
// axis is contiguous. The result of a query and a head depends on its own row and on the keys that it sees, not on what
// else is in the call: prompts may be cut into chunks anywhere (attention_tile.hpp says how).
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/attention_loops.hpp>
#include <tokenworks/kernels/attention_options.hpp>
#include <tokenworks/kernels/attention_source.hpp>
#include <tokenworks/kernels/attention_weights.hpp>
#include <tokenworks/kernels/key_blocks.hpp>
#include <tokenworks/kernels/operands.hpp>
#include <tokenworks/kernels/paged_rows.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/kernels/attention_tile.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

namespace detail {

inline constexpr std::size_t queries_a_tile = 16;

/// Which tile of queries comes at place i, so that neighbours have about equal work: later ones see more keys.
[[nodiscard]] constexpr std::size_t tile_at(std::size_t i, std::size_t tiles) noexcept {
    return i % 2 == 0 ? i / 2 : tiles - 1 - i / 2;
}

/// Runs a call on the team: items are (tile of queries, head), and heads of a group that fall to one member share
/// loads.
TOKENWORKS_FUNCTION void run_attention(const attention_numbers& task, const stored_keys& keys,
                                       const stored_values& values, std::size_t queries, std::size_t heads,
                                       const execution& how);

/// D of a static extent counted in storage elements.
template <class View>
[[nodiscard]] constexpr std::size_t static_width() {
    constexpr std::size_t extent = View::static_extent(2);
    return extent == dyn ? dyn : extent * key_storage<typename View::value_type>::values_each;
}

template <class View>
[[nodiscard]] row_source<typename View::value_type> rows_of(const View& x) {
    return {x.data(), x.stride(0), x.stride(1)};
}

/// What the types of queries, values and output must agree on.
template <class Q, class V, class Out>
constexpr void check_attention_types() {
    using q_type = std::remove_const_t<Q>;
    using v_type = std::remove_const_t<V>;
    using out_type = std::remove_const_t<Out>;
    require_operand<float, 3, q_type>();
    require_operand<float, 3, out_type>();
    require_writable<out_type>();
    static_assert(v_type::rank() == 3 && attention_storage<typename v_type::value_type>,
                  "tokenworks: attention: values are [S,G,D] of float, f16, bf16, quant::q8_0 or quant::q4_0");
    static_assert(tokenworks::detail::static_extents_agree(static_width<v_type>(), out_type::static_extent(2)),
                  "tokenworks: attention: values and the output must have the same head width D");
    static_assert(may_agree<q_type, 0, out_type, 0> && may_agree<q_type, 1, out_type, 1>,
                  "tokenworks: attention: queries and the output must have the same T and H");
}

/// A [T,H,D] or [S,G,D] operand as plain numbers: extents and strides in elements, D in values.
struct head_rows {
    std::size_t rows;
    std::size_t heads;
    std::size_t width;
    std::size_t row_stride;
    std::size_t head_stride;
};

template <class View>
[[nodiscard]] head_rows head_rows_of(const char* name, const View& x) {
    require_dense_rows("attention", name, x);
    return {x.extent(0), x.extent(1), x.extent(2) * key_storage<typename View::value_type>::values_each, x.stride(0),
            x.stride(1)};
}

/// Checks what does not depend on how keys are stored, and collects the numbers.
[[nodiscard]] inline attention_numbers attention_numbers_of(const float* q, const head_rows& q_rows,
                                                            const head_rows& v_rows, const attention_options& options,
                                                            float* out, const head_rows& out_rows, std::size_t groups) {
    const std::size_t heads = q_rows.heads;
    require_equal("attention", "q has T", q_rows.rows, "out has T", out_rows.rows);
    require_equal("attention", "q has H", heads, "out has H", out_rows.heads);
    require_equal("attention", "v has D", v_rows.width, "out has D", out_rows.width);
    if(groups == 0 ? heads != 0 : heads % groups != 0) {
        raise<shape_error>({"attention: q has H=", heads, ", which is no multiple of k's G=", groups});
    }
    if(!options.sinks.empty()) {
        require_equal("attention", "q has H", heads, "sinks have H", options.sinks.size());
    }
    if(!options.alibi_slopes.empty()) {
        require_equal("attention", "q has H", heads, "alibi_slopes have H", options.alibi_slopes.size());
    }
    if(!options.relative_bias.empty()) {
        require_equal("attention", "q has H", heads, "relative_bias has H", options.relative_bias.extent(0));
        if(options.relative_bias.extent(1) % 2 == 0) {
            raise<shape_error>(
                {"attention: relative_bias has ", options.relative_bias.extent(1), " columns, which is not 2R+1"});
        }
    }
    if(!(options.softcap >= 0)) {
        raise<argument_error>({"attention: softcap is ", options.softcap, ", which must not be negative"});
    }
    attention_numbers task{};
    task.q = q;
    task.q_token = q_rows.row_stride;
    task.q_head = q_rows.head_stride;
    task.out = out;
    task.out_token = out_rows.row_stride;
    task.out_head = out_rows.head_stride;
    task.key_width = q_rows.width;
    task.value_width = v_rows.width;
    task.key_count = v_rows.rows;
    task.heads_a_group = groups == 0 ? 1 : heads / groups;
    task.start = options.start;
    task.window = options.window;
    task.sinks = options.sinks.empty() ? nullptr : options.sinks.data();
    task.slopes = options.alibi_slopes.empty() ? nullptr : options.alibi_slopes.data();
    task.ahead = options.ahead;
    if(!options.relative_bias.empty()) {
        task.relative_bias = options.relative_bias.data();
        task.reach = options.relative_bias.extent(1) / 2;
    }
    task.scale = options.scale;
    if(task.scale == 0) {
        task.scale = task.key_width == 0 ? 1.0F : 1.0F / std::sqrt(static_cast<float>(task.key_width));
    }
    task.softcap = options.softcap;
    task.causal = options.causal;
    return task;
}

/// @throws shape_error where keys and values are not of one cache, or q and k of different widths
inline void require_keys(const head_rows& q, const head_rows& k, const head_rows& v) {
    require_equal("attention", "q has D", q.width, "k has D", k.width);
    require_equal("attention", "k has S", k.rows, "v has S", v.rows);
    require_equal("attention", "k has G", k.heads, "v has G", v.heads);
}

} // namespace detail

/// Attention of a block of queries over keys and values.
///   out[t,h,:] = sum_s softmax_s(scale * dot(q[t,h,:], k[s,g,:])) * v[s,g,:],   g = h / (H/G)
/// where s runs over the keys that query t sees: all, those up to its position, or those of a window around it.
/// What the options add to scores, slopes and a bias, comes before the softmax.
/// @param q     [T,H,D] of float
/// @param k     [S,G,D] of float, f16 or bf16, or [S,G,D/32] of quant::q8_0 or quant::q4_0; G divides H
/// @param v     [S,G,Dv], of any of these types; Dv may differ from D
/// @param out   [T,H,Dv] of float; must not overlap the inputs
/// @pre         the last axis of each is contiguous; query t sits at position start + t (tokens), key s at s
/// @throws      shape_error naming the two extents that disagree
/// @note        a query that sees no key gives zeros; a NaN or +inf among the scores it sees gives NaN
/// @note        accumulates in float; O(T*S*H*D); allocates nothing; about 80 KB of stack a thread, and as
///              much again where threads share a long context
template <class Q, class K, class V, class Out>
void attention(const Q& q, const K& k, const V& v, const attention_options& options, Out&& out,
               const execution& how = {}) {
    const auto queries = detail::as_view(q);
    const auto keys = detail::as_view(k);
    const auto values = detail::as_view(v);
    const auto to = detail::as_view(out);
    using q_type = std::remove_const_t<decltype(queries)>;
    using k_type = std::remove_const_t<decltype(keys)>;
    using v_type = std::remove_const_t<decltype(values)>;
    detail::check_attention_types<q_type, v_type, decltype(to)>();
    static_assert(k_type::rank() == 3 && detail::attention_storage<typename k_type::value_type>,
                  "tokenworks: attention: keys are [S,G,D] of float, f16, bf16, quant::q8_0 or quant::q4_0");
    static_assert(tokenworks::detail::static_extents_agree(q_type::static_extent(2), detail::static_width<k_type>()),
                  "tokenworks: attention: queries and keys must have the same head width D");
    static_assert(detail::may_agree<k_type, 0, v_type, 0> && detail::may_agree<k_type, 1, v_type, 1>,
                  "tokenworks: attention: keys and values must have the same S and G");
    static_assert(q_type::static_extent(1) == dyn || k_type::static_extent(1) == dyn || k_type::static_extent(1) == 0 ||
                      q_type::static_extent(1) % k_type::static_extent(1) == 0,
                  "tokenworks: attention: the number of key heads G must divide the number of query heads H");
    const detail::head_rows q_rows = detail::head_rows_of("q", queries);
    const detail::head_rows k_rows = detail::head_rows_of("k", keys);
    const detail::head_rows v_rows = detail::head_rows_of("v", values);
    detail::require_keys(q_rows, k_rows, v_rows);
    const detail::attention_numbers task = detail::attention_numbers_of(
        queries.data(), q_rows, v_rows, options, to.data(), detail::head_rows_of("out", to), k_rows.heads);
    const auto key_source = detail::rows_of(keys);
    const auto value_source = detail::rows_of(values);
    detail::run_attention(task, detail::keys_in(key_source, how.set), detail::values_in(value_source, how.set),
                          q_rows.rows, q_rows.heads, how);
}

/// The same over keys that lie side by side, which is faster and gives the same bits.
/// @param k  [G][capacity/64][D][64]; the number of keys S is that of the values
/// @throws   shape_error as above, and where the values are more than k has room for
template <class Q, class T, class V, class Out>
void attention(const Q& q, const key_blocks<T>& k, const V& v, const attention_options& options, Out&& out,
               const execution& how = {}) {
    const auto queries = detail::as_view(q);
    const auto values = detail::as_view(v);
    const auto to = detail::as_view(out);
    detail::check_attention_types<decltype(queries), decltype(values), decltype(to)>();
    const detail::head_rows q_rows = detail::head_rows_of("q", queries);
    const detail::head_rows v_rows = detail::head_rows_of("v", values);
    detail::require_keys(q_rows, {v_rows.rows, k.groups(), k.width(), 0, 0}, v_rows);
    if(v_rows.rows > k.capacity()) {
        detail::raise_extents("attention", "v has S", v_rows.rows, "k has room for S", k.capacity());
    }
    const detail::attention_numbers task = detail::attention_numbers_of(
        queries.data(), q_rows, v_rows, options, to.data(), detail::head_rows_of("out", to), k.groups());
    const detail::block_source<typename key_blocks<T>::plain_storage> key_source{k.data(), k.width(), k.group_stride()};
    const auto value_source = detail::rows_of(values);
    detail::run_attention(task, detail::keys_in(key_source, how.set), detail::values_in(value_source, how.set),
                          q_rows.rows, q_rows.heads, how);
}

/// The same over keys and values in pages of 64 tokens, with the same bits.
/// @throws   shape_error as above, and where there are fewer pages than tokens need
template <class Q, class T, class V, class Out>
void attention(const Q& q, const paged_keys<T>& k, const paged_values<V>& v, const attention_options& options,
               Out&& out, const execution& how = {}) {
    using values_type = strided_view<const V, dyn, dyn, dyn>;
    const auto queries = detail::as_view(q);
    const auto to = detail::as_view(out);
    detail::check_attention_types<decltype(queries), values_type, decltype(to)>();
    const detail::head_rows q_rows = detail::head_rows_of("q", queries);
    const detail::head_rows v_rows{v.count, v.groups, v.width, 0, 0};
    detail::require_keys(q_rows, {k.count, k.groups, k.width, 0, 0}, v_rows);
    if(v.count > std::min(k.pages.size(), v.pages.size()) * page_tokens) {
        detail::raise_extents("attention", "v has S", v.count, "the pages have room for S",
                              std::min(k.pages.size(), v.pages.size()) * page_tokens);
    }
    const detail::attention_numbers task = detail::attention_numbers_of(
        queries.data(), q_rows, v_rows, options, to.data(), detail::head_rows_of("out", to), k.groups);
    using storage = typename key_blocks<T>::plain_storage;
    const std::size_t key_row = k.width / key_blocks<T>::values_each;
    const std::size_t key_stride = key_blocks<T>::values_each == 1 ? key_row * page_tokens : key_row;
    const std::size_t value_row = v.width / detail::key_storage<V>::values_each;
    const detail::block_source<storage> key_source{nullptr, k.width, key_stride}; // of one page
    const detail::row_source<V> value_source{nullptr, value_row, value_row * page_tokens};
    detail::stored_keys stored_k = detail::keys_in(key_source, how.set);
    detail::stored_values stored_v = detail::values_in(value_source, how.set);
    stored_k.put_in_pages(k.pages, k.offset);
    stored_v.put_in_pages(v.pages, v.offset);
    detail::run_attention(task, stored_k, stored_v, q_rows.rows, q_rows.heads, how);
}

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Heads of a group that a tile takes at once, of so many queries.
[[nodiscard]] constexpr std::size_t heads_at_once(const attention_numbers& task, std::size_t queries) noexcept {
    std::size_t rows = most_tile_rows;
    if(task.key_count > segment_length(task)) {
        rows = std::min(rows, segment_sums / std::max<std::size_t>(1, task.value_width));
    }
    return std::max<std::size_t>(1, rows / queries);
}

/// Attention of one query over a long context: the team shares the keys, a segment of a group of heads a piece.
class segmented_attention {
public:
    /// Whether the call is one of these. No bit of the result depends on it.
    [[nodiscard]] static bool takes(const attention_numbers& task, std::size_t queries, std::size_t heads,
                                    const execution& how) noexcept {
        return how.workers() > 1 && queries == 1 && task.key_count > key_segment &&
               segment_length(task) == key_segment && heads <= most_tile_rows &&
               2 * heads * task.value_width <= most_values;
    }

    segmented_attention(const attention_numbers& task, const stored_keys& keys, const stored_values& values,
                        const attention_loops& loops, std::size_t heads, const execution& how) noexcept
        : task_{task}, keys_{keys}, values_{values}, loops_{loops}, heads_{heads}, how_{how} {}

    void operator()() {
        for(std::size_t head = 0; head < heads_; ++head) {
            totals_[head] = {.weights = {}, .out = task_.out + head * task_.out_head, .most = no_score, .empty = true};
        }
        const auto [first, last] = keys_seen_by(task_, 0);
        const std::size_t segments = (last + key_segment - 1) / key_segment;
        const std::size_t at_once =
            std::min(most_sums / heads_, most_values / std::max<std::size_t>(1, heads_ * task_.value_width));
        for(std::size_t segment = first / key_segment; segment < segments; segment += at_once) {
            add_segments(segment, std::min(at_once, segments - segment));
        }
        attention_tile tile{task_, keys_, values_, loops_};
        for(std::size_t head = 0; head < heads_; head += task_.heads_a_group) {
            tile.finish_sums({0, 1, head, task_.heads_a_group}, totals_ + head);
        }
    }

private:
    static constexpr std::size_t most_sums = 128;
    static constexpr std::size_t most_values = 16384;

    void add_segments(std::size_t first, std::size_t count) {
        for(std::size_t i = 0; i < count * heads_; ++i) {
            sums_[i].out = values_of_sums_ + i * task_.value_width;
        }
        const std::size_t groups = heads_ / task_.heads_a_group;
        parallel_for(how_, groups * count, 1, [&](work_range range) {
            attention_tile tile{task_, keys_, values_, loops_};
            for(std::size_t i = range.begin; i < range.end; ++i) {
                const std::size_t head = i / count * task_.heads_a_group;
                const std::size_t segment = i % count;
                tile.sum_segment({0, 1, head, task_.heads_a_group}, first + segment, sums_ + segment * heads_ + head);
            }
        });
        for(std::size_t i = 0; i < count * heads_; ++i) {
            loops_.merge(&sums_[i], &totals_[i % heads_], task_.value_width);
        }
    }

    const attention_numbers& task_;
    const stored_keys& keys_;
    const stored_values& values_;
    const attention_loops& loops_;
    std::size_t heads_;
    const execution& how_;
    attention_sum totals_[most_tile_rows]; ///< a head each
    attention_sum sums_[most_sums];        ///< segment after segment
    alignas(64) float values_of_sums_[most_values];
};

} // namespace detail

TOKENWORKS_FUNCTION void detail::run_attention(const attention_numbers& task, const stored_keys& keys,
                                               const stored_values& values, std::size_t queries, std::size_t heads,
                                               const execution& how) {
    const std::size_t tile = std::min(queries, queries_a_tile);
    if(tile == 0 || heads == 0) {
        return;
    }
    const attention_loops& loops = attention_loops_for(how.set);
    if(segmented_attention::takes(task, queries, heads, how)) {
        segmented_attention{task, keys, values, loops, heads, how}();
        return;
    }
    const std::size_t tiles = (queries + tile - 1) / tile;
    const std::size_t most_heads = heads_at_once(task, tile);
    const std::size_t work = tile * (task.key_count + 1) * (task.key_width + task.value_width) / 2;
    const std::size_t grain = std::max<std::size_t>(1, (std::size_t{1} << 16) / std::max<std::size_t>(work, 1));
    parallel_for(how, tiles * heads, grain, [&](work_range range) {
        attention_tile run{task, keys, values, loops};
        for(std::size_t i = range.begin; i < range.end;) {
            const std::size_t place = tile_at(i / heads, tiles);
            const std::size_t head = i % heads;
            const std::size_t left_in_group = task.heads_a_group - head % task.heads_a_group;
            const std::size_t count = std::min({left_in_group, most_heads, range.end - i});
            const std::size_t first = place * tile;
            run({first, std::min(tile, queries - first), head, count});
            i += count;
        }
    });
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
