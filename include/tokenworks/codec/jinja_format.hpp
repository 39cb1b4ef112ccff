// Python's two ways to format text: '%s' % value, and '{}'.format(value) with its specifications.
//
// What a format string says itself keeps its trust, and so does what is put in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_print.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// format % given, where given is one value, a tuple, or a dict.
[[nodiscard]] text format_percent(machine& m, const string_object& format, const value& given);

/// format.format(...). Fields name arguments by place or by name; attributes and items of these are not supported.
[[nodiscard]] text format_braces(machine& m, const string_object& format, const arguments& given);

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// How a value is to be written, in either way.
struct format_style {
    char fill = ' ';
    char align = 0; // < > ^ =, or 0 for what the type does
    char sign = '-';
    bool alternate = false;
    char group = 0; // , or _
    std::size_t width = 0;
    std::size_t precision = std::string_view::npos;
    char type = 0;
};

inline std::size_t read_number(machine& m, std::string_view format, std::size_t& at) {
    std::size_t number = 0;
    for(; at < format.size() && format[at] >= '0' && format[at] <= '9'; ++at) {
        number = number * 10 + static_cast<std::size_t>(format[at] - '0');
        if(number > 100'000) {
            m.fail("a width or precision in a format is too large");
        }
    }
    return number;
}

/// Fills up to the width; `=` puts the fill behind the sign.
inline void append_padded(text& out, const text& content, const format_style& style, char otherwise, bool trusted) {
    std::size_t characters = 0;
    for(std::size_t at = 0; at < content.size(); ++characters) {
        at += decode_utf8(content.view(), at).length;
    }
    const std::size_t missing = style.width > characters ? style.width - characters : 0;
    const char align = style.align != 0 ? style.align : otherwise;
    const std::size_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
    const bool sign = !content.empty() && (content.view()[0] == '-' || content.view()[0] == '+');
    const std::size_t head = align == '=' && sign ? 1 : 0;
    out.append(content, 0, head);
    out.append(std::string(before, style.fill), trusted);
    out.append(content, head, content.size());
    out.append(std::string(missing - before, style.fill), trusted);
}

inline std::string grouped(std::string digits, char sign) {
    std::size_t end = digits.find('.');
    end = end == digits.npos ? digits.size() : end;
    for(std::size_t at = end; at > 3; at -= 3) {
        digits.insert(at - 3, 1, sign);
    }
    return digits;
}

/// An integer with base and sign.
inline std::string written(std::int64_t number, const format_style& style) {
    const bool negative = number < 0;
    std::uint64_t left = negative ? ~static_cast<std::uint64_t>(number) + 1 : static_cast<std::uint64_t>(number);
    const unsigned base = style.type == 'x' || style.type == 'X' ? 16
                          : style.type == 'o'                    ? 8
                          : style.type == 'b'                    ? 2
                                                                 : 10;
    const char* const symbols = style.type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    std::string digits;
    do {
        digits.insert(digits.begin(), symbols[left % base]);
        left /= base;
    } while(left != 0);
    if(style.group != 0) {
        digits = grouped(std::move(digits), style.group);
    }
    if(style.alternate && base != 10) {
        digits.insert(0, std::string{"0"} + style.type);
    }
    return (negative ? "-" : style.sign == '-' ? "" : std::string{style.sign}) + digits;
}

inline std::string written(double number, const format_style& style) {
    const bool percent = style.type == '%';
    const char type = percent ? 'f' : style.type;
    const double shown = percent ? number * 100 : number;
    std::string digits;
    if(type == 0 && style.precision == std::string_view::npos) {
        digits = repr(shown);
    } else {
        const int precision = style.precision == std::string_view::npos ? 6 : static_cast<int>(style.precision);
        const char format[] = {'%', '.', '*', type == 0 ? 'g' : type, 0};
        char made[512];
        const int size = std::snprintf(made, sizeof made, format, precision < 100 ? precision : 100, shown);
        digits.assign(made, static_cast<std::size_t>(size > 0 && size < 512 ? size : 0));
    }
    const bool negative = digits.starts_with('-');
    if(style.group != 0) {
        digits = (negative ? "-" : "") + grouped(digits.substr(negative ? 1 : 0), style.group);
    }
    return (negative || style.sign == '-' ? "" : std::string{style.sign}) + digits + (percent ? "%" : "");
}

inline bool is_one_of(char c, std::string_view set) { return c != 0 && set.find(c) != set.npos; }

