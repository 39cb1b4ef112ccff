// The filters of Jinja that walk through values: sort, unique, batch, join and their like. By jinja2/filters.py.
//
// Filters that Python gives as generators give one here too: walked once, without a length, always true.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <tokenworks/codec/jinja_arithmetic.hpp>
#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_methods.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_print.hpp>
#include <tokenworks/codec/jinja_strings.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja::detail {

#if TOKENWORKS_DEFINITIONS

/// A value to sort and compare by: text in lower case, unless case matters.
inline value sort_key(machine& m, const value& v, bool case_sensitive) {
    return v.is(kind::string) && !case_sensitive ? m.make(in_case(m, v.string().content, letter_case::lower)) : v;
}

inline value generator(machine& m, value::list_type items, const value& source) {
    return m.make_list(std::move(items), !source.is(kind::string) && source.tainted(), flavour::generator);
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

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja::detail
