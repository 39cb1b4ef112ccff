// What the requests that make a model write have in common: how tokens are chosen, when the answer ends, what it must
// be like. serve/chat_request.hpp and serve/completion_request.hpp read the bodies of the two interfaces.
//
// The fields are those of OpenAI's interface (platform.openai.com/docs/api-reference, of 2026) and, under the names
// that other servers use, those of the library's own sampling. A field with a wrong type, a value out of range, or a
// name that is not known is refused: nothing is accepted that is not done. Fields that describe the request and not the
// answer (user, store, metadata ...) may be there.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/generate_options.hpp>
#include <tokenworks/serve/api_error.hpp>
#include <tokenworks/serve/request_fields.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

using sampling::token_id;

/// What a server allows, and what it does where a request says nothing.
struct request_rules {
    sampling::sampler_options sampling{}; ///< where the request says nothing
    std::size_t most_samples = 16;        ///< n
    std::size_t most_prompts = 64;        ///< texts of one request to /v1/completions, or of one to /v1/embeddings
    std::size_t most_messages = 4096;
    std::size_t most_tools = 128;
    std::size_t json_depth = 128;
};

/// What an answer must be like.
struct answer_form {
    enum class kind { any, gbnf, regex, choices, json_schema };
    kind what = kind::any;
    std::string text{};                 ///< a grammar, an expression, a schema
    std::vector<std::string> choices{}; ///< the answer is one of these

    /// A text that no other form has.
    [[nodiscard]] std::string key() const {
        std::string all = std::to_string(static_cast<int>(what)) + ":" + text;
        for(const std::string& each: choices) {
            all += std::to_string(each.size()) + ":" + each;
        }
        return all;
    }
};

struct generation_request {
    std::string model{};                 ///< empty: not said
    runtime::generate_options options{}; ///< max_tokens, sampling, stop, stop_tokens, ignore_eos
    bool says_max_tokens = false;        ///< otherwise as many as fit
    std::size_t samples = 1;             ///< n
    bool stream = false;
    bool include_usage = false;                   ///< a last chunk with the usage
    std::optional<std::size_t> logprobs{};        ///< the likeliest tokens beside each; nothing: none at all
    std::optional<std::size_t> prompt_logprobs{}; ///< the same of the prompt's tokens, in vLLM's form
    answer_form form{};
    // Of this library alone.
    int priority = 0;                ///< -100 to 100
    std::string cache_salt{};        ///< prompts are shared with requests of the same one only
    std::optional<double> timeout{}; ///< seconds
    std::optional<double> joules{};  ///< budget
};

/// A text, or the ids of one.
using prompt_input = std::variant<std::string, std::vector<token_id>>;

/// A text, a list of texts, a list of ids, or a list of these.
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<prompt_input> parse_prompts(io::json_value value, const std::string& path,
                                                                          std::size_t most);
/// Reads what both interfaces have in common.
TOKENWORKS_FUNCTION void parse_shared_fields(request_fields& in, generation_request& to, const request_rules& rules);

/// What says something about a request, and nothing about the answer.
inline constexpr std::initializer_list<const char*> harmless_fields{
    "user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"};

/// The document that a body is.
[[nodiscard]] inline io::json_tree parse_body(std::string_view body, std::size_t depth = 128) {
    return io::json_tree{std::as_bytes(std::span{body.data(), body.size()}), "request", depth};
}

#if TOKENWORKS_DEFINITIONS

