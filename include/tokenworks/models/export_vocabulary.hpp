// Writes a folder's tokenizer as the tokenizer.ggml.* keys of a GGUF file.
//
// Those keys hold less than a tokenizer.json: byte-level BPE whose pre-tokenizer has a name there, BPE in
// SentencePiece's form, WordPiece as BERT has it, Unigram with SentencePiece's normalization. What comes out is read
// back and tried on a few texts, so that a tokenizer that they cannot hold is refused and not written wrong.
// Normalization to NFC, which they leave out, is left out here too.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>
#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/vocabulary_tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Sets the tokenizer.ggml.* keys of a file.
/// @param vocab_size  V of the model; ids that the tokenizer lacks become unused tokens
/// @throws unsupported_error where those keys cannot say what the tokenizer does
TOKENWORKS_FUNCTION void export_vocabulary(const tokenizer_files& from, std::size_t vocab_size, io::gguf_writer& out);

#if TOKENWORKS_DEFINITIONS

namespace detail {

class vocabulary_exporter {
public:
    vocabulary_exporter(const codec::tokenizer_data& from, std::size_t vocab_size) : from_{from}, size_{vocab_size} {}

    /// @throws unsupported_error
    void write(io::gguf_writer& out);

private:
    [[noreturn]] TOKENWORKS_COLD void refuse(tokenworks::detail::message_parts why) const {
        tokenworks::detail::raise<unsupported_error>(
            {from_.name, ": this tokenizer does not go into a GGUF file: ", tokenworks::detail::message(why)});
    }

    void choose_model();
    void use_wordpiece();
    void use_unigram();
    [[nodiscard]] bool adds_blank() const;
    [[nodiscard]] std::string pre_tokenizer() const;
    void place_tokens();
    void score_by_merges();
    void find_ends();
    void find_separator();
    void try_out() const;

