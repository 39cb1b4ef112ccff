// Regular sets of texts as automata over bytes: what patterns and formats of strings come to, and what is done with
// them before they become a part of a grammar (both, all but).
//
//   codec::byte_nfa a;
//   const auto in = a.node(), out = a.node();
//   a.link(in, 'a', 'z', out);
//   const codec::byte_dfa d = codec::determinized(a, in, out, "pattern");
//   const bool has = d.contains("q");
//
// Deterministic ones are made by following sets of nodes; their number is limited, since it may grow as a power of two.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/grammar_builder.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// Nodes, edges that take a byte, and links that take none, some of them at the beginning or the end of a text alone.
class byte_nfa {
public:
    using node_id = std::uint32_t;
    static constexpr std::size_t most_elements = 400'000;

    enum class when : std::uint8_t { always, at_begin, at_end };
    struct edge {
        node_id to;
        std::uint8_t first, last;
    };
    struct hop {
        node_id to;
        when allowed;
    };
    struct node_data {
        std::vector<edge> edges;
        std::vector<hop> hops;
    };

    /// @throws limit_error where there are too many, as for links
    [[nodiscard]] node_id node() {
        count();
        nodes_.emplace_back();
        return static_cast<node_id>(nodes_.size() - 1);
    }
    void link(node_id from, std::uint8_t first, std::uint8_t last, node_id to) {
        count();
        nodes_[from].edges.push_back({to, first, last});
    }
    void link(node_id from, node_id to, when allowed = when::always) {
        count();
        anchored_ = anchored_ || allowed != when::always;
        nodes_[from].hops.push_back({to, allowed});
    }

    [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }
    [[nodiscard]] const node_data& operator[](node_id n) const noexcept { return nodes_[n]; }
    /// Some link depends on the place.
    [[nodiscard]] bool is_anchored() const noexcept { return anchored_; }

private:
    void count() {
        if(++elements_ > most_elements) {
            tokenworks::detail::raise<limit_error>({"regular expression: more than ", most_elements, " elements"});
        }
    }

    std::vector<node_data> nodes_;
    std::size_t elements_ = 0;
    bool anchored_ = false;
};

/// States, each with one that follows for every byte. State 0 takes nothing and never ends.
class byte_dfa {
public:
    using state_id = std::uint32_t;
    static constexpr std::size_t most_states = 20'000;
    static constexpr state_id dead = 0;

    byte_dfa() { static_cast<void>(add(false)); }

    /// @throws limit_error where there are too many
    [[nodiscard]] state_id add(bool ends) {
        if(rows_.size() >= most_states) {
            tokenworks::detail::raise<limit_error>(
                {"regular expression: its automaton has more than ", most_states, " states"});
        }
        rows_.emplace_back();
        ends_.push_back(ends);
        return static_cast<state_id>(rows_.size() - 1);
    }
    void set(state_id from, std::uint8_t byte, state_id to) noexcept { rows_[from][byte] = to; }
    void set_start(state_id s) noexcept { start_ = s; }

    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
    [[nodiscard]] state_id start() const noexcept { return start_; }
    [[nodiscard]] bool ends(state_id s) const noexcept { return ends_[s]; }
    [[nodiscard]] state_id next(state_id s, std::uint8_t byte) const noexcept { return rows_[s][byte]; }
    [[nodiscard]] bool contains(std::string_view text) const noexcept {
        state_id at = start_;
        for(const char c: text) {
            at = next(at, static_cast<std::uint8_t>(c));
        }
        return ends_[at];
    }

private:
    std::vector<std::array<state_id, 256>> rows_;
    std::vector<bool> ends_;
    state_id start_ = 0;
};

/// The texts that lead from one node to another, from begin to end.
/// @param name  what errors call it
[[nodiscard]] TOKENWORKS_FUNCTION byte_dfa determinized(const byte_nfa& a, byte_nfa::node_id in, byte_nfa::node_id out);
/// The texts that both have.
[[nodiscard]] TOKENWORKS_FUNCTION byte_dfa both(const byte_dfa& a, const byte_dfa& b);
/// The texts in UTF-8 that it does not have.
[[nodiscard]] TOKENWORKS_FUNCTION byte_dfa all_but(const byte_dfa& a);
/// Whether there is no text at all.
[[nodiscard]] TOKENWORKS_FUNCTION bool is_empty(const byte_dfa& a);
/// All texts in UTF-8.
[[nodiscard]] TOKENWORKS_FUNCTION byte_dfa any_text();

/// What stands for a byte of a text where the grammar writes it: the byte itself, or an escape.
using byte_spelling = std::string (*)(std::uint8_t byte);

/// The automaton as a part of a grammar.
[[nodiscard]] TOKENWORKS_FUNCTION grammar_builder::part part_of(grammar_builder& make, const byte_dfa& a,
                                                                byte_spelling spell = nullptr);
