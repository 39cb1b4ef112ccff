// Dates of a series: read as they are written, the step between them, and those that follow in the same form.
//
// Days are those of the Gregorian calendar, counted as in Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013,
// by which std::chrono counts too. There are no time zones: a "Z" behind the time is kept, and nothing else.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::io {

/// How a date is written.
struct date_form {
    enum class kind : std::uint8_t { year, quarter, month, day, minute, second } precision = kind::day;
    char separator = '-'; ///< between year, month and day
    std::string before{}; ///< what stands between year and quarter, or day and time
    bool utc = false;     ///< ends with Z
    friend bool operator==(const date_form&, const date_form&) = default;
};

/// A moment, in seconds since 1970.
struct date {
    std::int64_t seconds = 0;
    friend auto operator<=>(const date&, const date&) = default; // NOLINT(modernize-use-nullptr): clang-tidy 14 errs
};

namespace detail {

/// Digits, and nothing else.
[[nodiscard]] inline std::optional<int> date_number(std::string_view text, std::size_t least, std::size_t most) {
    int value = 0;
    const auto [last, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool fits = text.size() >= least && text.size() <= most && problem == std::errc{} &&
                      last == text.data() + text.size() && text.front() >= '0' && text.front() <= '9';
    return fits ? std::optional{value} : std::nullopt;
}

[[nodiscard]] inline std::optional<std::int64_t> seconds_of_day(std::string_view text, bool& has_seconds) {
    has_seconds = text.size() == 8 && text[5] == ':';
    if((text.size() != 5 && !has_seconds) || text[2] != ':') {
        return std::nullopt;
    }
    const auto hour = date_number(text.substr(0, 2), 2, 2);
    const auto minute = date_number(text.substr(3, 2), 2, 2);
    const auto second = has_seconds ? date_number(text.substr(6, 2), 2, 2) : std::optional{0};
    if(!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) {
        return std::nullopt;
    }
    return (std::int64_t{*hour} * 60 + *minute) * 60 + *second;
}

[[nodiscard]] inline date date_of(std::chrono::year_month_day day, std::int64_t seconds = 0) {
    return {std::chrono::sys_days{day}.time_since_epoch().count() * std::int64_t{86400} + seconds};
}

} // namespace detail

/// Reads 1949, 1949-Q1 (or 1949Q1, 1949 Q1), 1949-01, 1949-01-31, and the last with 23:59 or 23:59:59 behind a blank or
/// T; slashes and dots may stand for the hyphens.
/// @param form  how it is written
/// @return nothing for what is no date
[[nodiscard]] inline std::optional<date> read_date(std::string_view text, date_form& form) {
    namespace ch = std::chrono;
    using enum date_form::kind;
    form = {};
    const auto year_number = text.size() >= 4 ? detail::date_number(text.substr(0, 4), 4, 4) : std::nullopt;
    if(!year_number) {
        return std::nullopt;
    }
    std::string_view rest = text.substr(4);
    if(rest.empty()) {
        form.precision = date_form::kind::year;
        return detail::date_of(ch::year{*year_number} / 1 / 1);
    }
    const std::string_view before = rest.front() == '-' || rest.front() == ' ' ? rest.substr(0, 1) : rest.substr(0, 0);
    if(const std::string_view quarter_text = rest.substr(before.size());
       quarter_text.size() == 2 && quarter_text[0] == 'Q' && quarter_text[1] >= '1' && quarter_text[1] <= '4') {
        form.precision = quarter;
        form.before = before;
        return detail::date_of(ch::year{*year_number} / (3 * (quarter_text[1] - '1') + 1) / 1);
    }
    if(rest.front() != '-' && rest.front() != '/' && rest.front() != '.') {
        return std::nullopt;
    }
    form.separator = rest.front();
    const auto month_number = rest.size() >= 3 ? detail::date_number(rest.substr(1, 2), 2, 2) : std::nullopt;
    if(!month_number || *month_number < 1 || *month_number > 12) {
        return std::nullopt;
    }
    rest = rest.substr(3);
    if(rest.empty()) {
        form.precision = month;
        return detail::date_of(ch::year{*year_number} / *month_number / 1);
    }
    const auto day_number =
        rest.size() >= 3 && rest[0] == form.separator ? detail::date_number(rest.substr(1, 2), 2, 2) : std::nullopt;
    if(!day_number || !(ch::year{*year_number} / *month_number / *day_number).ok()) {
        return std::nullopt;
    }
    const ch::year_month_day on = ch::year{*year_number} / *month_number / *day_number;
    rest = rest.substr(3);
    if(rest.empty()) {
        form.precision = day;
        return detail::date_of(on);
    }
    if(rest.front() != ' ' && rest.front() != 'T') {
        return std::nullopt;
    }
    form.before = rest.substr(0, 1);
    rest = rest.substr(1);
    if(rest.ends_with('Z')) {
        form.utc = true;
        rest.remove_suffix(1);
    }
    bool has_seconds = false;
    const auto seconds = detail::seconds_of_day(rest, has_seconds);
    if(!seconds) {
        return std::nullopt;
    }
    form.precision = has_seconds ? second : minute;
    return detail::date_of(on, *seconds);
}

/// Writes it in that form.
[[nodiscard]] inline std::string to_string(date at, const date_form& form) {
    namespace ch = std::chrono;
    using enum date_form::kind;
    const std::int64_t days = (at.seconds >= 0 ? at.seconds : at.seconds - 86399) / 86400;
    const ch::year_month_day on{ch::sys_days{ch::days{days}}};
    const auto digits = [](std::int64_t value, std::size_t width) {
        std::string text = std::to_string(value);
        return text.size() < width ? std::string(width - text.size(), '0') + text : text;
    };
    std::string out = digits(static_cast<int>(on.year()), 4);
    const auto number_of_month = static_cast<std::int64_t>(static_cast<unsigned>(on.month()));
    if(form.precision == year) {
        return out;
    }
    if(form.precision == quarter) {
        return out + form.before + "Q" + std::to_string((number_of_month - 1) / 3 + 1);
    }
    out += form.separator + digits(number_of_month, 2);
    if(form.precision == month) {
        return out;
    }
    out += form.separator + digits(static_cast<std::int64_t>(static_cast<unsigned>(on.day())), 2);
    if(form.precision == day) {
        return out;
    }
    const std::int64_t of_day = at.seconds - days * 86400;
    out += form.before + digits(of_day / 3600, 2) + ":" + digits(of_day / 60 % 60, 2);
    if(form.precision == second) {
        out += ":" + digits(of_day % 60, 2);
    }
    return out + (form.utc ? "Z" : "");
}

/// What lies between one date and the next: months (quarters are 3, years 12), or seconds.
struct date_step {
    std::int64_t months = 0;
    std::int64_t seconds = 0;
    bool month_ends = false; ///< each date is the last day of its month
    friend bool operator==(const date_step&, const date_step&) = default;
};

namespace detail {

struct calendar_day {
    std::int64_t month;   ///< counted from year 0
    std::int64_t seconds; ///< into the month
    bool is_last_day;
};

[[nodiscard]] inline calendar_day calendar_day_of(date at) {
    namespace ch = std::chrono;
    const std::int64_t days = (at.seconds >= 0 ? at.seconds : at.seconds - 86399) / 86400;
    const ch::year_month_day on{ch::sys_days{ch::days{days}}};
    const std::int64_t month = std::int64_t{static_cast<int>(on.year())} * 12 +
                               static_cast<std::int64_t>(static_cast<unsigned>(on.month())) - 1;
    const auto day = static_cast<std::int64_t>(static_cast<unsigned>(on.day()));
    return {month, (day - 1) * 86400 + at.seconds - days * 86400, on == on.year() / on.month() / ch::last};
}

} // namespace detail

/// The date `count` steps behind another.
/// @throws argument_error beyond the year 9999
[[nodiscard]] inline date date_after(date from, const date_step& step, std::int64_t count) {
    namespace ch = std::chrono;
    date to{from.seconds + step.seconds * count};
    if(step.months != 0) {
        const detail::calendar_day day = detail::calendar_day_of(from);
        const std::int64_t month = day.month + step.months * count;
        if(month >= 120000) {
            tokenworks::detail::raise<argument_error>({"dates: beyond the year 9999"});
        }
        const ch::year_month first = ch::year{static_cast<int>(month / 12)} / static_cast<int>(month % 12 + 1);
        const ch::year_month_day last{first / ch::last};
        // A day that the month does not have is its last.
        const std::int64_t days =
            step.month_ends ? static_cast<std::int64_t>(static_cast<unsigned>(last.day())) - 1
                            : std::min<std::int64_t>(day.seconds / 86400,
                                                     static_cast<std::int64_t>(static_cast<unsigned>(last.day())) - 1);
        to = detail::date_of(first / 1, days * 86400 + day.seconds % 86400);
    }
    constexpr std::int64_t end = 253402300800; // of 9999
    if(to.seconds >= end) {
        tokenworks::detail::raise<argument_error>({"dates: beyond the year 9999"});
    }
    return to;
}

/// The step of dates that rise: the least of all, of which every other must be a multiple, where rows are left out.
/// @param places  where each date stands when missing ones are counted too
/// @return nothing where they have none; the first date that does not fit is then `wrong`
[[nodiscard]] inline std::optional<date_step> step_of(std::span<const date> dates, std::vector<std::size_t>& places,
                                                      std::size_t& wrong) {
    places.assign(dates.size(), 0);
    wrong = 1;
    if(dates.size() < 2) {
        return std::nullopt;
    }
    bool same_day = true;
    bool last_days = true;
    std::int64_t least_months = 0;
    std::int64_t least_seconds = 0;
    const detail::calendar_day first = detail::calendar_day_of(dates[0]);
    detail::calendar_day before = first;
    for(std::size_t i = 0; i < dates.size(); ++i) {
        const detail::calendar_day day = detail::calendar_day_of(dates[i]);
        same_day = same_day && day.seconds == first.seconds;
        last_days = last_days && day.is_last_day && day.seconds % 86400 == first.seconds % 86400;
        if(i != 0) {
            if(dates[i] <= dates[i - 1]) {
                wrong = i;
                return std::nullopt;
            }
            least_months = std::gcd(least_months, day.month - before.month);
            least_seconds = least_seconds == 0 ? dates[i].seconds - dates[i - 1].seconds
                                               : std::min(least_seconds, dates[i].seconds - dates[i - 1].seconds);
        }
        before = day;
    }
    const bool by_months = (same_day || last_days) && least_months != 0;
    const date_step step = by_months ? date_step{.months = least_months, .month_ends = last_days && !same_day}
                                     : date_step{.seconds = least_seconds};
    std::int64_t sum = 0;
    for(std::size_t i = 1; i < dates.size(); ++i) {
        const std::int64_t seconds = dates[i].seconds - dates[i - 1].seconds;
        const std::int64_t apart =
            by_months ? detail::calendar_day_of(dates[i]).month - detail::calendar_day_of(dates[i - 1]).month : seconds;
        const std::int64_t unit = by_months ? least_months : least_seconds;
        if(apart % unit != 0) {
            wrong = i;
            return std::nullopt;
        }
        sum += apart / unit;
        places[i] = static_cast<std::size_t>(sum);
    }
    return step;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::io
