// Reads regular expressions (the syntax is at codec/regex.hpp) into a tree.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/regex_program.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::detail {

inline constexpr std::size_t longest_regex = std::size_t{1} << 16; // bytes
inline constexpr std::size_t deepest_regex = 100;                  // groups and classes within each other
inline constexpr std::uint32_t unbounded = ~std::uint32_t{0};

struct regex_node {
    enum class kind : std::uint8_t { sequence, alternatives, repeat, look, behind, atomic, single };
    kind what = kind::sequence;
    std::vector<std::uint32_t> kids;
    regex_instruction single; // of what is one instruction; of others mode, flag, least and most
};

/// A pattern that has been read: nodes, which name each other by number, and the classes that they name.
struct regex_tree {
    std::vector<regex_node> nodes;
    std::vector<regex_set> sets;
    std::uint32_t root = 0;
};

/// @throws unsupported_error, argument_error, limit_error as codec::regex does
[[nodiscard]] TOKENWORKS_FUNCTION regex_tree parse_regex(std::string_view pattern);

#if TOKENWORKS_DEFINITIONS

class regex_parser {
public:
    explicit regex_parser(std::string_view pattern) : pattern_{pattern} {
        if(pattern.size() > longest_regex) {
            tokenworks::detail::raise<limit_error>(
                {"regular expression: ", pattern.size(), " bytes; the limit is ", longest_regex});
        }
        tree_.root = parse_alternatives();
        if(at_ < pattern_.size()) {
            malformed("an unmatched )");
        }
    }

