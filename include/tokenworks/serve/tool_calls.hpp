// Functions that a model may call: the schema that binds an answer to a call, and calls found in what it wrote.
//
//   serve::tool_call_reader read{true};
//   std::string shown = read.push("Let me look. <tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>");
//   shown += read.finish();                          // "Let me look. "; read.calls()[0].name is "now"
//
// Two forms are known, which most published templates ask for: <tool_call>{...}</tool_call> anywhere in the text
// (Qwen, Hermes, SmolLM), and a text that begins with JSON (Llama 3.1); in both, objects or lists of them that
// serve/call_scanner.hpp takes, one behind the other. A call is told as soon as its name and the beginning of its
// arguments are there, and grows from then on. What looks like a call and turns out to be none before that is text.
//
// Needs nlohmann-json.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/serve/api_error.hpp>
#include <tokenworks/serve/call_scanner.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

/// A function that the model may call.
struct tool {
    std::string name;
    json parameters; ///< a JSON Schema; an object without members where none was given
};

/// The schema of {"name": ..., "arguments": ...} for one of these functions: what an answer that must call one is bound
/// to. References inside of a function's own schema still lead to its parts.
/// @param only  the one that may be called, or empty: any
[[nodiscard]] TOKENWORKS_FUNCTION std::string schema_of_call(std::span<const tool> functions, const std::string& only);

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
    /// So far: there may be more, and more arguments of the last. One whose text ended too early, or goes on with
    /// something that is no JSON, keeps the arguments that it had.
    [[nodiscard]] const std::vector<tool_call>& calls() const noexcept { return calls_; }

private:
    enum class mode {
        text,     ///< held_ may become an opening
        before,   ///< where a call may begin
        scanning, ///< in scan_
        after,    ///< behind a call
        ending    ///< held_ ends with what may become a closing
    };

    void take(char c, std::string& shown);
    void take_text(char c, std::string& shown);
    void take_json(char c, std::string& shown);
    void take_ending(char c, std::string& shown);
    void turn_to_text(char c, std::string& shown);

    bool looks_;
    bool is_inside_ = false; // behind an opening
    mode mode_ = mode::before;
    std::string held_{};     // what is to be shown where this is no call
    std::size_t border_ = 0; // characters of the closing that have come
    std::size_t first_ = 0;  // the call that is the first of scan_
    call_scanner scan_{};
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

TOKENWORKS_FUNCTION std::string tool_call_reader::push(std::string_view piece) {
    if(!looks_) {
        return std::string{piece};
    }
    std::string shown;
    for(const char c: piece) {
        take(c, shown);
    }
    return shown;
}

TOKENWORKS_FUNCTION std::string tool_call_reader::finish() {
    return mode_ == mode::after || mode_ == mode::ending ? std::string{} : std::exchange(held_, {});
}

TOKENWORKS_FUNCTION void tool_call_reader::take(char c, std::string& shown) {
    switch(mode_) {
    case mode::text:
        return take_text(c, shown);
    case mode::scanning:
        return take_json(c, shown);
    case mode::ending:
        return take_ending(c, shown);
    case mode::before:
    case mode::after:
        break;
    }
    if(c == '{' || c == '[') {
        scan_ = {};
        first_ = calls_.size();
        mode_ = mode::scanning;
        return take_json(c, shown);
    }
    if(call_scanner::blanks.find(c) != call_scanner::blanks.npos) {
        held_.push_back(c);
    } else if(mode_ == mode::after && is_inside_ && c == closing.front()) {
        mode_ = mode::ending;
        border_ = 0;
        take_ending(c, shown);
    } else {
        turn_to_text(c, shown);
    }
}

TOKENWORKS_FUNCTION void tool_call_reader::turn_to_text(char c, std::string& shown) {
    shown += std::exchange(held_, {});
    is_inside_ = false;
    mode_ = mode::text;
    take_text(c, shown);
}

TOKENWORKS_FUNCTION void tool_call_reader::take_text(char c, std::string& shown) {
    if(held_.size() == opening.size() || opening[held_.size()] != c) {
        shown += std::exchange(held_, {});
    }
    if(held_.empty() && c != opening.front()) {
        shown.push_back(c);
        return;
    }
    held_.push_back(c);
    if(held_ == opening) {
        is_inside_ = true;
        mode_ = mode::before;
    }
}

TOKENWORKS_FUNCTION void tool_call_reader::take_json(char c, std::string& shown) {
    const bool was_in_call = scan_.is_in_call();
    const call_scanner::state now = scan_.push(c);
    const std::vector<tool_call>& found = scan_.calls();
    if(now == call_scanner::state::failed) {
        if(was_in_call && is_inside_ && c == closing.front()) { // a bracket was forgotten
            mode_ = mode::after;
            take(c, shown);
        } else {
            turn_to_text(c, shown);
        }
        return;
    }
    held_.push_back(c);
    if(!found.empty() && (was_in_call || scan_.is_in_call())) {
        calls_.resize(first_ + found.size());
        tool_call& last = calls_.back();
        last.name = found.back().name;
        last.arguments.append(found.back().arguments, last.arguments.size());
        held_.clear();
    }
    if(now == call_scanner::state::done) {
        held_.clear();
        mode_ = mode::after;
    }
}

TOKENWORKS_FUNCTION void tool_call_reader::take_ending(char c, std::string& shown) {
    if(closing[border_] != c) {
        turn_to_text(c, shown);
        return;
    }
    held_.push_back(c);
    if(++border_ == closing.size()) {
        held_.clear();
        is_inside_ = false;
        mode_ = mode::text;
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
