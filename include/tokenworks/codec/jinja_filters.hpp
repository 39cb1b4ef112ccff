// The filters of Jinja: value|name(arguments), by jinja2/filters.py, and tojson as transformers has it for chat
// templates. Here are those of text, those that call other filters and tests, and the table of all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_arithmetic.hpp>
#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_blanks.hpp>
#include <tokenworks/codec/jinja_format.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_methods.hpp>
#include <tokenworks/codec/jinja_number_filters.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_print.hpp>
#include <tokenworks/codec/jinja_sequence_filters.hpp>
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

inline value attribute_filter(machine& m, const value& v, const bound& given) {
    value found;
    const std::string_view name = given.string(m, 0).content.view();
    return find_method(m, v, name, found) ? found : missing(m, v, name);
}

inline value default_filter(machine& m, const value& v, const bound& given) {
    const bool absent = v.is(kind::undefined) || (is_true(given[1]) && !is_true(v));
    return !absent ? v : given.has(0) ? given[0] : m.make(text{});
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
