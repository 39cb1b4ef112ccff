// The filters of Jinja: value|name(arguments), by jinja2/filters.py, and tojson as transformers has it for chat
// templates.
//
// Filters that Python gives as generators give one here too: walked once, without a length, always true.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_format.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_methods.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_print.hpp>
#include <tokenworks/codec/jinja_strings.hpp>
#include <tokenworks/codec/jinja_tests.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// @throws template_error for an unknown filter, and where the filter has no answer
[[nodiscard]] value run_filter(machine& m, std::string_view name, const value& v, arguments given);

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// The text of a value; what is markup stays so.
inline value soft_str(machine& m, const value& v) { return v.is(kind::string) ? v : m.make(str(m, v)); }

/// A value to sort and compare by: text in lower case, unless case matters.
inline value sort_key(machine& m, const value& v, bool case_sensitive) {
    return v.is(kind::string) && !case_sensitive ? m.make(in_case(m, v.string().content, letter_case::lower)) : v;
}

inline value generator(machine& m, value::list_type items, const value& source) {
    return m.make_list(std::move(items), !source.is(kind::string) && source.tainted(), flavour::generator);
}

inline value absolute(machine& m, const value& v, const bound&) {
    if(!is_number(v)) {
        m.refuse("abs needs a number", v);
    }
    const bool is_negative = v.is(kind::real) ? std::signbit(v.real()) : v.integer() < 0;
    return is_negative ? negative(m, v) : v.is(kind::boolean) ? made_of(v.integer(), v.tainted()) : v;
}

inline value attribute_filter(machine& m, const value& v, const bound& given) {
    value found;
    const std::string_view name = given.string(m, 0).content.view();
    return find_method(m, v, name, found) ? found : missing(m, v, name);
}

inline value batch(machine& m, const value& v, const bound& given) {
    const std::int64_t size = given.integer(m, 0, 0);
    value::list_type rows;
    value::list_type row;
    const auto finish = [&] { rows.push_back(m.make_list(std::exchange(row, {}), v.tainted())); };
    for(value& item: items_of(m, v)) {
        if(static_cast<std::int64_t>(row.size()) == size) {
            finish();
        }
        row.push_back(std::move(item));
    }
    if(!row.empty()) {
        if(!given[1].is(kind::none)) {
            while(static_cast<std::int64_t>(row.size()) < size) {
                m.need(sizeof(value));
                m.step();
                m.check(row.size() * sizeof(value));
                row.push_back(given[1]);
            }
        }
        finish();
    }
    return generator(m, std::move(rows), v);
}

inline value slices(machine& m, const value& v, const bound& given) {
    const value::list_type all = items_of(m, v);
    const std::int64_t count = given.integer(m, 0, 0);
    if(count == 0) {
        m.fail("slice into zero parts");
    }
    value::list_type parts;
    std::size_t at = 0;
    for(std::int64_t i = 0; i < count; ++i) {
        m.step();
        const bool extra = i < static_cast<std::int64_t>(all.size()) % count;
        const std::size_t size = all.size() / static_cast<std::size_t>(count) + (extra ? 1 : 0);
        value::list_type part(all.begin() + static_cast<std::ptrdiff_t>(at),
                              all.begin() + static_cast<std::ptrdiff_t>(at + size));
        if(!given[1].is(kind::none) && !extra) {
            part.push_back(given[1]);
        }
        parts.push_back(m.make_list(std::move(part), v.tainted()));
        at += size;
    }
    return generator(m, std::move(parts), v);
}

inline value default_filter(machine& m, const value& v, const bound& given) {
    const bool absent = v.is(kind::undefined) || (is_true(given[1]) && !is_true(v));
    return !absent ? v : given.has(0) ? given[0] : m.make(text{});
}

/// Sorts by keys that are made once; equal ones keep their order.
inline void sort_by(machine& m, value::list_type& items, const value::list_type& keys, bool reverse) {
    m.need(items.size(), 2 * sizeof(std::size_t));
    value::list_type sorted;
    sorted.reserve(items.size());
    for(const std::size_t place: sorted_places(items.size(), [&](std::size_t a, std::size_t b) {
            return order(m, keys[reverse ? b : a], keys[reverse ? a : b]) == -1;
        })) {
        sorted.push_back(items[place]);
    }
    items = std::move(sorted);
}

