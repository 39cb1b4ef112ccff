// A grammar over the tokens of a vocabulary: which of them may come next.
//
//   const auto tokens = std::make_shared<const codec::token_walk>(codec::walk_of(tokenizer));     // once a vocabulary
//   const auto bound = std::make_shared<const codec::bound_grammar>(std::move(rules), tokens);    // once a grammar
//   codec::grammar_matcher match{bound};                                                          // once a text
//   match.restrict(logits);  ...  match.accept(id);
//
// What a node of the grammar lets through is worked out once, for all tokens, without the rules around it: most tokens
// end inside of the rule. Those that leave it are looked at again with the stack that is there (the idea of XGrammar:
// Dong et al., arXiv 2411.15100). Repetitions that are counted belong to what is remembered, with the rounds that are
// left as far as one token can tell. End tokens may come where the text is complete.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/grammar_machine.hpp>
#include <tokenworks/codec/token_walk.hpp>
#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// The tokens of a tokenizer, with the bytes that generation shows of them.
[[nodiscard]] TOKENWORKS_FUNCTION token_walk walk_of(const tokenizer& tokens);

/// Shared by all texts that follow it, on any threads.
class bound_grammar {
public:
    static constexpr std::size_t most_kept = std::size_t{64} << 20; ///< bytes of what is remembered

    /// A bit for each token.
    using mask = std::vector<std::uint64_t>;

    bound_grammar(std::shared_ptr<const grammar> rules, std::shared_ptr<const token_walk> tokens);

    [[nodiscard]] const std::shared_ptr<const grammar>& rules() const noexcept { return grammar_; }
    [[nodiscard]] const token_walk& tokens() const noexcept { return *tokens_; }

    /// What may come at one configuration, whatever the rules around its own.
    struct part {
        mask allowed;                      ///< or empty, and then:
        std::vector<token_id> few;         ///< the tokens that are allowed
        std::vector<std::uint32_t> leaves; ///< nodes of the walk where the rule may have ended, with tokens below
    };
    [[nodiscard]] std::shared_ptr<const part> part_of(const grammar_machine& machine,
                                                      grammar_machine::configuration at) const;
    /// The stack below the counted repetitions that a part knows of.
    [[nodiscard]] static grammar_machine::stack_id known_bottom(const grammar_machine& machine,
                                                                grammar_machine::stack_id stack);

private:
    using key = std::vector<std::uint32_t>;

    [[nodiscard]] key key_of(const grammar_machine& machine, grammar_machine::configuration at) const;
    [[nodiscard]] std::shared_ptr<const part> work_out(const key& from) const;

    std::shared_ptr<const grammar> grammar_;
    std::shared_ptr<const token_walk> tokens_;
    mutable std::mutex mutex_;
    mutable grammar_machine machine_;
    mutable std::map<key, std::shared_ptr<const part>> parts_;
    mutable std::size_t kept_ = 0;
};

/// Follows one text. Satisfies sampling::constraint.
class grammar_matcher {
public:
    /// @param ends  further tokens that end the text
    explicit grammar_matcher(std::shared_ptr<const bound_grammar> rules, std::vector<token_id> ends = {});

    [[nodiscard]] bool allows(token_id id) const;
    /// @throws argument_error for a token that is not allowed; limit_error where the grammar is too ambiguous
    void accept(token_id id);
    /// Nothing may follow, or an end token has come.
    [[nodiscard]] bool done() const noexcept { return ended_ || machine_.is_last(at_); }
    /// The text so far is complete; more may follow.
    [[nodiscard]] bool complete() const noexcept { return ended_ || machine_.may_end(at_); }

    /// A bit for each token that may come next; valid until the next call.
    [[nodiscard]] const bound_grammar::mask& allowed();
    /// Sets the logits of all others to -infinity. A model may have more of them than the vocabulary has tokens.
    /// @throws argument_error where no token may come: the vocabulary lacks a byte that the grammar asks for
    void restrict(std::span<float> logits);

private:
    static constexpr std::size_t most_masks = 256;

