// Values as text, as Python prints them: str(), repr(), and json.dumps with the arguments that the filter tojson takes.
//
// Characters keep the trust of the text that they come from, and so do quotes around it. Brackets and commas have the
// trust of their list or dict: a message that chose its shape does not get trusted text by it.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/codec/unicode.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// str(v)
[[nodiscard]] text str(machine& m, const value& v);
/// str(v), shared where it is a text already
[[nodiscard]] value str_value(machine& m, const value& v);
void append_str(machine& m, text& out, const value& v);
void append_repr(machine& m, text& out, const value& v);
/// repr(float): the fewest digits that give the number back.
[[nodiscard]] std::string repr(double number);

struct json_style {
    bool ascii = false;  ///< \uXXXX for what is not ASCII
    bool sorted = false; ///< by key
    bool lines = false;  ///< a line for each item
    text indent;         ///< what one level is indented by
    text between{", ", true};
    text after_key{": ", true};
};

void append_json(machine& m, text& out, const value& v, const json_style& style, std::size_t level = 0);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION std::string repr(double number) {
    if(std::isnan(number)) {
        return "nan";
    }
    if(std::isinf(number)) {
        return number < 0 ? "-inf" : "inf";
    }
    char digits[40];
    const auto [end, problem] = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::scientific);
    (void)problem;
    std::string_view all{digits, static_cast<std::size_t>(end - digits)};
    std::string out;
    if(all.starts_with('-')) {
        out = "-";
        all.remove_prefix(1);
    }
    const std::size_t e = all.find('e');
    int exponent = 0;
    std::from_chars(all.data() + e + (all[e + 1] == '+' ? 2 : 1), all.data() + all.size(), exponent);
    std::string mantissa{all.substr(0, 1)};
    mantissa += e > 2 ? all.substr(2, e - 2) : std::string_view{};
    const int count = static_cast<int>(mantissa.size());
    if(exponent < -4 || exponent >= 16) {
        out += mantissa[0];
        if(count > 1) {
            out += '.';
            out.append(mantissa, 1);
        }
        out += exponent < 0 ? "e-" : "e+";
        const int size = exponent < 0 ? -exponent : exponent;
        out += size < 10 ? "0" : "";
        return out + std::to_string(size);
    }
    if(exponent < 0) {
        out += "0.";
        out.append(static_cast<std::size_t>(-exponent - 1), '0');
        return out + mantissa;
    }
    if(count <= exponent + 1) {
        out += mantissa;
        out.append(static_cast<std::size_t>(exponent + 1 - count), '0');
        return out + ".0";
    }
    out.append(mantissa, 0, static_cast<std::size_t>(exponent) + 1);
    out += '.';
    out.append(mantissa, static_cast<std::size_t>(exponent) + 1);
    return out;
}

