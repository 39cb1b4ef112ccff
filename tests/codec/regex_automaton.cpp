#include <tokenworks/codec/regex_automaton.hpp>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <tokenworks/codec/regex.hpp>

#include "codec/grammar_support.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using grammar_support::matches;
using namespace tokenworks::codec;

namespace {

/// The texts of tools/golden/regexes.py.
std::vector<std::string> texts_to_match() {
    std::vector<std::string> all{""};
    for(std::size_t first = 0, length = 0; length < 3; ++length) {
        for(const std::size_t end = all.size(); first < end; ++first) {
            for(const char* const each: {"a", "b", "B", "1", " ", "\xC3\xA9"}) {
                all.push_back(all[first] + each);
            }
        }
    }
    return all;
}

/// The bits that golden lines hold.
bool bit_of(const std::string& digits, std::size_t i) {
    const char c = digits[i / 4];
    return ((c <= '9' ? c - '0' : c - 'a' + 10) >> (i % 4) & 1) != 0;
}

} // namespace

TEST_CASE("regular expressions drawn at random take the texts that Python's re takes, and this library's own") {
    const std::vector<std::string> texts = texts_to_match();
    std::ifstream golden{TOKENWORKS_TEST_DATA "/codec/regexes.txt"};
    std::string line;
    std::size_t patterns = 0;
    while(std::getline(golden, line)) {
        if(line.starts_with('#')) {
            continue;
        }
        const std::size_t second = line.find(' ') + 1;
        const std::size_t third = line.find(' ', second) + 1;
        const std::string whole = line.substr(0, second - 1);
        const std::string found = line.substr(second, third - 1 - second);
        const std::string pattern = line.substr(third);
        INFO(pattern);
        REQUIRE(whole.size() == (texts.size() + 3) / 4);
        ++patterns;
        const byte_dfa of_whole = texts_of(pattern);
        const byte_dfa with = texts_with(pattern);
        const grammar rules = parse_regex_grammar(pattern);
        grammar_machine machine{std::make_shared<const grammar>(rules)};
        const regex searched{"\\A(?:" + pattern + ")\\z"};
        const bool is_of_ascii = pattern.find("\\w") == pattern.npos;
        int wrong = 0;
        for(std::size_t i = 0; i < texts.size(); ++i) {
            const bool expected = bit_of(whole, i);
            grammar_machine::state_id at = machine.start();
            for(const char c: texts[i]) {
                at = machine.next(at, static_cast<std::uint8_t>(c));
            }
            std::vector<regex::range> ranges;
            searched.find_all(texts[i], ranges);
            wrong += of_whole.contains(texts[i]) != expected ? 1 : 0;
            wrong += machine.may_end(at) != expected ? 1 : 0;
            wrong += with.contains(texts[i]) != bit_of(found, i) ? 1 : 0;
            // Its own classes are not those of ASCII.
            wrong += is_of_ascii && !ranges.empty() != expected ? 1 : 0;
        }
        CHECK(wrong == 0);
    }
    CHECK(patterns == 240);
}

TEST_CASE("a regular expression is what a whole text must be") {
    const auto plate = parse_regex_grammar(R"([A-Z]{2}-\d{4})");
    CHECK(matches(plate, "AB-1234"));
    CHECK_FALSE(matches(plate, "AB-123"));
    CHECK_FALSE(matches(plate, "xAB-1234"));
    CHECK(matches(parse_regex_grammar("^(?i:yes|no)$"), "YeS"));
    CHECK(matches(parse_regex_grammar("a.c"), "a\xC3\xA4"
                                              "c"));
    CHECK_FALSE(matches(parse_regex_grammar("a.c"), "a\nc"));
    CHECK(matches(parse_regex_grammar("[^a-c&&[b-d]]*"), "ad"));
    CHECK(matches(parse_regex_grammar("\\p{Lu}+"), "\xC3\x84Z"));
    CHECK_FALSE(matches(parse_regex_grammar("\\d"), "\xD9\xA3")); // a digit, but not one of ASCII
    CHECK_FALSE(matches(parse_regex_grammar("\\D"), "\xD9\xA3")); // and no other character
}

TEST_CASE("anchors of a regular expression") {
    CHECK(matches(parse_regex_grammar("(^a|b)c"), "ac"));
    CHECK(matches(parse_regex_grammar("$^|x"), ""));
    CHECK(matches(parse_regex_grammar("x(a$|b)c?"), "xa"));
    CHECK_FALSE(matches(parse_regex_grammar("x(a$|b)c?"), "xac"));
    CHECK_THROWS_AS(parse_regex_grammar("a^b"), tw::argument_error);
    const byte_dfa found = texts_with("^ab|cd$");
    CHECK(found.contains("abx"));
    CHECK(found.contains("xcd"));
    CHECK_FALSE(found.contains("xab"));
    CHECK_FALSE(found.contains("cdx"));
    CHECK(texts_of("ab").contains("ab"));
    CHECK_FALSE(texts_of("ab").contains("abx"));
}

TEST_CASE("what cannot be enforced is refused") {
    for(const char* pattern: {"(?=a)b", "(?<!a)b", "\\ba", "(?>a)b", "a*+b"}) {
        INFO(pattern);
        CHECK_THROWS_AS(parse_regex_grammar(pattern), tw::unsupported_error);
    }
    CHECK_THROWS_AS(parse_regex_grammar("(a"), tw::argument_error);
    CHECK_THROWS_AS(parse_regex_grammar("(((a{1000}){1000}){1000}){1000}"), tw::limit_error);
    CHECK_THROWS_AS(texts_of("(a|b)*a(a|b){20}"), tw::limit_error);
    CHECK(matches(parse_regex_grammar("(a|b)*a(a|b){20}"), "a" + std::string(20, 'b'))); // no set of states is needed
}
