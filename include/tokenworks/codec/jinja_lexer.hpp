// The source of a chat template to tokens, one at a time.
//
// The rules are those of Jinja 3.1 (jinja2/lexer.py) with the settings that chat templates are written for: trim_blocks
// takes the newline after a block, lstrip_blocks the blanks before it on its line, and the last newline of the source
// goes. `-` inside of a tag takes all blanks beside it, `+` keeps what the settings would take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tokenworks/codec/jinja_blanks.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

enum class token_kind : std::uint8_t {
    end,
    data,
    print_begin,
    print_end,
    block_begin,
    block_end,
    name,
    string,
    number,
    sign
};

struct token {
    token_kind kind = token_kind::end;
    std::uint32_t line = 1;
    std::string_view source; ///< names, numbers and signs as they are written
    std::string content;     ///< data, and strings without quotes and escapes

    [[nodiscard]] bool is_sign(std::string_view s) const noexcept { return kind == token_kind::sign && source == s; }
    [[nodiscard]] bool is_name(std::string_view s) const noexcept { return kind == token_kind::name && source == s; }
};

class lexer {
public:
    static constexpr std::size_t longest_source = std::size_t{1} << 18; ///< bytes

    /// @param name  for messages: the file
    /// @throws limit_error for a source over longest_source
    lexer(std::string_view source, std::string name);

    // Tokens refer to the source.
    lexer(const lexer&) = delete;
    lexer& operator=(const lexer&) = delete;

    /// @throws format_error that names the line
    [[nodiscard]] token next();

    [[noreturn]] void fail(std::uint32_t line, tokenworks::detail::message_parts what) const;

private:
    enum class state : std::uint8_t { text, print, block };

    [[nodiscard]] static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
    /// What a name may begin with: bytes of characters outside of ASCII too.
    [[nodiscard]] static bool is_name_byte(char c) noexcept {
        return ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
    }
    [[nodiscard]] std::string_view rest() const noexcept { return std::string_view{source_}.substr(at_); }
    void advance(std::size_t bytes);
    bool text_token(token& out);
    void skip_comment();
    [[nodiscard]] std::size_t after_tag(std::size_t past, char sign) const;
    bool raw_block(token& out);
    void strip_before(std::string& data, char sign, bool is_print) const;
    bool end_tag(std::string_view sign, token_kind kind, token& out);
    void number(token& out);
    void string(token& out);
    std::size_t escape(std::string_view quoted, std::size_t at, std::string& out) const;
    void sign(token& out);