/// A value by a style: numbers with their type, all else as text.
inline void append_formatted(machine& m, text& out, const value& v, const format_style& style, bool trusted) {
    m.need(style.width);
    if(is_number(v) && style.type != 's') {
        const bool real = v.is(kind::real) || is_one_of(style.type, "fFeEgG%");
        if(real && is_one_of(style.type, "dxXob")) {
            m.fail({"the format ", std::string_view{&style.type, 1}, " is for whole numbers"});
        }
        const std::string digits = real ? written(real_of(v), style) : written(v.integer(), style);
        return append_padded(out, text{digits, !v.tainted()}, style, '>', trusted);
    }
    if(is_one_of(style.type, "dxXobfFeEgG%")) {
        m.fail({"a number is needed by a format, not ", type_name(v)});
    }
    text content = str(m, v);
    if(style.precision != std::string_view::npos) {
        std::size_t at = 0;
        for(std::size_t left = style.precision; left > 0 && at < content.size(); --left) {
            at += decode_utf8(content.view(), at).length;
        }
        content = content.sub(0, at);
    }
    append_padded(out, content, style, '<', trusted);
}

/// [[fill]align][sign][#][0][width][,][.precision][type]
inline format_style read_style(machine& m, std::string_view spec) {
    format_style style;
    std::size_t at = 0;
    const auto here = [&] { return at < spec.size() ? spec[at] : '\0'; };
    if(spec.size() > 1 && is_one_of(spec[1], "<>^=")) {
        style.fill = spec[0];
        style.align = spec[1];
        at = 2;
    } else if(is_one_of(here(), "<>^=")) {
        style.align = spec[at++];
    }
    if(is_one_of(here(), "+- ")) {
        style.sign = spec[at++];
    }
    if(here() == '#') {
        style.alternate = true;
        ++at;
    }
    if(here() == '0') {
        style.fill = style.align == 0 ? '0' : style.fill;
        style.align = style.align == 0 ? '=' : style.align;
        ++at;
    }
    style.width = read_number(m, spec, at);
    if(is_one_of(here(), ",_")) {
        style.group = spec[at++];
    }
    if(here() == '.') {
        ++at;
        style.precision = read_number(m, spec, at);
    }
    if(is_one_of(here(), "sdxXobfFeEgG%")) {
        style.type = spec[at++];
    }
    if(at != spec.size()) {
        m.fail({"the format \"", tokenworks::detail::escaped(spec), "\" is not supported"});
    }
    return style;
}

} // namespace detail

TOKENWORKS_FUNCTION text format_percent(machine& m, const string_object& format, const value& given) {
    const std::string_view bytes = format.content.view();
    const bool several = given.is(kind::list) && given.how() == flavour::tuple;
    std::size_t used = 0;
    text out;
    std::size_t from = 0;
    for(std::size_t at = bytes.find('%'); at != bytes.npos; at = bytes.find('%', from)) {
        out.append(format.content, from, at);
        const bool trusted = format.content.trusted(at, at + 1);
        detail::format_style style;
        std::size_t p = at + 1;
        const value* chosen = nullptr;
        if(p < bytes.size() && bytes[p] == '(') {
            const std::size_t end = bytes.find(')', p);
            if(end == bytes.npos || !given.is(kind::dict)) {
                m.fail("a format with names needs a dict");
            }
            chosen = find(m, given, bytes.substr(p + 1, end - p - 1));
            if(chosen == nullptr) {
                m.fail("a format names a key that is not there");
            }
            p = end + 1;
        }
        for(; p < bytes.size() && detail::is_one_of(bytes[p], "-+ #0"); ++p) {
            style.align = bytes[p] == '-' ? '<' : style.align;
            style.sign = bytes[p] == '+' || bytes[p] == ' ' ? bytes[p] : style.sign;
            style.alternate = style.alternate || bytes[p] == '#';
            style.fill = bytes[p] == '0' ? '0' : style.fill;
        }
        style.width = detail::read_number(m, bytes, p);
        if(p < bytes.size() && bytes[p] == '.') {
            ++p;
            style.precision = detail::read_number(m, bytes, p);
        }
        const char type = p < bytes.size() ? bytes[p] : '\0';
        from = p + 1;
        if(type == '%') {
            out.append("%", trusted);
            continue;
        }
        if(chosen == nullptr) {
            if(several ? used >= given.items().size() : used > 0) {
                m.fail("there are not enough values for a format");
            }
            chosen = several ? &given.items()[used] : &given;
            ++used;
        }
        m.refuse_undefined(detail::is_one_of(type, "sr") ? value{} : *chosen);
        if(type == 's' || type == 'r') {
            text content;
            if(type == 's') {
                append_str(m, content, *chosen);
            } else {
                append_repr(m, content, *chosen);
            }
            const bool escape = format.markup && !(type == 's' && chosen->is(kind::string) && chosen->string().markup);
            style.type = 's';
            style.fill = ' ';
            style.align = style.align == 0 ? '>' : style.align;
            detail::append_formatted(m, out, m.make(escape ? escape_markup(content) : std::move(content)), style,
                                     trusted);
        } else if(detail::is_one_of(type, "diuxXofFeEgG")) {
            if(!is_number(*chosen)) {
                m.fail({"a number is needed by a format, not ", type_name(*chosen)});
            }
            style.type = type == 'i' || type == 'u' ? 'd' : type;
            style.fill = style.align == '<' ? ' ' : style.fill;
            style.align = style.align == 0 && style.fill == '0' ? '=' : style.align;
            const bool whole = detail::is_one_of(style.type, "dxXo") && chosen->is(kind::real);
            if(whole && !(chosen->real() > -9e18 && chosen->real() < 9e18)) {
                m.fail("a number is too large for a format");
            }
            const value number =
                whole ? made_of(static_cast<std::int64_t>(chosen->real()), chosen->tainted()) : *chosen;
            detail::append_formatted(m, out, number, style, trusted);
        } else {
            m.fail("a format has an unknown letter after %");
        }
        m.check(out.size());
    }
    if(from < bytes.size()) {
        out.append(format.content, from, bytes.size());
    }
    if(several ? used < given.items().size() : used == 0 && !given.is(kind::dict)) {
        m.fail("a format does not use all of its values");
    }
    return out;
}

