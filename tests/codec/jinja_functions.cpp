#include <tokenworks/codec/jinja_functions.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_methods.hpp>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using detail::function;
using jinja_run::refusal;

namespace {

using named = std::vector<std::pair<std::string, value>>;

constexpr std::int64_t noon = 1785844800; // 2026-08-04 12:00

std::string made(function which, value::list_type plain, named by_name = {}) {
    machine m{"t", limits{}, 0};
    detail::template_functions functions{m, noon};
    return jinja_run::shown(m, functions.call(which, {std::move(plain), std::move(by_name)}));
}

std::string refused(function which, value::list_type plain, named by_name = {}) {
    return refusal([&] { made(which, std::move(plain), std::move(by_name)); });
}

std::string items(value::list_type plain) {
    machine m{"t", limits{}, 0};
    detail::template_functions functions{m, noon};
    const value range = functions.call(function::range, {std::move(plain), {}});
    return jinja_run::shown(m, m.make_list(items_of(m, range), false));
}

} // namespace

TEST_CASE("jinja_functions: range", "[codec]") {
    CHECK(items({3}) == "[0, 1, 2]");
    CHECK(items({1, 4}) == "[1, 2, 3]");
    CHECK(items({5, 0, -2}) == "[5, 3, 1]");
    CHECK(items({5, 0}) == "[]");
    CHECK(items({true}) == "[0]");
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    CHECK(items({most - 1, most, 5}) == "[9223372036854775806]");
    CHECK(items({-most, -most - 1, -most}) == "[-9223372036854775807]");
    CHECK(refused(function::range, {0, 9, 0}) == "the step of a range is zero");
    CHECK(refused(function::range, {}) == "range takes one to three numbers");
    CHECK(refused(function::range, {1.5}) == "range takes numbers, not a value of type float");
    CHECK_THAT(refused(function::range, {100'001}), ContainsSubstring("Range too big"));
    CHECK(refused(function::range, {100'000}) == "accepted");
}

TEST_CASE("jinja_functions: dict and namespace", "[codec]") {
    CHECK(made(function::dict, {}, {{"a", 1}, {"b", 2}}) == "{'a': 1, 'b': 2}");
    CHECK(made(function::dict, {value::dict({{"a", 1}})}, {{"a", 3}, {"c", 2}}) == "{'a': 3, 'c': 2}");
    CHECK(made(function::dict, {value::list({value::list({"k", 1}), "ab"})}) == "{'k': 1, 'a': 'b'}");
    CHECK(refused(function::dict, {value::list({"abc"})}) == "dict takes pairs");
    CHECK(refused(function::dict, {1, 2}) == "dict takes one value and names");
    machine m{"t", limits{}, 0};
    {
        detail::template_functions functions{m, noon};
        const value space = functions.call(function::space, {{}, {{"x", 1}}});
        CHECK(get_attribute(m, space, "x").integer() == 1);
        CHECK(get_attribute(m, space, "y").is(kind::undefined));
        // A namespace that holds itself is emptied at the end.
        static_cast<detail::space_object&>(*space.shared()).set(m, "me", space);
        CHECK(get_attribute(m, get_attribute(m, space, "me"), "x").integer() == 1);
    }
    CHECK(m.used().live == 0);
    CHECK(refused(function::space, {}, {{"_x", 1}}) == "a namespace takes no names that begin with an underscore");
    CHECK(refused(function::space, {value::list({value::list({1, 2})})}) == "the names of a namespace are strings");
}

TEST_CASE("jinja_functions: the clock, and refusals of a template", "[codec]") {
    CHECK(made(function::strftime_now, {"%Y-%m-%d %H:%M"}) == "'2026-08-04 12:00'");
    CHECK(refused(function::strftime_now, {}) == "strftime_now takes one argument");
    CHECK(refused(function::raise_exception, {"no\n"}) == "no\n");
    CHECK(refused(function::raise_exception, {}, {{"message", 7}}) == "7");
    CHECK(refused(function::lipsum, {}) == "the function lipsum is not supported");
    CHECK(refused(function::cycler, {1}) == "the function cycler is not supported");
}