    std::string source_;
    std::string name_;
    std::string open_; // brackets to be closed
    std::size_t at_ = 0;
    std::uint32_t line_ = 1;
    state state_ = state::text;
    bool line_starts_ = true; // the last match ended a line
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION lexer::lexer(std::string_view source, std::string name) : name_{std::move(name)} {
    if(source.size() > longest_source) {
        tokenworks::detail::raise<limit_error>({name_, ": tokenizer.chat_template: a template of ", source.size(),
                                                " bytes; the limit is ", longest_source});
    }
    for(std::size_t i = 0; i < source.size(); ++i) {
        if(source[i] != '\r') {
            source_ += source[i];
        } else if(i + 1 == source.size() || source[i + 1] != '\n') {
            source_ += '\n';
        }
    }
    if(source_.ends_with('\n')) {
        source_.pop_back();
    }
}

TOKENWORKS_FUNCTION void lexer::fail(std::uint32_t line, tokenworks::detail::message_parts what) const {
    tokenworks::detail::raise_format(name_, {"tokenizer.chat_template"}, format_error::no_offset,
                                     {"line ", line, ": ", tokenworks::detail::message(what)});
}

TOKENWORKS_FUNCTION void lexer::advance(std::size_t bytes) {
    for(std::size_t i = 0; i < bytes; ++i) {
        line_ += source_[at_ + i] == '\n' ? 1U : 0U;
    }
    at_ += bytes;
    line_starts_ = at_ > 0 && source_[at_ - 1] == '\n';
}

TOKENWORKS_FUNCTION token lexer::next() {
    token out;
    while(at_ < source_.size()) {
        out.line = line_;
        if(state_ == state::text) {
            if(text_token(out)) {
                return out;
            }
            continue;
        }
        if(open_.empty() && (state_ == state::print ? end_tag("}}", token_kind::print_end, out)
                                                    : end_tag("%}", token_kind::block_end, out))) {
            return out;
        }
        if(const std::size_t blanks = leading_blanks(rest()); blanks > 0) {
            advance(blanks);
            continue;
        }
        const char c = source_[at_];
        if(is_digit(c)) {
            number(out);
        } else if(c == '\'' || c == '"') {
            string(out);
        } else if(is_name_byte(c)) {
            std::size_t end = at_;
            while(end < source_.size() && (is_name_byte(source_[end]) || is_digit(source_[end]))) {
                ++end;
            }
            out.kind = token_kind::name;
            out.source = rest().substr(0, end - at_);
            advance(end - at_);
        } else {
            sign(out);
        }
        return out;
    }
    out.line = line_;
    return out;
}

// Data up to the next tag; false where there is none and only a comment or a tag's begin was passed.
TOKENWORKS_FUNCTION bool lexer::text_token(token& out) {
    const std::string_view text = rest();
    if(text.size() > 1 && text[0] == '{') { // a tag whose text before is already given out
        const char kind = text[1];
        if(kind == '#') {
            skip_comment();
            return false;
        }
        if(kind == '%' || kind == '{') {
            if(kind == '%' && raw_block(out)) {
                return !out.content.empty();
            }
            out.kind = kind == '%' ? token_kind::block_begin : token_kind::print_begin;
            state_ = kind == '%' ? state::block : state::print;
            advance(text.size() > 2 && (text[2] == '-' || text[2] == '+') ? 3 : 2);
            return true;
        }
    }
    std::size_t end = 0;
    while(end < text.size() && !(text[end] == '{' && end + 1 < text.size() &&
                                 (text[end + 1] == '%' || text[end + 1] == '{' || text[end + 1] == '#'))) {
        ++end;
    }
    out.kind = token_kind::data;
    out.content = text.substr(0, end);
    if(end < text.size()) {
        strip_before(out.content, end + 2 < text.size() ? text[end + 2] : ' ', text[end + 1] == '{');
    }
    advance(end);
    return !out.content.empty();
}

// What a tag takes of the text before it.
TOKENWORKS_FUNCTION void lexer::strip_before(std::string& data, char sign, bool is_print) const {
    if(sign == '-') {
        data.resize(without_trailing_blanks(data));
    } else if(sign != '+' && !is_print) {
        const std::size_t newline = data.rfind('\n');
        const std::size_t begin = newline == data.npos ? 0 : newline + 1;
        if((begin > 0 || line_starts_) && leading_blanks(std::string_view{data}.substr(begin)) == data.size() - begin) {
            data.resize(begin);
        }
    }
}

TOKENWORKS_FUNCTION void lexer::skip_comment() {
    const std::string_view text = rest();
    const std::size_t begin = text.size() > 2 && (text[2] == '-' || text[2] == '+') ? 3 : 2;
    const std::size_t end = text.find("#}", begin);
    if(end == text.npos) {
        fail(line_, {"a comment is not closed"});
    }
    advance(after_tag(end + 2, end > begin ? text[end - 1] : ' '));
}

// What follows a tag that ends at byte `past` of the rest: `-` takes all blanks, and all but `+` a newline.
TOKENWORKS_FUNCTION std::size_t lexer::after_tag(std::size_t past, char sign) const {
    const std::string_view text = rest().substr(past);
    if(sign == '-') {
        return past + leading_blanks(text);
    }
    return sign != '+' && text.starts_with('\n') ? past + 1 : past;
}

// {% raw %} ... {% endraw %}; false for another block.
TOKENWORKS_FUNCTION bool lexer::raw_block(token& out) {
    const std::string_view text = rest();
    // A tag of one word at `at`: where it ends, and the signs beside its percents; 0 for another tag.
    const auto tag = [&](std::size_t at, std::string_view word, char& before, char& after) -> std::size_t {
        std::size_t p = at + 2;
        before = p < text.size() ? text[p] : ' ';
        p += before == '-' || before == '+' ? 1 : 0;
        p += p < text.size() ? leading_blanks(text.substr(p)) : 0;
        if(p >= text.size() || !text.substr(p).starts_with(word)) {
            return 0;
        }
        p += word.size();
        p += leading_blanks(text.substr(p));
        after = p < text.size() ? text[p] : ' ';
        p += after == '-' || after == '+' ? 1 : 0;
        return p < text.size() && text.substr(p).starts_with("%}") ? p + 2 : 0;
    };
    char before = ' ';
    char after = ' ';
    std::size_t begin = tag(0, "raw", before, after);
    if(begin == 0 || after == '+') {
        return false;
    }
    begin += after == '-' ? leading_blanks(text.substr(begin)) : 0;
    advance(begin);
    for(std::size_t at = text.find("{%", begin); at != text.npos; at = text.find("{%", at + 1)) {
        const std::size_t past = tag(at, "endraw", before, after);
        if(past != 0) {
            out.kind = token_kind::data;
            out.content = text.substr(begin, at - begin);
            strip_before(out.content, before, false);
            advance(after_tag(past - begin, after));
            return true;
        }
    }
    if(begin == text.size()) { // nothing follows, and so nothing is missed
        return true;
    }
    fail(line_, {"a raw block is not closed"});
}

// -%} takes the blanks after it, %} one newline, }} nothing.
TOKENWORKS_FUNCTION bool lexer::end_tag(std::string_view sign, token_kind kind, token& out) {
    const std::string_view text = rest();
    const bool minus = text[0] == '-';
    const bool plus = text[0] == '+' && kind == token_kind::block_end;
    std::size_t past = minus || plus ? 1 : 0;
    if(!text.substr(past).starts_with(sign)) {
        return false;
    }
    past += 2;
    out.kind = kind;
    advance(kind == token_kind::block_end || minus ? after_tag(past, text[0]) : past);
    state_ = state::text;
    return true;
}

TOKENWORKS_FUNCTION void lexer::number(token& out) {
    const std::string_view text = rest();
    const auto digit = [&](std::size_t at) { return at < text.size() && is_digit(text[at]); };
    const auto digits = [&](std::size_t at) {
        while(digit(at) || (at < text.size() && text[at] == '_' && digit(at + 1))) {
            ++at;
        }
        return at;
    };
    std::size_t end = digits(0);
    if(text[0] == '0' && text.size() > 1 && ((text[1] | 32) == 'x' || (text[1] | 32) == 'o' || (text[1] | 32) == 'b')) {
        end = 2;
        while(end < text.size() && (digit(end) || ((text[end] | 32) >= 'a' && (text[end] | 32) <= 'f'))) {
            ++end;
        }
    } else {
        const bool after_dot = at_ > 0 && source_[at_ - 1] == '.'; // x.1.2 takes items 1 and 2
        if(!after_dot && end < text.size() && text[end] == '.' && digit(end + 1)) {
            end = digits(end + 1);
        }
        if(!after_dot && end < text.size() && (text[end] | 32) == 'e') {
            const std::size_t sign = end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-') ? 1 : 0;
            if(digit(end + 1 + sign)) {
                end = digits(end + 1 + sign);
            }
        }
    }
    out.kind = token_kind::number;
    out.source = text.substr(0, end);
    advance(end);
}

TOKENWORKS_FUNCTION void lexer::string(token& out) {
    const std::string_view text = rest();
    std::size_t at = 1;
    while(at < text.size() && text[at] != text[0]) {
        if(text[at] == '\\') {
            at = escape(text, at, out.content);
        } else {
            out.content += text[at++];
        }
    }
    if(at >= text.size()) {
        fail(line_, {"a string is not closed"});
    }
    out.kind = token_kind::string;
    advance(at + 1);
}

// The escapes of Python's strings; unknown ones stay as they are. Returns what follows.
TOKENWORKS_FUNCTION std::size_t lexer::escape(std::string_view quoted, std::size_t at, std::string& out) const {
    if(at + 1 >= quoted.size()) {
        return quoted.size();
    }
    const char c = quoted[at + 1];
    at += 2;
    constexpr std::string_view plain = "abfnrtv\\'\"";
    constexpr std::string_view meant = "\a\b\f\n\r\t\v\\'\"";
    if(const std::size_t found = plain.find(c); found != plain.npos) {
        out += meant[found];
    } else if(c == '\n') {
        // the line goes on
    } else if(c >= '0' && c <= '7') {
        char32_t code = 0;
        const std::size_t most = at + 2;
        for(--at; at < quoted.size() && at < most && quoted[at] >= '0' && quoted[at] <= '7'; ++at) {
            code = code * 8 + static_cast<char32_t>(quoted[at] - '0');
        }
        append_utf8(out, code);
    } else if(c == 'x' || c == 'u' || c == 'U') {
        char32_t code = 0;
        for(int left = c == 'x' ? 2 : c == 'u' ? 4 : 8; left > 0; --left, ++at) {
            const char h = at < quoted.size() ? quoted[at] : ' ';
            const bool letter = (h | 32) >= 'a' && (h | 32) <= 'f';
            if(!letter && !is_digit(h)) {
                fail(line_, {"a string has an escape without its digits"});
            }
            code = code << 4 | static_cast<char32_t>(letter ? (h | 32) - 'a' + 10 : h - '0');
        }
        append_utf8(out, code);
    } else if(c == 'N') {
        fail(line_, {"characters by name (\\N) are not supported"});
    } else {
        out += '\\';
        out += c;
    }
    return at;
}

TOKENWORKS_FUNCTION void lexer::sign(token& out) {
    const std::string_view text = rest();
    constexpr std::string_view doubles[] = {"//", "**", "==", "!=", ">=", "<="};
    std::size_t length = 1;
    for(const std::string_view each: doubles) {
        length = text.starts_with(each) ? 2 : length;
    }
    const char c = text[0];
    if(length == 1 && std::string_view{"+-/*%~[](){}><=.:|,;"}.find(c) == std::string_view::npos) {
        fail(line_, {"unexpected character \"", tokenworks::detail::escaped(text.substr(0, 1)), "\""});
    }
    if(c == '(' || c == '[' || c == '{') {
        open_ += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if(c == ')' || c == ']' || c == '}') {
        if(open_.empty() || open_.back() != c) {
            fail(line_, {"unexpected \"", text.substr(0, 1), "\""});
        }
        open_.pop_back();
    }
    out.kind = token_kind::sign;
    out.source = text.substr(0, length);
    advance(length);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
