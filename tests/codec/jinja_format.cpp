#include <tokenworks/codec/jinja_format.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using jinja_run::refusal;
using jinja_run::trust;

namespace {

std::string percent(std::string_view format, const value& given) {
    machine m{"t", limits{}, 0};
    return std::string{format_percent(m, string_object{text{format, true}, false}, given).view()};
}

std::string braces(std::string_view format, value::list_type plain,
                   std::vector<std::pair<std::string, value>> named = {}) {
    machine m{"t", limits{}, 0};
    const arguments given{std::move(plain), std::move(named)};
    return std::string{format_braces(m, string_object{text{format, true}, false}, given).view()};
}

value tuple(value::list_type items) { return value::list(std::move(items), flavour::tuple); }

} // namespace

TEST_CASE("jinja_format: text % values", "[codec]") {
    CHECK(percent("%s %r %d%%", tuple({"it", "it", 7})) == "it 'it' 7%");
    CHECK(percent("%5d|%-5d|%05d|%+d|% d", tuple({42, 42, -42, 42, 42})) == "   42|42   |-0042|+42| 42");
    CHECK(percent("%x %X %#x %o", tuple({255, 255, 255, 8})) == "ff FF 0xff 10");
    CHECK(percent("%.2f|%8.3f|%e|%g", tuple({2.675, 3.14159, 12345.678, 0.0001})) ==
          "2.67|   3.142|1.234568e+04|0.0001");
    CHECK(percent("%(b)s-%(a)03d", value::dict({{"a", 7}, {"b", "x"}})) == "x-007");
    CHECK(percent("%s", "one") == "one");
    CHECK(percent("%s", value::list({1, 2})) == "[1, 2]"); // a list is one value
    CHECK(percent("%.2s|%5s|%-5s|", tuple({"abc", "añ", "añ"})) == "ab|   añ|añ   |");
    CHECK(percent("%d", 2.9) == "2");
    CHECK(percent("no fields", tuple({})) == "no fields");
}

TEST_CASE("jinja_format: text.format(values)", "[codec]") {
    CHECK(braces("{} and {}", {"a", 1}) == "a and 1");
    CHECK(braces("{1}{0}{1}", {"a", "b"}) == "bab");
    CHECK(braces("{x}{{}}{y!r}", {}, {{"x", 1}, {"y", "q"}}) == "1{}'q'");
    CHECK(braces("{:>6}|{:<6}|{:^6}|{:*^7}", {"ab", "ab", "ab", "ab"}) == "    ab|ab    |  ab  |**ab***");
    CHECK(braces("{:06.2f}|{:+d}|{:,}|{:_}", {3.14159, 5, 1234567, 1234567}) == "003.14|+5|1,234,567|1_234_567");
    CHECK(braces("{:x}|{:#x}|{:b}|{:o}|{:X}", {255, 255, 5, 8, 255}) == "ff|0xff|101|10|FF");
    CHECK(braces("{:.3}|{:.1%}|{:e}", {"abcdef", 0.256, 1234.5}) == "abc|25.6%|1.234500e+03");
    CHECK(braces("{:=+6d}|{:0>4}", {42, 7}) == "+   42|0007");
    CHECK(braces("{:,.2f}", {-1234567.891}) == "-1,234,567.89");
}

TEST_CASE("jinja_format: both keep trust", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(trust(format_percent(m, string_object{text{"<%s|%5s>", true}, false}, tuple({"u", value::trusted("t")}))) ==
          "<[u]|    t>");
    CHECK(trust(format_braces(m, string_object{text{"<{}{}>", true}, false}, {{"u", value::trusted("t")}, {}})) ==
          "<[u]t>");
    CHECK(trust(format_braces(m, string_object{text{"<{}>", false}, false}, {{value::trusted("t")}, {}})) == "[<]t[>]");
}

TEST_CASE("jinja_format: what is refused", "[codec]") {
    const auto refused = [](auto&& call) { return refusal(call) != "accepted"; };
    CHECK(refused([] { percent("%s %s", tuple({1})); }));
    CHECK(refused([] { percent("%s", tuple({1, 2})); }));
    CHECK(refused([] { percent("%d", "a"); }));
    CHECK(refused([] { percent("%", tuple({1})); }));
    CHECK(refusal([] { percent("%y", tuple({1})); }) == "a format has an unknown letter after %");
    CHECK(refused([] { percent("%(a)s", tuple({1})); }));
    CHECK(refused([] { percent("%(a)s", value::dict({{"b", 1}})); }));
    CHECK(refused([] { braces("{}", {}); }));
    CHECK(refused([] { braces("{", {1}); }));
    CHECK(refused([] { braces("}", {1}); }));
    CHECK(refused([] { braces("{0.__class__}", {1}); }));
    CHECK(refused([] { braces("{0[0]}", {value::list({1})}); }));
    CHECK(refused([] { braces("{:d}", {"a"}); }));
    CHECK(refusal([] { braces("{:999999}", {1}); }) == "a width or precision in a format is too large");
    CHECK(refusal([] { percent("%999999d", 1); }) == "a width or precision in a format is too large");
}
