// Text to ids and back in the steps of a tokenizer_data: added tokens are found, what lies between them is normalized,
// cut into words and given to the model, and a template puts special ids around it.
//
// The order is that of Hugging Face's `tokenizers`: added tokens that are not normalized are found in the text as it
// came, then each part between is normalized on its own, and the others are found in that.
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

#include <tokenworks/codec/added_tokens.hpp>
#include <tokenworks/codec/normalizer.hpp>
#include <tokenworks/codec/regex.hpp>
#include <tokenworks/codec/sentencepiece.hpp>
#include <tokenworks/codec/symbol_bpe.hpp>
#include <tokenworks/codec/text_budget.hpp>
#include <tokenworks/codec/text_splitter.hpp>
#include <tokenworks/codec/token_decoder.hpp>
#include <tokenworks/codec/token_steps.hpp>
#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/unigram.hpp>
#include <tokenworks/codec/vocabulary.hpp>
#include <tokenworks/codec/wordpiece.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// The vocabulary of a tokenizer_data: the model's tokens and the added ones by id, with the bytes that each stands
/// for.
/// @throws format_error naming the field, where ids or texts contradict each other; limit_error
[[nodiscard]] TOKENWORKS_FUNCTION vocabulary make_vocabulary(const tokenizer_data& data);

/// The tokenizer that data describe.
/// @throws format_error naming the part that is wrong, unsupported_error, limit_error
[[nodiscard]] TOKENWORKS_FUNCTION tokenizer make_tokenizer(const tokenizer_data& data);

class token_pipeline: public token_steps {
public:
    static constexpr std::size_t most_template_parts = 64;

    /// @throws format_error, unsupported_error, limit_error naming the file and the part
    token_pipeline(const tokenizer_data& data, const vocabulary& vocab);

    /// Appends the ids of a text.
    /// @param trusted  byte ranges in order; special tokens are matched within these only
    /// @throws limit_error for a text that grows too much; format_error where a token is needed that is not there
    void encode(const vocabulary& vocab, std::string_view text, const std::vector<range>& trusted, bool add_special,
                std::vector<token_id>& ids) const override;

    /// The same for two texts, with the segment of each id.
    void encode_pair(const vocabulary& vocab, std::string_view first, std::string_view second, bool parse_special,
                     bool add_special, std::size_t most, std::vector<token_id>& ids,
                     std::vector<std::uint32_t>& types) const override;

    /// Appends the text of ids. @pre the ids are in the vocabulary
    void decode_to(const vocabulary& vocab, std::string& out, std::span<const token_id> ids,
                   bool special) const override;

private:
    using model = std::variant<symbol_bpe, wordpiece, unigram, sentencepiece>;

    [[nodiscard]] static model make_model(const tokenizer_data& data, const vocabulary& vocab, bool raw_bytes);
    void encode_text(const vocabulary& vocab, std::string_view text, const std::vector<range>& trusted,
                     std::vector<token_id>& ids) const;
    void encode_section(const vocabulary& vocab, std::string_view text, const std::vector<range>& trusted,
                        std::size_t from, std::uint64_t& regex_steps, std::vector<token_id>& ids) const;
    void encode_plain(const vocabulary& vocab, std::string_view text, bool start, std::uint64_t& regex_steps,
                      std::vector<token_id>& ids) const;
    /// What an added token is normalized to, where that differs from its content.
    [[nodiscard]] std::string_view spelling_of(token_id id, std::string_view otherwise) const;

