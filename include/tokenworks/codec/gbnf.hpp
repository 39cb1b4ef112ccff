// Grammars as text: GBNF, the language of llama.cpp's --grammar-file (its grammars/README.md, of 2026).
//
//   const codec::grammar g = codec::parse_gbnf("root ::= \"yes\" | \"no\"", "answer.gbnf");
//
//   name ::= x y | z      a rule; `root` is where a text begins. A rule ends with its line, unless a bracket is open,
//   or
//                         the line ends with ::= or |. Names are of letters, digits, - and _
//   "text" [a-z0-9] [^"] . name ( ... )      characters, and what is like them
//   x* x+ x? x{3} x{3,} x{3,5}               how often
//   \n \r \t \\ \" \[ \] \x41 \u00e4 \U0001f600     in texts and classes
//   # to the end of the line                  is no part of it
//
// Refused are rules that are missing, defined twice, or derive nothing; left recursion; and tokens by name (<think>),
// since a grammar is of bytes here, whatever the vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/grammar_builder.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

inline constexpr std::size_t longest_grammar_text = std::size_t{1} << 20; ///< bytes
inline constexpr std::size_t deepest_grammar = 256;                       ///< brackets in brackets

/// @param name  what errors call the text
/// @throws format_error with the offset for what is no GBNF; argument_error naming the rule, as
/// grammar_builder::finish;
///         unsupported_error for tokens by name; limit_error for a text that is too long, too deep or too large
[[nodiscard]] TOKENWORKS_FUNCTION grammar parse_gbnf(std::string_view text, std::string name = "grammar");

#if TOKENWORKS_DEFINITIONS

namespace detail {

class gbnf_parser {
public:
    gbnf_parser(std::string_view text, std::string name) : text_{text}, name_{std::move(name)} {
        if(text.size() > longest_grammar_text) {
            tokenworks::detail::raise<limit_error>(
                {name_, ": a grammar of ", text.size(), " bytes; the limit is ", longest_grammar_text});
        }
        if(const std::size_t bad = find_invalid_utf8(text); bad != text.size()) {
            at_ = bad;
            refuse("bytes that are no UTF-8");
        }
    }

    [[nodiscard]] grammar parse() {
        blanks(true);
        while(!done()) {
            const std::size_t begin = at_;
            const grammar_builder::rule r = rule_of(identifier());
            blanks(false);
            if(!accept("::=")) {
                refuse("::= is expected");
            }
            blanks(true);
            if(make_.is_defined(r)) {
                at_ = begin;
                refuse("a rule that is defined twice");
            }
            make_.define(r, alternatives(0));
            if(!done() && peek() != '\n' && peek() != '\r') {
                refuse("the end of the line is expected");
            }
            blanks(true);
        }
        const auto root = rules_.find("root");
        if(root == rules_.end() || !make_.is_defined(root->second)) {
            refuse("there is no rule 'root'");
        }
        return make_.finish(make_.call(root->second), name_);
    }

private:
    using part = grammar_builder::part;