inline value dictsort(machine& m, const value& v, const bound& given) {
    if(!v.is(kind::dict)) {
        m.refuse("dictsort needs a dict", v);
    }
    const std::string_view by = given.has(1) ? given.string(m, 1).content.view() : "key";
    if(by != "key" && by != "value") {
        m.fail("dictsort sorts by \"key\" or \"value\"");
    }
    value::list_type items = dict_view(m, v, flavour::items).items();
    value::list_type keys;
    for(const value& item: items) {
        keys.push_back(sort_key(m, item.items()[by == "key" ? 0 : 1], is_true(given[0])));
    }
    sort_by(m, items, keys, is_true(given[2]));
    return m.make_list(std::move(items), v.tainted());
}

inline value sort(machine& m, const value& v, const bound& given) {
    value::list_type items = items_of(m, v);
    value::list_type keys;
    for(const value& item: items) {
        if(!given[2].is(kind::string)) {
            keys.push_back(sort_key(m, get_path(m, item, given[2]), is_true(given[1])));
            continue;
        }
        // Several attributes, divided by commas, one after the other.
        value::list_type several;
        const text comma{",", true};
        for(const value& path: split(m, given[2].string(), &comma, -1, false)) {
            several.push_back(sort_key(m, get_path(m, item, path), is_true(given[1])));
        }
        keys.push_back(m.make_list(std::move(several), false));
    }
    sort_by(m, items, keys, is_true(given[0]));
    return m.make_list(std::move(items), v.tainted());
}

inline value unique(machine& m, const value& v, const bound& given) {
    value::list_type seen;
    value::list_type kept;
    for(value& item: items_of(m, v)) {
        value key = sort_key(m, get_path(m, item, given[1]), is_true(given[0]));
        bool is_new = true;
        for(const value& other: seen) {
            is_new = is_new && !equal(m, key, other);
        }
        if(is_new) {
            seen.push_back(std::move(key));
            kept.push_back(std::move(item));
        }
    }
    return generator(m, std::move(kept), v);
}

inline value extreme(machine& m, const value& v, const bound& given, int wanted) {
    const value::list_type items = items_of(m, v);
    if(items.empty()) {
        return m.undefined({"No aggregated item, sequence was empty."});
    }
    std::size_t best = 0;
    value best_key;
    for(std::size_t i = 0; i < items.size(); ++i) {
        value key = sort_key(m, get_path(m, items[i], given[1]), is_true(given[0]));
        if(i == 0 || order(m, key, best_key) == wanted) {
            best = i;
            best_key = std::move(key);
        }
    }
    return items[best];
}

inline value sum(machine& m, const value& v, const bound& given) {
    value total = given.has(1) ? given[1] : made_of(std::int64_t{0});
    for(const value& item: items_of(m, v)) {
        total = arithmetic(m, op::add, total, get_path(m, item, given[0]));
    }
    return total;
}

inline value first(machine& m, const value& v, const bound&) {
    if(v.is(kind::list)) {
        auto& held = static_cast<list_object&>(*v.shared());
        if(held.taken < held.items.size()) {
            const value& found = held.items[held.taken];
            held.taken += held.how == flavour::generator ? 1 : 0;
            return found;
        }
    } else if(v.is(kind::string) && !v.view().empty()) {
        return get_item(m, v, made_of(std::int64_t{0}));
    } else if(v.is(kind::dict) && !v.entries().empty()) {
        return v.entries().front().first;
    } else if(!is_iterable(v)) {
        m.refuse("first needs a sequence", v);
    }
    return m.undefined({"No first item, sequence was empty."});
}

inline value last(machine& m, const value& v, const bound&) {
    if(v.is(kind::list) && v.how() != flavour::generator && !v.items().empty()) {
        return v.items().back();
    }
    if(v.is(kind::string) && !v.view().empty()) {
        return get_item(m, v, made_of(std::int64_t{-1}));
    }
    if(v.is(kind::dict) && !v.entries().empty()) {
        return v.entries().back().first;
    }
    if(!is_iterable(v) || (v.is(kind::list) && v.how() == flavour::generator)) {
        m.refuse("last needs a sequence", v);
    }
    return m.undefined({"No last item, sequence was empty."});
}

inline value reverse(machine& m, const value& v, const bound&) {
    if(v.is(kind::string)) {
        return slice(m, v, {}, {}, made_of(std::int64_t{-1}));
    }
    value::list_type items = items_of(m, v);
    std::reverse(items.begin(), items.end());
    return generator(m, std::move(items), v);
}

