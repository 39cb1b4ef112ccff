// Attention of a tile of queries over the keys of one head: what kernels/attention.hpp runs on each thread.
//
// Keys are taken in blocks of 64 that begin at absolute multiples of 64. Within a block, for every query row of the
// tile: scores (lane = key, one chain of fused operations along D), then the running maximum and sum, then the values
// (lane = column, one chain along the keys). Keys that a row does not see get weight zero in the sums and are left out
// of its chain of values. After every segment of 512 keys, which begins at an absolute multiple of 512, the sums start
// anew, and are added to those of the segments before: so threads can share a long context, a segment each, and the
// results are added in the order of the keys. The operations that make one output are the same, in the same order,
// whatever tile, chunk of the prompt or thread computes it; rows of a tile only share loads.
//
// Where a tile has many rows, a block is made into floats once, in 16 KB on the stack; a few rows, as in decoding, read
// f16 and blocks in place. Keys that do not lie side by side (key_blocks.hpp) are turned on the way.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/attention_loops.hpp>
#include <tokenworks/kernels/attention_rows.hpp>
#include <tokenworks/kernels/attention_weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

inline constexpr std::size_t most_tile_rows = 64; ///< queries times heads
inline constexpr std::size_t key_segment = 512;   ///< a multiple of key_block
inline constexpr std::size_t segment_sums = 8192; ///< values that a tile holds beside the output, rows times D

/// Keys from one start of the sums to the next. Values of a width that no model has are summed in one go.
[[nodiscard]] constexpr std::size_t segment_length(const attention_numbers& task) noexcept {
    constexpr std::size_t queries = 16;
    return task.value_width <= segment_sums / queries ? key_segment : std::numeric_limits<std::size_t>::max();
}

/// Which rows of a call: queries first_query … and heads first_head …, all of one group.
struct attention_part {
    std::size_t first_query;
    std::size_t queries;
    std::size_t first_head;
    std::size_t heads;
};

/// One call on one thread.
class attention_tile {
public:
    attention_tile(const attention_numbers& task, const stored_keys& keys, const stored_values& values,
                   const attention_loops& loops) noexcept
        : task_{task}, keys_{keys}, values_{values}, loops_{loops} {}

    /// @pre where there are more keys than a segment's, rows times value_width <= segment_sums
    void operator()(const attention_part& part) {
        prepare(part);
        const auto [first, last] = keys_seen();
        const std::size_t length = segment_length(task_);
        if(first >= last || first / length == (last - 1) / length) {
            start_sums();
            add_keys(first, last);
            loops_.finish(&task_, rows_, count_, weights_);
            return;
        }
        attention_sum totals[most_tile_rows];
        for(std::size_t i = 0; i < count_; ++i) {
            totals[i] = {.weights = {}, .out = rows_[i].out, .most = no_score, .empty = true};
            rows_[i].out = parts_ + i * task_.value_width;
        }
        for(std::size_t begin = first; begin < last; begin = (begin / length + 1) * length) {
            start_sums();
            const std::size_t end = std::min(last, (begin / length + 1) * length);
            add_keys(begin, end);
            for(std::size_t i = 0; i < count_; ++i) {
                const attention_sum next = sum_of(i, begin, end);
                loops_.merge(&next, &totals[i], task_.value_width);
            }
        }
        finish(totals);
    }

    /// The sums over the keys of one segment only, for rows of one query.
    /// @param sums  one for each row, whose outs are [D] each; written
    void sum_segment(const attention_part& part, std::size_t segment, attention_sum* sums) {
        prepare(part);
        for(std::size_t i = 0; i < count_; ++i) {
            rows_[i].out = sums[i].out;
        }
        start_sums();
        const auto [first, last] = keys_seen();
        const std::size_t begin = std::max(first, segment * key_segment);
        const std::size_t end = std::min(last, (segment + 1) * key_segment);
        if(begin < end) {
            add_keys(begin, end);
        }
        for(std::size_t i = 0; i < count_; ++i) {
            sums[i] = sum_of(i, begin, end);
        }
    }

