#include <tokenworks/codec/jinja_filters.hpp>

#include <string>
#include <utility>
#include <vector>

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

std::string refused(const value& v, const char* filter, value::list_type given = {}, named by_name = {}) {
    machine m{"t", limits{}, 0};
    return refusal([&] { (void)run_filter(m, filter, v, {std::move(given), std::move(by_name)}); });
}

const value mixed = value::list({1, "x", nullptr, 0, 2});

} // namespace

TEST_CASE("jinja_filters: of text", "[codec]") {
    CHECK(made("hello wORLD-wide [foo]", "title") == "'Hello World-Wide [Foo]'");
    CHECK(made("a\nb\n\nc", "indent", {2}) == "'a\\n  b\\n\\n  c'");
    CHECK(made("a\nb\n\nc", "indent", {"> ", true, true}) == "'> a\\n> b\\n> \\n> c'");
    CHECK(made("one two three four", "truncate", {12, false, "...", 0}) == "'one two...'");
    CHECK(made("one two three four", "truncate", {12, true, "...", 0}) == "'one two t...'");
    CHECK(made("one two", "truncate", {5}) == "'one two'"); // within the leeway of 5
    CHECK(made("aXbXc", "replace", {"X", "-", 1}) == "'a-bXc'");
    CHECK(made(" a ", "trim") == "'a'");
    CHECK(made("xxaxx", "trim", {"x"}) == "'a'");
    CHECK(made(12, "string") == "'12'");
    CHECK(made("%s and %d", "format", {"a", 7}) == "'a and 7'");
    machine m{"t", limits{}, 0};
    CHECK(jinja_run::trust(run_filter(m, "e", "<&\"'>", {}).string().content) == "[&lt;&amp;&#34;&#39;&gt;]");
    CHECK(run_filter(m, "safe", "<", {}).string().markup);
    CHECK(run_filter(m, "e", run_filter(m, "safe", "<", {}), {}).view() == "<");
    CHECK(run_filter(m, "forceescape", run_filter(m, "safe", "<", {}), {}).view() == "&lt;");
}

TEST_CASE("jinja_filters: that ask a test or another filter", "[codec]") {
    CHECK(made(mixed, "select") == "generator [1, 'x', 2]");
    CHECK(made(mixed, "reject") == "generator [None, 0]");
    CHECK(made(mixed, "select", {"number"}) == "generator [1, 0, 2]");
    CHECK(made(mixed, "reject", {"in", value::list({1, 2})}) == "generator ['x', None, 0]");
    const value users = value::list({value::dict({{"n", "a"}, {"ok", true}}), value::dict({{"n", "b"}})});
    CHECK(made(users, "selectattr", {"ok"}) == "generator [{'n': 'a', 'ok': True}]");
    CHECK(made(users, "rejectattr", {"ok", "defined"}) == "generator [{'n': 'b'}]");
    CHECK(made(users, "selectattr", {"n", "equalto", "b"}) == "generator [{'n': 'b'}]");
    CHECK(made(users, "map", {}, {{"attribute", "ok"}, {"default", 0}}) == "generator [True, 0]");
    CHECK(made(value::list({"a", "b"}), "map", {"replace", "a", "c"}) == "generator ['c', 'b']");
    CHECK(refused(users, "selectattr") == "an attribute is needed");
    CHECK(refused(mixed, "select", {1}) == "the name of a test is needed");
    CHECK(refused(mixed, "map", {1}) == "map needs the name of a filter");
    CHECK(refused(mixed, "map", {"nope"}) == "there is no filter named nope");
}

TEST_CASE("jinja_filters: defaults, attributes and JSON", "[codec]") {
    machine m{"t", limits{}, 0};
    const value undefined = m.undefined({"x"});
    CHECK(run_filter(m, "default", undefined, {{7}, {}}).integer() == 7);
    CHECK(run_filter(m, "default", undefined, {}).view().empty());
    CHECK(made("", "default", {7}) == "''");
    CHECK(made("", "d", {7, true}) == "7");
    CHECK(made(nullptr, "d", {7}) == "None");
    const value dict = value::dict({{"b", value::list({1, 2.5, nullptr})}, {"a", "<é>"}});
    CHECK(made(dict, "tojson") == R"('{"b": [1, 2.5, null], "a": "<é>"}')");
    CHECK(made(dict, "tojson", {true}, {{"sort_keys", true}}) ==
          R"('{"a": "<\\u00e9>", "b": [1, 2.5, null]}')"); // repr doubles the stroke
    CHECK(made(value::list({1}), "tojson", {}, {{"indent", 2}}) == R"('[\n  1\n]')");
    CHECK(made(dict, "length") == "2");
    CHECK(made("añ", "list") == "['a', 'ñ']");
}

TEST_CASE("jinja_filters: names", "[codec]") {
    CHECK(has_filter("upper"));
    CHECK(has_filter("urlencode")); // Jinja has it
    CHECK_FALSE(has_filter("nope"));
    CHECK(refused("x", "urlencode") == "this filter is not supported: urlencode");
    CHECK(refused("x", "no\npe") == "there is no filter named no\\x0ape");
    CHECK(refused("x", "upper", {1}) == "upper() takes at most 0 arguments");
    CHECK(refused("x", "replace", {"a"}) == "replace() needs the argument new");
    CHECK(refused("x", "replace", {"a", "b"}, {{"old", "c"}}) == "replace() got two values for argument old");
    CHECK(refused("x", "trim", {}, {{"nope", 1}}) == "trim() takes no argument nope");
}
