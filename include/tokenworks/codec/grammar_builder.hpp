// Builds grammars (codec/grammar.hpp) from parts, and checks them.
//
//   codec::grammar_builder make;
//   const auto list = make.declare("list");
//   make.define(list, make.sequence({make.text("x"), make.maybe(make.sequence({make.text(","), make.call(list)}))}));
//   const codec::grammar g = make.finish(make.call(list), "list");
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// Code points from first to last.
struct code_range {
    char32_t first;
    char32_t last;
};

namespace detail {

using byte_range = std::pair<std::uint8_t, std::uint8_t>;

/// The bytes of UTF-8 of a range of code points: rows of up to four ranges of bytes, each row the product of its
/// ranges. Calls take(std::span<const byte_range>), in ascending order; surrogates are left out.
template <class Take>
void utf8_rows(code_range range, Take take) {
    std::vector<code_range> open{range};
    while(!open.empty()) {
        code_range r = open.back();
        open.pop_back();
        const auto cut = [&](char32_t last) { // what is behind `last` comes later
            if(r.first <= last && last < r.last) {
                open.push_back({last + 1, r.last});
                r.last = last;
            }
        };
        cut(0x10FFFF);
        cut(0xDFFF);
        cut(0xD7FF);
        if(r.first > r.last || r.first > 0x10FFFF || (r.first >= 0xD800 && r.first <= 0xDFFF)) {
            continue;
        }
        cut(0x7F);
        cut(0x7FF);
        cut(0xFFFF);
        for(const unsigned bits: {18U, 12U, 6U}) { // below a byte that differs, all bytes must be free
            const char32_t low = (char32_t{1} << bits) - 1;
            if(r.first > 0x7F && (r.first | low) != (r.last | low)) {
                if((r.first & low) != 0) {
                    cut(r.first | low);
                } else if((r.last & low) != low) {
                    cut((r.last & ~low) - 1);
                }
            }
        }
        std::string first;
        std::string last;
        append_utf8(first, r.first);
        append_utf8(last, r.last);
        std::array<byte_range, 4> row;
        for(std::size_t i = 0; i < first.size(); ++i) {
            row[i] = {static_cast<std::uint8_t>(first[i]), static_cast<std::uint8_t>(last[i])};
        }
        take(std::span<const byte_range>{row}.first(first.size()));
    }
}

/// Sorted, without overlaps.
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<code_range> merged(std::vector<code_range> ranges);
/// What none of the ranges has.
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<code_range> all_but(std::vector<code_range> ranges);

/// Links two nodes of a graph by the bytes of characters: make.node() is a new node, make.link(from, first, last, to)
/// an edge. Characters share the nodes of the bytes that they begin with, and of bytes that may be any.
template <class Graph>
void link_characters(Graph& make, std::uint32_t in, std::uint32_t out, std::vector<code_range> ranges) {
    constexpr byte_range any{std::uint8_t{0x80}, std::uint8_t{0xBF}};
    std::array<std::optional<std::uint32_t>, 4> tails{out}; // so many bytes of any kind are left
    const auto tail = [&](std::size_t left) {
        for(std::size_t i = 1; i <= left; ++i) {
            if(!tails[i]) {
                tails[i] = make.node();
                make.link(*tails[i], any.first, any.second, *tails[i - 1]);
            }
        }
        return *tails[left];
    };
    std::map<std::vector<byte_range>, std::uint32_t> begun; // by the bytes that lead there
    for(const code_range& r: merged(std::move(ranges))) {
        utf8_rows(r, [&](std::span<const byte_range> row) {
            std::uint32_t at = in;
            std::vector<byte_range> so_far;
            for(std::size_t i = 0; i < row.size(); ++i) {
                const auto rest = row.subspan(i + 1);
                if(std::all_of(rest.begin(), rest.end(), [&](const byte_range& b) { return b == any; })) {
                    make.link(at, row[i].first, row[i].second, tail(rest.size()));
                    return;
                }
                so_far.push_back(row[i]);
                const auto [found, is_new] = begun.try_emplace(so_far, 0);
                if(is_new) {
                    found->second = make.node();
                    make.link(at, row[i].first, row[i].second, found->second);
                }
                at = found->second;
            }
        });
    }
}

} // namespace detail

