// The methods of Python's strings, on texts that keep the trust of their characters.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_blanks.hpp>
#include <tokenworks/codec/jinja_format.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_print.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/codec/unicode_case.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// A method by its name; nothing if strings have none of this name.
[[nodiscard]] const builtin* string_method(std::string_view name);

/// Characters that strip takes: blanks without `set`.
[[nodiscard]] text strip(const text& content, const text* set, bool left, bool right);
[[nodiscard]] text in_case(machine& m, const text& content, letter_case wanted);
/// The first character in title case, the rest in lower case.
[[nodiscard]] text capitalized(machine& m, const text& content);
/// Every part of a text between separators; without a separator, between blanks. @param most  splits, or -1
[[nodiscard]] value::list_type split(machine& m, const string_object& s, const text* separator, std::int64_t most,
                                     bool from_right);
/// str.splitlines()
[[nodiscard]] value::list_type split_lines(machine& m, const string_object& s, bool keep_ends);
[[nodiscard]] text replace(machine& m, const text& content, std::string_view old, const text& with, std::int64_t most);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION text strip(const text& content, const text* set, bool left, bool right) {
    const std::string_view bytes = content.view();
    const auto goes = [&](std::size_t at, std::size_t length) {
        if(set == nullptr) {
            return is_blank(decode_utf8(bytes, at).code);
        }
        for(std::size_t i = 0; i < set->size();) {
            const std::size_t size = decode_utf8(set->view(), i).length;
            if(set->view().substr(i, size) == bytes.substr(at, length)) {
                return true;
            }
            i += size;
        }
        return false;
    };
    std::size_t begin = 0;
    std::size_t end = bytes.size();
    while(left && begin < end) {
        const std::size_t length = decode_utf8(bytes, begin).length;
        if(!goes(begin, length)) {
            break;
        }
        begin += length;
    }
    while(right && begin < end) {
        std::size_t last = end - 1;
        while(last > begin && end - last < 4 && (static_cast<unsigned char>(bytes[last]) & 0xC0) == 0x80) {
            --last;
        }
        if(decode_utf8(bytes.substr(0, end), last).length != end - last) {
            last = end - 1; // a malformed byte is a character of its own
        }
        if(!goes(last, end - last)) {
            break;
        }
        end = last;
    }
    return content.sub(begin, end);
}

TOKENWORKS_FUNCTION text in_case(machine& m, const text& content, letter_case wanted) {
    const std::string_view bytes = content.view();
    m.step(bytes.size() / 8);
    text out;
    std::string changed;
    bool inside = false; // of a word, for titles
    for(std::size_t at = 0; at < bytes.size();) {
        const utf8_char c = decode_utf8(bytes, at);
        changed.clear();
        if(!c.valid) {
            changed += bytes[at];
        } else if(wanted == letter_case::lower || (wanted == letter_case::title && inside)) {
            append_lower(changed, bytes, at);
        } else {
            append_in_case(changed, c.code, wanted);
        }
        inside = is_cased(c.code);
        out.append(changed, content.trusted(at, at + c.length));
        at += c.length;
    }
    return out;
}

TOKENWORKS_FUNCTION text capitalized(machine& m, const text& content) {
    const std::string_view bytes = content.view();
    text out;
    m.step(bytes.size() / 8);
    for(std::size_t at = 0; at < bytes.size();) {
        const utf8_char c = decode_utf8(bytes, at);
        std::string changed;
        if(at == 0 && c.valid) {
            append_in_case(changed, c.code, letter_case::title);
        } else {
            append_lower(changed, bytes, at);
        }
        out.append(changed, content.trusted(at, at + c.length));
        at += c.length;
    }
    return out;
}