    [[nodiscard]] bool is_end(token_id id) const noexcept;
    void make_mask(bound_grammar::mask& out);
    void walk_below(std::uint32_t node, grammar_machine::state_id from, bound_grammar::mask& out);

    std::shared_ptr<const bound_grammar> grammar_;
    std::vector<token_id> ends_;
    mutable grammar_machine machine_;
    grammar_machine::state_id at_;
    bool ended_ = false;
    std::unordered_map<grammar_machine::state_id, bound_grammar::mask> masks_;
    std::vector<grammar_machine::state_id> path_;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

inline void set_bit(bound_grammar::mask& bits, token_id id, bool to = true) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << (static_cast<std::size_t>(id) % 64);
    std::uint64_t& word = bits[static_cast<std::size_t>(id) / 64];
    word = to ? word | bit : word & ~bit;
}

/// Goes over nodes of a walk, from a state before the byte of the first. Calls take(node, state) at each that is
/// reached; where it is false, what is below is passed over.
template <class Take>
void walk_nodes(const token_walk& walk, std::size_t begin, std::size_t end, std::size_t depth, grammar_machine& machine,
                grammar_machine::state_id from, std::vector<grammar_machine::state_id>& path, Take take) {
    path.resize(walk.longest() + 1);
    path[depth] = from;
    for(std::size_t i = begin; i < end;) {
        const token_walk::node& n = walk[i];
        const grammar_machine::state_id at = machine.next(path[n.depth - std::size_t{1}], n.byte);
        if(at == grammar_machine::dead || !take(i, at)) {
            i = n.behind;
            continue;
        }
        path[n.depth] = at;
        ++i;
    }
}

} // namespace detail

TOKENWORKS_FUNCTION token_walk walk_of(const tokenizer& tokens) {
    std::vector<token_id> ends;
    for(std::size_t i = 0; i < tokens.vocab_size(); ++i) {
        if(tokens.is_end(static_cast<token_id>(i))) {
            ends.push_back(static_cast<token_id>(i));
        }
    }
    std::string bytes;
    return token_walk{tokens.vocab_size(),
                      [&](token_id id) {
                          bytes.clear();
                          tokens.append_piece(id, bytes);
                          return std::string_view{bytes};
                      },
                      std::move(ends)};
}

TOKENWORKS_FUNCTION bound_grammar::bound_grammar(std::shared_ptr<const grammar> rules,
                                                 std::shared_ptr<const token_walk> tokens)
    : grammar_{std::move(rules)}, tokens_{std::move(tokens)}, machine_{grammar_} {}

TOKENWORKS_FUNCTION grammar_machine::stack_id bound_grammar::known_bottom(const grammar_machine& machine,
                                                                          grammar_machine::stack_id stack) {
    while(stack != grammar_machine::bottom && machine.frame_of(stack).repeat != grammar_machine::none) {
        stack = machine.frame_of(stack).below;
    }
    return stack;
}

TOKENWORKS_FUNCTION bound_grammar::key bound_grammar::key_of(const grammar_machine& machine,
                                                             grammar_machine::configuration at) const {
    const std::size_t bytes = tokens_->longest() + 1; // rounds that one token cannot take
    key k{at.node};
    grammar_machine::stack_id stack = at.stack;
    while(stack != grammar_machine::bottom && machine.frame_of(stack).repeat != grammar_machine::none) {
        const grammar_machine::frame& f = machine.frame_of(stack);
        const grammar::move& m = grammar_->move_at(f.repeat);
        std::size_t rounds = f.rounds;
        if(rounds + bytes < m.least) {
            rounds = m.least - bytes;
        } else if(rounds >= m.least && m.most - rounds > bytes) {
            rounds = m.least;
        }
        k.push_back(f.repeat);
        k.push_back(static_cast<std::uint32_t>(rounds));
        k.push_back(f.fresh ? 1 : 0);
        stack = f.below;
    }
    return k;
}