inline value items_filter(machine& m, const value& v, const bound&) {
    if(v.is(kind::undefined)) {
        return m.make_list({}, false, flavour::generator);
    }
    if(!v.is(kind::dict)) {
        m.fail("Can only get item pairs from a mapping.");
    }
    return m.make_list(value::list_type{dict_view(m, v, flavour::items).items()}, v.tainted(), flavour::generator);
}

inline value join(machine& m, const value& v, const bound& given) {
    const text between = given.has(0) ? str(m, given[0]) : text{};
    text out;
    bool is_first = true;
    for(const value& item: items_of(m, v)) {
        if(!is_first) {
            out.append(between);
        }
        is_first = false;
        append_str(m, out, get_path(m, item, given[1]));
        m.step();
        m.check(out.size());
    }
    return m.make(std::move(out));
}

inline value replace_filter(machine& m, const value& v, const bound& given) {
    const std::int64_t most = given[2].is(kind::none) ? -1 : given.integer(m, 2, -1);
    return m.make(replace(m, str(m, v), str(m, given[0]).view(), str(m, given[1]), most));
}

/// What lines begin with: a text, or a number of blanks.
inline text margin(machine& m, const bound& given, std::size_t i, std::int64_t otherwise) {
    if(given[i].is(kind::string)) {
        return given[i].string().content;
    }
    const std::int64_t width = given.integer(m, i, otherwise);
    const auto blanks = static_cast<std::size_t>(width > 0 ? width : 0);
    m.need(blanks);
    return {std::string(blanks, ' '), true};
}

inline value indent(machine& m, const value& v, const bound& given) {
    if(!v.is(kind::string)) {
        m.refuse("indent needs a string", v);
    }
    const text by = margin(m, given, 0, 4);
    text whole = v.string().content;
    whole.append("\n", true);
    const string_object with_end{std::move(whole), v.string().markup};
    text out;
    if(is_true(given[1])) {
        out.append(by);
    }
    bool is_first = true;
    for(const value& line: split_lines(m, with_end, false)) {
        if(!is_first) {
            out.append("\n", true);
            if(is_true(given[2]) || !line.view().empty()) {
                out.append(by);
            }
        }
        is_first = false;
        out.append(line.string().content);
        m.check(out.size());
    }
    return m.make(std::move(out), v.string().markup);
}

/// The number that a text says, as float() reads it.
inline bool read_real(std::string_view bytes, double& number) {
    bytes.remove_prefix(leading_blanks(bytes));
    bytes = bytes.substr(0, without_trailing_blanks(bytes));
    std::string digits;
    for(std::size_t i = 0; i < bytes.size(); ++i) {
        const auto is_digit_at = [&](std::size_t at) {
            return at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9';
        };
        if(bytes[i] == '_' && i > 0 && is_digit_at(i - 1) && is_digit_at(i + 1)) {
            continue;
        }
        digits += bytes[i];
    }
    std::string_view left = digits;
    if(left.starts_with('+') && !left.substr(1).starts_with('-')) {
        left.remove_prefix(1);
    }
    if(left.empty() || left.find('(') != left.npos) {
        return false;
    }
    const auto [end, problem] = std::from_chars(left.data(), left.data() + left.size(), number);
    if(problem == std::errc::result_out_of_range && end == left.data() + left.size()) {
        number = std::strtod(std::string{left}.c_str(), nullptr); // infinite, or as good as zero
        return true;
    }
    return problem == std::errc{} && end == left.data() + left.size();
}

inline bool read_whole(std::string_view bytes, int base, std::int64_t& number) {
    bytes.remove_prefix(leading_blanks(bytes));
    bytes = bytes.substr(0, without_trailing_blanks(bytes));
    std::string digits;
    if(bytes.starts_with('-') || bytes.starts_with('+')) {
        digits = bytes[0] == '-' ? "-" : "";
        bytes.remove_prefix(1);
    }
    const char prefix = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : '\0';
    if(prefix != '\0' && bytes.size() > 1 && bytes[0] == '0' && (bytes[1] | 32) == prefix) {
        bytes.remove_prefix(2);
    }
    for(std::size_t i = 0; i < bytes.size(); ++i) {
        const bool bad = bytes[i] == '_' ? i == 0 || i + 1 == bytes.size() || bytes[i + 1] == '_' : bytes[i] == '-';
        if(bad) {
            return false;
        }
        if(bytes[i] != '_') {
            digits += bytes[i];
        }
    }
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    return problem == std::errc{} && end == digits.data() + digits.size() && !digits.empty();
}