namespace detail {

inline value::list_type split_blanks(machine& m, const string_object& s, std::int64_t most, bool from_right) {
    const std::string_view bytes = s.content.view();
    // Words first: (begin, end).
    std::vector<std::pair<std::size_t, std::size_t>> words;
    for(std::size_t at = leading_blanks(bytes); at < bytes.size();) {
        std::size_t end = at;
        while(end < bytes.size() && !is_blank(decode_utf8(bytes, end).code)) {
            end += decode_utf8(bytes, end).length;
        }
        words.emplace_back(at, end);
        at = end + leading_blanks(bytes.substr(end));
    }
    m.step(words.size());
    m.need(words.size(), sizeof(string_object));
    value::list_type parts;
    const auto cut = [&](std::size_t from, std::size_t to) {
        parts.push_back(m.make(s.content.sub(from, to), s.markup));
    };
    const bool limited = most >= 0 && static_cast<std::size_t>(most) < words.size();
    const std::size_t splits = limited ? static_cast<std::size_t>(most) : words.size();
    const std::size_t joined = words.size() - splits; // words that stay in one part, with what is beside it
    if(limited && from_right) {
        cut(0, words[joined - 1].second);
    }
    for(std::size_t i = 0; i < splits; ++i) {
        const auto& word = words[from_right ? joined + i : i];
        cut(word.first, word.second);
    }
    if(limited && !from_right) {
        cut(words[splits].first, bytes.size());
    }
    return parts;
}

} // namespace detail

TOKENWORKS_FUNCTION value::list_type split(machine& m, const string_object& s, const text* separator, std::int64_t most,
                                           bool from_right) {
    m.step(s.content.size() / 16);
    if(separator == nullptr) {
        return detail::split_blanks(m, s, most, from_right);
    }
    const std::string_view bytes = s.content.view();
    const std::string_view mark = separator->view();
    if(mark.empty()) {
        m.fail("the separator is empty");
    }
    std::vector<std::size_t> cuts; // where separators begin
    if(from_right) {
        for(std::size_t end = bytes.size(); end >= mark.size() && most != 0; --most) {
            const std::size_t at = bytes.rfind(mark, end - mark.size());
            if(at == bytes.npos) {
                break;
            }
            cuts.push_back(at);
            end = at;
        }
        std::reverse(cuts.begin(), cuts.end());
    } else {
        for(std::size_t at = bytes.find(mark); at != bytes.npos && most != 0; at = bytes.find(mark, at + mark.size())) {
            cuts.push_back(at);
            --most;
        }
    }
    m.step(cuts.size());
    m.need(cuts.size(), sizeof(string_object) + sizeof(value));
    value::list_type parts;
    std::size_t from = 0;
    for(const std::size_t at: cuts) {
        parts.push_back(m.make(s.content.sub(from, at), s.markup));
        from = at + mark.size();
    }
    parts.push_back(m.make(s.content.sub(from, bytes.size()), s.markup));
    return parts;
}

TOKENWORKS_FUNCTION value::list_type split_lines(machine& m, const string_object& s, bool keep_ends) {
    const std::string_view bytes = s.content.view();
    m.step(bytes.size() / 16);
    value::list_type lines;
    std::size_t from = 0;
    for(std::size_t at = 0; at < bytes.size();) {
        const utf8_char c = decode_utf8(bytes, at);
        const std::size_t end_of_text = at;
        at += c.length;
        const bool ends = (c.code >= 10 && c.code <= 13) || (c.code >= 0x1C && c.code <= 0x1E) || c.code == 0x85 ||
                          c.code == 0x2028 || c.code == 0x2029;
        if(!ends) {
            continue;
        }
        at += c.code == '\r' && at < bytes.size() && bytes[at] == '\n' ? std::size_t{1} : std::size_t{0};
        lines.push_back(m.make(s.content.sub(from, keep_ends ? at : end_of_text), s.markup));
        from = at;
    }
    if(from < bytes.size()) {
        lines.push_back(m.make(s.content.sub(from, bytes.size()), s.markup));
    }
    return lines;
}

TOKENWORKS_FUNCTION text replace(machine& m, const text& content, std::string_view old, const text& with,
                                 std::int64_t most) {
    const std::string_view bytes = content.view();
    m.step(bytes.size() / 16);
    text out;
    std::size_t from = 0;
    std::size_t at = old.empty() ? 0 : bytes.find(old);
    while(at != bytes.npos && most != 0) {
        out.append(content, from, at);
        out.append(with);
        m.step();
        m.check(out.size());
        --most;
        from = at + old.size();
        if(!old.empty()) {
            at = bytes.find(old, from);
        } else { // before every character, and at the end
            at = at < bytes.size() ? at + decode_utf8(bytes, at).length : bytes.npos;
        }
    }
    out.append(content, from, bytes.size());
    return out;
}

