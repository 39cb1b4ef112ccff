// The four normalization forms of Unicode, lower case, and the classes of characters that Hugging Face's `tokenizers`
// asks of beside the general categories.
//
// The tables are packed texts (codec/normalization_table.hpp), unpacked once per process, at first use, to about 150
// kB. Malformed bytes pass as they are, as characters that nothing combines with. Source: Unicode Standard Annex 15;
// the order of composition is that of section 3.11 of the standard.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/normalization_table.hpp>
#include <tokenworks/codec/unicode.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

enum class normal_form : std::uint8_t { nfc, nfd, nfkc, nfkd };

namespace detail {

/// Reads numbers of a packed text.
class packed_numbers {
public:
    explicit constexpr packed_numbers(std::string_view text) noexcept : text_{text} {}

    [[nodiscard]] constexpr bool empty() const noexcept { return text_.empty(); }
    constexpr std::uint32_t next() noexcept {
        std::uint32_t value = 0;
        for(unsigned shift = 0; !text_.empty(); shift += 5) {
            const char c = text_.front();
            text_.remove_prefix(1);
            const std::uint32_t digit = c <= '+'   ? 62U
                                        : c == '-' ? 63U
                                        : c <= '9' ? static_cast<std::uint32_t>(c - '0')
                                        : c <= 'Z' ? static_cast<std::uint32_t>(c - 'A' + 10)
                                                   : static_cast<std::uint32_t>(c - 'a' + 36);
            value |= (digit & 31) << shift;
            if(digit < 32) {
                break;
            }
        }
        return value;
    }
    constexpr std::int32_t next_signed() noexcept {
        const std::uint32_t value = next();
        return (value & 1) != 0 ? -static_cast<std::int32_t>(value / 2) - 1 : static_cast<std::int32_t>(value / 2);
    }

private:
    std::string_view text_;
};

/// Code points as ranges, in order.
class code_ranges {
public:
    explicit code_ranges(std::string_view packed) {
        char32_t at = 0;
        for(packed_numbers numbers{packed}; !numbers.empty();) {
            const char32_t first = at + numbers.next();
            const char32_t last = first + numbers.next();
            ranges_.push_back({first, last});
            at = last + 1;
        }
    }
    [[nodiscard]] bool contains(char32_t code) const noexcept {
        const auto after = std::partition_point(ranges_.begin(), ranges_.end(),
                                                [&](const auto& range) { return range.first <= code; });
        return after != ranges_.begin() && code <= std::prev(after)->second;
    }

private:
    std::vector<std::pair<char32_t, char32_t>> ranges_;
};

/// Code points and what each is mapped to.
class code_map {
public:
    explicit code_map(std::string_view packed) {
        char32_t at = 0;
        for(packed_numbers numbers{packed}; !numbers.empty();) {
            at += numbers.next();
            entries_.push_back({at, static_cast<char32_t>(static_cast<std::int32_t>(at) + numbers.next_signed())});
        }
    }
    /// What a code point is mapped to; itself where there is no entry.
    [[nodiscard]] char32_t operator()(char32_t code) const noexcept {
        const auto at = std::partition_point(entries_.begin(), entries_.end(),
                                             [&](const auto& entry) { return entry.first < code; });
        return at != entries_.end() && at->first == code ? at->second : code;
    }
    [[nodiscard]] const std::vector<std::pair<char32_t, char32_t>>& entries() const noexcept { return entries_; }

private:
    std::vector<std::pair<char32_t, char32_t>> entries_;
};

inline constexpr char32_t hangul_base = 0xAC00, hangul_l = 0x1100, hangul_v = 0x1161, hangul_t = 0x11A7;
inline constexpr char32_t hangul_count = 11172, hangul_l_count = 19, hangul_v_count = 21, hangul_t_count = 28;

/// Decompositions, compositions and combining classes.
class normalization_tables {
public:
    /// The tables of this process.
    [[nodiscard]] static const normalization_tables& get();

