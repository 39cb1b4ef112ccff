// Values as JSON text, byte for byte as a grammar writes them.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::detail {

/// How JSON writes a byte of a string.
[[nodiscard]] inline std::string json_spelling(std::uint8_t byte) {
    constexpr std::string_view escaped = "\"\\\b\f\n\r\t";
    constexpr std::string_view letters = "\"\\bfnrt";
    if(const std::size_t at = escaped.find(static_cast<char>(byte)); at != escaped.npos) {
        return {'\\', letters[at]};
    }
    if(byte < 0x20) {
        constexpr std::string_view digits = "0123456789abcdef";
        return std::string{"\\u00"} + digits[byte >> 4] + digits[byte & 15];
    }
    return std::string(1, static_cast<char>(byte));
}

[[nodiscard]] inline std::string json_string(std::string_view text) {
    std::string out = "\"";
    for(const char c: text) {
        out += json_spelling(static_cast<std::uint8_t>(c));
    }
    return out + '"';
}

/// As text, without blanks. Nesting is bounded by what is read.
[[nodiscard]] inline std::string json_text(const jinja::value& v) {
    std::string out;
    switch(v.what()) {
    case jinja::kind::boolean:
        return v.boolean() ? "true" : "false";
    case jinja::kind::integer:
        return std::to_string(v.integer());
    case jinja::kind::real: {
        char text[64];
        return {text, std::to_chars(text, text + sizeof text, v.real()).ptr};
    }
    case jinja::kind::string:
        return json_string(v.view());
    case jinja::kind::list:
        for(const jinja::value& item: v.items()) {
            out += (out.empty() ? "" : ",") + json_text(item);
        }
        return "[" + out + "]";
    case jinja::kind::dict:
        for(const auto& [key, item]: v.entries()) {
            out += (out.empty() ? "" : ",") + json_string(key.view()) + ":" + json_text(item);
        }
        return "{" + out + "}";
    default:
        return "null";
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::detail
