#include <tokenworks/codec/jinja_blanks.hpp>

#include <string_view>

#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;

TEST_CASE("jinja_blanks: what str.isspace() says", "[codec]") {
    for(const char32_t c:
        {0x09U, 0x0AU, 0x0DU, 0x1CU, 0x1FU, 0x20U, 0x85U, 0xA0U, 0x1680U, 0x2000U, 0x2028U, 0x202FU, 0x3000U}) {
        CHECK(is_blank(c));
    }
    for(const char32_t c: {0x00U, 0x08U, 0x0EU, 0x1BU, 0x21U, 0x180EU, 0x200BU, 0x2060U, 0xFEFFU}) {
        CHECK_FALSE(is_blank(c));
    }
}

TEST_CASE("jinja_blanks: at both ends of a text, in bytes", "[codec]") {
    constexpr std::string_view text = "\u3000 \na b\u00A0\t";
    CHECK(leading_blanks(text) == 5);
    CHECK(without_trailing_blanks(text) == 8);
    CHECK(without_blanks(text) == "a b");
    CHECK(leading_blanks(" \n\u2003") == 5);
    CHECK(without_trailing_blanks(" \n\u2003") == 0);
    CHECK(without_blanks("").empty());
    CHECK(without_blanks(" \t ").empty());
    CHECK(without_blanks("ab") == "ab");
    // Malformed bytes are no blanks, also where they end like one: U+00A0 is C2 A0.
    CHECK(without_blanks("\xA0 ") == "\xA0");
    CHECK(without_blanks(" \xC2") == "\xC2");
    CHECK(without_blanks("a\xE3\x80 ") == "a\xE3\x80");
}
