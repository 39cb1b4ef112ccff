#include <tokenworks/codec/gbnf.hpp>

#include <string>

#include "codec/grammar_support.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using grammar_support::matches;
using tokenworks::codec::parse_gbnf;

namespace {

std::string refusal(const std::string& text) {
    try {
        static_cast<void>(parse_gbnf(text, "test.gbnf"));
    } catch(const tw::error& problem) {
        return problem.what();
    }
    return "";
}

} // namespace

TEST_CASE("GBNF: what its parts take") {
    const auto json = parse_gbnf(R"(root ::= object # a comment
value ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array ::= "[" ws (
  value ("," ws value)*
)? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= "-"? ([0-9] | [1-9] [0-9]{0,15}) ("." [0-9]+)? ([eE] [-+]? [0-9]+)? ws
ws ::= | " " | "\n" [ \t]{0,20}
)");
    CHECK(matches(json, R"({"a": [1, 2.5e3, {"b":"\u00e4ä\n"}], "c": true})"));
    CHECK_FALSE(matches(json, R"({"a": [1, 2.5e3, {"b":"\u00e"}]})"));
    CHECK_FALSE(matches(json, R"({"a": 1,})"));
    CHECK_FALSE(matches(json, ""));

    const auto escapes = parse_gbnf(R"(root ::= "\x41\u00e4\U0001f600\t" [^\n] .)");
    CHECK(matches(escapes, "Aä\xF0\x9F\x98\x80\tx\n"));
    CHECK_FALSE(matches(escapes, "Aä\xF0\x9F\x98\x80\t\nx"));
    CHECK_FALSE(matches(escapes, "Aä\xF0\x9F\x98\x80\t\xC3x")); // half of a character
}

TEST_CASE("GBNF: repetitions are counted") {
    const auto wide = parse_gbnf("root ::= [a-z]{0,65536} \"!\"");
    CHECK(wide.size() < 20);
    CHECK(matches(wide, "abc!"));
    CHECK(matches(wide, std::string(65536, 'a') + "!"));
    CHECK_FALSE(matches(wide, std::string(65537, 'a') + "!"));
    const auto open = parse_gbnf("root ::= \"a\"{3,}");
    CHECK_FALSE(matches(open, "aa"));
    CHECK(matches(open, std::string(1000, 'a')));
    const auto exact = parse_gbnf("root ::= (\"a\" \"b\"?){2}");
    CHECK(matches(exact, "aba"));
    CHECK_FALSE(matches(exact, "a"));
    CHECK_FALSE(matches(exact, "aaa"));
}

TEST_CASE("GBNF: rounds that take nothing") {
    CHECK(matches(parse_gbnf("root ::= ([a-z]*)* \"!\""), "abc!"));
    const auto some = parse_gbnf("root ::= ([a-z]?){3,5} \"!\"");
    CHECK(matches(some, "!"));
    CHECK(matches(some, "abcde!"));
    CHECK_FALSE(matches(some, "abcdef!"));
    const auto nested = parse_gbnf("root ::= (([a-z]?){3,5} \",\"?){2} \"!\"");
    CHECK(matches(nested, "abcdefghij!"));
    CHECK(matches(nested, "a,b,!"));
    CHECK_FALSE(matches(nested, "a,b,,!"));
    CHECK_FALSE(matches(nested, "abcdefghijk!"));
}

TEST_CASE("GBNF: what is refused, and where") {
    const auto says = [](const std::string& text, const std::string& part) {
        INFO(text);
        CHECK(refusal(text).find(part) != std::string::npos);
    };
    says("", "there is no rule 'root'");
    says("a ::= \"b\"", "there is no rule 'root'");
    says("root ::= x", "the rule 'x' is not defined");
    says("root ::= root \"a\" | \"b\"", "left recursion");
    says("root ::= a\na ::= b? c\nb ::= \"x\"\nc ::= a \"y\" | \"z\"", "left recursion");
    says("root ::= (a){2,3}\na ::= (root \"x\"){2} | \"y\"", "left recursion");
    says("root ::= a | \"x\"\na ::= \"x\" a", "no text follows the rule 'a'");
    says("root ::= (\"a\"", "at offset 13: a closing bracket is expected");
    says("root ::= \"a", "a text that is not closed");
    says("root ::= [a", "a class that is not closed");
    says("root ::= [a-", "a class that is not closed");
    says("root ::= [z-a]", "a range that runs backwards");
    says("root ::= \"\\q\"", "an unknown escape");
    says("root ::= \"\\ud800\"", "a number that is no character");
    says("root ::= \"\\x4\"", "a digit in hexadecimal");
    says("root ::= \"x\"{3,2}", "most is below its least");
    says("root ::= \"x\"{3", "a closing brace is expected");
    says("root ::= \"x\"{,2}", "a number is expected");
    says("root ::= \"x\"{99999999999}", "a number over");
    says("root ::= *", "nothing to repeat");
    says("root = \"x\"", "::= is expected");
    says("root ::= \"x\"\nroot ::= \"y\"", "defined twice");
    says("root ::= <think>", "tokens by name");
    says("root ::= \"x\" )", "the end of the line is expected");
    says("::= \"x\"", "the name of a rule is expected");
    says("root ::= \"\xFF\"", "no UTF-8");
    says("root ::= " + std::string(300, '(') + "\"x\"", "nested over 256");
    says("root ::= " + std::string(1 << 20, ' '), "the limit is");
    CHECK(refusal("root ::= x").starts_with("test.gbnf: "));
}

TEST_CASE("GBNF: ambiguity is bounded") {
    // Each x may belong to any of the rules around it.
    const auto many = parse_gbnf("root ::= a{0,60000}\na ::= \"x\" (b b?)? \nb ::= \"x\" (a a?)?");
    CHECK_THROWS_AS(matches(many, std::string(3000, 'x')), tw::limit_error);
}
