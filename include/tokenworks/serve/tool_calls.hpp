// Functions that a model may call: the schema that binds an answer to a call, and calls found in what it wrote.
//
//   serve::tool_call_reader read{true};
//   std::string shown = read.push("Let me look. <tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>");
//   shown += read.finish();                          // "Let me look. "; read.calls()[0].name is "now"
//
// Two forms are known, which most published templates ask for: <tool_call>{...}</tool_call> anywhere in the text
// (Qwen, Hermes, SmolLM), and a text that is one JSON object or a list of them (Llama 3.1). An object is a call where
// it has a "name" and, as "arguments" or "parameters", an object. What looks like a call and is none stays text.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/serve/api_error.hpp>
#include <tokenworks/serve/generation_request.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

/// A function that the model may call.
struct tool {
    std::string name;
    json parameters; ///< a JSON Schema; an object without members where none was given
};

/// A call that a model made.
struct tool_call {
    std::string name;
    std::string arguments; ///< JSON text
};

/// The schema of {"name": ..., "arguments": ...} for one of these functions: what an answer that must call one is bound
/// to. References inside of a function's own schema still lead to its parts.
/// @param only  the one that may be called, or empty: any
[[nodiscard]] TOKENWORKS_FUNCTION std::string schema_of_call(std::span<const tool> functions, const std::string& only);

/// The calls that a JSON text is: an object, or a list of them. None where it is something else.
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<tool_call> calls_of(std::string_view text);

/// Takes a text in pieces and tells its calls from what is to be shown.
class tool_call_reader {
public:
    static constexpr std::string_view opening = "<tool_call>";
    static constexpr std::string_view closing = "</tool_call>";

    /// @param looks  false: everything is text
    explicit tool_call_reader(bool looks) : looks_{looks} {}

    /// @return what may be shown now
    [[nodiscard]] std::string push(std::string_view piece);
    /// The text is complete. @return what is left to show
    [[nodiscard]] std::string finish();
    /// So far; complete after finish().
    [[nodiscard]] const std::vector<tool_call>& calls() const noexcept { return calls_; }

private:
    bool looks_;
    bool began_ = false;  // something that is no blank has come
    bool whole_ = false;  // the text may be JSON from its beginning
    bool inside_ = false; // behind an opening
    std::string held_{};
    std::vector<tool_call> calls_{};
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Leads references of a schema to where the schema now stands.
inline void move_references(json& schema, const std::string& to) {
    if(schema.is_object()) {
        for(auto& [key, value]: schema.items()) {
            if(key == "$ref" && value.is_string() && value.get_ref<const std::string&>().starts_with("#")) {
                value = to + value.get_ref<const std::string&>().substr(1);
            } else {
                move_references(value, to);
            }
        }
    } else if(schema.is_array()) {
        for(json& each: schema) {
            move_references(each, to);
        }
    }
}

inline bool append_call(const io::json_value& value, std::vector<tool_call>& to) {
    if(!value.is_object()) {
        return false;
    }
    const std::optional<io::json_value> name = value.find("name", {"name"});
    std::optional<io::json_value> arguments = value.find("arguments", {"arguments"});
    if(!arguments) {
        arguments = value.find("parameters", {"parameters"});
    }
    if(!name || !name->is_string() || !arguments || !arguments->is_object()) {
        return false;
    }
    to.push_back({std::string{name->string({"name"})}, dump(json_of(*arguments))});
    return true;
}

} // namespace detail

TOKENWORKS_FUNCTION std::string schema_of_call(std::span<const tool> functions, const std::string& only) {
    json ways = json::array();
    json parts = json::object();
    for(std::size_t i = 0; i < functions.size(); ++i) {
        if(!only.empty() && functions[i].name != only) {
            continue;
        }
        const std::string name = "function_" + std::to_string(i);
        json parameters = functions[i].parameters;
        if(parameters.empty()) {
            parameters = {{"type", "object"}, {"properties", json::object()}, {"additionalProperties", false}};
        }
        detail::move_references(parameters, "#/$defs/" + name);
        parts[name] = std::move(parameters);
        ways.push_back(
            {{"type", "object"},
             {"properties", {{"name", {{"const", functions[i].name}}}, {"arguments", {{"$ref", "#/$defs/" + name}}}}},
             {"required", {"name", "arguments"}},
             {"additionalProperties", false}});
    }
    return dump(ways.size() == 1 ? [&] {
        json alone = ways[0];
        alone["$defs"] = parts;
        return alone;
    }() : json{{"anyOf", ways}, {"$defs", parts}});
}

TOKENWORKS_FUNCTION std::vector<tool_call> calls_of(std::string_view text) {
    std::vector<tool_call> found;
    try {
        const io::json_tree tree = parse_body(text);
        bool good = true;
        if(tree.root().is_array()) {
            tree.root().elements({}, [&](io::json_value each) { good = good && detail::append_call(each, found); });
        } else {
            good = detail::append_call(tree.root(), found);
        }
        return good ? found : std::vector<tool_call>{};
    } catch(const error&) { // no JSON, then
        return {};
    }
}

TOKENWORKS_FUNCTION std::string tool_call_reader::push(std::string_view piece) {
    if(!looks_) {
        return std::string{piece};
    }
    held_ += piece;
    std::string shown;
    if(!began_) {
        const std::size_t first = held_.find_first_not_of(" \t\r\n");
        if(first == held_.npos) {
            return shown;
        }
        began_ = true;
        whole_ = held_[first] == '{' || held_[first] == '[';
    }
    while(!whole_) {
        const std::string_view border = inside_ ? closing : opening;
        const std::size_t at = held_.find(border);
        if(at == held_.npos) {
            break;
        }
        if(inside_) {
            std::vector<tool_call> found = calls_of(std::string_view{held_}.substr(0, at));
            if(found.empty()) {
                shown += std::string{opening} + held_.substr(0, at) + std::string{closing};
            }
            calls_.insert(calls_.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
        } else {
            shown += held_.substr(0, at);
        }
        held_.erase(0, at + border.size());
        inside_ = !inside_;
    }
    if(!whole_ && !inside_) { // all but what may become an opening
        std::size_t keep = std::min(held_.size(), opening.size() - 1);
        while(!opening.starts_with(std::string_view{held_}.substr(held_.size() - keep))) {
            --keep;
        }
        shown += held_.substr(0, held_.size() - keep);
        held_.erase(0, held_.size() - keep);
    }
    return shown;
}

TOKENWORKS_FUNCTION std::string tool_call_reader::finish() {
    std::string rest = std::exchange(held_, {});
    if(!looks_ || (!whole_ && !inside_)) {
        return rest;
    }
    std::vector<tool_call> found = calls_of(rest);
    if(found.empty()) {
        return (inside_ ? std::string{opening} : std::string{}) + rest;
    }
    calls_.insert(calls_.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    return {};
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
