// The form in which models of code take two texts to write what stands between them: fill in the middle.
//
//   [start of text] prefix-token text suffix-token text middle-token, and then the model writes
//
// Bavarian et al., Efficient Training of Language Models to Fill in the Middle (2022), call it PSM. The tokens are
// those that a GGUF file names, else those that are spelt as models spell them: llama.cpp's list (special_fim_pre_id
// and its like in src/llama-vocab.cpp). What the models' authors say beside the tokens:
//
//   Code Llama      infilling_prompt_tokens in llama/generation.py: no blank is put before the text after the gap
//   DeepSeek-Coder  README, "Code Insertion": the token of the gap stands where others have that of the suffix
//   CodeGemma       model card: the three tokens end the gap too, and <|file_separator|>
//   StarCoder 2     <file_sep> begins another file
//
// That a vocabulary has the tokens does not prove that the model was trained with them: those of Qwen2.5 do, all of
// them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// Made from a tokenizer, and used with the same.
class infill_form {
public:
    /// @throws unsupported_error naming the model, where its vocabulary has no such tokens
    explicit infill_form(const tokenizer& tokens);

    [[nodiscard]] token_id prefix() const noexcept { return prefix_; }
    [[nodiscard]] token_id suffix() const noexcept { return suffix_; }
    [[nodiscard]] token_id middle() const noexcept { return middle_; }
    /// Tokens that end the gap, beside those that end any text: for generate_options::stop_tokens.
    [[nodiscard]] const std::vector<token_id>& ends() const noexcept { return ends_; }

    /// The ids of what stands before and after the gap. Nothing in either becomes a token of this form, or one that
    /// ends a text, also where the vocabulary has these as text: their spellings are cut.
    /// @throws argument_error for a text that has such a token however it is cut; what tokenizer::encode throws
    [[nodiscard]] std::vector<token_id> encode(const tokenizer& tokens, std::string_view before,
                                               std::string_view after) const;

private:
    [[nodiscard]] bool is_kept_out(token_id id) const noexcept {
        return std::find(kept_out_.begin(), kept_out_.end(), id) != kept_out_.end();
    }
    void keep_out(const vocabulary& vocab, token_id id);
    void add_text(const tokenizer& tokens, std::string_view text, bool start, std::vector<token_id>& ids) const;
    void add_part(const tokenizer& tokens, std::string_view text, bool start, std::vector<token_id>& ids) const;

