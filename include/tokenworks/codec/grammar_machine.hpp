// Reads bytes by a grammar (codec/grammar.hpp): a machine with stacks, whose states are made as they are needed and
// kept.
//
//   codec::grammar_machine read{g};
//   auto at = read.start();
//   for(const char c: text) at = read.next(at, static_cast<std::uint8_t>(c));
//   const bool whole = read.may_end(at);
//
// A state is a set of configurations (a node that takes a byte, and a stack of rules to come back to): all that the
// text so far may mean. Stacks share their lower parts, equal ones are one, and so are equal states: a step from a
// state by a class of bytes is worked out once. Ambiguity costs configurations, which are limited.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class grammar_machine {
public:
    using state_id = std::uint32_t;
    using stack_id = std::uint32_t;
    static constexpr state_id dead = 0;               ///< no text that begins so follows the grammar
    static constexpr stack_id bottom = 0;             ///< the stack of the root
    static constexpr std::size_t most_live = 4096;    ///< configurations of a state
    static constexpr std::size_t most_states = 65536; ///< kept at once, see tidy()
    static constexpr std::size_t most_frames = std::size_t{1} << 20;

    /// A rule to come back to, above a stack.
    struct frame {
        stack_id below;
        grammar::node_id to;  ///< of a repetition: the node of its rounds
        std::uint32_t repeat; ///< number of the move, or none
        std::uint32_t rounds; ///< that were begun before this one
        bool fresh;           ///< this round has taken nothing so far; of hollow repetitions
        bool any_fresh;       ///< in this stack
        bool operator==(const frame&) const = default;
    };
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    struct configuration {
        grammar::node_id node;
        stack_id stack;
        auto operator<=>(const configuration&) const = default; // NOLINT(modernize-use-nullptr): clang-tidy 14 errs
    };

    explicit grammar_machine(std::shared_ptr<const grammar> rules);

    [[nodiscard]] const grammar& rules() const noexcept { return *grammar_; }

    /// Before the first byte.
    [[nodiscard]] state_id start() { return from({{grammar_->root(), bottom}}); }
    /// The state of configurations, which need take no byte.
    [[nodiscard]] state_id from(const std::vector<configuration>& which);
    /// Behind the rule that the topmost frame of a stack came from.
    /// @pre stack != bottom
    [[nodiscard]] state_id behind(stack_id stack);

    /// The state behind a byte. @throws limit_error where it has too many configurations, or there are too many states
    [[nodiscard]] state_id next(state_id at, std::uint8_t byte) {
        const state_id known = table_[at * classes_ + grammar_->class_of(byte)];
        return known != unknown ? known : work_out(at, byte);
    }

    /// A text that led here is complete.
    [[nodiscard]] bool may_end(state_id at) const noexcept { return states_[at].ends; }
    /// Nothing may follow.
    [[nodiscard]] bool is_last(state_id at) const noexcept { return states_[at].count == 0; }
    [[nodiscard]] std::span<const configuration> configurations(state_id at) const noexcept {
        return std::span{held_}.subspan(states_[at].begin, states_[at].count);
    }
    [[nodiscard]] const frame& frame_of(stack_id stack) const noexcept { return frames_[stack]; }
    /// The stack with a frame more.
    [[nodiscard]] stack_id push(frame f);

    /// Forgets all states but one, where many are kept; the state under its new number.
    [[nodiscard]] state_id tidy(state_id at);

    [[nodiscard]] std::size_t states() const noexcept { return states_.size(); }

private:
    static constexpr state_id unknown = ~state_id{0};

    struct state {
        std::uint32_t begin, count;
        bool ends;
    };

    void clear();
    [[nodiscard]] state_id work_out(state_id at, std::uint8_t byte);
    void visit(grammar::node_id node, stack_id stack);
    void come_back(stack_id stack);
    void close();
    [[nodiscard]] stack_id touched(stack_id stack);
    [[nodiscard]] state_id keep();

    std::shared_ptr<const grammar> grammar_;
    std::size_t classes_;
    std::vector<state> states_;
    std::vector<state_id> table_; // [states][classes]
    std::vector<configuration> held_;
    std::unordered_multimap<std::uint64_t, state_id> known_states_;
    std::vector<frame> frames_;
    std::unordered_multimap<std::uint64_t, stack_id> known_stacks_;
    // Of the state that is being made:
    std::vector<configuration> visited_; // in the order they came
    std::unordered_map<std::uint64_t, bool> is_visited_;
    std::vector<configuration> taking_;
    bool ends_ = false;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t hash, std::uint64_t with) noexcept {
    hash = (hash ^ with) * 0x9E3779B97F4A7C15U;
    return hash ^ (hash >> 29);
}

} // namespace detail

