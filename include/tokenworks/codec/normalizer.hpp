// The steps that change a text before it is cut: those of Hugging Face's `tokenizers`, and SentencePiece's own.
//
// A step maps a whole text. Which place of the result came from where is not kept, but for one fact that a later step
// needs (Metaspace with the scheme "first"): whether the start of the result is still the start of the text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/byte_alphabet.hpp>
#include <tokenworks/codec/charsmap.hpp>
#include <tokenworks/codec/normalization.hpp>
#include <tokenworks/codec/text_budget.hpp>
#include <tokenworks/codec/text_pattern.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/unicode.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/codec/word_cutter.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class normalizer {
public:
    static constexpr std::size_t most_steps = 256;

    normalizer() = default;

    /// @param kept texts that SentencePiece's normalizer leaves as they are
    /// @throws argument_error, unsupported_error, limit_error as regex and charsmap do
    explicit normalizer(const std::vector<normalizer_data>& steps, std::vector<std::string> kept = {});

    /// A text after all steps.
    /// @param start        set to false where a step took something away from the start of the text
    /// @param regex_steps  what is left to regular expressions
    /// @throws limit_error for a text that grows too much (codec/text_budget.hpp), or as regex::find_all
    [[nodiscard]] std::string apply(std::string_view text, bool& start, std::uint64_t& regex_steps) const;

    [[nodiscard]] bool empty() const noexcept { return steps_.empty(); }

private:
    struct step {
        normalizer_data data; // without pattern and table, which are below
        std::optional<text_pattern> pattern;
        charsmap table;
    };

    [[nodiscard]] std::string run(const step& s, std::string text, const text_budget& budget) const;
    /// Whether a step takes the first character of a text away.
    [[nodiscard]] static bool takes_start(const step& s, std::string_view text);
    [[nodiscard]] std::string sentencepiece_form(const step& s, std::string_view text, const text_budget& budget) const;

    std::vector<step> steps_;
    std::vector<std::string> kept_; // longest first
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Calls change(out, code, bytes) for each character; malformed bytes are appended as they are.
template <class Change>
[[nodiscard]] std::string by_character(std::string_view text, Change change) {
    std::string out;
    out.reserve(text.size());
    for(std::size_t at = 0; at < text.size();) {
        const utf8_char c = decode_utf8(text, at);
        const std::string_view bytes = text.substr(at, c.length);
        if(c.valid) {
            change(out, c.code, bytes);
        } else {
            out += bytes;
        }
        at += c.length;
    }
    return out;
}

[[nodiscard]] constexpr bool is_blank(char32_t code) noexcept { return class_of(code) == char_class::space; }

/// Bytes of blanks at the start, or at the end, of a text.
[[nodiscard]] inline std::size_t leading_blanks(std::string_view text) {
    return scanner{text}.run(0, text.size(), is_space);
}
[[nodiscard]] inline std::size_t trailing_blanks(std::string_view text) {
    std::size_t end = text.size();
    while(end > 0) {
        std::size_t at = end - 1;
        while(at > 0 && end - at < 4 && (byte_at(text, at) & 0xC0) == 0x80) {
            --at;
        }
        const utf8_char c = decode_utf8(text, at);
        if(!c.valid || at + c.length != end || !is_blank(c.code)) {
            break;
        }
        end = at;
    }
    return text.size() - end;
}