    const codec::tokenizer_data& from_;
    std::size_t size_;
    codec::vocabulary_data made_;
    std::vector<std::string> padding_, merges_, spelt_;
};

inline void vocabulary_exporter::choose_model() {
    using enum codec::token_model;
    made_.name = from_.name;
    const bool is_bytes = std::ranges::any_of(from_.splitters, [](const codec::splitter_data& step) {
        return step.kind == codec::splitter_kind::byte_level;
    });
    if(from_.model == bpe && is_bytes) {
        made_.model = "gpt2";
        made_.pre = pre_tokenizer();
    } else if(from_.model == sentencepiece_bpe || (from_.model == bpe && from_.byte_fallback)) {
        made_.model = "llama";
        made_.pre = "default";
    } else if(from_.model == wordpiece) {
        use_wordpiece();
        return;
    } else if(from_.model == unigram) {
        use_unigram();
        return;
    } else {
        refuse({"it is neither byte-level BPE, BPE of SentencePiece's form, WordPiece nor Unigram"});
    }
    if(!from_.continuing_prefix.empty() || !from_.word_suffix.empty()) {
        refuse({"it marks parts of words"});
    }
    made_.add_space_prefix = adds_blank();
}

inline void vocabulary_exporter::use_wordpiece() {
    made_.model = "bert";
    made_.pre = "default";
    made_.add_space_prefix = false;
    using enum codec::splitter_kind;
    const auto& steps = from_.splitters;
    const bool cuts = (steps.size() == 1 && steps[0].kind == codec::splitter_kind::bert) ||
                      (steps.size() == 2 && steps[0].kind == whitespace_split && steps[1].kind == punctuation &&
                       steps[1].behavior == codec::split_behavior::isolated);
    const bool normalizes = from_.normalizers.size() == 1 && from_.normalizers[0].kind == codec::normalizer_kind::bert;
    constexpr std::size_t longest = 100; // of those that readers do not take for unknown
    if(!cuts || !normalizes || from_.continuing_prefix != "##" || !from_.unk_token || from_.longest_word != longest) {
        refuse({"it is WordPiece of another form than BERT's"});
    }
    const codec::normalizer_data& step = from_.normalizers[0];
    if(!step.clean_text || !step.handle_chinese_chars) {
        refuse({"its normalizer keeps control characters, or Chinese characters together"});
    }
    made_.lowercase = step.lowercase;
    made_.strip_accents = step.strip_accents.value_or(step.lowercase);
}

inline void vocabulary_exporter::use_unigram() {
    using enum codec::normalizer_kind;
    made_.model = "t5";
    made_.pre = "default";
    made_.add_space_prefix = adds_blank();
    made_.remove_extra_blanks = std::ranges::any_of(from_.splitters, [](const codec::splitter_data& step) {
        return step.kind == codec::splitter_kind::whitespace_split;
    });
    for(const codec::normalizer_data& step: from_.normalizers) {
        if(!step.charsmap.empty()) {
            made_.charsmap = step.charsmap;
        }
        // Runs of blanks to one: how tokenizer.json says the same.
        if(step.remove_extra_blanks || (step.kind == replace && step.pattern.text == " {2,}")) {
            made_.remove_extra_blanks = true;
        }
    }
}

inline bool vocabulary_exporter::adds_blank() const {
    bool adds_blank = false;
    for(const codec::splitter_data& step: from_.splitters) {
        adds_blank = adds_blank || (step.kind == codec::splitter_kind::byte_level && step.add_prefix_space) ||
                     (step.kind == codec::splitter_kind::metaspace && step.prepend != codec::prepend_scheme::never);
    }
    for(const codec::normalizer_data& step: from_.normalizers) {
        adds_blank = adds_blank || step.kind == codec::normalizer_kind::prepend ||
                     (step.kind == codec::normalizer_kind::sentencepiece && step.add_prefix);
    }
    return adds_blank;
}

/// The name that files give to what cuts words. See pretokenizer.hpp for what the names stand for.
inline std::string vocabulary_exporter::pre_tokenizer() const {
    using enum codec::splitter_kind;
    const auto& steps = from_.splitters;
    if(steps[0].kind == byte_level && steps[0].use_regex) {
        return "gpt-2";
    }
    if(steps[0].kind == digits && steps[0].individual_digits && steps.size() == 2 && steps[1].use_regex) {
        return "smollm";
    }
    if(steps[0].kind == punctuation) {
        return "falcon";
    }
    if(steps[0].kind == split && steps[0].pattern.is_regex && steps.size() == 2 && !steps[1].use_regex) {
        constexpr std::string_view words = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)";
        constexpr std::string_view rest = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
        const std::string& regex = steps[0].pattern.text;
        if(regex == std::string{words} + R"(\p{N}{1,3})" + std::string{rest}) {
            return from_.ignore_merges ? "llama-bpe" : "smaug-bpe";
        }
        if(regex == std::string{words} + R"(\p{N})" + std::string{rest}) {
            return "qwen2";
        }
    }
    refuse({"its pre-tokenizer has no name there"});
}

