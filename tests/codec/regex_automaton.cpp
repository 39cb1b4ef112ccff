#include <tokenworks/codec/regex_automaton.hpp>

#include <string>

#include "codec/grammar_support.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using grammar_support::matches;
using namespace tokenworks::codec;

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
