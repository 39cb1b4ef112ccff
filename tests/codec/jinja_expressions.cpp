#include <tokenworks/codec/jinja_expressions.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

#include <tokenworks/codec/jinja_parser.hpp>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;

namespace {

/// A node with what is below it, in brackets.
std::string shown(const program& code, std::uint32_t index) {
    const node& n = code.at(index);
    const auto sub = [&](std::uint32_t i) { return shown(code, i); };
    std::string list;
    for(std::uint32_t i = 0; i < n.count; ++i) {
        list += (i > 0 ? " " : "") + sub(code.child(n, i));
    }
    const auto two = [&](const std::string& sign) { return "(" + sub(n.a) + " " + sign + " " + sub(n.b) + ")"; };
    const auto bound = [&](std::uint32_t i) { return i == 0 ? std::string{} : sub(i); };
    switch(n.what) {
    case op::constant: {
        machine m{"t", limits{}, 0};
        return jinja_run::shown(m, n.constant);
    }
    case op::name:
        return code.names[n.name];
    case op::list:
        return "[" + list + "]";
    case op::tuple:
        return "tuple[" + list + "]";
    case op::dict:
        return "{" + list + "}";
    case op::attribute:
        return sub(n.a) + "." + code.names[n.name];
    case op::item:
        return sub(n.a) + "[" + sub(n.b) + "]";
    case op::slice:
        return bound(n.a) + ":" + bound(n.b) + ":" + bound(n.c);
    case op::call:
        return sub(n.a) + "(" + list + ")";
    case op::filter:
        return sub(n.a) + "|" + code.names[n.name] + (list.empty() ? "" : "(" + list + ")");
    case op::test:
        return "(" + sub(n.a) + " is " + code.names[n.name] + (list.empty() ? "" : " " + list) + ")";
    case op::negative:
        return "-" + sub(n.a);
    case op::positive:
        return "+" + sub(n.a);
    case op::negation:
        return "not " + sub(n.a);
    case op::concat:
        return "~(" + list + ")";
    case op::both:
        return two("and");
    case op::either:
        return two("or");
    case op::choice:
        return "(" + sub(n.b) + " if " + sub(n.a) + " else " + bound(n.c) + ")";
    case op::compare:
        return "(" + sub(n.a) + " " + list + ")";
    case op::keyword:
        return code.names[n.name] + "=" + sub(n.a);
    case op::unpack:
        return "*" + sub(n.a);
    case op::unpack_dict:
        return "**" + sub(n.a);
    default:
        break;
    }
    constexpr const char* signs[] = {"+", "-", "*", "/", "//", "%", "**"};
    if(n.what >= op::add && n.what <= op::power) {
        return two(signs[static_cast<std::size_t>(n.what) - static_cast<std::size_t>(op::add)]);
    }
    constexpr const char* compares[] = {"==", "!=", "<", "<=", ">", ">=", "in", "not-in"};
    if(n.what >= op::equal && n.what <= op::not_in) {
        return compares[static_cast<std::size_t>(n.what) - static_cast<std::size_t>(op::equal)] + std::string{" "} +
               sub(n.a);
    }
    return "?";
}

std::string parsed(const std::string& expression) {
    const program code = parser{"x{{ " + expression + " }}", "t"}.parse();
    const node& print = code.at(code.child(code.at(code.root), 1));
    return shown(code, print.a);
}

std::string refused(const std::string& expression) {
    return jinja_run::refusal([&] { (void)parsed(expression); });
}

} // namespace

TEST_CASE("jinja_expressions: operators by rank", "[codec]") {
    CHECK(parsed("a + b * c - d") == "((a + (b * c)) - d)");
    CHECK(parsed("a - b - c") == "((a - b) - c)");
    CHECK(parsed("-a ** b") == "(-a ** b)"); // Jinja's sign binds closer than its power
    CHECK(parsed("a ** b ** c") == "((a ** b) ** c)");
    CHECK(parsed("a // b % c / d") == "(((a // b) % c) / d)");
    CHECK(parsed("a ~ b ~ c + d") == "(~(a b c) + d)"); // closer than +
    CHECK(parsed("a or b and not c == d") == "(a or (b and not (c == d)))");
    CHECK(parsed("a < b <= c != d") == "(a < b <= c != d)");
    CHECK(parsed("a in b and c not in d") == "((a in b) and (c not-in d))");
    CHECK(parsed("a if b else c if d else e") == "(a if b else (c if d else e))");
    CHECK(parsed("a if b") == "(a if b else )");
    CHECK(parsed("(a + b) * c") == "((a + b) * c)");
}

TEST_CASE("jinja_expressions: what follows a value", "[codec]") {
    CHECK(parsed("a.b[0]['c'](1, x=2, *y, **z)") == "a.b[0]['c'](1 x=2 *y **z)");
    CHECK(parsed("a[1:2:3]") == "a[1:2:3]");
    CHECK(parsed("a[:]") == "a[::]");
    CHECK(parsed("a[:-1]") == "a[:-1:]");
    CHECK(parsed("a|f|g(1)") == "a|f|g(1)");
    CHECK(parsed("-a|f") == "-a|f");
    CHECK(parsed("a + b|f") == "(a + b|f)");
    CHECK(parsed("a is defined and b is not none") == "((a is defined) and not (b is none))");
    CHECK(parsed("a is divisibleby 3") == "(a is divisibleby 3)");
    CHECK(parsed("a is divisibleby(3)") == "(a is divisibleby 3)");
    CHECK(parsed("a.0") == "a[0]");
}

TEST_CASE("jinja_expressions: literals", "[codec]") {
    CHECK(parsed("[1, 2.5, 'x', none, True]") == "[1 2.5 'x' None True]");
    CHECK(parsed("(1,)") == "tuple[1]");
    CHECK(parsed("()") == "tuple[]");
    CHECK(parsed("1, 2") == "tuple[1 2]");
    CHECK(parsed("(1)") == "1");
    CHECK(parsed("{'a': 1, b: c,}") == "{'a' 1 b c}");
    CHECK(parsed("'a' \"b\"") == "'ab'");
    CHECK(parsed("0x1F + 0b11 + 1_000 + 1e3") == "(((31 + 3) + 1000) + 1000.0)");
}

TEST_CASE("jinja_expressions: what is refused", "[codec]") {
    for(const char* wrong: {"", "1 +", "a.", "a[", "f(1", "f(x=1, 2)", "{1}", "[1 2]", "a is", "a|", "not", "a if",
                            "* a", "9223372036854775808", "f(x=1, x=2"}) {
        INFO(wrong);
        CHECK(refused(wrong) != "accepted");
    }
}
