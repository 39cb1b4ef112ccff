// Conversations to prompts, by the chat template of a model.
//
// A model file carries its template as a Jinja program, written by a stranger. It is run by the interpreter of
// codec/jinja_interpreter.hpp, within limits, and gives byte for byte what transformers' apply_chat_template gives. The
// result is a list of segments: what the template itself says is trusted, whatever came with the conversation is not,
// however the template cut and joined it. So no message, tool or tool's answer can forge a control token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#if TOKENWORKS_DEFINITIONS
#include <tokenworks/codec/jinja_interpreter.hpp>
#include <tokenworks/codec/jinja_parser.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// Null, bool, number, text, list or dict: what JSON can say. Texts given as such are untrusted.
using template_value = jinja::value;
using template_limits = jinja::limits;

/// A call of a tool that the assistant made.
struct chat_tool_call {
    std::string name;
    template_value arguments; ///< a dict; some templates take JSON text
    std::string id{};
};

struct chat_message {
    std::string role;    ///< "system", "user", "assistant", "tool", or what else the template knows
    std::string content; ///< UTF-8
    std::vector<chat_tool_call> tool_calls{};
    std::string tool_call_id{};      ///< of a tool's answer
    std::string name{};              ///< of the tool that answers
    std::string reasoning_content{}; ///< what the assistant thought before it answered
    template_value parts{};          ///< a list of content parts in place of content, {"type": "text", "text": ...}
    std::vector<std::pair<std::string, template_value>> more{}; ///< further fields
};

struct chat_options {
    bool add_generation_prompt = true;   ///< end with what starts the assistant's answer
    std::string bos{}, eos{};            ///< how the vocabulary spells these tokens
    std::vector<template_value> tools{}; ///< descriptions of functions, as JSON schemas
    std::vector<template_value> documents{};
    std::vector<std::pair<std::string, template_value>> variables{}; ///< enable_thinking, date_string and others
    /// For strftime_now: seconds since 1970 on the caller's clock. Nothing: the system's clock, in UTC.
    std::optional<std::int64_t> now{};
    template_limits limits{};
};

class chat_template {
public:
    /// Reads a template (tokenizer.chat_template of a GGUF file).
    /// @param name  the file, for messages
    /// @throws format_error that names the line; unsupported_error for what reads other templates; limit_error
    explicit chat_template(std::string_view source, const std::string& name = {});

    /// @throws argument_error for no messages; template_error where the template refuses the conversation or fails;
    ///         limit_error where it takes more than the limits allow
    [[nodiscard]] std::vector<text_segment> render(std::span<const chat_message> messages,
                                                   const chat_options& options) const;

    /// The ids of a conversation. The template itself has the tokens that start a text: nothing is added.
    [[nodiscard]] std::vector<token_id> encode(const tokenizer& tokens, std::span<const chat_message> messages,
                                               bool add_generation_prompt = true) const;
    /// The same with more said. Empty bos and eos are those of the vocabulary.
    [[nodiscard]] std::vector<token_id> encode(const tokenizer& tokens, std::span<const chat_message> messages,
                                               chat_options options) const;

private:
    jinja::program code_;
    std::string name_;
    std::size_t bytes_;
};

/// A message as templates see it: a dict. Its role is trusted where it is one of those that models know.
[[nodiscard]] template_value template_value_of(const chat_message& message);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION chat_template::chat_template(std::string_view source, const std::string& name)
    : code_{jinja::parser{source, name}.parse()}, name_{name}, bytes_{source.size()} {}

TOKENWORKS_FUNCTION template_value template_value_of(const chat_message& message) {
    using fields = std::vector<std::pair<std::string, template_value>>;
    fields made;
    // Templates make control tokens of roles, '<|' + role + '|>'. These name no other token; a stranger's word might.
    template_value role{message.role};
    for(const char* known: {"system", "user", "assistant", "tool", "developer", "function", "ipython", "model"}) {
        role = message.role == known ? template_value::trusted(known) : role;
    }
    made.emplace_back("role", role);
    made.emplace_back("content", message.parts.is(jinja::kind::none) ? template_value{message.content} : message.parts);
    if(!message.reasoning_content.empty()) {
        made.emplace_back("reasoning_content", template_value{message.reasoning_content});
        made.emplace_back("thinking", template_value{message.reasoning_content}); // what gpt-oss calls it
    }
    if(!message.tool_calls.empty()) {
        template_value::list_type calls;
        for(const chat_tool_call& call: message.tool_calls) {
            fields function{{"name", template_value{call.name}}, {"arguments", call.arguments}};
            fields one{{"type", template_value{"function"}}, {"function", template_value::dict(std::move(function))}};
            if(!call.id.empty()) {
                one.insert(one.begin(), {"id", template_value{call.id}});
            }
            calls.push_back(template_value::dict(std::move(one)));
        }
        made.emplace_back("tool_calls", template_value::list(std::move(calls)));
    }
    if(!message.tool_call_id.empty()) {
        made.emplace_back("tool_call_id", template_value{message.tool_call_id});
    }
    if(!message.name.empty()) {
        made.emplace_back("name", template_value{message.name});
    }
    made.insert(made.end(), message.more.begin(), message.more.end());
    return template_value::dict(std::move(made));
}

TOKENWORKS_FUNCTION std::vector<text_segment> chat_template::render(std::span<const chat_message> messages,
                                                                    const chat_options& options) const {
    if(messages.empty()) {
        tokenworks::detail::raise<argument_error>({"chat template: there are no messages"});
    }
    template_value::list_type all;
    for(const chat_message& message: messages) {
        all.push_back(template_value_of(message));
    }
    const auto list_or_none = [](const std::vector<template_value>& items) {
        return items.empty() ? template_value{} : template_value::list(items);
    };
    jinja::variables given{{"messages", template_value::list(std::move(all))},
                           {"tools", list_or_none(options.tools)},
                           {"documents", list_or_none(options.documents)},
                           {"add_generation_prompt", template_value{options.add_generation_prompt}},
                           {"bos_token", template_value::trusted(options.bos)},
                           {"eos_token", template_value::trusted(options.eos)}};
    given.insert(given.end(), options.variables.begin(), options.variables.end());
    const jinja::text made = jinja::run(code_, bytes_, given, options.now, name_, options.limits);
    std::vector<text_segment> segments;
    std::size_t from = 0;
    for(const jinja::text::run& run: made.runs()) {
        segments.push_back({std::string{made.view().substr(from, run.end - from)}, run.trusted});
        from = run.end;
    }
    return segments;
}

TOKENWORKS_FUNCTION std::vector<token_id> chat_template::encode(const tokenizer& tokens,
                                                                std::span<const chat_message> messages,
                                                                bool add_generation_prompt) const {
    chat_options options;
    options.add_generation_prompt = add_generation_prompt;
    return encode(tokens, messages, std::move(options));
}

TOKENWORKS_FUNCTION std::vector<token_id>
chat_template::encode(const tokenizer& tokens, std::span<const chat_message> messages, chat_options options) const {
    const auto spell = [&](std::string& spelling, std::optional<token_id> id) {
        if(spelling.empty() && id) {
            spelling = tokens.vocabulary().text(*id);
        }
    };
    spell(options.bos, tokens.bos());
    spell(options.eos, tokens.eos());
    return tokens.encode(render(messages, options));
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