TOKENWORKS_FUNCTION grammar_machine::grammar_machine(std::shared_ptr<const grammar> rules)
    : grammar_{std::move(rules)}, classes_{grammar_->byte_classes()} {
    clear();
}

TOKENWORKS_FUNCTION void grammar_machine::clear() {
    states_.assign(1, {0, 0, false});
    table_.assign(classes_, dead);
    held_.clear();
    known_states_.clear();
    frames_.assign(1, {bottom, 0, none, 0, false, false});
    known_stacks_.clear();
}

TOKENWORKS_FUNCTION grammar_machine::stack_id grammar_machine::push(frame f) {
    f.any_fresh = f.fresh || frames_[f.below].any_fresh;
    std::uint64_t hash = detail::mixed(f.below, f.to);
    hash = detail::mixed(hash, f.repeat);
    hash = detail::mixed(hash, f.rounds * 2ULL + (f.fresh ? 1 : 0));
    const auto [first, last] = known_stacks_.equal_range(hash);
    for(auto found = first; found != last; ++found) {
        if(frames_[found->second] == f) {
            return found->second;
        }
    }
    if(frames_.size() >= most_frames) {
        tokenworks::detail::raise<limit_error>({grammar_->name(), ": more than ", most_frames, " stacks"});
    }
    frames_.push_back(f);
    const auto made = static_cast<stack_id>(frames_.size() - 1);
    known_stacks_.emplace(hash, made);
    return made;
}

TOKENWORKS_FUNCTION void grammar_machine::visit(grammar::node_id node, stack_id stack) {
    if(grammar_->is_tail(node)) { // does not grow with a row of rules that end at once
        return come_back(stack);
    }
    if(!is_visited_.try_emplace(std::uint64_t{node} << 32 | stack, true).second) {
        return;
    }
    visited_.push_back({node, stack});
    if(visited_.size() > 8 * most_live) {
        tokenworks::detail::raise<limit_error>(
            {grammar_->name(), ": the text may mean more than ", most_live, " things at one place"});
    }
}

TOKENWORKS_FUNCTION void grammar_machine::come_back(stack_id stack) {
    while(stack != bottom) {
        const frame f = frames_[stack];
        if(f.repeat == none) {
            if(!grammar_->is_tail(f.to)) {
                return visit(f.to, f.below);
            }
            stack = f.below;
            continue;
        }
        if(f.fresh) { // a round that took nothing: the end without it has been visited
            return;
        }
        const grammar::move& m = grammar_->move_at(f.repeat);
        std::uint32_t rounds = f.rounds + 1;
        if(m.most == grammar::unbounded) {
            rounds = std::min(rounds, m.least);
        }
        if(m.most == grammar::unbounded || rounds < m.most) {
            visit(m.entry, push({f.below, m.to, f.repeat, rounds, m.hollow, false}));
        }
        if(rounds < m.least) {
            return;
        }
        if(!grammar_->is_tail(m.to)) {
            return visit(m.to, f.below);
        }
        stack = f.below;
    }
    ends_ = true;
}

TOKENWORKS_FUNCTION void grammar_machine::close() {
    for(std::size_t i = 0; i < visited_.size(); ++i) {
        const auto [node, stack] = visited_[i];
        if(!grammar_->edges(node).empty()) {
            taking_.push_back({node, stack});
        }
        if(grammar_->is_end(node)) {
            come_back(stack);
        }
        const std::span<const grammar::move> moves = grammar_->moves(node);
        for(std::size_t k = 0; k < moves.size(); ++k) {
            const grammar::move& m = moves[k];
            if(m.kind == grammar::how::jump) {
                visit(m.to, stack);
            } else if(m.kind == grammar::how::call) {
                visit(m.entry, grammar_->is_tail(m.to) ? stack : push({stack, m.to, none, 0, false, false}));
            } else {
                const auto number = grammar_->first_move(node) + static_cast<std::uint32_t>(k);
                visit(m.entry, push({stack, m.to, number, 0, m.hollow, false}));
                if(m.least == 0) {
                    visit(m.to, stack);
                }
            }
        }
    }
}

