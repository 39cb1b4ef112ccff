#include <tokenworks/io/safetensors_index.hpp>

#include <string>
#include <string_view>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using files::refusal;

namespace {

tw::io::detail::safetensors_index parse(std::string_view text, const tw::limits& bounds = {}) {
    return tw::io::detail::parse_safetensors_index(files::bytes_of(text), "f", bounds);
}

std::string refused(std::string_view text) {
    return refusal<tw::format_error>([&] { (void)parse(text); });
}

} // namespace

TEST_CASE("an index says which tensor lies where", "[io][safetensors_index]") {
    const auto index = parse(
        R"( {"x":[1,{"y":null,"weight_map":2}],"weight_map":{"a":"2.st","b":"1.st","c":"2.st"},"metadata":{"n":1.5,"s":"t"}} )");
    CHECK(index.shards == std::vector<std::string>{"2.st", "1.st"});
    REQUIRE(index.tensors.size() == 3);
    CHECK(index.tensors[1] == std::pair<std::string, std::size_t>{"b", 1});
    CHECK(index.tensors[2].second == 0);
    CHECK(parse(R"({"weight_map":{}})").tensors.empty());
}

TEST_CASE("an index of another form is refused", "[io][safetensors_index]") {
    CHECK(refused("{}") == "f: weight_map: is missing");
    CHECK(refused("[]") == "f: index at offset 1: is an array, not an object");
    CHECK_THAT(refused("3"), ContainsSubstring("is a number, not an object"));
    CHECK_THAT(refused("\"x\""), ContainsSubstring("index at offset 3: is a string, not an object"));
    CHECK_THAT(refused("null"), ContainsSubstring("is null, not an object"));
    CHECK(refused(R"({"weight_map":[]})") == "f: weight_map at offset 15: is an array, not an object");
    CHECK_THAT(refused(R"({"weight_map":"x"})"),
               ContainsSubstring("weight_map at offset 17: is a string, not an object"));
    CHECK_THAT(refused(R"({"weight_map":false})"), ContainsSubstring("is a bool, not an object"));
    for(const std::string value: {"1", "{}", "[]", "null", "-1"}) {
        CHECK_THAT(refused("{\"weight_map\":{\"a\":" + value + "}}"),
                   ContainsSubstring("maps a tensor to ") && ContainsSubstring(", not to a file's name"));
    }
    CHECK_THAT(refused(R"({"weight_map":{"a":"1","a":"2"}})"), ContainsSubstring("the key occurs twice"));
    CHECK_THAT(refused(R"({"weight_map":{},"weight_map":{}})"), ContainsSubstring("the key occurs twice"));
    CHECK_THAT(refused("{\"weight_map\":{}"), ContainsSubstring("f: JSON at offset"));
}

TEST_CASE("shards lie beside the index and nowhere else", "[io][safetensors_index]") {
    for(const std::string name:
        {"", ".", "..", "../x", "/etc/passwd", "a/b", "a\\\\b", "..\\\\x", "x\\u0000y", "x\\u002fy"}) {
        INFO(name);
        CHECK_THAT(refused("{\"weight_map\":{\"a\":\"" + name + "\"}}"),
                   ContainsSubstring("weight_map at offset") &&
                       ContainsSubstring("is no name of a file beside the index"));
    }
    CHECK(parse(R"({"weight_map":{"a":"..x"}})").shards[0] == "..x");
}

TEST_CASE("an index keeps to its limits", "[io][safetensors_index]") {
    std::string text = "{\"weight_map\":{";
    for(int i = 0; i < 5; ++i) {
        text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"s" + std::to_string(i) + "\"";
    }
    text += "}}";
    for(const std::size_t parts: {4U, 5U, 6U}) {
        const std::string result = refusal<tw::limit_error>([&] { (void)parse(text, {.parts = parts}); });
        CHECK(result == (parts < 5 ? "f: weight_map at offset 59: names more than 4 shards" : "accepted"));
    }
    const std::string size = std::to_string(text.size());
    CHECK(refusal<tw::limit_error>([&] { (void)parse(text, {.json_header_bytes = text.size() - 1}); }) ==
          "f: an index of " + size + " bytes is over the limit of " + std::to_string(text.size() - 1));
    CHECK_NOTHROW(parse(text, {.json_header_bytes = text.size()}));
    const auto nested = [](std::size_t depth) {
        return "{\"weight_map\":{},\"x\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    CHECK_NOTHROW(parse(nested(63)));
    CHECK_NOTHROW(parse(nested(64)));
    CHECK_THROWS_AS(parse(nested(65)), tw::limit_error);
}
