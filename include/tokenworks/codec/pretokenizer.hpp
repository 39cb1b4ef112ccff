// Cuts text into the words that byte-level BPE merges within.
//
// Each model publishes a regular expression, or several that cut one after the other. Here they are written by hand as
// scanners: each character is looked at a bounded number of times, so that no text takes more than linear time (the
// expressions, run by a backtracking engine, do not promise that), and no locale or standard library changes the
// result. The expressions are those of the models' tokenizer.json files; where a name exists in llama.cpp only
// ("default"), of its src/llama-vocab.cpp. A malformed byte counts as one symbol, as U+FFFD would.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <tokenworks/codec/word_cutter.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// Ways to cut. Several names share one; see pretokenizer_named.
enum class pretokenizer : std::uint8_t {
    gpt2,        ///< 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    digits_gpt2, ///< each \p{N} alone, then gpt2
    llama3,   ///< (?i:'s|...|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
    qwen2,    ///< llama3 with \p{N} for \p{N}{1,3}
    falcon,   ///< [\p{P}$+<=>^~|`]+, then gpt2, then [0-9][0-9][0-9]
    standard, ///< "default": [\p{P}$+<=>^~|]+, then gpt2, then \p{N}+, then [0-9][0-9][0-9]
    deepseek_llm,   ///< [\r\n], \s?(cased letters)+, \s?(ASCII and wide punctuation)+, \s+$, (CJK)+, \p{N}+
    deepseek_coder, ///< [\r\n], \s?\p{L}+, \s?\p{P}+, (CJK)+, \p{N}
};

/// The pre-tokenizer that GGUF files call by this name (tokenizer.ggml.pre); nothing for an unknown name.
[[nodiscard]] constexpr std::optional<pretokenizer> pretokenizer_named(std::string_view name) noexcept {
    struct entry {
        std::string_view name;
        pretokenizer kind;
    };
    using enum pretokenizer;
    // "phi-3": the model's files are SentencePiece and take no pre-tokenizer; its byte-level relatives use cl100k's.
    constexpr std::array table{entry{"", standard},
                               entry{"default", standard},
                               entry{"gpt-2", gpt2},
                               entry{"phi-2", gpt2},
                               entry{"mpt", gpt2},
                               entry{"olmo", gpt2},
                               entry{"jais", gpt2},
                               entry{"trillion", gpt2},
                               entry{"granite-docling", gpt2},
                               entry{"exaone4", gpt2},
                               entry{"gigachat", gpt2},
                               entry{"smollm", digits_gpt2},
                               entry{"starcoder", digits_gpt2},
                               entry{"refact", digits_gpt2},
                               entry{"command-r", digits_gpt2},
                               entry{"codeshell", digits_gpt2},
                               entry{"exaone", digits_gpt2},
                               entry{"minerva-7b", digits_gpt2},
                               entry{"llama-bpe", llama3},
                               entry{"llama3", llama3},
                               entry{"llama-v3", llama3},
                               entry{"phi-3", llama3},
                               entry{"dbrx", llama3},
                               entry{"smaug-bpe", llama3},
                               entry{"chatglm-bpe", llama3},
                               entry{"glm4", llama3},
                               entry{"falcon3", llama3},
                               entry{"falcon-h1", llama3},
                               entry{"pixtral", llama3},
                               entry{"midm-2.0", llama3},
                               entry{"lfm2", llama3},
                               entry{"qwen2", qwen2},
                               entry{"stablelm2", qwen2},
                               entry{"deepseek-r1-qwen", qwen2},
                               entry{"megrez", qwen2},
                               entry{"hunyuan", qwen2},
                               entry{"solar-open", qwen2},
                               entry{"grok-2", qwen2},
                               entry{"falcon", falcon},
                               entry{"deepseek-llm", deepseek_llm},
                               entry{"deepseek-coder", deepseek_coder}};
    for(const entry& e: table) {
        if(e.name == name) {
            return e.kind;
        }
    }
    return std::nullopt;
}

