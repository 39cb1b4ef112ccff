#include <string>

#include <tokenworks/codec/utf8.hpp>

#include "support/catch.hpp"

using namespace tokenworks::codec;

TEST_CASE("every code point comes back from its bytes", "[codec]") {
    bool same = true;
    for(char32_t code = 0; code <= 0x10FFFF; ++code) {
        if(code >= 0xD800 && code < 0xE000) {
            continue;
        }
        std::string bytes;
        append_utf8(bytes, code);
        const utf8_char c = decode_utf8(bytes, 0);
        same = same && c.valid && c.code == code && c.length == bytes.size() && is_valid_utf8(bytes);
    }
    CHECK(same);
}

TEST_CASE("malformed bytes are found where they are", "[codec]") {
    CHECK(is_valid_utf8(""));
    CHECK(find_invalid_utf8("ab\x80") == 2);
    CHECK(find_invalid_utf8("\xC0\xAF") == 0);             // overlong
    CHECK(find_invalid_utf8("a\xED\xA0\x80") == 1);        // a surrogate
    CHECK(find_invalid_utf8("\xF4\x90\x80\x80") == 0);     // above U+10FFFF
    CHECK(find_invalid_utf8("\xE2\x82") == 0);             // cut
    CHECK(find_invalid_utf8("\xE2\x82\xAC\xF0\x9F") == 3); // a whole character, then a cut one
    std::string surrogate;
    append_utf8(surrogate, 0xD800);
    CHECK(surrogate == "\xEF\xBF\xBD");
}

TEST_CASE("a stream gives out whole characters only", "[codec]") {
    const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
    for(std::size_t step = 1; step <= text.size(); ++step) {
        utf8_stream stream;
        std::string out;
        for(std::size_t at = 0; at < text.size(); at += step) {
            const std::string_view piece = stream.push(std::string_view{text}.substr(at, step));
            CHECK(is_valid_utf8(piece));
            out += piece;
            CHECK(out.size() + stream.pending() == std::min(at + step, text.size()));
        }
        out += stream.flush();
        CHECK(out == text);
    }
}

TEST_CASE("a stream passes bytes that can never become a character", "[codec]") {
    utf8_stream stream;
    CHECK(stream.push("\xFF") == "\xFF");
    CHECK(stream.push("\xF0\x9F") == "");
    CHECK(stream.pending() == 2);
    CHECK(stream.push("a") == "\xF0\x9F"
                              "a");
    CHECK(stream.push("\xE2") == "");
    CHECK(stream.flush() == "\xE2");
    CHECK(stream.push("b") == "b");
}