/// The same of one that is not deterministic; it grows no further.
[[nodiscard]] TOKENWORKS_FUNCTION grammar_builder::part part_of(grammar_builder& make, const byte_nfa& a,
                                                                byte_nfa::node_id in, byte_nfa::node_id out);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION byte_dfa determinized(const byte_nfa& a, byte_nfa::node_id in, byte_nfa::node_id out) {
    using set = std::vector<byte_nfa::node_id>;
    std::vector<std::uint32_t> seen(a.size(), 0);
    std::uint32_t round = 0;
    const auto closed = [&](set nodes, bool at_begin, bool at_end) {
        ++round;
        for(const byte_nfa::node_id n: nodes) {
            seen[n] = round;
        }
        for(std::size_t i = 0; i < nodes.size(); ++i) {
            for(const byte_nfa::hop& h: a[nodes[i]].hops) {
                const bool allowed = h.allowed == byte_nfa::when::always ||
                                     (h.allowed == byte_nfa::when::at_begin && at_begin) ||
                                     (h.allowed == byte_nfa::when::at_end && at_end);
                if(allowed && seen[h.to] != round) {
                    seen[h.to] = round;
                    nodes.push_back(h.to);
                }
            }
        }
        std::sort(nodes.begin(), nodes.end());
        return nodes;
    };
    byte_dfa d;
    std::map<std::pair<set, bool>, byte_dfa::state_id> known;
    std::vector<std::pair<set, byte_dfa::state_id>> open;
    std::size_t held = 0;
    const auto state_of = [&](set reached, bool at_begin) {
        set nodes = closed(std::move(reached), at_begin, false);
        const auto found = known.find({nodes, at_begin});
        if(found != known.end()) {
            return found->second;
        }
        held += nodes.size();
        if(held > 20 * byte_nfa::most_elements) {
            tokenworks::detail::raise<limit_error>({"regular expression: its automaton is too large"});
        }
        const set at_end = closed(nodes, at_begin, true);
        const byte_dfa::state_id made = d.add(std::binary_search(at_end.begin(), at_end.end(), out));
        known.emplace(std::pair{nodes, at_begin}, made);
        open.emplace_back(std::move(nodes), made);
        return made;
    };
    d.set_start(state_of({in}, true));
    while(!open.empty()) {
        const auto [nodes, from] = std::move(open.back());
        open.pop_back();
        std::array<bool, 257> border{};
        border[0] = true;
        for(const byte_nfa::node_id n: nodes) {
            for(const byte_nfa::edge& e: a[n].edges) {
                border[e.first] = border[e.last + std::size_t{1}] = true;
            }
        }
        for(std::size_t begin = 0, end = 0; begin < 256; begin = end) {
            for(end = begin + 1; end < 256 && !border[end];) {
                ++end;
            }
            ++round;
            set reached;
            for(const byte_nfa::node_id n: nodes) {
                for(const byte_nfa::edge& e: a[n].edges) {
                    if(e.first <= begin && begin <= e.last && seen[e.to] != round) {
                        seen[e.to] = round;
                        reached.push_back(e.to);
                    }
                }
            }
            const byte_dfa::state_id to = reached.empty() ? byte_dfa::dead : state_of(std::move(reached), false);
            for(std::size_t byte = begin; byte < end; ++byte) {
                d.set(from, static_cast<std::uint8_t>(byte), to);
            }
        }
    }
    return d;
}

TOKENWORKS_FUNCTION byte_dfa both(const byte_dfa& a, const byte_dfa& b) {
    byte_dfa d;
    using pair = std::pair<byte_dfa::state_id, byte_dfa::state_id>;
    std::map<pair, byte_dfa::state_id> known;
    std::vector<std::pair<pair, byte_dfa::state_id>> open;
    const auto state_of = [&](byte_dfa::state_id x, byte_dfa::state_id y) {
        if(x == byte_dfa::dead || y == byte_dfa::dead) {
            return byte_dfa::dead;
        }
        const auto [found, is_new] = known.try_emplace(pair{x, y}, 0);
        if(is_new) {
            found->second = d.add(a.ends(x) && b.ends(y));
            open.push_back({{x, y}, found->second});
        }
        return found->second;
    };
    d.set_start(state_of(a.start(), b.start()));
    while(!open.empty()) {
        const auto [at, from] = open.back();
        open.pop_back();
        for(std::size_t byte = 0; byte < 256; ++byte) {
            const auto c = static_cast<std::uint8_t>(byte);
            d.set(from, c, state_of(a.next(at.first, c), b.next(at.second, c)));
        }
    }
    return d;
}

TOKENWORKS_FUNCTION byte_dfa any_text() {
    byte_nfa a;
    const byte_nfa::node_id in = a.node();
    detail::link_characters(a, in, in, {{0, 0x10FFFF}});
    return determinized(a, in, in);
}

