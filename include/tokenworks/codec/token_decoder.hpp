// The steps from the spellings of tokens to text: the decoders of Hugging Face's `tokenizers`.
//
// A step maps a list of texts to another; at the end they are joined. Where the reference writes U+FFFD for bytes that
// are no UTF-8, the bytes themselves are given here: a stream of tokens may end within a character.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/byte_alphabet.hpp>
#include <tokenworks/codec/text_budget.hpp>
#include <tokenworks/codec/text_pattern.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// Texts one after the other, in one block.
struct text_list {
    std::string bytes;
    std::vector<std::size_t> ends;

    void push_back(std::string_view text) {
        bytes += text;
        close();
    }
    void close() { ends.push_back(bytes.size()); }
    [[nodiscard]] std::size_t size() const noexcept { return ends.size(); }
    [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
        const std::size_t begin = i == 0 ? 0 : ends[i - 1];
        return std::string_view{bytes}.substr(begin, ends[i] - begin);
    }
    void clear() noexcept {
        bytes.clear();
        ends.clear();
    }
};

class token_decoder {
public:
    static constexpr std::size_t most_steps = 256;

    /// Where the tokens stand: are they a whole sequence, or one token from the middle of one?
    enum class place : std::uint8_t { whole, middle };

    /// Without steps, tokens are joined with blanks.
    token_decoder() = default;

    /// @throws argument_error, unsupported_error, limit_error as regex does
    explicit token_decoder(const std::vector<decoder_data>& steps, bool present);

    /// Appends the text of tokens, given as they are spelt. The list is used up.
    /// @param regex_steps  what is left to regular expressions
    /// @throws limit_error for a text that grows too much, or as regex::find_all
    void decode_to(std::string& out, text_list& tokens, std::uint64_t& regex_steps, place where = place::whole) const;

private:
    struct step {
        decoder_data data;
        std::optional<text_pattern> pattern;
    };

    void run(const step& s, const text_list& in, text_list& out, place where, const text_budget& budget) const;

