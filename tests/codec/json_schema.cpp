#include <tokenworks/codec/json_schema.hpp>

#include <string>

#include "codec/grammar_support.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using grammar_support::matches;
using tokenworks::codec::parse_json_schema;

namespace {

bool is_valid(const std::string& schema, const std::string& text) { return matches(parse_json_schema(schema), text); }

std::string refusal(const std::string& schema) {
    try {
        static_cast<void>(parse_json_schema(schema, "form.json"));
    } catch(const tw::error& problem) {
        return problem.what();
    }
    return "";
}

} // namespace

TEST_CASE("JSON Schema: objects") {
    const std::string form = R"({"type":"object","properties":{"name":{"type":"string","maxLength":5},
        "age":{"type":"integer","minimum":3,"maximum":120},"tag":{"enum":["a",1,null]}},"required":["name","age"]})";
    CHECK(is_valid(form, R"({"name":"Ada", "age": 36})"));
    CHECK(is_valid(form, R"({"name":"\u00c4\"da", "age": 36, "tag": null})"));
    CHECK_FALSE(is_valid(form, R"({"name":"Adelai", "age": 36})"));
    CHECK_FALSE(is_valid(form, R"({"name":"Ada", "age": 121})"));
    CHECK_FALSE(is_valid(form, R"({"name":"Ada"})"));
    CHECK_FALSE(is_valid(form, R"({"name":"Ada", "age": 36, "tag": 2})"));
    const std::string patterns =
        R"({"type":"object","patternProperties":{"^x":{"type":"integer"},"y$":{"minimum":5}},"additionalProperties":false,
            "minProperties":1,"maxProperties":2})";
    CHECK(is_valid(patterns, R"({"x":1})"));
    CHECK(is_valid(patterns, R"({"xy":5,"y":true})"));
    CHECK_FALSE(is_valid(patterns, R"({"xy":4})"));
    CHECK_FALSE(is_valid(patterns, R"({"z":4})"));
    CHECK_FALSE(is_valid(patterns, R"({})"));
    CHECK_FALSE(is_valid(patterns, R"({"x":1,"x1":1,"x2":1})"));
    const std::string named = R"({"type":"object","properties":{"a":true},"additionalProperties":{"type":"null"}})";
    CHECK(is_valid(named, R"({"a":[1,{"b":2}],"c":null})"));
    CHECK_FALSE(is_valid(named, R"({"c":1})"));
}

TEST_CASE("JSON Schema: arrays") {
    const std::string pair =
        R"({"type":"array","prefixItems":[{"const":1},{"type":"boolean"}],"items":false,"minItems":1})";
    CHECK(is_valid(pair, "[1]"));
    CHECK(is_valid(pair, "[1, true]"));
    CHECK_FALSE(is_valid(pair, "[]"));
    CHECK_FALSE(is_valid(pair, "[1,true,2]"));
    const std::string some = R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":4})";
    CHECK_FALSE(is_valid(some, "[1]"));
    CHECK(is_valid(some, "[1,2]"));
    CHECK(is_valid(some, "[1,2,3,4]"));
    CHECK_FALSE(is_valid(some, "[1,2,3,4,5]"));
    CHECK(is_valid(R"({"type":"array","maxItems":0})", "[]"));
    CHECK_FALSE(is_valid(R"({"type":"array","maxItems":0})", "[1]"));
}

TEST_CASE("JSON Schema: strings and numbers") {
    const std::string text = R"({"type":"string","pattern":"^[a-c]+","minLength":2,"maxLength":4})";
    CHECK(is_valid(text, "\"a\\\"\""));
    CHECK(is_valid(text, "\"abcä\""));
    CHECK_FALSE(is_valid(text, "\"a\""));
    CHECK_FALSE(is_valid(text, "\"abcde\""));
    CHECK_FALSE(is_valid(text, "\"xabc\""));
    CHECK(is_valid(R"({"type":"string","format":"date"})", "\"2024-02-29\""));
    CHECK_FALSE(is_valid(R"({"type":"string","format":"date"})", "\"2023-02-29\""));
    CHECK(is_valid(R"({"type":"number","exclusiveMinimum":0.5})", "0.51"));
    CHECK_FALSE(is_valid(R"({"type":"number","exclusiveMinimum":0.5})", "0.50"));
    CHECK(is_valid(R"({"enum":[3,4,"x"],"type":"integer","minimum":4})", "4"));
    CHECK_FALSE(is_valid(R"({"enum":[3,4,"x"],"type":"integer","minimum":4})", "3"));
}

