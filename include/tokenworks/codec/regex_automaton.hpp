// Regular expressions as what a text must be, for grammars: automata and parts of grammars of codec/regex.hpp's syntax.
//
//   const codec::grammar g = codec::parse_regex_grammar("[A-Z]{2}-\\d{4}", "plate");
//
// The whole text matches. ^ and $ are its beginning and end, not those of a line. \d, \w and \s stand for ASCII alone,
// and \D, \W and \S leave out what any of Python, JavaScript and Oniguruma takes for one of these: what is written
// matches whichever of them checks it. A lazy repetition is one like others. What looks around (?=x) (?<!x) \b, and
// what forbids to go back (?>x) x*+, is refused: these say how a text is searched, or what a text is not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/byte_automaton.hpp>
#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/grammar_builder.hpp>
#include <tokenworks/codec/normalization.hpp>
#include <tokenworks/codec/regex_parser.hpp>
#include <tokenworks/codec/unicode.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// @param name  what errors of the grammar call it
/// @throws argument_error for a malformed pattern, or one that no text matches; unsupported_error for what is refused;
///         limit_error for one that is too large
[[nodiscard]] TOKENWORKS_FUNCTION grammar parse_regex_grammar(std::string_view pattern,
                                                              std::string name = "regular expression");

/// The texts in which a pattern is found somewhere, as JSON Schema asks. Throws the same.
[[nodiscard]] TOKENWORKS_FUNCTION byte_dfa texts_with(std::string_view pattern);
/// The texts that a pattern matches whole.
[[nodiscard]] TOKENWORKS_FUNCTION byte_dfa texts_of(std::string_view pattern);

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// The code points of some general categories, by a mask.
[[nodiscard]] inline std::vector<code_range> ranges_of_categories(std::uint32_t mask) {
    struct run {
        char32_t first;
        std::uint32_t bit;
    };
    static const std::vector<run> runs = [] {
        std::vector<run> all;
        for(char32_t c = 0; c <= 0x10FFFF; ++c) {
            const std::uint32_t bit = std::uint32_t{1} << static_cast<unsigned>(category(c));
            if(all.empty() || all.back().bit != bit) {
                all.push_back({c, bit});
            }
        }
        return all;
    }();
    std::vector<code_range> out;
    for(std::size_t i = 0; i < runs.size(); ++i) {
        if((runs[i].bit & mask) != 0) {
            out.push_back({runs[i].first, i + 1 < runs.size() ? runs[i + 1].first - 1 : char32_t{0x10FFFF}});
        }
    }
    return merged(std::move(out));
}

class regex_automaton {
public:
    explicit regex_automaton(std::string_view pattern) : pattern_{pattern}, tree_{parse_regex(pattern)} {}

    struct part {
        byte_nfa::node_id in, out;
    };

    byte_nfa nodes;

    [[nodiscard]] part whole() { return make(tree_.root); }
    /// With any characters around it.
    [[nodiscard]] part found() {
        const part inner = whole();
        const part around{nodes.node(), nodes.node()};
        link_characters(nodes, around.in, around.in, {{0, 0x10FFFF}});
        link_characters(nodes, around.out, around.out, {{0, 0x10FFFF}});
        nodes.link(around.in, inner.in);
        nodes.link(inner.out, around.out);
        // `in` has a loop, and what stands before the pattern is anchored to the first place all the same: links of
        // at_begin are followed before the first byte alone.
        return around;
    }

private:
    using kind = regex_node::kind;

    [[noreturn]] TOKENWORKS_COLD void unknown(std::string_view what) const {
        tokenworks::detail::raise<unsupported_error>(
            {"regular expression \"", tokenworks::detail::escaped(pattern_), "\": ", what, " cannot be enforced"});
    }

    [[nodiscard]] part make(std::uint32_t which) {
        const regex_node& n = tree_.nodes[which];
        switch(n.what) {
        case kind::sequence: {
            part all{nodes.node(), 0};
            all.out = all.in;
            for(const std::uint32_t kid: n.kids) {
                const part p = make(kid);
                nodes.link(all.out, p.in);
                all.out = p.out;
            }
            return all;
        }
        case kind::alternatives: {
            const part all{nodes.node(), nodes.node()};
            for(const std::uint32_t kid: n.kids) {
                const part p = make(kid);
                nodes.link(all.in, p.in);
                nodes.link(p.out, all.out);
            }
            return all;
        }
        case kind::repeat:
            return repeated(n);
        case kind::single:
            return single(n.single);
        case kind::look:
        case kind::behind:
            unknown("what looks around");
        case kind::atomic:
            unknown("(?>x)");
        }
        unknown("this");
    }

    [[nodiscard]] part repeated(const regex_node& n) {
        if(n.single.mode == regex_mode::possessive) {
            unknown("a repetition that never goes back");
        }
        const part all{nodes.node(), nodes.node()};
        byte_nfa::node_id at = all.in;
        for(std::uint32_t i = 0; i < n.single.least; ++i) {
            const part p = make(n.kids.front());
            nodes.link(at, p.in);
            at = p.out;
        }
        if(n.single.most == unbounded) {
            const part p = make(n.kids.front());
            const byte_nfa::node_id loop = nodes.node();
            nodes.link(at, loop);
            nodes.link(loop, p.in);
            nodes.link(p.out, loop);
            at = loop;
        } else {
            for(std::uint32_t i = n.single.least; i < n.single.most; ++i) {
                const part p = make(n.kids.front());
                nodes.link(at, all.out);
                nodes.link(at, p.in);
                at = p.out;
            }
        }
        nodes.link(at, all.out);
        return all;
    }

