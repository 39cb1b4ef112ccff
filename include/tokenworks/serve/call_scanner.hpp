// The JSON text of calls of functions, read a character at a time: what a call is known to be before it has ended.
//
//   serve::call_scanner scan;
//   for(const char c: std::string_view{R"({"name": "now", "arguments": {"zone": "UT)"})
//   static_cast<void>(scan.push(c)); scan.calls()[0].name;                            // "now"
//   scan.calls()[0].arguments;                       // {"zone":"UT
//
// A text is taken that is one object, or a list of them; each has a "name" and, as "arguments" or "parameters", an
// object, in any order and beside other members. A call is in the list from the moment when both have begun; from then
// on its arguments grow. A parser of whole documents (io/json_tree.hpp) would say so only at the end.
//
// The grammar is that of RFC 8259. Blanks between the tokens of the arguments are left out.
//
// Needs nlohmann-json (through serve/api_error.hpp), for names with escapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/serve/api_error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

/// A call that a model made, or the part of it that has come.
struct tool_call {
    std::string name;
    std::string arguments; ///< JSON text
};

class call_scanner {
public:
    static constexpr std::size_t deepest = 128; ///< objects and lists in each other
    static constexpr std::string_view blanks = " \t\r\n";

    enum class state : std::uint8_t {
        going, ///< more has to come
        done,  ///< the text is complete
        failed ///< this character does not belong to calls; nothing may be pushed any more
    };
    [[nodiscard]] TOKENWORKS_FUNCTION state push(char c);

    /// So far; the last may have begun only.
    [[nodiscard]] const std::vector<tool_call>& calls() const noexcept { return calls_; }
    /// Whether what comes now belongs to a call that is in the list.
    [[nodiscard]] bool is_in_call() const noexcept { return is_known_; }

private:
    enum class expect : std::uint8_t {
        value,
        value_or_close,
        key,
        key_or_close,
        colon,
        comma_or_close,
        string,
        escape,
        hex,
        literal,
        minus,
        zero,
        whole,
        point,
        fraction,
        exponent,
        exponent_sign,
        exponent_digits
    };
    [[nodiscard]] bool read(char c);
    [[nodiscard]] bool read_string(char c);
    [[nodiscard]] bool read_number(char c);
    [[nodiscard]] bool begin_value(char c);
    [[nodiscard]] bool begin_word(std::string_view word);
    [[nodiscard]] bool open(char c);
    [[nodiscard]] bool close(char c);
    [[nodiscard]] bool end_string();
    [[nodiscard]] bool end_call();
    void begin_call();
    void keep(char c);

    /// Whether the members that are read are those of a call.
    [[nodiscard]] bool is_at_call() const noexcept { return open_.size() == base_; }

    std::string open_{};   // the brackets that are open
    std::size_t base_ = 0; // of them within a call
    expect next_ = expect::value;
    bool is_key_ = false;     // the string that is read
    std::string_view rest_{}; // of a word
    int digits_ = 0;          // of a \u that are missing
    std::string text_{};      // of the string that is read, where it is a member of a call
    std::string key_{};       // the member of a call that is read

