// The tokens of a model: texts, types, scores and special ids, validated once and then read-only.
//
// A vocabulary is built from plain data (vocabulary_data), not from a file format, so that this layer needs core only.
// The texts lie in one block beside an array of offsets, and a hash table of 8 bytes a slot finds them: 262 144 tokens
// cost about 12 MB, where a map of strings costs five times as much. The longest run of occupied slots is limited, so a
// file whose tokens collide on purpose is refused instead of being slow.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/byte_alphabet.hpp>
#include <tokenworks/codec/string_index.hpp>
#include <tokenworks/config.hpp>
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
    std::string model;                    ///< "gpt2": byte-level BPE; "llama" or "gemma": SentencePiece BPE; see below
    std::string pre;                      ///< name of the pre-tokenizer; byte-level BPE only, empty means "default"
    std::string general_name;             ///< the model's name (general.name); Phi-3's changes how blanks are treated
    std::vector<std::string_view> tokens; ///< [V]
    std::vector<float> scores;            ///< [V] or empty; SentencePiece needs them
    std::vector<std::int32_t> types;      ///< [V] or empty (all normal); SentencePiece needs them
    std::vector<std::string_view> merges; ///< "left right", best first; byte-level BPE only
    std::optional<std::uint32_t> bos, eos, eot, eom, unk, sep, pad, mask;
    std::optional<std::uint32_t> fim_prefix, fim_suffix, fim_middle; ///< see codec/infill.hpp
    std::optional<bool> add_bos, add_eos, add_space_prefix;          ///< absent: the model's usual choice
    std::optional<bool> add_sep; ///< whether `sep` stands between two texts as well; absent: where there is one

    // Models "bert", WordPiece, and "t5", Unigram, which codec/vocabulary_tokenizer.hpp knows:
    std::string charsmap;                         ///< as normalizer_data has it
    std::optional<bool> remove_extra_blanks;      ///< absent: no
    std::optional<bool> lowercase, strip_accents; ///< absent: yes; the same as lowercase

    // Where a tokenizer has steps of its own (codec/token_pipeline.hpp), model "tokenizer":
    std::vector<std::string_view> pieces; ///< [V] the bytes that each token stands for
    std::vector<std::uint32_t> ends;      ///< further tokens that generation ends with
};

