#include <tokenworks/serve/chat_request.hpp>

#include <string>
#include <string_view>

#include "serve/support.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace serve = tw::serve;
using serve_test::field_refused;

namespace {

std::string body(const std::string& more) {
    return R"({"messages": [{"role": "user", "content": "Hello"}])" + (more.empty() ? "" : ", " + more) + "}";
}

std::string refused(const std::string& more) {
    return field_refused([&] { static_cast<void>(serve::parse_chat_request(body(more))); });
}

serve::chat_request accepted(const std::string& more) { return serve::parse_chat_request(body(more)); }

constexpr const char* weather = R"("tools": [{"type": "function", "function": {"name": "weather", "description": "now",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}])";

} // namespace

TEST_CASE("chat_request: what a short one means", "[serve]") {
    serve::request_rules rules;
    rules.sampling.temperature = 0.5F;
    const serve::chat_request ask = serve::parse_chat_request(body(""), rules);
    REQUIRE(ask.messages.size() == 1);
    CHECK(ask.messages[0].role == "user");
    CHECK(ask.messages[0].content == "Hello");
    CHECK(ask.options.sampling.temperature == 0.5F);
    CHECK_FALSE(ask.says_max_tokens);
    CHECK_FALSE(ask.stream);
    CHECK(ask.samples == 1);
    CHECK_FALSE(ask.logprobs);
    CHECK(ask.use == serve::tool_use::none);
    CHECK(ask.form.what == serve::answer_form::kind::any);
}

TEST_CASE("chat_request: every field arrives", "[serve]") {
    const serve::chat_request ask = accepted(
        R"("model": "m", "temperature": 0, "top_p": 0.5, "top_k": 7, "min_p": 0.1, "typical_p": 0.9, "n": 3,
        "presence_penalty": -1, "frequency_penalty": 1.5, "repeat_penalty": 1.1, "repeat_last_n": 9, "seed": -1,
        "logit_bias": {"5": -100, "6": 2.5}, "max_completion_tokens": 12, "stop": ["a", "b"], "stop_token_ids": [4],
        "ignore_eos": true, "stream": true, "stream_options": {"include_usage": true}, "logprobs": true,
        "top_logprobs": 4, "no_repeat_ngram_size": 3, "priority": -2, "cache_salt": "s", "timeout": 1.5, "joules": 2,
        "chat_template_kwargs": {"enable_thinking": false}, "modalities": ["text"],
        "user": "u", "store": false, "metadata": {"a": "b"}, "service_tier": "auto", "audio": null)");
    const tw::sampling::sampler_options& s = ask.options.sampling;
    CHECK(ask.model == "m");
    CHECK(s.temperature == 0);
    CHECK(s.top_p == 0.5F);
    CHECK(s.top_k == 7);
    CHECK(s.min_p == 0.1F);
    CHECK(s.typical_p == 0.9F);
    CHECK(s.presence_penalty == -1);
    CHECK(s.frequency_penalty == 1.5F);
    CHECK(s.repeat_penalty == 1.1F);
    CHECK(s.repeat_last_n == 9);
    CHECK(s.no_repeat_ngram == 3);
    CHECK(s.seed == ~std::uint64_t{0});
    REQUIRE(s.logit_bias.size() == 2);
    CHECK(s.logit_bias[1] == std::pair<serve::token_id, float>{6, 2.5F});
    CHECK(ask.samples == 3);
    CHECK(ask.options.max_tokens == 12);
    CHECK(ask.says_max_tokens);
    CHECK(ask.options.stop == std::vector<std::string>{"a", "b"});
    CHECK(ask.options.stop_tokens == std::vector<serve::token_id>{4});
    CHECK(ask.options.ignore_eos);
    CHECK(ask.stream);
    CHECK(ask.include_usage);
    CHECK(ask.logprobs == std::size_t{4});
    CHECK(ask.priority == -2);
    CHECK(ask.cache_salt == "s");
    CHECK(ask.timeout == 1.5);
    CHECK(ask.joules == 2.0);
    REQUIRE(ask.variables.size() == 1);
    CHECK(ask.variables[0].first == "enable_thinking");
}