    normalizer normalizer_;
    text_splitter splitter_;
    token_decoder decoder_;
    added_tokens plain_, normalized_;
    std::vector<std::pair<token_id, std::string>> spellings_; // of added tokens that are decoded otherwise, by id
    std::vector<template_part> single_, pair_;
    model model_;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Turns what a regular expression or a table says into an error of the file.
template <class Make>
[[nodiscard]] auto part_of(const std::string& file, const char* field, Make make) {
    try {
        return make();
    } catch(const argument_error& problem) {
        tokenworks::detail::raise_format(file, {field}, format_error::no_offset, {problem.what()});
    } catch(const unsupported_error& problem) {
        tokenworks::detail::raise<unsupported_error>({file, ": ", field, ": ", problem.what()});
    } catch(const limit_error& problem) {
        tokenworks::detail::raise<limit_error>({file, ": ", field, ": ", problem.what()});
    }
}

[[nodiscard]] inline token_decoder decoder_of(const tokenizer_data& data) {
    return part_of(data.name, "decoder", [&] { return token_decoder{data.decoders, data.has_decoder}; });
}
[[nodiscard]] inline normalizer normalizer_of(const tokenizer_data& data) {
    std::vector<std::string> kept;
    for(std::size_t i = 0; i < data.types.size(); ++i) {
        if(data.types[i] == token_type::user_defined) {
            kept.emplace_back(data.tokens[i].text);
        }
    }
    return part_of(data.name, "normalizer", [&] { return normalizer{data.normalizers, std::move(kept)}; });
}

/// Whether the pre-tokenizers end with one that turns bytes to letters, and the model may as well see the bytes.
[[nodiscard]] inline bool uses_bytes(const tokenizer_data& data) {
    return data.model == token_model::bpe && symbol_bpe::takes_bytes(data) && !data.splitters.empty() &&
           data.splitters.back().kind == splitter_kind::byte_level;
}

} // namespace detail

TOKENWORKS_FUNCTION vocabulary make_vocabulary(const tokenizer_data& data) {
    const auto refuse = [&](tokenworks::detail::message_parts field, tokenworks::detail::message_parts what) {
        tokenworks::detail::raise_format(data.name, field, format_error::no_offset, what);
    };
    const std::size_t entries = data.tokens.size() + data.added.size();
    const std::uint64_t id_limit = 4096 + 2 * static_cast<std::uint64_t>(entries);
    std::uint64_t size = 0;
    const auto check_id = [&](const char* field, std::string_view text, std::uint64_t id) {
        if(id >= id_limit) { // a list by id would be far larger than the file
            refuse({field}, {"\"", tokenworks::detail::escaped(text), "\" has id ", id, " among ", entries, " tokens"});
        }
        size = std::max(size, id + 1);
    };
    for(const tokenizer_data::entry& e: data.tokens) {
        check_id("model.vocab", e.text, e.id);
    }
    for(const added_token& token: data.added) {
        check_id("added_tokens", token.content, token.id);
    }
    if(!data.scores.empty() || data.model == token_model::unigram) {
        if(data.scores.size() != data.tokens.size()) {
            refuse({"model.vocab"}, {data.scores.size(), " scores for ", data.tokens.size(), " tokens"});
        }
    }
    if(!data.types.empty() && data.types.size() != data.tokens.size()) {
        refuse({"model.vocab"}, {data.types.size(), " types for ", data.tokens.size(), " tokens"});
    }
    vocabulary_data out;
    out.name = data.name;
    out.model = "tokenizer";
    out.tokens.resize(static_cast<std::size_t>(size));
    out.types.assign(out.tokens.size(), static_cast<std::int32_t>(token_type::normal));
    std::vector<bool> taken(out.tokens.size());
    for(std::size_t i = 0; i < data.tokens.size(); ++i) {
        const tokenizer_data::entry& e = data.tokens[i];
        const auto id = static_cast<std::size_t>(e.id);
        if(taken[id]) {
            refuse({"model.vocab"}, {"\"", tokenworks::detail::escaped(out.tokens[id]), "\" and \"",
                                     tokenworks::detail::escaped(e.text), "\" both have id ", e.id});
        }
        taken[id] = true;
        out.tokens[id] = e.text;
        const bool byte = data.byte_fallback && detail::parse_byte_token(e.text) >= 0;
        out.types[id] = static_cast<std::int32_t>(!data.types.empty() ? data.types[i]
                                                  : byte              ? token_type::byte
                                                                      : token_type::normal);
    }
    for(const added_token& token: data.added) {
        if(taken[token.id] && out.tokens[token.id] != token.content) {
            refuse({"added_tokens"},
                   {"\"", tokenworks::detail::escaped(token.content), "\" has id ", token.id, ", which is that of \"",
                    tokenworks::detail::escaped(out.tokens[token.id]), "\""});
        }
        taken[token.id] = true;
        out.tokens[token.id] = token.content;
        out.types[token.id] = static_cast<std::int32_t>(token.special ? token_type::control : token_type::user_defined);
    }
    // What each token is in the middle of a text.
    const token_decoder decoder = detail::decoder_of(data);
    std::size_t bytes = 0;
    for(const std::string_view token: out.tokens) {
        bytes += token.size();
    }
    std::uint64_t regex_steps = regex::step_limit(bytes);
    const text_budget budget{bytes, regex_steps};
    std::string pieces;
    std::vector<std::size_t> ends;
    text_list one;
    for(std::size_t i = 0; i < out.tokens.size(); ++i) {
        if(out.types[i] == static_cast<std::int32_t>(token_type::control) ||
           out.types[i] == static_cast<std::int32_t>(token_type::unknown) || out.tokens[i].empty()) {
            pieces += out.tokens[i];
        } else {
            one.clear();
            one.push_back(out.tokens[i]);
            decoder.decode_to(pieces, one, regex_steps, token_decoder::place::middle);
            budget.check(pieces.size());
        }
        ends.push_back(pieces.size());
    }
    std::size_t at = 0;
    for(const std::size_t end: ends) {
        out.pieces.push_back(std::string_view{pieces}.substr(at, end - at));
        at = end;
    }
    if(data.model == token_model::sentencepiece_bpe) {
        out.scores.assign(out.tokens.size(), 0);
        for(std::size_t i = 0; i < data.tokens.size(); ++i) {
            out.scores[static_cast<std::size_t>(data.tokens[i].id)] = static_cast<float>(data.scores[i]);
        }
    }
    out.bos = data.bos;
    out.eos = data.eos;
    out.eot = data.eot;
    out.unk = data.unk;
    out.pad = data.pad;
    out.ends = data.ends;
    const auto starts_with = [&](const std::optional<std::uint32_t>& id, bool front) {
        if(data.single.empty() || !id) {
            return false;
        }
        const template_part& part = front ? data.single.front() : data.single.back();
        return part.from == template_part::source::special && !part.ids.empty() &&
               (front ? part.ids.front() : part.ids.back()) == *id;
    };
    out.add_bos = starts_with(data.bos, true);
    out.add_eos = starts_with(data.eos, false);
    return vocabulary{out};
}

