// What Python does with values: truth, equality, order, membership, iteration, slices.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

[[nodiscard]] bool is_true(const value& v);
[[nodiscard]] inline bool is_number(const value& v) noexcept {
    return v.is(kind::integer) || v.is(kind::boolean) || v.is(kind::real);
}
[[nodiscard]] inline bool is_whole(const value& v) noexcept { return v.is(kind::integer) || v.is(kind::boolean); }
[[nodiscard]] inline bool is_list_or_tuple(const value& v) noexcept {
    return v.is(kind::list) && (v.how() == flavour::list || v.how() == flavour::tuple);
}
/// Lists, tuples and ranges: what has items by place, and slices.
[[nodiscard]] inline bool has_places(const value& v) noexcept {
    return is_list_or_tuple(v) || (v.is(kind::list) && v.how() == flavour::range);
}
/// @pre is_number(v)
[[nodiscard]] inline double real_of(const value& v) noexcept {
    return v.is(kind::real) ? v.real() : static_cast<double>(v.integer());
}

[[nodiscard]] bool equal(machine& m, const value& a, const value& b);
/// Before 0, the same 0, after 1; 2 where a number is none.
/// @throws template_error for values without order between them
[[nodiscard]] int order(machine& m, const value& a, const value& b);
/// Whether an item is in a container; a text in a text.
[[nodiscard]] bool contains(machine& m, const value& container, const value& item);
[[nodiscard]] bool compare(machine& m, op what, const value& a, const value& b);

/// len(v)
[[nodiscard]] std::size_t length(machine& m, const value& v);
/// list(v): characters, keys, what is left of a generator.
[[nodiscard]] value::list_type items_of(machine& m, const value& v);
[[nodiscard]] bool is_iterable(const value& v) noexcept;

/// The value of a key; nothing if there is none.
[[nodiscard]] const value* find(machine& m, const value& dict, const value& key);
[[nodiscard]] const value* find(machine& m, const value& dict, std::string_view key);
/// Sets a key of entries that are to become a dict.
void put(machine& m, std::vector<value::entry>& entries, value key, value content);
/// The same for each argument that has a name.
void put_named(machine& m, std::vector<value::entry>& entries, const arguments& given);

/// Where a character begins. @pre index <= characters
[[nodiscard]] std::size_t byte_of(const string_object& s, std::size_t index);
/// v[first:last:step]; absent bounds are None.
[[nodiscard]] value slice(machine& m, const value& v, const value& first, const value& last, const value& step);

/// markupsafe.escape
[[nodiscard]] text escape_markup(const text& content);
/// Appends one text, escaped where the whole is markup and the part is none.
void append_part(text& out, const string_object& part, bool escaped);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION bool is_true(const value& v) {
    switch(v.what()) {
    case kind::undefined:
    case kind::none:
        return false;
    case kind::boolean:
    case kind::integer:
        return v.integer() != 0;
    case kind::real:
        return v.real() != 0;
    case kind::string:
        return !v.view().empty();
    case kind::dict:
        return !v.entries().empty();
    case kind::list:
        return v.how() == flavour::generator || !v.items().empty();
    default:
        return true;
    }
}

namespace detail {

// Exactly, also where an integer has more digits than a double.
inline int order_numbers(const value& a, const value& b) {
    if(is_whole(a) && is_whole(b)) {
        return a.integer() < b.integer() ? -1 : a.integer() > b.integer() ? 1 : 0;
    }
    const double x = real_of(a);
    const double y = real_of(b);
    if(std::isnan(x) || std::isnan(y)) {
        return 2;
    }
    if(x == y && (is_whole(a) || is_whole(b)) && x >= -9.2e18 && x <= 9.2e18) {
        const std::int64_t i = is_whole(a) ? a.integer() : static_cast<std::int64_t>(x);
        const std::int64_t j = is_whole(b) ? b.integer() : static_cast<std::int64_t>(y);
        return i < j ? -1 : i > j ? 1 : 0;
    }
    return x < y ? -1 : x > y ? 1 : 0;
}

inline bool same_flavour(const value& a, const value& b) {
    return a.what() == b.what() && (!a.is(kind::list) || a.how() == b.how());
}

} // namespace detail

TOKENWORKS_FUNCTION bool equal(machine& m, const value& a, const value& b) {
    m.step();
    if(is_number(a) && is_number(b)) {
        return detail::order_numbers(a, b) == 0;
    }
    if(!detail::same_flavour(a, b)) {
        return false;
    }
    if(a.is(kind::string)) {
        m.step(a.view().size() / 64);
        return a.view() == b.view();
    }
    if(a.is(kind::undefined) || a.is(kind::none) || a.shared() == b.shared()) {
        return true;
    }
    if(a.is(kind::list) && a.how() != flavour::generator && a.how() != flavour::values) {
        if(a.items().size() != b.items().size()) {
            return false;
        }
        for(std::size_t i = 0; i < a.items().size(); ++i) {
            if(!equal(m, a.items()[i], b.items()[i])) {
                return false;
            }
        }
        return true;
    }
    if(a.is(kind::dict)) {
        if(a.entries().size() != b.entries().size()) {
            return false;
        }
        for(const auto& [key, content]: a.entries()) {
            const value* const other = find(m, b, key);
            if(other == nullptr || !equal(m, content, *other)) {
                return false;
            }
        }
        return true;
    }
    return false;
}

