// Remembers the ids of words during one call of encode, since text repeats its words.
//
// An entry only says where in the text a word stood and where in the output its ids went: no copies, a fixed size, and
// a look costs one hash and one comparison. Two words that share a place push each other out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <tokenworks/codec/string_index.hpp>
#include <tokenworks/codec/vocabulary.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class word_cache {
public:
    static constexpr std::size_t entries = 4096;
    static constexpr std::size_t longest_word = 64;   ///< bytes; longer words seldom repeat
    static constexpr std::size_t shortest_text = 512; ///< bytes; below, the cache costs more than it saves

    /// For one text, whose words' ids are appended to one vector.
    word_cache(std::string_view text, std::vector<token_id>& ids) : text_{text}, ids_{ids} {
        if(text.size() >= shortest_text) {
            table_.resize(entries);
        }
    }

    /// Appends the ids of text[begin, end): earlier ones, or those that encode(word) appends.
    template <class Encode>
    void append(std::size_t begin, std::size_t end, Encode encode) {
        const std::string_view word = text_.substr(begin, end - begin);
        if(table_.empty() || word.size() > longest_word || word.size() < 2) {
            encode(word);
            return;
        }
        entry& e = table_[detail::hash_bytes(word) % entries];
        if(text_.substr(e.begin, e.length) == word) {
            // resize first: the source may move
            const std::size_t to = ids_.size();
            ids_.resize(to + e.count);
            for(std::size_t i = 0; i < e.count; ++i) {
                ids_[to + i] = ids_[e.ids + i];
            }
            return;
        }
        const std::size_t from = ids_.size();
        encode(word);
        e = {begin, from, static_cast<std::uint32_t>(word.size()), static_cast<std::uint32_t>(ids_.size() - from)};
    }

private:
    struct entry {
        std::size_t begin = 0;
        std::size_t ids = 0;
        std::uint32_t length = 0;
        std::uint32_t count = 0;
    };
    std::string_view text_;
    std::vector<token_id>& ids_;
    std::vector<entry> table_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
