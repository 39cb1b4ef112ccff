// Finds the special tokens in a text: those that stand for themselves and are never made by merging.
//
// The rule is llama.cpp's (tokenizer_st_partition): the longest special token is cut out of the text wherever it is,
// from the left, then the next shorter one out of what remains, and so on. Done literally that is one pass over the
// text for each special token (Gemma 3 has 6414). Here one pass finds the longest token at each place; places are then
// served by falling length, and one whose token no longer fits tries the next shorter token there.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// A special token in a text, with the blanks that it swallows.
struct text_part {
    std::size_t begin; ///< bytes from the start of the text
    std::size_t end;
    token_id token;
};

class special_matcher {
public:
    /// Matches the vocabulary's user-defined tokens, or its hidden ones (control, unknown), or both.
    special_matcher(const vocabulary& vocab, bool user_defined, bool hidden);

    /// The special tokens in a text, in order; they do not overlap.
    /// @param vocab the vocabulary that this was made from
    [[nodiscard]] std::vector<text_part> find(const vocabulary& vocab, std::string_view text) const {
        return tokens_.empty() ? std::vector<text_part>{} : find_all(vocab, text);
    }

    [[nodiscard]] std::size_t size() const noexcept { return tokens_.size(); }

private:
    /// The longest token of fewer than `limit` bytes that the text has at `at`, or -1.
    [[nodiscard]] token_id longest(const vocabulary& vocab, std::string_view text, std::size_t at,
                                   std::size_t limit) const noexcept;

    [[nodiscard]] std::vector<text_part> find_all(const vocabulary& vocab, std::string_view text) const;

    std::vector<token_id> tokens_;         // by text
    std::array<std::size_t, 256> begin_{}; // tokens_ that start with a byte; end_ is 0 where there are none
    std::array<std::size_t, 256> end_{};
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION special_matcher::special_matcher(const vocabulary& vocab, bool user_defined, bool hidden) {
    for(std::size_t i = 0; i < vocab.size(); ++i) {
        const auto id = static_cast<token_id>(i);
        const bool wanted = vocab.is_hidden(id) ? hidden : user_defined && vocab.is_special(id);
        if(wanted && !vocab.text(id).empty()) {
            tokens_.push_back(id);
        }
    }
    std::sort(tokens_.begin(), tokens_.end(), [&](token_id a, token_id b) { return vocab.text(a) < vocab.text(b); });
    for(std::size_t i = tokens_.size(); i-- > 0;) {
        const auto first = static_cast<unsigned char>(vocab.text(tokens_[i]).front());
        begin_[first] = i;
        end_[first] = std::max(end_[first], i + 1);
    }
}

TOKENWORKS_FUNCTION token_id special_matcher::longest(const vocabulary& vocab, std::string_view text, std::size_t at,
                                                      std::size_t limit) const noexcept {
    const auto first = static_cast<unsigned char>(text[at]);
    std::size_t low = begin_[first];
    std::size_t high = end_[first];
    const std::size_t most = std::min(text.size() - at, limit - 1);
    token_id best = -1;
    for(std::size_t length = 1; low < high && length <= most; ++length) {
        // tokens_[low, high) agree with the text in length bytes; an equal one comes first
        if(vocab.text(tokens_[low]).size() == length) {
            best = tokens_[low++];
        }
        if(length == most) {
            break;
        }
        const auto next = static_cast<unsigned char>(text[at + length]);
        const auto byte_of = [&](token_id id) { return static_cast<unsigned char>(vocab.text(id)[length]); };
        const auto from = tokens_.begin() + static_cast<std::ptrdiff_t>(low);
        const auto to = tokens_.begin() + static_cast<std::ptrdiff_t>(high);
        const auto lower = std::partition_point(from, to, [&](token_id id) { return byte_of(id) < next; });
        const auto upper = std::partition_point(lower, to, [&](token_id id) { return byte_of(id) == next; });
        low = static_cast<std::size_t>(lower - tokens_.begin());
        high = static_cast<std::size_t>(upper - tokens_.begin());
    }
    return best;
}

TOKENWORKS_FUNCTION std::vector<text_part> special_matcher::find_all(const vocabulary& vocab,
                                                                     std::string_view text) const {
    struct place {
        std::size_t at;
        token_id token;
    };
    std::map<std::size_t, std::vector<place>> by_length;
    for(std::size_t at = 0; at < text.size(); ++at) {
        if(end_[static_cast<unsigned char>(text[at])] == 0) {
            continue;
        }
        if(const token_id id = longest(vocab, text, at, text.size() + 1); id >= 0) {
            by_length[vocab.text(id).size()].push_back({at, id});
        }
    }
    std::vector<text_part> found;
    std::vector<bool> taken(by_length.empty() ? 0 : text.size());
    while(!by_length.empty()) {
        const std::size_t length = by_length.rbegin()->first;
        std::vector<place> places = std::move(by_length.rbegin()->second);
        by_length.erase(length);
        std::sort(places.begin(), places.end(), [](const place& a, const place& b) { return a.at < b.at; });
        for(const place& p: places) {
            // What is taken is at least as long as this token, so it cannot lie strictly inside of it.
            if(taken[p.at]) {
                continue;
            }
            if(taken[p.at + length - 1]) {
                if(const token_id id = longest(vocab, text, p.at, length); id >= 0) {
                    by_length[vocab.text(id).size()].push_back({p.at, id});
                }
                continue;
            }
            std::size_t end = p.at + length;
            if(vocab.strips_right(p.token)) {
                constexpr std::string_view blanks = " \t\n\v\f\r";
                while(end < text.size() && !taken[end] && blanks.find(text[end]) != blanks.npos) {
                    ++end;
                }
            }
            std::fill(taken.begin() + static_cast<std::ptrdiff_t>(p.at),
                      taken.begin() + static_cast<std::ptrdiff_t>(end), true);
            found.push_back({p.at, end, p.token});
        }
    }
    std::sort(found.begin(), found.end(), [](const text_part& a, const text_part& b) { return a.begin < b.begin; });
    return found;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