TOKENWORKS_FUNCTION tokenizer make_tokenizer(const tokenizer_data& data) {
    vocabulary vocab = make_vocabulary(data);
    auto steps = std::make_shared<const token_pipeline>(data, vocab);
    return tokenizer{std::move(vocab), std::move(steps)};
}

TOKENWORKS_FUNCTION token_pipeline::model token_pipeline::make_model(const tokenizer_data& data,
                                                                     const vocabulary& vocab, bool raw_bytes) {
    switch(data.model) {
    case token_model::bpe:
        return symbol_bpe{data, vocab, raw_bytes};
    case token_model::wordpiece:
    case token_model::wordlevel:
        return wordpiece{data, vocab};
    case token_model::unigram:
        if(data.unk_id && *data.unk_id >= vocab.size()) {
            tokenworks::detail::raise_format(data.name, {"model.unk_id"}, format_error::no_offset,
                                             {"id ", *data.unk_id, " in a vocabulary of ", vocab.size()});
        }
        return unigram{data, vocab};
    case token_model::sentencepiece_bpe:
        break;
    }
    vocabulary_data names;
    names.name = data.name;
    return sentencepiece{names, vocab};
}

TOKENWORKS_FUNCTION token_pipeline::token_pipeline(const tokenizer_data& data, const vocabulary& vocab)
    : normalizer_{detail::normalizer_of(data)},
      splitter_{detail::part_of(data.name, "pre_tokenizer",
                                [&] {
                                    return text_splitter{data.splitters, detail::uses_bytes(data)};
                                })},
      decoder_{detail::decoder_of(data)},
      single_{data.single},
      pair_{data.pair},
      model_{make_model(data, vocab, detail::uses_bytes(data))} {
    std::vector<std::pair<std::string_view, added_token>> plain, normalized;
    // SentencePiece finds its user-defined pieces in the normalized text as they are.
    const bool as_they_are =
        !data.normalizers.empty() && data.normalizers.front().kind == normalizer_kind::sentencepiece;
    std::size_t bytes = 0;
    for(const added_token& token: data.added) {
        bytes += token.content.size();
    }
    std::uint64_t regex_steps = regex::step_limit(bytes);
    const text_budget budget{bytes, regex_steps};
    std::size_t spelt = 0;
    for(const added_token& token: data.added) {
        if(token.normalized && !as_they_are) {
            bool start = true;
            std::string text = normalizer_.apply(token.content, start, regex_steps);
            budget.check(spelt += text.size());
            if(text != token.content) {
                spellings_.push_back({static_cast<token_id>(token.id), std::move(text)});
            }
        }
    }
    std::sort(spellings_.begin(), spellings_.end());
    for(const added_token& token: data.added) {
        if(token.normalized) {
            normalized.push_back({spelling_of(static_cast<token_id>(token.id), token.content), token});
        } else {
            plain.push_back({token.content, token});
        }
    }
    plain_ = added_tokens{plain};
    normalized_ = added_tokens{normalized};
    using enum template_part::source;
    if(single_.empty()) {
        single_ = {{first, {}, 0}};
    }
    if(pair_.empty()) {
        pair_ = {{first, {}, 0}, {second, {}, 1}};
    }
    for(const std::vector<template_part>* parts: {&single_, &pair_}) {
        if(parts->size() > most_template_parts) {
            tokenworks::detail::raise<limit_error>(
                {data.name, ": post_processor: a template of over ", most_template_parts, " parts"});
        }
        for(const template_part& part: *parts) {
            for(const std::uint32_t id: part.ids) {
                if(id >= vocab.size()) {
                    tokenworks::detail::raise_format(data.name, {"post_processor"}, format_error::no_offset,
                                                     {"id ", id, " in a vocabulary of ", vocab.size()});
                }
            }
        }
    }
}

