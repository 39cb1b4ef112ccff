// The tokenizer of any vocabulary that a GGUF file carries: those of codec/tokenizer.hpp, and those that take more
// steps, which become a tokenizer_data: WordPiece (BERT) and Unigram (T5, XLM-RoBERTa).
//
// Source: llama.cpp (src/llama-vocab.cpp) for what a file leaves out. Where it departs from the tokenizers that models
// were trained with, theirs is done: words of over 100 characters are unknown, and bytes stand for characters where the
// vocabulary has them all.
#pragma once

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/core/error.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// @throws as tokenizer's constructor and as the other make_tokenizer
[[nodiscard]] TOKENWORKS_FUNCTION tokenizer make_tokenizer(const vocabulary_data& data);

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// A tokenizer_data that refers to a vocabulary_data, and to texts of its own.
class vocabulary_steps {
public:
    explicit vocabulary_steps(const vocabulary_data& from) : from_{from} {
        made_.name = from.name;
        check();
        if(from.model == "bert") {
            use_wordpiece();
        } else {
            use_unigram();
        }
    }

    [[nodiscard]] const tokenizer_data& data() const noexcept { return made_; }

private:
    [[noreturn]] TOKENWORKS_COLD void refuse(const char* field, tokenworks::detail::message_parts what) const {
        tokenworks::detail::raise_format(from_.name, {"tokenizer.ggml.", field}, format_error::no_offset, what);
    }
    [[nodiscard]] std::optional<std::uint32_t> checked(const char* field, std::optional<std::uint32_t> id) const {
        if(id && *id >= from_.tokens.size()) {
            refuse(field, {"id ", *id, " in a vocabulary of ", from_.tokens.size()});
        }
        return id;
    }
    [[nodiscard]] token_type type_of(std::size_t id) const noexcept {
        return from_.types.empty() ? token_type::normal : static_cast<token_type>(from_.types[id]);
    }

    void check();
    void use_wordpiece();
    void use_unigram();
    void add_special_tokens();
    /// The id of a key, or of a spelling.
    [[nodiscard]] std::uint32_t special_of(const char* field, std::optional<std::uint32_t> id,
                                           std::string_view spelling) const;

    const vocabulary_data& from_;
    std::size_t size_ = 0; // unused tokens at the end only fill the model's tables
    std::vector<std::string> texts_;
    tokenizer_data made_;
};

inline void vocabulary_steps::check() {
    const std::size_t count = from_.tokens.size();
    if(count == 0) {
        refuse("tokens", {"the vocabulary is empty"});
    }
    if(!from_.types.empty() && from_.types.size() != count) {
        refuse("token_type", {from_.types.size(), " entries for ", count, " tokens"});
    }
    for(std::size_t i = 0; i < from_.types.size(); ++i) {
        if(from_.types[i] < 0 || from_.types[i] > 6) {
            refuse("token_type", {"token ", i, " has type ", from_.types[i]});
        }
    }
    size_ = count;
    while(size_ > 1 && type_of(size_ - 1) == token_type::unused) {
        --size_;
    }
    made_.pad = checked("padding_token_id", from_.pad);
    static_cast<void>(checked("mask_token_id", from_.mask));
}

inline std::uint32_t vocabulary_steps::special_of(const char* field, std::optional<std::uint32_t> id,
                                                  std::string_view spelling) const {
    if(const auto given = checked(field, id)) {
        return *given;
    }
    const auto found = std::ranges::find(from_.tokens, spelling);
    if(found == from_.tokens.end()) {
        refuse(field, {"absent, and no token is ", spelling});
    }
    return static_cast<std::uint32_t>(found - from_.tokens.begin());
}

/// Tokens that are found in a text as a whole.
inline void vocabulary_steps::add_special_tokens() {
    for(std::size_t i = 0; i < size_; ++i) {
        const bool is_control = type_of(i) == token_type::control || type_of(i) == token_type::unknown;
        if((is_control || type_of(i) == token_type::user_defined) && !made_.tokens[i].text.empty()) {
            added_token token;
            token.content = made_.tokens[i].text;
            token.id = static_cast<std::uint32_t>(i);
            token.normalized = false;
            token.special = is_control;
            made_.added.push_back(token);
        }
    }
}