/// Builds a grammar from parts. A part is used once; what is used more often is a rule.
class grammar_builder {
public:
    struct part {
        grammar::node_id in, out;
    };
    using rule = std::uint32_t;

    /// Nothing, or the bytes of a text.
    [[nodiscard]] part text(std::string_view bytes);
    /// A byte of a range.
    [[nodiscard]] part range(std::uint8_t first, std::uint8_t last);
    /// A character of any of the ranges, in UTF-8; surrogates are none. Ranges may overlap.
    [[nodiscard]] part characters(std::vector<code_range> ranges);
    /// All characters but those of the ranges.
    [[nodiscard]] part characters_but(std::vector<code_range> ranges);
    [[nodiscard]] part sequence(std::span<const part> parts);
    [[nodiscard]] part sequence(std::initializer_list<part> parts) {
        return sequence(std::span{parts.begin(), parts.size()});
    }
    /// Any of the parts; no text at all where there is none.
    [[nodiscard]] part any(std::span<const part> parts);
    [[nodiscard]] part any(std::initializer_list<part> parts) { return any(std::span{parts.begin(), parts.size()}); }
    [[nodiscard]] part maybe(part p);
    [[nodiscard]] part star(part p);
    [[nodiscard]] part plus(part p);
    /// From least to most times; most may be grammar::unbounded.
    /// @throws argument_error where most < least
    [[nodiscard]] part repeat(part p, std::uint32_t least, std::uint32_t most);

    /// A new rule, to be defined once; parts may call it before.
    [[nodiscard]] rule declare(std::string name);
    void define(rule r, part p);
    [[nodiscard]] bool is_defined(rule r) const noexcept { return rules_[r].defined; }
    [[nodiscard]] part call(rule r);

    // For graphs of other kinds: nodes and what leads from one to the other.
    [[nodiscard]] grammar::node_id node();
    void link(grammar::node_id from, grammar::node_id to);
    void link(grammar::node_id from, std::uint8_t first, std::uint8_t last, grammar::node_id to);

    /// @param every_rule  each rule must derive a text, not the root alone: otherwise, ways that lead nowhere are left
    /// out
    /// @throws argument_error for a rule without definition, one that calls itself before it has taken a byte, or one
    ///         that no text follows; limit_error for a grammar of too many elements
    [[nodiscard]] grammar finish(part root, std::string name, bool every_rule = true);

private:
    struct node_parts {
        std::vector<grammar::edge> edges;
        std::vector<grammar::move> moves;
        bool end = false;
    };
    struct rule_parts {
        std::string name;
        grammar::node_id in = 0;
        bool defined = false;
    };

    void count(std::size_t elements);
    void add(grammar::node_id from, grammar::move m);
    [[nodiscard]] grammar::node_id resolve(grammar::node_id n) const noexcept;
    /// Which nodes have a way to the end of their rule: by any bytes, or by none.
    [[nodiscard]] std::vector<bool> reaching(bool by_bytes) const;
    void refuse_left_recursion(const std::vector<bool>& empty) const;

    std::vector<node_parts> nodes_;
    std::vector<rule_parts> rules_;
    std::size_t elements_ = 0;
    std::string name_;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

TOKENWORKS_FUNCTION std::vector<code_range> merged(std::vector<code_range> ranges) {
    std::erase_if(ranges, [](const code_range& r) { return r.first > r.last; });
    std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<code_range> out;
    for(const code_range& r: ranges) {
        if(!out.empty() && r.first <= out.back().last + 1) {
            out.back().last = std::max(out.back().last, r.last);
        } else {
            out.push_back(r);
        }
    }
    return out;
}

TOKENWORKS_FUNCTION std::vector<code_range> all_but(std::vector<code_range> ranges) {
    std::vector<code_range> out;
    char32_t from = 0;
    for(const code_range& r: merged(std::move(ranges))) {
        if(r.first > from) {
            out.push_back({from, r.first - 1});
        }
        from = r.last + 1;
    }
    if(from <= 0x10FFFF) {
        out.push_back({from, 0x10FFFF});
    }
    return out;
}

} // namespace detail