    /// Divides what segments have given.
    /// @param totals  one for each row, with the rows of the output
    void finish_sums(const attention_part& part, const attention_sum* totals) {
        prepare(part);
        finish(totals);
    }

private:
    /// Fills the rows, in order of query and head.
    void prepare(const attention_part& part) {
        count_ = part.queries * part.heads;
        group_ = part.first_head / task_.heads_a_group;
        attention_row* row = rows_;
        for(std::size_t query = part.first_query; query < part.first_query + part.queries; ++query) {
            const auto [first, last] = keys_seen_by(task_, query);
            for(std::size_t head = part.first_head; head < part.first_head + part.heads; ++head, ++row) {
                row->q = task_.q + query * task_.q_token + head * task_.q_head;
                row->out = task_.out + query * task_.out_token + head * task_.out_head;
                row->first = first;
                row->last = last;
                row->position = task_.start + query;
                row->sink = no_score;
                if(task_.sinks != nullptr) {
                    row->sink = task_.sinks[head];
                }
                row->slope = task_.slopes != nullptr ? task_.slopes[head] : 0.0F;
                row->bias = task_.relative_bias != nullptr
                                ? task_.relative_bias + head * (2 * task_.reach + 1) + task_.reach
                                : nullptr;
            }
        }
    }

    /// Sums that hold nothing yet.
    void start_sums() {
        std::fill_n(weights_, count_ * simd::lanes, 0.0F);
        for(std::size_t i = 0; i < count_; ++i) {
            rows_[i].most = no_score;
            std::fill_n(rows_[i].out, task_.value_width, 0.0F);
        }
    }

    /// From the first key that any row sees to behind the last; empty where none sees any.
    [[nodiscard]] key_range keys_seen() const noexcept {
        key_range seen{task_.key_count, 0};
        for(std::size_t i = 0; i < count_; ++i) {
            if(rows_[i].first < rows_[i].last) {
                seen.first = std::min(seen.first, rows_[i].first);
                seen.last = std::max(seen.last, rows_[i].last);
            }
        }
        return seen;
    }

    void add_keys(std::size_t first, std::size_t last) {
        for(std::size_t begin = first / key_block * key_block; begin < last; begin += key_block) {
            const std::size_t end = std::min(begin + key_block, last);
            score(begin, end);
            loops_.weigh(&task_, rows_, count_, begin, end, scores_, weights_);
            for(std::size_t c = 0; c < task_.value_width; c += block_columns) {
                add(begin, end, c, std::min(block_columns, task_.value_width - c));
            }
        }
    }

    /// What row i has summed over keys begin … end - 1.
    [[nodiscard]] attention_sum sum_of(std::size_t i, std::size_t begin, std::size_t end) const noexcept {
        attention_sum sum{.weights = {},
                          .out = rows_[i].out,
                          .most = rows_[i].most,
                          .empty = std::max(rows_[i].first, begin) >= std::min(rows_[i].last, end)};
        std::copy_n(weights_ + i * simd::lanes, simd::lanes, sum.weights);
        return sum;
    }

    void finish(const attention_sum* totals) {
        for(std::size_t i = 0; i < count_; ++i) {
            std::copy_n(totals[i].weights, simd::lanes, weights_ + i * simd::lanes);
            rows_[i].most = totals[i].most;
            rows_[i].out = totals[i].out;
            if(totals[i].empty) {
                std::fill_n(rows_[i].out, task_.value_width, 0.0F);
            }
        }
        loops_.finish(&task_, rows_, count_, weights_);
    }

    /// The loops that read these elements where they lie; null where floats must be made first.
    [[nodiscard]] const element_loops* loops_in_place(in_place element) const noexcept {
        const bool direct = element == in_place::f32 || (element != in_place::none && count_ <= loops_.narrow_rows);
        return direct ? &loops_.loops(element) : nullptr;
    }

    /// Calls body(place in group_sizes, first row) for groups of rows.
    template <class Body>
    void for_row_groups(const element_loops& loops, const Body& body) const {
        for(std::size_t i = 0; i < count_;) {
            const std::size_t size = next_group(count_ - i, loops.largest);
            body(size, i);
            i += group_sizes[size];
        }
    }

