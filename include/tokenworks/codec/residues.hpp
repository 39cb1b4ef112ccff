// Proteins as tokens: the residues that the tokens of a model stand for, by their letters.
//
//   const codec::residues space{{"<bos>", "<eos>", "A", "C", "D"}};
//   auto ids = space.encode("ACCD");       // 2 3 3 4
//   std::string back = space.decode(ids);
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/token_space.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// Immutable. A token stands for residues where its text is nothing but their letters, one or more; a line break, which
/// some models put after every 60 residues, stands for none.
class residues {
public:
    using data = std::string;

    /// What models make, in the order in which tables have them.
    static constexpr std::string_view standard = "ACDEFGHIKLMNPQRSTVWY";
    /// What may be read besides: unknown, D or N, E or Q; selenocysteine and pyrrolysine.
    static constexpr std::string_view others = "XBZUO";

    /// @param tokens  the text of each id, [V]
    /// @throws argument_error where a standard residue has no token of its own
    explicit residues(const std::vector<std::string>& tokens) {
        single_.fill(none);
        texts_.reserve(tokens.size());
        makes_.reserve(tokens.size());
        for(std::size_t id = 0; id < tokens.size(); ++id) {
            texts_.push_back(letters_of(tokens[id]));
            const std::string& text = texts_.back();
            makes_.push_back(!text.empty() && text.find_first_not_of(standard) == text.npos);
            if(text.size() == 1 && tokens[id].size() == 1 && single_[index(text[0])] == none) {
                single_[index(text[0])] = static_cast<std::int32_t>(id);
            }
        }
        for(const char c: standard) {
            if(single_[index(c)] == none) {
                tokenworks::detail::raise<argument_error>(
                    {"residues: none of ", tokens.size(), " tokens is '", std::string_view{&c, 1}, "'"});
            }
        }
    }

    /// V.
    [[nodiscard]] std::size_t vocab_size() const noexcept { return texts_.size(); }

    /// The id of a residue, or nothing.
    [[nodiscard]] std::optional<std::int32_t> find(char residue) const noexcept {
        const std::int32_t id = residue >= 'A' && residue <= 'Z' ? single_[index(residue)] : none;
        return id == none ? std::nullopt : std::optional{id};
    }

    /// An id a residue. X stands in for others that the model does not know.
    /// @throws argument_error naming the residue and its place, counted from 1
    [[nodiscard]] std::vector<std::int32_t> encode(std::string_view sequence) const {
        std::vector<std::int32_t> ids;
        ids.reserve(sequence.size());
        for(std::size_t i = 0; i < sequence.size(); ++i) {
            std::optional<std::int32_t> id = find(sequence[i]);
            if(!id && others.find(sequence[i]) != others.npos) {
                id = find('X');
            }
            if(!id) {
                tokenworks::detail::raise<argument_error>({"residue ", i + 1, " is '",
                                                           tokenworks::detail::escaped(sequence.substr(i, 1)),
                                                           "', which the model does not know"});
            }
            ids.push_back(*id);
        }
        return ids;
    }

    /// The letters of the ids that stand for residues; others are left out.
    [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const {
        std::string text;
        text.reserve(ids.size());
        for(const std::int32_t id: ids) {
            text += text_of(id);
        }
        return text;
    }

    /// The residues of an id; empty where it stands for none.
    [[nodiscard]] std::string_view text_of(std::int32_t id) const noexcept {
        return id >= 0 && static_cast<std::size_t>(id) < texts_.size() ? std::string_view{texts_[std::size_t(id)]}
                                                                       : std::string_view{};
    }

    /// Whether an id stands for standard residues alone: what may come in a sequence that is made.
    [[nodiscard]] bool makes(std::int32_t id) const noexcept {
        return id >= 0 && static_cast<std::size_t>(id) < makes_.size() && makes_[std::size_t(id)];
    }

private:
    static constexpr std::int32_t none = -1;

    static std::size_t index(char capital) noexcept { return static_cast<std::size_t>(capital - 'A'); }

    /// Its letters where it is residues and line breaks, in a byte-level vocabulary U+010A; otherwise nothing.
    [[nodiscard]] static std::string letters_of(std::string_view token) {
        constexpr std::string_view line_break = "\xC4\x8A";
        std::string letters;
        for(std::size_t i = 0; i < token.size(); ++i) {
            if(token.substr(i).starts_with(line_break)) {
                ++i;
            } else if(standard.find(token[i]) != standard.npos || others.find(token[i]) != others.npos) {
                letters += token[i];
            } else {
                return {};
            }
        }
        return letters;
    }

    std::vector<std::string> texts_{};
    std::vector<bool> makes_{};
    std::array<std::int32_t, 26> single_{};
};

static_assert(token_space<residues>);

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
