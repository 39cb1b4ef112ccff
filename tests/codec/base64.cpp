#include <tokenworks/codec/base64.hpp>

#include <string>

#include "support/catch.hpp"

using tokenworks::codec::decode_base64;

TEST_CASE("base64: the examples of RFC 4648, with and without their padding", "[codec]") {
    const std::pair<const char*, const char*> examples[] = {
        {"", ""},        {"Zg==", "f"},        {"Zg", "f"},           {"Zm8=", "fo"},
        {"Zm9v", "foo"}, {"Zm9vYg==", "foob"}, {"Zm9vYmFy", "foobar"}};
    for(const auto& [text, bytes]: examples) {
        std::string out;
        CHECK(decode_base64(text, out));
        CHECK(out == bytes);
    }
    std::string out;
    CHECK(decode_base64("+/+/", out));
    CHECK(out == "\xFB\xFF\xBF");
}

TEST_CASE("base64: what is none", "[codec]") {
    for(const char* const text: {"Zm9v\n", "Zm-v", "Zm 9", "Z=9v", "\xC3\xA4"}) {
        std::string out;
        CHECK_FALSE(decode_base64(text, out));
    }
}
