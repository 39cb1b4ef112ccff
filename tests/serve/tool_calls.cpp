#include <tokenworks/serve/tool_calls.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/json_schema.hpp>

#include "support/catch.hpp"

namespace serve = tokenworks::serve;

namespace {

struct outcome {
    std::string shown;
    std::vector<serve::tool_call> calls;
};

outcome read(std::string_view text, std::size_t piece) {
    serve::tool_call_reader reader{true};
    outcome out;
    for(std::size_t at = 0; at < text.size(); at += piece) {
        out.shown += reader.push(text.substr(at, piece));
    }
    out.shown += reader.finish();
    out.calls = reader.calls();
    return out;
}

} // namespace

TEST_CASE("tool_calls: found in whatever pieces the text comes", "[serve]") {
    constexpr std::string_view call = R"({"name": "f", "arguments": {"a": [1, "x"]}})";
    const std::string tagged = "Let me < see.\n<tool_call>\n" + std::string{call} + "\n</tool_call> done";
    for(std::size_t piece = 1; piece <= tagged.size(); ++piece) {
        const outcome one = read(tagged, piece);
        CHECK(one.shown == "Let me < see.\n done");
        REQUIRE(one.calls.size() == 1);
        CHECK(one.calls[0].name == "f");
        CHECK(one.calls[0].arguments == R"({"a":[1,"x"]})");
        const outcome bare = read("\n" + std::string{call}, piece);
        CHECK(bare.shown.empty());
        CHECK(bare.calls.size() == 1);
    }
    CHECK(read("[" + std::string{call} + "," + std::string{call} + "]", 5).calls.size() == 2);
    CHECK(read(R"({"name": "g", "parameters": {}})", 3).calls[0].arguments == "{}");
    CHECK(read("<tool_call>" + std::string{call}, 4).calls.size() == 1); // the end token came first
}

TEST_CASE("tool_calls: what is none stays text", "[serve]") {
    for(const std::string_view text:
        {R"({"name": "f"})", R"({"name": 1, "arguments": {}})", R"({"a": )", "[]", "plain <tool_cal", "<tool_call>{}",
         "<tool_call>{}</tool_call>", "", "  \n", "<tool_call>[1]</tool_call> and so on"}) {
        for(const std::size_t piece: {std::size_t{1}, std::size_t{3}, std::size_t{100}}) {
            const outcome one = read(text, piece);
            CHECK(one.shown == text);
            CHECK(one.calls.empty());
        }
    }
    serve::tool_call_reader off{false};
    CHECK(off.push("<tool_call>") == "<tool_call>");
}

TEST_CASE("tool_calls: the schema of a call", "[serve]") {
    const std::vector<serve::tool> two{
        {"f", serve::json::parse(R"({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "required": ["a"],
            "$defs": {"b": {"type": "boolean"}}})")},
        {"g", serve::json::object()}};
    const serve::json any = serve::json::parse(serve::schema_of_call(two, {}));
    CHECK(any["anyOf"].size() == 2);
    CHECK(any["$defs"]["function_0"]["properties"]["a"]["$ref"] == "#/$defs/function_0/$defs/b");
    CHECK_NOTHROW(tokenworks::codec::parse_json_schema(any.dump()));
    const serve::json only = serve::json::parse(serve::schema_of_call(two, "g"));
    CHECK(only["properties"]["name"]["const"] == "g");
    CHECK_FALSE(only["$defs"].contains("function_0"));
    CHECK_NOTHROW(tokenworks::codec::parse_json_schema(only.dump()));
}
