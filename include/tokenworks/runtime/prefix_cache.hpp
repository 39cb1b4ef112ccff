// What was computed of earlier sequences, kept for others that begin alike: a radix tree over pages of a cache.
//
// Every edge of the tree is a page: up to 64 tokens, and their keys and values in all layers. A page that is full may
// have others behind it. A new sequence walks down as far as its tokens agree and becomes a user of the pages on its
// way; tokens are compared, not their hashes, so nobody gets another's state by accident or on purpose. Of a page that
// agrees in part the sequence uses that part, and gets a copy once it writes (kv_cache::make_room). When room is needed
// the leaf goes that was not used for longest. Zheng et al., "SGLang: Efficient Execution of Structured Language Model
// Programs", 2024 (RadixAttention).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/nn/page_pool.hpp>
#include <tokenworks/sampling/candidates.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

using sampling::token_id;

/// Not for several threads at once. Pages are of one pool, which must outlive it.
class prefix_cache {
public:
    static constexpr std::size_t page_tokens = nn::page_pool::page_tokens;

    explicit prefix_cache(nn::page_pool& pool) : pool_{&pool} { nodes_.reserve(pool.pages() + 1); }
    prefix_cache(const prefix_cache&) = delete;
    prefix_cache& operator=(const prefix_cache&) = delete;
    ~prefix_cache() { clear(); }

    /// How many of the tokens restore() would find.
    [[nodiscard]] std::size_t find(const std::string& key, std::span<const token_id> tokens) const;

    /// Brings a cache that holds the first of the tokens, maybe none, as far as the tree knows them. It loses what it
    /// has computed of its last page where the tree knows more.
    /// @param key  trees of different keys share nothing
    /// @return tokens that the cache has got, 0 where the tree knows no more than the cache
    std::size_t restore(const std::string& key, std::span<const token_id> tokens, nn::kv_cache& to);

    /// Keeps what a cache holds of these tokens, its first.
    void keep(const std::string& key, std::span<const token_id> tokens, const nn::kv_cache& from);

    /// Gives up the page that nobody else uses and that was asked for longest ago; false if there is none.
    bool give_up();
    void clear();

