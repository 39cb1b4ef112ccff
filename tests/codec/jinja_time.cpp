#include <cstdint>
#include <ctime>
#include <string>

#include <tokenworks/codec/jinja_time.hpp>
#include <tokenworks/core/error.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;

TEST_CASE("format_time: every directive as the C library writes it", "[codec]") {
    machine m{"t", limits{}, 0};
    // Years around leap days and ends, and before 1970.
    for(const std::int64_t seconds:
        {std::int64_t{0}, std::int64_t{951782399}, std::int64_t{951782400}, std::int64_t{951868800},
         std::int64_t{1785844800}, std::int64_t{4107542399}, std::int64_t{-1}, std::int64_t{-2208988800},
         std::int64_t{1735689599}, std::int64_t{1735689600}, std::int64_t{253402300799}}) {
        const auto time = static_cast<std::time_t>(seconds);
        std::tm broken{};
        REQUIRE(gmtime_r(&time, &broken) != nullptr);
        for(const char* format: {"%Y-%m-%d", "%H:%M:%S %p %I", "%A %a %B %b %h", "%j %U %W %u %w", "%y %C %e %k %l",
                                 "%-d %-m %_d", "%D %F %T %R %r", "%c|%x|%X", "%n%t%%", "%-H%-I%-j", "plain", ""}) {
            char expected[200];
            expected[std::strftime(expected, sizeof expected, format, &broken)] = '\0';
            INFO(seconds << " " << format);
            CHECK(format_time(m, format, seconds) == expected);
        }
    }
    CHECK(format_time(m, "%f|%z|%Z", 0) == "000000||");
    CHECK(format_time(m, "100%", 0) == "100%");
    CHECK_THROWS_WITH(format_time(m, "%Q", 0), ContainsSubstring("does not know %Q"));
    CHECK_THROWS_AS(format_time(m, "%Y", INT64_MAX), tokenworks::template_error);
}
