// BPE over characters or bytes, with the options of Hugging Face's `tokenizers`: a word starts as the tokens of its
// characters, and neighbours merge by rank (codec/word_merger.hpp).
//
// A character without a token becomes its bytes' tokens (byte_fallback), else the unknown token, else nothing. A
// pending unknown token is written when the next character with a token comes, or at the end; byte tokens do not wait
// for it. That order is the reference's (models/bpe/model.rs), and so is that nothing stands where a character went.
// Vocabularies that spell blanks as U+2581 often cut no words at all. No merge crosses a place where no token has such
// a blank behind that byte, so the text is cut there, which changes nothing but the speed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/byte_alphabet.hpp>
#include <tokenworks/codec/merge_table.hpp>
#include <tokenworks/codec/model_tokens.hpp>
#include <tokenworks/codec/text_splitter.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/codec/word_cache.hpp>
#include <tokenworks/codec/word_merger.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class symbol_bpe {
public:
    /// @param raw_bytes  words come as bytes, and the vocabulary spells these in letters
    /// @throws format_error for a merge whose parts or result are no tokens; limit_error as merge_table
    symbol_bpe(const tokenizer_data& data, const vocabulary& vocab, bool raw_bytes);

    /// Whether words may come as bytes, given that the last pre-tokenizer is ByteLevel.
    [[nodiscard]] static bool takes_bytes(const tokenizer_data& data) noexcept {
        return !data.byte_fallback && data.continuing_prefix.empty() && data.word_suffix.empty();
    }

    /// Appends the ids of the pieces of a text.
    /// @throws format_error where an unknown token is needed that the vocabulary does not have
    void encode(const vocabulary& vocab, const cut_text& cut, std::vector<token_id>& ids) const;

private:
    static constexpr std::string_view blank = "\xE2\x96\x81"; // U+2581

    struct workspace {
        std::string spelling;
        word_merger merger;
    };

    void encode_word(const vocabulary& vocab, std::string_view word, workspace& work, std::vector<token_id>& ids) const;
    void find_symbols(const vocabulary& vocab, std::string_view word, workspace& work) const;
    [[nodiscard]] token_id unknown(const vocabulary& vocab, std::string_view text) const;

    model_tokens tokens_;
    merge_table merges_;
    std::array<token_id, 256> letters_{};  // of bytes; -1 for none
    std::array<bool, 256> before_blank_{}; // whether a token has the byte right before a blank
    std::string prefix_, suffix_;
    token_id unk_ = -1;
    bool has_unk_ = false;
    bool raw_bytes_ = false, fuse_unk_ = false, byte_fallback_ = false, ignore_merges_ = false, cuts_at_blanks_ = false;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION symbol_bpe::symbol_bpe(const tokenizer_data& data, const vocabulary& vocab, bool raw_bytes)
    : tokens_{data, vocab},
      prefix_{data.continuing_prefix},
      suffix_{data.word_suffix},
      has_unk_{data.unk_token.has_value()},
      raw_bytes_{raw_bytes},
      fuse_unk_{data.fuse_unk},
      byte_fallback_{data.byte_fallback},
      ignore_merges_{data.ignore_merges} {
    if(data.merges.size() > merge_table::most) {
        tokenworks::detail::raise<limit_error>({data.name, ": model.merges: over 2^28 merges"});
    }
    merges_.reserve(data.merges.size());
    std::string whole;
    for(std::size_t rank = 0; rank < data.merges.size(); ++rank) {
        const auto& [left, right] = data.merges[rank];
        const auto token = [&](std::string_view text) {
            const token_id id = tokens_.find(vocab, text);
            if(id < 0) {
                tokenworks::detail::raise_format(
                    data.name, {"model.merges[", rank, "]"}, format_error::no_offset,
                    {"needs \"", tokenworks::detail::escaped(text), "\", which is not a token"});
            }
            return id;
        };
        const token_id a = token(left);
        const token_id b = token(right);
        if(right.size() < prefix_.size()) {
            tokenworks::detail::raise_format(data.name, {"model.merges[", rank, "]"}, format_error::no_offset,
                                             {"its second part is shorter than continuing_subword_prefix"});
        }
        whole.assign(left).append(right.substr(prefix_.size()));
        merges_.put(a, b, {static_cast<std::uint32_t>(rank), token(whole)});
    }
    if(data.unk_token) {
        unk_ = tokens_.find(vocab, *data.unk_token);
    }
    for(std::size_t byte = 0; byte < 256; ++byte) {
        std::string letter;
        append_utf8(letter, byte_letter(static_cast<unsigned char>(byte)));
        letters_[byte] = tokens_.find(vocab, letter);
    }
    cuts_at_blanks_ =
        !raw_bytes && !ignore_merges_ && prefix_.empty() && suffix_.empty() && tokens_.find(vocab, blank) >= 0;
    for(std::size_t i = 0; cuts_at_blanks_ && i < vocab.size(); ++i) {
        const std::string_view text = vocab.text(static_cast<token_id>(i));
        for(std::size_t at = text.find(blank, 1); at < text.size(); at = text.find(blank, at + 1)) {
            before_blank_[static_cast<unsigned char>(text[at - 1])] = true;
        }
    }
}

