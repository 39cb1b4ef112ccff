// The tokens that may still come next, with their logits: what every processor of a chain reads and changes.
//
// A step starts with the whole vocabulary, where entry i is token i ("dense", one float an entry), and becomes a list
// of (id, logit) once a processor drops some. A vocabulary has up to 262144 entries and a step a few milliseconds, so
// nothing here sorts all of them: the k best come from a search that skips blocks without a better entry, a share of
// the probability from a histogram. The first load reserves all memory; later steps allocate nothing.
//
// Equal logits are always ordered by id, so that results depend on the logits alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/scan.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

using token_id = std::int32_t; ///< index into the vocabulary; the codec layer uses the same type

/// One token that may come next. The logit is finite, or -infinity: never drawn.
struct candidate {
    token_id id;
    float logit;
};

/// True where a comes before b: higher logit first, then lower id.
[[nodiscard]] inline bool better(const candidate& a, const candidate& b) noexcept {
    return a.logit > b.logit || (!(a.logit < b.logit) && a.id < b.id);
}

/// A softmax before the division: the probability of entry i is weights[i] / sum.
struct distribution {
    std::span<const float> weights; ///< exp(logit - highest logit), in the order of the entries
    double sum;                     ///< of the weights; 0 where no entry has a finite logit
    float top;                      ///< the highest logit
};

namespace detail {

/// Stops at logits that nothing can be drawn from.
/// @param found  by inspect(logits)
/// @throws argument_error
inline void require_drawable(const inspected& found, std::span<const float> logits) {
    if(!found.valid) {
        const auto bad = std::find_if(logits.begin(), logits.end(), [](float x) { return !(x < infinity); });
        tokenworks::detail::raise<argument_error>(
            {"sampling: the logit of token ", bad - logits.begin(), *bad > 0 ? " is +infinity" : " is NaN"});
    }
    if(!(found.highest > -infinity)) {
        tokenworks::detail::raise<argument_error>({"sampling: no finite logit"});
    }
}

} // namespace detail

/// The working set of one step. It belongs to the caller of a chain, who uses it again for every step.
class candidates {
public:
    /// Starts a step: all V tokens, entry i is token i.
    /// @param logits  [V]; copied
    /// @throws argument_error if V is 0 or above 2^31 - 1, if a logit is NaN or +infinity, or if none is finite
    void load(std::span<const float> logits) {
        if(logits.empty() || logits.size() > static_cast<std::size_t>(std::numeric_limits<token_id>::max())) {
            tokenworks::detail::raise<argument_error>(
                {"sampling: ", logits.size(), " logits, must be 1 to 2147483647"});
        }
        reserve(logits.size());
        logits_.resize(logits.size());
        const detail::inspected found = detail::inspect(logits, logits_.data());
        detail::require_drawable(found, logits);
        list_.clear();
        dense_ = true;
        top_ = found.highest;
    }

    /// Takes the memory that steps over a vocabulary of this size need.
    void reserve(std::size_t vocab) {
        logits_.reserve(vocab);
        list_.reserve(vocab);
        weights_.reserve(vocab);
        keys_.reserve(vocab);
        order_.reserve(vocab);
    }

    /// V, the size of the vocabulary.
    [[nodiscard]] std::size_t vocab_size() const noexcept { return logits_.size(); }
    /// How many entries are left.
    [[nodiscard]] std::size_t size() const noexcept { return dense_ ? logits_.size() : list_.size(); }
    /// True as long as nothing was dropped: entry i is token i, and dense_logits() may be used.
    [[nodiscard]] bool dense() const noexcept { return dense_; }

    [[nodiscard]] token_id id(std::size_t i) const noexcept { return dense_ ? static_cast<token_id>(i) : list_[i].id; }
    [[nodiscard]] float logit(std::size_t i) const noexcept { return dense_ ? logits_[i] : list_[i].logit; }

    /// The logits of the whole vocabulary, [V], to read and change.
    /// @pre dense()
    [[nodiscard]] std::span<float> dense_logits() noexcept {
        top_.reset();
        return logits_;
    }

    /// The entries as a list, to read, change and reorder. The first call of a step makes it, in O(V), and drops the
    /// entries whose logit is -infinity.
    [[nodiscard]] std::span<candidate> list() {
        if(dense_) {
            keep_indices([](std::size_t) { return true; });
        }
        top_.reset();
        return list_;
    }

    /// logit = change(id, logit) for every entry.
    template <class Change>
    void transform(Change change) {
        top_.reset();
        if(dense_) {
            for(std::size_t i = 0; i < logits_.size(); ++i) {
                logits_[i] = change(static_cast<token_id>(i), logits_[i]);
            }
        } else {
            for(candidate& c: list_) {
                c.logit = change(c.id, c.logit);
            }
        }
    }

