// Answers on their way to the client: what an engine's events mean for each sample, and how both interfaces write that,
// whole or piece by piece (server-sent events).
//
//   serve::answer_reader read{0, tokenizer, {.logprobs = true}};
//   for(const runtime::token_event& event: job) {
//       const serve::answer_delta next = read.take(event);
//       if(!next.empty()) send(serve::sse_event(serve::chat_chunk(head, next)));
//   }
//   send(serve::sse_end);
//
// The shapes are those of OpenAI's interface (platform.openai.com/docs/api-reference, of 2026). Beyond them stand
// "finish_detail" in a choice, where the library knows more of why it ended, and "energy" in the usage.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/runtime/generate_options.hpp>
#include <tokenworks/runtime/request.hpp>
#include <tokenworks/serve/api_error.hpp>
#include <tokenworks/serve/generation_request.hpp>
#include <tokenworks/serve/tool_calls.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

/// What stands in every part of an answer.
struct answer_head {
    std::string id{};
    std::string model{};
    std::int64_t created = 0; ///< seconds since 1970
};

/// A token, its likelihood, and the likeliest in its place.
struct shown_token {
    struct other {
        std::string bytes;
        float logprob = 0;
    };
    std::string bytes{};
    std::optional<float> logprob{}; ///< natural logarithm; nothing for the first token of a prompt
    std::vector<other> top{};
    std::size_t offset = 0; ///< characters of the text before it
};

/// What came of a call of a function: its beginning, more of its arguments, or all of it.
struct call_piece {
    std::size_t index = 0; ///< of the call in its choice
    bool begins = false;   ///< the name is there
    tool_call what{};
};

/// What came of one event, or of several.
struct answer_delta {
    std::size_t index = 0; ///< of the choice
    std::string text{};
    std::vector<shown_token> tokens{};
    std::vector<call_piece> calls{};                              ///< of one event: a beginning has no arguments yet
    std::optional<json> prompt{};                                 ///< of prompt_json(), where asked for
    runtime::finish_reason reason = runtime::finish_reason::none; ///< none: it goes on

    [[nodiscard]] bool ends() const noexcept { return reason != runtime::finish_reason::none; }
    [[nodiscard]] bool empty() const noexcept {
        return text.empty() && tokens.empty() && calls.empty() && !prompt && !ends();
    }
    /// Appends what came later.
    void add(answer_delta next);
};

struct answer_options {
    bool logprobs = false;
    bool tools = false;      ///< looks for calls
    bool ignore_eos = false; ///< end tokens count as others do
    std::size_t offset = 0;  ///< characters before the answer
};

/// Characters of a text: bytes that do not go on with one.
[[nodiscard]] inline std::size_t count_characters(std::string_view text) noexcept {
    std::size_t count = 0;
    for(const char c: text) {
        count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
    }
    return count;
}

/// Follows one sample.
class answer_reader {
public:
    answer_reader(std::size_t index, const codec::tokenizer& tokens, const answer_options& options)
        : tokens_{&tokens}, options_{options}, index_{index}, calls_{options.tools}, offset_{options.offset} {}

    [[nodiscard]] answer_delta take(const runtime::token_event& event);

private:
    const codec::tokenizer* tokens_;
    answer_options options_;
    std::size_t index_;
    tool_call_reader calls_;
    std::size_t told_ = 0;            // calls that have ended
    std::optional<std::size_t> in_{}; // bytes told of the arguments of the next, where it has begun
    std::size_t offset_;
};

/// The tokens of a prompt.
/// @param logprobs  [prompt - 1]   @param most  of the likeliest that are told
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<shown_token>
prompt_tokens(const codec::tokenizer& tokens, std::span<const token_id> prompt,
              std::span<const runtime::prompt_logprob> logprobs, std::size_t most);
/// The tokens of a prompt in the form of vLLM's field "prompt_logprobs" (of its version 0.11): for each token an object
/// of the token's and the likeliest ids with "logprob", "rank" and "decoded_token"; null for the first.
[[nodiscard]] TOKENWORKS_FUNCTION json prompt_json(const codec::tokenizer& tokens, std::span<const token_id> prompt,
                                                   std::span<const runtime::prompt_logprob> logprobs, std::size_t most);

/// Of several jobs of one request together.
struct usage_sum {
    std::size_t prompt_tokens = 0;
    std::size_t cached_tokens = 0;
    std::size_t generated_tokens = 0;
    std::optional<double> joules{};

