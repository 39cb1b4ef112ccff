// Readers of tests/golden/codec, which tools/golden/codec.py makes.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <tokenworks/codec/vocabulary.hpp>

namespace golden {

using tokenworks::codec::token_id;

inline std::ifstream open(const std::string& name) {
    const std::string path = std::string{TOKENWORKS_TEST_DATA} + "/codec/" + name;
    std::ifstream file{path};
    if(!file) {
        throw std::runtime_error{path + " is missing: tools/golden/codec.py makes it"};
    }
    return file;
}

inline std::string from_hex(const std::string& hex) {
    std::string bytes;
    for(std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(static_cast<unsigned char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

/// The hard strings; some are no valid UTF-8.
inline std::vector<std::string> strings() {
    std::vector<std::string> all;
    std::ifstream file = open("strings.hex");
    for(std::string line; std::getline(file, line);) {
        all.push_back(from_hex(line));
    }
    return all;
}

/// For each string the reference's ids; nothing where the reference has no answer.
inline std::vector<std::optional<std::vector<token_id>>> ids(const std::string& name) {
    std::vector<std::optional<std::vector<token_id>>> all;
    std::ifstream file = open(name + ".ids");
    for(std::string line; std::getline(file, line);) {
        if(line == "-") {
            all.emplace_back();
            continue;
        }
        std::istringstream numbers{line};
        auto& list = all.emplace_back(std::in_place);
        for(token_id id = 0; numbers >> id;) {
            list->push_back(id);
        }
    }
    return all;
}

/// A vocabulary with the texts that its views point to.
struct vocabulary_file {
    std::vector<std::string> tokens, merges;
    std::vector<float> scores;
    std::vector<std::int32_t> types;

    explicit vocabulary_file(const std::string& name) {
        std::ifstream file = open(name + ".vocab");
        std::size_t token_count = 0;
        std::size_t merge_count = 0;
        file >> token_count >> merge_count;
        for(std::size_t i = 0; i < token_count; ++i) {
            std::string hex;
            types.emplace_back();
            scores.emplace_back();
            file >> types.back() >> scores.back() >> hex;
            tokens.push_back(from_hex(hex));
        }
        std::string line;
        std::getline(file, line);
        for(std::size_t i = 0; i < merge_count && std::getline(file, line); ++i) {
            merges.push_back(line);
        }
    }

    [[nodiscard]] tokenworks::codec::vocabulary_data data(const std::string& model, const std::string& pre = {}) const {
        tokenworks::codec::vocabulary_data d;
        d.name = "golden.vocab";
        d.model = model;
        d.pre = pre;
        d.tokens.assign(tokens.begin(), tokens.end());
        d.types = types;
        if(model == "gpt2") {
            d.merges.assign(merges.begin(), merges.end());
            d.add_bos = false;
        } else {
            d.scores = scores;
        }
        return d;
    }
};

} // namespace golden
