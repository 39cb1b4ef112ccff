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

TEST_CASE("tool_calls: a call is told before it ends", "[serve]") {
    serve::tool_call_reader reader{true};
    CHECK(reader.push(R"(So: <tool_call> {"arguments_of": 1, "name": "f", "arguments": )") == "So: ");
    CHECK(reader.calls().empty());
    CHECK(reader.push("{").empty());
    REQUIRE(reader.calls().size() == 1);
    CHECK(reader.calls()[0].name == "f");
    CHECK(reader.push(R"("a": "x)").empty());
    CHECK(reader.calls()[0].arguments == R"({"a":"x)");
    CHECK(reader.finish().empty()); // cut short: it keeps what it had
    CHECK(reader.calls().size() == 1);
    for(std::size_t piece = 1; piece < 9; ++piece) {
        // No JSON any more, behind the beginning of a call.
        const outcome broken = read(R"({"name": "f", "arguments": {"a": 1, b} more)", piece);
        CHECK(broken.shown == "b} more");
        CHECK(broken.calls.size() == 1);
        // Several, with and without a bracket too few; then text.
        const outcome two = read("<tool_call>{\"name\": \"f\", \"arguments\": {}</tool_call>\n<tool_call>{\"name\": "
                                 "\"g\", \"arguments\": {}}{\"name\": \"h\", \"arguments\": {}}</tool_call> <end>",
                                 piece);
        CHECK(two.shown == "\n <end>");
        CHECK(two.calls.size() == 3);
        const outcome list = read(R"([{"name": "f", "arguments": {}}, {"a": 2}] ?)", piece);
        CHECK(list.shown == R"(, {"a": 2}] ?)");
        CHECK(list.calls.size() == 1);
        // JSON that is no call streams on as text, in which calls are looked for.
        const outcome late = read(R"({"a": [1]} <tool_call>{"name": "f", "arguments": {}}</tool_call>)", piece);
        CHECK(late.shown == R"({"a": [1]} )");
        CHECK(late.calls.size() == 1);
    }
    serve::tool_call_reader streams{true};
    CHECK(streams.push(R"({"a": 1} and)") == R"({"a": 1} and)");
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
