// Text to token ids and back, for one model's vocabulary.
//
// A tokenizer is a value built from plain data; it is read-only afterwards and may be shared by any number of threads.
// Encoding finds the special tokens first, then hands the text between them to byte-level BPE or to SentencePiece BPE;
// or it takes steps of its own (codec/token_steps.hpp). With the former two, decode(encode(x)) == x for
// every byte string x, valid UTF-8 or not, where the vocabulary has all 256 bytes. That is stricter than the reference
// implementations, which replace invalid UTF-8 by U+FFFD.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
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
#include <tokenworks/codec/token_steps.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

struct encode_options {
    bool add_special = false;   ///< bos before and eos after, where the model wants them
    bool parse_special = false; ///< match control tokens in the text; leave it off for text that a user wrote
};

struct decode_options {
    bool special = false; ///< render control and unknown tokens as they are spelt
};

/// A part of a prompt. Control tokens are matched in trusted parts only (codec/chat_template.hpp makes these).
struct text_segment {
    std::string text;
    bool trusted = false;
};

class tokenizer {
public:
    static constexpr std::size_t longest_text = std::size_t{1} << 31; ///< bytes

    /// @throws format_error, unsupported_error, limit_error as vocabulary, byte_level_bpe and sentencepiece do
    explicit tokenizer(const vocabulary_data& data);

    /// A tokenizer of steps of its own (codec/token_pipeline.hpp makes such from data, models/tokenizer_folder.hpp
    /// reads them from a folder). Decoding then gives back what its normalizer and its vocabulary leave of a text.
    /// @throws argument_error for no steps
    tokenizer(codec::vocabulary vocab, std::shared_ptr<const token_steps> steps);

    /// The ids of a text, which may be any bytes. O(n log n) time and O(n) memory for n bytes.
    /// @throws limit_error for a text over longest_text
    [[nodiscard]] std::vector<token_id> encode(std::string_view text, encode_options options = {}) const;

    /// The same, appended to ids.
    void encode_to(std::vector<token_id>& ids, std::string_view text, encode_options options = {}) const;

    /// The ids of the segments, joined to one text. Merges may cross their borders, control tokens may not.
    [[nodiscard]] std::vector<token_id> encode(std::span<const text_segment> segments, bool add_special = false) const;

    /// The ids of two texts in the form that a model expects for pairs, and the segment that each id belongs to.
    struct pair_ids {
        std::vector<token_id> ids;
        std::vector<std::uint32_t> types;
    };
    /// @param most  ids in all: the longer text's end is cut first, then both
    /// @throws unsupported_error where the tokenizer came from a vocabulary whose texts have no end token
    [[nodiscard]] pair_ids encode_pair(std::string_view first, std::string_view second, encode_options options = {},
                                       std::size_t most = std::numeric_limits<std::size_t>::max()) const;

    /// Appends the bytes of a whole sequence to out. Where encoding puts a blank before a text, it is taken away again.
    /// @throws argument_error for an id outside of the vocabulary
    void decode_to(std::string& out, std::span<const token_id> ids, decode_options options = {}) const;

    /// The same, as a new string.
    [[nodiscard]] std::string decode(std::span<const token_id> ids, decode_options options = {}) const {
        std::string out;
        decode_to(out, ids, options);
        return out;
    }

    /// The bytes of one token in the middle of a text, for streaming; a control token's are its spelling.
    /// @throws argument_error for an id outside of the vocabulary
    [[nodiscard]] std::string_view piece(token_id id) const;

    /// Appends piece(id); nothing for a control or unknown token unless special is set.
    void append_piece(token_id id, std::string& out, bool special = false) const {
        const std::string_view bytes = piece(id);
        if(special || !vocabulary_.is_hidden(id)) {
            out += bytes;
        }
    }

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
    using own_steps = std::shared_ptr<const token_steps>;
    using model = std::variant<byte_level_bpe, sentencepiece, own_steps>;

    [[nodiscard]] static model make_model(const vocabulary_data& data, const codec::vocabulary& vocab);

    static void check_length(std::size_t bytes);

    [[nodiscard]] pair_ids encode_vocabulary_pair(std::string_view first, std::string_view second,
                                                  encode_options options, std::size_t most) const;
    void encode_parts(std::vector<token_id>& ids, std::string_view text, const std::vector<text_part>& special,
                      bool add_special) const;