TOKENWORKS_FUNCTION std::shared_ptr<const bound_grammar::part>
bound_grammar::part_of(const grammar_machine& machine, grammar_machine::configuration at) const {
    const key k = key_of(machine, at);
    const std::scoped_lock lock{mutex_};
    if(const auto found = parts_.find(k); found != parts_.end()) {
        return found->second;
    }
    std::shared_ptr<const part> made = work_out(k);
    const std::size_t bytes =
        made->allowed.size() * 8 + made->few.size() * 4 + made->leaves.size() * 4 + k.size() * 4 + 256;
    if(kept_ + bytes > most_kept) {
        parts_.clear();
        kept_ = 0;
    }
    kept_ += bytes;
    parts_.emplace(k, made);
    return made;
}

TOKENWORKS_FUNCTION std::shared_ptr<const bound_grammar::part> bound_grammar::work_out(const key& from) const {
    static_cast<void>(machine_.tidy(grammar_machine::dead));
    grammar_machine::stack_id stack = grammar_machine::bottom;
    for(std::size_t i = from.size(); i > 1; i -= 3) { // the outermost one stands last
        stack = machine_.push(
            {stack, grammar_->move_at(from[i - 3]).to, from[i - 3], from[i - 2], from[i - 1] != 0, false});
    }
    const grammar_machine::state_id start = machine_.from({{from.front(), stack}});
    part made;
    made.allowed.resize((tokens_->vocab_size() + 63) / 64);
    std::size_t count = 0;
    std::vector<grammar_machine::state_id> path;
    detail::walk_nodes(*tokens_, 0, tokens_->size(), 0, machine_, start, path,
                       [&](std::size_t i, grammar_machine::state_id at) {
                           for(const token_id id: tokens_->tokens(i)) {
                               detail::set_bit(made.allowed, id);
                               ++count;
                           }
                           if(machine_.may_end(at) && (*tokens_)[i].behind != i + 1) {
                               made.leaves.push_back(static_cast<std::uint32_t>(i));
                           }
                           return !machine_.is_last(at);
                       });
    if(count < made.allowed.size()) {
        for(std::size_t word = 0; word < made.allowed.size(); ++word) {
            for(std::size_t bit = 0; bit < 64; ++bit) {
                if((made.allowed[word] >> bit & 1) != 0) {
                    made.few.push_back(static_cast<token_id>(word * 64 + bit));
                }
            }
        }
        made.allowed = {};
    }
    return std::make_shared<const part>(std::move(made));
}

TOKENWORKS_FUNCTION grammar_matcher::grammar_matcher(std::shared_ptr<const bound_grammar> rules,
                                                     std::vector<token_id> ends)
    : grammar_{std::move(rules)}, ends_{std::move(ends)}, machine_{grammar_->rules()}, at_{machine_.start()} {
    std::erase_if(
        ends_, [&](token_id id) { return id < 0 || static_cast<std::size_t>(id) >= grammar_->tokens().vocab_size(); });
}

TOKENWORKS_FUNCTION bool grammar_matcher::is_end(token_id id) const noexcept {
    return grammar_->tokens().is_end(id) || std::find(ends_.begin(), ends_.end(), id) != ends_.end();
}

TOKENWORKS_FUNCTION bool grammar_matcher::allows(token_id id) const {
    if(ended_ || id < 0 || static_cast<std::size_t>(id) >= grammar_->tokens().vocab_size()) {
        return false;
    }
    if(is_end(id)) {
        return machine_.may_end(at_);
    }
    const std::string_view bytes = grammar_->tokens().bytes(id);
    grammar_machine::state_id at = at_;
    for(const char c: bytes) {
        at = machine_.next(at, static_cast<std::uint8_t>(c));
    }
    return !bytes.empty() && at != grammar_machine::dead;
}

