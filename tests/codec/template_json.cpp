#include <cstdint>
#include <string>

#include <tokenworks/codec/template_json.hpp>
#include <tokenworks/core/error.hpp>

#include "support/catch.hpp"

using tokenworks::codec::parse_template_json;
using namespace tokenworks::codec::jinja;

TEST_CASE("parse_template_json: every kind of value", "[codec]") {
    const value all = parse_template_json(R"( {"s": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00", "i": -12, "r": 1.5e3, "z": 0,
        "l": [1, [], {}], "t": true, "f": false, "n": null, "s": "again"} )");
    REQUIRE(all.entries().size() == 8);
    CHECK(all.entries()[0].second.view() == "again");
    CHECK(all.entries()[1].second.integer() == -12);
    CHECK(all.entries()[2].second.real() == 1500);
    CHECK(all.entries()[3].second.is(kind::integer));
    CHECK(all.entries()[4].second.items().size() == 3);
    CHECK(all.entries()[5].second.boolean());
    CHECK_FALSE(all.entries()[6].second.boolean());
    CHECK(all.entries()[7].second.is(kind::none));
    CHECK(parse_template_json(R"("a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")").view() ==
          "a\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80");
    CHECK_FALSE(parse_template_json("\"x\"").string().content.trusted());
    CHECK(parse_template_json("9223372036854775807").integer() == INT64_MAX);
}

TEST_CASE("parse_template_json: what is wrong is refused with its offset", "[codec]") {
    const auto refusal = [](const std::string& bytes) {
        try {
            (void)parse_template_json(bytes, "tools.json");
        } catch(const tokenworks::error& problem) {
            return std::string{problem.what()};
        }
        return std::string{"accepted"};
    };
    CHECK(refusal("[1,]") == "tools.json: JSON at offset 3: a value is expected");
    CHECK_THAT(refusal("[1 2]"), ContainsSubstring("offset 3: a comma is expected"));
    CHECK_THAT(refusal("{\"a\" 1}"), ContainsSubstring("a colon is expected"));
    CHECK_THAT(refusal("{1: 2}"), ContainsSubstring("a key is expected"));
    CHECK_THAT(refusal("{\"a\": 1,}"), ContainsSubstring("a key is expected"));
    CHECK_THAT(refusal("1 2"), ContainsSubstring("text after the document"));
    CHECK_THAT(refusal("\"a"), ContainsSubstring("a string is not closed"));
    CHECK_THAT(refusal("\"a\nb\""), ContainsSubstring("a control character"));
    CHECK_THAT(refusal("\"\\q\""), ContainsSubstring("an unknown escape"));
    CHECK_THAT(refusal("\"\\u12\""), ContainsSubstring("four hexadecimal digits"));
    CHECK_THAT(refusal("\"\\ud800\""), ContainsSubstring("half of a surrogate pair"));
    CHECK_THAT(refusal("\"\\ud800\\u0041\""), ContainsSubstring("half of a surrogate pair"));
    CHECK_THAT(refusal("\"\xff\""), ContainsSubstring("offset 1: bytes that are no UTF-8"));
    CHECK_THAT(refusal("01"), ContainsSubstring("begins with a zero"));
    CHECK_THAT(refusal("-"), ContainsSubstring("a digit is expected"));
    CHECK_THAT(refusal("1."), ContainsSubstring("a digit is expected"));
    CHECK_THAT(refusal("1e999"), ContainsSubstring("too large or too small"));
    CHECK_THAT(refusal("9223372036854775808"), ContainsSubstring("more than 64 bits"));
    CHECK_THAT(refusal(""), ContainsSubstring("a value is expected"));
    CHECK_THAT(refusal("nul"), ContainsSubstring("a value is expected"));
    CHECK_THAT(refusal("[[]"), ContainsSubstring("a comma is expected"));
    CHECK_THROWS_AS(parse_template_json(std::string(100'000, '[')), tokenworks::limit_error);
}