TOKENWORKS_FUNCTION void symbol_bpe::encode(const vocabulary& vocab, const cut_text& cut,
                                            std::vector<token_id>& ids) const {
    workspace work;
    word_cache cache{cut.text, ids};
    const auto flush = [&](std::size_t begin, std::size_t end) {
        cache.append(begin, end, [&](std::string_view word) { encode_word(vocab, word, work, ids); });
    };
    const std::string_view text = cut.text;
    for(auto [begin, end]: cut.pieces) {
        if(cuts_at_blanks_) {
            for(std::size_t at = text.find(blank, begin + 1); at < end; at = text.find(blank, at + 1)) {
                if(!before_blank_[static_cast<unsigned char>(text[at - 1])]) {
                    flush(begin, at);
                    begin = at;
                }
            }
        }
        flush(begin, end);
    }
}

TOKENWORKS_FUNCTION token_id symbol_bpe::unknown(const vocabulary& vocab, std::string_view text) const {
    if(unk_ < 0) {
        detail::no_unknown_token(vocab, text);
    }
    return unk_;
}

TOKENWORKS_FUNCTION void symbol_bpe::find_symbols(const vocabulary& vocab, std::string_view word,
                                                  workspace& work) const {
    std::vector<token_id>& symbols = work.merger.symbols();
    symbols.clear();
    bool pending = false; // an unknown token that is not written yet
    const auto known = [&](token_id id) {
        if(pending) {
            symbols.push_back(unk_);
            pending = false;
        }
        symbols.push_back(id);
    };
    const auto missing = [&](std::string_view text) {
        if(has_unk_) {
            const token_id unk = unknown(vocab, text);
            if(pending && !fuse_unk_) {
                symbols.push_back(unk);
            }
            pending = true;
        }
    };
    if(raw_bytes_) {
        for(const char& c: word) {
            const token_id id = letters_[static_cast<unsigned char>(c)];
            if(id >= 0) {
                known(id);
            } else {
                missing({&c, 1});
            }
        }
    }
    for(std::size_t at = 0; !raw_bytes_ && at < word.size();) {
        const std::size_t length = decode_utf8(word, at).length;
        std::string_view text = word.substr(at, length);
        const bool first = at == 0 || prefix_.empty();
        const bool last = at + length == word.size() && !suffix_.empty();
        if(!first || last) {
            work.spelling.assign(first ? "" : prefix_).append(text).append(last ? suffix_ : "");
            text = work.spelling;
        }
        at += length;
        if(const token_id id = tokens_.find(vocab, text); id >= 0) {
            known(id);
            continue;
        }
        bool all = byte_fallback_;
        const std::size_t before = symbols.size();
        for(std::size_t i = 0; all && i < text.size(); ++i) {
            symbols.push_back(tokens_.find_byte(vocab, static_cast<unsigned char>(text[i])));
            all = symbols.back() >= 0;
        }
        if(!all) {
            symbols.resize(before);
            missing(text);
        }
    }
    if(pending) {
        symbols.push_back(unk_);
    }
}

TOKENWORKS_FUNCTION void symbol_bpe::encode_word(const vocabulary& vocab, std::string_view word, workspace& work,
                                                 std::vector<token_id>& ids) const {
    if(ignore_merges_) {
        std::string_view text = word;
        if(raw_bytes_) {
            work.spelling.clear();
            append_spelling(work.spelling, word);
            text = work.spelling;
        }
        if(const token_id id = tokens_.find(vocab, text); id >= 0) {
            ids.push_back(id);
            return;
        }
    }
    find_symbols(vocab, word, work);
    work.merger.run(merges_);
    ids.insert(ids.end(), work.merger.symbols().begin(), work.merger.symbols().end());
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