TEST_CASE("chat_request: what is wrong is refused by its name", "[serve]") {
    const std::pair<const char*, const char*> wrong[] = {
        {R"("temperature": "hot")", "temperature"},
        {R"("temperature": 2.5)", "temperature"},
        {R"("temperature": -0.1)", "temperature"},
        {R"("temperature": true)", "temperature"},
        {R"("top_p": 1.01)", "top_p"},
        {R"("top_k": 1.5)", "top_k"},
        {R"("n": 0)", "n"},
        {R"("n": 17)", "n"},
        {R"("n": 1.5)", "n"},
        {R"("n": 99999999999999999999)", "n"},
        {R"("max_tokens": 0)", "max_tokens"},
        {R"("max_tokens": -1)", "max_tokens"},
        {R"("max_completion_tokens": 4294967296)", "max_completion_tokens"},
        {R"("stop": "")", "stop"},
        {R"("stop": ["a", 1])", "stop[1]"},
        {R"("stop": ["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"])", "stop"},
        {R"("seed": 0.5)", "seed"},
        {R"("logit_bias": {"x": 1})", "logit_bias.x"},
        {R"("logit_bias": {"1": 101})", "logit_bias.1"},
        {R"("logit_bias": [1])", "logit_bias"},
        {R"("stream": 1)", "stream"},
        {R"("stream_options": {"include_usage": true})", "stream_options"},
        {R"("top_logprobs": 2)", "top_logprobs"},
        {R"("logprobs": true, "top_logprobs": 21)", "top_logprobs"},
        {R"("logprobs": 1)", "logprobs"},
        {R"("tempreature": 1)", "tempreature"},
        {R"("functions": [])", "functions"},
        {R"("modalities": ["audio"])", "modalities"},
        {R"("response_format": {"type": "xml"})", "response_format.type"},
        {R"("response_format": {})", "response_format.type"},
        {R"("response_format": {"type": "json_schema"})", "response_format.json_schema"},
        {R"("response_format": {"type": "json_schema", "json_schema": {"name": "x"}})",
         "response_format.json_schema.schema"},
        {R"("response_format": {"type": "json_object"}, "regex": "a")", "regex"},
        {R"("regex": "a", "grammar": "root ::= \"a\"")", "regex"},
        {R"("choices": [])", "choices"},
        {R"("choices": ["a", ""])", "choices[1]"},
        {R"("tools": [{"type": "web"}])", "tools[0].type"},
        {R"("tools": [{"type": "function"}])", "tools[0].function"},
        {R"("tools": [{"type": "function", "function": {"name": ""}}])", "tools[0].function.name"},
        {R"("tools": [{"type": "function", "function": {"name": "f", "parameters": 1}}])",
         "tools[0].function.parameters"},
        {R"("tool_choice": "required")", "tool_choice"},
        {R"("tool_choice": "maybe")", "tool_choice"},
        {R"("priority": 1000)", "priority"},
        {R"("timeout": 0)", "timeout"},
    };
    for(const auto& [more, field]: wrong) {
        INFO(more);
        CHECK(refused(more) == field);
    }
}

TEST_CASE("chat_request: messages", "[serve]") {
    const auto of = [](const std::string& messages) {
        return serve::parse_chat_request(R"({"messages": )" + messages + "}").messages;
    };
    const auto wrong = [&](const std::string& messages) {
        return field_refused([&] { static_cast<void>(of(messages)); });
    };
    CHECK(of(R"([{"role": "developer", "content": "Be brief."}])")[0].role == "system");
    CHECK(of(R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])")[0]
              .content == "a\nb");
    const auto talk = of(R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": null, "refusal": null,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": [1]}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"}])");
    REQUIRE(talk.size() == 3);
    REQUIRE(talk[1].tool_calls.size() == 1);
    CHECK(talk[1].tool_calls[0].name == "f");
    CHECK(talk[1].tool_calls[0].id == "call_1");
    CHECK(talk[1].tool_calls[0].arguments.entries().size() == 1);
    CHECK(talk[2].tool_call_id == "call_1");

    CHECK(wrong("[]") == "messages");
    CHECK(wrong(R"("hi")") == "messages");
    CHECK(wrong(R"([1])") == "messages[0]");
    CHECK(wrong(R"([{"content": "x"}])") == "messages[0].role");
    CHECK(wrong(R"([{"role": "king", "content": "x"}])") == "messages[0].role");
    CHECK(wrong(R"([{"role": "user"}])") == "messages[0].content");
    CHECK(wrong(R"([{"role": "user", "content": 1}])") == "messages[0].content");
    CHECK(wrong(R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])") ==
          "messages[0].content[0].type");
    CHECK(wrong(R"([{"role": "user", "content": "x", "tool_calls": []}])") == "messages[0].tool_calls");
    CHECK(wrong(R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}])") ==
          "messages[0].tool_calls[0].function.arguments");
    CHECK(wrong(R"([{"role": "user", "content": "x", "mood": "good"}])") == "messages[0].mood");
    CHECK(field_refused([] { static_cast<void>(serve::parse_chat_request("{}")); }) == "messages");
}

