// Unigram (SentencePiece's usual model): of all ways to put a text together from tokens, the one whose scores,
// logarithms of probabilities, have the largest sum. Viterbi's algorithm, from left to right, in one pass: O(n *
// longest token).
//
// A character that is no token counts as the unknown one, 10 below the lowest score; unknown ones side by side become
// one, or their bytes (byte_fallback). Source: Kudo 2018, arXiv:1804.10959; order of comparisons and the handling of
// unknown characters as in `tokenizers` (models/unigram/model.rs), after sentencepiece (EncodeOptimized in
// src/unigram_model.cc).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
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

class unigram {
public:
    /// @throws limit_error as token_trie
    unigram(const tokenizer_data& data, const vocabulary& vocab);

    /// Appends the ids of the pieces of a text.
    /// @throws format_error where an unknown token is needed that the vocabulary does not have
    void encode(const vocabulary& vocab, const cut_text& cut, std::vector<token_id>& ids) const;

private:
    struct best_path {
        double score = 0;
        std::uint32_t begin = none;
        token_id last = -1; // of the token that ends here
    };
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    struct workspace {
        std::vector<best_path> paths;
        std::vector<std::pair<std::size_t, std::size_t>> parts;
    };

    void encode_word(const vocabulary& vocab, std::string_view word, workspace& work, std::vector<token_id>& ids) const;
    void push(const vocabulary& vocab, std::string_view part, std::vector<token_id>& ids) const;
    [[nodiscard]] double sum(double a, double b) const noexcept {
        return single_ ? static_cast<double>(static_cast<float>(a) + static_cast<float>(b)) : a + b;
    }

    model_tokens tokens_;
    token_trie trie_;
    std::vector<double> scores_; // by id
    std::vector<bool> user_defined_;
    double unk_score_ = 0, max_score_ = 0;
    token_id unk_ = -1;
    bool fuse_unk_, byte_fallback_, single_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION unigram::unigram(const tokenizer_data& data, const vocabulary& vocab)
    : tokens_{data, vocab},
      scores_(vocab.size()),
      unk_{data.unk_id ? static_cast<token_id>(*data.unk_id) : token_id{-1}},
      fuse_unk_{data.fuse_unk},
      byte_fallback_{data.byte_fallback},
      single_{data.single_precision} {
    std::vector<token_trie::entry> entries;
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for(std::size_t i = 0; i < data.tokens.size(); ++i) {
        const auto id = static_cast<token_id>(data.tokens[i].id);
        const token_type type = data.types.empty() ? token_type::normal : data.types[i];
        scores_[static_cast<std::size_t>(id)] = data.scores[i];
        if(data.types.empty() || type == token_type::normal) {
            low = std::min(low, data.scores[i]);
            high = std::max(high, data.scores[i]);
        }
        if(type == token_type::normal || type == token_type::user_defined) {
            entries.push_back({data.tokens[i].text, id});
        }
        if(type == token_type::user_defined) {
            user_defined_.resize(vocab.size());
            user_defined_[static_cast<std::size_t>(id)] = true;
        }
    }
    constexpr double penalty = 10;
    unk_score_ = sum(low, -penalty);
    max_score_ = high;
    trie_ = token_trie{std::move(entries)};
}

TOKENWORKS_FUNCTION void unigram::encode(const vocabulary& vocab, const cut_text& cut,
                                         std::vector<token_id>& ids) const {
    workspace work;
    word_cache cache{cut.text, ids};
    for(const auto& [begin, end]: cut.pieces) {
        cache.append(begin, end, [&](std::string_view word) { encode_word(vocab, word, work, ids); });
    }
}

TOKENWORKS_FUNCTION void unigram::encode_word(const vocabulary& vocab, std::string_view word, workspace& work,
                                              std::vector<token_id>& ids) const {
    std::vector<best_path>& paths = work.paths;
    paths.assign(word.size() + 1, best_path{});
    for(std::size_t at = 0; at < word.size();) {
        const std::size_t length = decode_utf8(word, at).length;
        const double here = paths[at].score;
        bool single = false; // whether the character itself is a token
        const auto offer = [&](std::size_t end, double score, token_id id) {
            best_path& path = paths[end];
            const double total = sum(score, here);
            if(path.begin == none || total > path.score) {
                path = {total, static_cast<std::uint32_t>(at), id};
            }
        };
        trie_.each(word, at, [&](std::size_t bytes, token_id id) {
            const auto i = static_cast<std::size_t>(id);
            const bool user = !user_defined_.empty() && user_defined_[i];
            offer(at + bytes, user ? sum(static_cast<double>(bytes) * max_score_, -0.1) : scores_[i], id);
            single = single || bytes == length;
        });
        if(!single) {
            if(unk_ < 0) {
                detail::no_unknown_token(vocab, word.substr(at, length));
            }
            offer(at + length, unk_score_, unk_);
        }
        at += length;
    }
    // From the end back: the parts, unknown ones side by side as one.
    auto& parts = work.parts;
    parts.clear();
    bool unknown_behind = false;
    for(std::size_t end = word.size(); end > 0;) {
        const best_path& path = paths[end];
        const bool unknown = fuse_unk_ && unk_ >= 0 && path.last == unk_;
        if(unknown && unknown_behind) {
            parts.back().first = path.begin;
        } else {
            parts.push_back({path.begin, end});
        }
        unknown_behind = unknown;
        end = path.begin;
    }
    for(std::size_t i = parts.size(); i-- > 0;) {
        push(vocab, word.substr(parts[i].first, parts[i].second - parts[i].first), ids);
    }
}

TOKENWORKS_FUNCTION void unigram::push(const vocabulary& vocab, std::string_view part,
                                       std::vector<token_id>& ids) const {
    const token_id id = tokens_.find(vocab, part);
    if(id >= 0) {
        ids.push_back(id);
        return;
    }
    const std::size_t before = ids.size();
    bool all = byte_fallback_;
    for(std::size_t i = 0; all && i < part.size(); ++i) {
        ids.push_back(tokens_.find_byte(vocab, static_cast<unsigned char>(part[i])));
        all = ids.back() >= 0;
    }
    if(!all) {
        ids.resize(before);
        ids.push_back(unk_);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