    /// The class by which marks are put in order; 0 for what they follow.
    [[nodiscard]] std::uint8_t combining_class(char32_t code) const noexcept;
    /// Appends the full decomposition of a code point, or the code point.
    void decompose(std::vector<char32_t>& out, char32_t code, bool compatible) const;
    /// What two code points compose to, or 0.
    [[nodiscard]] char32_t compose(char32_t first, char32_t second) const noexcept;
    /// Whether a code point may compose with what stands before it.
    [[nodiscard]] bool is_second(char32_t code) const noexcept {
        return (code >= hangul_v && code < hangul_v + hangul_v_count) ||
               (code > hangul_t && code < hangul_t + hangul_t_count) ||
               std::binary_search(seconds_.begin(), seconds_.end(), code);
    }
    /// Whether a page of 128 code points has none that a form changes, nor a mark.
    [[nodiscard]] bool is_inert(char32_t code) const noexcept {
        return code >= pages_.size() * 128 || !pages_[code / 128];
    }

private:
    struct mapping {
        char32_t code;
        std::uint32_t begin, length; // of pool_
    };
    struct class_range {
        char32_t first, last;
        std::uint8_t value;
    };
    struct composition {
        std::uint64_t pair;
        char32_t whole;
    };

    normalization_tables();

    std::vector<mapping> canonical_, compatible_;
    std::vector<char32_t> pool_, seconds_;
    std::vector<class_range> classes_;
    std::vector<composition> compositions_;
    std::vector<bool> pages_;
};

[[nodiscard]] inline bool changed(bool by_category, const code_ranges& changes, char32_t code) noexcept {
    return by_category != changes.contains(code);
}

} // namespace detail

/// A text in a normalization form.
[[nodiscard]] TOKENWORKS_FUNCTION std::string normalized(std::string_view text, normal_form form);

/// Appends the lower case of a code point: one, but for U+0130, whose are two.
TOKENWORKS_FUNCTION void append_lowercase(std::string& out, char32_t code);

/// The lower case of a code point that has one of its own length; itself otherwise.
[[nodiscard]] TOKENWORKS_FUNCTION char32_t lowercase_of(char32_t code) noexcept;

/// The code points that are equal to this one where case does not matter, itself first.
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<char32_t> case_variants(char32_t code);

// Classes as the library has them; where they differ from the categories of codec/unicode.hpp, its tables are older.
[[nodiscard]] TOKENWORKS_FUNCTION bool is_accent(char32_t code) noexcept;            ///< what StripAccents takes away
[[nodiscard]] TOKENWORKS_FUNCTION bool is_nonspacing_accent(char32_t code) noexcept; ///< what BertNormalizer takes away
[[nodiscard]] TOKENWORKS_FUNCTION bool is_bert_control(char32_t code) noexcept;     ///< but for tab, newline and return
[[nodiscard]] TOKENWORKS_FUNCTION bool is_bert_punctuation(char32_t code) noexcept; ///< and symbols of ASCII
[[nodiscard]] TOKENWORKS_FUNCTION bool is_word_character(char32_t code) noexcept;   ///< \w of Rust's regex crate
[[nodiscard]] TOKENWORKS_FUNCTION bool is_numeric(char32_t code) noexcept;          ///< what Digits cuts out
[[nodiscard]] TOKENWORKS_FUNCTION bool
continues_cluster(char32_t code) noexcept; ///< a grapheme cluster of what stands before it

#if TOKENWORKS_DEFINITIONS