    void add(const runtime::usage& one) {
        prompt_tokens += one.prompt_tokens;
        cached_tokens += one.cached_tokens;
        generated_tokens += one.generated_tokens;
        if(one.prefill_joules || one.decode_joules) {
            joules = joules.value_or(0) + one.prefill_joules.value_or(0) + one.decode_joules.value_or(0);
        }
    }
};
/// @param source  of the joules: "measured" or "modelled"
[[nodiscard]] TOKENWORKS_FUNCTION json usage_json(const usage_sum& usage, std::string_view source);

/// "stop", "length" or "tool_calls".
[[nodiscard]] TOKENWORKS_FUNCTION std::string_view finish_word(runtime::finish_reason reason, bool called);

// Each makes the whole document; the usage goes in where it is given.
[[nodiscard]] TOKENWORKS_FUNCTION json chat_answer(const answer_head& head, std::span<const answer_delta> choices,
                                                   bool logprobs, json usage);
[[nodiscard]] TOKENWORKS_FUNCTION json completion_answer(const answer_head& head, std::span<const answer_delta> choices,
                                                         bool logprobs, json usage);
/// @param first   whether it is the first of its choice
/// @param called  whether the choice has had a call of a function
[[nodiscard]] TOKENWORKS_FUNCTION json chat_chunk(const answer_head& head, const answer_delta& next, bool first,
                                                  bool called);
[[nodiscard]] TOKENWORKS_FUNCTION json completion_chunk(const answer_head& head, const answer_delta& next);
/// The last chunk, without choices.
[[nodiscard]] TOKENWORKS_FUNCTION json usage_chunk(const answer_head& head, bool is_chat, json usage);

/// What came of an event as the chunks that a stream shows, at least one: each has one piece of a call at most, which
/// clients' libraries count on. The last has the end.
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<answer_delta> chunks_of(answer_delta next);

/// An event of a stream.
[[nodiscard]] inline std::string sse_event(const json& what) { return "data: " + dump(what) + "\n\n"; }
inline constexpr std::string_view sse_end = "data: [DONE]\n\n";

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Bytes as JSON has them, numbers.
TOKENWORKS_FUNCTION json byte_list(std::string_view bytes) {
    json all = json::array();
    for(const char c: bytes) {
        all.push_back(static_cast<unsigned char>(c));
    }
    return all;
}

TOKENWORKS_FUNCTION void put_top(shown_token& token, const codec::tokenizer& tokens,
                                 std::span<const runtime::token_logprob> top, std::size_t most) {
    for(const runtime::token_logprob& other: top.first(std::min(most, top.size()))) {
        token.top.push_back({std::string{tokens.piece(other.id)}, other.logprob});
    }
}

TOKENWORKS_FUNCTION json chat_logprobs(std::span<const shown_token> tokens) {
    json all = json::array();
    const auto one = [](const std::string& bytes, float logprob) {
        return json{{"token", bytes}, {"logprob", logprob}, {"bytes", byte_list(bytes)}};
    };
    for(const shown_token& token: tokens) {
        json entry = one(token.bytes, token.logprob.value_or(0));
        entry["top_logprobs"] = json::array();
        for(const shown_token::other& other: token.top) {
            entry["top_logprobs"].push_back(one(other.bytes, other.logprob));
        }
        all.push_back(std::move(entry));
    }
    return {{"content", std::move(all)}, {"refusal", nullptr}};
}

TOKENWORKS_FUNCTION json completion_logprobs(std::span<const shown_token> tokens) {
    json out{{"text_offset", json::array()},
             {"token_logprobs", json::array()},
             {"tokens", json::array()},
             {"top_logprobs", json::array()}};
    for(const shown_token& token: tokens) {
        out["text_offset"].push_back(token.offset);
        out["token_logprobs"].push_back(token.logprob ? json(*token.logprob) : json{});
        out["tokens"].push_back(token.bytes);
        json top = token.logprob ? json::object() : json{};
        for(const shown_token::other& other: token.top) {
            top[other.bytes] = other.logprob;
        }
        out["top_logprobs"].push_back(std::move(top));
    }
    return out;
}

/// Calls as a message has them. @param in_stream  with their place, and without what came in an earlier piece
TOKENWORKS_FUNCTION json call_list(const answer_head& head, const answer_delta& of, bool in_stream) {
    json all = json::array();
    for(const call_piece& each: of.calls) {
        json one;
        if(in_stream) {
            one["index"] = each.index;
        }
        if(each.begins) {
            one["id"] = "call_" + head.id.substr(head.id.find('-') + 1) + "_" + std::to_string(of.index) + "_" +
                        std::to_string(each.index);
            one["type"] = "function";
            one["function"]["name"] = each.what.name;
        }
        one["function"]["arguments"] = each.what.arguments;
        all.push_back(std::move(one));
    }
    return all;
}

