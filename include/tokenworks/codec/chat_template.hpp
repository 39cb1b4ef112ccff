// Conversations to prompts, for the chat templates of common models.
//
// A model file carries its template as a Jinja program, written by a stranger. This header runs none: it recognises the
// well-known templates by what they contain and renders them itself, equal byte for byte to what Jinja would give. What
// it does not recognise it refuses. The result is a list of segments: those of the template are trusted, those of the
// messages are not, so that no message can forge a control token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/unicode.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

struct chat_message {
    std::string role;    ///< "system", "user" or "assistant"
    std::string content; ///< UTF-8
};

enum class chat_format : std::uint8_t {
    chatml,     ///< <|im_start|>role\n...<|im_end|>\n          SmolLM2, Qwen 2 and 2.5, and others
    gemma,      ///< <start_of_turn>role\n...<end_of_turn>\n    Gemma 1 to 3
    llama3,     ///< <|start_header_id|>role<|end_header_id|>\n\n...<|eot_id|>
    llama2,     ///< [INST] <<SYS>>\n...\n<</SYS>>\n\n... [/INST]
    mistral,    ///< [INST] ... [/INST], version 1
    zephyr,     ///< <|role|>\n...</s>\n                        Zephyr, TinyLlama
    phi3,       ///< <|role|>\n...<|end|>\n                     Phi-3.5, and Phi-3 since its revision
    phi3_first, ///< the same, but each user message is followed by <|assistant|>\n, and system messages are dropped
};

struct chat_options {
    bool add_generation_prompt = true; ///< end with what starts the assistant's answer
    std::string bos, eos;              ///< how the vocabulary spells these tokens
};

class chat_template {
public:
    /// Recognises a template (tokenizer.chat_template of a GGUF file).
    /// @param name  the file, for the message
    /// @throws unsupported_error for a template that is none of chat_format
    explicit chat_template(std::string_view source, const std::string& name = {});

    [[nodiscard]] chat_format format() const noexcept { return format_; }
    /// What the template says where the conversation has no system message; empty for nothing.
    [[nodiscard]] const std::string& default_system() const noexcept { return default_system_; }

    /// @throws argument_error for no messages, an unknown role, or an order that the template does not allow
    [[nodiscard]] std::vector<text_segment> render(std::span<const chat_message> messages,
                                                   const chat_options& options) const;

    /// The ids of a conversation. The template itself has the tokens that start a text: nothing is added.
    [[nodiscard]] std::vector<token_id> encode(const tokenizer& tokens, std::span<const chat_message> messages,
                                               bool add_generation_prompt = true) const;

private:
    bool recognise(std::string_view source);
    void find_default_system(std::string_view source);

    chat_format format_ = chat_format::chatml;
    std::string default_system_;
    bool system_first_ = false;   // gemma: a system message goes before the first user message, else it is refused
    bool dated_ = false;          // llama3: version 3.1 and later
    bool always_prompts_ = false; // llama3: the first templates ask for an answer in any case
    bool starts_with_bos_ = false;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION chat_template::chat_template(std::string_view source, const std::string& name) {
    if(!recognise(source)) {
        tokenworks::detail::raise<unsupported_error>(
            {name.empty() ? "<memory>" : name,
             ": tokenizer.chat_template: this template is not one of the known ones: \"",
             tokenworks::detail::escaped(source), "\""});
    }
}

TOKENWORKS_FUNCTION std::vector<token_id> chat_template::encode(const tokenizer& tokens,
                                                                std::span<const chat_message> messages,
                                                                bool add_generation_prompt) const {
    const auto spelling = [&](std::optional<token_id> id) {
        return id ? std::string{tokens.vocabulary().text(*id)} : std::string{};
    };
    return tokens.encode(render(messages, {add_generation_prompt, spelling(tokens.bos()), spelling(tokens.eos())}));
}

namespace detail {

/// Without the blanks at its end: str.rstrip() of Python, which counts U+001C to U+001F as blanks too.
[[nodiscard]] constexpr std::string_view trimmed_end(std::string_view text) noexcept {
    std::size_t end = 0;
    for(std::size_t at = 0; at < text.size();) {
        const utf8_char c = decode_utf8(text, at);
        at += c.length;
        if(class_of(c.code) != char_class::space && (c.code < 0x1C || c.code > 0x1F)) {
            end = at;
        }
    }
    return text.substr(0, end);
}

/// str.strip() of Python, which is also Jinja's trim.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) noexcept {
    text = trimmed_end(text);
    while(!text.empty()) {
        const utf8_char c = decode_utf8(text, 0);
        if(class_of(c.code) != char_class::space && (c.code < 0x1C || c.code > 0x1F)) {
            break;
        }
        text.remove_prefix(c.length);
    }
    return text;
}

/// Joins text to segments.
class segment_writer {
public:
    segment_writer& control(std::string_view text) { return add(text, true); }
    segment_writer& content(std::string_view text) { return add(text, false); }
    [[nodiscard]] std::vector<text_segment> take() { return std::move(segments_); }

private:
    segment_writer& add(std::string_view text, bool trusted) {
        if(!text.empty()) {
            if(segments_.empty() || segments_.back().trusted != trusted) {
                segments_.push_back({{}, trusted});
            }
            segments_.back().text += text;
        }
        return *this;
    }
    std::vector<text_segment> segments_;
};

} // namespace detail