namespace detail {

[[nodiscard]] constexpr std::size_t number_length(const scanned_char& c) noexcept {
    return is_number(c) ? std::size_t{c.length} : 0;
}

template <class Emit>
constexpr void cut_punctuation_gpt2(const scanner& scan, std::size_t size, bool backtick, Emit emit) {
    const auto punctuation = [backtick](const scanned_char& c) {
        constexpr std::string_view others = "$+<=>^~|";
        return is_punctuation(c) || (c.code < 128 && others.find(static_cast<char>(c.code)) != others.npos) ||
               (backtick && c.code == '`');
    };
    cut_out(
        scan, 0, size, [&](std::size_t at, std::size_t end) { return scan.run(at, end, punctuation) - at; },
        [&](std::size_t at, std::size_t end) { cut_gpt2(scan, at, end, emit); });
}

template <class Emit>
constexpr void cut_deepseek(const scanner& scan, std::size_t size, bool coder, Emit emit) {
    const auto newline = [&](std::size_t at, std::size_t end) { return std::size_t{is_newline(scan(at, end))}; };
    const auto letters = [&](std::size_t at, std::size_t end) {
        return blank_and_run(scan, at, end, coder ? is_letter : is_deepseek_letter);
    };
    const auto marks = [&](std::size_t at, std::size_t end) {
        return blank_and_run(scan, at, end, coder ? is_punctuation : is_deepseek_mark);
    };
    // \s+$ : the first blank of the run that ends the piece
    const auto trailing = [&, tried = std::size_t{0}](std::size_t at, std::size_t end) mutable {
        if(coder || at < tried) {
            return std::size_t{0};
        }
        tried = scan.run(at, end, is_space);
        return tried == end ? tried - at : 0;
    };
    const auto cjk = [&](std::size_t at, std::size_t end) { return scan.run(at, end, is_deepseek_cjk) - at; };
    const auto number = [&](std::size_t at, std::size_t end) {
        const std::size_t first = number_length(scan(at, end));
        return first == 0 || coder ? first : scan.run(at, end, is_number) - at;
    };
    const auto then = [&scan](auto match, auto next) {
        return [&scan, match, next](std::size_t at, std::size_t end) { cut_out(scan, at, end, match, next); };
    };
    then(newline, then(letters, then(marks, then(trailing, then(cjk, then(number, emit))))))(0, size);
}

} // namespace detail

/// Cuts a text into words: calls emit(begin, end), byte offsets, for each in order; together they cover the text.
template <class Emit>
constexpr void split_words(pretokenizer kind, std::string_view text, Emit emit) {
    using namespace detail;
    const scanner scan{text};
    const auto one_number = [&](std::size_t at, std::size_t end) { return number_length(scan(at, end)); };
    const auto numbers = [&](std::size_t at, std::size_t end) { return scan.run(at, end, is_number) - at; };
    const auto three_digits = [&](std::size_t at, std::size_t end) {
        const auto digit = [&](std::size_t i) { return i < end && text[i] >= '0' && text[i] <= '9'; };
        return std::size_t{digit(at) && digit(at + 1) && digit(at + 2) ? 3U : 0U};
    };
    const auto cut_threes = [&](std::size_t at, std::size_t end) { cut_out(scan, at, end, three_digits, emit); };
    const auto cut_numbers = [&](std::size_t at, std::size_t end) { cut_out(scan, at, end, numbers, cut_threes); };
    switch(kind) {
    case pretokenizer::gpt2:
        return cut_gpt2(scan, 0, text.size(), emit);
    case pretokenizer::digits_gpt2:
        return cut_out(scan, 0, text.size(), one_number,
                       [&](std::size_t at, std::size_t end) { cut_gpt2(scan, at, end, emit); });
    case pretokenizer::llama3:
        return cut_llama3(scan, 0, text.size(), 3, emit);
    case pretokenizer::qwen2:
        return cut_llama3(scan, 0, text.size(), 1, emit);
    case pretokenizer::falcon:
        return cut_punctuation_gpt2(scan, text.size(), true, cut_threes);
    case pretokenizer::standard:
        return cut_punctuation_gpt2(scan, text.size(), false, cut_numbers);
    case pretokenizer::deepseek_llm:
        return cut_deepseek(scan, text.size(), false, emit);
    case pretokenizer::deepseek_coder:
        return cut_deepseek(scan, text.size(), true, emit);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
