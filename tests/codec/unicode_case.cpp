#include <string>

#include <tokenworks/codec/unicode_case.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

namespace {

std::string in(char32_t code, letter_case wanted) {
    std::string out;
    append_in_case(out, code, wanted);
    return out;
}

std::string lowered(const std::string& text) {
    std::string out;
    for(std::size_t at = 0; at < text.size(); at += decode_utf8(text, at).length) {
        append_lower(out, text, at);
    }
    return out;
}

} // namespace

TEST_CASE("case of one character", "[codec]") {
    CHECK(in('a', letter_case::upper) == "A");
    CHECK(in('Z', letter_case::lower) == "z");
    CHECK(in('1', letter_case::title) == "1");
    CHECK(in(0xE9, letter_case::upper) == "\xC3\x89"); // é É
    CHECK(in(0xDF, letter_case::upper) == "SS");       // ß
    CHECK(in(0xDF, letter_case::title) == "Ss");
    CHECK(in(0x130, letter_case::lower) == "i\xCC\x87");          // capital i with a dot
    CHECK(in(0x1C6, letter_case::title) == "\xC7\x85");           // dž Dž
    CHECK(in(0x1C6, letter_case::upper) == "\xC7\x84");           // DŽ
    CHECK(in(0x10D0, letter_case::title) == "\xE1\x83\x90");      // Georgian has capitals, but not in titles
    CHECK(in(0x10400, letter_case::lower) == "\xF0\x90\x90\xA8"); // Deseret
    CHECK(in(0x4E16, letter_case::upper) == "\xE4\xB8\x96");      // no case
    CHECK(in(0x100, letter_case::lower) == "\xC4\x81");           // pairs beside each other
    CHECK(in(0x101, letter_case::lower) == "\xC4\x81");
    CHECK(is_cased('a'));
    CHECK_FALSE(is_cased('1'));
}

TEST_CASE("a capital sigma at the end of a word becomes a final one", "[codec]") {
    CHECK(lowered("\xCE\xA3") == "\xCF\x83");
    CHECK(lowered("A\xCE\xA3") == "a\xCF\x82");
    CHECK(lowered("A\xCE\xA3 B") == "a\xCF\x82 b");
    CHECK(lowered("A\xCE\xA3"
                  "B") == "a\xCF\x83"
                          "b");
    CHECK(lowered("A'\xCE\xA3") == "a'\xCF\x82");
    CHECK(lowered("\xFF"
                  "A") == "\xFF"
                          "a");
}
