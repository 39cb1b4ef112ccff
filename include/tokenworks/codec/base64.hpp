// Base 64, as JSON files and data URIs carry bytes. RFC 4648, section 4.
//
//   std::string text = codec::encode_base64("foob"); // "Zm9vYg=="
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// The bytes of a text in base 64. False for one that is none.
[[nodiscard]] inline bool decode_base64(std::string_view text, std::string& out) {
    while(text.ends_with('=')) {
        text.remove_suffix(1);
    }
    std::uint32_t bits = 0;
    int count = 0;
    out.reserve(text.size() / 4 * 3 + 3);
    for(const char c: text) {
        const int digit = c >= 'A' && c <= 'Z'   ? c - 'A'
                          : c >= 'a' && c <= 'z' ? c - 'a' + 26
                          : c >= '0' && c <= '9' ? c - '0' + 52
                          : c == '+'             ? 62
                          : c == '/'             ? 63
                                                 : -1;
        if(digit < 0) {
            return false;
        }
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        count += 6;
        if(count >= 8) {
            count -= 8;
            out += static_cast<char>(static_cast<unsigned char>(bits >> count & 0xFF));
        }
    }
    return true;
}

/// Bytes as a text, with its padding: four characters for three bytes.
[[nodiscard]] inline std::string encode_base64(std::string_view bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for(std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::string_view three = bytes.substr(at, 3);
        std::uint32_t bits = 0;
        for(std::size_t i = 0; i < 3; ++i) {
            bits = bits << 8 | (i < three.size() ? static_cast<unsigned char>(three[i]) : 0U);
        }
        for(std::size_t i = 0; i < 4; ++i) {
            out += i <= three.size() ? digits[bits >> (18 - 6 * i) & 63U] : '=';
        }
    }
    return out;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