namespace detail {

TOKENWORKS_FUNCTION normalization_tables::normalization_tables() {
    const auto mark_page = [&](char32_t code) {
        if(code / 128 >= pages_.size()) {
            pages_.resize(code / 128 + 1);
        }
        pages_[code / 128] = true;
    };
    std::vector<std::pair<std::uint32_t, std::size_t>> primary; // lengths and places in canonical_ of what composes
    char32_t code = 0;
    for(packed_numbers numbers{decompositions}; !numbers.empty();) {
        code += numbers.next();
        const std::uint32_t tag = numbers.next();
        const auto begin = static_cast<std::uint32_t>(pool_.size());
        for(std::uint32_t i = 0; i < tag / 4; ++i) {
            pool_.push_back(numbers.next());
        }
        mark_page(code);
        if((tag & 1) != 0) {
            compatible_.push_back({code, begin, tag / 4});
            continue;
        }
        canonical_.push_back({code, begin, tag / 4});
        if((tag & 2) == 0) {
            primary.push_back({tag / 4, canonical_.size() - 1});
        }
    }
    // A composite of n characters is that of the first n - 1 with the last one.
    std::stable_sort(primary.begin(), primary.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto by_pair = [](const composition& a, const composition& b) { return a.pair < b.pair; };
    std::size_t sorted = 0;
    for(std::size_t i = 0; i < primary.size(); ++i) {
        if(i == 0 || primary[i].first != primary[i - 1].first) {
            std::sort(compositions_.begin(), compositions_.end(), by_pair);
            sorted = compositions_.size();
        }
        const mapping& m = canonical_[primary[i].second];
        char32_t first = pool_[m.begin];
        for(std::uint32_t j = 1; j + 1 < m.length && first != 0; ++j) {
            const std::uint64_t pair = std::uint64_t{first} << 32 | pool_[m.begin + j];
            const auto end = compositions_.begin() + static_cast<std::ptrdiff_t>(sorted);
            const auto at = std::lower_bound(compositions_.begin(), end, composition{pair, 0}, by_pair);
            first = at != end && at->pair == pair ? at->whole : U'\0';
        }
        if(first != 0) {
            const char32_t second = pool_[m.begin + m.length - 1];
            compositions_.push_back({std::uint64_t{first} << 32 | second, m.code});
            seconds_.push_back(second);
            mark_page(second);
        }
    }
    std::sort(compositions_.begin(), compositions_.end(), by_pair);
    std::sort(seconds_.begin(), seconds_.end());
    seconds_.erase(std::unique(seconds_.begin(), seconds_.end()), seconds_.end());
    char32_t at = 0;
    for(packed_numbers numbers{combining_classes}; !numbers.empty();) {
        const char32_t first = at + numbers.next();
        const char32_t last = first + numbers.next();
        classes_.push_back({first, last, static_cast<std::uint8_t>(numbers.next())});
        at = last + 1;
        for(char32_t c = first; c <= last; ++c) {
            mark_page(c);
        }
    }
    for(char32_t c = hangul_l; c < hangul_t + hangul_t_count; c += 64) {
        mark_page(c);
    }
    for(char32_t c = hangul_base; c < hangul_base + hangul_count; c += 64) {
        mark_page(c);
    }
    mark_page(hangul_base + hangul_count - 1);
}

TOKENWORKS_FUNCTION const normalization_tables& normalization_tables::get() {
    static const normalization_tables tables;
    return tables;
}

TOKENWORKS_FUNCTION std::uint8_t normalization_tables::combining_class(char32_t code) const noexcept {
    const auto after = std::partition_point(classes_.begin(), classes_.end(),
                                            [&](const class_range& range) { return range.first <= code; });
    return after != classes_.begin() && code <= std::prev(after)->last ? std::prev(after)->value : std::uint8_t{0};
}

TOKENWORKS_FUNCTION void normalization_tables::decompose(std::vector<char32_t>& out, char32_t code,
                                                         bool compatible) const {
    if(code >= hangul_base && code < hangul_base + hangul_count) {
        const char32_t index = code - hangul_base;
        out.push_back(hangul_l + index / (hangul_v_count * hangul_t_count));
        out.push_back(hangul_v + index % (hangul_v_count * hangul_t_count) / hangul_t_count);
        if(index % hangul_t_count != 0) {
            out.push_back(hangul_t + index % hangul_t_count);
        }
        return;
    }
    const auto append_from = [&](const std::vector<mapping>& table) {
        const auto at =
            std::partition_point(table.begin(), table.end(), [&](const mapping& m) { return m.code < code; });
        if(at == table.end() || at->code != code) {
            return false;
        }
        const auto begin = pool_.begin() + static_cast<std::ptrdiff_t>(at->begin);
        out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(at->length));
        return true;
    };
    if(!(compatible && append_from(compatible_)) && !append_from(canonical_)) {
        out.push_back(code);
    }
}

TOKENWORKS_FUNCTION char32_t normalization_tables::compose(char32_t first, char32_t second) const noexcept {
    if(first >= hangul_l && first < hangul_l + hangul_l_count) {
        return second >= hangul_v && second < hangul_v + hangul_v_count
                   ? hangul_base + ((first - hangul_l) * hangul_v_count + (second - hangul_v)) * hangul_t_count
                   : U'\0';
    }
    if(first >= hangul_base && first < hangul_base + hangul_count) {
        const bool open = (first - hangul_base) % hangul_t_count == 0;
        return open && second > hangul_t && second < hangul_t + hangul_t_count ? first + (second - hangul_t) : U'\0';
    }
    const std::uint64_t pair = std::uint64_t{first} << 32 | second;
    const auto at = std::partition_point(compositions_.begin(), compositions_.end(),
                                         [&](const composition& c) { return c.pair < pair; });
    return at != compositions_.end() && at->pair == pair ? at->whole : U'\0';
}

/// Characters from one that nothing before combines with to the next such one, put into order and joined.
class normal_segment {
public:
    explicit normal_segment(std::string& out, bool composed) : out_{out}, composed_{composed} {}

