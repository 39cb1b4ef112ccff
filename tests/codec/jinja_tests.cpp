#include <tokenworks/codec/jinja_tests.hpp>

#include <string>
#include <string_view>
#include <utility>

#include <tokenworks/codec/jinja_filters.hpp>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;

namespace {

bool is(const value& v, std::string_view test, value::list_type given = {}) {
    machine m{"t", limits{}, 0};
    return run_test(m, test, v, {std::move(given), {}});
}

/// The tests of a kind that hold.
std::string kinds(const value& v) {
    std::string all;
    for(const char* test: {"none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping",
                           "iterable", "sequence", "callable"}) {
        all += is(v, test) ? std::string{all.empty() ? "" : " "} + test : "";
    }
    return all;
}

} // namespace

TEST_CASE("jinja_tests: kinds", "[codec]") {
    CHECK(kinds(nullptr) == "none");
    CHECK(kinds(true) == "boolean true number");
    CHECK(kinds(false) == "boolean false number");
    CHECK(kinds(1) == "integer number");
    CHECK(kinds(1.0) == "float number");
    CHECK(kinds("a") == "string iterable sequence");
    CHECK(kinds(value::list({})) == "iterable sequence");
    CHECK(kinds(value::list({}, flavour::generator)) == "iterable");
    CHECK(kinds(value::list({}, flavour::keys)) == "iterable");
    CHECK(kinds(value::dict({})) == "mapping iterable sequence");
    machine m{"t", limits{}, 0};
    const value undefined = m.undefined({"x"});
    CHECK(run_test(m, "undefined", undefined, {}));
    CHECK_FALSE(run_test(m, "defined", undefined, {}));
    CHECK(is(nullptr, "defined"));
}

TEST_CASE("jinja_tests: numbers and texts", "[codec]") {
    CHECK(is(3, "odd"));
    CHECK(is(-3, "odd"));
    CHECK(is(0, "even"));
    CHECK(is(9, "divisibleby", {3}));
    CHECK_FALSE(is(9, "divisibleby", {2}));
    CHECK(is("ab1", "lower"));
    CHECK_FALSE(is("1", "lower"));
    CHECK(is("AB", "upper"));
    CHECK(is("x", "in", {"xyz"}));
    CHECK(is(2, ">", {1}));
    CHECK(is(2, "ge", {2}));
    CHECK_FALSE(is(2, "lessthan", {2}));
    CHECK(is(1, "eq", {1.0}));
    CHECK(is(1, "ne", {"1"}));
    CHECK(is("upper", "filter"));
    CHECK(is("odd", "test"));
    CHECK_FALSE(is("nope", "filter"));
    CHECK_FALSE(is("nope", "test"));
    CHECK_FALSE(is("a", "escaped"));
    CHECK(is(value{text{"a", true}, true}, "escaped"));
}

TEST_CASE("jinja_tests: the same object", "[codec]") {
    const value list = value::list({});
    CHECK(is(list, "sameas", {list}));
    CHECK_FALSE(is(list, "sameas", {value::list({})}));
    CHECK(is(nullptr, "sameas", {nullptr}));
    CHECK(is(true, "sameas", {true}));
    CHECK_FALSE(is(1, "sameas", {true}));
    CHECK(is(256, "sameas", {256})); // CPython has one of each small number
    CHECK_FALSE(is(257, "sameas", {257}));
}

TEST_CASE("jinja_tests: names and arguments", "[codec]") {
    CHECK(find_test("divisibleby") != nullptr);
    CHECK(find_test("divisible") == nullptr);
    CHECK(jinja_run::refusal([] { is(1, "nope"); }) == "there is no test named nope");
    CHECK(jinja_run::refusal([] { is(1, "divisibleby"); }) == "divisibleby() needs the argument num");
    CHECK(jinja_run::refusal([] { is(1, "divisibleby", {0}); }) == "division by zero");
    CHECK(jinja_run::refusal([] { is("a", "odd"); }) != "accepted");
}