TOKENWORKS_FUNCTION int order(machine& m, const value& a, const value& b) {
    m.step();
    m.refuse_undefined(a);
    m.refuse_undefined(b);
    if(is_number(a) && is_number(b)) {
        return detail::order_numbers(a, b);
    }
    if(a.is(kind::string) && b.is(kind::string)) {
        m.step(a.view().size() / 64);
        const int c = a.view().compare(b.view());
        return c < 0 ? -1 : c > 0 ? 1 : 0;
    }
    if(is_list_or_tuple(a) && detail::same_flavour(a, b)) {
        for(std::size_t i = 0; i < a.items().size() && i < b.items().size(); ++i) {
            if(!equal(m, a.items()[i], b.items()[i])) {
                return order(m, a.items()[i], b.items()[i]);
            }
        }
        return a.items().size() < b.items().size() ? -1 : a.items().size() > b.items().size() ? 1 : 0;
    }
    m.fail({"there is no order between ", type_name(a), " and ", type_name(b)});
}

TOKENWORKS_FUNCTION bool contains(machine& m, const value& container, const value& item) {
    switch(container.what()) {
    case kind::undefined:
        return false;
    case kind::string:
        m.refuse_undefined(item);
        if(!item.is(kind::string)) {
            m.fail({"'in' of a string needs a string, not ", type_name(item)});
        }
        m.step(container.view().size() / 64);
        return container.view().find(item.view()) != std::string_view::npos;
    case kind::dict:
        return find(m, container, item) != nullptr;
    case kind::list:
        for(const value& each: container.items()) {
            if(equal(m, each, item)) {
                return true;
            }
        }
        return false;
    default:
        m.fail({"a value of type ", type_name(container), " holds no items"});
    }
}

TOKENWORKS_FUNCTION bool compare(machine& m, op what, const value& a, const value& b) {
    if(what == op::equal || what == op::unequal) {
        return equal(m, a, b) == (what == op::equal);
    }
    if(what == op::in || what == op::not_in) {
        return contains(m, b, a) == (what == op::in);
    }
    const int o = order(m, a, b);
    switch(what) {
    case op::less:
        return o == -1;
    case op::less_equal:
        return o == -1 || o == 0;
    case op::more:
        return o == 1;
    default:
        return o == 1 || o == 0;
    }
}

TOKENWORKS_FUNCTION std::size_t length(machine& m, const value& v) {
    switch(v.what()) {
    case kind::undefined:
        return 0;
    case kind::string:
        return v.string().characters;
    case kind::dict:
        return v.entries().size();
    case kind::list:
        if(v.how() != flavour::generator) {
            return v.items().size();
        }
        [[fallthrough]];
    default:
        m.fail({"a value of type ", type_name(v), " has no length"});
    }
}

TOKENWORKS_FUNCTION bool is_iterable(const value& v) noexcept {
    return v.is(kind::undefined) || v.is(kind::string) || v.is(kind::list) || v.is(kind::dict) || v.is(kind::loop);
}

TOKENWORKS_FUNCTION value::list_type items_of(machine& m, const value& v) {
    value::list_type items;
    switch(v.what()) {
    case kind::undefined:
        return items;
    case kind::string: {
        const text& content = v.string().content;
        m.need(v.string().characters, sizeof(value) + sizeof(string_object));
        items.reserve(v.string().characters);
        for(std::size_t at = 0; at < content.size();) {
            const std::size_t end = at + decode_utf8(content.view(), at).length;
            items.push_back(m.make(content.sub(at, end), v.string().markup));
            at = end;
        }
        return items;
    }
    case kind::list: {
        auto& held = static_cast<list_object&>(*v.shared());
        m.need(held.items.size(), sizeof(value));
        m.step(held.items.size());
        items.assign(held.items.begin() + static_cast<std::ptrdiff_t>(held.taken), held.items.end());
        if(held.how == flavour::generator) {
            held.taken = held.items.size();
        }
        return items;
    }
    case kind::dict:
        m.need(v.entries().size(), sizeof(value));
        m.step(v.entries().size());
        for(const value::entry& each: v.entries()) {
            items.push_back(each.first);
        }
        return items;
    default:
        m.fail({"a value of type ", type_name(v), " cannot be walked through"});
    }
}

TOKENWORKS_FUNCTION const value* find(machine& m, const value& dict, std::string_view key) {
    m.step(1 + dict.entries().size() / 16);
    for(const value::entry& each: dict.entries()) {
        if(each.first.is(kind::string) && each.first.view() == key) {
            return &each.second;
        }
    }
    return nullptr;
}