namespace detail {

inline value same_kind(machine& m, const value& self, text content) {
    return m.make(std::move(content), self.string().markup);
}

inline const text* optional_text(machine& m, const bound& given, std::size_t i) {
    return given[i].is(kind::none) ? nullptr : &given.string(m, i).content;
}

inline value strip_method(machine& m, const value& self, const bound& given, bool left, bool right) {
    const text* const set = optional_text(m, given, 0);
    m.step(self.view().size() / 64 * (set == nullptr ? 1 : 1 + set->size()));
    return same_kind(m, self, strip(self.string().content, set, left, right));
}

inline value split_method(machine& m, const value& self, const bound& given, bool from_right) {
    const std::int64_t most = given.integer(m, 1, -1);
    return m.make_list(split(m, self.string(), optional_text(m, given, 0), most, from_right), false);
}

/// startswith and endswith: one text or a tuple of them.
inline value ends_method(machine& m, const value& self, const bound& given, bool start) {
    const auto matches = [&](const value& v) {
        if(!v.is(kind::string)) {
            m.refuse("a string is needed", v);
        }
        return start ? self.view().starts_with(v.view()) : self.view().ends_with(v.view());
    };
    if(!given[0].is(kind::list)) {
        return truth_value(matches(given[0]));
    }
    bool any = false;
    for(const value& each: given[0].items()) {
        any = any || matches(each);
    }
    return truth_value(any);
}

/// find, rfind, index and rindex: a place in characters.
inline value find_method(machine& m, const value& self, const bound& given, bool from_right, bool must) {
    const std::string_view sought = given.string(m, 0).content.view();
    m.step(self.view().size() / 16);
    const std::size_t at = from_right ? self.view().rfind(sought) : self.view().find(sought);
    if(at == std::string_view::npos) {
        if(must) {
            m.fail("the text is not found");
        }
        return made_of(std::int64_t{-1});
    }
    std::int64_t place = 0;
    for(std::size_t p = 0; p < at; ++place) {
        p += decode_utf8(self.view(), p).length;
    }
    return made_of(place);
}

/// Whether all characters are of a kind, and there is one.
template <class Is>
value all_method(const value& self, Is is) {
    bool all = !self.view().empty();
    for(std::size_t at = 0; at < self.view().size() && all;) {
        const utf8_char c = decode_utf8(self.view(), at);
        all = is(c.code);
        at += c.length;
    }
    return truth_value(all);
}

inline bool is_letter(char32_t code) { return class_of(code) == char_class::letter; }
inline bool is_digit(char32_t code) { return category(code) == general_category::nd; }

/// islower and isupper: some character has a case, and none has another one.
inline value case_method(const value& self, general_category wanted) {
    bool any = false;
    for(std::size_t at = 0; at < self.view().size();) {
        const utf8_char c = decode_utf8(self.view(), at);
        if(is_cased(c.code)) {
            if(category(c.code) != wanted) {
                return truth_value(false);
            }
            any = true;
        }
        at += c.length;
    }
    return truth_value(any);
}

/// center, ljust, rjust and zfill.
inline value pad_method(machine& m, const value& self, const bound& given, char align) {
    const std::int64_t width = given.integer(m, 0, 0);
    const auto characters = static_cast<std::int64_t>(self.string().characters);
    const text fill = given.has(1) ? given.string(m, 1).content : text{align == '0' ? "0" : " ", true};
    const std::size_t missing = width > characters ? static_cast<std::size_t>(width - characters) : 0;
    m.need(missing, fill.size());
    // str.center puts the odd one on the left where the width is odd.
    const std::size_t left = align == '<'   ? 0
                             : align == '^' ? missing / 2 + (missing & static_cast<std::size_t>(width) & 1)
                                            : missing;
    const text& content = self.string().content;
    const bool sign = align == '0' && !content.empty() && (content.view()[0] == '-' || content.view()[0] == '+');
    text out;
    out.append(content, 0, sign ? 1 : 0);
    for(std::size_t i = 0; i < missing; ++i) {
        if(i == left) {
            out.append(content, sign ? 1 : 0, content.size());
        }
        out.append(fill);
    }
    if(left >= missing) {
        out.append(content, sign ? 1 : 0, content.size());
    }
    return same_kind(m, self, std::move(out));
}

inline value partition_method(machine& m, const value& self, const bound& given, bool from_right) {
    const string_object& mark = given.string(m, 0);
    const std::string_view bytes = self.view();
    if(mark.content.empty()) {
        m.fail("the separator is empty");
    }
    const std::size_t at = from_right ? bytes.rfind(mark.content.view()) : bytes.find(mark.content.view());
    const text& all = self.string().content;
    value::list_type parts;
    if(at == bytes.npos) {
        parts = {self, same_kind(m, self, text{}), same_kind(m, self, text{})};
        if(from_right) {
            std::swap(parts[0], parts[2]);
        }
    } else {
        const std::size_t past = at + mark.content.size();
        parts = {same_kind(m, self, all.sub(0, at)), same_kind(m, self, all.sub(at, past)),
                 same_kind(m, self, all.sub(past, all.size()))};
    }
    return m.make_list(std::move(parts), false, flavour::tuple);
}

inline value join_method(machine& m, const value& self, const bound& given) {
    const bool markup = self.string().markup;
    text out;
    bool first = true;
    for(const value& item: items_of(m, given[0])) {
        if(!first) {
            out.append(self.string().content);
        }
        first = false;
        if(!item.is(kind::string)) {
            m.refuse("join needs strings", item);
        }
        m.step(1 + item.view().size() / 64);
        append_part(out, item.string(), markup);
        m.check(out.size());
    }
    return same_kind(m, self, std::move(out));
}

inline value replace_method(machine& m, const value& self, const bound& given) {
    const string_object& with = given.string(m, 1);
    const bool escape = self.string().markup && !with.markup;
    return same_kind(m, self,
                     replace(m, self.string().content, given.string(m, 0).content.view(),
                             escape ? escape_markup(with.content) : with.content, given.integer(m, 2, -1)));
}

inline value count_method(machine& m, const value& self, const bound& given) {
    const std::string_view sought = given.string(m, 0).content.view();
    m.step(self.view().size() / 16);
    if(sought.empty()) {
        return made_of(static_cast<std::int64_t>(self.string().characters + 1));
    }
    std::int64_t count = 0;
    for(std::size_t at = self.view().find(sought); at != std::string_view::npos; ++count) {
        at = self.view().find(sought, at + sought.size());
    }
    return made_of(count);
}

inline value affix_method(machine& m, const value& self, const bound& given, bool start) {
    const std::string_view affix = given.string(m, 0).content.view();
    const text& all = self.string().content;
    if(start && self.view().starts_with(affix)) {
        return same_kind(m, self, all.sub(affix.size(), all.size()));
    }
    const bool ends = !start && self.view().ends_with(affix);
    return same_kind(m, self, all.sub(0, all.size() - (ends ? affix.size() : 0)));
}

// clang-format off
/// In a function, as a file that includes this one and calls nothing is then spared them.
inline std::span<const builtin> all_string_methods() {
    static constexpr builtin all[] = {
    {"strip", "chars", 0, [](machine& m, const value& s, const bound& a) { return strip_method(m, s, a, true, true); }},
    {"lstrip", "chars", 0, [](machine& m, const value& s, const bound& a) { return strip_method(m, s, a, true, false); }},
    {"rstrip", "chars", 0, [](machine& m, const value& s, const bound& a) { return strip_method(m, s, a, false, true); }},
    {"split", "sep maxsplit", 0, [](machine& m, const value& s, const bound& a) { return split_method(m, s, a, false); }},
    {"rsplit", "sep maxsplit", 0, [](machine& m, const value& s, const bound& a) { return split_method(m, s, a, true); }},
    {"splitlines", "keepends", 0, [](machine& m, const value& s, const bound& a) { return m.make_list(split_lines(m, s.string(), is_true(a[0])), false); }},
    {"startswith", "prefix", 1, [](machine& m, const value& s, const bound& a) { return ends_method(m, s, a, true); }},
    {"endswith", "suffix", 1, [](machine& m, const value& s, const bound& a) { return ends_method(m, s, a, false); }},
    {"replace", "old new count", 2, replace_method},
    {"join", "iterable", 1, join_method},
    {"upper", "", 0, [](machine& m, const value& s, const bound&) { return same_kind(m, s, in_case(m, s.string().content, letter_case::upper)); }},
    {"lower", "", 0, [](machine& m, const value& s, const bound&) { return same_kind(m, s, in_case(m, s.string().content, letter_case::lower)); }},
    {"title", "", 0, [](machine& m, const value& s, const bound&) { return same_kind(m, s, in_case(m, s.string().content, letter_case::title)); }},
    {"capitalize", "", 0, [](machine& m, const value& s, const bound&) { return same_kind(m, s, capitalized(m, s.string().content)); }},
    {"find", "sub", 1, [](machine& m, const value& s, const bound& a) { return find_method(m, s, a, false, false); }},
    {"rfind", "sub", 1, [](machine& m, const value& s, const bound& a) { return find_method(m, s, a, true, false); }},
    {"index", "sub", 1, [](machine& m, const value& s, const bound& a) { return find_method(m, s, a, false, true); }},
    {"rindex", "sub", 1, [](machine& m, const value& s, const bound& a) { return find_method(m, s, a, true, true); }},
    {"count", "sub", 1, count_method},
    {"format", "*", 0, [](machine& m, const value& s, const bound& a) { return same_kind(m, s, format_braces(m, s.string(), a.rest())); }},
    {"removeprefix", "prefix", 1, [](machine& m, const value& s, const bound& a) { return affix_method(m, s, a, true); }},
    {"removesuffix", "suffix", 1, [](machine& m, const value& s, const bound& a) { return affix_method(m, s, a, false); }},
    {"partition", "sep", 1, [](machine& m, const value& s, const bound& a) { return partition_method(m, s, a, false); }},
    {"rpartition", "sep", 1, [](machine& m, const value& s, const bound& a) { return partition_method(m, s, a, true); }},
    {"center", "width fillchar", 1, [](machine& m, const value& s, const bound& a) { return pad_method(m, s, a, '^'); }},
    {"ljust", "width fillchar", 1, [](machine& m, const value& s, const bound& a) { return pad_method(m, s, a, '<'); }},
    {"rjust", "width fillchar", 1, [](machine& m, const value& s, const bound& a) { return pad_method(m, s, a, '>'); }},
    {"zfill", "width", 1, [](machine& m, const value& s, const bound& a) { return pad_method(m, s, a, '0'); }},
    {"isdigit", "", 0, [](machine&, const value& s, const bound&) { return all_method(s, is_digit); }},
    {"isdecimal", "", 0, [](machine&, const value& s, const bound&) { return all_method(s, is_digit); }},
    {"isnumeric", "", 0, [](machine&, const value& s, const bound&) { return all_method(s, [](char32_t c) { return class_of(c) == char_class::number; }); }},
    {"isalpha", "", 0, [](machine&, const value& s, const bound&) { return all_method(s, is_letter); }},
    {"isalnum", "", 0, [](machine&, const value& s, const bound&) { return all_method(s, [](char32_t c) { return is_letter(c) || class_of(c) == char_class::number; }); }},
    {"isspace", "", 0, [](machine&, const value& s, const bound&) { return all_method(s, is_blank); }},
    {"islower", "", 0, [](machine&, const value& s, const bound&) { return case_method(s, general_category::ll); }},
    {"isupper", "", 0, [](machine&, const value& s, const bound&) { return case_method(s, general_category::lu); }},
    };
    return all;
}
// clang-format on

/// Those that templates have no use for: they are there, but fail when called.
inline constexpr std::string_view unsupported_string_methods[] = {
    "casefold", "encode",    "expandtabs", "format_map",  "isascii",  "isidentifier",
    "istitle",  "maketrans", "swapcase",   "isprintable", "translate"};

inline constexpr builtin unsupported_method = {
    "this", "*", 0, [](machine& m, const value& self, const bound&) -> value {
        m.fail({"this method of a value of type ", type_name(self), " is not supported"});
    }};

} // namespace detail

TOKENWORKS_FUNCTION const builtin* string_method(std::string_view name) {
    for(const builtin& each: detail::all_string_methods()) {
        if(each.name == name) {
            return &each;
        }
    }
    for(const std::string_view each: detail::unsupported_string_methods) {
        if(each == name) {
            return &detail::unsupported_method;
        }
    }
    return nullptr;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