[[nodiscard]] constexpr bool is_chinese(char32_t c) noexcept {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

[[nodiscard]] inline std::string lowercased(std::string_view text) {
    return by_character(text, [](std::string& out, char32_t code, std::string_view) { append_lowercase(out, code); });
}

[[nodiscard]] inline std::string bert_form(const normalizer_data& how, std::string text) {
    if(how.clean_text) {
        text = by_character(text, [](std::string& out, char32_t c, std::string_view bytes) {
            const bool tab = c == '\t' || c == '\n' || c == '\r';
            if(tab || (!is_bert_control(c) && c != 0 && is_blank(c))) {
                out += ' ';
            } else if(!is_bert_control(c) && c != 0) {
                out += bytes;
            }
        });
    }
    if(how.handle_chinese_chars) {
        text = by_character(text, [](std::string& out, char32_t c, std::string_view bytes) {
            const std::string_view around = is_chinese(c) ? " " : "";
            (out += around).append(bytes) += around;
        });
    }
    if(how.strip_accents.value_or(how.lowercase)) {
        text =
            by_character(normalized(text, normal_form::nfd), [](std::string& out, char32_t c, std::string_view bytes) {
                out += is_nonspacing_accent(c) ? std::string_view{} : bytes;
            });
    }
    return how.lowercase ? lowercased(text) : text;
}

/// Source: the Nmt normalizer of `tokenizers`, after sentencepiece's nmt rules.
[[nodiscard]] inline std::string nmt_form(std::string_view text) {
    return by_character(text, [](std::string& out, char32_t c, std::string_view bytes) {
        const bool gone =
            (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
        const bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                           c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
        out += gone ? std::string_view{} : blank ? std::string_view{" "} : bytes;
    });
}

/// The end of the grapheme cluster at `at`, as far as it matters where only clusters under six bytes are looked up: a
/// character that is no control, marks behind it, and CR LF.
[[nodiscard]] inline std::size_t cluster_end(std::string_view text, std::size_t at) {
    const utf8_char first = decode_utf8(text, at);
    std::size_t end = at + first.length;
    if(first.code == '\r' && end < text.size() && text[end] == '\n') {
        return end + 1;
    }
    const general_category kind = category(first.code);
    const bool joiner = first.code == 0x200C || first.code == 0x200D;
    const bool control = kind == general_category::cc || kind == general_category::zl || kind == general_category::zp ||
                         (kind == general_category::cf && !joiner);
    while(!control && end < text.size() && byte_at(text, end) >= 0x80) {
        const utf8_char next = decode_utf8(text, end);
        if(!continues_cluster(next.code)) {
            break;
        }
        end += next.length;
    }
    return end;
}

/// Hugging Face's way: a cluster of under six bytes becomes what the shortest key at its start becomes, whatever
/// follows in the cluster; in other clusters each character is looked up.
[[nodiscard]] inline std::string precompiled_form(const charsmap& table, std::string_view text,
                                                  const text_budget& budget) {
    std::string out;
    out.reserve(text.size());
    for(std::size_t at = 0; at < text.size();) {
        const std::size_t end = cluster_end(text, at);
        budget.check(out.size());
        if(end - at < 6) {
            if(const auto found = table.shortest(text.substr(at, end - at))) {
                out += found->text;
                at = end;
                continue;
            }
        }
        while(at < end) {
            const std::string_view one = text.substr(at, decode_utf8(text, at).length);
            const auto found = table.shortest(one);
            out += found ? found->text : one;
            at += one.size();
            budget.check(out.size());
        }
    }
    return out;
}

[[nodiscard]] inline std::string replaced(const text_pattern& pattern, std::string_view content, std::string text,
                                          const text_budget& budget) {
    std::vector<text_pattern::range> found;
    pattern.find_all(text, found, budget);
    if(found.empty()) {
        return text;
    }
    std::string out;
    std::size_t at = 0;
    for(const auto& [begin, end]: found) {
        out.append(text, at, begin - at).append(content);
        at = end;
        budget.check(out.size());
    }
    return out.append(text, at);
}

} // namespace detail

TOKENWORKS_FUNCTION normalizer::normalizer(const std::vector<normalizer_data>& steps, std::vector<std::string> kept)
    : kept_{std::move(kept)} {
    if(steps.size() > most_steps) {
        tokenworks::detail::raise<limit_error>({"over ", most_steps, " steps"});
    }
    for(const normalizer_data& data: steps) {
        step s;
        s.data = data;
        if(data.kind == normalizer_kind::replace) {
            s.pattern.emplace(data.pattern);
        }
        if(!data.charsmap.empty()) {
            s.table = charsmap{data.charsmap};
        }
        s.data.charsmap.clear();
        s.data.pattern.text.clear();
        steps_.push_back(std::move(s));
    }
    std::erase(kept_, std::string{});
    std::sort(kept_.begin(), kept_.end(), [](const std::string& a, const std::string& b) {
        return a.size() > b.size() || (a.size() == b.size() && a < b);
    });
}

TOKENWORKS_FUNCTION std::string normalizer::apply(std::string_view text, bool& start,
                                                  std::uint64_t& regex_steps) const {
    const text_budget budget{text.size(), regex_steps};
    std::string now{text};
    for(const step& s: steps_) {
        start = start && !takes_start(s, now);
        now = run(s, std::move(now), budget);
        budget.check(now.size());
    }
    return now;
}

TOKENWORKS_FUNCTION bool normalizer::takes_start(const step& s, std::string_view text) {
    using enum normalizer_kind;
    if(text.empty()) {
        return false;
    }
    const std::string_view first = text.substr(0, decode_utf8(text, 0).length);
    switch(s.data.kind) {
    case strip:
        return s.data.left && detail::leading_blanks(first) != 0;
    case strip_accents:
        return is_accent(decode_utf8(text, 0).code);
    case nmt:
        return detail::nmt_form(first).empty();
    case bert:
        return detail::bert_form(s.data, std::string{first}).empty();
    default:
        return false;
    }
}

TOKENWORKS_FUNCTION std::string normalizer::run(const step& s, std::string text, const text_budget& budget) const {
    using enum normalizer_kind;
    const normalizer_data& how = s.data;
    switch(how.kind) {
    case nfc:
        return normalized(text, normal_form::nfc);
    case nfd:
        return normalized(text, normal_form::nfd);
    case nfkc:
        return normalized(text, normal_form::nfkc);
    case nfkd:
        return normalized(text, normal_form::nfkd);
    case lowercase:
        return detail::lowercased(text);
    case strip: {
        const std::size_t left = how.left ? detail::leading_blanks(text) : 0;
        text.erase(0, left);
        text.resize(text.size() - (how.right ? detail::trailing_blanks(text) : 0));
        return text;
    }
    case strip_accents:
        return detail::by_character(text, [](std::string& out, char32_t c, std::string_view bytes) {
            out += is_accent(c) ? std::string_view{} : bytes;
        });
    case replace:
        return detail::replaced(*s.pattern, how.content, std::move(text), budget);
    case prepend:
        return text.empty() ? text : how.content + text;
    case bert:
        return detail::bert_form(how, std::move(text));
    case nmt:
        return detail::nmt_form(text);
    case precompiled:
        return detail::precompiled_form(s.table, text, budget);
    case sentencepiece:
        return sentencepiece_form(s, text, budget);
    case byte_level: {
        std::string out;
        append_spelling(out, text);
        return out;
    }
    }
    return text;
}

/// Source: sentencepiece, src/normalizer.cc. Malformed bytes stay as they are, where it has U+FFFD.
TOKENWORKS_FUNCTION std::string normalizer::sentencepiece_form(const step& s, std::string_view text,
                                                               const text_budget& budget) const {
    const normalizer_data& how = s.data;
    const std::string_view blank = how.escape_blanks ? "\xE2\x96\x81" : " ";
    const auto next = [&](std::size_t at) { // what stands at a place, and the bytes that it takes
        const std::string_view rest = text.substr(at);
        for(const std::string& kept: kept_) {
            if(rest.starts_with(kept)) {
                return std::pair{std::string_view{kept}, kept.size()};
            }
        }
        if(const auto found = s.table.longest(rest)) {
            return std::pair{found->text, found->length};
        }
        const std::size_t length = decode_utf8(text, at).length;
        return std::pair{rest.substr(0, length), length};
    };
    std::size_t at = 0;
    while(how.remove_extra_blanks && at < text.size()) {
        const auto [what, length] = next(at);
        if(what != " ") {
            break;
        }
        at += length;
    }
    std::string out;
    if(at == text.size()) {
        return out;
    }
    if(how.add_prefix && !how.blank_as_suffix) {
        out += blank;
    }
    bool after_blank = how.remove_extra_blanks;
    while(at < text.size()) {
        auto [what, length] = next(at);
        while(after_blank && what.starts_with(' ')) {
            what.remove_prefix(1);
        }
        for(const char c: what) {
            if(c == ' ') {
                out += blank;
            } else {
                out += c;
            }
        }
        if(!what.empty()) {
            after_blank = what.ends_with(' ') && how.remove_extra_blanks;
        }
        at += length;
        budget.check(out.size());
    }
    while(how.remove_extra_blanks && out.ends_with(blank)) {
        out.resize(out.size() - blank.size());
    }
    if(how.add_prefix && how.blank_as_suffix) {
        out += blank;
    }
    return out;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
