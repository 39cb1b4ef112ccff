#include <tokenworks/io/series_table.hpp>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::io::series_options;
using tw::io::series_table;
using names = std::vector<std::string>;

namespace {

series_table read(std::string_view text, const series_options& options = {}) {
    return series_table::read(text, "t.csv", options);
}

/// -1 where a value is not known.
std::vector<float> values(const series_table& table, std::size_t series = 0) {
    std::vector<float> all{table.values(series).begin(), table.values(series).end()};
    for(float& value: all) {
        value = std::isnan(value) ? -1 : value;
    }
    return all;
}

} // namespace

TEST_CASE("series_table: columns with names and without, values that are not known", "[io]") {
    const series_table named = read("shop,web\n1,2.5\n,NA\n3,1e2\n");
    CHECK(named.names() == names{"shop", "web"});
    CHECK(values(named) == std::vector<float>{1, -1, 3});
    CHECK(values(named, 1) == std::vector<float>{2.5F, -1, 100});
    CHECK_FALSE(named.dates());
    CHECK(read("1,2\n3,4\n").names() == names{"1", "2"});
    CHECK(values(read("value\n1\n\n2\n\n")) == std::vector<float>{1, -1, 2});
    CHECK(values(read("value\n1\n\"\"\n2\n")) == std::vector<float>{1, -1, 2});
    CHECK(values(read("a;b\n1,5;2\n+2;3\n")) == std::vector<float>{1.5F, 2});
    CHECK(values(read("a,b\nNaN,2\nnull,3\n7,n/a\n"), 0) == std::vector<float>{-1, -1, 7});
    const series_table chosen = read("when,a,b\nnoon,1,2\nnight,3,4\n", {.columns = {"b"}});
    CHECK(chosen.names() == names{"b"});
    CHECK(values(chosen) == std::vector<float>{2, 4});
}

TEST_CASE("series_table: dates, and rows that they leave out", "[io]") {
    const series_table monthly = read("month,a\n2000-01,1\n2000-02,2\n2000-05,3\n");
    CHECK(monthly.names() == names{"a"});
    CHECK(values(monthly) == std::vector<float>{1, 2, -1, -1, 3});
    CHECK(monthly.dates()->after(1) == "2000-06");
    CHECK(monthly.dates()->all.size() == 5);
    CHECK(read("year,a\n1900,1\n1901,2\n").dates()->after(2) == "1903");
    CHECK_FALSE(read("a,b\n1900,1\n1901,2\n").dates());
    CHECK(read("2000-01-01,1\n2000-01-02,2\n").dates()->after(1) == "2000-01-03");
    CHECK_THROWS_WITH(read("day,a\n2000-01-01,1\n2000-01-03,2\n2000-01-06,3\n"),
                      ContainsSubstring("line 4") && ContainsSubstring("even steps"));
    CHECK_THROWS_WITH(read("day,a\n2000-01-01,1\n01.02.2000,2\n"),
                      ContainsSubstring("line 3, column 1 'day'") && ContainsSubstring("no date"));
    CHECK_THROWS_WITH(read("day,a\n2000-01-01,1\n2000-02,2\n"), ContainsSubstring("in the form of those before"));
    CHECK_THROWS_WITH(read("day,a\n2000-01-01,1\n2000-01-02,1\n3000-01-01,1\n"), ContainsSubstring("even steps"));
    CHECK_THROWS_WITH(read("day,a\n2000-01-01,1\n"), ContainsSubstring("one date alone"));
}

TEST_CASE("series_table: what is wrong is told with file, line and column", "[io]") {
    CHECK_THROWS_WITH(read("a,b\n1,2\n3,many\n"), ContainsSubstring("t.csv") &&
                                                      ContainsSubstring("line 3, column 2 'b'") &&
                                                      ContainsSubstring("'many' is no number"));
    CHECK_THROWS_WITH(read("a,b\n1,2\n3\n"), ContainsSubstring("line 3") && ContainsSubstring("1 cells"));
    CHECK_THROWS_WITH(read("a,b\n1,inf\n"), ContainsSubstring("'inf' is no number"));
    CHECK_THROWS_WITH(read("a,b\n1,1e300\n"), ContainsSubstring("1e300"));
    CHECK_THROWS_WITH(read(""), ContainsSubstring("empty"));
    CHECK_THROWS_WITH(read("\n\n"), ContainsSubstring("empty"));
    CHECK_THROWS_WITH(read("a,b\n"), ContainsSubstring("none below"));
    CHECK_THROWS_WITH(read("a,b\n1,2\n", {.columns = {"c"}}), ContainsSubstring("no column 'c'; there are a, b"));
    CHECK_THROWS_AS(read("1,2\n", {.most_bytes = 3}), tw::limit_error);
    CHECK_THROWS_AS(series_table::open("/none/such.csv"), tw::io_error);
    const std::string zeros(100, '\0');
    CHECK_THROWS_AS(read(zeros), tw::format_error);
}
