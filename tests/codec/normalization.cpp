#include <tokenworks/codec/normalization.hpp>

#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <tokenworks/codec/normalizer.hpp>

#include "codec/golden.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec;

TEST_CASE("normalization: every code point, alone and between marks, as the reference has it", "[codec]") {
    std::ifstream file{std::string{TOKENWORKS_TEST_DATA} + "/tokenizers/normalized.txt"};
    REQUIRE(file);
    const std::map<std::string, normalizer_kind> kinds{{"nfc", normalizer_kind::nfc},
                                                       {"nfd", normalizer_kind::nfd},
                                                       {"nfkc", normalizer_kind::nfkc},
                                                       {"nfkd", normalizer_kind::nfkd},
                                                       {"lowercase", normalizer_kind::lowercase},
                                                       {"strip_accents", normalizer_kind::strip_accents},
                                                       {"nmt", normalizer_kind::nmt},
                                                       {"bert", normalizer_kind::bert}};
    std::size_t compared = 0;
    std::string name;
    for(std::uint64_t expected = 0; file >> name >> expected; ++compared) {
        normalizer_data data;
        data.kind = kinds.at(name);
        const normalizer form{{data}};
        std::uint64_t hash = 0xCBF29CE484222325U;
        for(char32_t code = 0x20; code < 0xE0200; ++code) {
            if(code == 0xD800) {
                code = 0xE000;
            }
            if(code == 0x32000) {
                code = 0xE0000;
            }
            std::string text;
            append_utf8(text, code);
            text += "e" + text + "\u0327\u0301";
            bool start = true;
            std::uint64_t regex_steps = 0; // none is needed
            for(const char c: form.apply(text, start, regex_steps)) {
                hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
            }
        }
        INFO(name);
        CHECK(hash == expected);
    }
    CHECK(compared == kinds.size());
}

TEST_CASE("normalization: forms are stable and agree with each other", "[codec]") {
    using enum normal_form;
    for(const std::string& text: golden::strings()) {
        INFO(tokenworks::printable(text));
        const std::string c = normalized(text, nfc);
        const std::string d = normalized(text, nfd);
        CHECK(normalized(c, nfc) == c);
        CHECK(normalized(d, nfd) == d);
        CHECK(normalized(c, nfd) == d);
        CHECK(normalized(d, nfc) == c);
        CHECK(normalized(normalized(text, nfkd), nfkc) == normalized(text, nfkc));
    }
}

TEST_CASE("normalization: marks in order, Hangul, what does not compose", "[codec]") {
    using enum normal_form;
    CHECK(normalized("e\u0301\u0327", nfd) == "e\u0327\u0301");
    CHECK(normalized("\uAC01", nfd) == "\u1100\u1161\u11A8");
    CHECK(normalized("\u1100\u1161\u11A8", nfc) == "\uAC01");
    CHECK(normalized("\u0958", nfc) == "\u0915\u093C"); // excluded from composition
    CHECK(normalized("a\u0300\u0301", nfc) == "\u00E0\u0301");
    CHECK(normalized("\uFB01", nfkc) == "fi");
    CHECK(normalized("\uFB01", nfc) == "\uFB01");
    CHECK(normalized("e\xFF\u0301", nfc) == "e\xFF\u0301"); // nothing combines across a malformed byte
    std::string marks = "e";
    for(int i = 0; i < 50'000; ++i) {
        marks += i % 2 == 0 ? "\u0301" : "\u0327";
    }
    CHECK(normalized(marks, nfd).size() == marks.size()); // in no quadratic time
}

TEST_CASE("normalization: case", "[codec]") {
    CHECK(lowercase_of('A') == U'a');
    CHECK(lowercase_of(0x1E9E) == 0xDF);
    std::string dotted;
    append_lowercase(dotted, 0x130);
    CHECK(dotted == "i\u0307");
    CHECK(case_variants('k') == std::vector<char32_t>{'k', 'K', 0x212A});
    CHECK(case_variants(0x17F) == std::vector<char32_t>{0x17F, 's', 'S'});
    CHECK(case_variants('1') == std::vector<char32_t>{'1'});
}
