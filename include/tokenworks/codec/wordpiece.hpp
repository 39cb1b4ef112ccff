// WordPiece (BERT): a word is the longest token that it starts with, then the longest of what follows, written with a
// prefix
// ("##"), and so on; a word that cannot be put together so, or is too long, is the unknown token as a whole.
//
// WordLevel, where a word is one token or unknown, is here too. Source: Devlin et al. 2018, arXiv:1810.04805, and the
// model of the same name in Hugging Face's `tokenizers`.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/model_tokens.hpp>
#include <tokenworks/codec/text_splitter.hpp>
#include <tokenworks/codec/token_trie.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/codec/word_cache.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class wordpiece {
public:
    /// @throws limit_error as token_trie
    wordpiece(const tokenizer_data& data, const vocabulary& vocab);

    /// Appends the ids of the pieces of a text.
    /// @throws format_error where an unknown token is needed that the vocabulary does not have
    void encode(const vocabulary& vocab, const cut_text& cut, std::vector<token_id>& ids) const;

private:
    void encode_word(const vocabulary& vocab, std::string_view word, std::vector<token_id>& ids) const;
    /// Appends the parts of a word; false where it has none.
    [[nodiscard]] bool append_parts(std::string_view word, std::vector<token_id>& ids) const;

    model_tokens tokens_;
    token_trie trie_;
    token_trie::cursor inner_; // where tokens within a word begin
    bool has_inner_ = true;
    token_id unk_ = -1;
    std::size_t longest_word_ = 100;
    bool whole_words_ = false;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION wordpiece::wordpiece(const tokenizer_data& data, const vocabulary& vocab)
    : tokens_{data, vocab}, longest_word_{data.longest_word}, whole_words_{data.model == token_model::wordlevel} {
    if(data.unk_token) {
        unk_ = tokens_.find(vocab, *data.unk_token);
    }
    if(whole_words_) {
        return;
    }
    std::vector<token_trie::entry> entries;
    for(const tokenizer_data::entry& e: data.tokens) {
        entries.push_back({e.text, static_cast<token_id>(e.id)});
    }
    trie_ = token_trie{std::move(entries)};
    for(const char c: data.continuing_prefix) {
        has_inner_ = has_inner_ && trie_.advance(inner_, c);
    }
}

TOKENWORKS_FUNCTION void wordpiece::encode(const vocabulary& vocab, const cut_text& cut,
                                           std::vector<token_id>& ids) const {
    word_cache cache{cut.text, ids};
    for(const auto& [begin, end]: cut.pieces) {
        cache.append(begin, end, [&](std::string_view word) { encode_word(vocab, word, ids); });
    }
}

TOKENWORKS_FUNCTION void wordpiece::encode_word(const vocabulary& vocab, std::string_view word,
                                                std::vector<token_id>& ids) const {
    if(whole_words_) {
        if(const token_id id = tokens_.find(vocab, word); id >= 0) {
            ids.push_back(id);
            return;
        }
    } else {
        std::size_t count = 0;
        for(std::size_t at = 0; at < word.size() && count <= longest_word_; ++count) {
            at += decode_utf8(word, at).length;
        }
        const std::size_t before = ids.size();
        if(count <= longest_word_ && append_parts(word, ids)) {
            return;
        }
        ids.resize(before);
    }
    if(unk_ < 0) {
        detail::no_unknown_token(vocab, word);
    }
    ids.push_back(unk_);
}

TOKENWORKS_FUNCTION bool wordpiece::append_parts(std::string_view word, std::vector<token_id>& ids) const {
    for(std::size_t at = 0; at < word.size();) {
        if(at > 0 && !has_inner_) {
            return false;
        }
        token_trie::cursor place = at == 0 ? token_trie::cursor{} : inner_;
        token_id best = -1;
        std::size_t end = at;
        for(std::size_t next = at; next < word.size() && trie_.advance(place, word[next]); ++next) {
            // A token may end within a character only where the text itself is malformed.
            if(trie_.token(place) >= 0 &&
               (next + 1 == word.size() || (detail::byte_at(word, next + 1) & 0xC0) != 0x80)) {
                best = trie_.token(place);
                end = next + 1;
            }
        }
        if(best < 0) {
            return false;
        }
        ids.push_back(best);
        at = end;
    }
    return true;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
