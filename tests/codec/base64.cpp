#include <tokenworks/codec/base64.hpp>

#include <string>
#include <utility>

#include "support/catch.hpp"

using tokenworks::codec::decode_base64;
using tokenworks::codec::encode_base64;

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

TEST_CASE("base64: bytes as a text, by the examples of RFC 4648, and back", "[codec]") {
    const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                            {"f", "Zg=="},
                                                            {"fo", "Zm8="},
                                                            {"foo", "Zm9v"},
                                                            {"foob", "Zm9vYg=="},
                                                            {"fooba", "Zm9vYmE="},
                                                            {"foobar", "Zm9vYmFy"}};
    for(const auto& [bytes, text]: examples) {
        CHECK(encode_base64(bytes) == text);
    }
    std::string all;
    for(int i = 0; i < 256; ++i) {
        all += static_cast<char>(i);
        std::string back;
        CHECK(decode_base64(encode_base64(all), back));
        CHECK(back == all);
    }
}
