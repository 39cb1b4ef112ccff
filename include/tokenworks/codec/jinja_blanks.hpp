// Blanks at the ends of a text, as Python's str.strip() knows them.
#pragma once

#include <cstddef>
#include <string_view>

#include <tokenworks/codec/unicode.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// str.isspace() of Python for one character.
[[nodiscard]] constexpr bool is_blank(char32_t code) noexcept {
    return class_of(code) == char_class::space || (code >= 0x1C && code <= 0x1F);
}

/// Bytes of the blanks at the start of a text.
[[nodiscard]] constexpr std::size_t leading_blanks(std::string_view text) noexcept {
    std::size_t at = 0;
    while(at < text.size()) {
        const utf8_char c = decode_utf8(text, at);
        if(!is_blank(c.code)) {
            break;
        }
        at += c.length;
    }
    return at;
}

/// The text without the blanks at its end: its length in bytes.
[[nodiscard]] constexpr std::size_t without_trailing_blanks(std::string_view text) noexcept {
    std::size_t end = text.size();
    while(end > 0) {
        std::size_t begin = end - 1;
        while(begin > 0 && end - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) {
            --begin;
        }
        const utf8_char c = decode_utf8(text.substr(0, end), begin);
        if(!c.valid || begin + c.length != end || !is_blank(c.code)) {
            break;
        }
        end = begin;
    }
    return end;
}

/// A text without the blanks at both ends.
[[nodiscard]] constexpr std::string_view without_blanks(std::string_view text) noexcept {
    text.remove_prefix(leading_blanks(text));
    return text.substr(0, without_trailing_blanks(text));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
