// Readers of tests/golden/tokenizers, which tools/golden/tokenizer_files.py makes.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/utf8.hpp>

#include "support/catch.hpp"

namespace tokenizer_golden {

using tokenworks::codec::token_id;

inline std::string path(const std::string& file) { return std::string{TOKENWORKS_TEST_DATA} + "/tokenizers/" + file; }

inline std::vector<std::string> lines(const std::string& name) {
    std::ifstream file{path(name)};
    if(!file) {
        throw std::runtime_error{path(name) + " is missing: tools/golden/tokenizer_files.py makes it"};
    }
    std::vector<std::string> all;
    for(std::string line; std::getline(file, line);) {
        all.push_back(line);
    }
    return all;
}

inline std::string from_hex(std::string_view hex) {
    std::string bytes;
    for(std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(static_cast<unsigned char>(std::stoi(std::string{hex.substr(i, 2)}, nullptr, 16)));
    }
    return bytes;
}

inline std::vector<std::string> strings() {
    std::vector<std::string> all;
    for(const std::string& line: lines("strings.hex")) {
        all.push_back(from_hex(line));
    }
    return all;
}

/// The tokenizers that have a file of this extension.
inline std::vector<std::string> names(const std::string& extension) {
    std::istringstream words{lines("VERSIONS").back()};
    std::vector<std::string> all;
    for(std::string word; words >> word;) {
        if(std::ifstream{path(word + extension)}) {
            all.push_back(word);
        }
    }
    return all;
}

template <class T>
std::vector<T> numbers(const std::string& text) {
    std::istringstream in{text};
    std::vector<T> all;
    for(T number{}; in >> number;) {
        all.push_back(number);
    }
    return all;
}

/// Checks every string's ids and the text that they decode to; returns how many strings had both.
/// @param special  add and match special tokens, and decode these
inline std::size_t compare(const std::string& name, const tokenworks::codec::tokenizer& tokens,
                           const std::vector<std::string>& all, bool special) {
    const std::vector<std::string> expected = lines(name + ".ids");
    REQUIRE(expected.size() == all.size());
    std::size_t compared = 0;
    for(std::size_t i = 0; i < all.size(); ++i) {
        const std::size_t bar = expected[i].find('|');
        if(bar == std::string::npos) {
            continue; // the reference has no answer
        }
        INFO(name << ", string " << i << ": " << tokenworks::printable(all[i]));
        const auto ids = tokens.encode(all[i], {.add_special = special, .parse_special = special});
        CHECK(ids == numbers<token_id>(expected[i].substr(0, bar)));
        const std::string text = expected[i].substr(bar + 1);
        if(text != "?") {
            ++compared;
            CHECK(tokens.decode(ids, {.special = special}) == (text == "=" ? all[i] : from_hex(text)));
        }
    }
    return compared;
}

struct pair {
    std::string first, second;
    std::vector<token_id> ids;
    std::vector<std::uint32_t> types;
};

inline std::vector<pair> pairs(const std::string& name, const std::vector<std::string>& all) {
    std::vector<pair> out;
    for(const std::string& line: lines(name + ".pairs")) {
        const std::size_t i = out.size();
        const std::size_t bar = line.find('|');
        out.push_back({all[i * 5], all[all.size() - 1 - i * 3], numbers<token_id>(line.substr(0, bar)),
                       numbers<std::uint32_t>(line.substr(bar + 1))});
    }
    return out;
}

} // namespace tokenizer_golden
