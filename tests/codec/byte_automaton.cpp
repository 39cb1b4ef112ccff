#include <tokenworks/codec/byte_automaton.hpp>

#include <string>

#include "codec/grammar_support.hpp"
#include "support/catch.hpp"

#include <tokenworks/codec/regex_automaton.hpp>

using namespace tokenworks::codec;

TEST_CASE("sets of texts: both, all but, none") {
    const byte_dfa a = texts_of("[ab]*");
    const byte_dfa b = texts_of("[bc]*");
    const byte_dfa shared = both(a, b);
    CHECK(shared.contains("bb"));
    CHECK_FALSE(shared.contains("ab"));
    const byte_dfa others = all_but(a);
    CHECK(others.contains("c"));
    CHECK(others.contains("\xC3\xA4"));
    CHECK_FALSE(others.contains("\xC3")); // no text in UTF-8
    CHECK_FALSE(others.contains(""));
    CHECK(is_empty(both(a, others)));
    CHECK_FALSE(is_empty(others));
    CHECK(any_text().contains("a\xF0\x9F\x98\x80"));
    CHECK_FALSE(any_text().contains("\xED\xA0\x80")); // a surrogate
}

TEST_CASE("an automaton as a part of a grammar, with escapes") {
    grammar_builder make;
    const auto spell = [](std::uint8_t byte) {
        return byte == '"' ? std::string{"\\\""} : std::string(1, static_cast<char>(byte));
    };
    const auto root = part_of(make, texts_of("[!-#]+"), spell);
    const grammar g = make.finish(root, "test");
    CHECK(grammar_support::matches(g, "!\\\"#"));
    CHECK_FALSE(grammar_support::matches(g, "!\"#"));
}
