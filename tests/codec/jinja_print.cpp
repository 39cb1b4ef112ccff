#include <tokenworks/codec/jinja_print.hpp>

#include <limits>
#include <string>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using jinja_run::shown;
using jinja_run::trust;

TEST_CASE("jinja_print: floats, as repr() has them", "[codec]") {
    CHECK(repr(0.1) == "0.1");
    CHECK(repr(1.0) == "1.0");
    CHECK(repr(-0.0) == "-0.0");
    CHECK(repr(1e15) == "1000000000000000.0");
    CHECK(repr(1e16) == "1e+16");
    CHECK(repr(1.5e300) == "1.5e+300");
    CHECK(repr(0.0001) == "0.0001");
    CHECK(repr(0.00001) == "1e-05");
    CHECK(repr(123456.789) == "123456.789");
    CHECK(repr(5e-324) == "5e-324");
    CHECK(repr(0.1 + 0.2) == "0.30000000000000004");
    CHECK(repr(-std::numeric_limits<double>::infinity()) == "-inf");
    CHECK(repr(std::numeric_limits<double>::quiet_NaN()) == "nan");
}

TEST_CASE("jinja_print: str() and repr()", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(shown(m, "it's") == "\"it's\"");
    CHECK(shown(m, "it's \"q\"") == "'it\\'s \"q\"'");
    CHECK(shown(m, "\\\n\t\r\x01\x7f") == "'\\\\\\n\\t\\r\\x01\\x7f'");
    CHECK(shown(m, "é\u200B\U0001F600") == "'é\\u200b\U0001F600'");
    CHECK(shown(m, value::list({1, "a", nullptr, true, 2.0})) == "[1, 'a', None, True, 2.0]");
    CHECK(shown(m, value::list({1}, flavour::tuple)) == "(1,)");
    CHECK(shown(m, value::list({}, flavour::tuple)) == "()");
    CHECK(shown(m, value::dict({{"a", value::dict({})}})) == "{'a': {}}");
    CHECK(str(m, "it's").view() == "it's");
    CHECK(str(m, nullptr).view() == "None");
    CHECK(str(m, m.undefined({"x"})).view().empty());
    CHECK(str_value(m, "x").view() == "x");
    const value same{"shared"};
    CHECK(str_value(m, same).shared() == same.shared());
}

TEST_CASE("jinja_print: brackets have the trust of their list, quotes that of their text", "[codec]") {
    machine m{"t", limits{}, 0};
    const value own = m.make_list({value::trusted("a"), "b"}, false);
    CHECK(trust(str(m, own)) == "['a', ['b']]");
    CHECK(trust(str(m, value::list({value::trusted("a")}))) == "[[]'a'[]]");
    CHECK(trust(str(m, 7)) == "[7]");
    CHECK(trust(str(m, made_of(std::int64_t{7}))) == "7");
}

TEST_CASE("jinja_print: JSON", "[codec]") {
    machine m{"t", limits{}, 0};
    const auto json = [&](const value& v, const json_style& style) {
        text out;
        append_json(m, out, v, style);
        return std::string{out.view()};
    };
    const value v = value::dict(
        {{"b", value::list({1, true, nullptr, 1e16})}, {"a", "\"\\\n\x01é\U0001F600/<"}, {"c", value::list({})}});
    CHECK(json(v, {}) == R"({"b": [1, true, null, 1e+16], "a": "\"\\\n\u0001é😀/<", "c": []})");
    CHECK(json(v, {.ascii = true, .sorted = true, .indent = text{}}) ==
          R"({"a": "\"\\\n\u0001\u00e9\ud83d\ude00/<", "b": [1, true, null, 1e+16], "c": []})");
    const json_style lines{
        .lines = true, .indent = text{"  ", true}, .between = text{",", true}, .after_key = text{": ", true}};
    CHECK(json(value::dict({{"a", value::list({1, 2})}, {"e", value::dict({})}}), lines) ==
          "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"e\": {}\n}");
    CHECK(json(std::numeric_limits<double>::infinity(), {}) == "Infinity");
    CHECK(json(std::numeric_limits<double>::quiet_NaN(), {}) == "NaN");
    CHECK_THROWS_AS(json(m.undefined({"x"}), {}), tokenworks::template_error);
}
