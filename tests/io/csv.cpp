#include <tokenworks/io/csv.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using rows_of_text = std::vector<std::vector<std::string>>;

namespace {

rows_of_text rows_of(std::string_view text, char delimiter = 0) {
    tw::io::csv_reader rows{text, "t.csv", delimiter};
    rows_of_text all;
    while(rows.next()) {
        all.emplace_back(rows.cells().begin(), rows.cells().end());
    }
    return all;
}

} // namespace

TEST_CASE("csv: cells, quotes, line ends, blanks and delimiters", "[io]") {
    CHECK(rows_of("").empty());
    CHECK(rows_of("a,b\n1,2\n") == rows_of_text{{"a", "b"}, {"1", "2"}});
    CHECK(rows_of("a,b\r\n1,2") == rows_of_text{{"a", "b"}, {"1", "2"}});
    CHECK(rows_of("\xEF\xBB\xBF"
                  "a, b ,\n") == rows_of_text{{"a", "b", ""}});
    CHECK(rows_of("\"a,b\",\"c\"\"d\"\"\" ,\"\"\n") == rows_of_text{{"a,b", "c\"d\"", ""}});
    CHECK(rows_of("\"two\nlines\",1\n2,3\n") == rows_of_text{{"two\nlines", "1"}, {"2", "3"}});
    CHECK(rows_of("a;b;c\n1,5;2;3\n") == rows_of_text{{"a", "b", "c"}, {"1,5", "2", "3"}});
    CHECK(rows_of("a\tb\n1\t2\n") == rows_of_text{{"a", "b"}, {"1", "2"}});
    CHECK(rows_of("a,b\n", ';') == rows_of_text{{"a,b"}});
    CHECK(rows_of("1\n\n2\n") == rows_of_text{{"1"}, {""}, {"2"}});
    CHECK(rows_of("\"\"\"\",\"\"\"x\"\n") == rows_of_text{{"\"", "\"x"}});
}

TEST_CASE("csv: lines are counted, what is wrong is told with its place", "[io]") {
    tw::io::csv_reader rows{"a\n\"b\nc\"\nd\n", "t.csv"};
    std::vector<std::size_t> lines;
    while(rows.next()) {
        lines.push_back(rows.line());
    }
    CHECK(lines == std::vector<std::size_t>{1, 2, 4});
    CHECK_THROWS_WITH(rows_of("a,b\n1,\"2\n"), ContainsSubstring("t.csv") && ContainsSubstring("line 2, column 2") &&
                                                   ContainsSubstring("not closed"));
    CHECK_THROWS_WITH(rows_of("\"a\"b,c\n"), ContainsSubstring("line 1, column 1"));
    CHECK_THROWS_AS(rows_of(std::string(70000, ',')), tw::limit_error);
}