inline void vocabulary_exporter::place_tokens() {
    made_.tokens.resize(size_);
    made_.types.assign(size_, static_cast<std::int32_t>(codec::token_type::unused));
    const bool is_wordpiece = made_.model == "bert";
    const bool is_unigram = made_.model == "t5";
    constexpr float never = -10000; // the score of what is no token of the text's, as llama.cpp's converter has it
    if(made_.model == "llama" || is_unigram) {
        made_.scores.assign(size_, is_unigram ? never : 0);
    }
    spelt_.reserve(size_ + from_.added.size()); // views into it must stay
    // What starts a word is marked, and not what continues one.
    const auto spelling = [&](std::string_view text, codec::token_type type) {
        if(!is_wordpiece || type == codec::token_type::control) {
            return text;
        }
        spelt_.push_back(text.starts_with("##") ? std::string{text.substr(2)} : "\xE2\x96\x81" + std::string{text});
        return std::string_view{spelt_.back()};
    };
    const auto place = [&](std::string_view text, std::uint64_t id, codec::token_type type) {
        if(id >= size_) {
            refuse({"token ", id, " is beyond the model's ", size_});
        }
        made_.tokens[id] = spelling(text, type);
        made_.types[id] = static_cast<std::int32_t>(type);
    };
    const auto is_added = [&](std::uint64_t id) {
        return std::ranges::any_of(from_.added, [&](const codec::added_token& each) { return each.id == id; });
    };
    for(std::size_t i = 0; i < from_.tokens.size(); ++i) {
        const auto& [text, id] = from_.tokens[i];
        codec::token_type type = i < from_.types.size() ? from_.types[i] : codec::token_type::normal;
        if(from_.byte_fallback && codec::detail::parse_byte_token(text) >= 0) {
            type = codec::token_type::byte;
        } else if(!is_wordpiece && ((from_.unk_token && text == *from_.unk_token) || from_.unk_id == id)) {
            type = codec::token_type::unknown;
        }
        if(is_wordpiece && is_added(id)) {
            continue; // spelt once, as what it is added as
        }
        place(text, id, type);
        if(i < from_.scores.size()) {
            made_.scores[id] = static_cast<float>(from_.scores[i]);
        }
    }
    for(const codec::added_token& token: from_.added) {
        if(token.id < size_ && made_.types[token.id] == static_cast<std::int32_t>(codec::token_type::unknown)) {
            continue;
        }
        place(token.content, token.id, token.special ? codec::token_type::control : codec::token_type::user_defined);
    }
    padding_.reserve(size_); // views into it must stay
    for(std::size_t id = 0; id < size_; ++id) {
        if(made_.tokens[id].empty()) {
            padding_.push_back("[PAD" + std::to_string(id) + "]");
            made_.tokens[id] = padding_.back();
        }
    }
    merges_.reserve(from_.merges.size());
    if(made_.model == "gpt2") {
        for(const auto& [left, right]: from_.merges) {
            merges_.push_back(std::string{left} + " " + std::string{right});
            made_.merges.emplace_back(merges_.back());
        }
    } else if(from_.scores.empty()) {
        score_by_merges();
    }
}

/// Pieces that are merged earlier have a higher score.
inline void vocabulary_exporter::score_by_merges() {
    std::map<std::string, float, std::less<>> ranks;
    for(const auto& [left, right]: from_.merges) {
        const auto rank = static_cast<float>(ranks.size() + 1);
        ranks.try_emplace(std::string{left} + std::string{right}, -rank);
    }
    for(std::size_t id = 0; id < size_; ++id) {
        if(const auto at = ranks.find(made_.tokens[id]); at != ranks.end()) {
            made_.scores[id] = at->second;
        }
    }
}

inline void vocabulary_exporter::find_ends() {
    made_.bos = from_.bos;
    made_.eos = from_.eos;
    made_.unk = from_.unk;
    made_.pad = from_.pad;
    using enum codec::template_part::source;
    const auto special_at = [&](bool is_first) -> std::optional<std::uint32_t> {
        if(from_.single.empty()) {
            return std::nullopt;
        }
        const codec::template_part& part = is_first ? from_.single.front() : from_.single.back();
        if(part.from != special) {
            return std::nullopt;
        }
        if(part.ids.size() != 1) {
            refuse({"a text gets several tokens at one end"});
        }
        return part.ids.front();
    };
    const auto use = [&](std::optional<std::uint32_t>& id, std::optional<bool>& add, bool is_first) {
        const std::optional<std::uint32_t> found = special_at(is_first);
        add = found.has_value();
        if(found) {
            id = found;
        }
    };
    use(made_.bos, made_.add_bos, true);
    use(made_.eos, made_.add_eos, false);
    for(const std::uint32_t end: from_.ends) {
        if(!made_.eos) {
            made_.eos = end;
        } else if(end != *made_.eos && !made_.eot) {
            made_.eot = end;
        }
    }
}

