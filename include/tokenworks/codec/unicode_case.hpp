// Upper, lower and title case of text, as the string methods of Python have them: some characters become two or three,
// and a capital sigma at the end of a word becomes a final one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <tokenworks/codec/unicode.hpp>
#include <tokenworks/codec/unicode_case_table.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

enum class letter_case : std::uint8_t { lower, upper, title };

/// Appends what a character becomes.
void append_in_case(std::string& out, char32_t code, letter_case wanted);

/// Appends what the character at byte `at` of a text becomes in lower case, which its neighbours may decide. A
/// malformed byte stays.
void append_lower(std::string& out, std::string_view text, std::size_t at);

/// Whether a character has a case (Lu, Ll or Lt).
[[nodiscard]] constexpr bool is_cased(char32_t code) noexcept {
    const general_category c = category(code);
    return c == general_category::lu || c == general_category::ll || c == general_category::lt;
}

#if TOKENWORKS_DEFINITIONS

namespace detail {

inline void append_changed(std::string& out, char32_t code, std::span<const case_run> runs,
                           std::span<const case_several> several) {
    std::size_t low = 0;
    std::size_t high = runs.size();
    while(low < high) { // the last run that begins at or before the character
        const std::size_t middle = (low + high) / 2;
        if(runs[middle].first <= code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if(low > 0) {
        const case_run& run = runs[low - 1];
        const std::uint32_t offset = static_cast<std::uint32_t>(code) - run.first;
        if(offset % run.stride == 0 && offset / run.stride < run.count) {
            append_utf8(out, static_cast<char32_t>(static_cast<std::int64_t>(code) + run.distance));
            return;
        }
    }
    for(const case_several& each: several) {
        if(each.code == code) {
            for(const char32_t made: each.made) {
                if(made != 0) {
                    append_utf8(out, made);
                }
            }
            return;
        }
    }
    append_utf8(out, code);
}

} // namespace detail

TOKENWORKS_FUNCTION void append_in_case(std::string& out, char32_t code, letter_case wanted) {
    if(code < 0x80) {
        const bool lower = code >= 'a' && code <= 'z';
        const bool upper = code >= 'A' && code <= 'Z';
        const bool change = wanted == letter_case::lower ? upper : lower;
        out += static_cast<char>(change ? code ^ 0x20 : code);
        return;
    }
    switch(wanted) {
    case letter_case::lower:
        return detail::append_changed(out, code, detail::lower_runs, detail::lower_several);
    case letter_case::upper:
        return detail::append_changed(out, code, detail::upper_runs, detail::upper_several);
    case letter_case::title:
        return detail::append_changed(out, code, detail::title_runs, detail::title_several);
    }
}

TOKENWORKS_FUNCTION void append_lower(std::string& out, std::string_view text, std::size_t at) {
    constexpr char32_t capital_sigma = 0x3A3;
    const utf8_char c = decode_utf8(text, at);
    if(!c.valid) {
        out += text[at];
        return;
    }
    if(c.code != capital_sigma) {
        append_in_case(out, c.code, letter_case::lower);
        return;
    }
    // Final: a cased letter before it, none after it, marks and the like aside.
    const auto passed_over = [](char32_t code) {
        const general_category g = category(code);
        return g == general_category::mn || g == general_category::me || g == general_category::cf ||
               g == general_category::lm || g == general_category::sk || code == '\'' || code == '.' || code == ':' ||
               code == 0xB7 || code == 0x2018 || code == 0x2019 || code == 0x2024 || code == 0x2027;
    };
    bool before = false;
    for(std::size_t p = at; p > 0;) {
        const std::size_t end = p;
        for(--p; p > 0 && end - p < 4 && (static_cast<unsigned char>(text[p]) & 0xC0) == 0x80;) {
            --p;
        }
        const utf8_char previous = decode_utf8(text, p);
        if(!passed_over(previous.code)) {
            before = is_cased(previous.code);
            break;
        }
    }
    bool after = false;
    for(std::size_t p = at + c.length; before && p < text.size();) {
        const utf8_char following = decode_utf8(text, p);
        if(!passed_over(following.code)) {
            after = is_cased(following.code);
            break;
        }
        p += following.length;
    }
    append_utf8(out, before && !after ? 0x3C2 : 0x3C3);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