    void push(char32_t code, std::uint8_t order) { chars_.push_back({code, order}); }
    [[nodiscard]] bool empty() const noexcept { return chars_.empty(); }

    void flush() {
        std::size_t start = 0; // marks between two characters of class 0 are put in order
        for(std::size_t i = 0; i <= chars_.size(); ++i) {
            if(i == chars_.size() || chars_[i].order == 0) {
                const auto from = chars_.begin() + static_cast<std::ptrdiff_t>(start);
                const auto to = chars_.begin() + static_cast<std::ptrdiff_t>(i);
                std::stable_sort(from, to, [](const item& a, const item& b) { return a.order < b.order; });
                start = i + 1;
            }
        }
        if(composed_ && chars_.size() > 1) {
            compose();
        }
        for(const item& c: chars_) {
            append_utf8(out_, c.code);
        }
        chars_.clear();
    }

private:
    struct item {
        char32_t code;
        std::uint8_t order;
    };

    void compose() {
        const normalization_tables& tables = normalization_tables::get();
        constexpr std::size_t none = ~std::size_t{0};
        std::size_t starter = none;
        std::size_t kept = 0;
        int last = -1; // class of the mark before that did not compose; -1: nothing since the starter
        for(const item c: chars_) {
            if(starter != none && last < static_cast<int>(c.order)) {
                if(const char32_t whole = tables.compose(chars_[starter].code, c.code); whole != 0) {
                    chars_[starter].code = whole;
                    continue;
                }
            }
            if(c.order == 0) {
                starter = kept;
                last = -1;
            } else {
                last = c.order;
            }
            chars_[kept++] = c;
        }
        chars_.resize(kept);
    }

    std::string& out_;
    bool composed_;
    std::vector<item> chars_;
};

} // namespace detail

TOKENWORKS_FUNCTION std::string normalized(std::string_view text, normal_form form) {
    const bool composed = form == normal_form::nfc || form == normal_form::nfkc;
    const bool compatible = form == normal_form::nfkc || form == normal_form::nfkd;
    const char32_t first_changed = form == normal_form::nfc ? 0x300 : 0x80;
    const detail::normalization_tables& tables = detail::normalization_tables::get();
    std::string out;
    out.reserve(text.size());
    detail::normal_segment segment{out, composed};
    std::vector<char32_t> parts;
    for(std::size_t at = 0; at < text.size();) {
        const utf8_char c = decode_utf8(text, at);
        const std::string_view bytes = text.substr(at, c.length);
        at += c.length;
        if(!c.valid) {
            segment.flush();
            out += bytes;
            continue;
        }
        // Most characters stay as they are, unless a mark follows.
        const bool alone = at == text.size() || detail::byte_at(text, at) < 0x80;
        const bool inert = tables.is_inert(c.code);
        if(inert || (alone && c.code < first_changed)) {
            segment.flush();
            if(alone) {
                out += bytes;
            } else {
                segment.push(c.code, 0);
            }
            continue;
        }
        parts.clear();
        tables.decompose(parts, c.code, compatible);
        for(const char32_t part: parts) {
            const std::uint8_t order = tables.combining_class(part);
            if(order == 0 && !(composed && tables.is_second(part))) {
                segment.flush();
            }
            segment.push(part, order);
        }
    }
    segment.flush();
    return out;
}

namespace detail {

[[nodiscard]] inline const code_map& lowercase_map() {
    static const code_map map{lowercase};
    return map;
}
[[nodiscard]] inline const code_map& folding_map() {
    static const code_map map{foldings};
    return map;
}

} // namespace detail

TOKENWORKS_FUNCTION char32_t lowercase_of(char32_t code) noexcept {
    if(code < 0x80) {
        return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
    }
    return detail::lowercase_map()(code);
}

TOKENWORKS_FUNCTION void append_lowercase(std::string& out, char32_t code) {
    if(code == 0x130) {
        out += "i\xCC\x87";
    } else {
        append_utf8(out, lowercase_of(code));
    }
}

namespace detail {

/// Code points by their simple case folding.
class case_groups {
public:
    [[nodiscard]] static const case_groups& get();

