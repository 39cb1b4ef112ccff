// What every block of a forward pass shares: how to run, scratch memory, and the sequences whose tokens are in the
// step.
//
// A step works on T rows of width C. They may belong to several sequences; each sequence owns a run of rows and a
// cache. Blocks see only rows, except attention, which asks the context whose rows these are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/rope.hpp>
#include <tokenworks/kernels/rope_table.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {
class packed_matrix;
}

namespace tokenworks::inline TOKENWORKS_ABI::nn {

class adapter;
class kv_cache;

/// Rows first … first + count - 1 of a step continue one sequence; the first sits at position `start`.
struct sequence_rows {
    kv_cache* cache = nullptr; ///< null: the sequence is these rows
    std::size_t first = 0;
    std::size_t count = 0;
    std::size_t start = 0;
    const kv_cache* memory = nullptr; ///< what cross-attention reads, of another sequence; may be null
    /// [count], rising, or empty: where the rows stand, of a sequence without a cache that has gaps between them. Only
    /// biases of distances heed it.
    std::span<const std::uint32_t> places{};
};

/// Rows of a step whose layers an adapter changes.
struct adapted_rows {
    std::size_t first = 0;
    std::size_t count = 0;
    const adapter* with = nullptr;
};

/// [T,C] activations, and whatever block wants them.
using rows = view<float, dyn, dyn>;
using const_rows = view<const float, dyn, dyn>;

/// Where a block puts its result: over what is there, or on top of it.
struct destination {
    rows out;
    bool add = false;

    destination(rows replaced) noexcept : out{replaced} {} // implicit: a plain view is written over
    destination(rows target, bool added) noexcept : out{target}, add{added} {}
};

/// The residual form: the block's result is added to what `target` holds.
[[nodiscard]] inline destination add_to(rows target) noexcept { return {target, true}; }

/// State of one step. Not shared between threads; a model is, a context is not.
class context {
public:
    /// Called with every named activation of a step where set; the view is valid during the call only.
    using observer = std::function<void(std::string_view name, std::size_t layer, const_rows values)>;

    /// Called with the input [T,K] of every product with a linear layer's weight where set; on the calling thread, as
    /// above.
    using product_observer = std::function<void(const kernels::packed_matrix& weight, const_rows x)>;

    /// Called with the queries [T,H*D] and keys [T,G*D] of every self-attention where set, norms and positions applied;
    /// on the calling thread, as above.
    using attention_observer = std::function<void(std::size_t layer, const_rows queries, const_rows keys)>;

    explicit context(execution run = {}) : how{run} {}

    /// Starts a step of that many rows; add_sequence then says whose they are. Keeps its memory from step to step.
    void begin_step(std::size_t rows_in_step, std::size_t sequences_in_step) {
        sequences_.clear();
        sequences_.reserve(sequences_in_step);
        positions_.clear();
        positions_.reserve(rows_in_step);
        ++step_;
    }
    void add_sequence(const sequence_rows& rows_of_sequence) {
        sequences_.push_back(rows_of_sequence);
        for(std::size_t i = 0; i < rows_of_sequence.count; ++i) {
            positions_.push_back(static_cast<std::int32_t>(rows_of_sequence.start + i));
        }
    }

    [[nodiscard]] std::span<const sequence_rows> sequences() const noexcept { return sequences_; }
    /// [T], where each row stands in its sequence.
    [[nodiscard]] std::span<const std::int32_t> positions() const noexcept { return positions_; }
    /// Counts steps, so that what depends on positions alone is computed once a step.
    [[nodiscard]] std::uint64_t step() const noexcept { return step_; }

    /// Cosines and sines [T,W/2] of the step's positions, computed when the first layer asks for them.
    struct angles {
        view<const float, dyn, dyn> cosines;
        view<const float, dyn, dyn> sines;
    };
    [[nodiscard]] angles angles_of(const kernels::rope_table& table);

    /// Uninitialised scratch rows that live until the enclosing arena scope ends.
    [[nodiscard]] rows scratch_rows(std::size_t count, std::size_t width) {
        return scratch.take<float>(extents<dyn, dyn>{count, width});
    }

    void observe(std::string_view name, const_rows values) const {
        if(on_activation) {
            on_activation(name, layer, values);
        }
    }

    void observe_product(const kernels::packed_matrix& weight, const_rows x) const {
        if(on_product) {
            on_product(weight, x);
        }
    }

    void observe_attention(const_rows queries, const_rows keys) const {
        if(on_attention) {
            on_attention(layer, queries, keys);
        }
    }

    execution how;
    arena scratch;
    std::size_t layer = 0; ///< index of the layer that runs, for caches and observers
    observer on_activation;
    product_observer on_product;
    attention_observer on_attention;
    std::vector<adapted_rows> adapted; ///< in the order in which adapters are applied; of the rows that layers now see

private:
    struct rotation {
        const kernels::rope_table* table = nullptr;
        std::uint64_t step = 0;
        std::vector<float> cosines;
        std::vector<float> sines;
    };

    std::vector<rotation> rotations_;
    std::vector<sequence_rows> sequences_;
    std::vector<std::int32_t> positions_;
    std::uint64_t step_ = 0;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION context::angles context::angles_of(const kernels::rope_table& table) {
    rotation* found = nullptr;
    for(rotation& each: rotations_) {
        if(each.table == &table) {
            found = &each;
        }
    }
    if(found == nullptr) {
        found = &rotations_.emplace_back();
        found->table = &table;
    }
    const std::size_t pairs = table.width() / 2;
    const auto as_rows = [&](std::vector<float>& values) { return rows{values.data(), positions_.size(), pairs}; };
    if(found->step != step_) {
        found->cosines.resize(positions_.size() * pairs);
        found->sines.resize(positions_.size() * pairs);
        kernels::rope_angles(view<const std::int32_t, dyn>{positions_}, table, as_rows(found->cosines),
                             as_rows(found->sines), how);
        found->step = step_;
    }
    return {as_rows(found->cosines), as_rows(found->sines)};
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
