// Which tokens of a vocabulary belong to the model of a tokenizer, rather than to those added beside it: what a model
// looks up must not find the latter.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class model_tokens {
public:
    model_tokens() = default;

    /// @pre the ids of data's tokens are in the vocabulary
    model_tokens(const tokenizer_data& data, const vocabulary& vocab) : known_(vocab.size()) {
        for(std::size_t i = 0; i < data.tokens.size(); ++i) {
            const token_type type = data.types.empty() ? token_type::normal : data.types[i];
            known_[static_cast<std::size_t>(data.tokens[i].id)] =
                type == token_type::normal || type == token_type::user_defined || type == token_type::byte;
        }
    }

    [[nodiscard]] bool contains(token_id id) const noexcept { return known_[static_cast<std::size_t>(id)]; }

    /// The model's token of a text, or -1.
    [[nodiscard]] token_id find(const vocabulary& vocab, std::string_view text) const noexcept {
        const auto id = vocab.find(text);
        return id && contains(*id) ? *id : token_id{-1};
    }

    /// The token <0xHH> of a byte, or -1.
    [[nodiscard]] token_id find_byte(const vocabulary& vocab, unsigned char byte) const noexcept {
        constexpr char digits[] = "0123456789ABCDEF";
        const char spelling[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
        return find(vocab, {spelling, sizeof spelling});
    }

private:
    std::vector<bool> known_;
};

namespace detail {

/// Refuses a text that the model has no token for, where it has no unknown token either.
[[noreturn]] TOKENWORKS_COLD inline void no_unknown_token(const vocabulary& vocab, std::string_view text) {
    tokenworks::detail::raise_format(
        vocab.name(), {"model.unk_token"}, format_error::no_offset,
        {"absent or no token, and needed for \"", tokenworks::detail::escaped(text), "\""});
}

} // namespace detail

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