    std::vector<step> steps_;
    bool present_ = false;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION token_decoder::token_decoder(const std::vector<decoder_data>& steps, bool present)
    : present_{present} {
    if(steps.size() > most_steps) {
        tokenworks::detail::raise<limit_error>({"over ", most_steps, " steps"});
    }
    for(const decoder_data& data: steps) {
        step s;
        s.data = data;
        if(data.kind == decoder_kind::replace) {
            s.pattern.emplace(data.pattern);
        }
        steps_.push_back(std::move(s));
    }
}

TOKENWORKS_FUNCTION void token_decoder::decode_to(std::string& out, text_list& tokens, std::uint64_t& regex_steps,
                                                  place where) const {
    if(!present_) {
        for(std::size_t i = 0; i < tokens.size(); ++i) {
            if(i > 0 || where == place::middle) {
                out += ' ';
            }
            out += tokens[i];
        }
        return;
    }
    const text_budget budget{tokens.bytes.size(), regex_steps};
    text_list next;
    bool fused = false;
    for(const step& s: steps_) {
        // In the middle of a text, what holds for the ends of the whole text does not apply.
        if(where == place::middle && fused && s.data.kind == decoder_kind::strip) {
            continue;
        }
        next.clear();
        run(s, tokens, next, where, budget);
        budget.check(next.bytes.size());
        std::swap(tokens, next);
        fused = fused || s.data.kind == decoder_kind::fuse || s.data.kind == decoder_kind::byte_level;
    }
    out += tokens.bytes;
}

namespace detail {

/// A text with all places of a part replaced.
inline void append_replaced(std::string& out, std::string_view text, std::string_view what, std::string_view by) {
    std::size_t at = 0;
    for(std::size_t found = what.empty() ? text.npos : text.find(what); found != text.npos;
        found = text.find(what, at)) {
        out.append(text.substr(at, found - at)).append(by);
        at = found + what.size();
    }
    out += text.substr(at);
}

/// What WordPiece's decoder does to each token with its blank. Source: decoders/wordpiece.rs of `tokenizers`.
[[nodiscard]] inline std::string cleaned_up(std::string text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 11> changes{{{" .", "."},
                                                                                     {" ?", "?"},
                                                                                     {" !", "!"},
                                                                                     {" ,", ","},
                                                                                     {" ' ", "'"},
                                                                                     {" n't", "n't"},
                                                                                     {" 'm", "'m"},
                                                                                     {" do not", " don't"},
                                                                                     {" 's", "'s"},
                                                                                     {" 've", "'ve"},
                                                                                     {" 're", "'re"}}};
    for(const auto& [what, by]: changes) {
        if(text.find(what) != text.npos) {
            std::string next;
            append_replaced(next, text, what, by);
            text = std::move(next);
        }
    }
    return text;
}

/// A text without at most `most` of a character at its start.
[[nodiscard]] inline std::string_view without_leading(std::string_view text, std::string_view what, std::size_t most) {
    for(; most > 0 && !what.empty() && text.starts_with(what); --most) {
        text.remove_prefix(what.size());
    }
    return text;
}
[[nodiscard]] inline std::string_view without_trailing(std::string_view text, std::string_view what, std::size_t most) {
    for(; most > 0 && !what.empty() && text.ends_with(what); --most) {
        text.remove_suffix(what.size());
    }
    return text;
}

} // namespace detail

TOKENWORKS_FUNCTION void token_decoder::run(const step& s, const text_list& in, text_list& out, place where,
                                            const text_budget& budget) const {
    using enum decoder_kind;
    const decoder_data& how = s.data;
    std::vector<text_pattern::range> found;
    if(how.kind == decoder_kind::byte_level || how.kind == fuse) {
        for(std::size_t i = 0; i < in.size(); ++i) {
            if(how.kind == fuse || !append_spelt_bytes(out.bytes, in[i])) {
                out.bytes += in[i];
            }
        }
        out.close();
        return;
    }
    bool after_byte = false; // byte_fallback: a run of bytes is one text
    for(std::size_t i = 0; i < in.size(); ++i) {
        const std::string_view token = in[i];
        const bool first = i == 0 && where == place::whole;
        const bool last = i + 1 == in.size() && where == place::whole;
        switch(how.kind) {
        case metaspace:
            detail::append_replaced(out.bytes, token, how.content,
                                    first && how.prepend != prepend_scheme::never ? "" : " ");
            break;
        case decoder_kind::wordpiece: {
            std::string text{token};
            if(!first) {
                if(!how.content.empty() && token.starts_with(how.content)) {
                    text.erase(0, how.content.size());
                } else if(!how.content.empty()) {
                    text.insert(0, 1, ' ');
                }
            }
            out.bytes += how.cleanup ? detail::cleaned_up(std::move(text)) : text;
            break;
        }
        case bpe:
            detail::append_replaced(out.bytes, token, how.content, last ? "" : " ");
            break;
        case byte_fallback: {
            const int byte = detail::parse_byte_token(token);
            if(byte < 0) {
                out.bytes += token;
            } else {
                if(after_byte) {
                    out.ends.pop_back();
                }
                out.bytes += static_cast<char>(static_cast<unsigned char>(byte));
            }
            after_byte = byte >= 0;
            break;
        }
        case replace: {
            found.clear();
            s.pattern->find_all(token, found, budget);
            std::size_t at = 0;
            for(const auto& [begin, end]: found) {
                out.bytes.append(token.substr(at, begin - at)).append(how.content);
                at = end;
            }
            out.bytes += token.substr(at);
            break;
        }
        case strip:
            out.bytes +=
                detail::without_trailing(detail::without_leading(token, how.content, how.start), how.content, how.stop);
            break;
        case decoder_kind::byte_level:
        case fuse:
            break;
        }
        out.close();
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