// Files mark what starts a word with U+2581, and what continues one not at all.
inline void vocabulary_steps::use_wordpiece() {
    constexpr std::string_view mark = "\xE2\x96\x81";
    constexpr std::string_view prefix = "##";
    made_.model = token_model::wordpiece;
    made_.continuing_prefix = prefix;
    const std::uint32_t cls = special_of("bos_token_id", from_.bos, "[CLS]");
    const std::uint32_t sep = special_of("seperator_token_id", from_.sep, "[SEP]");
    const std::uint32_t unk = special_of("unknown_token_id", from_.unk, "[UNK]");
    texts_.reserve(size_); // views into it must stay
    made_.tokens.reserve(size_);
    for(std::size_t i = 0; i < size_; ++i) {
        const std::string_view token = from_.tokens[i];
        const bool is_special =
            type_of(i) == token_type::control || type_of(i) == token_type::unknown || i == cls || i == sep || i == unk;
        if(token.starts_with(mark)) {
            texts_.emplace_back(token.substr(mark.size()));
        } else {
            texts_.push_back(is_special || token.empty() ? std::string{token} : std::string{prefix}.append(token));
        }
        made_.tokens.push_back({texts_.back(), i});
    }
    if(unk >= size_ || cls >= size_ || sep >= size_) {
        refuse("token_type", {"a special token is among the unused ones at the end"});
    }
    add_special_tokens();
    made_.unk_token = texts_[unk];
    made_.unk = unk;
    made_.bos = cls;
    made_.eos = sep;
    normalizer_data normal;
    normal.kind = normalizer_kind::bert;
    normal.lowercase = from_.lowercase.value_or(true);
    normal.strip_accents = from_.strip_accents;
    made_.normalizers.push_back(std::move(normal));
    splitter_data words;
    words.kind = splitter_kind::bert;
    made_.splitters.push_back(std::move(words));
    decoder_data joined;
    joined.kind = decoder_kind::wordpiece;
    joined.content = prefix;
    made_.decoders.push_back(std::move(joined));
    made_.has_decoder = true;
    using enum template_part::source;
    made_.single = {{special, {cls}, 0}, {first, {}, 0}, {special, {sep}, 0}};
    made_.pair = made_.single;
    made_.pair.push_back({second, {}, 1});
    made_.pair.push_back({special, {sep}, 1});
}

inline void vocabulary_steps::use_unigram() {
    if(from_.scores.size() != from_.tokens.size()) {
        refuse("scores", {from_.scores.size(), " entries for ", from_.tokens.size(), " tokens"});
    }
    made_.model = token_model::unigram;
    made_.fuse_unk = true;
    made_.unk = checked("unknown_token_id", from_.unk);
    for(std::size_t i = 0; i < size_; ++i) {
        if(!std::isfinite(from_.scores[i])) {
            refuse("scores", {"the score of token ", i, " is not finite"});
        }
        made_.tokens.push_back({from_.tokens[i], i});
        made_.scores.push_back(static_cast<double>(from_.scores[i]));
        // Those that users define are found before the text is normalized.
        made_.types.push_back(type_of(i) == token_type::user_defined ? token_type::unused : type_of(i));
        made_.byte_fallback = made_.byte_fallback || type_of(i) == token_type::byte;
        if(type_of(i) == token_type::unknown && !made_.unk) {
            made_.unk = static_cast<std::uint32_t>(i);
        }
    }
    if(made_.unk && *made_.unk < size_) {
        made_.unk_id = *made_.unk;
        made_.types[*made_.unk] = token_type::unknown;
    }
    add_special_tokens();
    normalizer_data normal;
    normal.kind = normalizer_kind::sentencepiece;
    normal.charsmap = from_.charsmap;
    normal.remove_extra_blanks = from_.remove_extra_blanks.value_or(false);
    normal.add_prefix = from_.add_space_prefix.value_or(false);
    const bool has_prefix = normal.add_prefix || normal.remove_extra_blanks;
    made_.normalizers.push_back(std::move(normal));
    made_.has_decoder = true;
    decoder_data step;
    step.kind = decoder_kind::replace;
    step.pattern.text = "\xE2\x96\x81";
    step.content = " ";
    made_.decoders.push_back(step);
    step = {};
    step.kind = decoder_kind::byte_fallback;
    made_.decoders.push_back(step);
    step.kind = decoder_kind::fuse;
    made_.decoders.push_back(step);
    if(has_prefix) {
        step.kind = decoder_kind::strip;
        step.content = " ";
        step.start = 1;
        made_.decoders.push_back(step);
    }
    constexpr std::uint32_t usual_end = 1; // of T5
    made_.bos = checked("bos_token_id", from_.bos);
    made_.eos = checked("eos_token_id", from_.eos ? from_.eos : std::optional{usual_end});
    const std::optional<std::uint32_t> sep = checked("seperator_token_id", from_.sep);
    const bool add_bos = from_.add_bos.value_or(false);
    if(add_bos && !made_.bos) {
        refuse("bos_token_id", {"absent, although the model adds it to each text"});
    }
    using enum template_part::source;
    const auto put = [](std::vector<template_part>& to, bool is_there, std::optional<std::uint32_t> id) {
        if(is_there && id) {
            to.push_back({special, {*id}, 0});
        }
    };
    const bool add_eos = from_.add_eos.value_or(true);
    put(made_.single, add_bos, made_.bos);
    made_.single.push_back({first, {}, 0});
    put(made_.single, add_eos, made_.eos);
    made_.pair = made_.single;
    put(made_.pair, from_.add_sep.value_or(true), sep);
    made_.pair.push_back({second, {}, 0});
    put(made_.pair, add_eos, made_.eos);
}

} // namespace detail

TOKENWORKS_FUNCTION tokenizer make_tokenizer(const vocabulary_data& data) {
    if(data.model != "bert" && data.model != "t5") {
        return tokenizer{data};
    }
    const detail::vocabulary_steps steps{data};
    return make_tokenizer(steps.data());
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