    token_id prefix_ = -1, suffix_ = -1, middle_ = -1;
    std::vector<token_id> begin_; // what a text starts with
    std::vector<token_id> ends_;
    std::vector<token_id> kept_out_;
    std::vector<std::string> spellings_; // of those
    std::vector<token_id> anchor_;       // its ids, where the tokenizer puts a blank before a text
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

inline constexpr std::string_view infill_blank = "\xE2\x96\x81"; // U+2581, SentencePiece's spelling of a blank
/// A character that merges with nothing: text behind it is encoded without a blank before it. Code Llama's choice.
inline constexpr std::string_view infill_anchor = "\xE2\x98\xBA"; // U+263A

struct infill_spellings {
    std::string_view prefix, suffix, middle;
};

inline constexpr std::array infill_conventions{
    infill_spellings{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}, // Qwen2.5-Coder, CodeGemma
    infill_spellings{"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},       // StarCoder 1 and 2, Granite Code
    infill_spellings{"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},       // SantaCoder
    infill_spellings{"<\xEF\xBD\x9C"
                     "fim\xE2\x96\x81"
                     "begin\xEF\xBD\x9C>",
                     "<\xEF\xBD\x9C"
                     "fim\xE2\x96\x81"
                     "hole\xEF\xBD\x9C>",
                     "<\xEF\xBD\x9C"
                     "fim\xE2\x96\x81"
                     "end\xEF\xBD\x9C>"},                                            // DeepSeek-Coder
    infill_spellings{"\xE2\x96\x81<PRE>", "\xE2\x96\x81<SUF>", "\xE2\x96\x81<MID>"}, // Code Llama
    infill_spellings{"<PRE>", "<SUF>", "<MID>"},
    infill_spellings{"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"}, // GLM-4.5
};

/// What ends the gap beside the ends of any text, which have <|endoftext|>, <EOT>, <|fim_pad|>, <|file_sep|> and
/// others.
inline constexpr std::array<std::string_view, 4> infill_ends{"\xE2\x96\x81<EOT>", "<|EOT|>", "<file_sep>",
                                                             "<|file_separator|>"};

} // namespace detail

TOKENWORKS_FUNCTION infill_form::infill_form(const tokenizer& tokens) {
    const vocabulary& vocab = tokens.vocabulary();
    const auto take = [&](std::optional<token_id> prefix, std::optional<token_id> suffix,
                          std::optional<token_id> middle) {
        if(prefix_ < 0 && prefix && suffix && middle) {
            prefix_ = *prefix;
            suffix_ = *suffix;
            middle_ = *middle;
        }
    };
    take(vocab.fim_prefix(), vocab.fim_suffix(), vocab.fim_middle());
    for(const detail::infill_spellings& s: detail::infill_conventions) {
        take(vocab.find(s.prefix), vocab.find(s.suffix), vocab.find(s.middle));
    }
    if(prefix_ < 0) {
        tokenworks::detail::raise<unsupported_error>(
            {vocab.name().empty() ? "<memory>" : vocab.name(),
             ": the vocabulary has no tokens to fill in the middle of a text (such as <|fim_prefix|>)"});
    }
    ends_ = {prefix_, suffix_, middle_};
    for(const std::string_view spelling: detail::infill_ends) {
        if(const auto id = vocab.find(spelling); id && !vocab.is_end(*id)) {
            ends_.push_back(*id);
        }
    }
    for(const token_id id: ends_) {
        keep_out(vocab, id);
    }
    for(const token_id id: vocab.ends()) {
        if(vocab.is_special(id)) {
            keep_out(vocab, id);
        }
    }
    // What the tokenizer puts before a text: a token, a blank.
    const std::vector<token_id> plain = tokens.encode("a");
    const std::vector<token_id> whole = tokens.encode("a", {.add_special = true});
    if(const auto at = std::search(whole.begin(), whole.end(), plain.begin(), plain.end()); at != whole.end()) {
        begin_.assign(whole.begin(), at);
    }
    if(!plain.empty() && vocab.piece(plain.front()).starts_with(' ')) {
        anchor_ = tokens.encode(detail::infill_anchor);
    }
}

TOKENWORKS_FUNCTION void infill_form::keep_out(const vocabulary& vocab, token_id id) {
    kept_out_.push_back(id);
    std::string_view spelling = vocab.text(id);
    if(spelling.starts_with(detail::infill_blank)) { // " <PRE>" is that token too
        spelling.remove_prefix(detail::infill_blank.size());
    }
    if(!spelling.empty()) {
        spellings_.emplace_back(spelling);
    }
}

TOKENWORKS_FUNCTION std::vector<token_id> infill_form::encode(const tokenizer& tokens, std::string_view before,
                                                              std::string_view after) const {
    std::vector<token_id> ids = begin_;
    ids.push_back(prefix_);
    add_text(tokens, before, true, ids);
    ids.push_back(suffix_);
    add_text(tokens, after, false, ids);
    ids.push_back(middle_);
    return ids;
}

TOKENWORKS_FUNCTION void infill_form::add_text(const tokenizer& tokens, std::string_view text, bool start,
                                               std::vector<token_id>& ids) const {
    const std::size_t size = ids.size();
    const auto first_kept_out = [&] {
        return std::find_if(ids.begin() + static_cast<std::ptrdiff_t>(size), ids.end(),
                            [&](token_id id) { return is_kept_out(id); });
    };
    add_part(tokens, text, start, ids);
    if(first_kept_out() == ids.end()) {
        return;
    }
    // Cut behind the first character of each spelling.
    std::vector<std::size_t> cuts{0, text.size()};
    for(const std::string& spelling: spellings_) {
        std::size_t length = 1;
        while(length < spelling.size() && (static_cast<unsigned char>(spelling[length]) & 0xC0) == 0x80) {
            ++length;
        }
        for(std::size_t at = text.find(spelling); at != text.npos; at = text.find(spelling, at + 1)) {
            cuts.push_back(at + length);
        }
    }
    std::sort(cuts.begin(), cuts.end());
    ids.resize(size);
    for(std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        add_part(tokens, text.substr(cuts[i], cuts[i + 1] - cuts[i]), start && i == 0, ids);
    }
    if(const auto found = first_kept_out(); found != ids.end()) {
        tokenworks::detail::raise<argument_error>(
            {"infill: the text has the token \"", tokenworks::detail::escaped(tokens.vocabulary().text(*found)), "\""});
    }
}

TOKENWORKS_FUNCTION void infill_form::add_part(const tokenizer& tokens, std::string_view text, bool start,
                                               std::vector<token_id>& ids) const {
    if(text.empty()) {
        return;
    }
    if(!start && !anchor_.empty()) {
        const std::vector<token_id> all = tokens.encode(std::string{detail::infill_anchor}.append(text));
        if(all.size() >= anchor_.size() && std::equal(anchor_.begin(), anchor_.end(), all.begin())) {
            ids.insert(ids.end(), all.begin() + static_cast<std::ptrdiff_t>(anchor_.size()), all.end());
            return;
        }
    }
    tokens.encode_to(ids, text);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