    /// Tokens that there would be room for in the pages that it alone keeps.
    [[nodiscard]] std::size_t idle_tokens() const noexcept;
    /// As many pages.
    [[nodiscard]] std::size_t idle_pages() const noexcept { return idle_tokens() / page_tokens; }
    /// Changes whenever something is added.
    [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

    /// Calls visit(key, parent, tokens, page) for every page, parents first; a parent is the place of an earlier call,
    /// or nothing at the root of a key.
    template <class Visit>
    void for_each(Visit&& visit) const;

private:
    using index = std::uint32_t;
    static constexpr index none = std::numeric_limits<index>::max();

    struct node {
        index parent = none; // none: at the root of its key
        index child = none;  // the first
        index sibling = none;
        nn::page_pool::page page = 0;
        std::uint32_t count = 0; // of tokens; 0: the node is free
        std::uint64_t used = 0;
        std::array<token_id, page_tokens> tokens;
    };
    struct root {
        index child = none;
    };
    struct match {
        index at = none;
        std::size_t count = 0; // tokens in common
    };

    [[nodiscard]] static std::size_t common(std::span<const token_id> a, std::span<const token_id> b) noexcept {
        const auto [i, j] = std::ranges::mismatch(a, b);
        return static_cast<std::size_t>(i - a.begin());
    }
    /// The child, in a list of siblings, that agrees with most of the tokens.
    [[nodiscard]] match best_of(index first, std::span<const token_id> tokens) const {
        match best;
        for(index i = first; i != none; i = nodes_[i].sibling) {
            const std::size_t count = common({nodes_[i].tokens.data(), nodes_[i].count}, tokens);
            if(count > best.count) {
                best = {i, count};
            }
        }
        return best;
    }
    [[nodiscard]] index take_node();
    void remove(index which);

    nn::page_pool* pool_;
    std::vector<node> nodes_;
    std::vector<index> free_{};
    std::map<std::string, root> roots_{};
    std::uint64_t clock_ = 0;
    std::uint64_t version_ = 0;
};

template <class Visit>
void prefix_cache::for_each(Visit&& visit) const {
    std::vector<std::pair<index, std::optional<std::size_t>>> left; // nodes, and the places of their parents
    std::size_t place = 0;
    for(const auto& [key, top]: roots_) {
        for(index i = top.child; i != none; i = nodes_[i].sibling) {
            left.emplace_back(i, std::nullopt);
        }
        while(!left.empty()) {
            const auto [i, parent] = left.back();
            left.pop_back();
            visit(key, parent, std::span<const token_id>{nodes_[i].tokens.data(), nodes_[i].count}, nodes_[i].page);
            for(index j = nodes_[i].child; j != none; j = nodes_[j].sibling) {
                left.emplace_back(j, place);
            }
            ++place;
        }
    }
}

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION std::size_t prefix_cache::find(const std::string& key, std::span<const token_id> tokens) const {
    const auto at = roots_.find(key);
    std::size_t found = 0;
    for(index children = at == roots_.end() ? none : at->second.child; found < tokens.size();) {
        const match next = best_of(children, tokens.subspan(found, std::min(page_tokens, tokens.size() - found)));
        found += next.count;
        if(next.count != page_tokens) {
            break;
        }
        children = nodes_[next.at].child;
    }
    return found;
}

TOKENWORKS_FUNCTION std::size_t prefix_cache::restore(const std::string& key, std::span<const token_id> tokens,
                                                      nn::kv_cache& to) {
    const std::size_t held = to.size();
    if(find(key, tokens) <= held) {
        return 0;
    }
    to.truncate(held / page_tokens * page_tokens);
    ++clock_;
    std::size_t done = 0;
    for(index children = roots_.find(key)->second.child; done < tokens.size();) {
        const match next = best_of(children, tokens.subspan(done, std::min(page_tokens, tokens.size() - done)));
        if(next.count == 0) {
            break;
        }
        nodes_[next.at].used = clock_;
        if(done >= to.size()) {
            to.adopt(nodes_[next.at].page, next.count);
        }
        done += next.count;
        if(next.count != page_tokens) {
            break;
        }
        children = nodes_[next.at].child;
    }
    return to.size() - held;
}

TOKENWORKS_FUNCTION void prefix_cache::keep(const std::string& key, std::span<const token_id> tokens,
                                            const nn::kv_cache& from) {
    if(tokens.size() > from.size() || from.pages().pool() != pool_) {
        tokenworks::detail::raise<argument_error>(
            {"prefix_cache: ", tokens.size(), " tokens of a cache of ", from.size(), " in pages of another pool"});
    }
    if(tokens.empty()) {
        return;
    }
    ++clock_;
    root& top = roots_[key];
    index parent = none;
    for(std::size_t done = 0; done < tokens.size();) {
        const auto part = tokens.subspan(done, std::min(page_tokens, tokens.size() - done));
        const nn::page_pool::page page = from.pages().pages()[done / page_tokens];
        const index children = parent == none ? top.child : nodes_[parent].child;
        const match next = best_of(children, part);
        index at = next.at;
        if(next.count == 0 || (next.count < part.size() && next.count < nodes_[at].count)) {
            at = take_node();
            nodes_[at] = {.parent = parent,
                          .child = none,
                          .sibling = children,
                          .page = page,
                          .count = 0,
                          .used = 0,
                          .tokens = {}};
            (parent == none ? top.child : nodes_[parent].child) = at;
            pool_->share(page);
        }
        node& here = nodes_[at];
        if(here.count < part.size()) { // new, or the beginning of this part
            if(here.page != page) {
                pool_->release(here.page);
                pool_->share(page);
                here.page = page;
            }
            std::ranges::copy(part, here.tokens.begin());
            here.count = static_cast<std::uint32_t>(part.size());
            ++version_;
        }
        here.used = clock_;
        parent = at;
        done += part.size();
    }
}

TOKENWORKS_FUNCTION prefix_cache::index prefix_cache::take_node() {
    if(!free_.empty()) {
        const index taken = free_.back();
        free_.pop_back();
        return taken;
    }
    nodes_.emplace_back();
    return static_cast<index>(nodes_.size() - 1);
}

TOKENWORKS_FUNCTION bool prefix_cache::give_up() {
    index oldest = none;
    for(index i = 0; i < nodes_.size(); ++i) {
        const node& each = nodes_[i];
        if(each.count != 0 && each.child == none && pool_->users(each.page) == 1 &&
           (oldest == none || each.used < nodes_[oldest].used)) {
            oldest = i;
        }
    }
    if(oldest == none) {
        return false;
    }
    remove(oldest);
    return true;
}

TOKENWORKS_FUNCTION void prefix_cache::remove(index which) {
    node& gone = nodes_[which];
    if(gone.parent != none) {
        index* link = &nodes_[gone.parent].child;
        while(*link != which) {
            link = &nodes_[*link].sibling;
        }
        *link = gone.sibling;
    } else {
        for(auto at = roots_.begin(); at != roots_.end(); ++at) {
            index* link = &at->second.child;
            while(*link != none && *link != which) {
                link = &nodes_[*link].sibling;
            }
            if(*link == which) {
                *link = gone.sibling;
                if(at->second.child == none) {
                    roots_.erase(at);
                }
                break;
            }
        }
    }
    pool_->release(gone.page);
    gone.count = 0;
    free_.push_back(which);
}

TOKENWORKS_FUNCTION void prefix_cache::clear() {
    for(node& each: nodes_) {
        if(each.count != 0) {
            pool_->release(each.page);
        }
    }
    nodes_.clear();
    free_.clear();
    roots_.clear();
}

TOKENWORKS_FUNCTION std::size_t prefix_cache::idle_tokens() const noexcept {
    std::size_t sum = 0;
    for(const node& each: nodes_) {
        sum += each.count != 0 && pool_->users(each.page) == 1 ? pool_->room(each.page) : 0;
    }
    return sum;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