    /// logit = change(n, logit) for every entry whose id is ids[n].
    /// @param ids  ascending, each once, all in 0 … vocab_size() - 1
    template <class Change>
    void transform_only(std::span<const token_id> ids, Change change) {
        top_.reset();
        if(dense_) {
            for(std::size_t n = 0; n < ids.size(); ++n) {
                float& logit = logits_[static_cast<std::size_t>(ids[n])];
                logit = change(n, logit);
            }
            return;
        }
        for(candidate& c: list_) {
            const auto at = std::lower_bound(ids.begin(), ids.end(), c.id);
            if(at != ids.end() && *at == c.id) {
                c.logit = change(static_cast<std::size_t>(at - ids.begin()), c.logit);
            }
        }
    }

    /// logit /= by for every entry.
    void divide(float by) {
        if(dense_) {
            detail::divide(dense_logits(), by);
        } else {
            transform([by](token_id, float logit) { return logit / by; });
        }
    }

    /// Keeps the entries with keep(candidate), in their order. Entries with a logit of -infinity are dropped too.
    template <class Keep>
    void keep_if(Keep keep) {
        keep_indices([&](std::size_t i) { return keep(candidate{id(i), logit(i)}); });
    }

    /// Keeps the entries with a logit of at least `least`, in their order.
    void keep_at_least(float least) {
        if(!dense_) {
            keep_if([&](const candidate& c) { return c.logit >= least; });
            return;
        }
        list_.clear();
        for(std::size_t begin = 0; begin < logits_.size(); begin += detail::block) {
            const std::size_t end = std::min(begin + detail::block, logits_.size());
            if(detail::highest({logits_.data() + begin, end - begin}) >= least) {
                for(std::size_t i = begin; i < end; ++i) {
                    if(logits_[i] >= least && logits_[i] > -detail::infinity) {
                        list_.push_back({static_cast<token_id>(i), logits_[i]});
                    }
                }
            }
        }
        dense_ = false;
    }

    /// Keeps the k best entries, at least one, best first: higher logit, then lower id.
    void keep_top(std::size_t k) {
        k = std::max<std::size_t>(k, 1);
        if(dense_ && k <= logits_.size() / 8) {
            search_top(k);
        } else {
            static_cast<void>(list());
            prune(k);
        }
        std::sort(list_.begin(), list_.end(), better);
        while(!list_.empty() && !(list_.back().logit > -detail::infinity)) {
            list_.pop_back();
        }
    }

    /// Keeps the shortest row of entries, ordered by ascending key(i), then id, whose weights add up to `mass`; at
    /// least one, and all where they do not reach it. The kept entries stay in their order.
    /// @param d          what softmax() gave; no other call may lie between
    /// @param more_than  the sum must be above `mass`, not equal to it
    template <class Key>
    void keep_mass(const distribution& d, double mass, bool more_than, Key key) {
        keys_.resize(size());
        for(std::size_t i = 0; i < keys_.size(); ++i) {
            keys_[i] = std::min(detail::infinity, key(i)); // infinity where it is NaN
        }
        const auto reached = [&](double sum) { return more_than ? sum > mass : sum >= mass; };
        double sum = order_where_reached(d.weights, reached);
        std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
            return keys_[a] < keys_[b] || (!(keys_[b] < keys_[a]) && id(a) < id(b));
        });
        if(order_.empty()) {
            static_cast<void>(list());
            return;
        }
        std::size_t last = 0;
        sum += static_cast<double>(d.weights[order_[0]]);
        while(!reached(sum) && last + 1 < order_.size()) {
            sum += static_cast<double>(d.weights[order_[++last]]);
        }
        const float key_of_last = keys_[order_[last]];
        const token_id id_of_last = id(order_[last]);
        keep_indices([&](std::size_t i) {
            return keys_[i] < key_of_last || (!(key_of_last < keys_[i]) && id(i) <= id_of_last);
        });
    }

    /// The highest logit; -infinity without entries.
    [[nodiscard]] float max_logit() const noexcept {
        if(dense_) {
            return top_ ? *top_ : detail::highest(logits_);
        }
        float best = -detail::infinity;
        for(const candidate& c: list_) {
            best = c.logit > best ? c.logit : best;
        }
        return best;
    }

    /// The entry with the highest logit, the lowest id on a tie.
    /// @throws argument_error without a finite logit
    [[nodiscard]] candidate best() const {
        const float top = max_logit();
        if(!(top > -detail::infinity)) {
            tokenworks::detail::raise<argument_error>({"sampling: no finite logit"});
        }
        if(dense_) {
            return {static_cast<token_id>(detail::find_highest(logits_, top)), top};
        }
        candidate found{std::numeric_limits<token_id>::max(), top};
        for(const candidate& c: list_) {
            found.id = c.logit >= top && c.id < found.id ? c.id : found.id;
        }
        return found;
    }

    /// Softmax of the entries. The weights stay valid until the next load() or softmax().
    [[nodiscard]] distribution softmax() {
        const float top = max_logit();
        weights_.resize(size());
        if(!(top > -detail::infinity)) {
            std::fill(weights_.begin(), weights_.end(), 0.0F);
            return {weights_, 0.0, top};
        }
        for(std::size_t i = 0; !dense_ && i < weights_.size(); ++i) {
            weights_[i] = list_[i].logit;
        }
        detail::exponentials(dense_ ? logits_ : weights_, top, weights_);
        return {weights_, detail::sum_of(weights_), top};
    }

    /// True if no entry has a logit of NaN or +infinity. A chain asks after every processor.
    [[nodiscard]] bool valid() noexcept {
        if(!dense_) {
            return std::all_of(list_.begin(), list_.end(),
                               [](const candidate& c) { return c.logit < detail::infinity; });
        }
        if(!top_) {
            const detail::inspected found = detail::inspect(logits_);
            if(!found.valid) {
                return false;
            }
            top_ = found.highest;
        }
        return true;
    }

    /// Memory for processors, which keeps its capacity from step to step.
    [[nodiscard]] std::vector<token_id>& scratch() noexcept { return scratch_; }