TOKENWORKS_FUNCTION bool chat_template::recognise(std::string_view source) {
    const auto has = [&](std::string_view text) { return source.find(text) != source.npos; };
    // Reasoning, tool loops and helper macros change the text in ways that the formats here do not follow.
    if(has("macro ") || has("namespace(") || has("<think>") || has("reasoning")) {
        return false;
    }
    starts_with_bos_ = has("bos_token");
    if(has("<|im_start|>")) {
        format_ = chat_format::chatml;
        find_default_system(source);
        return has("<|im_end|>") && !has("trim") && !has("strip(");
    }
    if(has("<start_of_turn>")) {
        format_ = chat_format::gemma;
        system_first_ = has("first_user_prefix");
        return has("<end_of_turn>") && has("trim") && (system_first_ || has("System role not supported"));
    }
    if(has("<|start_header_id|>")) {
        format_ = chat_format::llama3;
        dated_ = has("Cutting Knowledge Date: December 2023") && has("26 Jul 2024");
        always_prompts_ = !has("add_generation_prompt");
        return has("<|eot_id|>") && has("trim") && starts_with_bos_ && (dated_ || !has("Cutting Knowledge Date"));
    }
    if(has("[INST]")) {
        format_ = has("<<SYS>>") ? chat_format::llama2 : chat_format::mistral;
        return format_ == chat_format::llama2
                   ? has("bos_token + '[INST] ' + content.strip() + ' [/INST]'") && !has("DEFAULT_SYSTEM")
                   : has("'[INST] ' + message['content'] + ' [/INST]'") && has("message['content'] + eos_token");
    }
    if(has("<|user|>") && has("<|assistant|>")) {
        if(has("<|end|>")) {
            format_ = has("<|system|>") ? chat_format::phi3 : chat_format::phi3_first;
            return format_ == chat_format::phi3 ? has("add_generation_prompt") && has("eos_token") : starts_with_bos_;
        }
        format_ = chat_format::zephyr;
        return has("<|system|>") && has("eos_token") && has("add_generation_prompt");
    }
    return false;
}

// A literal "<|im_start|>system", line break, text, "<|im_end|>" without a quote inside is the default system message.
TOKENWORKS_FUNCTION void chat_template::find_default_system(std::string_view source) {
    constexpr std::string_view start = "<|im_start|>system";
    for(std::size_t at = source.find(start); at != source.npos; at = source.find(start, at + 1)) {
        std::string_view rest = source.substr(at + start.size());
        const std::string_view newline = rest.starts_with("\\n") ? "\\n" : "\n";
        if(!rest.starts_with(newline)) {
            continue;
        }
        rest.remove_prefix(newline.size());
        const std::string_view text = rest.substr(0, rest.find("<|im_end|>"));
        if(text.size() < rest.size() && !text.empty() && text.find_first_of("'\"\\{}") == text.npos) {
            default_system_ = text;
            return;
        }
    }
}

