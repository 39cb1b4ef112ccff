// Scanners that cut text into words: the parts that the pre-tokenizers (codec/pretokenizer.hpp) are put together from.
//
// A scanner looks at a byte range of a text as if nothing came before or after it. Each function cuts the way one
// regular expression would, in one pass: a character is looked at a bounded number of times. Malformed bytes count as
// symbols, as U+FFFD would.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include <tokenworks/codec/unicode.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

namespace detail {

/// A character of a text with its class; past the end, length 0 and class none.
struct scanned_char {
    char32_t code;
    char_class kind;
    std::uint8_t length;
};

[[nodiscard]] constexpr std::array<char_class, 128> make_ascii_classes() noexcept {
    std::array<char_class, 128> table{};
    for(char32_t cp = 0; cp < 128; ++cp) {
        table[cp] = class_of(cp);
    }
    return table;
}
inline constexpr std::array<char_class, 128> ascii_classes = make_ascii_classes();

/// Reads a text, of which only the bytes before `end` exist.
struct scanner {
    std::string_view text;

    [[nodiscard]] constexpr scanned_char operator()(std::size_t at, std::size_t end) const noexcept {
        if(at >= end) {
            return {0, char_class::none, 0};
        }
        const std::uint32_t lead = byte_at(text, at);
        if(lead < 0x80) {
            return {lead, ascii_classes[lead], 1};
        }
        const utf8_char c = decode_utf8(text.substr(0, end), at);
        return {c.code, class_of(c.code), c.length};
    }
    /// The end of the run of characters from `at` on that satisfy a predicate.
    template <class Predicate>
    [[nodiscard]] constexpr std::size_t run(std::size_t at, std::size_t end, Predicate accept) const {
        for(;;) {
            const scanned_char c = (*this)(at, end);
            if(c.kind == char_class::none || !accept(c)) {
                return at;
            }
            at += c.length;
        }
    }
};

[[nodiscard]] constexpr bool is_letter(const scanned_char& c) noexcept { return c.kind == char_class::letter; }
[[nodiscard]] constexpr bool is_number(const scanned_char& c) noexcept { return c.kind == char_class::number; }
[[nodiscard]] constexpr bool is_space(const scanned_char& c) noexcept { return c.kind == char_class::space; }
[[nodiscard]] constexpr bool is_punctuation(const scanned_char& c) noexcept {
    return c.kind == char_class::punctuation;
}
[[nodiscard]] constexpr bool is_newline(const scanned_char& c) noexcept { return c.code == '\r' || c.code == '\n'; }
/// [^\s\p{L}\p{N}]
[[nodiscard]] constexpr bool is_rest(const scanned_char& c) noexcept {
    return c.kind != char_class::none && !is_space(c) && !is_letter(c) && !is_number(c);
}
/// [一-龥ࠀ-一가-퟿]
[[nodiscard]] constexpr bool is_deepseek_cjk(const scanned_char& c) noexcept {
    return (c.code >= 0x0800 && c.code <= 0x9FA5) || (c.code >= 0xAC00 && c.code <= 0xD7FF);
}

/// The letters that DeepSeek's first expression lists, as [first, last] ranges: cased letters, as of Unicode 11.
inline constexpr std::array<std::array<std::uint32_t, 2>, 84> deepseek_letters{{
    {0x41, 0x5A},       {0x61, 0x7A},       {0xB5, 0xB5},       {0xC0, 0xD6},       {0xD8, 0xF6},
    {0xF8, 0x1BA},      {0x1BC, 0x1BF},     {0x1C4, 0x293},     {0x295, 0x2AF},     {0x370, 0x373},
    {0x376, 0x377},     {0x37B, 0x37D},     {0x37F, 0x37F},     {0x386, 0x386},     {0x388, 0x38A},
    {0x38C, 0x38C},     {0x38E, 0x3A1},     {0x3A3, 0x3F5},     {0x3F7, 0x481},     {0x48A, 0x52F},
    {0x531, 0x556},     {0x10A0, 0x10C5},   {0x13A0, 0x13F5},   {0x13F8, 0x13FD},   {0x1C90, 0x1CBA},
    {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},   {0x1D6B, 0x1D77},   {0x1D79, 0x1D9A},   {0x1E00, 0x1F15},
    {0x1F18, 0x1F1D},   {0x1F20, 0x1F45},   {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},   {0x1F59, 0x1F59},
    {0x1F5B, 0x1F5B},   {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},   {0x1FB6, 0x1FBC},
    {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},   {0x1FD0, 0x1FD3},   {0x1FD6, 0x1FDB},
    {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},   {0x1FF6, 0x1FFC},   {0x2102, 0x2102},   {0x2107, 0x2107},
    {0x210A, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211D},   {0x2124, 0x2124},   {0x2126, 0x2126},
    {0x2128, 0x2128},   {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},   {0x213C, 0x213F},
    {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2184},   {0x2C00, 0x2C7B},   {0x2C7E, 0x2CE4},
    {0x2CEB, 0x2CEE},   {0x2CF2, 0x2CF3},   {0xA640, 0xA66D},   {0xA680, 0xA69B},   {0xA722, 0xA76F},
    {0xA771, 0xA787},   {0xA78B, 0xA78E},   {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},
    {0xFF21, 0xFF3A},   {0xFF41, 0xFF5A},   {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB},
    {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
}};
[[nodiscard]] constexpr bool is_deepseek_letter(const scanned_char& c) noexcept {
    const auto after = std::partition_point(deepseek_letters.begin(), deepseek_letters.end(),
                                            [&](const auto& range) { return range[0] <= c.code; });
    return after != deepseek_letters.begin() && c.code <= (*std::prev(after))[1];
}
[[nodiscard]] constexpr bool is_deepseek_mark(const scanned_char& c) noexcept {
    const char32_t x = c.code;
    return (x >= '!' && x <= '/') || (x >= ':' && x <= '~') || (x >= 0xFF01 && x <= 0xFF0F) ||
           (x >= 0xFF1A && x <= 0xFF5E) || (x >= 0x2018 && x <= 0x201F) || (x >= 0x3000 && x <= 0x3002);
}

/// Bytes of an English contraction ('s 't 'm 'd 're 've 'll) at `at`, or 0. With any_case also 'S, 'Re and so on, and
/// U+017F, the long s, which Unicode folds to s.
[[nodiscard]] constexpr std::size_t contraction(const scanner& scan, std::size_t at, std::size_t end,
                                                bool any_case) noexcept {
    const auto lower = [any_case](char32_t c) -> char32_t {
        if(any_case && c >= 'A' && c <= 'Z') {
            return c + ('a' - 'A');
        }
        return any_case && c == 0x17F ? U's' : c;
    };
    if(scan(at, end).code != '\'') {
        return 0;
    }
    const scanned_char first = scan(at + 1, end);
    const char32_t a = lower(first.code);
    if(a == 's' || a == 't' || a == 'm' || a == 'd') {
        return 1U + first.length;
    }
    const char32_t b = a == 'r' || a == 'v' ? U'e' : a == 'l' ? U'l' : U'\0';
    return b != 0 && lower(scan(at + 2, end).code) == b ? 3 : 0;
}

/// \s+(?!\S)|\s+ : a run of blanks, but for its last one where something follows. @pre a blank at `at`
[[nodiscard]] constexpr std::size_t blanks(const scanner& scan, std::size_t at, std::size_t end) noexcept {
    std::size_t last = at;
    std::size_t next = at;
    for(scanned_char c = scan(next, end); is_space(c); c = scan(next, end)) {
        last = next;
        next += c.length;
    }
    return next < end && last > at ? last : next;
}

/// \s*[\r\n]+ : a run of blanks up to and with its last newline; `at` if it has none.
[[nodiscard]] constexpr std::size_t through_newline(const scanner& scan, std::size_t at, std::size_t end) noexcept {
    std::size_t newline = at;
    for(scanned_char c = scan(at, end); is_space(c); c = scan(at, end)) {
        at += c.length;
        newline = is_newline(c) ? at : newline;
    }
    return newline;
}

template <class Emit>
constexpr void cut_gpt2(const scanner& scan, std::size_t at, std::size_t end, Emit emit) {
    while(at < end) {
        std::size_t next = at + contraction(scan, at, end, false);
        if(next == at) {
            const std::size_t start = scan.text[at] == ' ' ? at + 1 : at;
            const scanned_char c = scan(start, end);
            next = is_letter(c)   ? scan.run(start, end, is_letter)
                   : is_number(c) ? scan.run(start, end, is_number)
                   : is_rest(c)   ? scan.run(start, end, is_rest)
                                  : blanks(scan, at, end);
        }
        emit(at, next);
        at = next;
    }
}

/// @param digits most characters of \p{N} in a piece
template <class Emit>
constexpr void cut_llama3(const scanner& scan, std::size_t at, std::size_t end, std::size_t digits, Emit emit) {
    while(at < end) {
        std::size_t next = at + contraction(scan, at, end, true);
        if(next == at) {
            const scanned_char c = scan(at, end);
            const std::size_t second = at + c.length;
            if(is_letter(c) || (!is_newline(c) && !is_number(c) && is_letter(scan(second, end)))) {
                next = scan.run(second, end, is_letter);
            } else if(is_number(c)) {
                std::size_t count = 0;
                next = scan.run(at, end, [&](const scanned_char& d) { return is_number(d) && ++count <= digits; });
            } else if(const std::size_t start = c.code == ' ' ? second : at; is_rest(scan(start, end))) {
                next = scan.run(scan.run(start, end, is_rest), end, is_newline);
            } else {
                const std::size_t newline = through_newline(scan, at, end);
                next = newline > at ? newline : blanks(scan, at, end);
            }
        }
        emit(at, next);
        at = next;
    }
}

/// Cuts out the matches of a pattern, and gives both these and what lies between to emit.
/// @param match (at, end) -> bytes matched at `at`, 0 for none
template <class Match, class Emit>
constexpr void cut_out(const scanner& scan, std::size_t at, std::size_t end, Match match, Emit emit) {
    std::size_t from = at; // start of what lies between
    while(at < end) {
        const std::size_t length = match(at, end);
        if(length == 0) {
            at += scan(at, end).length;
            continue;
        }
        if(at > from) {
            emit(from, at);
        }
        emit(at, at + length);
        from = at += length;
    }
    if(end > from) {
        emit(from, end);
    }
}

/// Bytes of \s?X+ at `at`, where X is a class of characters; 0 if there is no such match.
template <class Predicate>
[[nodiscard]] constexpr std::size_t blank_and_run(const scanner& scan, std::size_t at, std::size_t end,
                                                  Predicate accept) {
    const scanned_char c = scan(at, end);
    const std::size_t start = is_space(c) ? at + c.length : at;
    const std::size_t stop = scan.run(start, end, accept);
    return (stop > start ? stop : scan.run(at, end, accept)) - at; // a blank may be of the class itself (U+3000)
}

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
