#include <tokenworks/codec/byte_alphabet.hpp>

#include <set>
#include <string>

#include "support/catch.hpp"

using namespace tokenworks::codec;

TEST_CASE("byte_alphabet: a printable letter for each byte, and back", "[codec]") {
    std::set<char32_t> letters;
    std::string all;
    for(unsigned byte = 0; byte < 256; ++byte) {
        const char32_t letter = byte_letter(static_cast<unsigned char>(byte));
        CHECK((letter > 0x20 && letter != 0x7F && letter != 0xA0 && letter != 0xAD));
        letters.insert(letter);
        all += static_cast<char>(static_cast<unsigned char>(byte));
    }
    CHECK(letters.size() == 256);
    std::string spelt;
    append_spelling(spelt, all);
    std::string back = "kept ";
    CHECK(append_spelt_bytes(back, spelt));
    CHECK(back == "kept " + all);
}

TEST_CASE("byte_alphabet: as vocabularies are spelt", "[codec]") {
    std::string spelt;
    append_spelling(spelt, " the\n\t\xC3\xA9!");
    CHECK(spelt == "ĠtheĊĉÃ©!");
    // A spelling with another character stands for nothing, and leaves the text alone.
    for(const char* other: {"the ", "Ġ中", "a\xC5\x84", "\xAD", "\xC2\xAD"}) {
        std::string out = "as before";
        CHECK_FALSE(append_spelt_bytes(out, other));
        CHECK(out == "as before");
    }
    std::string out;
    CHECK(append_spelt_bytes(out, ""));
    CHECK(out.empty());
}
