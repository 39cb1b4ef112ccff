#include <tokenworks/io/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;
using files::refusal;

namespace {

/// Accepts everything and writes down what came.
class recorder final: public io::json_handler {
public:
    void begin_object() override { log += "{"; }
    void end_object() override { log += "}"; }
    void begin_array() override { log += "["; }
    void end_array() override { log += "]"; }
    void key(std::string& text) override { log += text + ":"; }
    void string(std::string& text) override { log += "'" + text + "'"; }
    void unsigned_integer(std::uint64_t value) override {
        log += std::to_string(value) + "@" + std::to_string(offset()) + ",";
    }
    void other(std::string_view what) override { log += "<" + std::string{what} + ">"; }

    std::string log;
};

std::string events(std::string_view text, std::size_t depth = 64) {
    recorder handler;
    io::parse_json(files::bytes_of(text), "f", 100, depth, handler);
    return handler.log;
}

std::string refused(std::string_view text) {
    return refusal<tw::format_error>([&] { (void)events(text); });
}

} // namespace

TEST_CASE("JSON comes as events in order", "[io][json]") {
    CHECK(events(R"({"a":[1,"x\u0041\n",true,null],"b":{}})") == "{a:[1@108,'xA\n'<a bool><null>]b:{}}");
    CHECK(events("  [ ] \n") == "[]");
    CHECK(events("18446744073709551615").starts_with("18446744073709551615@"));
    CHECK(events("[-1]") == "[<a negative number>]");
    for(const char* const number: {"1.0", "1e2", "18446744073709551616", "-1.5"}) {
        CHECK(events(number) == "<a number with a fraction, an exponent, or over 64 bits>");
    }
    CHECK(events(R"({"a":{"a":1},"b":{"a":{}}})") == "{a:{a:1@112,}b:{a:{}}}"); // the same key in other objects
}

TEST_CASE("what is no JSON is refused with its place", "[io][json]") {
    const auto place = [](const std::string& message) { return message.substr(0, message.find(" at line")); };
    CHECK(place(refused("[1,]")) == "f: JSON at offset 104: parse error");
    for(const std::string_view text: {"",
                                      " ",
                                      "{",
                                      "[",
                                      "[1",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "'a'",
                                      "nul",
                                      "NaN",
                                      "[Infinity]",
                                      "-",
                                      "01",
                                      "+1",
                                      ".5",
                                      "1.",
                                      "1e",
                                      "\"",
                                      "\"\\x\"",
                                      "\"\\ud800\"",
                                      "\"\t\"",
                                      "[1] []",
                                      "{}{}",
                                      "{} x",
                                      "[1 2]",
                                      "// x\n1",
                                      "/* x */ 1",
                                      "1 // x",
                                      "1e999",
                                      "\"\xFF\"",
                                      "\"\xC0\x80\"",
                                      "\"\xED\xA0\x80\"",
                                      "[1]]",
                                      "}"}) {
        INFO(text);
        CHECK_THAT(refused(text), ContainsSubstring("f: JSON at offset 10"));
    }
    CHECK(refused(std::string_view{"{}\0\0", 4}) == "f: JSON at offset 102: a NUL byte");
    CHECK(refused(std::string_view{"\"a\0b\"", 5}) == "f: JSON at offset 102: a NUL byte");
    CHECK(refused("\xEF\xBB\xBF{}") == "f: JSON at offset 100: a byte order mark");
    for(const char c: refused("[\"\x1B\xF0\"]")) { // the message itself is safe to print
        CHECK((c >= 32 && c < 127));
    }
}

TEST_CASE("a key that occurs twice is refused, escaped or not", "[io][json]") {
    CHECK(refused(R"({"a":1,"b":2,"a":3})") == "f: a at offset 119: the key occurs twice in one object");
    CHECK_THAT(refused(R"({"a":1,"\u0061":3})"), ContainsSubstring("the key occurs twice"));
    CHECK_THAT(refused(R"([{"x":{"":1,"":3}}])"), ContainsSubstring("the key occurs twice"));
}

TEST_CASE("nesting is counted, not recursed", "[io][json]") {
    for(const std::size_t depth: {1U, 2U, 63U, 64U, 65U, 100'000U}) {
        std::string arrays(depth, '[');
        std::string objects;
        for(std::size_t i = 0; i < depth; ++i) {
            objects += "{\"a\":";
        }
        const std::string what = refusal<tw::limit_error>([&] { (void)events(arrays + std::string(depth, ']')); });
        CHECK(what ==
              (depth <= 64 ? "accepted" : "f: JSON at offset 165: objects and arrays are nested more than 64 deep"));
        CHECK_THAT(refusal<tw::limit_error>([&] { (void)events(objects + "1" + std::string(depth, '}')); }),
                   ContainsSubstring(depth <= 64 ? "accepted" : "nested more than 64 deep"));
    }
}

TEST_CASE("a handler accepts nothing by itself", "[io][json]") {
    const auto refused_by_default = [](std::string_view text) {
        io::json_handler handler;
        return refusal<tw::format_error>([&] { io::parse_json(files::bytes_of(text), "f", 0, 64, handler); });
    };
    CHECK(refused_by_default("{}") == "f at offset 1: an object is not expected");
    CHECK_THAT(refused_by_default("[]"), ContainsSubstring("an array is not expected"));
    CHECK_THAT(refused_by_default("\"a\""), ContainsSubstring("a string is not expected"));
    CHECK_THAT(refused_by_default("1"), ContainsSubstring("a number is not expected"));
    CHECK_THAT(refused_by_default("null"), ContainsSubstring("null is not expected"));
}

TEST_CASE("a handler may leave out what it does not care for", "[io][json]") {
    struct only_begins final: io::json_handler {
        void begin_object() override {}
        void begin_array() override {}
    } handler;
    CHECK_NOTHROW(io::parse_json(files::bytes_of(R"({"a":[[],{}]})"), "f", 0, 64, handler));
}