TOKENWORKS_FUNCTION byte_dfa all_but(const byte_dfa& a) {
    byte_dfa turned;
    const byte_dfa::state_id outside = turned.add(true); // where it is dead, anything may follow
    for(std::size_t s = 1; s < a.size(); ++s) {
        static_cast<void>(turned.add(!a.ends(static_cast<byte_dfa::state_id>(s))));
    }
    for(std::size_t byte = 0; byte < 256; ++byte) {
        const auto c = static_cast<std::uint8_t>(byte);
        turned.set(outside, c, outside);
        for(byte_dfa::state_id s = 1; s < a.size(); ++s) {
            turned.set(s + 1, c, a.next(s, c) + 1);
        }
    }
    turned.set_start(a.start() + 1);
    return both(turned, any_text());
}

TOKENWORKS_FUNCTION bool is_empty(const byte_dfa& a) {
    std::vector<bool> seen(a.size());
    std::vector<byte_dfa::state_id> open{a.start()};
    seen[a.start()] = true;
    while(!open.empty()) {
        const byte_dfa::state_id s = open.back();
        open.pop_back();
        if(a.ends(s)) {
            return false;
        }
        for(std::size_t byte = 0; byte < 256; ++byte) {
            const byte_dfa::state_id to = a.next(s, static_cast<std::uint8_t>(byte));
            if(!seen[to]) {
                seen[to] = true;
                open.push_back(to);
            }
        }
    }
    return true;
}

TOKENWORKS_FUNCTION grammar_builder::part part_of(grammar_builder& make, const byte_dfa& a, byte_spelling spell) {
    std::vector<grammar::node_id> nodes(a.size());
    for(grammar::node_id& n: nodes) {
        n = make.node();
    }
    const grammar::node_id out = make.node();
    for(byte_dfa::state_id s = 1; s < a.size(); ++s) {
        if(a.ends(s)) {
            make.link(nodes[s], out);
        }
        for(std::size_t begin = 0, end = 0; begin < 256; begin = end) {
            const auto first = static_cast<std::uint8_t>(begin);
            const byte_dfa::state_id to = a.next(s, first);
            const std::string spelt = spell == nullptr ? std::string{static_cast<char>(first)} : spell(first);
            const bool plain = spelt.size() == 1 && static_cast<std::uint8_t>(spelt[0]) == first;
            for(end = begin + 1; plain && end < 256 && a.next(s, static_cast<std::uint8_t>(end)) == to; ++end) {
                const auto c = static_cast<std::uint8_t>(end);
                if(spell != nullptr && spell(c) != std::string{static_cast<char>(c)}) {
                    break;
                }
            }
            if(to == byte_dfa::dead) {
                continue;
            }
            if(plain) {
                make.link(nodes[s], first, static_cast<std::uint8_t>(end - 1), nodes[to]);
            } else {
                const grammar_builder::part escape = make.text(spelt);
                make.link(nodes[s], escape.in);
                make.link(escape.out, nodes[to]);
            }
        }
    }
    return {nodes[a.start()], out};
}

TOKENWORKS_FUNCTION grammar_builder::part part_of(grammar_builder& make, const byte_nfa& a, byte_nfa::node_id in,
                                                  byte_nfa::node_id out) {
    // A node may be met before the first byte, behind it, and at the end, where only links are left; of an empty text
    // too.
    enum : std::uint32_t { before, inside, behind, empty };
    std::map<std::pair<byte_nfa::node_id, std::uint32_t>, grammar::node_id> known;
    std::vector<std::pair<byte_nfa::node_id, std::uint32_t>> open;
    const auto node_of = [&](byte_nfa::node_id n, std::uint32_t place) {
        if(!a.is_anchored()) {
            place = inside;
        }
        const auto [found, is_new] = known.try_emplace({n, place}, 0);
        if(is_new) {
            found->second = make.node();
            open.emplace_back(n, place);
        }
        return found->second;
    };
    const grammar_builder::part made{node_of(in, before), make.node()};
    while(!open.empty()) {
        const auto [n, place] = open.back();
        open.pop_back();
        const grammar::node_id from = known.at({n, place});
        if(n == out) {
            make.link(from, made.out);
        }
        for(const byte_nfa::hop& h: a[n].hops) {
            if(h.allowed == byte_nfa::when::at_end) {
                make.link(from, node_of(h.to, place == before || place == empty ? empty : behind));
            } else if(h.allowed == byte_nfa::when::always || place == before || place == empty) {
                make.link(from, node_of(h.to, place));
            }
        }
        for(const byte_nfa::edge& e: a[n].edges) {
            if(place == before || place == inside) {
                make.link(from, e.first, e.last, node_of(e.to, inside));
            }
        }
    }
    return made;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
