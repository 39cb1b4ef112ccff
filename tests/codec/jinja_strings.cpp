#include <tokenworks/codec/jinja_strings.hpp>

#include <string>
#include <string_view>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using jinja_run::refusal;
using jinja_run::trust;
using tokenworks::codec::letter_case;

namespace {

text own(std::string_view bytes) { return text{bytes, true}; }

text mixed() {
    text t{" a", true};
    t.append("xb ", false);
    return t;
}

std::string called(const value& self, std::string_view method, value::list_type given = {}) {
    machine m{"t", limits{}, 0};
    const builtin* const found = string_method(method);
    return found == nullptr ? "none"
                            : jinja_run::shown(m, found->run(m, self, bound{m, *found, {std::move(given), {}}}));
}

} // namespace

TEST_CASE("jinja_strings: what is cut off and replaced keeps its trust", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(trust(strip(mixed(), nullptr, true, true)) == "a[xb]");
    CHECK(trust(strip(mixed(), nullptr, false, true)) == " a[xb]");
    const text set = own("é a");
    CHECK(trust(strip(mixed(), &set, true, false)) == "[xb ]");
    CHECK(strip(own("ééa\xFF"), &set, true, true).view() == "\xFF");
    CHECK(trust(replace(m, mixed(), "x", own("<e>"), -1)) == " a<e>[b ]");
    CHECK(trust(replace(m, mixed(), "ax", text{"u", false}, -1)) == " [ub ]");
    CHECK(replace(m, own("aaa"), "a", own("b"), 2).view() == "bba");
    CHECK(replace(m, own("añ"), "", own("-"), -1).view() == "-a-ñ-");
    CHECK(replace(m, own("añ"), "", own("-"), 1).view() == "-añ");
    CHECK(trust(in_case(m, mixed(), letter_case::upper)) == " A[XB ]");
    CHECK(in_case(m, own("ßΑΣ"), letter_case::lower).view() == "ßας");
    CHECK(in_case(m, own("straße"), letter_case::upper).view() == "STRASSE");
    CHECK(in_case(m, own("they're bill's"), letter_case::title).view() == "They'Re Bill'S");
    CHECK(capitalized(m, own("ǆEFG")).view() == "ǅefg");
}

TEST_CASE("jinja_strings: splits", "[codec]") {
    CHECK(called(" a  b ", "split") == "['a', 'b']");
    CHECK(called("a,b,,c", "split", {","}) == "['a', 'b', '', 'c']");
    CHECK(called("a,b,,c", "split", {",", 1}) == "['a', 'b,,c']");
    CHECK(called("a,b,,c", "rsplit", {",", 1}) == "['a,b,', 'c']");
    CHECK(called(" a  b c ", "split", {nullptr, 1}) == "['a', 'b c ']");
    CHECK(called(" a  b c ", "rsplit", {nullptr, 1}) == "[' a  b', 'c']");
    CHECK(called("", "split") == "[]");
    CHECK(called("", "split", {","}) == "['']");
    CHECK(called("a\nb\r\nc\u2028d\n", "splitlines") == "['a', 'b', 'c', 'd']");
    CHECK(called("a\nb\r\n\n", "splitlines", {true}) == "['a\\n', 'b\\r\\n', '\\n']");
    CHECK(called("a-b-c", "partition", {"-"}) == "('a', '-', 'b-c')");
    CHECK(called("a-b-c", "rpartition", {"-"}) == "('a-b', '-', 'c')");
    CHECK(called("abc", "partition", {"-"}) == "('abc', '', '')");
    CHECK(called("abc", "rpartition", {"-"}) == "('', '', 'abc')");
    machine m{"t", limits{}, 0};
    CHECK(refusal([&] { called("a", "split", {""}); }) != "accepted");
}

TEST_CASE("jinja_strings: methods as Python has them", "[codec]") {
    CHECK(called("añb", "find", {"b"}) == "2"); // characters, not bytes
    CHECK(called("abab", "rfind", {"ab"}) == "2");
    CHECK(called("ab", "find", {"x"}) == "-1");
    CHECK(called("aaaa", "count", {"aa"}) == "2");
    CHECK(called("añ", "count", {""}) == "3");
    CHECK(called("abc", "startswith", {value::list({"x", "ab"}, flavour::tuple)}) == "True");
    CHECK(called("abc", "endswith", {"ab"}) == "False");
    CHECK(called("-", "join", {value::list({"a", "b"})}) == "'a-b'");
    CHECK(called("xab", "removeprefix", {"x"}) == "'ab'");
    CHECK(called("xab", "removesuffix", {"x"}) == "'xab'");
    CHECK(called("ab", "center", {5, "*"}) == "'**ab*'"); // an odd one goes where Python puts it
    CHECK(called("abc", "center", {6, "*"}) == "'*abc**'");
    CHECK(called("ñ", "ljust", {3}) == "'ñ  '");
    CHECK(called("-7", "zfill", {4}) == "'-007'");
    CHECK(called("٣", "isdigit") == "True");
    CHECK(called("½", "isnumeric") == "True");
    CHECK(called("½", "isdecimal") == "False");
    CHECK(called("", "isalpha") == "False");
    CHECK(called("a1", "isalnum") == "True");
    CHECK(called("aB", "islower") == "False");
    CHECK(called("a1", "islower") == "True");
    CHECK(called("{}!", "format", {1}) == "'1!'");
    CHECK(called("x", "append") == "none");
    CHECK(refusal([] { called("x", "encode"); }) == "this method of a value of type str is not supported");
    CHECK(refusal([] { called("x", "index", {"y"}); }) != "accepted");
    CHECK(refusal([] { called("-", "join", {value::list({1})}); }) != "accepted");
}