inline value whole_of_real(machine& m, double number, bool tainted) {
    if(!(number > -9.2e18 && number < 9.2e18)) {
        m.over_limit({"a number has more than 64 bits"});
    }
    return made_of(static_cast<std::int64_t>(number), tainted);
}

inline value int_filter(machine& m, const value& v, const bound& given) {
    value otherwise = given.has(0) ? given[0] : made_of(std::int64_t{0});
    if(is_whole(v)) {
        return made_of(v.integer(), v.tainted());
    }
    m.refuse_undefined(v);
    double number = 0;
    if(v.is(kind::real)) {
        number = v.real();
        if(std::isinf(number)) {
            m.fail("an infinite number is no whole one");
        }
    } else if(v.is(kind::string)) {
        const std::int64_t base = given.integer(m, 1, 10);
        if(base < 2 || base > 36) {
            m.fail("a base is 2 to 36");
        }
        std::int64_t whole = 0;
        m.step(v.view().size() / 16);
        if(read_whole(v.view(), static_cast<int>(base), whole)) {
            return made_of(whole, !v.string().content.trusted());
        }
        if(!read_real(v.view(), number)) {
            return otherwise;
        }
    } else {
        return otherwise;
    }
    if(std::isnan(number) || std::isinf(number)) {
        return otherwise;
    }
    return whole_of_real(m, number, v.is(kind::string) ? !v.string().content.trusted() : v.tainted());
}

inline value float_filter(machine& m, const value& v, const bound& given) {
    m.refuse_undefined(v);
    if(is_number(v)) {
        return made_of(real_of(v), v.tainted());
    }
    double number = 0;
    m.step(v.is(kind::string) ? v.view().size() / 16 : 0);
    if(v.is(kind::string) && read_real(v.view(), number)) {
        return made_of(number, !v.string().content.trusted());
    }
    return given.has(0) ? given[0] : made_of(0.0, false);
}

