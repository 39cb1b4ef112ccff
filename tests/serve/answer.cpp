#include <tokenworks/serve/answer.hpp>

#include <string>
#include <vector>

#include <tokenworks/models/gguf_vocabulary.hpp>

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
namespace serve = tw::serve;
using tw::runtime::finish_reason;
using tw::runtime::token_event;

namespace {

/// A tokenizer of bytes: the id of a letter is its code.
const tw::codec::tokenizer& bytes() {
    static const tw::codec::tokenizer made = [] {
        tw::io::gguf_writer out;
        out.set("general.architecture", "llama");
        support::byte_vocabulary::write(out);
        const support::gguf_in_memory file{out};
        return tw::codec::tokenizer{tw::models::vocabulary_of(file.file)};
    }();
    return made;
}

token_event event_of(char c, finish_reason reason = finish_reason::none) {
    token_event event;
    event.id = static_cast<unsigned char>(c);
    event.text = c;
    event.logprob = -0.5F;
    event.top = {{*event.id, -0.5F}, {'z', -2.0F}};
    event.reason = reason;
    return event;
}

token_event end_token() {
    token_event event;
    event.id = support::byte_vocabulary::im_end;
    event.logprob = -0.1F;
    event.reason = finish_reason::stop;
    return event;
}

const serve::answer_head head{"chatcmpl-7", "m", 12};

} // namespace

TEST_CASE("answer: a chat, whole", "[serve]") {
    serve::answer_reader read{0, bytes(), {.logprobs = true}};
    serve::answer_delta whole;
    for(const char c: std::string{"ab"}) {
        whole.add(read.take(event_of(c)));
    }
    whole.add(read.take(end_token()));
    serve::usage_sum sum;
    sum.add({.prompt_tokens = 3, .cached_tokens = 1, .generated_tokens = 2, .decode_joules = 0.5});
    const serve::json answer = serve::chat_answer(head, std::vector{whole}, true, serve::usage_json(sum, "modelled"));
    CHECK(answer["object"] == "chat.completion");
    CHECK(answer["choices"][0]["message"]["content"] == "ab");
    CHECK(answer["choices"][0]["finish_reason"] == "stop");
    CHECK_FALSE(answer["choices"][0].contains("finish_detail"));
    const serve::json& tokens = answer["choices"][0]["logprobs"]["content"];
    REQUIRE(tokens.size() == 2); // the end token is none of the text
    CHECK(tokens[1].dump() ==
          R"({"token":"b","logprob":-0.5,"bytes":[98],"top_logprobs":[)"
          R"({"token":"b","logprob":-0.5,"bytes":[98]},{"token":"z","logprob":-2.0,"bytes":[122]}]})");
    CHECK(answer["usage"].dump() ==
          R"({"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":1},)"
          R"("energy":{"joules":0.5,"source":"modelled"}})");
}

TEST_CASE("answer: a chat in pieces", "[serve]") {
    serve::answer_reader read{1, bytes(), {}};
    const serve::answer_delta first = read.take(event_of('a'));
    CHECK(
        serve::sse_event(serve::chat_chunk(head, first, true, false)) ==
        "data: {\"id\":\"chatcmpl-7\",\"object\":\"chat.completion.chunk\",\"created\":12,\"model\":\"m\",\"choices\":"
        "[{\"index\":1,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"},\"logprobs\":null,\"finish_reason\":null}]}"
        "\n\n");
    token_event nothing;
    CHECK(read.take(nothing).empty());
    const serve::json last = serve::chat_chunk(head, read.take(event_of('b', finish_reason::deadline)), false, false);
    CHECK(last["choices"][0]["delta"].dump() == R"({"content":"b"})");
    CHECK(last["choices"][0]["finish_reason"] == "length");
    CHECK(last["choices"][0]["finish_detail"] == "deadline");
    CHECK(serve::usage_chunk(head, true, {})["choices"].empty());
}

TEST_CASE("answer: a call of a function", "[serve]") {
    for(const bool looks: {true, false}) {
        serve::answer_reader read{0, bytes(), {.tools = looks}};
        serve::answer_delta whole;
        for(const char c: std::string{R"({"name": "f", "arguments": {}})"}) {
            whole.add(read.take(event_of(c)));
        }
        whole.add(read.take(end_token()));
        const serve::json choice = serve::chat_answer(head, std::vector{whole}, false, {})["choices"][0];
        CHECK(choice["finish_reason"] == (looks ? "tool_calls" : "stop"));
        CHECK(choice["message"]["content"].is_null() == looks);
        if(looks) {
            CHECK(choice["message"]["tool_calls"].dump() ==
                  R"([{"id":"call_7_0_0","type":"function","function":{"name":"f","arguments":"{}"}}])");
            const serve::json chunk = serve::chat_chunk(head, whole, true, true);
            CHECK(chunk["choices"][0]["delta"]["tool_calls"][0]["index"] == 0);
            CHECK_FALSE(chunk["choices"][0]["delta"].contains("content"));
        }
    }
}

