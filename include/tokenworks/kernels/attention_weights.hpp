// The online softmax of attention: scores of a block become weights, and what was summed before is scaled to match.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/attention_rows.hpp>
#include <tokenworks/kernels/vector_math.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

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
    std::size_t ahead;
    std::size_t reach; ///< of the relative bias, R
    const float* sinks;
    const float* slopes;
    const float* relative_bias; ///< [H,2R+1], or null
    float scale;
    float softcap;
    bool causal;
};

/// Keys first … last - 1.
struct key_range {
    std::size_t first;
    std::size_t last;
};

/// The keys that a query of the call sees; empty where it sees none.
[[nodiscard]] constexpr key_range keys_seen_by(const attention_numbers& task, std::size_t query) noexcept {
    const std::size_t position = task.start + query;
    const std::size_t ahead = task.causal ? 0 : task.ahead;
    const std::size_t last =
        position >= task.key_count || ahead >= task.key_count - position ? task.key_count : position + ahead + 1;
    const std::size_t first = task.window != 0 && position + 1 > task.window ? position + 1 - task.window : 0;
    return {std::min(first, last), last};
}

/// What is summed for one row over some of its keys, not yet divided by the sum of the weights.
struct attention_sum {
    alignas(64) float weights[simd::lanes]; ///< summed, lane by lane
    float* out;                             ///< [D]: values times weights
    float most;                             ///< largest score; the weights are e^(score - most)
    bool empty;                             ///< no key was seen yet: out holds nothing
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
        // Vectors behind the row's last key have no score, hence weights of zero.
        const std::size_t live = (std::min(row.last, begin + key_block) - begin + simd::lanes - 1) / simd::lanes;
        float scale = task.scale;
        if(row.first > begin || row.last < begin + key_block || task.slopes != nullptr || row.bias != nullptr ||
           task.softcap != 0) {
            finish_scores(task, row, begin, live, scores);
            scale = 1.0F;
        }
        vector s[4];
        vector most = vector::broadcast(no_score);
        TOKENWORKS_UNROLL(4)
        for(std::size_t j = 0; j < 4; ++j) {
            s[j] = j < live ? product(vector::load(scores + j * simd::lanes), scale) : vector::broadcast(no_score);
            most = max(most, s[j]);
        }
        const float before = row.most;
        row.most = std::max(before, simd::reduce_max(most));
        const vector shift = vector::broadcast(row.most == no_score ? 0.0F : row.most);
        TOKENWORKS_UNROLL(4)
        for(std::size_t j = 0; j < 4; ++j) {
            s[j] = j < live ? simd::exp(s[j] - shift) : vector::zero();
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

    /// What is added to the scores of the keys from `first` on.
    static TOKENWORKS_INLINE vector biases(const attention_numbers& task, const attention_row& row, std::size_t first) {
        const auto reach = static_cast<std::ptrdiff_t>(task.reach);
        float each[simd::lanes];
        for(std::size_t i = 0; i < simd::lanes; ++i) {
            each[i] = row.bias[std::clamp(static_cast<std::ptrdiff_t>(first + i - row.position), -reach, reach)];
        }
        return vector::load(static_cast<const float*>(each));
    }

    /// Whatever the scores of a block may need before the maximum: scale, soft-cap, bias, mask.
    /// @param live  vectors that hold scores
    static TOKENWORKS_INLINE void finish_scores(const attention_numbers& task, const attention_row& row,
                                                std::size_t begin, std::size_t live, float* scores) {
        static constexpr float lane_numbers[simd::lanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        const vector nothing = vector::broadcast(no_score);
        for(std::size_t j = 0; j < live * simd::lanes; j += simd::lanes) {
            vector s = product(vector::load(scores + j), task.scale);
            if(task.softcap != 0) {
                s = product(tanh(s * (1.0F / task.softcap)), task.softcap);
            }
            const std::size_t first = begin + j;
            const vector lane = vector::load(lane_numbers);
            if(task.slopes != nullptr) {
                s = fma(lane - distance(first, row.position), row.slope, s);
            }
            if(row.bias != nullptr) {
                s = s + biases(task, row, first);
            }
            s = select_less(lane, distance(first, row.first), nothing, s);
            select_less(lane, distance(first, row.last), s, nothing).store(scores + j);
        }
    }
};

/// Adds the sums over the next keys of a row to those before.
template <class Isa>
struct merge_sums {
    using vector = simd::f32x16<Isa>;

    static TOKENWORKS_INLINE void run(const attention_sum* next, attention_sum* total, std::size_t width) {
        if(next->empty) {
            return;
        }
        if(total->empty) {
            vector::load(next->weights).store(total->weights);
            std::copy_n(next->out, width, total->out);
            total->most = next->most;
            total->empty = false;
            return;
        }
        const float most = std::max(total->most, next->most);
        const vector shift = vector::broadcast(most == no_score ? 0.0F : most);
        const vector fade = simd::exp(vector::broadcast(total->most) - shift);
        const vector scale = simd::exp(vector::broadcast(next->most) - shift);
        total->most = most;
        fma(vector::load(next->weights), scale, vector::load(total->weights) * fade).store(total->weights);
        std::size_t c = 0;
        for(; c + simd::lanes <= width; c += simd::lanes) {
            fma(vector::load(next->out + c), scale, vector::load(total->out + c) * fade).store(total->out + c);
        }
        if(const std::size_t rest = width - c; rest != 0) {
            const vector before = simd::load_partial<Isa>(total->out + c, rest) * fade;
            simd::store_partial(fma(simd::load_partial<Isa>(next->out + c, rest), scale, before), total->out + c, rest);
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

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