    codec::vocabulary vocabulary_;
    model model_;
    special_matcher user_defined_;
    special_matcher hidden_;
    special_matcher special_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION tokenizer::tokenizer(const vocabulary_data& data)
    : vocabulary_{data},
      model_{make_model(data, vocabulary_)},
      user_defined_{vocabulary_, true, false},
      hidden_{vocabulary_, false, true},
      special_{vocabulary_, true, true} {}

TOKENWORKS_FUNCTION tokenizer::tokenizer(codec::vocabulary vocab, std::shared_ptr<const token_steps> steps)
    : vocabulary_{std::move(vocab)},
      model_{std::move(steps)},
      user_defined_{vocabulary_, false, false},
      hidden_{vocabulary_, false, false},
      special_{vocabulary_, false, false} {
    if(std::get<own_steps>(model_) == nullptr) {
        tokenworks::detail::raise<argument_error>({"tokenizer: no steps"});
    }
}

TOKENWORKS_FUNCTION std::vector<token_id> tokenizer::encode(std::string_view text, encode_options options) const {
    std::vector<token_id> ids;
    encode_to(ids, text, options);
    return ids;
}

TOKENWORKS_FUNCTION void tokenizer::encode_to(std::vector<token_id>& ids, std::string_view text,
                                              encode_options options) const {
    check_length(text.size());
    if(const auto* own = std::get_if<own_steps>(&model_)) {
        return (*own)->encode(vocabulary_, text, {{0, options.parse_special ? text.size() : 0}}, options.add_special,
                              ids);
    }
    const special_matcher& matcher = options.parse_special ? special_ : user_defined_;
    encode_parts(ids, text, matcher.find(vocabulary_, text), options.add_special);
}

TOKENWORKS_FUNCTION tokenizer::pair_ids tokenizer::encode_pair(std::string_view first, std::string_view second,
                                                               encode_options options, std::size_t most) const {
    const auto* const own = std::get_if<own_steps>(&model_);
    check_length(first.size());
    check_length(second.size());
    if(own == nullptr) {
        return encode_vocabulary_pair(first, second, options, most);
    }
    pair_ids out;
    (*own)->encode_pair(vocabulary_, first, second, options.parse_special, options.add_special, most, out.ids,
                        out.types);
    return out;
}

/// Both texts end as one alone does, and a separator may stand between them: how llama.cpp puts a question and what may
/// answer it together (tools/server, format_prompt_rerank), and RoBERTa's own form.
TOKENWORKS_FUNCTION tokenizer::pair_ids tokenizer::encode_vocabulary_pair(std::string_view first,
                                                                          std::string_view second,
                                                                          encode_options options,
                                                                          std::size_t most) const {
    if(!vocabulary_.add_eos()) {
        tokenworks::detail::raise<unsupported_error>({vocabulary_.name(), ": this tokenizer has no form for pairs"});
    }
    const encode_options inner{.parse_special = options.parse_special};
    std::vector<token_id> first_ids = encode(first, inner);
    std::vector<token_id> second_ids = encode(second, inner);
    const std::size_t around = options.add_special ? 2U + vocabulary_.add_bos() + vocabulary_.add_sep() : 0U;
    detail::cut_pair(first_ids, second_ids, most - std::min(most, around));
    pair_ids out;
    const auto put = [&](bool is_there, std::optional<token_id> id) {
        if(options.add_special && is_there) {
            out.ids.push_back(*id);
        }
    };
    put(vocabulary_.add_bos(), vocabulary_.bos());
    out.ids.insert(out.ids.end(), first_ids.begin(), first_ids.end());
    put(true, vocabulary_.eos());
    put(vocabulary_.add_sep(), vocabulary_.sep());
    out.ids.insert(out.ids.end(), second_ids.begin(), second_ids.end());
    put(true, vocabulary_.eos());
    out.types.assign(out.ids.size(), 0);
    return out;
}

TOKENWORKS_FUNCTION void tokenizer::decode_to(std::string& out, std::span<const token_id> ids,
                                              decode_options options) const {
    if(const auto* own = std::get_if<own_steps>(&model_)) {
        for(const token_id id: ids) {
            static_cast<void>(piece(id)); // throws for an id outside of the vocabulary
        }
        return (*own)->decode_to(vocabulary_, out, ids, options.special);
    }
    bool blank = vocabulary_.add_space_prefix(); // the next text starts with a blank that encoding has put there
    for(const token_id id: ids) {
        std::string_view bytes = piece(id);
        if(vocabulary_.is_special(id)) {
            blank = vocabulary_.add_space_prefix();
            if(vocabulary_.is_hidden(id) && !options.special) {
                continue;
            }
        } else if(blank) {
            bytes.remove_prefix(bytes.starts_with(' ') ? 1 : 0);
            blank = false;
        }
        out += bytes;
    }
}

TOKENWORKS_FUNCTION std::string_view tokenizer::piece(token_id id) const {
    if(!vocabulary_.contains(id)) {
        tokenworks::detail::raise<argument_error>(
            {"tokenizer: id ", id, " is outside of the vocabulary of ", vocabulary_.size()});
    }
    return vocabulary_.piece(id);
}

TOKENWORKS_FUNCTION tokenizer::model tokenizer::make_model(const vocabulary_data& data,
                                                           const codec::vocabulary& vocab) {
    if(vocab.is_byte_level()) {
        return byte_level_bpe{data, vocab};
    }
    return sentencepiece{data, vocab};
}

TOKENWORKS_FUNCTION void tokenizer::check_length(std::size_t bytes) {
    if(bytes > longest_text) {
        tokenworks::detail::raise<limit_error>({"tokenizer: a text of ", bytes, " bytes; the limit is ", longest_text});
    }
}

TOKENWORKS_FUNCTION void tokenizer::encode_parts(std::vector<token_id>& ids, std::string_view text,
                                                 const std::vector<text_part>& special, bool add_special) const {
    if(add_special && vocabulary_.add_bos()) {
        ids.push_back(*vocabulary_.bos());
    }
    // Text at the start and after a special token gets a blank where the model wants one.
    const auto encode_text = [&](std::string_view part) {
        if(part.empty()) {
            return;
        }
        if(const auto* bpe = std::get_if<byte_level_bpe>(&model_)) {
            bpe->encode(vocabulary_, part, ids);
        } else {
            std::get<sentencepiece>(model_).encode(vocabulary_, part, vocabulary_.add_space_prefix(), ids);
        }
    };
    std::size_t at = 0;
    for(const text_part& part: special) {
        encode_text(text.substr(at, part.begin - at));
        ids.push_back(part.token);
        at = part.end;
    }
    encode_text(text.substr(at));
    if(add_special && vocabulary_.add_eos()) {
        ids.push_back(*vocabulary_.eos());
    }
}

TOKENWORKS_FUNCTION std::vector<token_id> tokenizer::encode(std::span<const text_segment> segments,
                                                            bool add_special) const {
    std::string text;
    if(const auto* own = std::get_if<own_steps>(&model_)) {
        std::vector<token_steps::range> trusted;
        for(const text_segment& segment: segments) {
            if(segment.trusted) {
                trusted.push_back({text.size(), text.size() + segment.text.size()});
            }
            text += segment.text;
        }
        check_length(text.size());
        std::vector<token_id> ids;
        (*own)->encode(vocabulary_, text, trusted, add_special, ids);
        return ids;
    }
    std::vector<text_part> controls;
    for(const text_segment& segment: segments) {
        if(segment.trusted) {
            for(text_part part: hidden_.find(vocabulary_, segment.text)) {
                part.begin += text.size();
                part.end += text.size();
                controls.push_back(part);
            }
        }
        text += segment.text;
    }
    check_length(text.size());
    std::vector<text_part> parts;
    std::size_t at = 0;
    const auto add_user_defined = [&](std::size_t end) {
        for(text_part part: user_defined_.find(vocabulary_, std::string_view{text}.substr(at, end - at))) {
            part.begin += at;
            part.end += at;
            parts.push_back(part);
        }
    };
    for(const text_part& control: controls) {
        add_user_defined(control.begin);
        parts.push_back(control);
        at = control.end;
    }
    add_user_defined(text.size());
    std::vector<token_id> ids;
    encode_parts(ids, text, parts, add_special);
    return ids;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