TOKENWORKS_FUNCTION std::vector<text_segment> chat_template::render(std::span<const chat_message> messages,
                                                                    const chat_options& options) const {
    if(messages.empty()) {
        tokenworks::detail::raise<argument_error>({"chat template: there are no messages"});
    }
    for(const chat_message& message: messages) {
        if(!detail::is_one_of(message.role, {"system", "user", "assistant"})) {
            tokenworks::detail::raise<argument_error>(
                {"chat template: unknown role \"", tokenworks::detail::escaped(message.role), "\""});
        }
    }
    const bool has_system = messages.front().role == "system";
    const std::string_view system = has_system ? std::string_view{messages.front().content} : std::string_view{};
    // Formats that keep the system message apart want user and assistant in turns after it.
    const auto turns = [&] {
        const auto rest = messages.subspan(has_system ? 1 : 0);
        for(std::size_t i = 0; i < rest.size(); ++i) {
            if(rest[i].role != (i % 2 == 0 ? "user" : "assistant")) {
                tokenworks::detail::raise<argument_error>(
                    {"chat template: user and assistant must take turns, a user first"});
            }
        }
        return rest;
    };
    const auto refuse_system = [&] {
        if(has_system) {
            tokenworks::detail::raise<argument_error>({"chat template: this model takes no system message"});
        }
    };

    using detail::trimmed;
    detail::segment_writer out;
    switch(format_) {
    case chat_format::chatml:
        out.control(starts_with_bos_ ? std::string_view{options.bos} : std::string_view{});
        if(!has_system && !default_system_.empty()) {
            out.control("<|im_start|>system\n").control(default_system_).control("<|im_end|>\n");
        }
        for(const chat_message& m: messages) {
            out.control("<|im_start|>").control(m.role).control("\n").content(m.content).control("<|im_end|>\n");
        }
        out.control(options.add_generation_prompt ? "<|im_start|>assistant\n" : "");
        break;
    case chat_format::gemma: {
        if(!system_first_) {
            refuse_system();
        }
        out.control(options.bos);
        bool first = has_system;
        for(const chat_message& m: turns()) {
            out.control("<start_of_turn>").control(m.role == "assistant" ? "model" : "user").control("\n");
            if(std::exchange(first, false)) {
                out.content(system).content("\n\n");
            }
            out.content(trimmed(m.content)).control("<end_of_turn>\n");
        }
        out.control(options.add_generation_prompt ? "<start_of_turn>model\n" : "");
        break;
    }
    case chat_format::llama3: {
        const auto header = [&](std::string_view role) -> detail::segment_writer& {
            return out.control("<|start_header_id|>").control(role).control("<|end_header_id|>\n\n");
        };
        out.control(options.bos);
        if(dated_) { // the date that the template takes when it is told none
            header("system").control("Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n");
            out.content(trimmed(system)).control("<|eot_id|>");
        }
        for(const chat_message& m: messages.subspan(dated_ && has_system ? 1 : 0)) {
            header(m.role).content(trimmed(m.content)).control("<|eot_id|>");
        }
        if(options.add_generation_prompt || always_prompts_) {
            header("assistant");
        }
        break;
    }
    case chat_format::llama2: {
        bool first = has_system;
        for(const chat_message& m: turns()) {
            if(m.role == "assistant") {
                out.control(" ").content(trimmed(m.content)).control(" ").control(options.eos);
                continue;
            }
            out.control(options.bos).control("[INST] ");
            if(std::exchange(first, false)) {
                // The template strips this and the message as one text: blanks that follow here stay.
                const std::string_view kept = detail::trimmed_end(m.content);
                out.control("<<SYS>>\n").content(system).control(kept.empty() ? "\n<</SYS>>" : "\n<</SYS>>\n\n");
                out.content(kept).control(" [/INST]");
                continue;
            }
            out.content(trimmed(m.content)).control(" [/INST]");
        }
        break;
    }
    case chat_format::mistral:
        refuse_system();
        out.control(options.bos);
        for(const chat_message& m: turns()) {
            if(m.role == "user") {
                out.control("[INST] ").content(m.content).control(" [/INST]");
            } else {
                out.content(m.content).control(options.eos);
            }
        }
        break;
    case chat_format::zephyr:
        for(const chat_message& m: messages) {
            out.control("<|").control(m.role).control("|>\n").content(m.content).control(options.eos).control("\n");
        }
        out.control(options.add_generation_prompt ? "<|assistant|>\n" : "");
        break;
    case chat_format::phi3:
        for(const chat_message& m: messages) {
            if(m.role != "system" || !m.content.empty()) {
                out.control("<|").control(m.role).control("|>\n").content(m.content).control("<|end|>\n");
            }
        }
        out.control(options.add_generation_prompt ? std::string_view{"<|assistant|>\n"}
                                                  : std::string_view{options.eos});
        break;
    case chat_format::phi3_first:
        out.control(options.bos);
        for(const chat_message& m: messages) {
            if(m.role == "user") {
                out.control("<|user|>\n").content(m.content).control("<|end|>\n<|assistant|>\n");
            } else if(m.role == "assistant") {
                out.content(m.content).control("<|end|>\n");
            }
        }
        break;
    }
    return out.take();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
