// value.name and value[key], with the methods of dicts and lists.
//
// The rules are those of Jinja's ImmutableSandboxedEnvironment: `.` finds methods before keys and `[]` keys before
// methods, what a value does not have is undefined, names of Python's insides and methods that would change a value are
// not to be had.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_strings.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// v.name
[[nodiscard]] value get_attribute(machine& m, const value& v, std::string_view name);
/// v[key]
[[nodiscard]] value get_item(machine& m, const value& v, const value& key);
/// v.a.b.0 of the filters that take the name of an attribute: each part by get_item.
[[nodiscard]] value get_path(machine& m, value v, const value& path);

#if TOKENWORKS_DEFINITIONS

namespace detail {

inline value dict_view(machine& m, const value& dict, flavour how) {
    value::list_type items;
    m.need(dict.entries().size(), sizeof(value) + sizeof(list_object));
    m.step(dict.entries().size());
    items.reserve(dict.entries().size());
    for(const value::entry& each: dict.entries()) {
        if(how == flavour::items) {
            items.push_back(m.make_list({each.first, each.second}, dict.tainted(), flavour::tuple));
        } else {
            items.push_back(how == flavour::keys ? each.first : each.second);
        }
    }
    return m.make_list(std::move(items), dict.tainted(), how);
}

/// In a function, as a file that includes this one and calls nothing is then spared them.
inline std::span<const builtin> all_dict_methods() {
    static constexpr builtin all[] = {
        {"get", "key default", 1,
         [](machine& m, const value& self, const bound& given) {
             const value* const found = find(m, self, given[0]);
             return found != nullptr ? *found : given[1];
         }},
        {"items", "", 0,
         [](machine& m, const value& self, const bound&) { return dict_view(m, self, flavour::items); }},
        {"keys", "", 0, [](machine& m, const value& self, const bound&) { return dict_view(m, self, flavour::keys); }},
        {"values", "", 0,
         [](machine& m, const value& self, const bound&) { return dict_view(m, self, flavour::values); }},
        {"copy", "", 0, [](machine&, const value& self, const bound&) { return self; }},
    };
    return all;
}

/// In a function, as a file that includes this one and calls nothing is then spared them.
inline std::span<const builtin> all_list_methods() {
    static constexpr builtin all[] = {
        {"index", "value", 1,
         [](machine& m, const value& self, const bound& given) {
             for(std::size_t i = 0; i < self.items().size(); ++i) {
                 if(equal(m, self.items()[i], given[0])) {
                     return made_of(static_cast<std::int64_t>(i));
                 }
             }
             m.fail("the value is not in the list");
         }},
        {"count", "value", 1,
         [](machine& m, const value& self, const bound& given) {
             std::int64_t count = 0;
             for(const value& each: self.items()) {
                 count += equal(m, each, given[0]) ? 1 : 0;
             }
             return made_of(count);
         }},
        {"copy", "", 0, [](machine&, const value& self, const bound&) { return self; }},
    };
    return all;
}

inline constexpr std::string_view changing_methods[] = {"append", "clear",  "pop",     "reverse",    "insert", "sort",
                                                        "extend", "remove", "popitem", "setdefault", "update"};

/// A method, or an undefined value for one that is not to be had; false for neither.
inline bool find_method(machine& m, const value& v, std::string_view name, value& found) {
    const builtin* method = nullptr;
    if(name.starts_with("__") && name.ends_with("__") && name.size() > 4) {
        found = m.undefined({"the attribute ", tokenworks::detail::escaped(name), " is not to be had"});
        return true;
    }
    const bool is_list = has_places(v);
    if(v.is(kind::string)) {
        method = string_method(name);
    } else if(v.is(kind::dict) || is_list) {
        for(const std::string_view each: changing_methods) {
            if(each == name && (v.is(kind::dict) || v.how() == flavour::list)) {
                found = m.undefined({"a template may not change a value: ", name, " is not to be had"});
                return true;
            }
        }
        for(const builtin& each: all_dict_methods()) {
            method = v.is(kind::dict) && each.name == name ? &each : method;
        }
        for(const builtin& each: all_list_methods()) {
            method = is_list && each.name == name ? &each : method;
        }
    } else if(v.is(kind::space) || v.is(kind::loop) || v.is(kind::macro)) {
        return static_cast<open_object&>(*v.shared()).attribute(m, name, found);
    }
    if(method == nullptr) {
        return false;
    }
    auto* const made = new method_object{v, *method};
    found = value::adopt(kind::method, made);
    made->charge(m.used(), sizeof(method_object));
    return true;
}

inline value missing(machine& m, const value& v, std::string_view name) {
    return m.undefined({"a value of type ", type_name(v), " has no attribute ", tokenworks::detail::escaped(name)});
}

} // namespace detail

TOKENWORKS_FUNCTION value get_attribute(machine& m, const value& v, std::string_view name) {
    m.refuse_undefined(v);
    m.step();
    value found;
    if(detail::find_method(m, v, name, found)) {
        return found;
    }
    if(v.is(kind::dict)) {
        if(const value* const content = find(m, v, name)) {
            return *content;
        }
    }
    return detail::missing(m, v, name);
}

TOKENWORKS_FUNCTION value get_item(machine& m, const value& v, const value& key) {
    m.refuse_undefined(v);
    m.step();
    if(v.is(kind::dict)) {
        if(const value* const content = find(m, v, key)) {
            return *content;
        }
    } else if(is_whole(key) && (v.is(kind::string) || has_places(v))) {
        const auto size = static_cast<std::int64_t>(length(m, v));
        const std::int64_t at = key.integer() < 0 ? key.integer() + size : key.integer();
        if(at < 0 || at >= size) {
            return m.undefined({"a value of type ", type_name(v), " has no item ", key.integer()});
        }
        if(v.is(kind::list)) {
            return v.items()[static_cast<std::size_t>(at)];
        }
        const string_object& s = v.string();
        m.step(s.ascii() ? 0 : s.characters / 16);
        const std::size_t from = byte_of(s, static_cast<std::size_t>(at));
        return m.make(s.content.sub(from, from + decode_utf8(s.content.view(), from).length), s.markup);
    }
    if(key.is(kind::string)) {
        value found;
        if(detail::find_method(m, v, key.view(), found)) {
            return found;
        }
        return detail::missing(m, v, key.view());
    }
    return m.undefined({"a value of type ", type_name(v), " has no item of type ", type_name(key)});
}

TOKENWORKS_FUNCTION value get_path(machine& m, value v, const value& path) {
    if(!path.is(kind::string)) {
        return path.is(kind::none) ? v : get_item(m, v, path);
    }
    std::string_view left = path.view();
    for(;;) {
        const std::size_t dot = left.find('.');
        const std::string_view part = left.substr(0, dot);
        const bool number = !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == part.npos;
        std::int64_t index = 0;
        for(const char c: number ? part : std::string_view{}) {
            index = index * 10 + (c - '0');
        }
        v = get_item(m, v, number ? made_of(index) : m.make(part, true));
        if(dot == left.npos) {
            return v;
        }
        left.remove_prefix(dot + 1);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
