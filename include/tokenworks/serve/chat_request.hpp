// The body of a request to /v1/chat/completions.
//
//   const serve::chat_request ask = serve::parse_chat_request(body);         // throws format_error naming the field
//   const auto prompt = model.chat_prompt(ask.messages, {.tools = ask.tools, .variables = ask.variables});
//
// Messages hold text, as a string or as parts; pictures and sound are refused. serve/generation_request.hpp tells what
// else is read.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/chat_template.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/serve/generation_request.hpp>
#include <tokenworks/serve/tool_calls.hpp>
#if TOKENWORKS_DEFINITIONS
#include <tokenworks/codec/template_json.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::serve {

enum class tool_use { none, automatic, required };

struct chat_request: generation_request {
    std::vector<codec::chat_message> messages{};
    std::vector<codec::template_value> tools{}; ///< as the template takes them
    std::vector<tool> functions{};              ///< the same, for reading what the model answers
    tool_use use = tool_use::none;
    std::string use_name{}; ///< the one function that must be called, or empty
    std::vector<std::pair<std::string, codec::template_value>> variables{}; ///< chat_template_kwargs
};

/// @throws format_error with the field; limit_error for nesting
[[nodiscard]] TOKENWORKS_FUNCTION chat_request parse_chat_request(std::string_view body,
                                                                  const request_rules& rules = {});
/// A list of messages. @param path  how errors call it
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<codec::chat_message>
parse_messages(io::json_value value, const std::string& path, std::size_t most);

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// The text of a message: a string, or parts of text.
TOKENWORKS_FUNCTION std::string parse_content(io::json_value value, const std::string& path) {
    if(value.is_string()) {
        return std::string{value.string({path})};
    }
    if(!value.is_array()) {
        value.unexpected({path}, "a string or a list of parts");
    }
    std::string all;
    std::size_t count = 0;
    value.elements({path}, [&](io::json_value each) {
        request_fields part{each, path + "[" + std::to_string(count) + "]"};
        const std::string_view type = part.need("type").string({part.path_of("type")});
        if(type != "text") {
            part.refuse("type", {"is '", tokenworks::detail::escaped(type), "'; this server reads text alone"});
        }
        all += (count == 0 ? "" : "\n") + std::string{part.need("text").string({part.path_of("text")})};
        part.finish();
        ++count;
    });
    return all;
}

TOKENWORKS_FUNCTION codec::chat_tool_call parse_call(io::json_value value, const std::string& path) {
    request_fields in{value, path};
    codec::chat_tool_call call;
    call.id = in.string("id", 256).value_or("");
    static_cast<void>(in.word("type", {"function"}));
    request_fields function{in.need("function"), in.path_of("function")};
    call.name = std::string{function.need("name").string({function.path_of("name")})};
    if(const std::optional<io::json_value> arguments = function.find("arguments")) {
        if(arguments->is_object()) {
            call.arguments = template_value_of(*arguments);
        } else {
            const std::string place = function.path_of("arguments");
            const std::string_view text = arguments->string({place});
            try {
                call.arguments = codec::parse_template_json(text.empty() ? "{}" : text, place);
            } catch(const format_error& wrong) {
                arguments->refuse({place}, {wrong.what()});
            }
        }
    }
    function.finish();
    in.finish({"index"});
    return call;
}

TOKENWORKS_FUNCTION codec::chat_message parse_message(io::json_value value, const std::string& path) {
    request_fields in{value, path};
    static_cast<void>(in.need("role"));
    codec::chat_message message;
    message.role = *in.word("role", {"system", "developer", "user", "assistant", "tool"});
    if(message.role == "developer") { // OpenAI's newer word; templates know the older one
        message.role = "system";
    }
    if(const std::optional<io::json_value> content = in.find("content")) {
        message.content = parse_content(*content, in.path_of("content"));
    }
    if(const std::optional<io::json_value> calls = in.find("tool_calls")) {
        if(message.role != "assistant") {
            in.refuse("tool_calls", {"belongs to the assistant"});
        }
        const std::string place = in.path_of("tool_calls");
        calls->elements({place}, [&](io::json_value each) {
            message.tool_calls.push_back(
                parse_call(each, place + "[" + std::to_string(message.tool_calls.size()) + "]"));
        });
    }
    if(!in.find("content") && message.tool_calls.empty()) {
        in.refuse("content", {"is missing"});
    }
    message.tool_call_id = in.string("tool_call_id", 256).value_or("");
    message.name = in.string("name", 256).value_or("");
    message.reasoning_content = in.string("reasoning_content").value_or("");
    in.finish({"refusal", "annotations", "audio", "function_call"}); // as the client library sends answers back
    return message;
}

