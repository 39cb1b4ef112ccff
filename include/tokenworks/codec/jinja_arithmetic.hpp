// The operators + - * / // % ** and the sign, as Python has them; integers have 64 bits.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// a + b, a - b, ... of op::add to op::power, but for the text that % formats.
[[nodiscard]] value arithmetic(machine& m, op what, const value& a, const value& b);
[[nodiscard]] value negative(machine& m, const value& a);

#if TOKENWORKS_DEFINITIONS

namespace detail {

[[noreturn]] TOKENWORKS_COLD inline void no_operation(machine& m, std::string_view sign, const value& a,
                                                      const value& b) {
    m.refuse_undefined(a);
    m.refuse_undefined(b);
    m.fail({"there is no ", sign, " between ", type_name(a), " and ", type_name(b)});
}

inline value add(machine& m, const value& a, const value& b) {
    if(a.is(kind::string) && b.is(kind::string)) {
        const bool markup = a.string().markup || b.string().markup;
        m.need(a.view().size() + b.view().size());
        text joined;
        append_part(joined, a.string(), markup);
        append_part(joined, b.string(), markup);
        return m.make(std::move(joined), markup);
    }
    if(is_list_or_tuple(a) && same_flavour(a, b)) {
        m.need(a.items().size() + b.items().size(), sizeof(value));
        m.step(a.items().size() + b.items().size());
        value::list_type items{a.items()};
        items.insert(items.end(), b.items().begin(), b.items().end());
        return m.make_list(std::move(items), a.tainted() || b.tainted(), a.how());
    }
    no_operation(m, "+", a, b);
}

inline value repeat(machine& m, const value& a, const value& b) {
    const value& content = is_whole(b) ? a : b;
    const value& times = is_whole(b) ? b : a;
    const auto count = static_cast<std::size_t>(times.integer() > 0 ? times.integer() : 0);
    if(content.is(kind::string)) {
        m.need(count, content.string().content.heap_bytes());
        text out;
        for(std::size_t i = 0; i < count && !content.view().empty(); ++i) {
            out.append(content.string().content);
        }
        return m.make(std::move(out), content.string().markup);
    }
    m.need(count, content.items().size() * sizeof(value));
    m.step(count * content.items().size());
    value::list_type items;
    for(std::size_t i = 0; i < count && !content.items().empty(); ++i) {
        items.insert(items.end(), content.items().begin(), content.items().end());
    }
    return m.make_list(std::move(items), content.tainted(), content.how());
}

[[noreturn]] TOKENWORKS_COLD inline void too_large(machine& m) { m.over_limit({"a number has more than 64 bits"}); }

inline std::int64_t floor_div(machine& m, std::int64_t x, std::int64_t y) {
    std::int64_t q = 0;
    if(y == -1) {
        if(__builtin_sub_overflow(std::int64_t{0}, x, &q)) {
            too_large(m);
        }
        return q;
    }
    q = x / y;
    return x % y != 0 && (x < 0) != (y < 0) ? q - 1 : q;
}

inline std::int64_t whole_arithmetic(machine& m, op what, std::int64_t x, std::int64_t y) {
    std::int64_t z = 0;
    bool over = false;
    switch(what) {
    case op::add:
        over = __builtin_add_overflow(x, y, &z);
        break;
    case op::subtract:
        over = __builtin_sub_overflow(x, y, &z);
        break;
    case op::multiply:
        over = __builtin_mul_overflow(x, y, &z);
        break;
    case op::floor:
        z = floor_div(m, x, y);
        break;
    case op::modulo:
        z = y == -1 ? 0 : x % y;
        z += z != 0 && (z < 0) != (y < 0) ? y : 0;
        break;
    default: // a power
        z = 1;
        if(x == 0 || x == 1) {
            return y == 0 ? 1 : x;
        }
        if(x == -1) {
            return y % 2 == 0 ? 1 : -1;
        }
        for(; y > 0 && !over; --y) {
            over = __builtin_mul_overflow(z, x, &z);
        }
        break;
    }
    if(over) {
        too_large(m);
    }
    return z;
}

inline double real_arithmetic(machine& m, op what, double x, double y) {
    switch(what) {
    case op::add:
        return x + y;
    case op::subtract:
        return x - y;
    case op::multiply:
        return x * y;
    case op::divide:
        return x / y;
    case op::power:
        if((x == 0 && y < 0) || (x < 0 && y != std::floor(y))) {
            m.fail("a power that is no real number");
        }
        return std::pow(x, y);
    default: { // as float_divmod in CPython
        double rest = std::fmod(x, y);
        double quotient = (x - rest) / y;
        if(rest != 0) {
            if((y < 0) != (rest < 0)) {
                rest += y;
                quotient -= 1;
            }
        } else {
            rest = std::copysign(0.0, y);
        }
        if(what == op::modulo) {
            return rest;
        }
        if(quotient == 0) {
            return std::copysign(0.0, x / y);
        }
        const double floor = std::floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }
    }
}

} // namespace detail

TOKENWORKS_FUNCTION value arithmetic(machine& m, op what, const value& a, const value& b) {
    if(is_number(a) && is_number(b)) {
        const bool tainted = a.tainted() || b.tainted();
        const bool divides = what == op::divide || what == op::floor || what == op::modulo;
        if(divides && real_of(b) == 0) {
            m.fail("division by zero");
        }
        if(is_whole(a) && is_whole(b) && what != op::divide && !(what == op::power && b.integer() < 0)) {
            return made_of(detail::whole_arithmetic(m, what, a.integer(), b.integer()), tainted);
        }
        return made_of(detail::real_arithmetic(m, what, real_of(a), real_of(b)), tainted);
    }
    constexpr std::string_view signs[] = {"+", "-", "*", "/", "//", "%", "**"};
    if(what == op::add) {
        return detail::add(m, a, b);
    }
    const auto repeats = [](const value& v) { return v.is(kind::string) || is_list_or_tuple(v); };
    if(what == op::multiply && ((repeats(a) && is_whole(b)) || (is_whole(a) && repeats(b)))) {
        return detail::repeat(m, a, b);
    }
    detail::no_operation(m, signs[static_cast<std::size_t>(what) - static_cast<std::size_t>(op::add)], a, b);
}

TOKENWORKS_FUNCTION value negative(machine& m, const value& a) {
    m.refuse_undefined(a);
    if(a.is(kind::real)) {
        return made_of(-a.real(), a.tainted());
    }
    if(!is_whole(a)) {
        m.fail({"a value of type ", type_name(a), " has no negative"});
    }
    return made_of(detail::whole_arithmetic(m, op::subtract, 0, a.integer()), a.tainted());
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