TOKENWORKS_FUNCTION void grammar_builder::count(std::size_t elements) {
    elements_ += elements;
    if(elements_ > grammar::most_elements) {
        tokenworks::detail::raise<limit_error>({"grammar: more than ", grammar::most_elements, " elements"});
    }
}

TOKENWORKS_FUNCTION grammar::node_id grammar_builder::node() {
    count(1);
    nodes_.emplace_back();
    return static_cast<grammar::node_id>(nodes_.size() - 1);
}

TOKENWORKS_FUNCTION void grammar_builder::add(grammar::node_id from, grammar::move m) {
    count(1);
    nodes_[from].moves.push_back(m);
}

TOKENWORKS_FUNCTION void grammar_builder::link(grammar::node_id from, grammar::node_id to) {
    add(from, {grammar::how::jump, to, 0, 0, 0, false});
}

TOKENWORKS_FUNCTION void grammar_builder::link(grammar::node_id from, std::uint8_t first, std::uint8_t last,
                                               grammar::node_id to) {
    count(1);
    nodes_[from].edges.push_back({to, first, last});
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::text(std::string_view bytes) {
    const grammar::node_id in = node();
    grammar::node_id at = in;
    for(const char c: bytes) {
        const grammar::node_id next = node();
        link(at, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), next);
        at = next;
    }
    return {in, at};
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::range(std::uint8_t first, std::uint8_t last) {
    const part p{node(), node()};
    link(p.in, first, last, p.out);
    return p;
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::characters(std::vector<code_range> ranges) {
    const part p{node(), node()};
    detail::link_characters(*this, p.in, p.out, std::move(ranges));
    return p;
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::characters_but(std::vector<code_range> ranges) {
    return characters(detail::all_but(std::move(ranges)));
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::sequence(std::span<const part> parts) {
    if(parts.empty()) {
        return text({});
    }
    for(std::size_t i = 1; i < parts.size(); ++i) {
        link(parts[i - 1].out, parts[i].in);
    }
    return {parts.front().in, parts.back().out};
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::any(std::span<const part> parts) {
    if(parts.size() == 1) {
        return parts.front();
    }
    const part p{node(), node()};
    for(const part& each: parts) {
        link(p.in, each.in);
        link(each.out, p.out);
    }
    return p;
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::maybe(part p) {
    const part around{node(), node()};
    link(around.in, p.in);
    link(around.in, around.out);
    link(p.out, around.out);
    return around;
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::star(part p) {
    const part around{node(), node()};
    link(around.in, p.in);
    link(around.in, around.out);
    link(p.out, around.in);
    return around;
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::plus(part p) {
    const part around{node(), node()};
    link(around.in, p.in);
    link(p.out, around.in);
    link(p.out, around.out);
    return around;
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::repeat(part p, std::uint32_t least, std::uint32_t most) {
    if(most < least) {
        tokenworks::detail::raise<argument_error>({"grammar: a repetition of at least ", least, " and at most ", most});
    }
    if(most == 0) {
        return text({});
    }
    if(least == 1 && most == 1) {
        return p;
    }
    if(least == 0 && most == 1) {
        return maybe(p);
    }
    if(least <= 1 && most == grammar::unbounded) {
        return least == 0 ? star(p) : plus(p);
    }
    nodes_[p.out].end = true;
    const part around{node(), node()};
    add(around.in, {grammar::how::repeat, around.out, p.in, least, most, false});
    return around;
}

TOKENWORKS_FUNCTION grammar_builder::rule grammar_builder::declare(std::string name) {
    rules_.push_back({std::move(name), node(), false});
    return static_cast<rule>(rules_.size() - 1);
}

TOKENWORKS_FUNCTION void grammar_builder::define(rule r, part p) {
    if(rules_[r].defined) {
        tokenworks::detail::raise<argument_error>(
            {"grammar: the rule '", printable(rules_[r].name), "' is defined twice"});
    }
    rules_[r].defined = true;
    link(rules_[r].in, p.in);
    nodes_[p.out].end = true;
}

TOKENWORKS_FUNCTION grammar_builder::part grammar_builder::call(rule r) {
    const part p{node(), node()};
    add(p.in, {grammar::how::call, p.out, rules_[r].in, 0, 0, false});
    return p;
}

TOKENWORKS_FUNCTION grammar::node_id grammar_builder::resolve(grammar::node_id n) const noexcept {
    for(std::size_t hops = 0; hops < 64; ++hops) {
        const node_parts& at = nodes_[n];
        if(at.end || !at.edges.empty() || at.moves.size() != 1 || at.moves.front().kind != grammar::how::jump) {
            return n;
        }
        n = at.moves.front().to;
    }
    return n;
}

TOKENWORKS_FUNCTION std::vector<bool> grammar_builder::reaching(bool by_bytes) const {
    std::vector<std::vector<grammar::node_id>> back(nodes_.size()); // whose answer may change with this one's
    std::vector<bool> reaches(nodes_.size());
    std::vector<grammar::node_id> open;
    for(grammar::node_id n = 0; n < nodes_.size(); ++n) {
        if(nodes_[n].end) {
            reaches[n] = true;
            open.push_back(n);
        }
        for(const grammar::edge& e: nodes_[n].edges) {
            if(by_bytes) {
                back[e.to].push_back(n);
            }
        }
        for(const grammar::move& m: nodes_[n].moves) {
            back[m.to].push_back(n);
            if(m.kind != grammar::how::jump) {
                back[m.entry].push_back(n);
            }
        }
    }
    const auto holds = [&](grammar::node_id n) {
        const node_parts& at = nodes_[n];
        return (by_bytes &&
                std::any_of(at.edges.begin(), at.edges.end(), [&](const auto& e) { return reaches[e.to]; })) ||
               std::any_of(at.moves.begin(), at.moves.end(), [&](const grammar::move& m) {
                   const bool through = m.kind == grammar::how::jump || reaches[m.entry] ||
                                        (m.kind == grammar::how::repeat && m.least == 0);
                   return through && reaches[m.to];
               });
    };
    while(!open.empty()) {
        const grammar::node_id n = open.back();
        open.pop_back();
        for(const grammar::node_id from: back[n]) {
            if(!reaches[from] && holds(from)) {
                reaches[from] = true;
                open.push_back(from);
            }
        }
    }
    return reaches;
}

/// A circle of moves that take no byte and go into a rule: found among the strongly connected parts of the graph
/// (Tarjan, 1972), without recursion.
TOKENWORKS_FUNCTION void grammar_builder::refuse_left_recursion(const std::vector<bool>& empty) const {
    struct hop {
        grammar::node_id to;
        bool enters;
    };
    const auto hops_of = [&](grammar::node_id n) {
        std::vector<hop> out;
        for(const grammar::move& m: nodes_[n].moves) {
            if(m.kind != grammar::how::jump) {
                out.push_back({m.entry, true});
            }
            if(m.kind == grammar::how::jump || empty[m.entry] || (m.kind == grammar::how::repeat && m.least == 0)) {
                out.push_back({m.to, false});
            }
        }
        return out;
    };
    struct frame {
        grammar::node_id node;
        std::vector<hop> hops;
        std::size_t next = 0;
    };
    constexpr std::uint32_t none = ~std::uint32_t{0};
    std::vector<std::uint32_t> order(nodes_.size(), none);
    std::vector<std::uint32_t> low(nodes_.size());
    std::vector<std::uint32_t> component(nodes_.size(), none);
    std::vector<grammar::node_id> held;
    std::vector<frame> frames;
    std::uint32_t counter = 0;
    for(grammar::node_id start = 0; start < nodes_.size(); ++start) {
        if(order[start] != none) {
            continue;
        }
        const auto enter = [&](grammar::node_id n) {
            order[n] = low[n] = counter++;
            held.push_back(n);
            frames.push_back({n, hops_of(n)});
        };
        enter(start);
        while(!frames.empty()) {
            frame& f = frames.back();
            if(f.next < f.hops.size()) {
                const grammar::node_id to = f.hops[f.next++].to;
                if(order[to] == none) {
                    enter(to);
                } else if(component[to] == none) {
                    low[f.node] = std::min(low[f.node], order[to]);
                }
                continue;
            }
            const grammar::node_id n = f.node;
            frames.pop_back();
            if(!frames.empty()) {
                low[frames.back().node] = std::min(low[frames.back().node], low[n]);
            }
            if(low[n] == order[n]) {
                grammar::node_id member = 0;
                do {
                    member = held.back();
                    held.pop_back();
                    component[member] = n;
                } while(member != n);
            }
        }
    }
    for(grammar::node_id n = 0; n < nodes_.size(); ++n) {
        for(const hop& h: hops_of(n)) {
            if(h.enters && component[h.to] == component[n]) {
                const auto named = std::find_if(rules_.begin(), rules_.end(),
                                                [&](const rule_parts& r) { return component[r.in] == component[n]; });
                const std::string called = named == rules_.end() ? std::string{"root"} : named->name;
                tokenworks::detail::raise<argument_error>(
                    {name_, ": the rule '", printable(called),
                     "' calls itself before it has taken anything (left recursion)"});
            }
        }
    }
}

TOKENWORKS_FUNCTION grammar grammar_builder::finish(part root, std::string name, bool every_rule) {
    name_ = std::move(name);
    nodes_[root.out].end = true;
    for(const rule_parts& r: rules_) {
        if(!r.defined) {
            tokenworks::detail::raise<argument_error>({name_, ": the rule '", printable(r.name), "' is not defined"});
        }
    }
    const std::vector<bool> alive = reaching(true);
    for(const rule_parts& r: rules_) {
        if(every_rule && !alive[r.in]) {
            tokenworks::detail::raise<argument_error>({name_, ": no text follows the rule '", printable(r.name), "'"});
        }
    }
    if(!alive[root.in]) {
        tokenworks::detail::raise<argument_error>({name_, ": no text follows this grammar"});
    }
    for(node_parts& n: nodes_) {
        std::erase_if(n.edges, [&](const grammar::edge& e) { return !alive[e.to]; });
        for(grammar::move& m: n.moves) {
            if(m.kind == grammar::how::repeat && m.least == 0 && !alive[m.entry]) {
                m = {grammar::how::jump, m.to, 0, 0, 0, false};
            }
        }
        std::erase_if(n.moves, [&](const grammar::move& m) {
            return !alive[m.to] || (m.kind != grammar::how::jump && !alive[m.entry]);
        });
    }
    const std::vector<bool> empty = reaching(false);
    refuse_left_recursion(empty);
    grammar g;
    g.name_ = name_;
    g.root_ = resolve(root.in);
    g.nodes_.resize(nodes_.size());
    std::array<bool, 257> border{};
    border[0] = true;
    for(std::size_t n = 0; n < nodes_.size(); ++n) {
        node_parts& from = nodes_[n];
        grammar::node& to = g.nodes_[n];
        to = {static_cast<std::uint32_t>(g.edges_.size()), static_cast<std::uint32_t>(from.edges.size()),
              static_cast<std::uint32_t>(g.moves_.size()), static_cast<std::uint32_t>(from.moves.size()), from.end};
        for(grammar::edge e: from.edges) {
            border[e.first] = border[std::size_t{e.last} + 1] = true;
            e.to = resolve(e.to);
            g.edges_.push_back(e);
        }
        for(grammar::move m: from.moves) {
            if(m.kind == grammar::how::repeat && empty[m.entry]) {
                m.hollow = true;
                m.least = 0;
            }
            m.to = resolve(m.to);
            m.entry = m.kind == grammar::how::jump ? 0 : resolve(m.entry);
            g.moves_.push_back(m);
        }
    }
    for(std::size_t byte = 0; byte < 256; ++byte) {
        if(border[byte]) {
            g.class_bytes_.push_back(static_cast<std::uint8_t>(byte));
        }
        g.classes_[byte] = static_cast<std::uint8_t>(g.class_bytes_.size() - 1);
    }
    nodes_.clear();
    rules_.clear();
    return g;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
