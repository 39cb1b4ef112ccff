// The printable alphabet of byte-level BPE: how vocabularies spell the 256 bytes.
//
// GPT-2's vocabulary files write each byte as one printable character: the printable ones of Latin-1 stand for
// themselves, the other 68 bytes, in order, are U+0100 upwards; so " the" is spelt "Ġthe". Source: bytes_to_unicode in
// OpenAI's gpt-2 encoder.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

namespace detail {

struct byte_alphabet {
    std::array<std::uint16_t, 256> letter{}; // byte -> code point
    std::array<std::int16_t, 0x144> byte{};  // code point -> byte, or -1
};

[[nodiscard]] constexpr byte_alphabet make_byte_alphabet() noexcept {
    byte_alphabet table;
    table.byte.fill(-1);
    std::uint16_t next = 0x100;
    for(std::uint16_t b = 0; b < 256; ++b) {
        const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        const std::uint16_t letter = printable ? b : next++;
        table.letter[b] = letter;
        table.byte[letter] = static_cast<std::int16_t>(b);
    }
    return table;
}

inline constexpr byte_alphabet byte_letters = make_byte_alphabet();

} // namespace detail

/// The character that a vocabulary writes for a byte.
[[nodiscard]] constexpr char32_t byte_letter(unsigned char byte) noexcept { return detail::byte_letters.letter[byte]; }

/// Appends the bytes that a spelling stands for, and returns true; false, and out as it was, if the spelling has a
/// character outside of the alphabet.
inline bool append_spelt_bytes(std::string& out, std::string_view spelling) {
    const std::size_t before = out.size();
    for(std::size_t at = 0; at < spelling.size();) {
        const utf8_char c = decode_utf8(spelling, at);
        const std::int16_t byte =
            c.code < detail::byte_letters.byte.size() ? detail::byte_letters.byte[c.code] : std::int16_t{-1};
        if(byte < 0) {
            out.resize(before);
            return false;
        }
        out += static_cast<char>(static_cast<unsigned char>(byte));
        at += c.length;
    }
    return true;
}

/// Appends the spelling of bytes.
inline void append_spelling(std::string& out, std::string_view bytes) {
    for(const char c: bytes) {
        append_utf8(out, byte_letter(static_cast<unsigned char>(c)));
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
