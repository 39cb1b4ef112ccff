// Renders chat templates for chat_templates.py: reads pairs of lines, a template in hex and its variables as JSON in
// hex, and writes for each a line: "ok", the text in hex, and its trust, one digit a byte; or "error" and the message
// in hex.
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>

#include <tokenworks/codec/jinja_interpreter.hpp>
#include <tokenworks/codec/jinja_parser.hpp>
#include <tokenworks/codec/template_json.hpp>

namespace {

namespace jinja = tokenworks::codec::jinja;

std::string from_hex(const std::string& hex) {
    std::string bytes;
    for(std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(static_cast<unsigned char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

std::string to_hex(std::string_view bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for(const char c: bytes) {
        const auto byte = static_cast<unsigned char>(c);
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

} // namespace

int main() {
    constexpr std::int64_t now = 1785844800; // 2026-08-04 12:00
    std::string source;
    for(std::string json; std::getline(std::cin, source) && std::getline(std::cin, json);) {
        try {
            source = from_hex(source);
            jinja::variables given;
            const jinja::value all = tokenworks::codec::parse_template_json(from_hex(json));
            for(const auto& [name, content]: all.entries()) {
                const bool token = name.view().ends_with("_token") && content.is(jinja::kind::string);
                given.emplace_back(name.view(), token ? jinja::value::trusted(content.view()) : content);
            }
            const jinja::text made = run(jinja::parser{source, "case"}.parse(), source.size(), given, now, "case");
            std::string trust;
            for(std::size_t i = 0; i < made.size(); ++i) {
                trust += made.trusted(i, i + 1) ? '1' : '0';
            }
            std::cout << "ok " << to_hex(made.view()) << ' ' << trust << '\n';
        } catch(const std::exception& problem) {
            std::cout << "error " << to_hex(problem.what()) << '\n';
        }
    }
}
