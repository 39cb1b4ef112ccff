#include <string>

#include <tokenworks/codec/jinja_parser.hpp>
#include <tokenworks/core/error.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;

namespace {

program parsed(const std::string& source) { return parser{source, "m.gguf"}.parse(); }

std::string refusal(const std::string& source) {
    try {
        (void)parsed(source);
    } catch(const tokenworks::error& problem) {
        return problem.what();
    }
    return "accepted";
}

std::string repeated(const std::string& part, int count) {
    std::string all;
    for(int i = 0; i < count; ++i) {
        all += part;
    }
    return all;
}

} // namespace

TEST_CASE("parser: a tree of nodes", "[codec]") {
    const program code = parsed("a{{ 1 + 2 * x }}");
    const node& root = code.at(code.root);
    REQUIRE(root.what == op::sequence);
    REQUIRE(root.count == 2);
    CHECK(code.at(code.child(root, 0)).constant.view() == "a");
    const node& sum = code.at(code.at(code.child(root, 1)).a);
    CHECK(sum.what == op::add);
    CHECK(code.at(sum.b).what == op::multiply);
    CHECK(code.names[code.at(code.at(sum.b).b).name] == "x");
    CHECK(code.find("x") != program::no_name);
    CHECK(code.find("y") == program::no_name);
}

TEST_CASE("parser: what is wrong is refused with its line", "[codec]") {
    CHECK_THAT(refusal("\n{{ 1 + }}"),
               ContainsSubstring("m.gguf: tokenizer.chat_template: line 2: expected an expression"));
    CHECK_THAT(refusal("{% if x %}\n"), ContainsSubstring("expected endif, not the end of the template"));
    CHECK_THAT(refusal("{% nope %}"), ContainsSubstring("unknown tag \"nope\""));
    CHECK_THAT(refusal("{% break %}"), ContainsSubstring("break outside of a loop"));
    CHECK_THAT(refusal("{% for x in y %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}"),
               ContainsSubstring("break outside of a loop"));
    CHECK_THAT(refusal("{% set none = 1 %}"), ContainsSubstring("cannot assign to none"));
    CHECK_THAT(refusal("{{ f(a=1, 2) }}"), ContainsSubstring("out of order"));
    CHECK_THAT(refusal("{% macro m(a=1, b) %}{% endmacro %}"), ContainsSubstring("parameter without default"));
    CHECK_THAT(refusal("{% call 5 %}{% endcall %}"), ContainsSubstring("a call block needs a call"));
    CHECK_THAT(refusal("{{ 99999999999999999999 }}"), ContainsSubstring("cannot be represented"));
    CHECK_THAT(refusal("{{ a is b is c }}"), ContainsSubstring("cannot be chained"));
    for(const char* tag:
        {"include 'x'", "import 'x' as y", "extends 'x'", "block b", "autoescape true", "from 'x' import y"}) {
        CHECK_THROWS_AS(parsed(std::string{"{% "} + tag + " %}"), tokenworks::unsupported_error);
    }
    CHECK_THROWS_AS(parsed("{% for x in y recursive %}{% endfor %}"), tokenworks::unsupported_error);
}

TEST_CASE("parser: nesting is bounded, for every way to nest", "[codec]") {
    CHECK(refusal("{{ " + repeated("(", 50) + "1" + repeated(")", 50) + " }}") == "accepted");
    constexpr int many = 3000;
    for(const std::string& source: {
            "{{ " + repeated("(", many),
            "{{ " + repeated("[", many),
            "{{ " + repeated("{'a':", many),
            "{{ " + repeated("not ", many) + "x }}",
            "{{ " + repeated("-", many) + "1 }}",
            "{{ " + repeated("f(", many),
            "{{ x" + repeated("[x", many),
            "{{ " + repeated("x if x else ", many) + "x }}",
            "{{ x" + repeated(".x", many) + " }}",
            "{{ x" + repeated("|f", many) + " }}",
            "{{ x" + repeated(" + x", many) + " }}",
            "{{ x" + repeated(" and x", many) + " }}",
            "{{ x" + repeated("()", many) + " }}",
            repeated("{% if x %}", many),
            repeated("{% for x in y %}", many),
            repeated("{% macro x() %}", many),
            repeated("{% set x %}", many),
            "{% set " + repeated("(", many),
            "{% for " + repeated("(", many),
        }) {
        CHECK_THROWS_AS(parsed(source), tokenworks::limit_error);
    }
    CHECK(refusal("{{ x" + repeated(" ~ x", many) + " }}") == "accepted"); // flat
    CHECK(refusal("{% if x %}" + repeated("{% elif x %}", many) + "{% endif %}") == "accepted");
}