    [[nodiscard]] regex_tree take() { return std::move(tree_); }

private:
    [[nodiscard]] bool starts_with(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
    bool accept(std::string_view text) {
        if(!starts_with(text)) {
            return false;
        }
        at_ += text.size();
        return true;
    }
    [[nodiscard]] bool done() const { return at_ == pattern_.size(); }
    char32_t next_char() {
        if(done()) {
            malformed("it ends too early");
        }
        const utf8_char c = decode_utf8(pattern_, at_);
        at_ += c.length;
        return c.code;
    }

    [[noreturn]] TOKENWORKS_COLD void malformed(std::string_view what) const {
        tokenworks::detail::raise<argument_error>(
            {"regular expression \"", tokenworks::detail::escaped(pattern_), "\", at byte ", at_, ": ", what});
    }
    [[noreturn]] TOKENWORKS_COLD void unknown(std::string_view what) const {
        tokenworks::detail::raise<unsupported_error>({"regular expression \"", tokenworks::detail::escaped(pattern_),
                                                      "\", at byte ", at_, ": ", what, " is not supported"});
    }
    /// Counts what is open; the recursion of all functions here goes through it.
    struct level {
        explicit level(regex_parser& p) : parser{p} {
            if(++parser.depth_ > deepest_regex) {
                tokenworks::detail::raise<limit_error>(
                    {"regular expression: nested more than ", deepest_regex, " deep"});
            }
        }
        ~level() { --parser.depth_; }
        level(const level&) = delete;
        level& operator=(const level&) = delete;
        regex_parser& parser;
    };

    std::uint32_t make(regex_node n) {
        tree_.nodes.push_back(std::move(n));
        return static_cast<std::uint32_t>(tree_.nodes.size() - 1);
    }
    std::uint32_t make_single(regex_instruction i) {
        regex_node n;
        n.what = regex_node::kind::single;
        n.single = i;
        return make(std::move(n));
    }
    std::uint32_t make_with(regex_node::kind what, std::uint32_t kid, bool flag = false) {
        regex_node n;
        n.what = what;
        n.kids = {kid};
        n.single.flag = flag;
        return make(std::move(n));
    }

    std::uint32_t parse_alternatives();
    std::uint32_t parse_sequence();
    std::optional<std::uint32_t> parse_atom();
    std::uint32_t parse_group();
    std::uint32_t parse_escape();
    std::uint32_t repeated(std::uint32_t atom);
    bool parse_interval(std::uint32_t& least, std::uint32_t& most);
    std::uint32_t parse_set();
    void parse_posix(regex_set& set);
    regex_set::item parse_property();
    [[nodiscard]] std::optional<regex_set::item> class_escape(char32_t letter);
    [[nodiscard]] char32_t parse_code(char32_t letter);
    std::uint32_t add_set(regex_set set) {
        tree_.sets.push_back(std::move(set));
        return static_cast<std::uint32_t>(tree_.sets.size() - 1);
    }
    std::uint32_t set_of(regex_set::item i) {
        regex_set set;
        set.any.push_back(i);
        set.any_case = any_case_;
        return add_set(std::move(set));
    }
    std::uint32_t literal(char32_t c);

    std::string_view pattern_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    bool any_case_ = false;
    regex_tree tree_;
};

TOKENWORKS_FUNCTION regex_tree parse_regex(std::string_view pattern) { return regex_parser{pattern}.take(); }

inline std::uint32_t regex_parser::parse_alternatives() {
    const level here{*this};
    const bool outer_case = any_case_;
    regex_node n;
    n.what = regex_node::kind::alternatives;
    n.kids.push_back(parse_sequence());
    while(accept("|")) {
        n.kids.push_back(parse_sequence());
    }
    any_case_ = outer_case;
    return n.kids.size() == 1 ? n.kids.front() : make(std::move(n));
}

inline std::uint32_t regex_parser::parse_sequence() {
    regex_node n;
    while(!done() && !starts_with("|") && !starts_with(")")) {
        // (?i) without a colon holds for the rest of the group, which becomes one operand: a(?i)b|c is a(?i:b|c).
        if(starts_with("(?i)") || starts_with("(?-i)")) {
            const bool outer_case = any_case_;
            any_case_ = pattern_[at_ + 2] == 'i';
            at_ += any_case_ ? 4 : 5;
            n.kids.push_back(parse_alternatives());
            any_case_ = outer_case;
            break;
        }
        if(const auto atom = parse_atom()) {
            n.kids.push_back(repeated(*atom));
        }
    }
    return n.kids.size() == 1 ? n.kids.front() : make(std::move(n));
}

inline std::optional<std::uint32_t> regex_parser::parse_atom() {
    if(accept("(?#")) {
        const std::size_t end = pattern_.find(')', at_);
        if(end == pattern_.npos) {
            malformed("an unclosed comment");
        }
        at_ = end + 1;
        return std::nullopt;
    }
    if(starts_with("(")) {
        return parse_group();
    }
    if(starts_with("[")) {
        return make_single({.code = regex_code::one, .x = parse_set()});
    }
    if(accept("\\")) {
        return parse_escape();
    }
    if(accept(".")) {
        return make_single({.code = regex_code::one, .x = set_of({regex_set::kind::range, true, '\n', '\n'})});
    }
    if(accept("^")) {
        return make_single({regex_code::line_begin});
    }
    if(accept("$")) {
        return make_single({regex_code::line_end});
    }
    if(starts_with("*") || starts_with("+") || starts_with("?")) {
        malformed("nothing to repeat");
    }
    return literal(next_char());
}

inline std::uint32_t regex_parser::literal(char32_t c) {
    const std::vector<char32_t> variants = any_case_ ? case_variants(c) : std::vector<char32_t>{c};
    if(variants.size() == 1) {
        return make_single({.code = regex_code::literal, .x = c});
    }
    regex_set set;
    for(const char32_t v: variants) {
        set.any.push_back({regex_set::kind::range, false, v, v});
    }
    return make_single({.code = regex_code::one, .x = add_set(std::move(set))});
}

inline std::uint32_t regex_parser::parse_group() {
    const bool outer_case = any_case_;
    std::optional<regex_node::kind> around;
    bool flag = false;
    if(accept("(?:")) {
    } else if(accept("(?=")) {
        around = regex_node::kind::look;
    } else if(accept("(?!")) {
        around = regex_node::kind::look;
        flag = true;
    } else if(accept("(?<=")) {
        around = regex_node::kind::behind;
    } else if(accept("(?<!")) {
        around = regex_node::kind::behind;
        flag = true;
    } else if(accept("(?>")) {
        around = regex_node::kind::atomic;
    } else if(accept("(?i:")) {
        any_case_ = true;
    } else if(accept("(?-i:")) {
        any_case_ = false;
    } else if(starts_with("(?<") || starts_with("(?'")) { // a name, which nothing here refers to
        at_ += 3;
        const std::size_t end = pattern_.find(pattern_[at_ - 1] == '<' ? '>' : '\'', at_);
        if(end == pattern_.npos) {
            malformed("an unclosed name");
        }
        at_ = end + 1;
    } else if(starts_with("(?") || starts_with("(*")) {
        unknown("this kind of group");
    } else {
        ++at_;
    }
    const std::uint32_t inner = parse_alternatives();
    if(!accept(")")) {
        malformed("an unclosed group");
    }
    any_case_ = outer_case;
    return around ? make_with(*around, inner, flag) : inner;
}

inline std::uint32_t regex_parser::repeated(std::uint32_t atom) {
    // Each round adds a node around the one before; can_be_empty, length and emit go down as deep.
    for(std::size_t rounds = 0; !done(); ++rounds) {
        std::uint32_t least = 0;
        std::uint32_t most = unbounded;
        regex_mode mode = regex_mode::greedy;
        const std::size_t before = at_;
        if(accept("*")) {
        } else if(accept("+")) {
            least = 1;
        } else if(accept("?")) {
            most = 1;
        } else if(!parse_interval(least, most)) {
            at_ = before;
            return atom;
        }
        const bool interval = pattern_[before] == '{';
        if(accept("?")) {
            if(interval && least == most) { // x{2}? is (?:x{2})?
                --at_;
            } else {
                mode = regex_mode::lazy;
            }
        } else if(!interval && accept("+")) {
            mode = regex_mode::possessive;
        }
        if(rounds == deepest_regex) {
            tokenworks::detail::raise<limit_error>({"regular expression: over ", deepest_regex, " repetitions of one"});
        }
        regex_node n;
        n.what = regex_node::kind::repeat;
        n.kids = {atom};
        n.single.mode = mode;
        n.single.least = least;
        n.single.most = most;
        atom = make(std::move(n));
    }
    return atom;
}

inline bool regex_parser::parse_interval(std::uint32_t& least, std::uint32_t& most) {
    if(!accept("{")) {
        return false;
    }
    const auto number = [&](std::uint32_t otherwise) {
        std::optional<std::uint32_t> value;
        while(!done() && pattern_[at_] >= '0' && pattern_[at_] <= '9') {
            value = std::min<std::uint32_t>(100'001,
                                            value.value_or(0) * 10 + static_cast<std::uint32_t>(pattern_[at_] - '0'));
            ++at_;
        }
        return value.value_or(otherwise);
    };
    constexpr std::uint32_t absent = unbounded - 1;
    const std::uint32_t first = number(absent);
    const bool comma = accept(",");
    const std::uint32_t second = comma ? number(absent) : first;
    if(!accept("}") || (first == absent && second == absent)) {
        return false; // a brace is a brace
    }
    least = first == absent ? 0 : first;
    most = second == absent ? unbounded : second;
    if((least != 0 && least > 100'000) || (most != unbounded && most > 100'000)) {
        malformed("a repetition of over 100000");
    }
    if(most < least) {
        malformed("a repetition whose most is below its least");
    }
    return true;
}

inline char32_t regex_parser::parse_code(char32_t letter) {
    switch(letter) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    case 'v':
        return '\v';
    case 'a':
        return '\a';
    case 'e':
        return 0x1B;
    case '0':
        return 0;
    default:
        break;
    }
    const auto hex = [&](std::size_t least, std::size_t most) {
        char32_t value = 0;
        std::size_t count = 0;
        for(; count < most && !done(); ++count, ++at_) {
            const char c = pattern_[at_];
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if(digit < 0) {
                break;
            }
            value = value * 16 + static_cast<char32_t>(digit);
        }
        if(count < least) {
            malformed("a number in hexadecimal is too short");
        }
        return value;
    };
    if(letter == 'u') {
        return hex(4, 4);
    }
    if(letter == 'x') {
        if(accept("{")) {
            const char32_t value = hex(1, 8);
            if(!accept("}") || value > 0x10FFFF) {
                malformed("a wrong code point");
            }
            return value;
        }
        const char32_t value = hex(1, 2);
        if(value >= 0x80) {
            unknown("a byte above 127");
        }
        return value;
    }
    const bool word =
        (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if(word) {
        unknown("this escape");
    }
    return letter;
}

inline std::optional<regex_set::item> regex_parser::class_escape(char32_t letter) {
    using enum regex_set::kind;
    const bool negated = letter >= 'A' && letter <= 'Z';
    switch(letter) {
    case 's':
    case 'S':
        return regex_set::item{space, negated, 0, 0};
    case 'd':
    case 'D':
        return regex_set::item{categories, negated, category_mask("nd"), 0};
    case 'w':
    case 'W':
        return regex_set::item{named, negated, static_cast<std::uint32_t>(named_set("word")), 0};
    case 'h':
    case 'H': {
        regex_set digits;
        digits.any = {{range, false, '0', '9'}, {range, false, 'a', 'f'}, {range, false, 'A', 'F'}};
        return regex_set::item{nested, negated, add_set(std::move(digits)), 0};
    }
    case 'p':
    case 'P': {
        regex_set::item i = parse_property();
        i.negated = i.negated != negated;
        return i;
    }
    default:
        return std::nullopt;
    }
}

inline regex_set::item regex_parser::parse_property() {
    using enum regex_set::kind;
    if(!accept("{")) {
        malformed("a property without braces");
    }
    const bool negated = accept("^");
    const std::size_t end = pattern_.find('}', at_);
    if(end == pattern_.npos) {
        malformed("an unclosed property");
    }
    std::string name;
    for(const char c: pattern_.substr(at_, end - at_)) {
        if(c != '_' && c != ' ' && c != '-') {
            name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    at_ = end + 1;
    if(const std::uint32_t mask = category_mask(name)) {
        return {categories, negated, mask, 0};
    }
    if(const std::size_t which = named_set(name); which < named_set_count) {
        return {named, negated, static_cast<std::uint32_t>(which), 0};
    }
    if(name == "space" || name == "whitespace") {
        return {space, negated, 0, 0};
    }
    if(name == "ascii") {
        return {range, negated, 0, 127};
    }
    unknown("this property");
}

inline std::uint32_t regex_parser::parse_escape() {
    const char32_t letter = next_char();
    switch(letter) {
    case 'A':
        return make_single({regex_code::text_begin});
    case 'z':
        return make_single({regex_code::text_end});
    case 'Z':
        return make_single({regex_code::text_end_or_newline});
    case 'b':
        return make_single({regex_code::word_border});
    case 'B':
        return make_single({.code = regex_code::word_border, .flag = true});
    default:
        break;
    }
    if(const auto i = class_escape(letter)) {
        regex_set set;
        set.any.push_back(*i);
        if(letter == 'w' || letter == 'W') { // see is_regex_word
            set.negated = i->negated;
            set.any.front().negated = false;
            set.any.push_back({regex_set::kind::range, false, 0xB2, 0xB3});
            set.any.push_back({regex_set::kind::range, false, 0xB9, 0xB9});
            set.any.push_back({regex_set::kind::range, false, 0xBC, 0xBE});
        }
        return make_single({.code = regex_code::one, .x = add_set(std::move(set))});
    }
    return literal(parse_code(letter));
}

inline void regex_parser::parse_posix(regex_set& set) {
    const std::size_t end = pattern_.find(":]", at_);
    if(end == pattern_.npos) {
        malformed("an unclosed [:");
    }
    std::string_view name = pattern_.substr(at_, end - at_);
    const bool negated = name.starts_with("^");
    name.remove_prefix(negated ? 1 : 0);
    using enum regex_set::kind;
    if(name == "space") {
        set.any.push_back({space, negated, 0, 0});
    } else if(name == "punct" && !negated) {
        set.any.push_back({categories, false, category_mask("p") | category_mask("s"), 0});
    } else if(name == "digit") {
        set.any.push_back({categories, negated, category_mask("nd"), 0});
    } else if(name == "alnum" && !negated) {
        set.any.push_back({named, false, static_cast<std::uint32_t>(named_set("alpha")), 0});
        set.any.push_back({categories, false, category_mask("nd"), 0});
    } else if(name == "alpha" || name == "word" || name == "upper" || name == "lower") {
        set.any.push_back({named, negated, static_cast<std::uint32_t>(named_set(name)), 0});
    } else {
        unknown("this class");
    }
    at_ = end + 2;
}

inline std::uint32_t regex_parser::parse_set() {
    const level here{*this};
    regex_set set;
    set.any_case = any_case_;
    ++at_; // [
    set.negated = accept("^");
    for(bool first = true;; first = false) {
        if(done()) {
            malformed("an unclosed [");
        }
        if(!first && accept("]")) {
            return add_set(std::move(set));
        }
        if(accept("[:")) {
            parse_posix(set);
            continue;
        }
        if(starts_with("[")) {
            set.any.push_back({regex_set::kind::nested, false, parse_set(), 0});
            continue;
        }
        if(accept("&&")) { // what stands before, and what follows to the end of this class
            const bool negated = set.negated;
            set.negated = false;
            regex_set both;
            both.negated = negated;
            both.any.push_back({regex_set::kind::nested, false, add_set(std::move(set)), 0});
            --at_; // the right side reads as a class of its own, up to the same bracket
            both.also.push_back(parse_set());
            return add_set(std::move(both));
        }
        char32_t from = next_char();
        if(from == '\\') {
            const char32_t letter = next_char();
            if(const auto i = class_escape(letter)) {
                set.any.push_back(*i);
                continue;
            }
            from = letter == 'b' ? U'\b' : parse_code(letter);
        }
        char32_t to = from;
        if(starts_with("-") && !starts_with("-]") && !starts_with("-&&")) {
            const std::size_t dash = at_++;
            if(starts_with("[")) {
                at_ = dash;
            } else {
                to = next_char();
                if(to == '\\') {
                    const char32_t letter = next_char();
                    if(const auto i = class_escape(letter)) { // [a-\d]: a dash among others
                        set.any.push_back(*i);
                        set.any.push_back({regex_set::kind::range, false, '-', '-'});
                        to = from;
                    } else {
                        to = letter == 'b' ? U'\b' : parse_code(letter);
                    }
                }
            }
        }
        if(to < from) {
            malformed("a range that runs backwards");
        }
        set.any.push_back({regex_set::kind::range, false, from, to});
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::detail
