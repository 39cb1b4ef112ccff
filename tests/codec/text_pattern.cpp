#include <tokenworks/codec/text_pattern.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

using places = std::vector<text_pattern::range>;

pattern_data data(std::string text, bool is_regex) {
    pattern_data made;
    made.text = std::move(text);
    made.is_regex = is_regex;
    return made;
}

places found_in(const pattern_data& what, std::string_view text) {
    std::uint64_t steps = regex::step_limit(text.size());
    const text_budget budget{text.size(), steps};
    places found{{90, 91}}; // is appended to
    text_pattern{what}.find_all(text, found, budget);
    found.erase(found.begin());
    return found;
}

} // namespace

TEST_CASE("text_pattern: a text is found from the left, without overlaps", "[codec]") {
    CHECK(found_in(data("aa", false), "aaaaa") == places{{0, 2}, {2, 4}});
    CHECK(found_in(data("b", false), "abcb") == places{{1, 2}, {3, 4}});
    CHECK(found_in(data("x", false), "abc").empty());
    CHECK(found_in(data("", false), "abc").empty());
    CHECK(found_in(data("abc", false), "").empty());
    CHECK(found_in(data("a+", false), "aa a+") == places{{3, 5}}); // no expression
}

TEST_CASE("text_pattern: an expression", "[codec]") {
    CHECK(found_in(data("a+", true), "aa b a") == places{{0, 2}, {5, 6}});
    CHECK(found_in(data("\\s", true), "a b") == places{{1, 2}});
    CHECK_THROWS_AS(text_pattern{data("(", true)}, tokenworks::argument_error);
    CHECK_NOTHROW(text_pattern{data("(", false)});
}

TEST_CASE("text_pattern: an expression takes its steps from the budget", "[codec]") {
    const text_pattern slow{data("(?:a|b)*c", true)};
    const std::string text(200, 'a');
    std::uint64_t steps = 1'000'000;
    places found;
    slow.find_all(text, found, text_budget{text.size(), steps});
    CHECK(steps < 1'000'000);
    steps = 10;
    CHECK_THROWS_AS(slow.find_all(text, found, text_budget{text.size(), steps}), tokenworks::limit_error);
}
