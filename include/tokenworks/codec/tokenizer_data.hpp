// What a tokenizer of many steps is built from, as plain data: normalizers, pre-tokenizers, a model, a template around
// the ids, decoders, and tokens added to the vocabulary. The steps are those of Hugging Face's tokenizer.json, which
// models/tokenizer_json.hpp reads; nothing here is checked yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// A text, or a regular expression (codec/regex.hpp).
struct pattern_data {
    std::string text;
    bool is_regex = false;
};

enum class normalizer_kind : std::uint8_t {
    nfc,
    nfd,
    nfkc,
    nfkd,
    lowercase,
    strip,         ///< blanks at the start (left) and the end (right)
    strip_accents, ///< every mark
    replace,       ///< pattern by content
    prepend,       ///< content before a text that is not empty
    bert,
    nmt,
    precompiled,   ///< charsmap, for short grapheme clusters and single characters, as Hugging Face applies it
    sentencepiece, ///< charsmap, blanks and U+2581, as SentencePiece itself applies them
    byte_level,    ///< bytes to their letters (codec/byte_alphabet.hpp)
};

struct normalizer_data {
    normalizer_kind kind = normalizer_kind::nfc;
    pattern_data pattern{};
    std::string content{};
    std::string charsmap{}; ///< bytes: the size of a double array, the array, texts that end with NUL
    bool left = true, right = true;
    // bert
    bool clean_text = true, handle_chinese_chars = true, lowercase = true;
    std::optional<bool> strip_accents{};
    // sentencepiece
    bool remove_extra_blanks = false, add_prefix = false, escape_blanks = true, blank_as_suffix = false;
};

enum class splitter_kind : std::uint8_t {
    byte_level,       ///< add_prefix_space, use_regex; then bytes become letters
    split,            ///< pattern, behavior, invert
    whitespace,       ///< \w+|[^\w\s]+
    whitespace_split, ///< at \s, which goes
    punctuation,      ///< behavior
    digits,           ///< individual_digits
    metaspace,        ///< blanks become `replacement`, a character; prepend, split
    bert,             ///< at blanks, which go, and around punctuation
};

/// What becomes of a match that cuts a text.
enum class split_behavior : std::uint8_t { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// Where a Metaspace puts its character before a text that does not start with it.
enum class prepend_scheme : std::uint8_t { always, first, never };

struct splitter_data {
    splitter_kind kind = splitter_kind::byte_level;
    pattern_data pattern;
    split_behavior behavior = split_behavior::isolated;
    bool invert = false;
    bool add_prefix_space = true, use_regex = true;
    bool individual_digits = false;
    std::string replacement = "\xE2\x96\x81";
    prepend_scheme prepend = prepend_scheme::always;
    bool split = true;
};

enum class decoder_kind : std::uint8_t {
    byte_level,
    metaspace,     ///< content: the character; prepend
    wordpiece,     ///< content: the prefix; cleanup
    bpe,           ///< content: the suffix
    byte_fallback, ///< <0xHH> to bytes
    fuse,          ///< all to one
    replace,       ///< pattern by content
    strip,         ///< content: a character, at most `start` and `stop` of them
};

struct decoder_data {
    decoder_kind kind = decoder_kind::fuse;
    pattern_data pattern;
    std::string content;
    prepend_scheme prepend = prepend_scheme::always;
    bool cleanup = true;
    std::size_t start = 0, stop = 0;
};

/// A part of what encoding gives: a text's ids, or special ones.
struct template_part {
    enum class source : std::uint8_t { first, second, special };

    source from = source::first;
    std::vector<std::uint32_t> ids; ///< where special
    std::uint32_t type = 0;         ///< the segment that the ids belong to
};

struct added_token {
    std::string_view content;
    std::uint32_t id = 0;
    bool single_word = false; ///< matched between no word characters only
    bool lstrip = false, rstrip = false;
    bool normalized = true; ///< matched after normalization, itself normalized
    bool special = false;
};

enum class token_model : std::uint8_t {
    bpe,
    wordpiece,
    wordlevel,
    unigram,
    sentencepiece_bpe, ///< merges by score; its own blanks
};

/// What a tokenizer is built from, unchecked. Views must stay valid while the tokenizer is constructed, not longer.
struct tokenizer_data {
    std::string name; ///< the file, for error messages
    token_model model = token_model::bpe;
    struct entry {
        std::string_view text;
        std::uint64_t id;
    };
    std::vector<entry> tokens;
    std::vector<double> scores;    ///< as tokens; unigram and sentencepiece_bpe
    std::vector<token_type> types; ///< as tokens, or empty: all normal; only normal and user-defined ones are matched
    std::vector<std::pair<std::string_view, std::string_view>> merges; ///< best first
    std::optional<std::string> unk_token;
    std::optional<std::uint64_t> unk_id; ///< unigram
    std::string continuing_prefix;       ///< of what does not start a word; bpe and wordpiece
    std::string word_suffix;             ///< of what ends a word; bpe
    std::size_t longest_word = 100;      ///< characters; wordpiece
    bool fuse_unk = false, byte_fallback = false, ignore_merges = false;
    bool single_precision = false; ///< unigram: sums of float, as in SentencePiece itself

    std::vector<added_token> added;
    std::vector<normalizer_data> normalizers;
    std::vector<splitter_data> splitters;
    std::vector<template_part> single, pair; ///< empty: the texts' ids alone
    std::vector<decoder_data> decoders;      ///< empty: tokens with blanks between
    bool has_decoder = false;

    std::optional<std::uint32_t> bos, eos, eot, unk, pad;
    std::vector<std::uint32_t> ends; ///< further tokens that generation ends with
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
