// SentencePiece BPE with byte fallback (Llama 1 and 2, Mistral, Gemma, Phi-3): blanks become U+2581, each character is
// a symbol, and neighbours merge when their texts together are a token, the highest score first and the leftmost of
// equals. A character without a token becomes the tokens of its bytes.
//
// The result is that of llama.cpp's llm_tokenizer_spm, with two differences on purpose. Text never merges into control,
// unknown, byte or user-defined tokens, whatever it spells. And what would not come back, a malformed byte or a U+2581
// that the text itself has, is given as byte tokens, so that decoding restores every byte.
// There are no words to cut: merging may cross blanks. But no merge crosses a place that no token has inside of it, so
// the text is cut wherever a blank follows a byte that no token has before a blank. That changes nothing but the speed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/codec/word_cache.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class sentencepiece {
public:
    /// @throws format_error for a vocabulary that cannot give every text: neither all bytes nor an unknown token
    sentencepiece(const vocabulary_data& data, const vocabulary& vocab);

    /// Appends the ids of a text without special tokens.
    /// @param prefix put a blank before the text
    void encode(const vocabulary& vocab, std::string_view text, bool prefix, std::vector<token_id>& ids) const;

private:
    static constexpr std::string_view blank = "\xE2\x96\x81"; // U+2581
    static constexpr std::uint32_t end_of_word = ~std::uint32_t{0};

    struct raw_byte {
        std::size_t at; // in the escaped text
        unsigned char byte;
    };
    struct symbol {
        std::uint32_t begin, length; // bytes of the word; length 0: merged into another
        std::uint32_t previous, next;
        token_id id; // of the merged text; of a single character only once it is needed
    };
    struct candidate {
        float score;
        std::uint32_t left;   // symbol
        std::uint32_t length; // bytes of both together
        token_id id;

        friend bool operator<(const candidate& a, const candidate& b) noexcept {
            return a.score < b.score || (a.score == b.score && a.left > b.left);
        }
    };
    struct workspace {
        std::vector<symbol> symbols;
        std::vector<candidate> heap;
    };

    static void push_byte(const vocabulary& vocab, unsigned char byte, std::vector<token_id>& ids);

    void encode_words(const vocabulary& vocab, std::string_view text, std::size_t begin, std::size_t end,
                      workspace& work, word_cache& cache, std::vector<token_id>& ids) const;

    static void encode_word(const vocabulary& vocab, std::string_view word, workspace& work,
                            std::vector<token_id>& ids);

    static void push_symbol(const vocabulary& vocab, std::string_view text, token_id id, std::vector<token_id>& ids);

    std::array<bool, 256> before_blank_{}; // whether a token has the byte right before a blank
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION sentencepiece::sentencepiece(const vocabulary_data& data, const vocabulary& vocab) {
    if(!vocab.has_all_bytes() && !vocab.unk()) {
        tokenworks::detail::raise_format(data.name, {"tokenizer.ggml.tokens"}, format_error::no_offset,
                                         {"byte tokens are missing, and there is no unknown token"});
    }
    for(std::size_t i = 0; i < vocab.size(); ++i) {
        const auto id = static_cast<token_id>(i);
        const std::string_view text = vocab.text(id);
        for(std::size_t at = text.find(blank, 1); vocab.is_text(id) && at < text.size();
            at = text.find(blank, at + 1)) {
            before_blank_[static_cast<unsigned char>(text[at - 1])] = true;
        }
    }
}

TOKENWORKS_FUNCTION void sentencepiece::encode(const vocabulary& vocab, std::string_view text, bool prefix,
                                               std::vector<token_id>& ids) const {
    // Escape first, since words refer to the escaped text; `raw` lists the places of bytes to give as they are.
    std::string escaped;
    escaped.reserve(text.size() + text.size() / 2 + blank.size());
    std::vector<raw_byte> raw;
    if(prefix) {
        escaped += blank;
    }
    const bool exact = vocab.has_all_bytes();
    for(std::size_t at = 0; at < text.size();) {
        if(text[at] == ' ') {
            escaped += blank;
            ++at;
            continue;
        }
        const utf8_char c = decode_utf8(text, at);
        const std::string_view bytes = text.substr(at, c.length);
        if(!c.valid || (exact && bytes == blank)) {
            for(const char b: bytes) {
                raw.push_back({escaped.size(), static_cast<unsigned char>(b)});
            }
        } else {
            escaped += bytes;
        }
        at += c.length;
    }
    workspace work;
    word_cache cache{escaped, ids};
    std::size_t begin = 0;
    for(const raw_byte& r: raw) {
        encode_words(vocab, escaped, begin, r.at, work, cache, ids);
        begin = r.at;
        push_byte(vocab, r.byte, ids);
    }
    encode_words(vocab, escaped, begin, escaped.size(), work, cache, ids);
}

