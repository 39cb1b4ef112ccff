// Byte-level BPE (GPT-2 and its many descendants): text is cut into words, each word starts as its bytes, and
// neighbours merge, the best-ranked pair first and the leftmost of equals, until no pair is in the list of merges.
//
// A byte that the vocabulary has no token for (SmolLM2 lacks 21 of 256) is left out, as the reference implementations
// do; if it is malformed UTF-8 it becomes U+FFFD, also as there. Every other byte string comes back from its ids.
// Source of the merge order: Sennrich et al. 2016, arXiv:1508.07909, and OpenAI's gpt-2 encoder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/byte_alphabet.hpp>
#include <tokenworks/codec/merge_table.hpp>
#include <tokenworks/codec/pretokenizer.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/codec/word_cache.hpp>
#include <tokenworks/codec/word_merger.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class byte_level_bpe {
public:
    /// @throws unsupported_error for an unknown pre-tokenizer
    /// @throws format_error as merge_table, and where the vocabulary needs merges and there are none
    byte_level_bpe(const vocabulary_data& data, const vocabulary& vocab);

    /// Appends the ids of a text without special tokens.
    void encode(const vocabulary& vocab, std::string_view text, std::vector<token_id>& ids) const;

private:
    struct workspace {
        std::string spelling;
        word_merger merger;
    };

    void encode_word(const vocabulary& vocab, std::string_view word, workspace& work, std::vector<token_id>& ids) const;

    /// Bytes without a token that are no part of a character: U+FFFD instead.
    void replace_malformed(std::string_view word, std::vector<token_id>& symbols) const;

    merge_table merges_;
    std::array<token_id, 256> bytes_{};
    pretokenizer kind_ = pretokenizer::standard;
    bool whole_words_ = false;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION byte_level_bpe::byte_level_bpe(const vocabulary_data& data, const vocabulary& vocab)
    : merges_{data, vocab} {
    const auto kind = pretokenizer_named(data.pre);
    if(!kind) {
        tokenworks::detail::raise<unsupported_error>(
            {data.name, ": tokenizer.ggml.pre: unknown pre-tokenizer \"", tokenworks::detail::escaped(data.pre), "\""});
    }
    kind_ = *kind;
    whole_words_ = *kind == pretokenizer::llama3 &&
                   !detail::is_one_of(data.pre, {"dbrx", "smaug-bpe", "phi-3", "chatglm-bpe", "glm4"});
    for(std::size_t byte = 0; byte < 256; ++byte) {
        bytes_[byte] = vocab.byte_token(static_cast<unsigned char>(byte)).value_or(-1);
    }
    for(std::size_t i = 0; data.merges.empty() && i < vocab.size(); ++i) {
        const auto id = static_cast<token_id>(i);
        if(vocab.is_text(id) && vocab.piece(id).size() > 1) {
            tokenworks::detail::raise_format(data.name, {"tokenizer.ggml.merges"}, format_error::no_offset,
                                             {"absent, although token ", i, " is longer than a byte"});
        }
    }
}

TOKENWORKS_FUNCTION void byte_level_bpe::encode(const vocabulary& vocab, std::string_view text,
                                                std::vector<token_id>& ids) const {
    workspace work;
    word_cache cache{text, ids};
    split_words(kind_, text, [&](std::size_t begin, std::size_t end) {
        cache.append(begin, end, [&](std::string_view word) { encode_word(vocab, word, work, ids); });
    });
}

TOKENWORKS_FUNCTION void byte_level_bpe::encode_word(const vocabulary& vocab, std::string_view word, workspace& work,
                                                     std::vector<token_id>& ids) const {
    if(whole_words_) {
        // The reference takes a word that is a token without looking at the merges.
        work.spelling.clear();
        append_spelling(work.spelling, word);
        if(const auto id = vocab.find(work.spelling); id && vocab.is_text(*id)) {
            ids.push_back(*id);
            return;
        }
    }
    std::vector<token_id>& symbols = work.merger.symbols();
    symbols.clear();
    bool complete = true;
    for(const char c: word) {
        symbols.push_back(bytes_[static_cast<unsigned char>(c)]);
        complete = complete && symbols.back() >= 0;
    }
    if(!complete) {
        replace_malformed(word, symbols);
    }
    work.merger.run(merges_);
    for(const token_id id: symbols) {
        if(id >= 0) {
            ids.push_back(id);
        }
    }
}

TOKENWORKS_FUNCTION void byte_level_bpe::replace_malformed(std::string_view word,
                                                           std::vector<token_id>& symbols) const {
    symbols.clear();
    const auto push = [&](std::string_view bytes) {
        for(const char c: bytes) {
            symbols.push_back(bytes_[static_cast<unsigned char>(c)]);
        }
    };
    for(std::size_t at = 0; at < word.size();) {
        const utf8_char c = decode_utf8(word, at);
        const bool lost = !c.valid && bytes_[static_cast<unsigned char>(word[at])] < 0;
        push(lost ? std::string_view{"\xEF\xBF\xBD"} : word.substr(at, c.length));
        at += c.length;
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
