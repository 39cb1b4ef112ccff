#include <tokenworks/serve/call_scanner.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

namespace serve = tokenworks::serve;
using state = serve::call_scanner::state;

namespace {

/// What a text is taken for: the state after its last character, or "failed" at the first that did not belong.
state scan(std::string_view text, serve::call_scanner& with) {
    state now = state::going;
    for(const char c: text) {
        if(now != state::going) {
            return state::failed;
        }
        now = with.push(c);
    }
    return now;
}

state scan(std::string_view text) {
    serve::call_scanner with;
    return scan(text, with);
}

std::string with_arguments(std::string_view value) {
    return R"({"name": "f", "arguments": {"a": )" + std::string{value} + "}}";
}

} // namespace

TEST_CASE("call_scanner: takes what JSON's grammar takes", "[serve]") {
    // Judged by the other JSON parser at hand.
    for(const char* value: {"0",
                            "-0",
                            "10",
                            "1.5",
                            "-1.5e3",
                            "1E+9",
                            "2e-7",
                            "true",
                            "false",
                            "null",
                            "[]",
                            "[1, [2, {}]]",
                            "{}",
                            R"("")",
                            R"("a\n\"\\\/\u00e9")",
                            R"({"x": [true, null, "y"], "z": {}})",
                            "01",
                            "1.",
                            ".5",
                            "-",
                            "+1",
                            "1e",
                            "1e+",
                            "0x1",
                            "tru",
                            "truex",
                            "nul",
                            "[1,]",
                            "[,1]",
                            "{,}",
                            R"({"x"})",
                            R"({"x":})",
                            R"({"x":1,})",
                            R"({x:1})",
                            "[1 2]",
                            "[1}",
                            R"("\q")",
                            R"("\u12g4")",
                            "\"\n\"",
                            "1 2",
                            "",
                            "--1",
                            "1-",
                            "NaN",
                            "[",
                            R"({"a":1]})"}) {
        INFO(value);
        const std::string text = with_arguments(value);
        const serve::json judge = serve::json::parse(text, nullptr, false);
        serve::call_scanner one;
        CHECK((scan(text, one) == state::done) == !judge.is_discarded());
        if(!judge.is_discarded()) {
            REQUIRE(one.calls().size() == 1);
            CHECK(serve::json::parse(one.calls()[0].arguments) == judge["arguments"]);
        }
    }
    CHECK(scan(with_arguments(std::string(100, '[') + std::string(100, ']'))) == state::done);
    CHECK(scan(with_arguments(std::string(1000, '['))) == state::failed);
}

TEST_CASE("call_scanner: what a call is", "[serve]") {
    for(const char* text:
        {R"({"name": "f", "arguments": {}})", R"({"parameters": {"a": 1}, "id": [1, {"name": 2}], "name": "f"})",
         R"([{"name": "f", "arguments": {}} , {"type": "function", "name": "g", "arguments": {}}])",
         R"({"\u006eame": "f", "arguments": {"name": 1, "arguments": 2}})"}) {
        INFO(text);
        CHECK(scan(text) == state::done);
    }
    for(const char* text:
        {"[]", "{}", R"({"name": "f"})", R"({"arguments": {}})", R"({"name": 1, "arguments": {}})",
         R"({"name": "f", "arguments": []})", R"({"name": "f", "arguments": "{}"})", "[1]", "[[]]",
         R"({"name": "f", "name": "g", "arguments": {}})", R"([{"name": "f", "arguments": {}}, 1])",
         R"({"name": "\ud800", "arguments": {}})", R"({"name": "f", "arguments": {}}})", "x", "\"x\""}) {
        INFO(text);
        CHECK(scan(text) == state::failed);
    }
}

TEST_CASE("call_scanner: a call is known when its name and arguments have begun", "[serve]") {
    serve::call_scanner one;
    CHECK(scan(R"([ {"name" : "f\u00e9" , "arguments" : )", one) == state::going);
    CHECK(one.calls().empty());
    CHECK_FALSE(one.is_in_call());
    CHECK(scan("{ ", one) == state::going);
    REQUIRE(one.calls().size() == 1);
    CHECK(one.calls()[0].name == "f\xC3\xA9");
    CHECK(one.is_in_call());
    CHECK(scan(R"("a b" : [ 1 , "\" x" ] })", one) == state::going);
    CHECK(one.calls()[0].arguments == R"({"a b":[1,"\" x"]})"); // blanks of strings stay
    CHECK(scan(R"( , "more": {"arguments": {}} } ,)", one) == state::going);
    CHECK_FALSE(one.is_in_call());
    CHECK(one.calls()[0].arguments == R"({"a b":[1,"\" x"]})");
    // The name comes last: all at once.
    CHECK(scan(R"({"arguments": {"k": -1}, "name": "g)", one) == state::going);
    CHECK(one.calls().size() == 1);
    CHECK(scan("\"", one) == state::going);
    REQUIRE(one.calls().size() == 2);
    CHECK(one.calls()[1].arguments == R"({"k":-1})");
    CHECK(scan("}]", one) == state::done);
}