TOKENWORKS_FUNCTION void sentencepiece::push_byte(const vocabulary& vocab, unsigned char byte,
                                                  std::vector<token_id>& ids) {
    const auto id = vocab.byte_token(byte);
    if(const auto any = id ? id : vocab.unk()) {
        ids.push_back(*any);
    }
}

TOKENWORKS_FUNCTION void sentencepiece::encode_words(const vocabulary& vocab, std::string_view text, std::size_t begin,
                                                     std::size_t end, workspace& work, word_cache& cache,
                                                     std::vector<token_id>& ids) const {
    const auto flush = [&](std::size_t from, std::size_t to) {
        cache.append(from, to, [&](std::string_view word) { encode_word(vocab, word, work, ids); });
    };
    for(std::size_t at = text.find(blank, begin + 1); at < end; at = text.find(blank, at + 1)) {
        if(!before_blank_[static_cast<unsigned char>(text[at - 1])]) {
            flush(begin, at);
            begin = at;
        }
    }
    if(begin < end) {
        flush(begin, end);
    }
}

TOKENWORKS_FUNCTION void sentencepiece::encode_word(const vocabulary& vocab, std::string_view word, workspace& work,
                                                    std::vector<token_id>& ids) {
    std::vector<symbol>& symbols = work.symbols;
    std::vector<candidate>& heap = work.heap;
    symbols.clear();
    heap.clear();
    for(std::size_t at = 0; at < word.size();) {
        const auto i = static_cast<std::uint32_t>(symbols.size());
        const std::size_t length = decode_utf8(word, at).length;
        symbols.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length), i - 1, i + 1, -1});
        at += length;
    }
    symbols.back().next = end_of_word;
    const auto consider = [&](std::uint32_t left) {
        const symbol& a = symbols[left];
        if(a.next == end_of_word) {
            return false;
        }
        const std::uint32_t length = a.length + symbols[a.next].length;
        const auto id = vocab.find(word.substr(a.begin, length));
        if(!id || !vocab.is_text(*id)) {
            return false;
        }
        heap.push_back({vocab.score(*id), left, length, *id});
        return true;
    };
    for(std::uint32_t i = 0; i < symbols.size(); ++i) {
        consider(i);
    }
    std::make_heap(heap.begin(), heap.end());
    while(!heap.empty()) {
        std::pop_heap(heap.begin(), heap.end());
        const candidate c = heap.back();
        heap.pop_back();
        symbol& left = symbols[c.left];
        if(left.length == 0 || left.next == end_of_word || left.length + symbols[left.next].length != c.length) {
            continue; // one of the two has merged since
        }
        symbol& right = symbols[left.next];
        left.length = c.length;
        left.id = c.id;
        left.next = right.next;
        right.length = 0;
        if(left.next != end_of_word) {
            symbols[left.next].previous = c.left;
        }
        if(consider(c.left)) {
            std::push_heap(heap.begin(), heap.end());
        }
        if(left.previous != end_of_word && consider(left.previous)) {
            std::push_heap(heap.begin(), heap.end());
        }
    }
    for(std::uint32_t i = 0; i != end_of_word; i = symbols[i].next) {
        push_symbol(vocab, word.substr(symbols[i].begin, symbols[i].length), symbols[i].id, ids);
    }
}

TOKENWORKS_FUNCTION void sentencepiece::push_symbol(const vocabulary& vocab, std::string_view text, token_id id,
                                                    std::vector<token_id>& ids) {
    if(id < 0) {
        const auto found = vocab.find(text);
        id = found && vocab.is_text(*found) ? *found : -1;
    }
    if(id >= 0) {
        ids.push_back(id);
    } else if(!vocab.has_all_bytes()) {
        ids.push_back(*vocab.unk());
    } else if(text == blank) {
        push_byte(vocab, ' ', ids);
    } else {
        for(const char b: text) {
            push_byte(vocab, static_cast<unsigned char>(b), ids);
        }
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