namespace detail {

/// The value of "<0xHH>", or -1.
[[nodiscard]] constexpr int parse_byte_token(std::string_view text) noexcept {
    if(text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') {
        return -1;
    }
    int value = 0;
    for(const char c: text.substr(3, 2)) {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                 : -1;
        if(digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

[[nodiscard]] constexpr bool is_one_of(std::string_view text, std::initializer_list<std::string_view> list) noexcept {
    for(const std::string_view entry: list) {
        if(entry == text) {
            return true;
        }
    }
    return false;
}

/// Whether a merge "ab c" puts together the text "abc".
[[nodiscard]] constexpr bool is_split_of(std::string_view merge, std::string_view text) noexcept {
    const std::size_t blank = merge.find(' ', 1);
    return blank != merge.npos && text.starts_with(merge.substr(0, blank)) &&
           text.substr(blank) == merge.substr(blank + 1);
}

} // namespace detail

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
    [[nodiscard]] std::optional<token_id> sep() const noexcept { return sep_; }
    /// Of what the file names for filling in the middle; codec/infill.hpp also knows them by their spelling.
    [[nodiscard]] std::optional<token_id> fim_prefix() const noexcept { return fim_prefix_; }
    [[nodiscard]] std::optional<token_id> fim_suffix() const noexcept { return fim_suffix_; }
    [[nodiscard]] std::optional<token_id> fim_middle() const noexcept { return fim_middle_; }
    [[nodiscard]] bool add_bos() const noexcept { return add_bos_; }
    [[nodiscard]] bool add_eos() const noexcept { return add_eos_; }
    /// Between two texts, behind the first one's end.
    [[nodiscard]] bool add_sep() const noexcept { return add_sep_; }
    [[nodiscard]] bool add_space_prefix() const noexcept { return add_space_prefix_; }
    [[nodiscard]] bool is_byte_level() const noexcept { return byte_level_; }
    /// Whether blanks after a special token belong to it (Phi-3).
    [[nodiscard]] bool strips_right(token_id id) const noexcept {
        return strip_right_ && is_special(id) && text(id) != "<unk>" && text(id) != "<s>" &&
               text(id) != "<|endoftext|>";
    }
    /// Whether the token is matched in text as a whole, before anything else.
    [[nodiscard]] bool is_special(token_id id) const noexcept {
        return is_hidden(id) || type(id) == token_type::user_defined;
    }
    /// Whether encoding plain text may produce the token by merging.
    [[nodiscard]] bool is_text(token_id id) const noexcept { return !is_special(id) && type(id) != token_type::byte; }
    /// The token of one byte; empty where the vocabulary has none.
    [[nodiscard]] std::optional<token_id> byte_token(unsigned char byte) const noexcept {
        return bytes_[byte] < 0 ? std::nullopt : std::optional{bytes_[byte]};
    }
    /// Whether every byte has a token, so that every byte string survives encoding and decoding.
    [[nodiscard]] bool has_all_bytes() const noexcept { return has_all_bytes_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
    [[noreturn]] TOKENWORKS_COLD static void refuse(const vocabulary_data& data, const char* field,
                                                    tokenworks::detail::message_parts what) {
        const char* const prefix = data.model == "tokenizer" ? "" : "tokenizer.ggml.";
        tokenworks::detail::raise_format(data.name, {prefix, field}, format_error::no_offset, what);
    }
    void read_tokens(const vocabulary_data& data);
    void make_pieces(const vocabulary_data& data);
    void read_special_ids(const vocabulary_data& data);
    void find_ends(const vocabulary_data& data);

    std::string name_;
    string_block texts_;
    string_block pieces_;
    string_index index_;
    std::vector<token_type> types_;
    std::vector<float> scores_;
    std::vector<token_id> ends_;
    std::array<token_id, 256> bytes_{};
    std::optional<token_id> bos_, eos_, eot_, eom_, unk_, pad_, sep_;
    std::optional<token_id> fim_prefix_, fim_suffix_, fim_middle_;
    bool byte_level_ = false;
    bool with_pieces_ = false;
    bool has_all_bytes_ = false;
    bool add_bos_ = false;
    bool add_eos_ = false;
    bool add_sep_ = false;
    bool add_space_prefix_ = false;
    bool strip_right_ = false;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION vocabulary::vocabulary(const vocabulary_data& data)
    : name_{data.name}, byte_level_{data.model == "gpt2"}, with_pieces_{data.model == "tokenizer"} {
    if(!byte_level_ && !with_pieces_ && data.model != "llama" && data.model != "gemma") {
        tokenworks::detail::raise<unsupported_error>(
            {data.name.empty() ? "<memory>" : data.name, ": tokenizer.ggml.model: \"",
             tokenworks::detail::escaped(data.model), "\" is not supported (gpt2, llama and gemma are)"});
    }
    read_tokens(data);
    find_ends(data);
    make_pieces(data);
    read_special_ids(data);
}

TOKENWORKS_FUNCTION void vocabulary::read_tokens(const vocabulary_data& data) {
    const std::size_t count = data.tokens.size();
    if(count == 0) {
        refuse(data, "tokens", {"the vocabulary is empty"});
    }
    if(count > std::size_t{1} << 28) {
        tokenworks::detail::raise<limit_error>({data.name, ": tokenizer.ggml.tokens: over 2^28 tokens"});
    }
    const auto check_length = [&](const char* field, std::size_t length) {
        if(length != 0 ? length != count : !byte_level_ && !with_pieces_) {
            refuse(data, field, {length, " entries for ", count, " tokens"});
        }
    };
    check_length("scores", data.scores.size());
    check_length("token_type", data.types.size());
    if(data.pieces.size() != (with_pieces_ ? count : 0)) {
        refuse(data, "tokens", {data.pieces.size(), " pieces for ", count, " tokens"});
    }

    std::size_t bytes = 0;
    for(const std::string_view token: data.tokens) {
        bytes += token.size();
    }
    texts_.reserve(count, bytes);
    index_.reserve(count);
    types_.assign(count, token_type::normal);
    for(std::size_t i = 0; i < count; ++i) {
        const std::string_view token = data.tokens[i];
        texts_.push_back(token);
        if(!token.empty()) { // an empty text is a hole in the vocabulary: it has an id, but nothing finds it
            const std::uint32_t first = index_.insert(texts_, static_cast<std::uint32_t>(i));
            if(first != i) {
                refuse(data, "tokens",
                       {"tokens ", first, " and ", i, " are both \"", tokenworks::detail::escaped(token), "\""});
            }
        }
        if(!data.types.empty()) {
            const std::int32_t type = data.types[i];
            if(type < 0 || type > 6) {
                refuse(data, "token_type", {"token ", i, " has type ", type});
            }
            types_[i] = static_cast<token_type>(type);
        }
    }
    for(std::size_t i = 0; i < data.scores.size(); ++i) {
        if(std::isnan(data.scores[i])) {
            refuse(data, "scores", {"the score of token ", i, " is not a number"});
        }
    }
    if(!byte_level_) {
        scores_ = data.scores;
    }
}

TOKENWORKS_FUNCTION void vocabulary::make_pieces(const vocabulary_data& data) {
    constexpr std::string_view space = "\xE2\x96\x81"; // U+2581, SentencePiece's spelling of a blank
    bytes_.fill(-1);
    pieces_.reserve(size(), texts_.bytes());
    for(std::size_t i = 0; i < size(); ++i) {
        const std::string_view text = texts_[i];
        std::string& out = pieces_.tail();
        const std::size_t before = out.size();
        const auto id = static_cast<token_id>(i);
        if(types_[i] == token_type::byte) {
            const int byte = detail::parse_byte_token(text);
            if(byte < 0) {
                refuse(
                    data, "tokens",
                    {"byte token ", i, " is \"", tokenworks::detail::escaped(text), "\" instead of <0x00> to <0xFF>"});
            }
            out += static_cast<char>(static_cast<unsigned char>(byte));
            if(bytes_[std::size_t(byte)] < 0) {
                bytes_[std::size_t(byte)] = id;
            }
        } else if(with_pieces_) {
            out += data.pieces[i];
            if(is_text(id) && data.pieces[i].size() == 1 && bytes_[static_cast<unsigned char>(out.back())] < 0) {
                bytes_[static_cast<unsigned char>(out.back())] = id;
            }
        } else if(!is_special(id) && !byte_level_) {
            for(std::size_t at = 0; at < text.size();) {
                const bool blank = text.substr(at, space.size()) == space;
                out += blank ? ' ' : text[at];
                at += blank ? space.size() : 1;
            }
        } else if(!is_special(id) && append_spelt_bytes(out, text)) {
            if(out.size() == before + 1) {
                bytes_[static_cast<unsigned char>(out.back())] = id;
            }
        } else {
            out += text;
        }
        pieces_.close();
    }
    has_all_bytes_ = std::find(bytes_.begin(), bytes_.end(), -1) == bytes_.end();
}

TOKENWORKS_FUNCTION void vocabulary::read_special_ids(const vocabulary_data& data) {
    const auto check = [&](const char* field, const std::optional<std::uint32_t>& id) -> std::optional<token_id> {
        if(id && *id >= size()) {
            refuse(data, field, {"id ", *id, " in a vocabulary of ", size()});
        }
        return id ? std::optional{static_cast<token_id>(*id)} : std::nullopt;
    };
    // SentencePiece models have <unk>, <s>, </s> first, unless the file says otherwise.
    const auto usual = [&](std::optional<token_id>& id, token_id first) {
        if(!id && !byte_level_ && !with_pieces_ && contains(first) && is_hidden(first)) {
            id = first;
        }
    };
    bos_ = check("bos_token_id", data.bos);
    eos_ = check("eos_token_id", data.eos);
    unk_ = check("unknown_token_id", data.unk);
    usual(unk_, 0);
    usual(bos_, 1);
    usual(eos_, 2);
    if(const auto eot = check("eot_token_id", data.eot)) {
        eot_ = eot;
    }
    eom_ = check("eom_token_id", data.eom);
    pad_ = data.pad == ~std::uint32_t{0} ? std::nullopt : check("padding_token_id", data.pad);
    sep_ = check("seperator_token_id", data.sep); // spelt so in GGUF
    (void)check("mask_token_id", data.mask);
    fim_prefix_ = check("fim_pre_token_id", data.fim_prefix);
    fim_suffix_ = check("fim_suf_token_id", data.fim_suffix);
    fim_middle_ = check("fim_mid_token_id", data.fim_middle);
    for(const auto& id: {eos_, eot_, eom_}) {
        if(id && !is_end(*id)) {
            ends_.push_back(*id);
        }
    }

    for(const std::uint32_t end: data.ends) {
        if(const auto id = check("eos_token_id", end); id && !is_end(*id)) {
            ends_.push_back(*id);
        }
    }

    const bool llama3 = detail::is_one_of(data.pre, {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1",
                                                     "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"});
    add_bos_ = data.add_bos.value_or(byte_level_ ? llama3 : !with_pieces_);
    add_eos_ = data.add_eos.value_or(false);
    add_sep_ = sep_ && data.add_sep.value_or(true);
    add_space_prefix_ = !byte_level_ && !with_pieces_ && data.add_space_prefix.value_or(true);
    if(add_bos_ && !bos_) {
        refuse(data, "bos_token_id", {"absent, although the model adds it to each text"});
    }
    if(add_eos_ && !eos_) {
        refuse(data, "eos_token_id", {"absent, although the model adds it to each text"});
    }
    std::string lower = data.general_name;
    for(char& c: lower) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    strip_right_ = data.pre == "phi-3" || lower.find("phi-3") != lower.npos || lower.find("phi3") != lower.npos;
}

// Files name at most one or two of the tokens that end an answer; the others are known by their spelling only. The list
// is llama.cpp's (special_eog_ids in src/llama-vocab.cpp).
TOKENWORKS_FUNCTION void vocabulary::find_ends(const vocabulary_data& data) {
    // The first ten also serve as end of turn, the first that is found.
    constexpr std::array<std::string_view, 33> spellings{
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>",
        "[EOT]", "<end_of_utterance>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "</s>", "<|eom_id|>",
        "[EOS]", "<eos>", "<turn|>", "<|tool_response>",
        "<\xEF\xBD\x9C"
        "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",
        "[e~[",
        // fillers of code models
        "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]", "<|fim_repo|>", "<|repo_name|>", "<fim-repo>",
        "<REPO>", "<reponame>", "<|file_sep|>"};
    for(std::size_t i = 0; i < spellings.size(); ++i) {
        const std::string_view spelling = spellings[i];
        const auto id = find(spelling);
        if(!id) {
            continue;
        }
        token_type& type = types_[std::size_t(*id)];
        if(type == token_type::normal && with_pieces_) {
            continue; // such files do not forget the type
        }
        if(type == token_type::normal) {
            // Some files forget the type. But a text that merges to such a spelling is text (Qwen2's "</s>").
            bool is_text = !byte_level_ && spelling == "</s>";
            for(const std::string_view merge: data.merges) {
                is_text = is_text || (merge.size() == spelling.size() + 1 && detail::is_split_of(merge, spelling));
            }
            if(is_text) {
                continue;
            }
            type = token_type::control;
        } else if(type != token_type::control && spelling == "</s>") {
            continue; // an HTML tag in Gemma's vocabulary
        }
        ends_.push_back(*id);
        if(i < 10 && !eot_) {
            eot_ = id;
        }
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
