// The tokens of a model: texts, types, scores and special ids, validated once and then read-only.
//
// A vocabulary is built from plain data (vocabulary_data), not from a file format, so that this layer needs core only.
// The texts lie in one block beside an array of offsets, and a hash table of 8 bytes a slot finds them: 262 144 tokens
// cost about 12 MB, where a map of strings costs five times as much. The longest run of occupied slots is limited, so a
// file whose tokens collide on purpose is refused instead of being slow.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/byte_alphabet.hpp>
#include <tokenworks/codec/string_index.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// Index of a token in its vocabulary.
using token_id = std::int32_t;

/// Kinds of tokens, with the numbers that GGUF's tokenizer.ggml.token_type uses.
enum class token_type : std::uint8_t {
    undefined = 0,
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6
};

/// What a tokenizer is built from: the tokenizer.ggml.* entries of a GGUF file, unchecked.
/// The views must stay valid while the tokenizer is constructed, not longer.
struct vocabulary_data {
    std::string name;                     ///< the file, for error messages
    std::string model;                    ///< "gpt2": byte-level BPE; "llama" or "gemma": SentencePiece BPE
    std::string pre;                      ///< name of the pre-tokenizer; byte-level BPE only, empty means "default"
    std::string general_name;             ///< the model's name (general.name); Phi-3's changes how blanks are treated
    std::vector<std::string_view> tokens; ///< [V]
    std::vector<float> scores;            ///< [V] or empty; SentencePiece needs them
    std::vector<std::int32_t> types;      ///< [V] or empty (all normal); SentencePiece needs them
    std::vector<std::string_view> merges; ///< "left right", best first; byte-level BPE only
    std::optional<std::uint32_t> bos, eos, eot, eom, unk, sep, pad, mask;
    std::optional<bool> add_bos, add_eos, add_space_prefix; ///< absent: the model's usual choice
};

class vocabulary {
public:
    /// @throws unsupported_error for a model other than those named at vocabulary_data
    /// @throws format_error naming the field, where the data contradict themselves
    /// @throws limit_error for texts over 4 GiB together or a hash table degraded on purpose
    explicit vocabulary(const vocabulary_data& data);

    /// V, the number of tokens.
    [[nodiscard]] std::size_t size() const noexcept { return types_.size(); }
    [[nodiscard]] bool contains(token_id id) const noexcept { return id >= 0 && std::size_t(id) < size(); }

    /// The token as the file spells it. @pre contains(id)
    [[nodiscard]] std::string_view text(token_id id) const noexcept { return texts_[std::size_t(id)]; }
    /// The bytes that the token stands for; the spelling where it stands for none (control, unknown). @pre contains(id)
    [[nodiscard]] std::string_view piece(token_id id) const noexcept { return pieces_[std::size_t(id)]; }
    [[nodiscard]] token_type type(token_id id) const noexcept { return types_[std::size_t(id)]; }
    /// 0 where the file has no scores. @pre contains(id)
    [[nodiscard]] float score(token_id id) const noexcept { return scores_.empty() ? 0.F : scores_[std::size_t(id)]; }

    /// The token that the file spells so, of whatever type.
    [[nodiscard]] std::optional<token_id> find(std::string_view spelling) const noexcept {
        const std::uint32_t at = index_.find(texts_, spelling);
        return at == string_index::none ? std::nullopt : std::optional{static_cast<token_id>(at)};
    }

    /// Whether the token renders as nothing unless special tokens are asked for.
    [[nodiscard]] bool is_hidden(token_id id) const noexcept {
        return type(id) == token_type::control || type(id) == token_type::unknown;
    }
    /// Whether generation ends with this token: eos, eot, eom, and the spellings models use for these.
    [[nodiscard]] bool is_end(token_id id) const noexcept {
        for(const token_id end: ends_) {
            if(end == id) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] const std::vector<token_id>& ends() const noexcept { return ends_; }

    [[nodiscard]] std::optional<token_id> bos() const noexcept { return bos_; }
    [[nodiscard]] std::optional<token_id> eos() const noexcept { return eos_; }
    [[nodiscard]] std::optional<token_id> eot() const noexcept { return eot_; }
    [[nodiscard]] std::optional<token_id> unk() const noexcept { return unk_; }
    [[nodiscard]] std::optional<token_id> pad() const noexcept { return pad_; }
    [[nodiscard]] bool add_bos() const noexcept { return add_bos_; }
    [[nodiscard]] bool add_eos() const noexcept { return add_eos_; }
    [[nodiscard]] bool add_space_prefix() const noexcept { return add_space_prefix_; }
    [[nodiscard]] bool is_byte_level() const noexcept { return byte_level_; }
    /// Whether blanks after a special token belong to it (Phi-3).
    [[nodiscard]] bool strips_right(token_id id) const noexcept {
        return strip_right_ && is_special(id) && text(id) != "<unk>" && text(id) != "<s>" && text(id) != "<|endoftext|>";
    }
    /// Whether the token is matched in text as a whole, before anything else.
    [[nodiscard]] bool is_special(token_id id) const noexcept {
        return is_hidden(id) || type(id) == token_type::user_defined;
    }

private:
    void read_tokens(const vocabulary_data& data);
    void make_pieces(const vocabulary_data& data);
    void read_special_ids(const vocabulary_data& data);
    void find_ends(const vocabulary_data& data);

    string_block texts_;
    string_block pieces_;
    string_index index_;
    std::vector<token_type> types_;
    std::vector<float> scores_;
    std::vector<token_id> ends_;
    std::optional<token_id> bos_, eos_, eot_, eom_, unk_, pad_;
    bool byte_level_ = false;
    bool add_bos_ = false;
    bool add_eos_ = false;
    bool add_space_prefix_ = false;
    bool strip_right_ = false;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
