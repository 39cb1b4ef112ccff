// What turns text to ids and back, where a tokenizer is neither of the two that GGUF files carry: an interface, so that
// who uses only those compiles nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

namespace detail {

/// Makes two lists at most so long together: the longer one loses its end until it is no longer than the other, then
/// both do, the second keeping the odd one. As `longest_first` of Hugging Face's tokenizers (utils/truncation.rs).
inline void cut_pair(std::vector<token_id>& first, std::vector<token_id>& second, std::size_t most) {
    if(first.size() + second.size() <= most) {
        return;
    }
    const bool swapped = first.size() > second.size();
    std::vector<token_id>& shorter = swapped ? second : first;
    std::vector<token_id>& longer = swapped ? first : second;
    const std::size_t half = most / 2;
    if(shorter.size() <= half) {
        longer.resize(most - shorter.size());
    } else {
        shorter.resize(half);
        longer.resize(most - half);
    }
}

} // namespace detail

/// Constant once made: any number of threads may call it.
class token_steps {
public:
    using range = std::pair<std::size_t, std::size_t>;

    token_steps() = default;
    token_steps(const token_steps&) = delete;
    token_steps& operator=(const token_steps&) = delete;
    virtual ~token_steps() = default;

    /// Appends the ids of a text.
    /// @param trusted  byte ranges in order; special tokens are matched within these only
    virtual void encode(const vocabulary& vocab, std::string_view text, const std::vector<range>& trusted,
                        bool add_special, std::vector<token_id>& ids) const = 0;

    /// The same for two texts, with the segment of each id.
    /// @param most  ids in all, as far as cutting the texts' ends can help: the longer text is cut first
    virtual void encode_pair(const vocabulary& vocab, std::string_view first, std::string_view second,
                             bool parse_special, bool add_special, std::size_t most, std::vector<token_id>& ids,
                             std::vector<std::uint32_t>& types) const = 0;

    /// Appends the text of ids. @pre the ids are in the vocabulary
    virtual void decode_to(const vocabulary& vocab, std::string& out, std::span<const token_id> ids,
                           bool special) const = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
