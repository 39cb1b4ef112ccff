// The tests of Jinja: value is name(arguments).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <tokenworks/codec/jinja_arithmetic.hpp>
#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_print.hpp>
#include <tokenworks/codec/jinja_strings.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// A test by its name; nothing for an unknown one.
[[nodiscard]] const builtin* find_test(std::string_view name);

/// @throws template_error for an unknown test
[[nodiscard]] bool run_test(machine& m, std::string_view name, const value& v, arguments given);

/// Whether there is a filter of this name (codec/jinja_filters.hpp), for the test that asks.
[[nodiscard]] bool has_filter(std::string_view name);

#if TOKENWORKS_DEFINITIONS

namespace detail {

inline value remainder_is(machine& m, const value& v, const value& by, std::int64_t wanted) {
    return truth_value(equal(m, arithmetic(m, op::modulo, v, by), made_of(wanted)));
}

inline bool same_object(const value& a, const value& b) {
    if(a.what() != b.what()) {
        return false;
    }
    switch(a.what()) {
    case kind::none:
        return true;
    case kind::boolean:
        return a.boolean() == b.boolean();
    case kind::integer: // CPython keeps one object for each small integer
        return a.integer() == b.integer() && a.integer() >= -5 && a.integer() <= 256;
    case kind::real:
        return false;
    default:
        return a.shared() == b.shared();
    }
}

inline bool is_sequence(const value& v) {
    return v.is(kind::undefined) || v.is(kind::string) || v.is(kind::dict) || has_places(v);
}

inline value has_case(machine& m, const value& v, general_category wanted) {
    return case_method(str_value(m, v), wanted);
}

// clang-format off
template <kind Kind>
value is_kind(machine&, const value& v, const bound&) { return truth_value(v.is(Kind)); }
template <op Op>
value compares(machine& m, const value& v, const bound& a) { return truth_value(compare(m, Op, v, a[0])); }

/// In a function, as a file that includes this one and calls nothing is then spared them.
inline std::span<const builtin> all_tests() {
    static constexpr builtin all[] = {
    {"defined", "", 0, [](machine&, const value& v, const bound&) { return truth_value(!v.is(kind::undefined)); }},
    {"undefined", "", 0, is_kind<kind::undefined>},
    {"none", "", 0, is_kind<kind::none>},
    {"boolean", "", 0, is_kind<kind::boolean>},
    {"true", "", 0, [](machine&, const value& v, const bound&) { return truth_value(v.is(kind::boolean) && v.boolean()); }},
    {"false", "", 0, [](machine&, const value& v, const bound&) { return truth_value(v.is(kind::boolean) && !v.boolean()); }},
    {"integer", "", 0, is_kind<kind::integer>},
    {"float", "", 0, is_kind<kind::real>},
    {"number", "", 0, [](machine&, const value& v, const bound&) { return truth_value(is_number(v)); }},
    {"string", "", 0, is_kind<kind::string>},
    {"mapping", "", 0, is_kind<kind::dict>},
    {"iterable", "", 0, [](machine&, const value& v, const bound&) { return truth_value(is_iterable(v)); }},
    {"sequence", "", 0, [](machine&, const value& v, const bound&) { return truth_value(is_sequence(v)); }},
    {"callable", "", 0, [](machine&, const value& v, const bound&) { return truth_value(v.is(kind::macro) || v.is(kind::method) || v.is(kind::builtin) || v.is(kind::undefined)); }},
    {"escaped", "", 0, [](machine&, const value& v, const bound&) { return truth_value(v.is(kind::string) && v.string().markup); }},
    {"lower", "", 0, [](machine& m, const value& v, const bound&) { return has_case(m, v, general_category::ll); }},
    {"upper", "", 0, [](machine& m, const value& v, const bound&) { return has_case(m, v, general_category::lu); }},
    {"odd", "", 0, [](machine& m, const value& v, const bound&) { return remainder_is(m, v, made_of(std::int64_t{2}), 1); }},
    {"even", "", 0, [](machine& m, const value& v, const bound&) { return remainder_is(m, v, made_of(std::int64_t{2}), 0); }},
    {"divisibleby", "num", 1, [](machine& m, const value& v, const bound& a) { return remainder_is(m, v, a[0], 0); }},
    {"sameas", "other", 1, [](machine&, const value& v, const bound& a) { return truth_value(same_object(v, a[0])); }},
    {"filter", "", 0, [](machine&, const value& v, const bound&) { return truth_value(v.is(kind::string) && has_filter(v.view())); }},
    {"test", "", 0, [](machine&, const value& v, const bound&) { return truth_value(v.is(kind::string) && find_test(v.view()) != nullptr); }},
    {"in", "seq", 1, compares<op::in>},
    {"equalto", "other", 1, compares<op::equal>},
    {"eq", "other", 1, compares<op::equal>},
    {"==", "other", 1, compares<op::equal>},
    {"ne", "other", 1, compares<op::unequal>},
    {"!=", "other", 1, compares<op::unequal>},
    {"lt", "other", 1, compares<op::less>},
    {"<", "other", 1, compares<op::less>},
    {"lessthan", "other", 1, compares<op::less>},
    {"le", "other", 1, compares<op::less_equal>},
    {"<=", "other", 1, compares<op::less_equal>},
    {"gt", "other", 1, compares<op::more>},
    {">", "other", 1, compares<op::more>},
    {"greaterthan", "other", 1, compares<op::more>},
    {"ge", "other", 1, compares<op::more_equal>},
    {">=", "other", 1, compares<op::more_equal>},
    };
    return all;
}
// clang-format on

} // namespace detail

TOKENWORKS_FUNCTION const builtin* find_test(std::string_view name) {
    for(const builtin& each: detail::all_tests()) {
        if(each.name == name) {
            return &each;
        }
    }
    return nullptr;
}

TOKENWORKS_FUNCTION bool run_test(machine& m, std::string_view name, const value& v, arguments given) {
    const builtin* const found = find_test(name);
    if(found == nullptr) {
        m.fail({"there is no test named ", tokenworks::detail::escaped(name)});
    }
    m.step();
    return is_true(found->run(m, v, bound{m, *found, std::move(given)}));
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
