// Finds added tokens in a text: those of Hugging Face's `tokenizers`, with their rules. The leftmost counts, of those
// that begin at one place the longest; a match that a rule refuses hides the shorter ones at its place.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/normalization.hpp>
#include <tokenworks/codec/normalizer.hpp>
#include <tokenworks/codec/special_matcher.hpp>
#include <tokenworks/codec/token_trie.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/function_ref.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class added_tokens {
public:
    using allowance = function_ref<bool(std::size_t, std::size_t)>;

    added_tokens() = default;

    /// @param texts  tokens with what they are found by; their contents themselves are not looked at
    /// @throws limit_error as token_trie
    explicit added_tokens(const std::vector<std::pair<std::string_view, added_token>>& texts);

    [[nodiscard]] bool empty() const noexcept { return trie_.empty(); }

    /// The tokens of a text, in order.
    /// @param allowed (begin, end): whether a special token may be matched there
    [[nodiscard]] std::vector<text_part> find(std::string_view text, allowance allowed) const;

private:
    struct rules {
        token_id id;
        bool single_word, lstrip, rstrip, special;
    };

    [[nodiscard]] static bool in_word(std::string_view text, std::size_t begin, std::size_t end);

    token_trie trie_;
    std::vector<rules> rules_; // by what the trie gives
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION added_tokens::added_tokens(const std::vector<std::pair<std::string_view, added_token>>& texts) {
    std::vector<token_trie::entry> entries;
    for(const auto& [text, token]: texts) {
        entries.push_back({text, static_cast<token_id>(rules_.size())});
        rules_.push_back(
            {static_cast<token_id>(token.id), token.single_word, token.lstrip, token.rstrip, token.special});
    }
    trie_ = token_trie{std::move(entries)};
}

TOKENWORKS_FUNCTION std::vector<text_part> added_tokens::find(std::string_view text, allowance allowed) const {
    std::vector<text_part> found;
    std::size_t last_end = 0;
    std::size_t blanks_begin = 1, blanks_end = 0; // the last run of blanks behind a token
    for(std::size_t at = 0; !trie_.empty() && at < text.size();) {
        std::size_t length = 0;
        token_id which = -1;
        trie_.each(text, at, [&](std::size_t bytes, token_id id) {
            length = bytes;
            which = id;
        });
        if(which < 0) {
            ++at;
            continue;
        }
        const rules& r = rules_[static_cast<std::size_t>(which)];
        std::size_t begin = at;
        std::size_t end = at + length;
        at = end;
        if((r.special && !allowed(begin, end)) || (r.single_word && in_word(text, begin, end))) {
            continue;
        }
        if(r.lstrip) {
            // Blanks that belong to the token before stay there.
            const std::size_t from = std::min(last_end, begin);
            const std::size_t blanks = detail::trailing_blanks(text.substr(from, begin - from));
            begin = std::max(begin - blanks, last_end);
        }
        if(r.rstrip) {
            if(end < blanks_begin || end > blanks_end) { // else it lies in the run that was looked through before
                blanks_begin = end;
                blanks_end = end + detail::leading_blanks(text.substr(end));
            }
            end = blanks_end;
        }
        found.push_back({begin, end, r.id});
        last_end = end;
    }
    return found;
}

TOKENWORKS_FUNCTION bool added_tokens::in_word(std::string_view text, std::size_t begin, std::size_t end) {
    std::size_t before = begin;
    while(before > 0 && begin - before < 4) {
        --before;
        if((detail::byte_at(text, before) & 0xC0) != 0x80) {
            break;
        }
    }
    return (begin > 0 && is_word_character(decode_utf8(text, before).code)) ||
           (end < text.size() && is_word_character(decode_utf8(text, end).code));
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
