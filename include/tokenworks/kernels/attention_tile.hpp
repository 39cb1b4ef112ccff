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
#include <array>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/attention_loops.hpp>
#include <tokenworks/kernels/attention_rows.hpp>
#include <tokenworks/kernels/attention_weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail {

inline constexpr std::size_t most_tile_rows = 64; ///< queries times heads

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

    void operator()(const attention_part& part) {
        prepare(part);
        std::size_t first = task_.key_count;
        std::size_t last = 0;
        for(std::size_t i = 0; i < count_; ++i) {
            if(rows_[i].first < rows_[i].last) {
                first = std::min(first, rows_[i].first);
                last = std::max(last, rows_[i].last);
            }
        }
        for(std::size_t begin = first / key_block * key_block; begin < last; begin += key_block) {
            const std::size_t end = std::min(begin + key_block, last);
            score(begin, end);
            loops_.weigh(&task_, rows_, count_, begin, end, scores_, sums_);
            for(std::size_t c = 0; c < task_.value_width; c += block_columns) {
                add(begin, end, c, std::min(block_columns, task_.value_width - c));
            }
        }
        loops_.finish(&task_, rows_, count_, sums_);
    }

private:
    /// Fills the rows, in order of query and head.
    void prepare(const attention_part& part) {
        count_ = part.queries * part.heads;
        group_ = part.first_head / task_.heads_a_group;
        std::fill_n(sums_, count_ * simd::lanes, 0.0F);
        attention_row* row = rows_;
        for(std::size_t query = part.first_query; query < part.first_query + part.queries; ++query) {
            const std::size_t position = task_.start + query;
            const std::size_t last = task_.causal ? std::min(task_.key_count, position + 1) : task_.key_count;
            const std::size_t first =
                task_.window != 0 && position + 1 > task_.window ? position + 1 - task_.window : 0;
            for(std::size_t head = part.first_head; head < part.first_head + part.heads; ++head, ++row) {
                row->q = task_.q + query * task_.q_token + head * task_.q_head;
                row->out = task_.out + query * task_.out_token + head * task_.out_head;
                row->first = std::min(first, last);
                row->last = last;
                row->position = position;
                row->most = no_score;
                row->sink = no_score;
                if(task_.sinks != nullptr) {
                    row->sink = task_.sinks[head];
                }
                row->slope = task_.slopes != nullptr ? task_.slopes[head] : 0.0F;
                std::fill_n(row->out, task_.value_width, 0.0F);
            }
        }
    }

    /// The loops that read these elements where they lie; null where floats must be made first.
    [[nodiscard]] const element_loops* loops_in_place(in_place element) const noexcept {
        if(element == in_place::f32) {
            return &loops_.f32;
        }
        return element == in_place::f16 && count_ <= loops_.f16_rows ? &loops_.f16 : nullptr;
    }

    /// Calls body(place in group_sizes, first row) for groups of rows, the large ones first.
    template <class Body>
    void for_row_groups(const Body& body) const {
        std::size_t i = 0;
        for(std::size_t size = loops_.largest_group; size < group_sizes.size(); ++size) {
            for(; i + group_sizes[size] <= count_; i += group_sizes[size]) {
                body(size, i);
            }
        }
    }

    void score(std::size_t begin, std::size_t end) {
        key_stretch stretch{
            scratch_, block_columns * simd::lanes, (end - begin + simd::lanes - 1) / simd::lanes, 0, task_.key_width,
            scores_};
        const auto multiply = [&](const element_loops& loops) {
            for_row_groups([&](std::size_t size, std::size_t i) { loops.score[size](rows_, i, &stretch); });
        };
        if(const element_loops* const direct = loops_in_place(keys_.element)) {
            stretch.keys = keys_.at(group_, begin);
            stretch.vector_stride = keys_.vector_stride;
            multiply(*direct);
            return;
        }
        for(std::size_t d = 0; d == 0 || d < task_.key_width; d += block_columns) {
            stretch.column = d;
            stretch.columns = std::min(block_columns, task_.key_width - d);
            for(std::size_t j = 0; j < stretch.vectors; ++j) {
                keys_.turn(keys_.source, group_, begin + j * simd::lanes, task_.key_count, d, stretch.columns,
                           scratch_ + j * block_columns * simd::lanes);
            }
            multiply(loops_.f32);
        }
    }

    void add(std::size_t begin, std::size_t end, std::size_t column, std::size_t columns) {
        value_stretch stretch{begin, end, scores_, nullptr, 0, column, columns};
        const element_loops* loops = columns % simd::lanes == 0 ? loops_in_place(values_.element) : nullptr;
        if(loops != nullptr) {
            stretch.values = values_.at(group_, begin) + column * values_.element_bytes;
            stretch.stride = values_.key_bytes / values_.element_bytes;
        } else {
            loops = &loops_.f32;
            stretch.values = scratch_;
            stretch.stride = (columns + simd::lanes - 1) / simd::lanes * simd::lanes;
            values_.widen(values_.source, group_, begin, end, column, columns, scratch_, stretch.stride);
        }
        for_row_groups([&](std::size_t size, std::size_t i) { add_group(loops->add, size, i, stretch); });
    }

    /// A group of rows over a block: keys that all of them see are taken together, the few before and behind row by
    /// row.
    void add_group(const std::array<value_function, 3>& loops, std::size_t size, std::size_t first,
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
    alignas(64) float sums_[most_tile_rows * simd::lanes];
    alignas(64) float scores_[most_tile_rows * key_block];
    alignas(64) float scratch_[key_block * block_columns];
};

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels::detail