namespace detail {

TOKENWORKS_FUNCTION std::vector<token_id> parse_ids(io::json_value value, const std::string& path) {
    std::vector<token_id> ids;
    ids.reserve(value.size());
    value.elements({path}, [&](io::json_value each) {
        const std::string place = path + "[" + std::to_string(ids.size()) + "]";
        ids.push_back(static_cast<token_id>(
            each.whole({place}, static_cast<std::uint64_t>(std::numeric_limits<token_id>::max()))));
    });
    return ids;
}

TOKENWORKS_FUNCTION std::vector<std::string> parse_texts(io::json_value value, const std::string& path,
                                                         std::size_t most) {
    std::vector<std::string> texts;
    const auto add = [&](io::json_value each, const std::string& place) {
        std::string text{each.string({place})};
        if(text.empty()) {
            each.refuse({place}, {"is empty"});
        }
        texts.push_back(std::move(text));
    };
    if(value.is_string()) {
        add(value, path);
        return texts;
    }
    if(value.size() > most) {
        value.refuse({path}, {"has ", value.size(), " texts; the most is ", most});
    }
    value.elements({path}, [&](io::json_value each) { add(each, path + "[" + std::to_string(texts.size()) + "]"); });
    return texts;
}

TOKENWORKS_FUNCTION void parse_logit_bias(io::json_value value, sampling::sampler_options& into) {
    constexpr std::size_t most = 4096;
    if(value.size() > most) {
        value.refuse({"logit_bias"}, {"has ", value.size(), " tokens; the most is ", most});
    }
    value.members({"logit_bias"}, [&](std::string_view key, io::json_value each) {
        const std::string place = "logit_bias." + printable(key);
        token_id id = -1;
        const auto [last, problem] = std::from_chars(key.data(), key.data() + key.size(), id);
        if(problem != std::errc{} || last != key.data() + key.size() || id < 0) {
            each.refuse({place}, {"the key is no token id"});
        }
        into.logit_bias.emplace_back(id, static_cast<float>(request_fields::number_of(each, place, -100, 100)));
    });
}

TOKENWORKS_FUNCTION void parse_sampling(request_fields& in, sampling::sampler_options& s) {
    const auto real = [&](const char* key, float& to, double least, double most) {
        if(const std::optional<double> value = in.number(key, least, most)) {
            to = static_cast<float>(*value);
        }
    };
    real("temperature", s.temperature, 0, 2);
    real("top_p", s.top_p, 0, 1);
    real("min_p", s.min_p, 0, 1);
    real("typical_p", s.typical_p, 0, 1);
    real("presence_penalty", s.presence_penalty, -2, 2);
    real("frequency_penalty", s.frequency_penalty, -2, 2);
    real("repeat_penalty", s.repeat_penalty, 0.01, 100);
    real("repetition_penalty", s.repeat_penalty, 0.01, 100);
    if(const auto k = in.number("top_k", -1, 1 << 30)) {
        if(*k != std::floor(*k)) {
            in.refuse("top_k", {"is no whole number"});
        }
        s.top_k = static_cast<int>(*k);
    }
    if(const auto back = in.whole("repeat_last_n", 0, 1U << 30U)) {
        s.repeat_last_n = static_cast<std::int64_t>(*back);
    }
    if(const auto run = in.whole("no_repeat_ngram_size", 0, 1024)) {
        s.no_repeat_ngram = static_cast<std::size_t>(*run);
    }
    if(const std::optional<io::json_value> seed = in.find("seed")) {
        s.seed = seed->type() == io::json_value::kind::negative
                     ? static_cast<std::uint64_t>(static_cast<std::int64_t>(seed->number({"seed"})))
                     : seed->whole({"seed"});
    }
    if(const std::optional<io::json_value> bias = in.find("logit_bias")) {
        parse_logit_bias(*bias, s);
    }
}

/// response_format, and the fields that bind the answer in other ways: one of them at most.
TOKENWORKS_FUNCTION answer_form parse_form(request_fields& in) {
    answer_form form;
    std::string from;
    const auto set = [&](const char* key, answer_form::kind what, std::string text) {
        if(!from.empty()) {
            in.refuse(key, {"does not go with ", from});
        }
        from = key;
        form.what = what;
        form.text = std::move(text);
    };
    constexpr std::size_t longest = std::size_t{1} << 20;
    if(const std::optional<io::json_value> value = in.find("response_format")) {
        request_fields format{*value, "response_format"};
        static_cast<void>(format.need("type"));
        const std::string type = *format.word("type", {"text", "json_object", "json_schema"});
        if(type == "json_object") {
            set("response_format", answer_form::kind::json_schema, R"({"type":"object"})");
        } else if(type == "json_schema") {
            request_fields holder{format.need("json_schema"), "response_format.json_schema"};
            static_cast<void>(holder.string("name", 256));
            static_cast<void>(holder.string("description"));
            static_cast<void>(holder.boolean("strict"));
            const io::json_value schema = holder.need("schema");
            set("response_format", answer_form::kind::json_schema, dump(json_of(schema)));
            holder.finish();
        }
        format.finish();
    }
    if(std::optional<std::string> text = in.string("grammar", longest)) {
        set("grammar", answer_form::kind::gbnf, *std::move(text));
    }
    if(std::optional<std::string> text = in.string("regex", longest)) {
        set("regex", answer_form::kind::regex, *std::move(text));
    }
    if(const std::optional<io::json_value> choices = in.find("choices")) {
        if(!choices->is_array() || choices->size() == 0) {
            choices->refuse({"choices"}, {"is no list of texts"});
        }
        set("choices", answer_form::kind::choices, {});
        form.choices = parse_texts(*choices, "choices", 4096);
    }
    return form;
}

} // namespace detail

