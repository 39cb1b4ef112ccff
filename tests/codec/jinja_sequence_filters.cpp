#include <tokenworks/codec/jinja_sequence_filters.hpp>

#include <string>
#include <utility>

#include <tokenworks/codec/jinja_filters.hpp>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using jinja_run::refusal;

namespace {

using named = std::vector<std::pair<std::string, value>>;

std::string made(const value& v, const char* filter, value::list_type given = {}, named by_name = {}) {
    machine m{"t", limits{}, 0};
    return jinja_run::shown(m, run_filter(m, filter, v, {std::move(given), std::move(by_name)}));
}

std::string refused(const value& v, const char* filter, value::list_type given = {}) {
    machine m{"t", limits{}, 0};
    return refusal([&] { (void)run_filter(m, filter, v, {std::move(given), {}}); });
}

const value numbers = value::list({3, 1, 2});
const value words = value::list({"b", "A", "c", "a"});
const value people = value::list({value::dict({{"name", "bo"}, {"age", 3}}), value::dict({{"name", "Al"}, {"age", 1}}),
                                  value::dict({{"name", "cy"}, {"age", 1}})});

} // namespace

TEST_CASE("jinja_sequence_filters: order", "[codec]") {
    CHECK(made(numbers, "sort") == "[1, 2, 3]");
    CHECK(made(numbers, "sort", {true}) == "[3, 2, 1]");
    CHECK(made(words, "sort") == "['A', 'a', 'b', 'c']"); // equal ones keep their order
    CHECK(made(words, "sort", {true}) == "['c', 'b', 'A', 'a']");
    CHECK(made(words, "sort", {false, true}) == "['A', 'a', 'b', 'c']");
    CHECK(made(value::list({"a", "B"}), "sort", {false, true}) == "['B', 'a']");
    const auto names = [&](value::list_type given, named by_name) {
        machine m{"t", limits{}, 0};
        const value sorted = run_filter(m, "sort", people, {std::move(given), std::move(by_name)});
        return jinja_run::shown(m, run_filter(m, "map", sorted, {{}, {{"attribute", "name"}}}));
    };
    CHECK(names({}, {{"attribute", "age"}}) == "generator ['Al', 'cy', 'bo']");
    CHECK(names({true}, {{"attribute", "age,name"}}) == "generator ['bo', 'cy', 'Al']");
    CHECK(refused(value::list({1, "a"}), "sort") != "accepted");
    const value dict = value::dict({{"b", 1}, {"A", 3}, {"c", 2}});
    CHECK(made(dict, "dictsort") == "[('A', 3), ('b', 1), ('c', 2)]");
    CHECK(made(dict, "dictsort", {}, {{"by", "value"}, {"reverse", true}}) == "[('A', 3), ('c', 2), ('b', 1)]");
    CHECK(refused(dict, "dictsort", {false, "size"}) == "dictsort sorts by \"key\" or \"value\"");
    CHECK(refused(numbers, "dictsort") == "dictsort needs a dict, not a value of type list");
    CHECK(made(numbers, "reverse") == "generator [2, 1, 3]");
    CHECK(made("añb", "reverse") == "'bña'");
}

TEST_CASE("jinja_sequence_filters: in groups", "[codec]") {
    const value five = value::list({1, 2, 3, 4, 5});
    CHECK(made(five, "batch", {2}) == "generator [[1, 2], [3, 4], [5]]");
    CHECK(made(five, "batch", {2, "-"}) == "generator [[1, 2], [3, 4], [5, '-']]");
    CHECK(made(value::list({}), "batch", {2, "-"}) == "generator []");
    CHECK(made(five, "slice", {3}) == "generator [[1, 2], [3, 4], [5]]");
    CHECK(made(five, "slice", {3, 0}) == "generator [[1, 2], [3, 4], [5, 0]]");
    CHECK(refused(five, "slice", {0}) == "slice into zero parts");
}

TEST_CASE("jinja_sequence_filters: one of many, or what all come to", "[codec]") {
    CHECK(made(words, "unique") == "generator ['b', 'A', 'c']");
    CHECK(made(words, "unique", {true}) == "generator ['b', 'A', 'c', 'a']");
    CHECK(made(words, "min") == "'A'");
    CHECK(made(words, "max") == "'c'");
    CHECK(made(numbers, "sum") == "6");
    CHECK(made(people, "sum", {"age", 10}) == "15");
    CHECK(made(numbers, "first") == "3");
    CHECK(made(numbers, "last") == "2");
    CHECK(made("añ", "last") == "'ñ'");
    CHECK(made(value::dict({{"k", 1}, {"l", 2}}), "last") == "'l'");
    CHECK(made(words, "join", {"-"}) == "'b-A-c-a'");
    CHECK(made(people, "join", {", ", "name"}) == "'bo, Al, cy'");
    CHECK(made(value::dict({{"k", 1}}), "items") == "generator [('k', 1)]");
    CHECK(refused(7, "first") == "first needs a sequence, not a value of type int");
    CHECK(refused(numbers, "items") == "Can only get item pairs from a mapping.");
    machine m{"t", limits{}, 0};
    for(const char* filter: {"first", "last", "min", "max"}) {
        CHECK(run_filter(m, filter, value::list({}), {}).is(kind::undefined));
    }
    // A generator is walked once.
    const value generator = run_filter(m, "reverse", numbers, {});
    CHECK(run_filter(m, "first", generator, {}).integer() == 2);
    CHECK(run_filter(m, "first", generator, {}).integer() == 1);
    CHECK(refusal([&] { (void)run_filter(m, "last", generator, {}); }) ==
          "last needs a sequence, not a value of type generator");
}