private:
    /// Makes the list of the entries with keep(i) and a logit above -infinity.
    template <class Keep>
    void keep_indices(Keep keep) {
        if(dense_) {
            for(std::size_t i = 0; i < logits_.size(); ++i) {
                if(logits_[i] > -detail::infinity && keep(i)) {
                    list_.push_back({static_cast<token_id>(i), logits_[i]});
                }
            }
            dense_ = false;
            return;
        }
        std::size_t kept = 0;
        for(std::size_t i = 0; i < list_.size(); ++i) {
            const candidate c = list_[i];
            if(c.logit > -detail::infinity && keep(i)) {
                list_[kept++] = c;
            }
        }
        list_.resize(kept);
    }

    /// Lists the k best of the dense entries, in any order. Entries that are no better than the worst of k entries
    /// found so far are passed over, a block at a time; a later entry with an equal logit has a higher id and loses.
    void search_top(std::size_t k) {
        const std::size_t most = 2 * k + detail::block;
        float least = -detail::infinity;
        for(std::size_t begin = 0; begin < logits_.size(); begin += detail::block) {
            const std::size_t end = std::min(begin + detail::block, logits_.size());
            if(!(detail::highest({logits_.data() + begin, end - begin}) > least)) {
                continue;
            }
            for(std::size_t i = begin; i < end; ++i) {
                if(logits_[i] > least) {
                    list_.push_back({static_cast<token_id>(i), logits_[i]});
                    if(list_.size() == most) {
                        prune(k);
                        least = list_[k - 1].logit;
                    }
                }
            }
        }
        prune(k);
        dense_ = false;
    }

    /// Cuts the list to its k best; the last one is the worst of them.
    void prune(std::size_t k) {
        if(k < list_.size()) {
            std::nth_element(list_.begin(), list_.begin() + static_cast<std::ptrdiff_t>(k) - 1, list_.end(), better);
            list_.resize(k);
        }
    }

    /// Puts into order_ the entries among which the sum by ascending key becomes reached(), and returns the sum of
    /// those with lower keys. Few entries: all of them. Many: those in one bucket of a histogram.
    template <class Reached>
    double order_where_reached(std::span<const float> weights, Reached reached) {
        constexpr std::size_t few = 256;
        order_.clear();
        if(keys_.size() <= few) {
            for(std::size_t i = 0; i < keys_.size(); ++i) {
                order_.push_back(static_cast<std::uint32_t>(i));
            }
            return 0.0;
        }
        float least = detail::infinity;
        float most = -detail::infinity;
        for(const float key: keys_) {
            least = key < least ? key : least;
            most = key < detail::infinity && key > most ? key : most;
        }
        const auto buckets = detail::key_buckets::between(least, most);
        std::array<double, detail::key_buckets::count> mass{};
        for(std::size_t i = 0; i < keys_.size(); ++i) {
            mass[buckets.index(keys_[i])] += static_cast<double>(weights[i]);
        }
        double below = 0;
        std::size_t at = 0;
        while(at < mass.size() && !(mass[at] > 0 && reached(below + mass[at]))) {
            below += mass[at++];
        }
        for(std::size_t i = 0; i < keys_.size(); ++i) {
            if(buckets.index(keys_[i]) == at) {
                order_.push_back(static_cast<std::uint32_t>(i));
            }
        }
        return below;
    }

    std::vector<float> logits_; // of the step, as long as dense_; its size is V throughout
    std::vector<candidate> list_;
    std::vector<float> weights_;
    std::vector<float> keys_;
    std::vector<std::uint32_t> order_;
    std::vector<token_id> scratch_;
    bool dense_ = true;
    std::optional<float> top_; // the highest of logits_, unless they may have changed since load
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
