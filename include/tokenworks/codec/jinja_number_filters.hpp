// The filters of Jinja that make numbers, or change them: int, float, abs, round. By jinja2/filters.py.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <tokenworks/codec/jinja_arithmetic.hpp>
#include <tokenworks/codec/jinja_blanks.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja::detail {

#if TOKENWORKS_DEFINITIONS

/// The number that a text says, as float() reads it.
inline bool read_real(std::string_view bytes, double& number) {
    bytes = without_blanks(bytes);
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
    bytes = without_blanks(bytes);
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

inline value absolute(machine& m, const value& v, const bound&) {
    if(!is_number(v)) {
        m.refuse("abs needs a number", v);
    }
    const bool is_negative = v.is(kind::real) ? std::signbit(v.real()) : v.integer() < 0;
    return is_negative ? negative(m, v) : v.is(kind::boolean) ? made_of(v.integer(), v.tainted()) : v;
}

inline value whole_of_real(machine& m, double number, bool tainted) {
    if(!(number > -9.2e18 && number < 9.2e18)) {
        too_large(m);
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

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja::detail
