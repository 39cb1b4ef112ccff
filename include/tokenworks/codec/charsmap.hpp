// The table of a SentencePiece normalizer: texts, and what each becomes (precompiled_charsmap).
//
// Format: four bytes of length, a double array of that many bytes whose values are offsets, then the replacements, each
// ended by NUL; numbers are little endian. Source: sentencepiece (src/normalizer.cc) and darts-clone, the units' bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class charsmap {
public:
    /// A key at the start of a text, and what it becomes.
    struct found {
        std::size_t length; ///< bytes of the key
        std::string_view text;
    };

    charsmap() = default;

    /// @throws argument_error for bytes that are too short for what they announce
    explicit charsmap(std::string_view bytes) {
        if(bytes.size() < 4) {
            malformed();
        }
        const std::size_t size = word(bytes, 0);
        if(size % 4 != 0 || size > bytes.size() - 4) {
            malformed();
        }
        units_.reserve(size / 4);
        for(std::size_t at = 0; at < size; at += 4) {
            units_.push_back(word(bytes, 4 + at));
        }
        texts_ = bytes.substr(4 + size);
    }

    [[nodiscard]] bool empty() const noexcept { return units_.empty(); }

    /// The shortest key that a text starts with.
    [[nodiscard]] std::optional<found> shortest(std::string_view text) const { return search(text, true); }
    /// The longest key that a text starts with.
    [[nodiscard]] std::optional<found> longest(std::string_view text) const { return search(text, false); }

private:
    [[noreturn]] TOKENWORKS_COLD static void malformed() {
        tokenworks::detail::raise<argument_error>({"the table of characters is cut"});
    }

    [[nodiscard]] static std::uint32_t word(std::string_view bytes, std::size_t at) noexcept {
        return detail::byte_at(bytes, at) | detail::byte_at(bytes, at + 1) << 8 | detail::byte_at(bytes, at + 2) << 16 |
               detail::byte_at(bytes, at + 3) << 24;
    }

    // A unit has its label in the low byte, whether a value follows in bit 8, and the distance of its children above.
    [[nodiscard]] static std::size_t children(std::uint32_t unit) noexcept {
        return std::size_t{unit >> 10} << ((unit & 0x200) >> 6);
    }

    [[nodiscard]] std::optional<found> search(std::string_view text, bool first) const {
        std::optional<found> best;
        if(units_.empty()) {
            return best;
        }
        std::size_t node = children(units_[0]);
        for(std::size_t length = 0; length < text.size() && text[length] != '\0'; ++length) {
            node ^= detail::byte_at(text, length);
            if(node >= units_.size()) {
                break;
            }
            const std::uint32_t unit = units_[node];
            if((unit & 0x800000FF) != detail::byte_at(text, length)) {
                break;
            }
            node ^= children(unit);
            if((unit & 0x100) == 0 || node >= units_.size()) {
                continue;
            }
            const std::size_t offset = units_[node] & 0x7FFFFFFF;
            if(offset <= texts_.size()) {
                const std::string_view rest = std::string_view{texts_}.substr(offset);
                best = found{length + 1, rest.substr(0, rest.find('\0'))};
                if(first) {
                    break;
                }
            }
        }
        return best;
    }

    std::vector<std::uint32_t> units_;
    std::string texts_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