TOKENWORKS_FUNCTION void parse_shared_fields(request_fields& in, generation_request& to, const request_rules& rules) {
    to.model = in.string("model", 1024).value_or("");
    to.options.sampling = rules.sampling;
    detail::parse_sampling(in, to.options.sampling);
    constexpr std::uint64_t most_tokens = std::numeric_limits<std::int32_t>::max();
    for(const char* key: {"max_tokens", "max_completion_tokens"}) {
        if(const auto most = in.whole(key, 1, most_tokens)) {
            to.options.max_tokens = static_cast<std::size_t>(*most);
            to.says_max_tokens = true;
        }
    }
    to.samples = static_cast<std::size_t>(in.whole("n", 1, rules.most_samples).value_or(1));
    to.stream = in.boolean("stream").value_or(false);
    if(const std::optional<io::json_value> value = in.find("stream_options")) {
        if(!to.stream) {
            in.refuse("stream_options", {"goes with stream"});
        }
        request_fields options{*value, "stream_options"};
        to.include_usage = options.boolean("include_usage").value_or(false);
        options.finish({"include_obfuscation"});
    }
    if(const std::optional<io::json_value> stop = in.find("stop")) {
        to.options.stop = detail::parse_texts(*stop, "stop", 16);
    }
    if(const std::optional<io::json_value> ids = in.find("stop_token_ids")) {
        if(ids->size() > 256) {
            in.refuse("stop_token_ids", {"has more than 256 ids"});
        }
        to.options.stop_tokens = detail::parse_ids(*ids, "stop_token_ids");
    }
    if(const auto top = in.whole("prompt_logprobs", 0, 20)) {
        to.prompt_logprobs = static_cast<std::size_t>(*top);
    }
    to.options.ignore_eos = in.boolean("ignore_eos").value_or(false);
    to.form = detail::parse_form(in);
    if(const auto priority = in.number("priority", -100, 100)) {
        if(*priority != std::floor(*priority)) {
            in.refuse("priority", {"is no whole number"});
        }
        to.priority = static_cast<int>(*priority);
    }
    to.cache_salt = in.string("cache_salt", 256).value_or("");
    to.timeout = in.number("timeout", 0.001, 86400);
    to.joules = in.number("joules", 1e-6, 1e12);
}

TOKENWORKS_FUNCTION std::vector<prompt_input> parse_prompts(io::json_value value, const std::string& path,
                                                            std::size_t most) {
    std::vector<prompt_input> all;
    if(value.is_string()) {
        all.emplace_back(std::string{value.string({path})});
        return all;
    }
    if(!value.is_array()) {
        value.unexpected({path}, "a text, or a list");
    }
    bool is_ids = value.size() != 0;
    value.elements({path}, [&](io::json_value each) { is_ids = is_ids && !each.is_string() && !each.is_array(); });
    if(is_ids) {
        all.emplace_back(detail::parse_ids(value, path));
        return all;
    }
    if(value.size() == 0 || value.size() > most) {
        value.refuse({path}, {"has ", value.size(), " texts, not 1 to ", most});
    }
    value.elements({path}, [&](io::json_value each) {
        const std::string place = path + "[" + std::to_string(all.size()) + "]";
        if(each.is_string()) {
            all.emplace_back(std::string{each.string({place})});
        } else {
            all.emplace_back(detail::parse_ids(each, place));
        }
    });
    return all;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
