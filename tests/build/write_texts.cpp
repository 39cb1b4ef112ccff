// Writes texts at random that follow JSON Schemas, for schemas.py: a schema a line on stdin; for each, lines of texts
// or one line "!reason", and a line ".".
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <tokenworks/codec/grammar_machine.hpp>
#include <tokenworks/codec/json_schema.hpp>

namespace codec = tokenworks::codec;

namespace {

/// One text; empty where it does not end in time.
std::string write(codec::grammar_machine& machine, std::mt19937& random) {
    const codec::grammar& rules = machine.rules();
    std::string text;
    codec::grammar_machine::state_id at = machine.start();
    while(text.size() < 4000) {
        std::vector<std::uint8_t> next;
        for(int byte = 0; byte < 256; ++byte) {
            const auto c = static_cast<std::uint8_t>(byte);
            if(machine.next(at, rules.byte_of(rules.class_of(c))) != codec::grammar_machine::dead) {
                next.push_back(c);
                const bool closes = c == '"' || c == '}' || c == ']';
                next.insert(next.end(), closes && text.size() > 60 ? 200U : 0U, c); // long texts come to an end
            }
        }
        if(machine.may_end(at) && (next.empty() || random() % 3 == 0)) {
            return text;
        }
        if(next.empty()) {
            return "!nothing may follow";
        }
        const std::uint8_t c = next[random() % next.size()];
        text += c == '\n' ? ' ' : static_cast<char>(c); // both are blanks
        at = machine.next(at, c);
    }
    return {};
}

} // namespace

int main() {
    std::mt19937 random{5};
    for(std::string line; std::getline(std::cin, line);) {
        try {
            codec::grammar_machine machine{std::make_shared<const codec::grammar>(codec::parse_json_schema(line))};
            for(int i = 0; i < 20; ++i) {
                if(const std::string text = write(machine, random); !text.empty()) {
                    std::cout << text << '\n';
                }
            }
        } catch(const tokenworks::error& problem) {
            std::cout << '!' << problem.what() << '\n';
        }
        std::cout << ".\n";
    }
}