TOKENWORKS_FUNCTION void parse_tools(request_fields& in, chat_request& to, const request_rules& rules) {
    const std::optional<io::json_value> list = in.find("tools");
    const std::optional<io::json_value> choice = in.find("tool_choice");
    static_cast<void>(in.boolean("parallel_tool_calls"));
    if(list) {
        if(list->size() > rules.most_tools) {
            in.refuse("tools", {"has ", list->size(), " functions; the most is ", rules.most_tools});
        }
        list->elements({"tools"}, [&](io::json_value each) {
            const std::string place = "tools[" + std::to_string(to.functions.size()) + "]";
            request_fields one{each, place};
            static_cast<void>(one.need("type"));
            static_cast<void>(one.word("type", {"function"}));
            request_fields function{one.need("function"), one.path_of("function")};
            tool& made = to.functions.emplace_back();
            made.name = std::string{function.need("name").string({function.path_of("name")})};
            if(made.name.empty() || made.name.size() > 256) {
                function.refuse("name", {"has ", made.name.size(), " bytes, not 1 to 256"});
            }
            static_cast<void>(function.string("description"));
            static_cast<void>(function.boolean("strict"));
            const std::optional<io::json_value> parameters = function.find("parameters");
            if(parameters && !parameters->is_object()) {
                parameters->unexpected({function.path_of("parameters")}, "an object");
            }
            made.parameters = parameters ? json_of(*parameters) : json::object();
            function.finish();
            one.finish();
            to.tools.push_back(template_value_of(each));
        });
    }
    to.use = to.functions.empty() ? tool_use::none : tool_use::automatic;
    if(!choice) {
        return;
    }
    if(choice->is_string()) {
        const std::string word = *in.word("tool_choice", {"none", "auto", "required"});
        to.use = word == "none" ? tool_use::none : word == "auto" ? tool_use::automatic : tool_use::required;
    } else {
        request_fields one{*choice, "tool_choice"};
        static_cast<void>(one.need("type"));
        static_cast<void>(one.word("type", {"function"}));
        request_fields function{one.need("function"), "tool_choice.function"};
        to.use_name = std::string{function.need("name").string({"tool_choice.function.name"})};
        function.finish();
        one.finish();
        to.use = tool_use::required;
        if(std::ranges::find(to.functions, to.use_name, &tool::name) == to.functions.end()) {
            in.refuse("tool_choice", {"names a function that is not among tools"});
        }
    }
    if(to.use == tool_use::required && to.functions.empty()) {
        in.refuse("tool_choice", {"needs tools"});
    }
    if(to.use == tool_use::required && to.form.what != answer_form::kind::any) {
        in.refuse("tool_choice", {"that needs a call does not go with a form of the answer"});
    }
    if(to.use == tool_use::none) {
        to.tools.clear();
    } else if(to.use == tool_use::automatic && to.functions.empty()) {
        to.use = tool_use::none;
    }
}

} // namespace detail

TOKENWORKS_FUNCTION std::vector<codec::chat_message> parse_messages(io::json_value value, const std::string& path,
                                                                    std::size_t most) {
    if(!value.is_array()) {
        value.unexpected({path}, "a list of messages");
    }
    if(value.size() == 0 || value.size() > most) {
        value.refuse({path}, {"has ", value.size(), " messages, not 1 to ", most});
    }
    std::vector<codec::chat_message> all;
    value.elements({path}, [&](io::json_value each) {
        all.push_back(detail::parse_message(each, path + "[" + std::to_string(all.size()) + "]"));
    });
    return all;
}

TOKENWORKS_FUNCTION chat_request parse_chat_request(std::string_view body, const request_rules& rules) {
    const io::json_tree tree = parse_body(body, rules.json_depth);
    request_fields in{tree.root()};
    chat_request to;
    to.messages = parse_messages(in.need("messages"), "messages", rules.most_messages);
    parse_shared_fields(in, to, rules);
    const bool wants = in.boolean("logprobs").value_or(false);
    const auto top = in.whole("top_logprobs", 0, 20);
    if(top && !wants) {
        in.refuse("top_logprobs", {"goes with logprobs"});
    }
    if(wants) {
        to.logprobs = static_cast<std::size_t>(top.value_or(0));
    }
    detail::parse_tools(in, to, rules);
    if(const std::optional<io::json_value> more = in.find("chat_template_kwargs")) {
        more->members({"chat_template_kwargs"}, [&](std::string_view key, io::json_value value) {
            to.variables.emplace_back(std::string{key}, template_value_of(value));
        });
    }
    if(const std::optional<io::json_value> modalities = in.find("modalities")) {
        modalities->elements({"modalities"}, [](io::json_value each) {
            if(each.string({"modalities"}) != "text") {
                each.refuse({"modalities"}, {"holds something that is not text"});
            }
        });
    }
    in.finish(harmless_fields);
    return to;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