namespace detail {

inline void append_hex(text& out, std::string_view start, char32_t code, int digits, bool trusted) {
    std::string made{start};
    for(int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
        made += "0123456789abcdef"[code >> shift & 15];
    }
    out.append(made, trusted);
}

inline bool is_printable(char32_t code) {
    const general_category c = category(code);
    return code == ' ' || !(c == general_category::cn || c >= general_category::zs);
}

inline void append_quoted(text& out, const text& content) {
    const std::string_view bytes = content.view();
    const char quote = bytes.find('\'') != bytes.npos && bytes.find('"') == bytes.npos ? '"' : '\'';
    const std::string_view quotes{&quote, 1};
    const bool all = content.trusted();
    out.append(quotes, all);
    std::size_t from = 0;
    for(std::size_t at = 0; at < bytes.size();) {
        const utf8_char c = decode_utf8(bytes, at);
        const std::size_t end = at + c.length;
        const bool escaped = bytes[at] == quote || bytes[at] == '\\';
        if(c.valid && (escaped || !is_printable(c.code))) {
            const bool trusted = content.trusted(at, end);
            out.append(content, from, at);
            from = end;
            if(escaped) {
                out.append("\\", trusted);
                out.append(content, at, end);
            } else if(c.code == '\n' || c.code == '\r' || c.code == '\t') {
                out.append(c.code == '\n' ? "\\n" : c.code == '\r' ? "\\r" : "\\t", trusted);
            } else {
                append_hex(out,
                           c.code < 256     ? "\\x"
                           : c.code < 65536 ? "\\u"
                                            : "\\U",
                           c.code,
                           c.code < 256     ? 2
                           : c.code < 65536 ? 4
                                            : 8,
                           trusted);
            }
        }
        at = end;
    }
    out.append(content, from, bytes.size());
    out.append(quotes, all);
}

inline void append_items(machine& m, text& out, const value& v, std::string_view open, std::string_view close) {
    const bool trusted = !v.tainted();
    out.append(open, trusted);
    bool first = true;
    for(const value& item: v.items()) {
        out.append(first ? "" : ", ", trusted);
        first = false;
        append_repr(m, out, item);
    }
    out.append(close, trusted);
}

inline void append_list(machine& m, text& out, const value& v) {
    switch(v.how()) {
    case flavour::list:
        return append_items(m, out, v, "[", "]");
    case flavour::tuple:
        return append_items(m, out, v, "(", v.items().size() == 1 ? ",)" : ")");
    case flavour::keys:
        return append_items(m, out, v, "dict_keys([", "])");
    case flavour::values:
        return append_items(m, out, v, "dict_values([", "])");
    case flavour::items:
        return append_items(m, out, v, "dict_items([", "])");
    case flavour::generator:
        out.append("<generator object>", true);
        return;
    case flavour::range:
        break;
    }
    // What has been walked does not matter, only the bounds: an empty range prints as one from 0.
    const value::list_type& items = v.items();
    const std::int64_t begin = items.empty() ? 0 : items.front().integer();
    const std::int64_t step = items.size() < 2 ? 1 : items[1].integer() - begin;
    const std::int64_t end = items.empty() ? 0 : items.back().integer() + step;
    std::string printed = "range(" + std::to_string(begin) + ", " + std::to_string(end);
    printed += step == 1 ? ")" : ", " + std::to_string(step) + ")";
    out.append(printed, !v.tainted());
}

} // namespace detail

TOKENWORKS_FUNCTION void append_repr(machine& m, text& out, const value& v) {
    m.step();
    m.check(out.size()); // a value may hold another one many times
    switch(v.what()) {
    case kind::string:
        if(v.string().markup) {
            out.append("Markup(", true);
        }
        detail::append_quoted(out, v.string().content);
        if(v.string().markup) {
            out.append(")", true);
        }
        return;
    case kind::undefined:
        out.append("Undefined", true);
        return;
    case kind::dict: {
        const bool trusted = !v.tainted();
        out.append("{", trusted);
        bool first = true;
        for(const value::entry& each: v.entries()) {
            out.append(first ? "" : ", ", trusted);
            first = false;
            append_repr(m, out, each.first);
            out.append(": ", trusted);
            append_repr(m, out, each.second);
        }
        out.append("}", trusted);
        return;
    }
    case kind::list:
        return detail::append_list(m, out, v);
    default:
        return append_str(m, out, v);
    }
}

TOKENWORKS_FUNCTION void append_str(machine& m, text& out, const value& v) {
    switch(v.what()) {
    case kind::undefined:
        return;
    case kind::none:
        out.append("None", true);
        return;
    case kind::boolean:
        out.append(v.boolean() ? "True" : "False", !v.tainted());
        return;
    case kind::integer:
        out.append(std::to_string(v.integer()), !v.tainted());
        return;
    case kind::real:
        out.append(repr(v.real()), !v.tainted());
        return;
    case kind::string:
        m.need(v.view().size());
        out.append(v.string().content);
        return;
    case kind::list:
    case kind::dict:
        return append_repr(m, out, v);
    default: // Python prints addresses of these
        out.append("<", true);
        out.append(type_name(v), true);
        out.append(">", true);
    }
}

TOKENWORKS_FUNCTION text str(machine& m, const value& v) {
    text out;
    append_str(m, out, v);
    return out;
}

TOKENWORKS_FUNCTION value str_value(machine& m, const value& v) {
    return v.is(kind::string) && !v.string().markup ? v : m.make(str(m, v));
}