TEST_CASE("answer: calls in a stream, piece by piece", "[serve]") {
    const std::string text = R"(<tool_call>{"name": "f", "arguments": {"a": "bc"}}</tool_call>)"
                             R"(<tool_call>{"name": "g", "arguments": {}}</tool_call>)";
    for(const std::size_t step: {std::size_t{1}, std::size_t{7}, text.size()}) {
        serve::answer_reader read{0, bytes(), {.tools = true}};
        std::vector<serve::json> deltas;
        serve::answer_delta whole;
        for(std::size_t at = 0; at < text.size(); at += step) {
            token_event event;
            event.text = text.substr(at, step);
            event.reason = at + step >= text.size() ? finish_reason::stop : finish_reason::none;
            serve::answer_delta next = read.take(event);
            whole.add(next);
            if(next.empty()) {
                continue;
            }
            for(const serve::answer_delta& each: serve::chunks_of(std::move(next))) {
                const serve::json choice = serve::chat_chunk(head, each, deltas.empty(), true)["choices"][0];
                CHECK(choice["finish_reason"].is_null() == !each.ends());
                CHECK(choice["delta"].contains("role") == deltas.empty());
                if(choice["delta"].contains("tool_calls")) {
                    REQUIRE(choice["delta"]["tool_calls"].size() == 1);
                    deltas.push_back(choice["delta"]["tool_calls"][0]);
                }
            }
        }
        REQUIRE(deltas.size() >= 4);
        CHECK(deltas[0].dump() ==
              R"({"index":0,"id":"call_7_0_0","type":"function","function":{"name":"f","arguments":""}})");
        std::vector<std::string> arguments(2);
        for(const serve::json& each: deltas) {
            arguments[each["index"].get<std::size_t>()] += each["function"]["arguments"].get<std::string>();
            CHECK(each.contains("id") == each["function"].contains("name"));
        }
        CHECK(arguments == std::vector<std::string>{R"({"a":"bc"})", "{}"});
        CHECK((step > 1 || deltas.size() > 6)); // as it comes
        const serve::json message = serve::chat_answer(head, std::vector{whole}, false, {})["choices"][0]["message"];
        CHECK(message["tool_calls"][0]["function"]["arguments"] == arguments[0]);
        CHECK(message["tool_calls"][1]["id"] == "call_7_0_1");
    }
}

TEST_CASE("answer: a completion, with the tokens of its prompt", "[serve]") {
    const std::vector<serve::token_id> prompt{'x', 0xC3, 0xA4};
    serve::answer_delta whole;
    const std::vector<tw::runtime::prompt_logprob> told{{-1, 2, {{'y', -0.5F}, {'z', -3}}}, {-2, 9, {{'y', -0.25F}}}};
    whole.tokens = serve::prompt_tokens(bytes(), prompt, told, 1);
    whole.prompt = serve::prompt_json(bytes(), prompt, told, 2);
    serve::answer_reader read{0, bytes(), {.logprobs = true, .offset = 2}};
    whole.add(read.take(event_of('a', finish_reason::length)));
    const serve::json choice = serve::completion_answer(head, std::vector{whole}, true, {})["choices"][0];
    CHECK(choice["text"] == "a");
    CHECK(choice["finish_reason"] == "length");
    CHECK(choice["logprobs"]["text_offset"].dump() == "[0,1,2,2]"); // characters, not bytes
    CHECK(choice["logprobs"]["token_logprobs"].dump() == "[null,-1.0,-2.0,-0.5]");
    CHECK(choice["logprobs"]["top_logprobs"][0].is_null());
    CHECK(choice["logprobs"]["top_logprobs"][3].dump() == R"({"a":-0.5,"z":-2.0})");
    CHECK(choice["logprobs"]["top_logprobs"][1].dump() == R"({"y":-0.5})");
    CHECK(choice["prompt_logprobs"][0].is_null());
    REQUIRE(choice["prompt_logprobs"].size() == 3);
    CHECK(choice["prompt_logprobs"][1]["195"]["rank"] == 2);
    CHECK(choice["prompt_logprobs"][1]["122"].dump() == R"({"logprob":-3.0,"rank":2,"decoded_token":"z"})");
    CHECK(choice["prompt_logprobs"][2]["164"]["rank"] == 9);
    CHECK(choice["prompt_logprobs"][2].size() == 2);
    CHECK(serve::chat_chunk(head, whole, true, false)["prompt_logprobs"] == choice["prompt_logprobs"]);
    CHECK(serve::chat_answer(head, std::vector{whole}, false, {})["prompt_logprobs"] == choice["prompt_logprobs"]);
    CHECK_NOTHROW(serve::dump(choice)); // pieces of characters are no UTF-8
    CHECK(serve::completion_chunk(head, whole)["object"] == "text_completion");
}
