// What a regular expression is compiled to: classes of characters, and instructions of a backtracking machine. Made by
// codec/regex_compiler.hpp, run by codec/regex.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <tokenworks/codec/normalization.hpp>
#include <tokenworks/codec/unicode.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::detail {

/// A class of characters: what any of its items has, and all of the sets in `also`; negated or not.
struct regex_set {
    enum class kind : std::uint8_t { range, categories, space, named, nested };
    struct item {
        kind what = kind::range;
        bool negated = false;
        std::uint32_t first = 0; ///< of a range; else a mask of general_category, a named set, or a set
        std::uint32_t last = 0;
    };
    std::vector<item> any;
    std::vector<std::uint32_t> also;
    bool negated = false;
    bool any_case = false;
    std::array<bool, 128> ascii{}; ///< the answer for each of ASCII
};

enum class regex_code : std::uint8_t {
    one,         ///< a character of set x
    literal,     ///< the character x
    run,         ///< characters of set x, least to most
    split,       ///< try x, then y
    jump,        ///< to x
    look,        ///< the program at x matches here (flag: it does not), up to `match`
    look_one,    ///< the next character is of set x (flag: it is not, or there is none)
    look_behind, ///< the program at x matches the `least` characters before (flag: it does not)
    atomic,      ///< the program at x, its first match only
    save,        ///< register x = place
    check,       ///< fails if register x is the place: a round of a loop that took nothing
    line_begin,
    line_end,
    text_begin,
    text_end,
    text_end_or_newline,
    word_border, ///< flag: there is none
    match,
};

enum class regex_mode : std::uint8_t { greedy, lazy, possessive };

struct regex_instruction {
    regex_code code = regex_code::match;
    regex_mode mode = regex_mode::greedy;
    bool flag = false;
    std::uint32_t x = 0, y = 0;
    std::uint32_t least = 0, most = 0;
};

struct regex_program {
    std::vector<regex_instruction> code;
    std::vector<regex_set> sets;
    std::uint32_t registers = 0;

    [[nodiscard]] bool contains(std::uint32_t set, char32_t c) const {
        return c < 128 ? sets[set].ascii[c] : evaluate(set, c);
    }
    /// The same, without the table.
    [[nodiscard]] bool evaluate(std::uint32_t set, char32_t c) const;

private:
    [[nodiscard]] bool has(const regex_set& set, char32_t c) const;
};

/// Bits of general_category that a name stands for: "L", "Lu", "Letter"; 0 for no such name. Lower case, without '_'.
[[nodiscard]] constexpr std::uint32_t category_mask(std::string_view name) noexcept {
    struct entry {
        std::string_view name;
        general_category first, last;
    };
    using enum general_category;
    constexpr std::array table{
        entry{"l", lu, lo},         entry{"letter", lu, lo},
        entry{"lu", lu, lu},        entry{"uppercaseletter", lu, lu},
        entry{"ll", ll, ll},        entry{"lowercaseletter", ll, ll},
        entry{"lt", lt, lt},        entry{"titlecaseletter", lt, lt},
        entry{"lm", lm, lm},        entry{"modifierletter", lm, lm},
        entry{"lo", lo, lo},        entry{"otherletter", lo, lo},
        entry{"m", mn, me},         entry{"mark", mn, me},
        entry{"mn", mn, mn},        entry{"mc", mc, mc},
        entry{"me", me, me},        entry{"n", nd, no},
        entry{"number", nd, no},    entry{"nd", nd, nd},
        entry{"digit", nd, nd},     entry{"decimalnumber", nd, nd},
        entry{"nl", nl, nl},        entry{"no", no, no},
        entry{"p", pc, po},         entry{"punctuation", pc, po},
        entry{"pc", pc, pc},        entry{"pd", pd, pd},
        entry{"ps", ps, ps},        entry{"pe", pe, pe},
        entry{"pi", pi, pi},        entry{"pf", pf, pf},
        entry{"po", po, po},        entry{"s", sm, so},
        entry{"symbol", sm, so},    entry{"sm", sm, sm},
        entry{"sc", sc, sc},        entry{"sk", sk, sk},
        entry{"so", so, so},        entry{"z", zs, zp},
        entry{"separator", zs, zp}, entry{"zs", zs, zs},
        entry{"zl", zl, zl},        entry{"zp", zp, zp},
        entry{"cc", cc, cc},        entry{"cntrl", cc, cc},
        entry{"cf", cf, cf},        entry{"cs", cs, cs},
        entry{"co", co, co},        entry{"cn", cn, cn},
    };
    for(const entry& e: table) {
        if(e.name == name) {
            std::uint32_t mask = 0;
            for(auto c = static_cast<unsigned>(e.first); c <= static_cast<unsigned>(e.last); ++c) {
                mask |= std::uint32_t{1} << c;
            }
            return mask;
        }
    }
    if(name == "c" || name == "other") {
        return category_mask("cc") | category_mask("cf") | category_mask("cn") | category_mask("co") |
               category_mask("cs");
    }
    if(name == "punct") {
        return category_mask("p");
    }
    return name == "any" ? ~std::uint32_t{0} : 0;
}