TOKENWORKS_FUNCTION void grammar_matcher::accept(token_id id) {
    if(!allows(id)) {
        tokenworks::detail::raise<argument_error>({"constraint: token ", id, " is not allowed here"});
    }
    if(is_end(id)) {
        ended_ = true;
        return;
    }
    for(const char c: grammar_->tokens().bytes(id)) {
        at_ = machine_.next(at_, static_cast<std::uint8_t>(c));
    }
    const std::size_t states = machine_.states();
    at_ = machine_.tidy(at_);
    if(machine_.states() < states) {
        masks_.clear(); // states have other numbers now
    }
}

TOKENWORKS_FUNCTION void grammar_matcher::walk_below(std::uint32_t node, grammar_machine::state_id from,
                                                     bound_grammar::mask& out) {
    const token_walk& walk = grammar_->tokens();
    detail::walk_nodes(walk, node + std::size_t{1}, walk[node].behind, walk[node].depth, machine_, from, path_,
                       [&](std::size_t i, grammar_machine::state_id at) {
                           for(const token_id id: walk.tokens(i)) {
                               detail::set_bit(out, id);
                           }
                           return !machine_.is_last(at);
                       });
}

TOKENWORKS_FUNCTION void grammar_matcher::make_mask(bound_grammar::mask& out) {
    out.assign((grammar_->tokens().vocab_size() + 63) / 64, 0);
    if(ended_) {
        return;
    }
    const auto held = machine_.configurations(at_);
    const std::vector<grammar_machine::configuration> which{held.begin(), held.end()}; // walking adds states
    for(const grammar_machine::configuration& c: which) {
        const std::shared_ptr<const bound_grammar::part> part = grammar_->part_of(machine_, c);
        for(std::size_t word = 0; word < part->allowed.size(); ++word) {
            out[word] |= part->allowed[word];
        }
        for(const token_id id: part->few) {
            detail::set_bit(out, id);
        }
        const grammar_machine::stack_id below = bound_grammar::known_bottom(machine_, c.stack);
        if(part->leaves.empty() || below == grammar_machine::bottom) {
            continue;
        }
        const grammar_machine::state_id behind = machine_.behind(below);
        if(!machine_.is_last(behind)) {
            for(const std::uint32_t node: part->leaves) {
                walk_below(node, behind, out);
            }
        }
    }
    for(const std::vector<token_id>* ends: {&grammar_->tokens().ends(), &std::as_const(ends_)}) {
        for(const token_id id: *ends) {
            detail::set_bit(out, id, machine_.may_end(at_));
        }
    }
}

TOKENWORKS_FUNCTION const bound_grammar::mask& grammar_matcher::allowed() {
    if(const auto found = masks_.find(at_); found != masks_.end() && !ended_) {
        return found->second;
    }
    if(masks_.size() >= most_masks) {
        masks_.clear();
    }
    bound_grammar::mask made;
    make_mask(made);
    return masks_[at_] = std::move(made);
}

TOKENWORKS_FUNCTION void grammar_matcher::restrict(std::span<float> logits) {
    if(logits.size() < grammar_->tokens().vocab_size()) {
        tokenworks::detail::raise<argument_error>(
            {"constraint: ", logits.size(), " logits, the vocabulary has ", grammar_->tokens().vocab_size()});
    }
    const bound_grammar::mask& bits = allowed();
    std::fill(logits.begin() + static_cast<std::ptrdiff_t>(grammar_->tokens().vocab_size()), logits.end(),
              -std::numeric_limits<float>::infinity());
    logits = logits.first(grammar_->tokens().vocab_size());
    std::uint64_t any = 0;
    for(std::size_t word = 0; word < bits.size(); ++word) {
        any |= bits[word];
        if(bits[word] == ~std::uint64_t{0}) {
            continue;
        }
        const std::size_t end = std::min(logits.size(), word * 64 + 64);
        for(std::size_t i = word * 64; i < end; ++i) {
            if((bits[word] >> (i % 64) & 1) == 0) {
                logits[i] = -std::numeric_limits<float>::infinity();
            }
        }
    }
    if(any == 0) {
        tokenworks::detail::raise<argument_error>(
            {grammar_->rules()->name(), ": no token of the vocabulary may come next"});
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