TOKENWORKS_FUNCTION std::string_view token_pipeline::spelling_of(token_id id, std::string_view otherwise) const {
    const auto at = std::lower_bound(spellings_.begin(), spellings_.end(), id,
                                     [](const auto& entry, token_id wanted) { return entry.first < wanted; });
    return at != spellings_.end() && at->first == id ? std::string_view{at->second} : otherwise;
}

TOKENWORKS_FUNCTION void token_pipeline::encode(const vocabulary& vocab, std::string_view text,
                                                const std::vector<range>& trusted, bool add_special,
                                                std::vector<token_id>& ids) const {
    for(const template_part& part: single_) {
        if(part.from == template_part::source::first) {
            encode_text(vocab, text, trusted, ids);
        } else if(add_special && part.from == template_part::source::special) {
            ids.insert(ids.end(), part.ids.begin(), part.ids.end());
        }
    }
}

TOKENWORKS_FUNCTION void token_pipeline::encode_pair(const vocabulary& vocab, std::string_view first,
                                                     std::string_view second, bool parse_special, bool add_special,
                                                     std::size_t most, std::vector<token_id>& ids,
                                                     std::vector<std::uint32_t>& types) const {
    using source = template_part::source;
    std::vector<token_id> first_ids;
    std::vector<token_id> second_ids;
    encode_text(vocab, first, {{0, parse_special ? first.size() : 0}}, first_ids);
    encode_text(vocab, second, {{0, parse_special ? second.size() : 0}}, second_ids);
    std::size_t around = 0;
    for(const template_part& part: pair_) {
        around += part.from == source::special && add_special ? part.ids.size() : 0;
    }
    detail::cut_pair(first_ids, second_ids, most - std::min(most, around));
    for(const template_part& part: pair_) {
        if(part.from != source::special) {
            const std::vector<token_id>& text = part.from == source::first ? first_ids : second_ids;
            ids.insert(ids.end(), text.begin(), text.end());
        } else if(add_special) {
            ids.insert(ids.end(), part.ids.begin(), part.ids.end());
        }
        types.resize(ids.size(), part.type);
    }
}

namespace detail {

/// Whether a range of bytes lies within one of those given, which are in order.
[[nodiscard]] inline bool lies_within(const std::vector<token_pipeline::range>& all, std::size_t begin,
                                      std::size_t end) {
    const auto after = std::partition_point(all.begin(), all.end(), [&](const auto& r) { return r.first <= begin; });
    return after != all.begin() && end <= std::prev(after)->second;
}

} // namespace detail