/// Sets of characters with a table of their own: scripts, and properties that are no union of categories. Number of one
/// by its name in lower case, or named_set_count.
[[nodiscard]] TOKENWORKS_FUNCTION std::size_t named_set(std::string_view name) noexcept;

inline constexpr std::size_t named_set_count = 16;

#if TOKENWORKS_DEFINITIONS

/// What has a category of a mask; but for code points of the ranges, where it is the other way round.
struct named_set_entry {
    std::string_view name;
    std::uint32_t mask;
    std::string_view changes;
};
inline constexpr std::uint32_t letters_mask = category_mask("l") | category_mask("nl");
inline constexpr std::array<named_set_entry, named_set_count> named_sets{{
    {"word", letters_mask | category_mask("m") | category_mask("nd") | category_mask("pc"), regex_word_changes},
    {"alpha", letters_mask, alphabetic_changes},
    {"alphabetic", letters_mask, alphabetic_changes},
    {"upper", category_mask("lu"), uppercase_changes},
    {"lower", category_mask("ll"), lowercase_changes},
    {"han", 0, script_han},
    {"hiragana", 0, script_hiragana},
    {"katakana", 0, script_katakana},
    {"hangul", 0, script_hangul},
    {"latin", 0, script_latin},
    {"greek", 0, script_greek},
    {"cyrillic", 0, script_cyrillic},
    {"arabic", 0, script_arabic},
    {"hebrew", 0, script_hebrew},
    {"thai", 0, script_thai},
    {"devanagari", 0, script_devanagari},
}};

TOKENWORKS_FUNCTION std::size_t named_set(std::string_view name) noexcept {
    return static_cast<std::size_t>(
        std::find_if(named_sets.begin(), named_sets.end(), [&](const named_set_entry& s) { return s.name == name; }) -
        named_sets.begin());
}

/// @pre which < named_set_count
[[nodiscard]] inline bool in_named_set(std::size_t which, char32_t c) {
    static const std::vector<code_ranges> changes = [] {
        std::vector<code_ranges> all;
        all.reserve(named_sets.size());
        for(const named_set_entry& s: named_sets) {
            all.emplace_back(s.changes);
        }
        return all;
    }();
    const bool by_category = (named_sets[which].mask >> static_cast<unsigned>(category(c)) & 1) != 0;
    return by_category != changes[which].contains(c);
}

/// \w of Oniguruma has, outside of brackets, the superscripts and fractions of Latin-1 as well.
[[nodiscard]] inline bool is_regex_word(char32_t c) {
    return in_named_set(0, c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || (c >= 0xBC && c <= 0xBE);
}

TOKENWORKS_FUNCTION bool regex_program::evaluate(std::uint32_t which, char32_t c) const {
    const regex_set& set = sets[which];
    if(!set.any_case) {
        return has(set, c) != set.negated;
    }
    const std::vector<char32_t> variants = case_variants(c);
    return std::any_of(variants.begin(), variants.end(), [&](char32_t v) { return has(set, v); }) != set.negated;
}

TOKENWORKS_FUNCTION bool regex_program::has(const regex_set& set, char32_t c) const {
    using enum regex_set::kind;
    const auto holds = [&](const regex_set::item& i) {
        switch(i.what) {
        case range:
            return c >= i.first && c <= i.last;
        case categories:
            return (i.first >> static_cast<unsigned>(category(c)) & 1) != 0;
        case space:
            return class_of(c) == char_class::space;
        case named:
            return in_named_set(i.first, c);
        case nested:
            return evaluate(i.first, c);
        }
        return false;
    };
    return std::any_of(set.any.begin(), set.any.end(),
                       [&](const regex_set::item& i) { return holds(i) != i.negated; }) &&
           std::all_of(set.also.begin(), set.also.end(), [&](std::uint32_t s) { return evaluate(s, c); });
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::detail