/// What stands between two texts: the end of the first, and perhaps one more token.
inline void vocabulary_exporter::find_separator() {
    using enum codec::template_part::source;
    for(const codec::added_token& token: from_.added) {
        if(token.content == "[MASK]" || token.content == "<mask>") {
            made_.mask = token.id;
        }
    }
    std::vector<std::uint32_t> between;
    bool behind_first = false;
    for(const codec::template_part& part: from_.pair) {
        if(part.from == second) {
            break;
        }
        if(part.from == special && behind_first) {
            between.insert(between.end(), part.ids.begin(), part.ids.end());
        }
        behind_first = behind_first || part.from == first;
    }
    if(made_.add_eos == true && !between.empty() && between.size() <= 2 && between.front() == made_.eos) {
        made_.sep = between.back();
        made_.add_sep = between.size() == 2;
    } else if(made_.model == "bert") {
        refuse({"its texts do not end as BERT's do"});
    }
}

/// Reads back what was made.
inline void vocabulary_exporter::try_out() const {
    const codec::tokenizer before = codec::make_tokenizer(from_);
    const codec::tokenizer after = codec::make_tokenizer(made_);
    if(made_.sep) {
        const auto wanted = before.encode_pair("a text", "and another", {.add_special = true});
        if(wanted.ids != after.encode_pair("a text", "and another", {.add_special = true}).ids) {
            refuse({"read back, it gives other ids for a pair of texts"});
        }
    }
    for(const char* const text:
        {"", "Hello, world! It's 2024: x = 3.14159; they'll see.\n\n  a\tb   c  ", " leading, and trailing ",
         ("\xC3\x89lan na\xC3\xAFve, \xE6\x9D\xB1\xE4\xBA\xAC \xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82 "
          "\xF0\x9F\x98\x80"),
         "def f(x):\n    return x[1:]  # done\r\n\treturn 1_000_000"}) {
        if(before.encode(text, {.add_special = true}) != after.encode(text, {.add_special = true})) {
            refuse({"read back, it gives other ids for \"", tokenworks::detail::escaped(text), "\""});
        }
    }
}

inline void vocabulary_exporter::write(io::gguf_writer& out) {
    choose_model();
    place_tokens();
    find_ends();
    find_separator();
    try_out();
    out.set("tokenizer.ggml.model", made_.model);
    out.set("tokenizer.ggml.pre", made_.pre);
    out.set_array("tokenizer.ggml.tokens", made_.tokens);
    out.set_array("tokenizer.ggml.token_type", made_.types);
    if(!made_.scores.empty()) {
        out.set_array("tokenizer.ggml.scores", made_.scores);
    }
    if(!made_.merges.empty()) {
        out.set_array("tokenizer.ggml.merges", made_.merges);
    }
    const auto id = [&](const char* key, std::optional<std::uint32_t> value) {
        if(value) {
            out.set(std::string{"tokenizer.ggml."} + key + "_token_id", *value);
        }
    };
    id("bos", made_.bos);
    id("eos", made_.eos);
    id("eot", made_.eot);
    id("unknown", made_.unk);
    id("padding", made_.pad);
    id("seperator", made_.sep); // the format's spelling
    id("mask", made_.mask);
    const auto flag = [&](const char* key, std::optional<bool> value) {
        if(value) {
            out.set(std::string{"tokenizer.ggml."} + key, *value);
        }
    };
    flag("add_sep_token", made_.add_sep);
    flag("remove_extra_whitespaces", made_.remove_extra_blanks);
    flag("normalizer.lowercase", made_.lowercase);
    flag("normalizer.strip_accents", made_.strip_accents);
    if(!made_.charsmap.empty()) {
        const auto* const bytes = reinterpret_cast<const std::uint8_t*>(made_.charsmap.data());
        out.set_array("tokenizer.ggml.precompiled_charsmap", std::span{bytes, made_.charsmap.size()});
    }
    out.set("tokenizer.ggml.add_bos_token", *made_.add_bos);
    out.set("tokenizer.ggml.add_eos_token", *made_.add_eos);
    out.set("tokenizer.ggml.add_space_prefix", *made_.add_space_prefix);
}

} // namespace detail

TOKENWORKS_FUNCTION void export_vocabulary(const tokenizer_files& from, std::size_t vocab_size, io::gguf_writer& out) {
    detail::vocabulary_exporter{from.data(), vocab_size}.write(out);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