TOKENWORKS_FUNCTION json head_json(const answer_head& head, const char* object, json choices) {
    return {{"id", head.id},
            {"object", object},
            {"created", head.created},
            {"model", head.model},
            {"choices", std::move(choices)}};
}

/// How a choice ended, where it has.
TOKENWORKS_FUNCTION void put_finish(json& choice, const answer_delta& of, bool called) {
    choice["finish_reason"] = of.ends() ? json(finish_word(of.reason, called)) : json{};
    const std::string_view detail = to_string(of.reason);
    if(of.ends() && detail != "stop" && detail != "length") {
        choice["finish_detail"] = detail;
    }
}

TOKENWORKS_FUNCTION void put_prompt(json& to, const answer_delta& of) {
    if(of.prompt) {
        to["prompt_logprobs"] = *of.prompt;
    }
}

} // namespace detail

TOKENWORKS_FUNCTION void answer_delta::add(answer_delta next) {
    text += next.text;
    tokens.insert(tokens.end(), std::make_move_iterator(next.tokens.begin()),
                  std::make_move_iterator(next.tokens.end()));
    if(next.prompt) {
        prompt = std::move(next.prompt);
    }
    for(call_piece& each: next.calls) {
        if(each.begins || calls.empty()) {
            calls.push_back(std::move(each));
        } else {
            calls.back().what.arguments += each.what.arguments;
        }
    }
    reason = next.reason;
}

TOKENWORKS_FUNCTION answer_delta answer_reader::take(const runtime::token_event& event) {
    answer_delta next{.index = index_, .reason = event.reason};
    const bool is_end = event.id && tokens_->is_end(*event.id) && !options_.ignore_eos;
    if(options_.logprobs && event.id && event.logprob && !is_end) {
        shown_token& token = next.tokens.emplace_back();
        token.bytes = tokens_->piece(*event.id);
        token.logprob = event.logprob;
        token.offset = offset_;
        offset_ += count_characters(token.bytes);
        detail::put_top(token, *tokens_, event.top, event.top.size());
    }
    next.text = calls_.push(event.text);
    if(next.ends()) {
        next.text += calls_.finish();
    }
    const std::vector<tool_call>& calls = calls_.calls();
    for(; told_ < calls.size(); ++told_, in_.reset()) {
        const tool_call& call = calls[told_];
        if(!in_) {
            next.calls.push_back({told_, true, {call.name, {}}});
            in_ = 0;
        }
        if(call.arguments.size() > *in_) {
            next.calls.push_back({told_, false, {{}, call.arguments.substr(*in_)}});
            in_ = call.arguments.size();
        }
        if(told_ + 1 == calls.size()) {
            break; // it may go on
        }
    }
    return next;
}

TOKENWORKS_FUNCTION std::vector<answer_delta> chunks_of(answer_delta next) {
    std::vector<call_piece> calls = std::exchange(next.calls, {});
    const std::size_t index = next.index;
    const runtime::finish_reason reason = std::exchange(next.reason, runtime::finish_reason::none);
    std::vector<answer_delta> all;
    if(calls.empty() || !next.empty()) {
        all.push_back(std::move(next));
    }
    for(call_piece& each: calls) {
        all.push_back({.index = index});
        all.back().calls.push_back(std::move(each));
    }
    all.back().reason = reason;
    return all;
}

TOKENWORKS_FUNCTION std::vector<shown_token> prompt_tokens(const codec::tokenizer& tokens,
                                                           std::span<const token_id> prompt,
                                                           std::span<const runtime::prompt_logprob> logprobs,
                                                           std::size_t most) {
    std::vector<shown_token> all;
    std::size_t offset = 0;
    for(std::size_t i = 0; i < prompt.size(); ++i) {
        shown_token& token = all.emplace_back();
        token.bytes = tokens.piece(prompt[i]);
        token.offset = offset;
        offset += count_characters(token.bytes);
        if(i > 0 && i - 1 < logprobs.size()) {
            token.logprob = logprobs[i - 1].logprob;
            detail::put_top(token, tokens, logprobs[i - 1].top, most);
        }
    }
    return all;
}

