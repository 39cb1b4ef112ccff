// Byte-level BPE (GPT-2 and its many descendants): text is cut into words, each word starts as its bytes, and
// neighbours merge, the best-ranked pair first and the leftmost of equals, until no pair is in the list of merges.
//
// Short words are scanned for the best pair again and again, which is quadratic but fast; long ones use a heap, so that
// 100 kB without a blank take O(n log n). Both give the same ids.
// A byte that the vocabulary has no token for (SmolLM2 lacks 21 of 256) is left out, as the reference implementations
// do; if it is malformed UTF-8 it becomes U+FFFD, also as there. Every other byte string comes back from its ids.
// Source of the merge order: Sennrich et al. 2016, arXiv:1508.07909, and OpenAI's gpt-2 encoder.
#pragma once

#include <algorithm>
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
    static constexpr std::size_t longest_scanned = 32; // symbols; from here on the heap is faster
    static constexpr std::uint32_t end_of_word = ~std::uint32_t{0};

    struct symbol {
        token_id id; // -1 for a byte without a token
        std::uint32_t previous, next;
    };
    struct candidate {
        std::uint64_t order; // rank, then place of the left symbol
        token_id left, right;

        friend bool operator<(const candidate& a, const candidate& b) noexcept { return a.order > b.order; }
    };
    struct workspace {
        std::string spelling;
        std::vector<token_id> word;
        std::vector<symbol> symbols;
        std::vector<candidate> heap;
    };

    void encode_word(const vocabulary& vocab, std::string_view word, workspace& work, std::vector<token_id>& ids) const;

    /// Bytes without a token that are no part of a character: U+FFFD instead.
    void replace_malformed(std::string_view word, std::vector<token_id>& symbols) const;

    void merge_by_scanning(std::vector<token_id>& word) const;

    void merge_by_heap(workspace& work) const;

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
    work.word.clear();
    bool complete = true;
    for(const char c: word) {
        work.word.push_back(bytes_[static_cast<unsigned char>(c)]);
        complete = complete && work.word.back() >= 0;
    }
    if(!complete) {
        replace_malformed(word, work.word);
    }
    if(work.word.size() <= longest_scanned) {
        merge_by_scanning(work.word);
    } else {
        merge_by_heap(work);
    }
    for(const token_id id: work.word) {
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

TOKENWORKS_FUNCTION void byte_level_bpe::merge_by_scanning(std::vector<token_id>& word) const {
    std::array<merge, longest_scanned> pairs; // pairs[i]: of word[i] and word[i + 1]
    std::size_t count = word.size();
    for(std::size_t i = 0; i + 1 < count; ++i) {
        pairs[i] = merges_.find(word[i], word[i + 1]);
    }
    while(count > 1) {
        const auto pair_end = pairs.begin() + static_cast<std::ptrdiff_t>(count - 1);
        const auto best =
            std::min_element(pairs.begin(), pair_end, [](const merge& a, const merge& b) { return a.rank < b.rank; });
        if(!*best) {
            break;
        }
        const auto at = static_cast<std::size_t>(best - pairs.begin());
        word[at] = best->result;
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(at + 1));
        std::copy(best + 1, pair_end, best);
        --count;
        if(at + 1 < count) {
            pairs[at] = merges_.find(word[at], word[at + 1]);
        }
        if(at > 0) {
            pairs[at - 1] = merges_.find(word[at - 1], word[at]);
        }
    }
}

TOKENWORKS_FUNCTION void byte_level_bpe::merge_by_heap(workspace& work) const {
    std::vector<symbol>& symbols = work.symbols;
    std::vector<candidate>& heap = work.heap;
    symbols.clear();
    heap.clear();
    const auto count = static_cast<std::uint32_t>(work.word.size());
    for(std::uint32_t i = 0; i < count; ++i) {
        symbols.push_back({work.word[i], i - 1, i + 1 < count ? i + 1 : end_of_word}); // the first has no previous
    }
    const auto consider = [&](std::uint32_t left) {
        const std::uint32_t right = symbols[left].next;
        if(right == end_of_word) {
            return false;
        }
        const merge m = merges_.find(symbols[left].id, symbols[right].id);
        if(m) {
            heap.push_back({std::uint64_t{m.rank} << 32 | left, symbols[left].id, symbols[right].id});
        }
        return bool{m};
    };
    for(std::uint32_t i = 0; i < count; ++i) {
        consider(i);
    }
    std::make_heap(heap.begin(), heap.end());
    while(!heap.empty()) {
        std::pop_heap(heap.begin(), heap.end());
        const candidate c = heap.back();
        heap.pop_back();
        const auto at = static_cast<std::uint32_t>(c.order);
        symbol& left = symbols[at];
        if(left.id != c.left || left.next == end_of_word || symbols[left.next].id != c.right) {
            continue; // one of the two has merged since
        }
        symbol& right = symbols[left.next];
        left.id = merges_.find(c.left, c.right).result;
        left.next = right.next;
        right.id = -1; // out of the word: no candidate matches it any more
        if(left.next != end_of_word) {
            symbols[left.next].previous = at;
        }
        if(consider(at)) {
            std::push_heap(heap.begin(), heap.end());
        }
        if(left.previous != end_of_word && consider(left.previous)) {
            std::push_heap(heap.begin(), heap.end());
        }
    }
    work.word.clear();
    for(std::uint32_t i = 0; i != end_of_word; i = symbols[i].next) {
        work.word.push_back(symbols[i].id);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
