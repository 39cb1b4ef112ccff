// A low-rank adapter: what is added to the results of some of a model's linear layers, for some of its sequences. Hu et
// al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
//
// The model itself is not changed and not copied: any number of adapters share one, each sequence of a step names its
// own, and sequences without one get the bits that they get without company.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/packed_matrix.hpp>
#include <tokenworks/nn/context.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/core/arena.hpp>
#include <tokenworks/kernels/matmul.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// Immutable once its changes are there; share it among threads.
class adapter {
public:
    /// Adds up * (down * x) to what the layer of these weights makes of x.
    /// @param weight  of the layer [N,K], which it is known by; must outlive this
    /// @param down    [R,K] of floats   @param up  [N,R] of floats, the scale included
    /// @throws shape_error; argument_error for a second change of one layer
    void add_change(const kernels::packed_matrix& weight, kernels::packed_matrix down, kernels::packed_matrix up) {
        if(down.columns() != weight.columns() || up.rows() != weight.rows() || up.columns() != down.rows()) {
            tokenworks::detail::raise<shape_error>({"adapter: the weight is [", weight.rows(), ",", weight.columns(),
                                                    "], down [", down.rows(), ",", down.columns(), "], up [", up.rows(),
                                                    ",", up.columns(), "]"});
        }
        if(!changes_.emplace(&weight, change{std::move(down), std::move(up)}).second) {
            tokenworks::detail::raise<argument_error>({"adapter: a layer is changed twice"});
        }
    }

    /// Layers that it changes.
    [[nodiscard]] std::size_t size() const noexcept { return changes_.size(); }
    /// Bytes of weights.
    [[nodiscard]] std::size_t bytes() const noexcept {
        std::size_t sum = 0;
        for(const auto& [weight, each]: changes_) {
            sum += each.down.bytes() + each.up.bytes();
        }
        return sum;
    }

    /// @param x  [T,K]   @param out  [T,N], what the layer has made of it
    void apply(context& c, const kernels::packed_matrix& weight, const_rows x, rows out, const adapted_rows& of) const;

private:
    struct change {
        kernels::packed_matrix down;
        kernels::packed_matrix up;
    };
    std::unordered_map<const kernels::packed_matrix*, change> changes_;
};

/// Adds what the adapters of a step's sequences change in a layer.
inline void apply_adapters(context& c, const kernels::packed_matrix& weight, const_rows x, rows out) {
    for(const adapted_rows& each: c.adapted) {
        each.with->apply(c, weight, x, out, each);
    }
}

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void adapter::apply(context& c, const kernels::packed_matrix& weight, const_rows x, rows out,
                                        const adapted_rows& of) const {
    const auto found = changes_.find(&weight);
    if(found == changes_.end()) {
        return;
    }
    const arena::scope scratch{c.scratch};
    const rows narrow = c.scratch_rows(of.count, found->second.down.rows());
    kernels::matmul(x.slice(of.first, of.count), found->second.down, narrow, {}, c.how);
    kernels::matmul(narrow, found->second.up, out.slice(of.first, of.count), {.add = true}, c.how);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
