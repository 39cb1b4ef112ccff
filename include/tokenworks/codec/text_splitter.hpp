// The steps that cut a normalized text into words: the pre-tokenizers of Hugging Face's `tokenizers`.
//
// A step cuts each piece that the steps before it left, and may change the text (byte letters, U+2581 for blanks). The
// expressions of well-known models are recognised and cut by the scanners of codec/word_cutter.hpp, others by
// codec/regex.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/byte_alphabet.hpp>
#include <tokenworks/codec/normalization.hpp>
#include <tokenworks/codec/pretokenizer.hpp>
#include <tokenworks/codec/text_budget.hpp>
#include <tokenworks/codec/text_pattern.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/codec/word_cutter.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// A text, cut. Pieces are byte ranges in order; what lies between them is gone.
struct cut_text {
    using range = std::pair<std::size_t, std::size_t>;

    std::string text;
    std::vector<range> pieces;
};

class text_splitter {
public:
    static constexpr std::size_t most_steps = 256;

    text_splitter() = default;

    /// @param raw_bytes  the last step, if it is byte_level, leaves bytes as they are instead of spelling them in
    /// letters
    /// @throws argument_error, unsupported_error, limit_error as regex does
    explicit text_splitter(const std::vector<splitter_data>& steps, bool raw_bytes);

    /// Cuts the one piece that the text is.
    /// @param start        whether the text begins where the user's text does
    /// @param regex_steps  what is left to regular expressions
    /// @throws limit_error as regex::find_all, or for a text that grows too much
    void apply(cut_text& cut, bool start, std::uint64_t& regex_steps) const;

private:
    using range = cut_text::range;
    /// An expression that a scanner does too.
    enum class scan : std::uint8_t { none, gpt2, llama3, qwen2 };
    struct step {
        splitter_data data;
        std::optional<text_pattern> pattern;
        scan known = scan::none;
        bool raw = false;
    };

    [[nodiscard]] static scan known_expression(const splitter_data& data);
    void run(const step& s, cut_text& cut, bool start, const text_budget& budget) const;
    static void spell_bytes(const step& s, cut_text& cut, const text_budget& budget);
    static void mark_blanks(const step& s, cut_text& cut, bool start, const text_budget& budget);
    static void join(std::vector<range>& out, const std::vector<std::pair<range, bool>>& parts,
                     split_behavior behavior);