    void score(std::size_t begin, std::size_t end) {
        key_stretch stretch{scratch_,    block_columns * simd::lanes,
                            simd::lanes, (end - begin + simd::lanes - 1) / simd::lanes,
                            0,           task_.key_width,
                            scores_};
        const auto multiply = [&](const element_loops& loops) {
            for_row_groups(loops, [&](std::size_t size, std::size_t i) { loops.score[size](rows_, i, &stretch); });
        };
        if(const element_loops* const direct = loops_in_place(keys_.element)) {
            stretch.keys = keys_.at(group_, begin);
            stretch.vector_stride = simd::lanes;
            stretch.column_stride = key_block;
            multiply(*direct);
            return;
        }
        for(std::size_t d = 0; d == 0 || d < task_.key_width; d += block_columns) {
            stretch.column = d;
            stretch.columns = std::min(block_columns, task_.key_width - d);
            for(std::size_t j = 0; j < stretch.vectors; ++j) {
                keys_.turn(group_, begin + j * simd::lanes, task_.key_count, d, stretch.columns,
                           scratch_ + j * block_columns * simd::lanes);
            }
            // Loops may read the block to its end; what happens to lie there could be numbers that processors are slow
            // with.
            for(std::size_t j = stretch.vectors; j < key_block / simd::lanes; ++j) {
                std::fill_n(scratch_ + j * block_columns * simd::lanes, stretch.columns * simd::lanes, 0.0F);
            }
            multiply(loops_.floats());
        }
    }

    void add(std::size_t begin, std::size_t end, std::size_t column, std::size_t columns) {
        value_stretch stretch{begin, end, scores_, nullptr, 0, column, columns};
        const element_loops* loops = columns % simd::lanes == 0 ? loops_in_place(values_.element) : nullptr;
        if(loops != nullptr) {
            stretch.values = values_.at(group_, begin) + column / values_.values_each * values_.element_bytes;
            stretch.stride = values_.key_bytes / values_.element_bytes;
        } else {
            loops = &loops_.floats();
            stretch.values = scratch_;
            stretch.stride = (columns + simd::lanes - 1) / simd::lanes * simd::lanes;
            values_.widen(group_, begin, end, column, columns, scratch_, stretch.stride);
        }
        for_row_groups(*loops, [&](std::size_t size, std::size_t i) { add_group(loops->add, size, i, stretch); });
    }

    /// A group of rows over a block: keys that all of them see are taken together, the few before and behind row by
    /// row.
    void add_group(const std::array<value_function, group_sizes.size()>& loops, std::size_t size, std::size_t first,
                   const value_stretch& stretch) const {
        const std::size_t rows = group_sizes[size];
        std::size_t together = stretch.begin;
        std::size_t together_end = stretch.end;
        for(std::size_t i = first; i < first + rows; ++i) {
            together = std::max(together, rows_[i].first);
            together_end = std::min(together_end, rows_[i].last);
        }
        together_end = std::max(together, together_end);
        const auto add_one = [&](std::size_t i, std::size_t from, std::size_t to) {
            if(from < to) {
                loops.back()(rows_, i, &stretch, from, to);
            }
        };
        if(rows > 1) {
            for(std::size_t i = first; i < first + rows; ++i) {
                add_one(i, std::max(stretch.begin, rows_[i].first), std::min({together, stretch.end, rows_[i].last}));
            }
        }
        if(together < together_end) {
            loops[size](rows_, first, &stretch, together, together_end);
        }
        if(rows > 1) {
            for(std::size_t i = first; i < first + rows; ++i) {
                add_one(i, std::max(together_end, rows_[i].first), std::min(stretch.end, rows_[i].last));
            }
        }
    }

    const attention_numbers& task_;
    const stored_keys& keys_;
    const stored_values& values_;
    const attention_loops& loops_;
    std::size_t count_ = 0; ///< rows
    std::size_t group_ = 0;
    attention_row rows_[most_tile_rows];
    alignas(64) float weights_[most_tile_rows * simd::lanes]; ///< summed
    alignas(64) float parts_[segment_sums];                   ///< what a segment has summed, row after row
    alignas(64) float scores_[most_tile_rows * key_block];
    alignas(64) float scratch_[key_block * block_columns];
};

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