    bool has_name_ = false;
    bool has_arguments_ = false;
    bool in_arguments_ = false;
    bool is_known_ = false; // the call is in the list
    tool_call call_{};      // as long as it is not
    std::vector<tool_call> calls_{};
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION call_scanner::state call_scanner::push(char c) {
    if(!read(c)) {
        return state::failed;
    }
    return open_.empty() ? state::done : state::going;
}

TOKENWORKS_FUNCTION bool call_scanner::read(char c) {
    switch(next_) {
    case expect::string:
    case expect::escape:
    case expect::hex:
        keep(c);
        return read_string(c);
    case expect::literal:
        keep(c);
        if(rest_.front() != c) {
            return false;
        }
        rest_.remove_prefix(1);
        next_ = rest_.empty() ? expect::comma_or_close : expect::literal;
        return true;
    case expect::value:
    case expect::value_or_close:
    case expect::key:
    case expect::key_or_close:
    case expect::colon:
    case expect::comma_or_close:
        break;
    default:
        return read_number(c);
    }
    if(blanks.find(c) != blanks.npos) {
        return !open_.empty(); // it begins with a bracket
    }
    switch(next_) {
    case expect::value_or_close:
        if(c == ']') {
            return close(c);
        }
        return begin_value(c);
    case expect::value:
        return begin_value(c);
    case expect::key_or_close:
        if(c == '}') {
            return close(c);
        }
        [[fallthrough]];
    case expect::key:
        keep(c);
        is_key_ = true;
        text_.clear();
        next_ = expect::string;
        return c == '"';
    case expect::colon:
        keep(c);
        next_ = expect::value;
        return c == ':';
    default: // behind a value
        if(c != ',') {
            return close(c);
        }
        keep(c);
        next_ = open_.back() == '{' ? expect::key : expect::value;
        return true;
    }
}

TOKENWORKS_FUNCTION bool call_scanner::read_string(char c) {
    if(next_ == expect::string && c == '"') {
        return end_string();
    }
    if(is_at_call()) {
        text_.push_back(c);
    }
    switch(next_) {
    case expect::escape:
        next_ = c == 'u' ? expect::hex : expect::string;
        digits_ = 4;
        return std::string_view{"\"\\/bfnrtu"}.find(c) != std::string_view::npos;
    case expect::hex:
        next_ = --digits_ == 0 ? expect::string : expect::hex;
        return std::string_view{"0123456789abcdefABCDEF"}.find(c) != std::string_view::npos;
    default:
        next_ = c == '\\' ? expect::escape : expect::string;
        return static_cast<unsigned char>(c) >= 0x20U;
    }
}

TOKENWORKS_FUNCTION bool call_scanner::end_string() {
    next_ = is_key_ ? expect::colon : expect::comma_or_close;
    if(!is_at_call() || (!is_key_ && key_ != "name")) {
        return true;
    }
    const json read = json::parse('"' + text_ + '"', nullptr, false);
    if(!read.is_string()) {
        return false; // half a surrogate, or bytes that are no UTF-8
    }
    if(is_key_) {
        key_ = read.get<std::string>();
        return true;
    }
    if(has_name_) {
        return false;
    }
    has_name_ = true;
    call_.name = read.get<std::string>();
    if(has_arguments_) {
        begin_call();
    }
    return true;
}

TOKENWORKS_FUNCTION bool call_scanner::read_number(char c) {
    const bool is_digit = c >= '0' && c <= '9';
    const auto go_on = [&](expect to) {
        keep(c);
        next_ = to;
        return true;
    };
    const auto end = [&] {
        next_ = expect::comma_or_close;
        return read(c);
    };
    const bool is_exponent = c == 'e' || c == 'E';
    switch(next_) {
    case expect::minus:
        return is_digit && go_on(c == '0' ? expect::zero : expect::whole);
    case expect::zero:
    case expect::whole:
        if(is_digit && next_ == expect::whole) {
            return go_on(expect::whole);
        }
        return c == '.' ? go_on(expect::point) : is_exponent ? go_on(expect::exponent) : end();
    case expect::point:
        return is_digit && go_on(expect::fraction);
    case expect::fraction:
        return is_digit ? go_on(expect::fraction) : is_exponent ? go_on(expect::exponent) : end();
    case expect::exponent:
        if(c == '+' || c == '-') {
            return go_on(expect::exponent_sign);
        }
        [[fallthrough]];
    case expect::exponent_sign:
        return is_digit && go_on(expect::exponent_digits);
    default:
        return is_digit ? go_on(expect::exponent_digits) : end();
    }
}

TOKENWORKS_FUNCTION bool call_scanner::begin_value(char c) {
    const bool is_object = c == '{';
    if(base_ == 0 || open_.size() < base_) { // what the text begins with, or an element of its list
        if(!is_object && (c != '[' || base_ != 0)) {
            return false;
        }
        base_ = base_ != 0 ? base_ : is_object ? 1U : 2U;
        return open(c);
    }
    if(is_at_call()) {
        if(key_ == "name" && c != '"') {
            return false;
        }
        if(!has_arguments_ && (key_ == "arguments" || key_ == "parameters")) {
            has_arguments_ = in_arguments_ = true;
            if(has_name_ && is_object) {
                begin_call();
            }
            return is_object && open(c);
        }
    }
    switch(c) {
    case '{':
    case '[':
        return open(c);
    case '"':
        keep(c);
        is_key_ = false;
        text_.clear();
        next_ = expect::string;
        return true;
    case 't':
        return begin_word("true");
    case 'f':
        return begin_word("false");
    case 'n':
        return begin_word("null");
    default:
        keep(c);
        next_ = c == '-' ? expect::minus : c == '0' ? expect::zero : expect::whole;
        return c == '-' || (c >= '0' && c <= '9');
    }
}

TOKENWORKS_FUNCTION bool call_scanner::begin_word(std::string_view word) {
    keep(word.front());
    rest_ = word.substr(1);
    next_ = expect::literal;
    return true;
}

TOKENWORKS_FUNCTION bool call_scanner::open(char c) {
    if(open_.size() == deepest) {
        return false;
    }
    keep(c);
    open_.push_back(c);
    next_ = c == '{' ? expect::key_or_close : expect::value_or_close;
    return true;
}

TOKENWORKS_FUNCTION bool call_scanner::close(char c) {
    if(open_.back() != (c == '}' ? '{' : '[') || (c != '}' && c != ']')) {
        return false;
    }
    if(is_at_call() && !end_call()) {
        return false;
    }
    if(open_.size() < base_ && calls_.empty()) {
        return false; // an empty list
    }
    keep(c);
    open_.pop_back();
    if(is_at_call()) {
        in_arguments_ = false;
    }
    next_ = expect::comma_or_close;
    return true;
}

TOKENWORKS_FUNCTION bool call_scanner::end_call() {
    if(!has_name_ || !has_arguments_) {
        return false;
    }
    has_name_ = has_arguments_ = is_known_ = false;
    call_ = {};
    return true;
}

TOKENWORKS_FUNCTION void call_scanner::begin_call() {
    is_known_ = true;
    calls_.push_back(std::exchange(call_, {}));
}

TOKENWORKS_FUNCTION void call_scanner::keep(char c) {
    if(in_arguments_) {
        (is_known_ ? calls_.back() : call_).arguments.push_back(c);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