TOKENWORKS_FUNCTION void token_pipeline::encode_text(const vocabulary& vocab, std::string_view text,
                                                     const std::vector<range>& trusted,
                                                     std::vector<token_id>& ids) const {
    std::size_t at = 0;
    std::uint64_t regex_steps = regex::step_limit(text.size()); // all parts share it
    const auto allowed = [&](std::size_t begin, std::size_t end) { return detail::lies_within(trusted, begin, end); };
    for(const text_part& part: plain_.find(text, allowed)) {
        if(at < part.begin) {
            encode_section(vocab, text.substr(at, part.begin - at), trusted, at, regex_steps, ids);
        }
        ids.push_back(part.token);
        at = part.end;
    }
    if(at < text.size()) {
        encode_section(vocab, text.substr(at), trusted, at, regex_steps, ids);
    }
}

/// A part of the text, at byte `from`, in which no token that is not normalized is left.
TOKENWORKS_FUNCTION void token_pipeline::encode_section(const vocabulary& vocab, std::string_view text,
                                                        const std::vector<range>& trusted, std::size_t from,
                                                        std::uint64_t& regex_steps, std::vector<token_id>& ids) const {
    bool start = from == 0;
    std::string changed;
    if(!normalizer_.empty()) {
        changed = normalizer_.apply(text, start, regex_steps);
    }
    const std::string_view now = normalizer_.empty() ? text : std::string_view{changed};
    if(normalized_.empty()) {
        return encode_plain(vocab, now, start, regex_steps, ids);
    }
    // Places of a normalized text are those of no segment any more: all of it is trusted, or nothing.
    const bool all = detail::lies_within(trusted, from, from + text.size());
    const auto allowed = [&](std::size_t begin, std::size_t end) {
        return normalizer_.empty() ? detail::lies_within(trusted, from + begin, from + end) : all;
    };
    std::size_t at = 0;
    for(const text_part& part: normalized_.find(now, allowed)) {
        if(at < part.begin) {
            encode_plain(vocab, now.substr(at, part.begin - at), start && at == 0, regex_steps, ids);
        }
        ids.push_back(part.token);
        at = part.end;
    }
    if(at < now.size()) {
        encode_plain(vocab, now.substr(at), start && at == 0, regex_steps, ids);
    }
}

TOKENWORKS_FUNCTION void token_pipeline::encode_plain(const vocabulary& vocab, std::string_view text, bool start,
                                                      std::uint64_t& regex_steps, std::vector<token_id>& ids) const {
    if(text.empty()) {
        return;
    }
    if(const auto* pieces = std::get_if<sentencepiece>(&model_)) {
        const auto before = static_cast<std::ptrdiff_t>(ids.size());
        pieces->encode(vocab, text, false, ids);
        const auto both_unknown = [&](token_id a, token_id b) { return a == b && vocab.unk() == a; };
        ids.erase(std::unique(ids.begin() + before, ids.end(), both_unknown), ids.end());
        return;
    }
    cut_text cut;
    cut.text = text;
    cut.pieces.push_back({0, text.size()});
    splitter_.apply(cut, start, regex_steps);
    if(cut.text.size() >= std::numeric_limits<std::uint32_t>::max()) {
        tokenworks::detail::raise<limit_error>({"tokenizer: a text of over 4 GiB after normalization"});
    }
    if(const auto* bpe = std::get_if<symbol_bpe>(&model_)) {
        bpe->encode(vocab, cut, ids);
    } else if(const auto* words = std::get_if<wordpiece>(&model_)) {
        words->encode(vocab, cut, ids);
    } else {
        std::get<unigram>(model_).encode(vocab, cut, ids);
    }
}

TOKENWORKS_FUNCTION void token_pipeline::decode_to(const vocabulary& vocab, std::string& out,
                                                   std::span<const token_id> ids, bool special) const {
    text_list tokens;
    for(const token_id id: ids) {
        if(vocab.text(id).empty() || (vocab.is_hidden(id) && !special)) {
            continue;
        }
        tokens.push_back(spelling_of(id, vocab.text(id)));
    }
    std::uint64_t regex_steps = regex::step_limit(tokens.bytes.size());
    decoder_.decode_to(out, tokens, regex_steps);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
