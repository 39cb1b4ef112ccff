// Attention of a tile of queries over the keys of one head: what kernels/attention.hpp runs on each thread.
//
// Keys are taken in blocks of 64 that begin at absolute multiples of 64. Within a block, for every query row of the
// tile: scores (lane = key, one chain of fused operations along D), then the running maximum and sum, then the values
// (lane = column, one chain along the keys). Keys that a row does not see get weight zero in the sums and are left out
// of its chain of values. So the operations that make one output are the same, in the same order, whatever tile, chunk
// of the prompt or thread computes it; rows of a tile only share loads.
//
// Where a tile has many rows, a block is made into floats once, in 16 KB on the stack; a few rows, as in decoding, read
// f16 in place. Keys that do not lie 16 side by side (key_blocks.hpp) are turned on the way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/attention_rows.hpp>
#include <tokenworks/kernels/attention_source.hpp>
#include <tokenworks/kernels/vector_math.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

inline constexpr std::size_t most_tile_rows = 64; ///< queries times heads
/// Up to so many rows read an element in place: making a block into floats first pays with more. Floats always are.
template <class Isa, class Element>
inline constexpr std::size_t rows_in_place = std::is_same_v<Element, float> ? most_tile_rows
                                             : simd::shuffles<Isa>          ? 6
                                                                            : 0;
inline constexpr float no_score = -std::numeric_limits<float>::infinity();

/// One call of attention, as plain numbers; strides in floats.
struct attention_numbers {
    const float* q;
    std::size_t q_token;
    std::size_t q_head;
    float* out;
    std::size_t out_token;
    std::size_t out_head;
    std::size_t key_width;     ///< D
    std::size_t value_width;   ///< D of the values
    std::size_t key_count;     ///< S
    std::size_t heads_a_group; ///< H/G
    std::size_t start;
    std::size_t window;
    const float* sinks;
    const float* slopes;
    float scale;
    float softcap;
    bool causal;
};

/// Which rows of a call: queries first_query … and heads first_head …, all of one group.
struct attention_part {
    std::size_t first_query;
    std::size_t queries;
    std::size_t first_head;
    std::size_t heads;
};

/// Fills the rows of a part, in order of query and head.
template <class Isa>
struct prepare_rows {
    static TOKENWORKS_INLINE void run(const attention_numbers* task, const attention_part* part, attention_row* rows,
                                      float* sums) {
        std::fill_n(sums, part->queries * part->heads * simd::lanes, 0.0F);
        for(std::size_t t = 0; t < part->queries; ++t) {
            const std::size_t query = part->first_query + t;
            const std::size_t position = task->start + query;
            const std::size_t last = task->causal ? std::min(task->key_count, position + 1) : task->key_count;
            const std::size_t first =
                task->window != 0 && position + 1 > task->window ? position + 1 - task->window : 0;
            for(std::size_t h = 0; h < part->heads; ++h) {
                const std::size_t head = part->first_head + h;
                attention_row& row = rows[t * part->heads + h];
                row.q = task->q + query * task->q_token + head * task->q_head;
                row.out = task->out + query * task->out_token + head * task->out_head;
                row.first = std::min(first, last);
                row.last = last;
                row.position = position;
                row.most = no_score;
                row.sink = task->sinks != nullptr ? task->sinks[head] : no_score;
                row.slope = task->slopes != nullptr ? task->slopes[head] : 0.0F;
                std::fill_n(row.out, task->value_width, 0.0F);
            }
        }
    }
};

template <class Isa>
TOKENWORKS_INLINE void rescale(float* out, std::size_t width, const simd::f32x16<Isa>& factor) {
    using vector = simd::f32x16<Isa>;
    std::size_t c = 0;
    for(; c + simd::lanes <= width; c += simd::lanes) {
        (vector::load(out + c) * factor).store(out + c);
    }
    if(const std::size_t rest = width - c; rest != 0) {
        simd::store_partial(simd::load_partial<Isa>(out + c, rest) * factor, out + c, rest);
    }
}

/// Scores of a block become weights e^(score - most); what was summed so far is scaled to the new maximum.
template <class Isa>
struct weigh_rows {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const attention_numbers* task, attention_row* rows, std::size_t count,
                                      std::size_t begin, std::size_t end, float* scores, float* sums) {
        for(std::size_t i = 0; i < count; ++i) {
            if(rows[i].first < end && rows[i].last > begin) {
                weigh(*task, rows[i], begin, scores + i * key_block, sums + i * simd::lanes);
            }
        }
    }