TOKENWORKS_FUNCTION const value* find(machine& m, const value& dict, const value& key) {
    if(key.is(kind::string)) {
        return find(m, dict, key.view());
    }
    for(const value::entry& each: dict.entries()) {
        if(equal(m, each.first, key)) {
            return &each.second;
        }
    }
    return nullptr;
}

TOKENWORKS_FUNCTION void put(machine& m, std::vector<value::entry>& entries, value key, value content) {
    for(value::entry& each: entries) {
        if(equal(m, each.first, key)) {
            each.second = std::move(content);
            return;
        }
    }
    if(key.is(kind::dict) || (key.is(kind::list) && key.how() == flavour::list)) {
        m.fail({"a value of type ", type_name(key), " cannot be a key"});
    }
    entries.emplace_back(std::move(key), std::move(content));
}

TOKENWORKS_FUNCTION void put_named(machine& m, std::vector<value::entry>& entries, const arguments& given) {
    for(const auto& [name, content]: given.named) {
        put(m, entries, m.make(name, true), content);
    }
}

TOKENWORKS_FUNCTION std::size_t byte_of(const string_object& s, std::size_t index) {
    if(s.ascii()) {
        return index;
    }
    std::size_t at = 0;
    for(; index > 0; --index) {
        at += decode_utf8(s.content.view(), at).length;
    }
    return at;
}

TOKENWORKS_FUNCTION value slice(machine& m, const value& v, const value& first, const value& last, const value& step) {
    if(!v.is(kind::string) && !has_places(v)) {
        m.refuse_undefined(v);
        return m.undefined({"a value of type ", type_name(v), " has no slices"});
    }
    const auto bound_of = [&](const value& b, std::int64_t otherwise) {
        m.refuse_undefined(b);
        if(!b.is(kind::none) && !is_whole(b)) {
            m.fail({"the bounds of a slice are numbers or none, not ", type_name(b)});
        }
        return b.is(kind::none) ? otherwise : b.integer();
    };
    const auto size = static_cast<std::int64_t>(length(m, v));
    const std::int64_t by = bound_of(step, 1);
    if(by == 0) {
        m.fail("the step of a slice is zero");
    }
    const std::int64_t low = by > 0 ? 0 : -1;
    const std::int64_t high = by > 0 ? size : size - 1;
    const auto within = [&](const value& b, std::int64_t otherwise) {
        std::int64_t at = bound_of(b, otherwise);
        if(!b.is(kind::none) && at < 0) {
            at += size;
        }
        return at < low ? low : at > high ? high : at;
    };
    std::int64_t at = within(first, by > 0 ? low : high);
    const std::int64_t end = within(last, by > 0 ? high : low);
    if(v.is(kind::string) && by == 1) {
        const string_object& s = v.string();
        m.step(s.ascii() ? 1 : s.characters / 16);
        if(at >= end) {
            return m.make(text{}, s.markup);
        }
        const std::size_t from = byte_of(s, static_cast<std::size_t>(at));
        const std::size_t to = byte_of(s, static_cast<std::size_t>(end));
        return m.make(s.content.sub(from, to), s.markup);
    }
    std::vector<std::size_t> taken;
    while(by > 0 ? at < end : at > end) {
        taken.push_back(static_cast<std::size_t>(at));
        if(by > 0 ? by > end - at : by < end - at) {
            break;
        }
        at += by;
    }
    m.step(taken.size());
    if(v.is(kind::list)) {
        value::list_type items;
        items.reserve(taken.size());
        for(const std::size_t i: taken) {
            items.push_back(v.items()[i]);
        }
        return m.make_list(std::move(items), v.tainted(), v.how());
    }
    const text& content = v.string().content;
    std::vector<std::size_t> begins; // of each character, and the end
    for(std::size_t b = 0; b < content.size(); b += decode_utf8(content.view(), b).length) {
        begins.push_back(b);
    }
    begins.push_back(content.size());
    m.step(begins.size() / 16);
    text out;
    for(const std::size_t i: taken) {
        out.append(content, begins[i], begins[i + 1]);
    }
    return m.make(std::move(out), v.string().markup);
}

TOKENWORKS_FUNCTION text escape_markup(const text& content) {
    constexpr std::string_view special = "&<>'\"";
    constexpr std::string_view meant[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    text out;
    std::size_t from = 0;
    for(std::size_t at = 0; at < content.size(); ++at) {
        const std::size_t found = special.find(content.view()[at]);
        if(found != special.npos) {
            out.append(content, from, at);
            out.append(meant[found], content.trusted(at, at + 1));
            from = at + 1;
        }
    }
    out.append(content, from, content.size());
    return out;
}

TOKENWORKS_FUNCTION void append_part(text& out, const string_object& part, bool escaped) {
    if(escaped && !part.markup) {
        out.append(escape_markup(part.content));
    } else {
        out.append(part.content);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
