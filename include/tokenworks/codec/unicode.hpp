// Character classes of Unicode code points, as the pre-tokenizers' regular expressions use them.
//
// The table is generated (tools/unicode/make_table.py) from the classes that the reference tokenizers see. One lookup
// is two loads; ASCII takes the same way. Whitespace is \s of those expressions: the White_Space property.
#pragma once

#include <cstdint>

#include <tokenworks/codec/unicode_table.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// General categories of the Unicode standard, by their two-letter names: cn is unassigned, lu an uppercase letter ...
enum class general_category : std::uint8_t {
    cn,
    lu,
    ll,
    lt,
    lm,
    lo,
    mn,
    mc,
    me,
    nd,
    nl,
    no,
    pc,
    pd,
    ps,
    pe,
    pi,
    pf,
    po,
    sm,
    sc,
    sk,
    so,
    zs,
    zl,
    zp,
    cc,
    cf,
    cs,
    co
};

/// The category of a code point; cn above U+10FFFF.
[[nodiscard]] constexpr general_category category(char32_t cp) noexcept {
    using namespace detail;
    if((cp >= 0xD800 && cp < 0xF900) || cp >= 0xF0000) {
        if(cp < 0xE000) {
            return general_category::cs;
        }
        // Private use: U+E000..U+F8FF, and planes 15 and 16 but for their last two code points.
        const bool assigned = cp < 0xF900 || ((cp & 0xFFFE) != 0xFFFE && cp < 0x110000);
        return assigned ? general_category::co : general_category::cn;
    }
    if(cp >= unicode_limit) {
        if(cp < unicode_tags_begin || cp >= unicode_tags_end) {
            return general_category::cn;
        }
        cp = cp - unicode_tags_begin + unicode_limit;
    }
    const std::uint32_t at = cp / unicode_page_size;
    const auto high = static_cast<std::uint32_t>(unicode_index[2 * at] - '@');
    const auto low = static_cast<std::uint32_t>(unicode_index[2 * at + 1] - '@');
    const std::uint32_t page = high * unicode_base + low;
    return static_cast<general_category>(unicode_pages[page * unicode_page_size + cp % unicode_page_size] - '@');
}

/// The classes that matter for splitting text; each code point is in exactly one.
enum class char_class : std::uint8_t {
    other,       ///< none of the following: controls, formats, unassigned
    letter,      ///< \p{L}
    mark,        ///< \p{M}
    number,      ///< \p{N}
    punctuation, ///< \p{P}
    symbol,      ///< \p{S}
    space,       ///< \s
    none         ///< no character: past the end of a text
};

[[nodiscard]] constexpr char_class class_of(char32_t cp) noexcept {
    const general_category c = category(cp);
    if(c >= general_category::lu && c <= general_category::lo) {
        return char_class::letter;
    }
    if(c >= general_category::zs && c <= general_category::zp) {
        return char_class::space;
    }
    if(c == general_category::cc) {
        return (cp >= 9 && cp <= 13) || cp == 0x85 ? char_class::space : char_class::other;
    }
    if(c >= general_category::mn && c <= general_category::me) {
        return char_class::mark;
    }
    if(c >= general_category::nd && c <= general_category::no) {
        return char_class::number;
    }
    if(c >= general_category::pc && c <= general_category::po) {
        return char_class::punctuation;
    }
    return c >= general_category::sm && c <= general_category::so ? char_class::symbol : char_class::other;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
