// Finds all tokens that begin at a place of a text, by walking down a trie, byte after byte.
//
// Nodes lie in the order of breadth, so that the children of one are neighbours, sorted by their bytes. A node takes 13
// bytes, and there is at most one for each byte of the tokens; their length is limited, since it bounds what a text
// costs.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class token_trie {
public:
    static constexpr std::size_t longest_token = 512; ///< bytes
    using entry = std::pair<std::string_view, token_id>;

    /// A trie of nothing.
    token_trie() : token_trie{std::vector<entry>{}} {}

    /// Of equal texts the last one counts. Empty texts are left out.
    /// @throws limit_error for a token that is too long
    explicit token_trie(std::vector<entry> tokens);

    /// A place in the trie: the bytes that led there.
    struct cursor {
        std::uint32_t node = 0;
    };

    /// Goes down by one byte; false where no token goes on with it.
    [[nodiscard]] bool advance(cursor& at, char byte) const noexcept {
        const auto label = static_cast<unsigned char>(byte);
        if(at.node == 0) {
            at.node = first_[label];
            return at.node != 0;
        }
        const node& n = nodes_[at.node];
        const auto begin = labels_.begin() + static_cast<std::ptrdiff_t>(n.children);
        const auto end = begin + n.count;
        const auto found = std::lower_bound(begin, end, label);
        if(found == end || *found != label) {
            return false;
        }
        at.node = static_cast<std::uint32_t>(found - labels_.begin());
        return true;
    }
    /// The token that the bytes so far spell, or -1.
    [[nodiscard]] token_id token(cursor at) const noexcept { return nodes_[at.node].token; }

    /// Calls found(length, token) for each token at a place, the shortest first.
    template <class Found>
    void each(std::string_view text, std::size_t at, Found found) const {
        cursor place;
        for(std::size_t length = 1; at + length <= text.size() && advance(place, text[at + length - 1]); ++length) {
            if(const token_id id = token(place); id >= 0) {
                found(length, id);
            }
        }
    }

    [[nodiscard]] bool empty() const noexcept { return nodes_.size() == 1; }

private:
    struct node {
        std::uint32_t children = 0;
        token_id token = -1;
        std::uint16_t count = 0;
    };

    std::vector<node> nodes_;
    std::vector<unsigned char> labels_; // the byte that leads to a node
    std::array<std::uint32_t, 256> first_{};
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION token_trie::token_trie(std::vector<entry> tokens) {
    std::erase_if(tokens, [](const entry& e) { return e.first.empty(); });
    std::stable_sort(tokens.begin(), tokens.end(), [](const entry& a, const entry& b) { return a.first < b.first; });
    struct span {
        std::size_t begin, end; // tokens that share the bytes down to a node
    };
    std::vector<span> spans{{0, tokens.size()}};
    nodes_.emplace_back();
    labels_.push_back(0);
    std::size_t depth = 0;
    for(std::size_t level_end = 1, at = 0; at < nodes_.size(); ++at) {
        if(at == level_end) {
            level_end = nodes_.size();
            ++depth;
        }
        auto [begin, end] = spans[at];
        for(; begin < end && tokens[begin].first.size() == depth; ++begin) {
            nodes_[at].token = tokens[begin].second;
        }
        if(begin < end && depth == longest_token) {
            tokenworks::detail::raise<limit_error>({"tokenizer: a token of over ", longest_token, " bytes"});
        }
        nodes_[at].children = static_cast<std::uint32_t>(nodes_.size());
        while(begin < end) {
            const auto label = static_cast<unsigned char>(tokens[begin].first[depth]);
            const std::size_t from = begin;
            while(begin < end && static_cast<unsigned char>(tokens[begin].first[depth]) == label) {
                ++begin;
            }
            spans.push_back({from, begin});
            labels_.push_back(label);
            nodes_.emplace_back();
            ++nodes_[at].count;
        }
    }
    for(std::uint32_t child = nodes_[0].children; child < nodes_[0].children + nodes_[0].count; ++child) {
        first_[labels_[child]] = child;
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