TOKENWORKS_FUNCTION json prompt_json(const codec::tokenizer& tokens, std::span<const token_id> prompt,
                                     std::span<const runtime::prompt_logprob> logprobs, std::size_t most) {
    json all = json::array({nullptr});
    for(std::size_t i = 0; i < logprobs.size() && i + 1 < prompt.size(); ++i) {
        json& entry = all.emplace_back(json::object());
        const auto put = [&](token_id id, float logprob, std::size_t rank) {
            json one{{"logprob", logprob}, {"rank", rank}, {"decoded_token", std::string{tokens.piece(id)}}};
            entry.emplace(std::to_string(id), std::move(one));
        };
        const runtime::prompt_logprob& of = logprobs[i];
        put(prompt[i + 1], of.logprob, of.rank);
        for(std::size_t k = 0; k < std::min(most, of.top.size()); ++k) {
            put(of.top[k].id, of.top[k].logprob, k + 1);
        }
    }
    return all;
}

TOKENWORKS_FUNCTION json usage_json(const usage_sum& usage, std::string_view source) {
    json out{{"prompt_tokens", usage.prompt_tokens},
             {"completion_tokens", usage.generated_tokens},
             {"total_tokens", usage.prompt_tokens + usage.generated_tokens},
             {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
    if(usage.joules) {
        out["energy"] = {{"joules", *usage.joules}, {"source", source}};
    }
    return out;
}

TOKENWORKS_FUNCTION std::string_view finish_word(runtime::finish_reason reason, bool called) {
    if(reason == runtime::finish_reason::stop) {
        return called ? "tool_calls" : "stop";
    }
    return "length";
}

TOKENWORKS_FUNCTION json chat_answer(const answer_head& head, std::span<const answer_delta> choices, bool logprobs,
                                     json usage) {
    json list = json::array();
    for(const answer_delta& each: choices) {
        json message{{"role", "assistant"}, {"content", each.text}, {"refusal", nullptr}};
        if(!each.calls.empty()) {
            message["tool_calls"] = detail::call_list(head, each, false);
            if(each.text.find_first_not_of(" \t\r\n") == each.text.npos) {
                message["content"] = nullptr;
            }
        }
        json choice{{"index", each.index}, {"message", std::move(message)}};
        choice["logprobs"] = logprobs ? detail::chat_logprobs(each.tokens) : json{};
        detail::put_finish(choice, each, !each.calls.empty());
        list.push_back(std::move(choice));
    }
    json out = detail::head_json(head, "chat.completion", std::move(list));
    if(!choices.empty()) {
        detail::put_prompt(out, choices.front()); // all have the same
    }
    out["usage"] = std::move(usage);
    return out;
}

TOKENWORKS_FUNCTION json completion_answer(const answer_head& head, std::span<const answer_delta> choices,
                                           bool logprobs, json usage) {
    json list = json::array();
    for(const answer_delta& each: choices) {
        json choice{{"text", each.text}, {"index", each.index}};
        choice["logprobs"] = logprobs ? detail::completion_logprobs(each.tokens) : json{};
        detail::put_finish(choice, each, false);
        detail::put_prompt(choice, each);
        list.push_back(std::move(choice));
    }
    json out = detail::head_json(head, "text_completion", std::move(list));
    out["usage"] = std::move(usage);
    return out;
}

TOKENWORKS_FUNCTION json chat_chunk(const answer_head& head, const answer_delta& next, bool first, bool called) {
    json delta = json::object();
    if(first) {
        delta["role"] = "assistant";
    }
    if(!next.text.empty() || (first && next.calls.empty())) {
        delta["content"] = next.text;
    }
    if(!next.calls.empty()) {
        delta["tool_calls"] = detail::call_list(head, next, true);
    }
    json choice{{"index", next.index}, {"delta", std::move(delta)}};
    choice["logprobs"] = next.tokens.empty() ? json{} : detail::chat_logprobs(next.tokens);
    detail::put_finish(choice, next, called);
    json out = detail::head_json(head, "chat.completion.chunk", json::array({std::move(choice)}));
    detail::put_prompt(out, next);
    return out;
}

TOKENWORKS_FUNCTION json completion_chunk(const answer_head& head, const answer_delta& next) {
    json choice{{"text", next.text}, {"index", next.index}};
    choice["logprobs"] = next.tokens.empty() ? json{} : detail::completion_logprobs(next.tokens);
    detail::put_finish(choice, next, false);
    detail::put_prompt(choice, next);
    return detail::head_json(head, "text_completion", json::array({std::move(choice)}));
}

TOKENWORKS_FUNCTION json usage_chunk(const answer_head& head, bool is_chat, json usage) {
    json out = detail::head_json(head, is_chat ? "chat.completion.chunk" : "text_completion", json::array());
    out["usage"] = std::move(usage);
    return out;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
