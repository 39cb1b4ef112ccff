// UTF-8: decoding one character, encoding, validation, and a stream that gives out whole characters only.
//
// Well-formed means the table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF.
// A malformed byte is one unit of its own; nothing is replaced, because tokenizers must give every byte back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// One step through a text: a well-formed character, or a single malformed byte.
struct utf8_char {
    char32_t code;       ///< the code point; U+FFFD for a malformed byte
    std::uint8_t length; ///< bytes taken, 1 to 4
    bool valid;
};

inline constexpr char32_t replacement_character = 0xFFFD;

namespace detail {

[[nodiscard]] constexpr std::uint32_t byte_at(std::string_view text, std::size_t at) noexcept {
    return static_cast<unsigned char>(text[at]);
}

/// Bytes of the character that a lead byte announces; 0 for a byte that cannot start one.
[[nodiscard]] constexpr std::size_t utf8_length(std::uint32_t lead) noexcept {
    if(lead < 0x80) {
        return 1;
    }
    if(lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/// Whether a byte may follow the lead byte directly.
[[nodiscard]] constexpr bool utf8_second(std::uint32_t lead, std::uint32_t second) noexcept {
    const std::uint32_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const std::uint32_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    return second >= low && second <= high;
}

} // namespace detail

/// The character at byte `at`. @pre at < text.size()
[[nodiscard]] constexpr utf8_char decode_utf8(std::string_view text, std::size_t at) noexcept {
    const std::uint32_t lead = detail::byte_at(text, at);
    if(lead < 0x80) {
        return {lead, 1, true};
    }
    constexpr utf8_char malformed{replacement_character, 1, false};
    const std::size_t length = detail::utf8_length(lead);
    if(length == 0 || text.size() - at < length || !detail::utf8_second(lead, detail::byte_at(text, at + 1))) {
        return malformed;
    }
    std::uint32_t code = lead & (0x7FU >> length);
    for(std::size_t i = 1; i < length; ++i) {
        const std::uint32_t next = detail::byte_at(text, at + i);
        if((next & 0xC0) != 0x80) {
            return malformed;
        }
        code = code << 6 | (next & 0x3F);
    }
    return {code, static_cast<std::uint8_t>(length), true};
}

/// Appends a code point; U+FFFD for what is none (surrogates, above U+10FFFF).
inline void append_utf8(std::string& out, char32_t code) {
    if(code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        code = replacement_character;
    }
    const auto put = [&out](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if(code < 0x80) {
        put(code);
    } else if(code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if(code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

/// Where the first malformed byte is; text.size() if there is none.
[[nodiscard]] constexpr std::size_t find_invalid_utf8(std::string_view text) noexcept {
    std::size_t at = 0;
    while(at < text.size()) {
        const utf8_char c = decode_utf8(text, at);
        if(!c.valid) {
            return at;
        }
        at += c.length;
    }
    return at;
}

[[nodiscard]] constexpr bool is_valid_utf8(std::string_view text) noexcept {
    return find_invalid_utf8(text) == text.size();
}

/// How many bytes at the end of a text begin a character that the text does not finish, 0 to 3.
[[nodiscard]] constexpr std::size_t unfinished_utf8(std::string_view text) noexcept {
    for(std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const std::size_t at = text.size() - back;
        const std::uint32_t lead = detail::byte_at(text, at);
        if((lead & 0xC0) == 0x80) {
            continue;
        }
        const bool follows = back == 1 || detail::utf8_second(lead, detail::byte_at(text, at + 1));
        return detail::utf8_length(lead) > back && follows ? back : 0;
    }
    return 0;
}

/// Holds back the start of a character until its rest has come, so that every piece given out can be printed.
/// Bytes that no character can start or continue with pass through at once, as they are.
class utf8_stream {
public:
    /// Adds bytes. The result, valid until the next call, ends with a whole character; it may be empty.
    [[nodiscard]] std::string_view push(std::string_view bytes) {
        buffer_.erase(0, given_);
        buffer_ += bytes;
        given_ = buffer_.size() - unfinished_utf8(buffer_);
        return std::string_view{buffer_}.substr(0, given_);
    }

    /// Gives out what is held back, finished or not, and starts afresh.
    [[nodiscard]] std::string_view flush() {
        buffer_.erase(0, given_);
        given_ = buffer_.size();
        return buffer_;
    }

    /// Bytes held back, 0 to 3.
    [[nodiscard]] std::size_t pending() const noexcept { return buffer_.size() - given_; }

    /// Makes room for pieces of up to `bytes` bytes, so that push allocates nothing for these.
    void reserve(std::size_t bytes) { buffer_.reserve(bytes + 3); }

private:
    std::string buffer_;
    std::size_t given_ = 0; // bytes at the front that the last call gave out
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