    std::vector<step> steps_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION text_splitter::text_splitter(const std::vector<splitter_data>& steps, bool raw_bytes) {
    if(steps.size() > most_steps) {
        tokenworks::detail::raise<limit_error>({"over ", most_steps, " steps"});
    }
    for(const splitter_data& data: steps) {
        step s;
        s.data = data;
        s.known = known_expression(data);
        if(data.kind == splitter_kind::split && s.known == scan::none) {
            s.pattern.emplace(data.pattern);
        }
        s.data.pattern.text.clear();
        steps_.push_back(std::move(s));
    }
    if(!steps_.empty()) {
        steps_.back().raw = raw_bytes;
    }
}

TOKENWORKS_FUNCTION text_splitter::scan text_splitter::known_expression(const splitter_data& data) {
    struct entry {
        std::string_view expression;
        scan what;
    };
    // What a scanner covers entirely: matches and what lies between come out as pieces alike.
    constexpr std::array table{
        entry{R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", scan::gpt2},
        entry{R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", scan::gpt2},
        entry{
            R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
            scan::llama3},
        entry{
            R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
            scan::qwen2}};
    const bool plain = data.kind == splitter_kind::split && data.pattern.is_regex && !data.invert &&
                       data.behavior == split_behavior::isolated;
    for(const entry& e: table) {
        if(plain && e.expression == data.pattern.text) {
            return e.what;
        }
    }
    return scan::none;
}

TOKENWORKS_FUNCTION void text_splitter::apply(cut_text& cut, bool start, std::uint64_t& regex_steps) const {
    const text_budget budget{cut.text.size(), regex_steps};
    for(const step& s: steps_) {
        run(s, cut, start, budget);
    }
}

/// Pieces from parts that cover a range; true for a match.
TOKENWORKS_FUNCTION void text_splitter::join(std::vector<range>& out, const std::vector<std::pair<range, bool>>& parts,
                                             split_behavior behavior) {
    const std::size_t from = out.size();
    bool match_before = false;
    const auto extend = [&](const range& part) { out.back().second = part.second; };
    switch(behavior) {
    case split_behavior::isolated:
    case split_behavior::removed:
        for(const auto& [part, match]: parts) {
            if(!match || behavior == split_behavior::isolated) {
                out.push_back(part);
            }
        }
        break;
    case split_behavior::contiguous:
        for(const auto& [part, match]: parts) {
            if(match == match_before && out.size() > from) {
                extend(part);
            } else {
                out.push_back(part);
            }
            match_before = match;
        }
        break;
    case split_behavior::merged_with_previous:
        for(const auto& [part, match]: parts) {
            if(match && !match_before && out.size() > from) {
                extend(part);
            } else {
                out.push_back(part);
            }
            match_before = match;
        }
        break;
    case split_behavior::merged_with_next:
        for(std::size_t i = parts.size(); i-- > 0;) {
            const auto& [part, match] = parts[i];
            if(match && !match_before && out.size() > from) {
                out.back().first = part.first;
            } else {
                out.push_back(part);
            }
            match_before = match;
        }
        std::reverse(out.begin() + static_cast<std::ptrdiff_t>(from), out.end());
        break;
    }
    const auto added = out.begin() + static_cast<std::ptrdiff_t>(from);
    out.erase(std::remove_if(added, out.end(), [](const range& r) { return r.first == r.second; }), out.end());
}

TOKENWORKS_FUNCTION void text_splitter::run(const step& s, cut_text& cut, bool start, const text_budget& budget) const {
    using enum splitter_kind;
    if(s.data.kind == splitter_kind::byte_level) {
        return spell_bytes(s, cut, budget);
    }
    if(s.data.kind == splitter_kind::metaspace) {
        return mark_blanks(s, cut, start, budget);
    }
    const std::string_view text = cut.text;
    const detail::scanner scan_text{text};
    std::vector<range> out;
    out.reserve(cut.pieces.size() * 2);
    std::vector<range> found;
    std::vector<std::pair<range, bool>> parts;
    const auto emit = [&](std::size_t begin, std::size_t end) { out.push_back({begin, end}); };
    // Each character that a test holds for is a match of its own.
    const auto each = [&](const range& piece, split_behavior behavior, auto test) {
        parts.clear();
        std::size_t last = piece.first;
        for(std::size_t at = piece.first; at < piece.second;) {
            const detail::scanned_char c = scan_text(at, piece.second);
            if(test(c)) {
                if(last < at) {
                    parts.push_back({{last, at}, false});
                }
                last = at + c.length;
                parts.push_back({{at, last}, true});
            }
            at += c.length;
        }
        if(last < piece.second) {
            parts.push_back({{last, piece.second}, false});
        }
        join(out, parts, behavior);
    };
    for(const range& piece: cut.pieces) {
        const auto [begin, end] = piece;
        switch(s.data.kind) {
        case split:
            if(s.known == scan::gpt2) {
                detail::cut_gpt2(scan_text, begin, end, emit);
            } else if(s.known != scan::none) {
                detail::cut_llama3(scan_text, begin, end, s.known == scan::llama3 ? 3 : 1, emit);
            } else {
                found.clear();
                parts.clear();
                s.pattern->find_all(text.substr(begin, end - begin), found, budget);
                std::size_t last = begin;
                for(const range& match: found) {
                    if(last != begin + match.first) {
                        parts.push_back({{last, begin + match.first}, s.data.invert});
                    }
                    last = begin + match.second;
                    parts.push_back({{begin + match.first, last}, !s.data.invert});
                }
                if(last != end) {
                    parts.push_back({{last, end}, s.data.invert});
                }
                join(out, parts, s.data.behavior);
            }
            break;
        case whitespace:
            for(std::size_t at = begin; at < end;) {
                const detail::scanned_char c = scan_text(at, end);
                const bool word = is_word_character(c.code);
                std::size_t next = at + c.length;
                if(word || !detail::is_space(c)) {
                    next = scan_text.run(at, end, [&](const detail::scanned_char& d) {
                        const bool also = is_word_character(d.code);
                        return word ? also : !also && !detail::is_space(d);
                    });
                    emit(at, next);
                }
                at = next;
            }
            break;
        case whitespace_split:
            each(piece, split_behavior::removed, detail::is_space);
            break;
        case punctuation:
            each(piece, s.data.behavior, [](const detail::scanned_char& c) { return is_bert_punctuation(c.code); });
            break;
        case digits:
            each(piece, s.data.individual_digits ? split_behavior::isolated : split_behavior::contiguous,
                 [](const detail::scanned_char& c) { return is_numeric(c.code); });
            break;
        case bert: {
            std::size_t from = begin;
            for(std::size_t at = begin; at < end;) {
                const detail::scanned_char c = scan_text(at, end);
                const std::size_t next = at + c.length;
                const bool blank = detail::is_space(c);
                if(blank || is_bert_punctuation(c.code)) {
                    if(from < at) {
                        emit(from, at);
                    }
                    if(!blank) {
                        emit(at, next);
                    }
                    from = next;
                }
                at = next;
            }
            if(from < end) {
                emit(from, end);
            }
            break;
        }
        case splitter_kind::byte_level:
        case splitter_kind::metaspace:
            break;
        }
    }
    cut.pieces = std::move(out);
}

TOKENWORKS_FUNCTION void text_splitter::spell_bytes(const step& s, cut_text& cut, const text_budget& budget) {
    const auto bare = [&](const range& piece) { return cut.text[piece.first] != ' '; };
    if(s.data.add_prefix_space && std::any_of(cut.pieces.begin(), cut.pieces.end(), bare)) {
        cut_text with;
        with.text.reserve(cut.text.size() + cut.pieces.size());
        for(const range& piece: cut.pieces) {
            const std::size_t begin = with.text.size();
            with.text += bare(piece) ? " " : "";
            with.text.append(cut.text, piece.first, piece.second - piece.first);
            with.pieces.push_back({begin, with.text.size()});
        }
        budget.check(with.text.size());
        cut = std::move(with);
    }
    if(s.data.use_regex) {
        std::vector<range> out;
        out.reserve(cut.text.size() / 4);
        for(const range& piece: cut.pieces) {
            detail::cut_gpt2(detail::scanner{cut.text}, piece.first, piece.second,
                             [&](std::size_t begin, std::size_t end) {
                                 out.push_back({begin, end});
                             });
        }
        cut.pieces = std::move(out);
    }
    if(s.raw) {
        return;
    }
    std::string letters;
    letters.reserve(cut.text.size() * 2);
    for(range& piece: cut.pieces) {
        const std::size_t begin = letters.size();
        append_spelling(letters, std::string_view{cut.text}.substr(piece.first, piece.second - piece.first));
        piece = {begin, letters.size()};
    }
    budget.check(letters.size());
    cut.text = std::move(letters);
}

TOKENWORKS_FUNCTION void text_splitter::mark_blanks(const step& s, cut_text& cut, bool start,
                                                    const text_budget& budget) {
    const std::string_view mark = s.data.replacement;
    cut_text out;
    out.text.reserve(cut.text.size() + cut.text.size() / 2);
    std::vector<std::pair<range, bool>> parts;
    for(const range& piece: cut.pieces) {
        const std::size_t begin = out.text.size();
        const std::string_view text = std::string_view{cut.text}.substr(piece.first, piece.second - piece.first);
        const bool marked = text.starts_with(' ') || text.starts_with(mark);
        const bool wanted = s.data.prepend == prepend_scheme::always ||
                            (s.data.prepend == prepend_scheme::first && start && piece.first == 0);
        if(wanted && !marked) {
            out.text += mark;
        }
        for(const char c: text) {
            if(c == ' ') {
                out.text += mark;
            } else {
                out.text += c;
            }
        }
        budget.check(out.text.size());
        if(!s.data.split) {
            out.pieces.push_back({begin, out.text.size()});
            continue;
        }
        parts.clear();
        std::size_t last = begin;
        const std::string_view all = out.text;
        for(std::size_t at = all.find(mark, begin); at != all.npos; at = all.find(mark, last)) {
            if(last < at) {
                parts.push_back({{last, at}, false});
            }
            last = at + mark.size();
            parts.push_back({{at, last}, true});
        }
        if(last < all.size()) {
            parts.push_back({{last, all.size()}, false});
        }
        join(out.pieces, parts, split_behavior::merged_with_next);
    }
    cut = std::move(out);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