TEST_CASE("JSON Schema: parts that hold together, choices, references") {
    const std::string list = R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},
        "next":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/n"}]}},"required":["v","next"]}}})";
    CHECK(is_valid(list, R"({"v":1,"next":{"v":2,"next":null}})"));
    CHECK_FALSE(is_valid(list, R"({"v":1,"next":{"v":2}})"));
    const std::string all = R"({"allOf":[{"type":"object","properties":{"a":{"minimum":3}}},
        {"properties":{"a":{"type":"integer","maximum":5}},"required":["a"]}]})";
    CHECK(is_valid(all, R"({"a":4})"));
    CHECK_FALSE(is_valid(all, R"({"a":2})"));
    CHECK_FALSE(is_valid(all, R"({"a":6})"));
    const std::string either = R"({"oneOf":[{"type":"object","properties":{"k":{"const":"x"},"a":{"type":"boolean"}},
        "required":["k","a"]},{"type":"object","properties":{"k":{"const":"y"}},"required":["k"]}]})";
    CHECK(is_valid(either, R"({"k":"x","a":true})"));
    CHECK(is_valid(either, R"({"k":"y"})"));
    CHECK_FALSE(is_valid(either, R"({"k":"x"})"));
    CHECK(is_valid("{}", R"({"a":[1,"b",{"c":null}]})"));
    CHECK(is_valid("true", "[]"));
}

TEST_CASE("JSON Schema: what cannot be enforced is an error") {
    const auto says = [](const std::string& schema, const std::string& part) {
        INFO(schema);
        CHECK(refusal(schema).find(part) != std::string::npos);
        CHECK(refusal(schema).starts_with("form.json: "));
    };
    for(const char* key:
        {"not", "if", "contains", "uniqueItems", "propertyNames", "dependentRequired", "unevaluatedItems"}) {
        says("{\"" + std::string{key} + "\": true}", "cannot be enforced");
    }
    says(R"({"oneOf":[{"type":"integer"},{"minimum":2}]})", "more than one of its branches may hold");
    says(R"({"format":"regex"})", "'format' cannot be enforced");
    says(R"({"$ref":"http://example.com/x"})", "only paths in the same document");
    says(R"({"$ref":"#/$defs/x"})", "points to nothing");
    says(R"({"$ref":"#"})", "leads back to itself");
    says(R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "leads back to itself");
    says(R"({"minLength":-1})", "is no whole number");
    says(R"({"minimum":"1"})", "is no number");
    says(R"({"type":"text"})", "is no type");
    says(R"({"required":1})", "is no array");
    says(R"({"properties":1})", "is no object");
    says(R"({"multipleOf":0})", "is not above 0");
    says(R"({"type":"integer","minimum":3,"maximum":2})", "no text follows");
    says("false", "no text follows");
    says(R"({"minProperties":3})", "might come twice");
    says("3", "neither an object nor a bool");
    says("{", "JSON at offset");
}

TEST_CASE("JSON Schema: many ways stay small") {
    std::string wide = R"({"type":"object","properties":{)";
    for(int i = 0; i < 40; ++i) {
        wide += (i == 0 ? "\"p" : ",\"p") + std::to_string(i) + "\":{\"type\":\"integer\"}";
    }
    CHECK(parse_json_schema(wide + "}}").size() < 10000);
    CHECK(parse_json_schema(R"({"type":"string","maxLength":60000})").size() < 1000);
    std::string nested = R"({"type":"null"})";
    for(int i = 0; i < 12; ++i) {
        nested = R"({"anyOf":[)" + nested + "," + nested + "]}";
    }
    CHECK_THROWS_AS(parse_json_schema(nested), tw::limit_error);
}