    [[nodiscard]] part single(const regex_instruction& i) {
        const part p{nodes.node(), nodes.node()};
        switch(i.code) {
        case regex_code::literal:
            link_characters(nodes, p.in, p.out, {{i.x, i.x}});
            return p;
        case regex_code::one:
            link_characters(nodes, p.in, p.out, ranges_of(i.x, false, 0));
            return p;
        case regex_code::line_begin:
        case regex_code::text_begin:
            nodes.link(p.in, p.out, byte_nfa::when::at_begin);
            return p;
        case regex_code::line_end:
        case regex_code::text_end:
        case regex_code::text_end_or_newline:
            nodes.link(p.in, p.out, byte_nfa::when::at_end);
            return p;
        default:
            unknown("what looks around");
        }
    }

    /// @param wide  a class takes what any engine does, not what all do
    [[nodiscard]] std::vector<code_range> ranges_of(std::uint32_t which, bool wide, std::size_t depth) const {
        const regex_set& set = tree_.sets[which];
        const bool inner = wide != set.negated;
        std::vector<code_range> all;
        for(const regex_set::item& i: set.any) {
            const std::vector<code_range> some =
                i.negated ? detail::all_but(ranges_of(i, !inner, depth)) : ranges_of(i, inner, depth);
            all.insert(all.end(), some.begin(), some.end());
        }
        for(const std::uint32_t also: set.also) { // a and b: all but what is not in a or not in b
            std::vector<code_range> outside = detail::all_but(std::move(all));
            const std::vector<code_range> more = detail::all_but(ranges_of(also, inner, depth + 1));
            outside.insert(outside.end(), more.begin(), more.end());
            all = detail::all_but(std::move(outside));
        }
        all = merged(std::move(all));
        if(set.any_case) {
            all = any_case(all);
        }
        return set.negated ? detail::all_but(std::move(all)) : all;
    }

    [[nodiscard]] std::vector<code_range> ranges_of(const regex_set::item& i, bool wide, std::size_t depth) const {
        using enum regex_set::kind;
        switch(i.what) {
        case range:
            return {{i.first, i.last}};
        case categories:
            if(i.first == category_mask("nd") && !wide) {
                return {{'0', '9'}};
            }
            return ranges_of_categories(i.first == category_mask("nd") ? category_mask("n") : i.first);
        case space:
            if(!wide) {
                return {{'\t', '\r'}, {' ', ' '}};
            }
            return {{'\t', '\r'},     {0x1C, ' '},      {0x85, 0x85},     {0xA0, 0xA0},
                    {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200D}, {0x2028, 0x2029},
                    {0x202F, 0x202F}, {0x205F, 0x2060}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
        case named:
            return ranges_of_named(i.first, wide);
        case nested:
            return ranges_of(i.first, wide, depth + 1);
        }
        return {};
    }

    [[nodiscard]] std::vector<code_range> ranges_of_named(std::uint32_t which, bool wide) const {
        if(which == named_set("word")) {
            if(!wide) {
                return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
            }
            return ranges_of_categories(category_mask("l") | category_mask("m") | category_mask("n") |
                                        category_mask("pc"));
        }
        std::vector<code_range>& out = named_[which]; // asks for every character: once a class
        const bool known = !out.empty();
        for(char32_t c = 0; !known && c <= 0x10FFFF; ++c) {
            if(in_named_set(which, c)) {
                if(out.empty() || out.back().last + 1 != c) {
                    out.push_back({c, c});
                }
                out.back().last = c;
            }
        }
        return out;
    }

    [[nodiscard]] static std::vector<code_range> any_case(const std::vector<code_range>& ranges) {
        std::vector<code_range> all = ranges;
        for(const std::vector<char32_t>& group: characters_with_case()) { // itself first
            const auto holds = [&](const code_range& r) { return r.first <= group[0] && group[0] <= r.last; };
            if(std::any_of(ranges.begin(), ranges.end(), holds)) {
                for(const char32_t v: group) {
                    all.push_back({v, v});
                }
            }
        }
        return merged(std::move(all));
    }

    /// Each character that is equal to others where case does not matter, with those.
    [[nodiscard]] static const std::vector<std::vector<char32_t>>& characters_with_case() {
        static const std::vector<std::vector<char32_t>> groups = [] {
            std::vector<std::vector<char32_t>> all;
            for(char32_t c = 0; c <= 0x10FFFF; ++c) {
                std::vector<char32_t> variants = case_variants(c);
                if(variants.size() > 1) {
                    all.push_back(std::move(variants));
                }
            }
            return all;
        }();
        return groups;
    }

    std::string_view pattern_;
    regex_tree tree_;
    mutable std::map<std::uint32_t, std::vector<code_range>> named_;
};

} // namespace detail

TOKENWORKS_FUNCTION grammar parse_regex_grammar(std::string_view pattern, std::string name) {
    detail::regex_automaton a{pattern};
    const detail::regex_automaton::part p = a.whole();
    grammar_builder make;
    const grammar_builder::part root = part_of(make, a.nodes, p.in, p.out);
    return make.finish(root, std::move(name));
}

TOKENWORKS_FUNCTION byte_dfa texts_with(std::string_view pattern) {
    detail::regex_automaton a{pattern};
    const detail::regex_automaton::part p = a.found();
    return determinized(a.nodes, p.in, p.out);
}

TOKENWORKS_FUNCTION byte_dfa texts_of(std::string_view pattern) {
    detail::regex_automaton a{pattern};
    const detail::regex_automaton::part p = a.whole();
    return determinized(a.nodes, p.in, p.out);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