    [[noreturn]] TOKENWORKS_COLD void refuse(std::string_view what) const {
        tokenworks::detail::raise_format(name_, {"GBNF"}, at_, {what});
    }
    [[nodiscard]] bool done() const noexcept { return at_ == text_.size(); }
    [[nodiscard]] char peek() const noexcept { return done() ? '\0' : text_[at_]; }
    bool accept(std::string_view word) noexcept {
        const bool found = text_.substr(at_).starts_with(word);
        at_ += found ? word.size() : 0;
        return found;
    }
    void blanks(bool lines) noexcept {
        while(!done()) {
            const char c = peek();
            if(c == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if(c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
                ++at_;
            } else {
                return;
            }
        }
    }
    [[nodiscard]] static bool is_word(char c) noexcept {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    }
    [[nodiscard]] std::string identifier() {
        const std::size_t begin = at_;
        while(!done() && is_word(peek())) {
            ++at_;
        }
        if(at_ == begin) {
            refuse("the name of a rule is expected");
        }
        return std::string{text_.substr(begin, at_ - begin)};
    }
    [[nodiscard]] grammar_builder::rule rule_of(const std::string& name) {
        const auto found = rules_.find(name);
        return found != rules_.end() ? found->second : rules_.emplace(name, make_.declare(name)).first->second;
    }

    [[nodiscard]] part alternatives(std::size_t depth) {
        if(depth > deepest_grammar) {
            tokenworks::detail::raise<limit_error>({name_, ": brackets nested over ", deepest_grammar, " deep"});
        }
        std::vector<part> all{sequence(depth)};
        while(accept("|")) {
            blanks(true);
            all.push_back(sequence(depth));
        }
        return make_.any(all);
    }

    [[nodiscard]] part sequence(std::size_t depth) {
        std::vector<part> parts;
        for(;;) {
            const char c = peek();
            if(c == '"') {
                ++at_;
                parts.push_back(literal());
            } else if(c == '[') {
                ++at_;
                parts.push_back(characters());
            } else if(c == '.') {
                ++at_;
                parts.push_back(make_.characters_but({}));
            } else if(c == '(') {
                ++at_;
                blanks(true);
                const part inner = alternatives(depth + 1);
                if(!accept(")")) {
                    refuse("a closing bracket is expected");
                }
                parts.push_back(inner);
            } else if(is_word(c)) {
                parts.push_back(make_.call(rule_of(identifier())));
            } else if(c == '<' || c == '!') {
                tokenworks::detail::raise<unsupported_error>(
                    {name_, ": tokens by name, at byte ", at_, ", are not supported: a grammar is of bytes"});
            } else if(c == '*' || c == '+' || c == '?' || c == '{') {
                refuse("there is nothing to repeat");
            } else {
                return make_.sequence(parts);
            }
            blanks(depth > 0);
            while(repeated(parts.back())) {
                blanks(depth > 0);
            }
        }
    }

    [[nodiscard]] bool repeated(part& p) {
        if(accept("*")) {
            p = make_.star(p);
        } else if(accept("+")) {
            p = make_.plus(p);
        } else if(accept("?")) {
            p = make_.maybe(p);
        } else if(accept("{")) {
            blanks(true);
            const std::uint32_t least = number();
            std::uint32_t most = least;
            blanks(true);
            if(accept(",")) {
                blanks(true);
                most = peek() == '}' ? grammar::unbounded : number();
                blanks(true);
            }
            if(most < least) {
                refuse("a repetition whose most is below its least");
            }
            if(!accept("}")) {
                refuse("a closing brace is expected");
            }
            p = make_.repeat(p, least, most);
        } else {
            return false;
        }
        return true;
    }

    [[nodiscard]] std::uint32_t number() {
        std::uint64_t value = 0;
        const std::size_t begin = at_;
        for(; peek() >= '0' && peek() <= '9'; ++at_) {
            value = value * 10 + static_cast<std::uint64_t>(peek() - '0');
            if(value >= grammar::unbounded) {
                refuse("a number over 4294967294");
            }
        }
        if(at_ == begin) {
            refuse("a number is expected");
        }
        return static_cast<std::uint32_t>(value);
    }

    [[nodiscard]] part literal() {
        std::string bytes;
        while(peek() != '"') {
            if(done()) {
                refuse("a text that is not closed");
            }
            append_utf8(bytes, character());
        }
        ++at_;
        return make_.text(bytes);
    }

    [[nodiscard]] part characters() {
        const bool but = accept("^");
        std::vector<code_range> ranges;
        while(peek() != ']') {
            if(done()) {
                refuse("a class that is not closed");
            }
            const char32_t first = character();
            char32_t last = first;
            if(peek() == '-' && !text_.substr(at_).starts_with("-]")) {
                ++at_;
                if(done()) {
                    refuse("a class that is not closed");
                }
                last = character();
            }
            if(last < first) {
                refuse("a range that runs backwards");
            }
            ranges.push_back({first, last});
        }
        ++at_;
        return but ? make_.characters_but(std::move(ranges)) : make_.characters(std::move(ranges));
    }

    [[nodiscard]] char32_t character() {
        if(peek() != '\\') {
            const utf8_char c = decode_utf8(text_, at_);
            at_ += c.length;
            return c.code;
        }
        ++at_;
        const char c = peek();
        at_ += done() ? 0U : 1U;
        switch(c) {
        case 'x':
            return hexadecimal(2);
        case 'u':
            return hexadecimal(4);
        case 'U':
            return hexadecimal(8);
        case 't':
            return '\t';
        case 'r':
            return '\r';
        case 'n':
            return '\n';
        case '\\':
        case '"':
        case '[':
        case ']':
            return static_cast<char32_t>(c);
        default:
            refuse("an unknown escape");
        }
    }

    [[nodiscard]] char32_t hexadecimal(std::size_t digits) {
        char32_t value = 0;
        for(std::size_t i = 0; i < digits; ++i, ++at_) {
            const char c = peek();
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if(digit < 0) {
                refuse("a digit in hexadecimal is expected");
            }
            value = value * 16 + static_cast<char32_t>(digit);
        }
        if(value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
            refuse("a number that is no character");
        }
        return value;
    }

    std::string_view text_;
    std::string name_;
    std::size_t at_ = 0;
    grammar_builder make_;
    std::map<std::string, grammar_builder::rule> rules_;
};

} // namespace detail

TOKENWORKS_FUNCTION grammar parse_gbnf(std::string_view text, std::string name) {
    return detail::gbnf_parser{text, std::move(name)}.parse();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