    [[nodiscard]] static char32_t fold(char32_t code) {
        const char32_t own = folding_map()(code);
        return own != code ? own : lowercase_of(code);
    }
    /// Those that fold to a code point and are not that one, as a range of pairs.
    [[nodiscard]] std::pair<const std::pair<char32_t, char32_t>*, const std::pair<char32_t, char32_t>*>
    variants(char32_t folded) const noexcept;

private:
    case_groups();

    std::vector<std::pair<char32_t, char32_t>> by_fold_; // folded, variant
};

TOKENWORKS_FUNCTION case_groups::case_groups() {
    for(const code_map* map: {&lowercase_map(), &folding_map()}) {
        for(const auto& entry: map->entries()) {
            by_fold_.push_back({fold(entry.first), entry.first});
        }
    }
    for(char32_t c = 'A'; c <= 'Z'; ++c) {
        by_fold_.push_back({fold(c), c});
    }
    std::erase_if(by_fold_, [](const auto& pair) { return pair.first == pair.second; });
    std::sort(by_fold_.begin(), by_fold_.end());
    by_fold_.erase(std::unique(by_fold_.begin(), by_fold_.end()), by_fold_.end());
}

TOKENWORKS_FUNCTION const case_groups& case_groups::get() {
    static const case_groups groups;
    return groups;
}

TOKENWORKS_FUNCTION std::pair<const std::pair<char32_t, char32_t>*, const std::pair<char32_t, char32_t>*>
case_groups::variants(char32_t folded) const noexcept {
    const auto less = [](const auto& pair, char32_t code) { return pair.first < code; };
    const auto begin = std::lower_bound(by_fold_.begin(), by_fold_.end(), folded, less);
    const auto end = std::lower_bound(begin, by_fold_.end(), folded + 1, less);
    return {by_fold_.data() + (begin - by_fold_.begin()), by_fold_.data() + (end - by_fold_.begin())};
}

} // namespace detail

TOKENWORKS_FUNCTION std::vector<char32_t> case_variants(char32_t code) {
    std::vector<char32_t> all{code};
    const char32_t folded = detail::case_groups::fold(code);
    if(folded != code) {
        all.push_back(folded);
    }
    for(auto [at, end] = detail::case_groups::get().variants(folded); at != end; ++at) {
        if(at->second != code) {
            all.push_back(at->second);
        }
    }
    return all;
}

TOKENWORKS_FUNCTION bool is_accent(char32_t code) noexcept {
    static const detail::code_ranges changes{detail::accent_changes};
    return detail::changed(class_of(code) == char_class::mark, changes, code);
}
TOKENWORKS_FUNCTION bool is_nonspacing_accent(char32_t code) noexcept {
    static const detail::code_ranges changes{detail::nonspacing_changes};
    return detail::changed(category(code) == general_category::mn, changes, code);
}
TOKENWORKS_FUNCTION bool is_bert_control(char32_t code) noexcept {
    static const detail::code_ranges changes{detail::control_changes};
    const general_category c = category(code);
    const bool control = c == general_category::cc || c == general_category::cf || c == general_category::co;
    return detail::changed(control || code == replacement_character, changes, code);
}
TOKENWORKS_FUNCTION bool is_bert_punctuation(char32_t code) noexcept {
    if(code < 0x80) {
        return class_of(code) == char_class::punctuation || class_of(code) == char_class::symbol;
    }
    static const detail::code_ranges changes{detail::punctuation_changes};
    return detail::changed(class_of(code) == char_class::punctuation, changes, code);
}
TOKENWORKS_FUNCTION bool is_word_character(char32_t code) noexcept {
    static const detail::code_ranges changes{detail::word_changes};
    const char_class kind = class_of(code);
    const general_category c = category(code);
    return detail::changed(kind == char_class::letter || kind == char_class::mark || c == general_category::nd ||
                               c == general_category::pc,
                           changes, code);
}
TOKENWORKS_FUNCTION bool is_numeric(char32_t code) noexcept {
    static const detail::code_ranges changes{detail::numeric_changes};
    return detail::changed(class_of(code) == char_class::number, changes, code);
}
TOKENWORKS_FUNCTION bool continues_cluster(char32_t code) noexcept {
    static const detail::code_ranges changes{detail::cluster_changes};
    return code >= 0x300 && detail::changed(class_of(code) == char_class::mark, changes, code);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
