// Finds stop strings in a text that comes in pieces, and tells how much of its end may be the start of one.
//
// Aho and Corasick, "Efficient string matching" (1975): one walk through a trie of all strings, whose state is the
// longest end of the text that begins one of them. Linear in the text whatever the number of strings; searching the
// gathered text anew after every piece is not. The strings are bytes here, so a character cut in two does no harm.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

class stop_matcher {
public:
    /// Where a stop string was found.
    struct match {
        std::size_t end;    ///< its last byte's place in the piece, plus one
        std::size_t length; ///< in bytes; more than `end` where it began in an earlier piece
    };

    /// @throws argument_error if one of the strings is empty; limit_error above 16 MiB of strings
    explicit stop_matcher(std::span<const std::string> strings = {}) {
        nodes_.emplace_back();
        std::size_t total = 0;
        for(const std::string& s: strings) {
            total += s.size();
            if(s.empty()) {
                tokenworks::detail::raise<argument_error>({"stop strings: string ", &s - strings.data(), " is empty"});
            }
            if(total > most_bytes) {
                tokenworks::detail::raise<limit_error>({"stop strings: more than ", most_bytes, " bytes"});
            }
            insert(s);
        }
        link();
    }

    /// Reads the next bytes of the text, up to the first end of a stop string; of several that end there the longest
    /// counts. Nothing where none ends.
    [[nodiscard]] std::optional<match> feed(std::string_view piece) noexcept {
        for(std::size_t i = 0; i < piece.size(); ++i) {
            state_ = next(state_, piece[i]);
            if(nodes_[state_].found != 0) {
                return match{i + 1, nodes_[state_].found};
            }
        }
        return std::nullopt;
    }

    /// The length of the longest end of the text so far with which a stop string begins.
    [[nodiscard]] std::size_t held() const noexcept { return nodes_[state_].depth; }

private:
    static constexpr std::size_t most_bytes = std::size_t{1} << 24;
    static constexpr std::uint32_t root = 0; // no node has the root as a child, so it stands for "none" too

    struct node {
        std::uint32_t child = root;    // the first
        std::uint32_t sibling = root;  // the next child of the parent
        std::uint32_t fallback = root; // the longest proper end of this node's text that is a node's text
        std::uint32_t depth = 0;       // the length of this node's text
        std::uint32_t found = 0;       // the length of the longest stop string that ends here
        char byte = 0;
    };

    [[nodiscard]] std::uint32_t child(std::uint32_t parent, char byte) const noexcept {
        std::uint32_t n = nodes_[parent].child;
        while(n != root && nodes_[n].byte != byte) {
            n = nodes_[n].sibling;
        }
        return n;
    }

    [[nodiscard]] std::uint32_t next(std::uint32_t from, char byte) const noexcept {
        for(;;) {
            const std::uint32_t to = child(from, byte);
            if(to != root || from == root) {
                return to;
            }
            from = nodes_[from].fallback;
        }
    }

    void insert(std::string_view text) {
        std::uint32_t at = root;
        for(const char byte: text) {
            std::uint32_t to = child(at, byte);
            if(to == root) {
                to = static_cast<std::uint32_t>(nodes_.size());
                node added;
                added.sibling = nodes_[at].child;
                added.depth = nodes_[at].depth + 1;
                added.byte = byte;
                nodes_.push_back(added);
                nodes_[at].child = to;
            }
            at = to;
        }
        nodes_[at].found = nodes_[at].depth;
    }

    /// Sets the fallbacks, in order of depth: a node's is one step from its parent's.
    void link() {
        std::vector<std::uint32_t> queue{root};
        for(std::size_t i = 0; i < queue.size(); ++i) {
            const std::uint32_t parent = queue[i];
            for(std::uint32_t n = nodes_[parent].child; n != root; n = nodes_[n].sibling) {
                nodes_[n].fallback = parent == root ? root : next(nodes_[parent].fallback, nodes_[n].byte);
                nodes_[n].found = std::max(nodes_[n].found, nodes_[nodes_[n].fallback].found);
                queue.push_back(n);
            }
        }
    }

    std::vector<node> nodes_;
    std::uint32_t state_ = root;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
