// JSON text to the values of chat templates: descriptions of tools, arguments of calls, whole conversations.
//
// Strict JSON in UTF-8, read as Python's json.loads reads it: numbers without fraction and exponent are integers, of
// equal keys the last one counts. Nesting and size of integers are bounded; memory is a small multiple of the text's
// size.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// @param name  what is read, for messages
/// @throws format_error with the offset for what is no JSON; limit_error for nesting over jinja::value::most_depth
[[nodiscard]] jinja::value parse_template_json(std::string_view bytes, const std::string& name = {});

#if TOKENWORKS_DEFINITIONS

namespace detail {

class template_json_reader {
public:
    template_json_reader(std::string_view bytes, const std::string& name) : bytes_{bytes}, name_{name} {}

    jinja::value document() {
        if(const std::size_t bad = find_invalid_utf8(bytes_); bad != bytes_.size()) {
            at_ = bad;
            refuse("bytes that are no UTF-8");
        }
        jinja::value made = read(0);
        blanks();
        if(at_ != bytes_.size()) {
            refuse("text after the document");
        }
        return made;
    }

private:
    [[noreturn]] void refuse(std::string_view what) const {
        tokenworks::detail::raise_format(name_, {"JSON"}, at_, {what});
    }
    void blanks() {
        while(at_ < bytes_.size() &&
              (bytes_[at_] == ' ' || bytes_[at_] == '\n' || bytes_[at_] == '\r' || bytes_[at_] == '\t')) {
            ++at_;
        }
    }
    bool skip(std::string_view word) {
        const bool found = bytes_.substr(at_).starts_with(word);
        at_ += found ? word.size() : 0;
        return found;
    }

    jinja::value read(std::size_t depth) {
        blanks();
        if(depth > jinja::value::most_depth) {
            tokenworks::detail::raise<limit_error>(
                {name_, ": JSON is nested deeper than the limit of ", jinja::value::most_depth});
        }
        const char c = at_ < bytes_.size() ? bytes_[at_] : '\0';
        if(c == '"') {
            return jinja::value{string()};
        }
        if(c == '[') {
            return list(depth);
        }
        if(c == '{') {
            return dict(depth);
        }
        if(skip("null")) {
            return {};
        }
        if(skip("true")) {
            return jinja::value{true};
        }
        if(skip("false")) {
            return jinja::value{false};
        }
        if(c == '-' || (c >= '0' && c <= '9')) {
            return number();
        }
        refuse("a value is expected");
    }

    jinja::value list(std::size_t depth) {
        ++at_;
        jinja::value::list_type items;
        for(blanks(); !skip("]"); blanks()) {
            if(!items.empty() && !skip(",")) {
                refuse("a comma is expected");
            }
            items.push_back(read(depth + 1));
        }
        return jinja::value::list(std::move(items));
    }

    jinja::value dict(std::size_t depth) {
        ++at_;
        std::vector<std::pair<std::string, jinja::value>> entries;
        for(blanks(); !skip("}"); blanks()) {
            if(!entries.empty()) {
                if(!skip(",")) {
                    refuse("a comma is expected");
                }
                blanks();
            }
            if(at_ >= bytes_.size() || bytes_[at_] != '"') {
                refuse("a key is expected");
            }
            std::string key = string();
            blanks();
            if(!skip(":")) {
                refuse("a colon is expected");
            }
            entries.emplace_back(std::move(key), read(depth + 1));
        }
        return jinja::value::dict(std::move(entries));
    }

    jinja::value number() {
        const auto digits = [&] {
            const std::size_t from = at_;
            while(at_ < bytes_.size() && bytes_[at_] >= '0' && bytes_[at_] <= '9') {
                ++at_;
            }
            if(from == at_) {
                refuse("a digit is expected");
            }
            return at_ - from;
        };
        const std::size_t from = at_;
        skip("-");
        const bool zero = at_ < bytes_.size() && bytes_[at_] == '0';
        if(digits() > 1 && zero) {
            refuse("a number begins with a zero");
        }
        bool real = false;
        if(skip(".")) {
            real = true;
            digits();
        }
        if(skip("e") || skip("E")) {
            real = true;
            if(!skip("+")) {
                skip("-");
            }
            digits();
        }
        const char* const begin = bytes_.data() + from;
        const char* const end = bytes_.data() + at_;
        if(real) {
            double value = 0;
            if(std::from_chars(begin, end, value).ec != std::errc{}) {
                refuse("a number is too large or too small");
            }
            return jinja::value{value};
        }
        std::int64_t value = 0;
        if(std::from_chars(begin, end, value).ec != std::errc{}) {
            refuse("a number has more than 64 bits");
        }
        return jinja::value{value};
    }

    char32_t unit() {
        std::uint32_t code = 0;
        const char* const begin = bytes_.data() + at_;
        const std::size_t left = bytes_.size() - at_;
        const char* const end = begin + (left < 4 ? left : 4);
        const auto [past, problem] = std::from_chars(begin, end, code, 16);
        if(problem != std::errc{} || past != begin + 4) {
            refuse("four hexadecimal digits are expected");
        }
        at_ += 4;
        return code;
    }

    std::string string() {
        constexpr std::string_view escapes = "\"\\/bfnrt";
        constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
        std::string out;
        for(++at_; at_ < bytes_.size() && bytes_[at_] != '"';) {
            if(static_cast<unsigned char>(bytes_[at_]) < 0x20) {
                refuse("a control character in a string");
            }
            if(bytes_[at_] != '\\') {
                out += bytes_[at_++];
                continue;
            }
            ++at_;
            const std::size_t known = at_ < bytes_.size() ? escapes.find(bytes_[at_]) : escapes.npos;
            if(known != escapes.npos) {
                out += meant[known];
                ++at_;
            } else if(skip("u")) {
                char32_t code = unit();
                if(code >= 0xD800 && code < 0xDC00 && skip("\\u")) {
                    const char32_t low = unit();
                    if(low < 0xDC00 || low >= 0xE000) {
                        refuse("half of a surrogate pair");
                    }
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                }
                if(code >= 0xD800 && code < 0xE000) {
                    refuse("half of a surrogate pair");
                }
                append_utf8(out, code);
            } else {
                refuse("an unknown escape");
            }
        }
        if(at_ >= bytes_.size()) {
            refuse("a string is not closed");
        }
        ++at_;
        return out;
    }

    std::string_view bytes_;
    const std::string& name_;
    std::size_t at_ = 0;
};

} // namespace detail

TOKENWORKS_FUNCTION jinja::value parse_template_json(std::string_view bytes, const std::string& name) {
    return detail::template_json_reader{bytes, name}.document();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