private:
    static TOKENWORKS_INLINE void weigh(const attention_numbers& task, attention_row& row, std::size_t begin,
                                        float* scores, float* sums) {
        float scale = task.scale;
        if(row.first > begin || row.last < begin + key_block || task.slopes != nullptr || task.softcap != 0) {
            finish_scores(task, row, begin, scores);
            scale = 1.0F;
        }
        vector s[4];
        vector most = vector::broadcast(no_score);
        TOKENWORKS_UNROLL(4)
        for(std::size_t j = 0; j < 4; ++j) {
            s[j] = product(vector::load(scores + j * simd::lanes), scale);
            most = max(most, s[j]);
        }
        const float before = row.most;
        row.most = std::max(before, simd::reduce_max(most));
        const vector shift = vector::broadcast(row.most == no_score ? 0.0F : row.most);
        TOKENWORKS_UNROLL(4)
        for(std::size_t j = 0; j < 4; ++j) {
            s[j] = simd::exp(s[j] - shift);
            s[j].store(scores + j * simd::lanes);
        }
        const vector added = (s[0] + s[1]) + (s[2] + s[3]);
        if(before == row.most) {
            (vector::load(sums) + added).store(sums);
        } else {
            const vector fade = simd::exp(vector::broadcast(before) - shift);
            fma(vector::load(sums), fade, added).store(sums);
            rescale(row.out, task.value_width, fade);
        }
    }

    /// a * b that no compiler merges with the sum or difference that follows.
    static TOKENWORKS_INLINE vector product(const vector& a, float b) { return fma(a, b, vector::zero()); }

    /// From one key to another, negative where that lies before it.
    static TOKENWORKS_INLINE vector distance(std::size_t from, std::size_t to) {
        return vector::broadcast(static_cast<float>(static_cast<std::ptrdiff_t>(to - from)));
    }

    /// Whatever the scores of a block may need before the maximum: scale, soft-cap, bias, mask.
    static TOKENWORKS_INLINE void finish_scores(const attention_numbers& task, const attention_row& row,
                                                std::size_t begin, float* scores) {
        static constexpr float lane_numbers[simd::lanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        const vector nothing = vector::broadcast(no_score);
        for(std::size_t j = 0; j < key_block; j += simd::lanes) {
            vector s = product(vector::load(scores + j), task.scale);
            if(task.softcap != 0) {
                s = product(tanh(s * (1.0F / task.softcap)), task.softcap);
            }
            const std::size_t first = begin + j;
            const vector lane = vector::load(lane_numbers);
            if(task.slopes != nullptr) {
                s = fma(lane - distance(first, row.position), row.slope, s);
            }
            s = select_less(lane, distance(first, row.first), nothing, s);
            select_less(lane, distance(first, row.last), s, nothing).store(scores + j);
        }
    }
};

/// Divides by the sum of the weights, and the sink's where there is one. Where nothing was seen the row stays zero.
template <class Isa>
struct finish_rows {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const attention_numbers* task, const attention_row* rows, std::size_t count,
                                      const float* sums) {
        for(std::size_t i = 0; i < count; ++i) {
            const attention_row& row = rows[i];
            vector sum = vector::broadcast(simd::reduce_add(vector::load(sums + i * simd::lanes)));
            if(row.sink != no_score) {
                const vector most = vector::broadcast(std::max(row.most, row.sink));
                const vector fade = simd::exp(vector::broadcast(row.most) - most);
                sum = fma(sum, fade, simd::exp(vector::broadcast(row.sink) - most));
                rescale(row.out, task->value_width, fade);
            }
            const vector one = vector::broadcast(1.0F);
            const vector divisor = select_less(vector::zero(), sum, sum, select_less(sum, one, one, sum));
            divide(row.out, task->value_width, divisor);
        }
    }

private:
    static TOKENWORKS_INLINE void divide(float* out, std::size_t width, const vector& divisor) {
        std::size_t c = 0;
        for(; c + simd::lanes <= width; c += simd::lanes) {
            (vector::load(out + c) / divisor).store(out + c);
        }
        if(const std::size_t rest = width - c; rest != 0) {
            simd::store_partial(simd::load_partial<Isa>(out + c, rest) / divisor, out + c, rest);
        }
    }
};

