// Text to token ids and back, for one model's vocabulary.
//
// A tokenizer is a value built from plain data; it is read-only afterwards and may be shared by any number of threads.
// Encoding finds the special tokens first, then hands the text between them to byte-level BPE or to SentencePiece BPE.
// decode(encode(x)) == x for every byte string x, valid UTF-8 or not, where the vocabulary has all 256 bytes. That is
// stricter than the reference implementations, which replace invalid UTF-8 by U+FFFD.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <tokenworks/codec/bpe.hpp>
#include <tokenworks/codec/sentencepiece.hpp>
#include <tokenworks/codec/special_matcher.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

struct encode_options {
    bool add_special = false;   ///< bos before and eos after, where the model wants them
    bool parse_special = false; ///< match control tokens in the text; leave it off for text that a user wrote
};

struct decode_options {
    bool special = false; ///< render control and unknown tokens as they are spelt
};

class tokenizer {
public:
    /// @throws format_error, unsupported_error, limit_error as vocabulary, byte_level_bpe and sentencepiece do
    explicit tokenizer(const vocabulary_data& data);

    /// The ids of a text, which may be any bytes. O(n log n) time and O(n) memory for n bytes.
    [[nodiscard]] std::vector<token_id> encode(std::string_view text, encode_options options = {}) const;
    /// The same, appended to ids.
    void encode_to(std::vector<token_id>& ids, std::string_view text, encode_options options = {}) const;

    /// Appends the bytes of a whole sequence to out. Where the model puts a blank before a text, it is taken away again.
    /// @throws argument_error for an id outside of the vocabulary
    void decode_to(std::string& out, std::span<const token_id> ids, decode_options options = {}) const;
    [[nodiscard]] std::string decode(std::span<const token_id> ids, decode_options options = {}) const;

    /// The bytes of one token in the middle of a text, for streaming; a control token's are its spelling.
    /// @throws argument_error for an id outside of the vocabulary
    [[nodiscard]] std::string_view piece(token_id id) const;
    /// Appends piece(id); nothing for a control or unknown token unless special is set.
    void append_piece(token_id id, std::string& out, bool special = false) const;

    [[nodiscard]] std::size_t vocab_size() const noexcept { return vocabulary_.size(); }
    [[nodiscard]] std::optional<token_id> bos() const noexcept { return vocabulary_.bos(); }
    [[nodiscard]] std::optional<token_id> eos() const noexcept { return vocabulary_.eos(); }
    [[nodiscard]] std::optional<token_id> eot() const noexcept { return vocabulary_.eot(); }
    /// Whether generation ends with this token; false for an id outside of the vocabulary.
    [[nodiscard]] bool is_end(token_id id) const noexcept { return vocabulary_.is_end(id); }
    /// The token that the file spells so, of whatever type ("<|im_end|>", but "Ġthe" for " the").
    [[nodiscard]] std::optional<token_id> find(std::string_view spelling) const noexcept {
        return vocabulary_.find(spelling);
    }
    /// Texts, types, scores and settings.
    [[nodiscard]] const codec::vocabulary& vocabulary() const noexcept { return vocabulary_; }

private:
    codec::vocabulary vocabulary_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