TOKENWORKS_FUNCTION text format_braces(machine& m, const string_object& format, const arguments& given) {
    const std::string_view bytes = format.content.view();
    text out;
    std::size_t next = 0;
    std::size_t from = 0;
    for(std::size_t at = bytes.find_first_of("{}"); at != bytes.npos; at = bytes.find_first_of("{}", from)) {
        out.append(format.content, from, at);
        if(at + 1 < bytes.size() && bytes[at + 1] == bytes[at]) { // {{ and }}
            out.append(format.content, at, at + 1);
            from = at + 2;
            continue;
        }
        const std::size_t end = bytes.find('}', at);
        if(bytes[at] == '}' || end == bytes.npos) {
            m.fail("a format has a single brace");
        }
        std::string_view field = bytes.substr(at + 1, end - at - 1);
        from = end + 1;
        std::string_view spec;
        char conversion = 0;
        if(const std::size_t colon = field.find(':'); colon != field.npos) {
            spec = field.substr(colon + 1);
            field = field.substr(0, colon);
        }
        if(field.size() > 1 && field[field.size() - 2] == '!') {
            conversion = field.back();
            field.remove_suffix(2);
        }
        const value* chosen = nullptr;
        std::size_t place = field.empty() ? next++ : 0;
        std::size_t digits = 0;
        if(!field.empty()) {
            place = detail::read_number(m, field, digits);
        }
        if(digits == field.size()) {
            chosen = place < given.plain.size() ? &given.plain[place] : nullptr;
        }
        for(const auto& [name, content]: given.named) {
            chosen = chosen == nullptr && name == field ? &content : chosen;
        }
        if(chosen == nullptr) {
            m.fail({"a format has no value for its field \"", tokenworks::detail::escaped(field), "\""});
        }
        value shown = *chosen;
        if(conversion == 'r') {
            text printed;
            append_repr(m, printed, shown);
            shown = m.make(std::move(printed));
        } else if(conversion == 's') {
            shown = m.make(str(m, shown));
        } else if(conversion != 0) {
            m.fail("a format has an unknown letter after !");
        }
        const bool trusted = format.content.trusted(at, at + 1);
        text content;
        if(spec.empty()) {
            append_str(m, content, shown);
        } else {
            detail::append_formatted(m, content, shown, detail::read_style(m, spec), trusted);
        }
        const bool escape = format.markup && !(shown.is(kind::string) && shown.string().markup);
        out.append(escape ? escape_markup(content) : content);
        m.check(out.size());
    }
    if(from < bytes.size()) {
        out.append(format.content, from, bytes.size());
    }
    return out;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