template <class Keys, class Values>
struct attention_tile {
    template <class Isa>
    struct kernel {
        static TOKENWORKS_INLINE void run(const attention_numbers* task, const Keys* keys, const Values* values,
                                          attention_part part) {
            attention_row rows[most_tile_rows];
            alignas(64) float sums[most_tile_rows * simd::lanes];
            alignas(64) float scores[most_tile_rows * key_block];
            alignas(64) float scratch[key_block * block_columns];
            const std::size_t count = part.queries * part.heads;
            const std::size_t group = part.first_head / task->heads_a_group;
            simd::call<Isa, prepare_rows<Isa>>(task, &part, rows, sums);
            std::size_t first = task->key_count;
            std::size_t last = 0;
            for(std::size_t i = 0; i < count; ++i) {
                if(rows[i].first < rows[i].last) {
                    first = std::min(first, rows[i].first);
                    last = std::max(last, rows[i].last);
                }
            }
            for(std::size_t begin = first / key_block * key_block; begin < last; begin += key_block) {
                const std::size_t end = std::min(begin + key_block, last);
                score<Isa>(*task, *keys, group, begin, end, rows, count, scores, scratch);
                simd::call<Isa, weigh_rows<Isa>>(task, rows, count, begin, end, scores, sums);
                for(std::size_t c = 0; c < task->value_width; c += block_columns) {
                    const std::size_t columns = std::min(block_columns, task->value_width - c);
                    const value_stretch stretch{begin, end, scores, nullptr, 0, c, columns};
                    add<Isa>(*values, group, stretch, rows, count, scratch);
                }
            }
            simd::call<Isa, finish_rows<Isa>>(task, rows, count, sums);
        }
    };

private:
    template <class Isa>
    static TOKENWORKS_INLINE void score(const attention_numbers& task, const Keys& keys, std::size_t group,
                                        std::size_t begin, std::size_t end, const attention_row* rows,
                                        std::size_t count, float* scores, float* scratch) {
        key_stretch stretch{
            scratch, block_columns * simd::lanes, (end - begin + simd::lanes - 1) / simd::lanes, 0, task.key_width,
            scores};
        using element = typename Keys::element;
        if constexpr(Keys::is_turned && rows_in_place<Isa, element> != 0) {
            if(count <= rows_in_place<Isa, element>) {
                stretch.keys = keys.at(group, begin);
                stretch.vector_stride = keys.vector_stride();
                for_row_groups<Isa>(count, [&](auto size, std::size_t i) {
                    simd::call<Isa, score_rows<Isa, element, size()>>(rows, i, &stretch);
                });
                return;
            }
        }
        for(std::size_t d = 0; d == 0 || d < task.key_width; d += block_columns) {
            stretch.column = d;
            stretch.columns = std::min(block_columns, task.key_width - d);
            for(std::size_t j = 0; j < stretch.vectors; ++j) {
                keys.template turn<Isa>(group, begin + j * simd::lanes, task.key_count, d, stretch.columns,
                                        scratch + j * block_columns * simd::lanes);
            }
            for_row_groups<Isa>(count, [&](auto size, std::size_t i) {
                simd::call<Isa, score_rows<Isa, float, size()>>(rows, i, &stretch);
            });
        }
    }

    template <class Isa>
    static TOKENWORKS_INLINE void add(const Values& values, std::size_t group, value_stretch stretch,
                                      const attention_row* rows, std::size_t count, float* scratch) {
        using element = typename Values::element;
        if constexpr(Values::is_plain && rows_in_place<Isa, element> != 0) {
            if(count <= rows_in_place<Isa, element> && stretch.columns % simd::lanes == 0) {
                stretch.values = values.at(group, stretch.begin, stretch.column);
                stretch.stride = values.key_stride;
                for_row_groups<Isa>(
                    count, [&](auto size, std::size_t i) { add_values<Isa, element, size()>(rows, i, stretch); });
                return;
            }
        }
        stretch.values = scratch;
        stretch.stride = (stretch.columns + simd::lanes - 1) / simd::lanes * simd::lanes;
        values.template widen<Isa>(group, stretch.begin, stretch.end, stretch.column, stretch.columns, scratch,
                                   stretch.stride);
        for_row_groups<Isa>(count, [&](auto size, std::size_t i) { add_values<Isa, float, size()>(rows, i, stretch); });
    }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