namespace detail {

inline void append_json_string(text& out, const text& content, bool ascii) {
    const std::string_view bytes = content.view();
    constexpr std::string_view special = "\"\\\n\r\t\f\b";
    constexpr std::string_view meant[] = {"\\\"", "\\\\", "\\n", "\\r", "\\t", "\\f", "\\b"};
    const bool all = content.trusted();
    out.append("\"", all);
    std::size_t from = 0;
    for(std::size_t at = 0; at < bytes.size();) {
        const auto byte = static_cast<unsigned char>(bytes[at]);
        const utf8_char c = byte < 0x80 || !ascii ? utf8_char{byte, 1, true} : decode_utf8(bytes, at);
        const std::size_t end = at + c.length;
        const std::size_t found = special.find(bytes[at]);
        if(found != special.npos || byte < 0x20 || (ascii && byte >= 0x80)) {
            const bool trusted = content.trusted(at, end);
            out.append(content, from, at);
            from = end;
            if(found != special.npos) {
                out.append(meant[found], trusted);
            } else if(c.code < 0x10000) {
                append_hex(out, "\\u", c.code, 4, trusted);
            } else {
                append_hex(out, "\\u", 0xD800 + ((c.code - 0x10000) >> 10), 4, trusted);
                append_hex(out, "\\u", 0xDC00 + ((c.code - 0x10000) & 0x3FF), 4, trusted);
            }
        }
        at = end;
    }
    out.append(content, from, bytes.size());
    out.append("\"", all);
}

inline void append_json_line(text& out, const json_style& style, std::size_t level, bool trusted) {
    if(style.lines) {
        out.append("\n", trusted);
        for(std::size_t i = 0; i < level; ++i) {
            out.append(style.indent.view(), trusted && style.indent.trusted());
        }
    }
}

inline void append_json_dict(machine& m, text& out, const value& v, const json_style& style, std::size_t level) {
    const bool trusted = !v.tainted();
    if(v.entries().empty()) {
        out.append("{}", trusted);
        return;
    }
    const std::vector<value::entry>& entries = v.entries();
    m.need(entries.size(), 2 * sizeof(std::size_t));
    const std::vector<std::size_t> places = sorted_places(entries.size(), [&](std::size_t a, std::size_t b) {
        return style.sorted && order(m, entries[a].first, entries[b].first) == -1;
    });
    out.append("{", trusted);
    bool first = true;
    for(const std::size_t place: places) {
        if(!first) {
            out.append(style.between.view(), trusted && style.between.trusted());
        }
        first = false;
        append_json_line(out, style, level + 1, trusted);
        const value& key = entries[place].first;
        if(key.is(kind::string)) {
            append_json_string(out, key.string().content, style.ascii);
        } else if(is_number(key) || key.is(kind::none)) {
            out.append("\"", trusted);
            append_json(m, out, key, style, level);
            out.append("\"", trusted);
        } else {
            m.fail({"a key of type ", type_name(key), " cannot be written as JSON"});
        }
        out.append(style.after_key.view(), trusted && style.after_key.trusted());
        append_json(m, out, entries[place].second, style, level + 1);
    }
    append_json_line(out, style, level, trusted);
    out.append("}", trusted);
}

} // namespace detail

TOKENWORKS_FUNCTION void append_json(machine& m, text& out, const value& v, const json_style& style,
                                     std::size_t level) {
    m.step();
    m.check(out.size() + level * style.indent.size());
    const bool trusted = !v.tainted();
    switch(v.what()) {
    case kind::none:
        out.append("null", trusted);
        return;
    case kind::boolean:
        out.append(v.boolean() ? "true" : "false", trusted);
        return;
    case kind::integer:
        return append_str(m, out, v);
    case kind::real: {
        const std::string printed = repr(v.real());
        out.append(printed == "nan"    ? "NaN"
                   : printed == "inf"  ? "Infinity"
                   : printed == "-inf" ? "-Infinity"
                                       : std::string_view{printed},
                   trusted);
        return;
    }
    case kind::string:
        m.need(v.view().size());
        return detail::append_json_string(out, v.string().content, style.ascii);
    case kind::dict:
        return detail::append_json_dict(m, out, v, style, level);
    case kind::list:
        if(is_list_or_tuple(v)) {
            break;
        }
        [[fallthrough]];
    default:
        m.fail({"a value of type ", type_name(v), " cannot be written as JSON"});
    }
    if(v.items().empty()) {
        out.append("[]", trusted);
        return;
    }
    out.append("[", trusted);
    bool first = true;
    for(const value& item: v.items()) {
        if(!first) {
            out.append(style.between.view(), trusted && style.between.trusted());
        }
        first = false;
        detail::append_json_line(out, style, level + 1, trusted);
        append_json(m, out, item, style, level + 1);
    }
    detail::append_json_line(out, style, level, trusted);
    out.append("]", trusted);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