/// The stack after a byte: its rounds have taken something.
TOKENWORKS_FUNCTION grammar_machine::stack_id grammar_machine::touched(stack_id stack) {
    if(!frames_[stack].any_fresh) {
        return stack;
    }
    std::vector<frame> above;
    while(frames_[stack].any_fresh) {
        above.push_back(frames_[stack]);
        stack = frames_[stack].below;
    }
    for(auto f = above.rbegin(); f != above.rend(); ++f) {
        f->below = stack;
        f->fresh = false;
        stack = push(*f);
    }
    return stack;
}

TOKENWORKS_FUNCTION grammar_machine::state_id grammar_machine::keep() {
    close();
    visited_.clear();
    is_visited_.clear();
    const bool ends = std::exchange(ends_, false);
    std::vector<configuration> found = std::exchange(taking_, {});
    if(found.size() > most_live) {
        tokenworks::detail::raise<limit_error>(
            {grammar_->name(), ": the text may mean more than ", most_live, " things at one place"});
    }
    if(found.empty() && !ends) {
        return dead;
    }
    std::sort(found.begin(), found.end());
    std::uint64_t hash = ends ? 1 : 0;
    for(const configuration& c: found) {
        hash = detail::mixed(hash, std::uint64_t{c.node} << 32 | c.stack);
    }
    const auto [first, last] = known_states_.equal_range(hash);
    for(auto at = first; at != last; ++at) {
        const auto held = configurations(at->second);
        if(states_[at->second].ends == ends && std::equal(held.begin(), held.end(), found.begin(), found.end())) {
            return at->second;
        }
    }
    if(states_.size() >= 4 * most_states || held_.size() + found.size() > 64 * most_states) {
        tokenworks::detail::raise<limit_error>({grammar_->name(), ": more than ", 4 * most_states, " states"});
    }
    states_.push_back({static_cast<std::uint32_t>(held_.size()), static_cast<std::uint32_t>(found.size()), ends});
    held_.insert(held_.end(), found.begin(), found.end());
    table_.resize(table_.size() + classes_, unknown);
    const auto made = static_cast<state_id>(states_.size() - 1);
    known_states_.emplace(hash, made);
    return made;
}

TOKENWORKS_FUNCTION grammar_machine::state_id grammar_machine::from(const std::vector<configuration>& which) {
    visited_.clear();
    is_visited_.clear();
    taking_.clear();
    ends_ = false;
    for(const configuration& c: which) {
        visit(c.node, c.stack);
    }
    return keep();
}

TOKENWORKS_FUNCTION grammar_machine::state_id grammar_machine::behind(stack_id stack) {
    visited_.clear();
    is_visited_.clear();
    taking_.clear();
    ends_ = false;
    come_back(stack);
    return keep();
}

TOKENWORKS_FUNCTION grammar_machine::state_id grammar_machine::work_out(state_id at, std::uint8_t byte) {
    visited_.clear(); // where the last one threw
    is_visited_.clear();
    taking_.clear();
    ends_ = false;
    const state from = states_[at];
    for(std::uint32_t i = from.begin; i < from.begin + from.count; ++i) {
        const configuration c = held_[i];
        for(const grammar::edge& e: grammar_->edges(c.node)) {
            if(e.first <= byte && byte <= e.last) {
                visit(e.to, touched(c.stack));
            }
        }
    }
    const state_id to = keep();
    table_[at * classes_ + grammar_->class_of(byte)] = to;
    return to;
}

TOKENWORKS_FUNCTION grammar_machine::state_id grammar_machine::tidy(state_id at) {
    if(states_.size() < most_states && frames_.size() < most_frames / 2 && held_.size() < 16 * most_states) {
        return at;
    }
    std::vector<configuration> which(configurations(at).begin(), configurations(at).end());
    const bool ends = states_[at].ends;
    const std::vector<frame> frames = frames_;
    clear();
    std::unordered_map<stack_id, stack_id> moved{{bottom, bottom}};
    for(configuration& c: which) {
        std::vector<stack_id> path;
        stack_id stack = c.stack;
        for(; !moved.contains(stack); stack = frames[stack].below) {
            path.push_back(stack);
        }
        for(auto each = path.rbegin(); each != path.rend(); ++each) {
            frame f = frames[*each];
            f.below = moved.at(f.below);
            moved[*each] = push(f);
        }
        c.stack = moved.at(c.stack);
    }
    // The configurations are closed already: visiting their moves again adds nothing, and their end is known.
    taking_ = std::move(which);
    ends_ = ends;
    visited_.clear();
    is_visited_.clear();
    return keep();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