TEST_CASE("chat_request: what is no JSON, or too deep", "[serve]") {
    const auto wrong = [](const std::string& text) {
        return field_refused([&] { static_cast<void>(serve::parse_chat_request(text)); });
    };
    CHECK(wrong("") == "JSON");
    CHECK(wrong("{\"messages\": [") == "JSON");
    CHECK(wrong("{\"n\": NaN}") == "JSON");
    CHECK(wrong("{\"n\": 1e999}") == "JSON");
    CHECK(wrong("{\"model\": \"\xff\"}") == "JSON");
    CHECK(wrong("[]").empty()); // the document itself
    CHECK(wrong(R"({"n": 1, "n": 2})") == "n");
    const std::string deep = body("\"metadata\": " + std::string(127, '[') + std::string(127, ']'));
    CHECK_NOTHROW(serve::parse_chat_request(deep));
    const std::string deeper = body("\"metadata\": " + std::string(128, '[') + std::string(128, ']'));
    CHECK_THROWS_AS(serve::parse_chat_request(deeper), tw::limit_error);
}

TEST_CASE("chat_request: forms of the answer", "[serve]") {
    using kind = serve::answer_form::kind;
    CHECK(accepted(R"("response_format": {"type": "text"})").form.what == kind::any);
    CHECK(accepted(R"("response_format": {"type": "json_object"})").form.text == R"({"type":"object"})");
    const serve::answer_form schema =
        accepted(R"("response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true,
            "schema": {"type": "object", "properties": {"b": {"type": "integer"}, "a": {}}}}})")
            .form;
    CHECK(schema.what == kind::json_schema);
    CHECK(schema.text == R"({"type":"object","properties":{"b":{"type":"integer"},"a":{}}})");
    CHECK(accepted(R"("grammar": "root ::= \"a\"")").form.what == kind::gbnf);
    CHECK(accepted(R"("regex": "[0-9]+")").form.text == "[0-9]+");
    CHECK(accepted(R"("choices": ["yes", "no"])").form.choices == std::vector<std::string>{"yes", "no"});
    CHECK(accepted(R"("choices": ["a", "b"])").form.key() != accepted(R"("choices": ["ab"])").form.key());
}

TEST_CASE("chat_request: tools", "[serve]") {
    const serve::chat_request ask = accepted(weather);
    CHECK(ask.use == serve::tool_use::automatic);
    REQUIRE(ask.functions.size() == 1);
    CHECK(ask.functions[0].name == "weather");
    CHECK(ask.tools.size() == 1);
    const std::string with = std::string{weather} + ", ";
    CHECK(accepted(with + R"("tool_choice": "none")").use == serve::tool_use::none);
    CHECK(accepted(with + R"("tool_choice": "none")").tools.empty());
    CHECK(accepted(with + R"("tool_choice": "required")").use == serve::tool_use::required);
    const serve::chat_request named =
        accepted(with + R"("tool_choice": {"type": "function", "function": {"name": "weather"}})");
    CHECK(named.use == serve::tool_use::required);
    CHECK(named.use_name == "weather");
    CHECK(refused(with + R"("tool_choice": {"type": "function", "function": {"name": "time"}})") == "tool_choice");
    CHECK(refused(with + R"("tool_choice": "required", "regex": "a")") == "tool_choice");
}
