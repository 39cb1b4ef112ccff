// The functions that a chat template finds: range, dict, namespace, raise_exception and strftime_now.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_print.hpp>
#include <tokenworks/codec/jinja_scope.hpp>
#include <tokenworks/codec/jinja_time.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja::detail {

/// The functions of a template, before their call.
enum class function : std::uint8_t { range, space, dict, raise_exception, strftime_now, lipsum, cycler, joiner };
inline constexpr std::string_view functions[] = {"range",        "namespace", "dict",   "raise_exception",
                                                 "strftime_now", "lipsum",    "cycler", "joiner"};

class function_object: public object {
public:
    explicit function_object(function asked) : which{asked} {}
    const function which;
};

/// The functions in one run of a template. They keep what may hold itself: namespaces, which are emptied at the end.
class template_functions {
public:
    /// @param now  for strftime_now: seconds since 1970 on the clock that is meant
    template_functions(machine& m, std::int64_t now) : m_{m}, now_{now} {}
    ~template_functions() {
        for(const reference<space_object>& each: spaces_) {
            each->attributes.clear();
        }
    }
    template_functions(const template_functions&) = delete;
    template_functions& operator=(const template_functions&) = delete;

    [[nodiscard]] value call(function which, const arguments& given);

private:
    [[nodiscard]] value make_range(const arguments& given);
    [[nodiscard]] value make_dict(const arguments& given);
    [[nodiscard]] value make_space(const arguments& given);

    machine& m_;
    std::int64_t now_;
    std::vector<reference<space_object>> spaces_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION value template_functions::make_range(const arguments& given) {
    std::int64_t bounds[3] = {0, 0, 1};
    if(given.plain.empty() || given.plain.size() > 3 || !given.named.empty()) {
        m_.fail("range takes one to three numbers");
    }
    bool tainted = false;
    for(std::size_t i = 0; i < given.plain.size(); ++i) {
        if(!is_whole(given.plain[i])) {
            m_.refuse("range takes numbers", given.plain[i]);
        }
        bounds[given.plain.size() == 1 ? 1 : i] = given.plain[i].integer();
        tainted = tainted || given.plain[i].tainted();
    }
    const auto [first, last, step] = bounds;
    if(step == 0) {
        m_.fail("the step of a range is zero");
    }
    value::list_type items;
    for(std::int64_t at = first; step > 0 ? at < last : at > last; at += step) {
        if(items.size() == machine::longest_range) {
            m_.fail({"Range too big. The sandbox blocks ranges larger than MAX_RANGE (", machine::longest_range, ")."});
        }
        items.push_back(made_of(at, tainted));
        if(step > 0 ? step >= last - at : step <= last - at) {
            break;
        }
    }
    m_.step(items.size());
    return m_.make_list(std::move(items), tainted, flavour::range);
}

TOKENWORKS_FUNCTION value template_functions::make_dict(const arguments& given) {
    std::vector<value::entry> entries;
    bool tainted = false;
    if(given.plain.size() > 1) {
        m_.fail("dict takes one value and names");
    }
    if(!given.plain.empty() && given.plain[0].is(kind::dict)) {
        entries = given.plain[0].entries();
        tainted = given.plain[0].tainted();
    } else if(!given.plain.empty()) {
        for(const value& pair: items_of(m_, given.plain[0])) {
            const value::list_type parts = items_of(m_, pair);
            if(parts.size() != 2) {
                m_.fail("dict takes pairs");
            }
            put(m_, entries, parts[0], parts[1]);
        }
    }
    put_named(m_, entries, given);
    return m_.make_dict(std::move(entries), tainted);
}

TOKENWORKS_FUNCTION value template_functions::make_space(const arguments& given) {
    const value content = make_dict(given);
    m_.need(sizeof(space_object));
    auto* const made = new space_object{};
    value result = value::adopt(kind::space, made);
    made->retain();
    spaces_.emplace_back(made);
    made->charge(m_.used(), sizeof(space_object));
    for(const value::entry& each: content.entries()) {
        if(!each.first.is(kind::string)) {
            m_.fail("the names of a namespace are strings");
        }
        made->set(m_, each.first.view(), each.second);
    }
    return result;
}

TOKENWORKS_FUNCTION value template_functions::call(function which, const arguments& given) {
    const auto one_text = [&](std::string_view name) {
        if(given.plain.size() + given.named.size() != 1) {
            m_.fail({name, " takes one argument"});
        }
        return str(m_, given.plain.empty() ? given.named[0].second : given.plain[0]);
    };
    switch(which) {
    case function::range:
        return make_range(given);
    case function::space:
        return make_space(given);
    case function::dict:
        return make_dict(given);
    case function::raise_exception:
        tokenworks::detail::raise<template_error>(m_.name(), m_.line, std::string{one_text("raise_exception").view()});
    case function::strftime_now: {
        const text format = one_text("strftime_now");
        return m_.make(format_time(m_, format.view(), now_), format.trusted());
    }
    default:
        m_.fail({"the function ", functions[static_cast<std::size_t>(which)], " is not supported"});
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja::detail
