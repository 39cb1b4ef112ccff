// strftime_now of chat templates: a moment by a format, in English.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// A moment by the format of strftime, as Python's datetime writes one without a time zone in the C locale.
/// @param seconds  since 1970-01-01 00:00 of the clock that is meant, leap seconds not counted
[[nodiscard]] std::string format_time(machine& m, std::string_view format, std::int64_t seconds);

#if TOKENWORKS_DEFINITIONS

namespace detail {

struct moment {
    std::int64_t year;
    int month, day, year_day, week_day, hour, minute, second; // month from 1, year_day from 0, week_day from Sunday
};

/// Days to a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
inline moment moment_of(std::int64_t seconds) {
    std::int64_t days = seconds / 86400;
    std::int64_t rest = seconds % 86400;
    if(rest < 0) {
        rest += 86400;
        --days;
    }
    const std::int64_t shifted = days + 719468; // from 0000-03-01
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const std::int64_t of_era = shifted - era * 146097;
    const std::int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const std::int64_t of_year = of_era - (365 * years + years / 4 - years / 100); // from March 1
    const std::int64_t month = (5 * of_year + 2) / 153;                            // from March
    const std::int64_t year = years + era * 400 + (month >= 10 ? 1 : 0);
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    moment made{};
    made.year = year;
    made.month = static_cast<int>(month < 10 ? month + 3 : month - 9);
    made.day = static_cast<int>(of_year - (153 * month + 2) / 5 + 1);
    made.year_day = static_cast<int>(month < 10 ? of_year + 59 + (leap ? 1 : 0) : of_year - 306);
    made.week_day = static_cast<int>(((days % 7) + 11) % 7);
    made.hour = static_cast<int>(rest / 3600);
    made.minute = static_cast<int>(rest / 60 % 60);
    made.second = static_cast<int>(rest % 60);
    return made;
}

} // namespace detail

TOKENWORKS_FUNCTION std::string format_time(machine& m, std::string_view format, std::int64_t seconds) {
    constexpr std::string_view days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
    constexpr std::string_view months[] = {"January", "February", "March",     "April",   "May",      "June",
                                           "July",    "August",   "September", "October", "November", "December"};
    constexpr std::int64_t most = 253402300799; // the end of the year 9999
    if(seconds < -62135596800 || seconds > most) {
        m.fail("a time outside of the years 1 to 9999");
    }
    const detail::moment now = detail::moment_of(seconds);
    const std::string_view day = days[now.week_day];
    const std::string_view month = months[now.month - 1];
    const int hour12 = now.hour % 12 == 0 ? 12 : now.hour % 12;
    m.need(format.size());
    std::string out;
    for(std::size_t at = 0; at < format.size(); ++at) {
        if(format[at] != '%' || at + 1 == format.size()) {
            out += format[at];
            continue;
        }
        char flag = format[++at];
        if((flag == '-' || flag == '_' || flag == '0') && at + 1 < format.size()) {
            ++at;
        } else {
            flag = '\0';
        }
        const auto number = [&](std::int64_t value, std::size_t width, char fill) {
            const std::string digits = std::to_string(value);
            fill = flag == '_' ? ' ' : flag == '0' ? '0' : fill;
            out.append(flag != '-' && digits.size() < width ? width - digits.size() : 0, fill);
            out += digits;
        };
        const auto again = [&](std::string_view longer) { out += format_time(m, longer, seconds); };
        switch(format[at]) {
        case 'Y':
            number(now.year, flag == '0' || flag == '_' ? 4 : 1, '0');
            break;
        case 'y':
            number(now.year % 100, 2, '0');
            break;
        case 'C':
            number(now.year / 100, 2, '0');
            break;
        case 'm':
            number(now.month, 2, '0');
            break;
        case 'd':
            number(now.day, 2, '0');
            break;
        case 'e':
            number(now.day, 2, ' ');
            break;
        case 'j':
            number(now.year_day + 1, 3, '0');
            break;
        case 'H':
            number(now.hour, 2, '0');
            break;
        case 'k':
            number(now.hour, 2, ' ');
            break;
        case 'I':
            number(hour12, 2, '0');
            break;
        case 'l':
            number(hour12, 2, ' ');
            break;
        case 'M':
            number(now.minute, 2, '0');
            break;
        case 'S':
            number(now.second, 2, '0');
            break;
        case 'f':
            out += "000000";
            break;
        case 'u':
            number(now.week_day == 0 ? 7 : now.week_day, 1, '0');
            break;
        case 'w':
            number(now.week_day, 1, '0');
            break;
        case 'U':
            number((now.year_day + 7 - now.week_day) / 7, 2, '0');
            break;
        case 'W':
            number((now.year_day + 7 - (now.week_day + 6) % 7) / 7, 2, '0');
            break;
        case 'p':
            out += now.hour < 12 ? "AM" : "PM";
            break;
        case 'A':
            out += day;
            break;
        case 'a':
            out += day.substr(0, 3);
            break;
        case 'B':
            out += month;
            break;
        case 'b':
        case 'h':
            out += month.substr(0, 3);
            break;
        case 'D':
        case 'x':
            again("%m/%d/%y");
            break;
        case 'F':
            again("%Y-%m-%d");
            break;
        case 'T':
        case 'X':
            again("%H:%M:%S");
            break;
        case 'R':
            again("%H:%M");
            break;
        case 'r':
            again("%I:%M:%S %p");
            break;
        case 'c':
            again("%a %b %e %H:%M:%S %Y");
            break;
        case 'z':
        case 'Z':
            break;
        case 'n':
            out += '\n';
            break;
        case 't':
            out += '\t';
            break;
        case '%':
            out += '%';
            break;
        default:
            m.fail({"strftime_now does not know %", tokenworks::detail::escaped(format.substr(at, 1))});
        }
    }
    return out;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