/// Half to even on the exact decimal value, as Python rounds.
inline value round(machine& m, const value& v, const bound& given) {
    if(!is_number(v)) {
        m.refuse("round needs a number", v);
    }
    const std::int64_t digits = given.integer(m, 0, 0);
    const std::string_view method = given.has(1) ? given.string(m, 1).content.view() : "common";
    if(digits < 0 || digits > 100 || (method != "common" && method != "ceil" && method != "floor")) {
        m.fail("round takes 0 to 100 digits, and common, ceil or floor");
    }
    if(method == "common") {
        if(is_whole(v)) {
            return made_of(v.integer(), v.tainted());
        }
        char printed[512];
        std::snprintf(printed, sizeof printed, "%.*f", static_cast<int>(digits), v.real());
        double number = v.real();
        (void)read_real(printed, number);
        return made_of(number, v.tainted());
    }
    const double scale = std::pow(10.0, static_cast<double>(digits));
    const double scaled = real_of(v) * scale;
    return made_of((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale, v.tainted());
}

/// Words begin with a capital; words end at blanks and at - ( { [ <.
inline value title(machine& m, const value& v, const bound&) {
    const text content = str(m, v);
    const std::string_view bytes = content.view();
    m.step(bytes.size() / 8);
    text out;
    bool begins = true;
    for(std::size_t at = 0; at < bytes.size();) {
        const utf8_char c = decode_utf8(bytes, at);
        std::string changed;
        if(begins && c.valid) {
            append_in_case(changed, c.code, letter_case::upper);
        } else {
            append_lower(changed, bytes, at);
        }
        begins = is_blank(c.code) || is_one_of(bytes[at], "-({[<");
        out.append(changed, content.trusted(at, at + c.length));
        at += c.length;
    }
    return m.make(std::move(out));
}

inline value truncate(machine& m, const value& v, const bound& given) {
    const std::int64_t most = given.integer(m, 0, 255);
    const value end = given.has(2) ? soft_str(m, given[2]) : m.make("...", true);
    const std::int64_t leeway = given.integer(m, 3, 5);
    const auto end_length = static_cast<std::int64_t>(end.string().characters);
    if(!v.is(kind::string) || most < end_length || leeway < 0) {
        m.fail("truncate needs a string, and a length that has room for its end");
    }
    if(static_cast<std::int64_t>(v.string().characters) <= most + leeway) {
        return v;
    }
    value kept = slice(m, v, {}, made_of(most - end_length), {});
    if(!is_true(given[1])) {
        const std::size_t blank = kept.view().rfind(' ');
        kept = m.make(kept.string().content.sub(0, blank == std::string_view::npos ? kept.view().size() : blank),
                      v.string().markup);
    }
    return arithmetic(m, op::add, kept, end);
}

inline value to_json(machine& m, const value& v, const bound& given) {
    json_style style;
    style.ascii = is_true(given[0]);
    style.sorted = is_true(given[3]);
    if(!given[1].is(kind::none)) {
        style.lines = true;
        style.between = text{",", true};
        style.indent = margin(m, given, 1, 0);
    }
    if(!given[2].is(kind::none)) {
        const value::list_type marks = items_of(m, given[2]);
        if(marks.size() != 2 || !marks[0].is(kind::string) || !marks[1].is(kind::string)) {
            m.fail("separators are two strings");
        }
        style.between = marks[0].string().content;
        style.after_key = marks[1].string().content;
    }
    text out;
    append_json(m, out, v, style);
    return m.make(std::move(out));
}

inline value escape(machine& m, const value& v, bool again) {
    return v.is(kind::string) && v.string().markup && !again ? v : m.make(escape_markup(str(m, v)), true);
}

inline value format_filter(machine& m, const value& v, const bound& given) {
    const value format = soft_str(m, v);
    const arguments& rest = given.rest();
    value with;
    if(rest.named.empty()) {
        with = m.make_list(rest.plain, false, flavour::tuple);
    } else {
        std::vector<value::entry> entries;
        put_named(m, entries, rest);
        with = m.make_dict(std::move(entries), false);
    }
    return m.make(format_percent(m, format.string(), with), format.string().markup);
}

/// map('name', arguments) and map(attribute=..., default=...)
inline value map(machine& m, const value& v, const bound& given) {
    arguments rest = given.rest();
    value::list_type made;
    if(rest.plain.empty()) {
        value path;
        value otherwise;
        bool known = false;
        for(const auto& [name, content]: rest.named) {
            known = known || name == "attribute";
            path = name == "attribute" ? content : path;
            otherwise = name == "default" ? content : otherwise;
        }
        if(!known) {
            m.fail("map needs a filter or an attribute");
        }
        for(const value& item: items_of(m, v)) {
            value found = get_path(m, item, path);
            made.push_back(found.is(kind::undefined) && !otherwise.is(kind::none) ? otherwise : std::move(found));
        }
        return generator(m, std::move(made), v);
    }
    const value name = rest.plain.front();
    if(!name.is(kind::string)) {
        m.fail("map needs the name of a filter");
    }
    rest.plain.erase(rest.plain.begin());
    const machine::level deeper{m}; // a map may name map
    for(const value& item: items_of(m, v)) {
        m.step();
        made.push_back(run_filter(m, name.view(), item, rest));
    }
    return generator(m, std::move(made), v);
}

/// select, reject, and those by attribute: by a test, or by truth.
inline value choose(machine& m, const value& v, const bound& given, bool wanted, bool by_attribute) {
    if(!is_true(v)) {
        return generator(m, {}, v);
    }
    arguments rest = given.rest();
    value path;
    const auto take = [&] {
        value taken = std::move(rest.plain.front());
        rest.plain.erase(rest.plain.begin());
        return taken;
    };
    if(by_attribute) {
        if(rest.plain.empty()) {
            m.fail("an attribute is needed");
        }
        path = take();
    }
    value test;
    if(!rest.plain.empty()) {
        test = take();
        if(!test.is(kind::string)) {
            m.fail("the name of a test is needed");
        }
    }
    value::list_type kept;
    for(value& item: items_of(m, v)) {
        const value asked = by_attribute ? get_path(m, item, path) : item;
        const bool holds = test.is(kind::none) ? is_true(asked) : run_test(m, test.view(), asked, rest);
        if(holds == wanted) {
            kept.push_back(std::move(item));
        }
    }
    return generator(m, std::move(kept), v);
}

/// A filter that is a method of strings.
inline value through_method(machine& m, const value& v, const bound& given, std::string_view name) {
    const value content = soft_str(m, v);
    return string_method(name)->run(m, content, given);
}

// clang-format off
/// In a function, as a file that includes this one and calls nothing is then spared them.
inline std::span<const builtin> all_filters() {
    static constexpr builtin all[] = {
    {"abs", "", 0, absolute},
    {"attr", "name", 1, attribute_filter},
    {"batch", "linecount fill_with", 1, batch},
    {"capitalize", "", 0, [](machine& m, const value& v, const bound& a) { return through_method(m, v, a, "capitalize"); }},
    {"center", "width", 1, [](machine& m, const value& v, const bound& a) { return through_method(m, v, a, "center"); }},
    {"count", "", 0, [](machine& m, const value& v, const bound&) { return made_of(static_cast<std::int64_t>(length(m, v))); }},
    {"d", "default_value boolean", 0, default_filter},
    {"default", "default_value boolean", 0, default_filter},
    {"dictsort", "case_sensitive by reverse", 0, dictsort},
    {"e", "", 0, [](machine& m, const value& v, const bound&) { return escape(m, v, false); }},
    {"escape", "", 0, [](machine& m, const value& v, const bound&) { return escape(m, v, false); }},
    {"first", "", 0, first},
    {"float", "default", 0, float_filter},
    {"forceescape", "", 0, [](machine& m, const value& v, const bound&) { return escape(m, v, true); }},
    {"format", "*", 0, format_filter},
    {"indent", "width first blank", 0, indent},
    {"int", "default base", 0, int_filter},
    {"items", "", 0, items_filter},
    {"join", "d attribute", 0, join},
    {"last", "", 0, last},
    {"length", "", 0, [](machine& m, const value& v, const bound&) { return made_of(static_cast<std::int64_t>(length(m, v))); }},
    {"list", "", 0, [](machine& m, const value& v, const bound&) { return m.make_list(items_of(m, v), !v.is(kind::string) && v.tainted()); }},
    {"lower", "", 0, [](machine& m, const value& v, const bound& a) { return through_method(m, v, a, "lower"); }},
    {"map", "*", 0, map},
    {"max", "case_sensitive attribute", 0, [](machine& m, const value& v, const bound& a) { return extreme(m, v, a, 1); }},
    {"min", "case_sensitive attribute", 0, [](machine& m, const value& v, const bound& a) { return extreme(m, v, a, -1); }},
    {"reject", "*", 0, [](machine& m, const value& v, const bound& a) { return choose(m, v, a, false, false); }},
    {"rejectattr", "*", 0, [](machine& m, const value& v, const bound& a) { return choose(m, v, a, false, true); }},
    {"replace", "old new count", 2, replace_filter},
    {"reverse", "", 0, reverse},
    {"round", "precision method", 0, round},
    {"safe", "", 0, [](machine& m, const value& v, const bound&) { return m.make(str(m, v), true); }},
    {"select", "*", 0, [](machine& m, const value& v, const bound& a) { return choose(m, v, a, true, false); }},
    {"selectattr", "*", 0, [](machine& m, const value& v, const bound& a) { return choose(m, v, a, true, true); }},
    {"slice", "slices fill_with", 1, slices},
    {"sort", "reverse case_sensitive attribute", 0, sort},
    {"string", "", 0, [](machine& m, const value& v, const bound&) { return soft_str(m, v); }},
    {"sum", "attribute start", 0, sum},
    {"title", "", 0, title},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, to_json},
    {"trim", "chars", 0, [](machine& m, const value& v, const bound& a) { return through_method(m, v, a, "strip"); }},
    {"truncate", "length killwords end leeway", 0, truncate},
    {"unique", "case_sensitive attribute", 0, unique},
    {"upper", "", 0, [](machine& m, const value& v, const bound& a) { return through_method(m, v, a, "upper"); }},
    };
    return all;
}
// clang-format on

/// Jinja has these too; no chat template is known that uses them.
inline constexpr std::string_view unsupported_filters[] = {"filesizeformat", "groupby",   "pprint", "random",
                                                           "striptags",      "urlencode", "urlize", "wordcount",
                                                           "wordwrap",       "xmlattr"};

} // namespace detail

TOKENWORKS_FUNCTION bool has_filter(std::string_view name) {
    bool found = false;
    for(const builtin& each: detail::all_filters()) {
        found = found || each.name == name;
    }
    for(const std::string_view each: detail::unsupported_filters) {
        found = found || each == name;
    }
    return found;
}

TOKENWORKS_FUNCTION value run_filter(machine& m, std::string_view name, const value& v, arguments given) {
    m.step();
    for(const builtin& each: detail::all_filters()) {
        if(each.name == name) {
            return each.run(m, v, bound{m, each, std::move(given)});
        }
    }
    m.fail({has_filter(name) ? "this filter is not supported: " : "there is no filter named ",
            tokenworks::detail::escaped(name)});
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
