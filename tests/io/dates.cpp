#include <tokenworks/io/dates.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;

namespace {

std::vector<std::string> continued(const std::vector<std::string>& texts, std::size_t steps) {
    std::vector<io::date> dates;
    io::date_form form;
    for(const std::string& text: texts) {
        const std::optional<io::date> at = io::read_date(text, form);
        REQUIRE(at);
        CHECK(io::to_string(*at, form) == text);
        dates.push_back(*at);
    }
    std::vector<std::size_t> places;
    std::size_t wrong = 0;
    const std::optional<io::date_step> step = io::step_of(dates, places, wrong);
    if(!step) {
        return {"wrong " + std::to_string(wrong)};
    }
    std::vector<std::string> out;
    for(std::size_t i = 1; i <= steps; ++i) {
        out.push_back(io::to_string(io::date_after(dates.back(), *step, static_cast<std::int64_t>(i)), form));
    }
    return out;
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("dates: series go on in their own step and form", "[io]") {
    CHECK(continued({"1998", "1999"}, 2) == texts{"2000", "2001"});
    CHECK(continued({"1999-Q3", "1999-Q4"}, 2) == texts{"2000-Q1", "2000-Q2"});
    CHECK(continued({"1999Q3", "1999Q4"}, 1) == texts{"2000Q1"});
    CHECK(continued({"1999-11", "1999-12"}, 2) == texts{"2000-01", "2000-02"});
    CHECK(continued({"1999-11-01", "1999-12-01", "2000-01-01"}, 2) == texts{"2000-02-01", "2000-03-01"});
    CHECK(continued({"1999-11-30", "1999-12-31", "2000-01-31"}, 3) == texts{"2000-02-29", "2000-03-31", "2000-04-30"});
    CHECK(continued({"1999-11-30", "1999-12-30"}, 3) == texts{"2000-01-30", "2000-02-29", "2000-03-30"});
    CHECK(continued({"2000-01-01", "2000-04-01"}, 2) == texts{"2000-07-01", "2000-10-01"});
    CHECK(continued({"1999/12/30", "1999/12/31"}, 2) == texts{"2000/01/01", "2000/01/02"});
    CHECK(continued({"2000.02.20", "2000.02.27"}, 2) == texts{"2000.03.05", "2000.03.12"});
    CHECK(continued({"2023-12-31 22:00", "2023-12-31 23:00"}, 2) == texts{"2024-01-01 00:00", "2024-01-01 01:00"});
    CHECK(continued({"2023-12-31T23:59:30Z", "2023-12-31T23:59:45Z"}, 1) == texts{"2024-01-01T00:00:00Z"});
    CHECK(continued({"1969-12-30", "1969-12-31"}, 2) == texts{"1970-01-01", "1970-01-02"});
    CHECK(continued({"2000-01-01", "2000-01-02", "2000-01-05"}, 1) == texts{"2000-01-06"}); // two days are left out
    CHECK(continued({"2000-01", "2000-02", "2000-04"}, 1) == texts{"2000-05"});
}

TEST_CASE("dates: what is none, and steps that are none", "[io]") {
    io::date_form form;
    for(const char* const text: {"", "x", "99", "12345", "2000-13", "2000-00", "2000-1", "2000-02-30", "2000-01-01x",
                                 "2000-01-01 24:00", "2000-01-01 1:00", "2000-01-01 10:00:61", "2000-01/01", "2000-Q5",
                                 "+200", "-200", "2000-01-01T", "2000-01-01 "}) {
        INFO(text);
        CHECK_FALSE(io::read_date(text, form));
    }
    CHECK(continued({"2000", "2000"}, 1) == texts{"wrong 1"});
    CHECK(continued({"2000-01-02", "2000-01-03", "2000-01-01"}, 1) == texts{"wrong 2"});
    CHECK(continued({"2000-01-01", "2000-01-03", "2000-01-06"}, 1) == texts{"wrong 2"});
    CHECK_THROWS_AS(continued({"9998", "9999"}, 1), tw::argument_error);
    CHECK_THROWS_AS(continued({"9999-12-30", "9999-12-31"}, 1), tw::argument_error);
}
