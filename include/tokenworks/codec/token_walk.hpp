// The tokens of a vocabulary as a tree of bytes, in the order of a walk through it: what asks for many tokens at once
// which of them it takes goes over one array, and passes over all that begins with what it did not take.
//
// token_trie.hpp finds the tokens at a place of a text; this one answers the question the other way round.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class token_walk {
public:
    static constexpr std::size_t most_bytes = std::size_t{1} << 28; ///< of all tokens

    /// A place: the bytes of its ancestors and its own. Nodes stand before what is below them.
    struct node {
        std::uint32_t behind; ///< the first node that is not below this one
        std::uint32_t tokens; ///< where its tokens begin; they end where those of the next node begin
        std::uint16_t depth;  ///< bytes, from 1
        std::uint8_t byte;    ///< the last of them
    };

    /// Of V tokens; those without text have none, and are not in the walk.
    /// @param bytes_of  (token_id) to what the token adds to a text
    /// @param ends      tokens that end a text
    /// @throws limit_error for a token of over 65535 bytes, or too many bytes in all
    template <class BytesOf>
    token_walk(std::size_t vocab, BytesOf bytes_of, std::vector<token_id> ends)
        : vocab_{vocab}, ends_{std::move(ends)} {
        std::vector<entry> entries;
        for(std::size_t i = 0; i < vocab; ++i) {
            const auto id = static_cast<token_id>(i);
            if(std::find(ends_.begin(), ends_.end(), id) == ends_.end()) {
                entries.push_back({std::string{bytes_of(id)}, id});
            }
        }
        build(std::move(entries));
    }

    [[nodiscard]] std::size_t vocab_size() const noexcept { return vocab_; }
    [[nodiscard]] const std::vector<token_id>& ends() const noexcept { return ends_; }
    [[nodiscard]] bool is_end(token_id id) const noexcept {
        return std::find(ends_.begin(), ends_.end(), id) != ends_.end();
    }
    /// Bytes of the longest token.
    [[nodiscard]] std::size_t longest() const noexcept { return longest_; }
    /// Without the last one, which stands behind all.
    [[nodiscard]] std::size_t size() const noexcept { return nodes_.size() - 1; }
    [[nodiscard]] const node& operator[](std::size_t i) const noexcept { return nodes_[i]; }
    [[nodiscard]] std::span<const token_id> tokens(std::size_t i) const noexcept {
        return std::span{ids_}.subspan(nodes_[i].tokens, nodes_[i + 1].tokens - nodes_[i].tokens);
    }
    /// The bytes of a token; none for one that has no text, or ends it. @pre 0 <= id < vocab_size()
    [[nodiscard]] std::string_view bytes(token_id id) const noexcept {
        const auto at = static_cast<std::size_t>(id);
        return std::string_view{texts_}.substr(begins_[at], begins_[at + 1] - begins_[at]);
    }

private:
    using entry = std::pair<std::string, token_id>;

    void build(std::vector<entry> entries);

    std::size_t vocab_;
    std::vector<token_id> ends_;
    std::size_t longest_ = 0;
    std::vector<node> nodes_;
    std::vector<token_id> ids_;
    std::string texts_;
    std::vector<std::uint32_t> begins_; // [V + 1]
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void token_walk::build(std::vector<entry> entries) {
    std::size_t in_all = 0;
    for(const entry& e: entries) {
        in_all += e.first.size();
        longest_ = std::max(longest_, e.first.size());
        if(in_all > most_bytes || longest_ > 65535) {
            tokenworks::detail::raise<limit_error>(
                {"grammar: a vocabulary of over ", most_bytes, " bytes, or a token of over 65535"});
        }
    }
    begins_.reserve(vocab_ + 1);
    auto next = entries.begin();
    for(std::size_t i = 0; i < vocab_; ++i) {
        begins_.push_back(static_cast<std::uint32_t>(texts_.size()));
        if(next != entries.end() && next->second == static_cast<token_id>(i)) {
            texts_ += next++->first;
        }
    }
    begins_.push_back(static_cast<std::uint32_t>(texts_.size()));
    std::erase_if(entries, [](const entry& e) { return e.first.empty(); });
    std::sort(entries.begin(), entries.end());
    std::vector<std::uint32_t> open; // the nodes from the root to the last one
    std::string_view last;
    const auto close = [&](std::size_t depth) {
        for(; open.size() > depth; open.pop_back()) {
            nodes_[open.back()].behind = static_cast<std::uint32_t>(nodes_.size());
        }
    };
    for(const entry& e: entries) {
        const std::string_view text = e.first;
        const auto shared = std::mismatch(last.begin(), last.end(), text.begin(), text.end());
        close(static_cast<std::size_t>(shared.second - text.begin()));
        for(std::size_t depth = open.size(); depth < text.size(); ++depth) {
            open.push_back(static_cast<std::uint32_t>(nodes_.size()));
            nodes_.push_back({0, static_cast<std::uint32_t>(ids_.size()), static_cast<std::uint16_t>(depth + 1),
                              static_cast<std::uint8_t>(text[depth])});
        }
        ids_.push_back(e.second);
        last = text;
    }
    close(0);
    nodes_.push_back({0, static_cast<std::uint32_t>(ids_.size()), 0, 0});
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
