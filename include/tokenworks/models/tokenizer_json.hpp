// The tokenizer.json of Hugging Face's `tokenizers` (format version 1.0) as the plain data that a tokenizer is built
// from.
//
// Sequences within sequences become one list. Truncation and padding are left to the caller, as encoding there does not
// shorten a text here. What is not known is refused by name: a step left out would give other ids without a word.
// Source of fields and defaults: that library's deserialization, version 0.23.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/base64.hpp>
#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/json_tree.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The tokenizer that a document describes. Views refer to the tree.
/// @throws format_error naming file and field, for a value of a wrong type or one that is absent
/// @throws unsupported_error for a kind of step or model that is not known, and for BPE with dropout
[[nodiscard]] TOKENWORKS_FUNCTION codec::tokenizer_data tokenizer_data_of(const io::json_tree& tree);

namespace detail {

inline constexpr std::uint64_t id_most = std::numeric_limits<std::int32_t>::max();

} // namespace detail

#if TOKENWORKS_DEFINITIONS

namespace detail {

class tokenizer_json_reader {
public:
    explicit tokenizer_json_reader(const io::json_tree& tree) : tree_{tree} {}

    [[nodiscard]] codec::tokenizer_data read();

private:
    using value = io::json_value;
    using name = io::json_value::field;

    [[noreturn]] TOKENWORKS_COLD void unsupported(std::string_view field, std::string_view what) const {
        tokenworks::detail::raise<unsupported_error>(
            {tree_.file(), ": ", field, ": \"", tokenworks::detail::escaped(what), "\" is not supported"});
    }
    [[nodiscard]] static value need(value object, const char* key, std::string_view field) {
        const auto found = object.find(key, {field});
        if(!found) {
            object.refuse({field, ".", key}, {"is absent"});
        }
        return *found;
    }
    [[nodiscard]] static std::string_view text(value object, const char* key, std::string_view field) {
        return need(object, key, field).string({field, ".", key});
    }
    [[nodiscard]] static bool flag(value object, const char* key, std::string_view field, bool otherwise) {
        const auto found = object.find(key, {field});
        return found ? found->boolean({field, ".", key}) : otherwise;
    }
    [[nodiscard]] static bool flag(value object, const char* key, std::string_view field) {
        return need(object, key, field).boolean({field, ".", key});
    }
    /// A text of exactly one character.
    [[nodiscard]] static std::string character(value object, const char* key, std::string_view field) {
        const std::string_view found = text(object, key, field);
        if(found.empty() || codec::decode_utf8(found, 0).length != found.size()) {
            object.refuse({field, ".", key}, {"is not one character"});
        }
        return std::string{found};
    }

    [[nodiscard]] codec::pattern_data pattern(value object, std::string_view field) const;
    [[nodiscard]] codec::prepend_scheme scheme(value object, std::string_view field) const;
    [[nodiscard]] codec::split_behavior behavior(value object, std::string_view field, bool has_default) const;

    void read_normalizer(value v, const std::string& field);
    void read_splitter(value v, const std::string& field);
    void read_decoder(value v, const std::string& field);
    void read_post_processor(value v, const std::string& field);
    void read_template(value v, const std::string& field);
    void read_cls_sep(value v, const std::string& field, bool roberta);
    void read_added(value v);
    void read_model(value model);
    void read_bpe(value model);
    void read_vocab(value model);
    void read_unigram(value model);

    const io::json_tree& tree_;
    codec::tokenizer_data data_;
};

/// A real number as serde_json reads it by default: its digits as a whole number, divided or multiplied by a power of
/// ten. That may be off by the last bit, and where two ways to cut a text are equally good, the last bit decides.
[[nodiscard]] inline double serde_number(std::string_view text) {
    const bool negative = text.starts_with('-');
    text.remove_prefix(negative ? 1 : 0);
    std::uint64_t digits = 0;
    std::int64_t exponent = 0;
    bool fraction = false;
    bool full = false; // further digits no longer fit
    std::size_t at = 0;
    for(; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
        if(text[at] == '.') {
            fraction = true;
            continue;
        }
        const auto digit = static_cast<std::uint64_t>(text[at] - '0');
        full = full || digits > (std::numeric_limits<std::uint64_t>::max() - digit) / 10;
        if(!full) {
            digits = digits * 10 + digit;
        }
        exponent += full ? (fraction ? 0 : 1) : (fraction ? -1 : 0);
    }
    if(at < text.size()) {
        const bool down = text.substr(at + 1).starts_with('-');
        std::int64_t power = 0;
        for(const char c: text.substr(at + 1)) {
            power = c >= '0' && c <= '9' ? std::min<std::int64_t>(power * 10 + (c - '0'), 100'000) : power;
        }
        exponent += down ? -power : power;
    }
    double value = static_cast<double>(digits);
    const auto power_of_ten = [](std::int64_t power) {
        return std::strtod(("1e" + std::to_string(power)).c_str(), nullptr);
    };
    for(; exponent < -308 && value != 0; exponent += 308) {
        value /= 1e308;
    }
    value =
        exponent < 0 ? value / power_of_ten(-exponent) : value * power_of_ten(std::min<std::int64_t>(exponent, 308));
    return negative ? -value : value;
}

inline codec::pattern_data tokenizer_json_reader::pattern(value object, std::string_view field) const {
    const value v = need(object, "pattern", field);
    const std::string inner = std::string{field} + ".pattern";
    if(const auto plain = v.find("String", {inner})) {
        return {std::string{plain->string({inner, ".String"})}, false};
    }
    return {std::string{text(v, "Regex", inner)}, true};
}

inline codec::prepend_scheme tokenizer_json_reader::scheme(value object, std::string_view field) const {
    using enum codec::prepend_scheme;
    codec::prepend_scheme result = always;
    if(const auto found = object.find("prepend_scheme", {field})) {
        const std::string_view text = found->string({field, ".prepend_scheme"});
        if(text != "always" && text != "first" && text != "never") {
            unsupported(std::string{field} + ".prepend_scheme", text);
        }
        result = text == "always" ? always : text == "first" ? first : never;
    } else if(const auto prefix = object.find("add_prefix_space", {field})) { // files of older versions
        result = prefix->boolean({field, ".add_prefix_space"}) ? always : never;
    }
    return result;
}

inline codec::split_behavior tokenizer_json_reader::behavior(value object, std::string_view field,
                                                             bool has_default) const {
    using enum codec::split_behavior;
    const auto found = object.find("behavior", {field});
    if(!found && has_default) {
        return isolated;
    }
    const std::string_view text = this->text(object, "behavior", field);
    constexpr std::pair<std::string_view, codec::split_behavior> names[] = {
        {"Removed", removed},
        {"Isolated", isolated},
        {"MergedWithPrevious", merged_with_previous},
        {"MergedWithNext", merged_with_next},
        {"Contiguous", contiguous}};
    for(const auto& [known, what]: names) {
        if(known == text) {
            return what;
        }
    }
    unsupported(std::string{field} + ".behavior", text);
}

inline void tokenizer_json_reader::read_normalizer(value v, const std::string& field) {
    using enum codec::normalizer_kind;
    const std::string_view type = text(v, "type", field);
    if(type == "Sequence") {
        need(v, "normalizers", field).elements({field, ".normalizers"}, [&](value inner) {
            read_normalizer(inner, field);
        });
        return;
    }
    codec::normalizer_data n;
    constexpr std::pair<std::string_view, codec::normalizer_kind> plain[] = {{"NFC", nfc},
                                                                             {"NFD", nfd},
                                                                             {"NFKC", nfkc},
                                                                             {"NFKD", nfkd},
                                                                             {"Lowercase", lowercase},
                                                                             {"StripAccents", strip_accents},
                                                                             {"Nmt", nmt},
                                                                             {"ByteLevel", byte_level}};
    bool known = false;
    for(const auto& [text, kind]: plain) {
        if(text == type) {
            n.kind = kind;
            known = true;
        }
    }
    if(known) {
    } else if(type == "Strip") {
        n.kind = strip;
        n.left = flag(v, "strip_left", field);
        n.right = flag(v, "strip_right", field);
    } else if(type == "Replace") {
        n.kind = replace;
        n.pattern = pattern(v, field);
        n.content = text(v, "content", field);
    } else if(type == "Prepend") {
        n.kind = prepend;
        n.content = text(v, "prepend", field);
    } else if(type == "BertNormalizer") {
        n.kind = bert;
        n.clean_text = flag(v, "clean_text", field);
        n.handle_chinese_chars = flag(v, "handle_chinese_chars", field);
        n.lowercase = flag(v, "lowercase", field);
        if(const auto accents = v.find("strip_accents", {field})) {
            n.strip_accents = accents->boolean({field, ".strip_accents"});
        }
    } else if(type == "Precompiled") {
        n.kind = precompiled;
        if(const auto map = v.find("precompiled_charsmap", {field})) {
            if(!codec::decode_base64(map->string({field, ".precompiled_charsmap"}), n.charsmap)) {
                v.refuse({field, ".precompiled_charsmap"}, {"is not in base 64"});
            }
        }
    } else {
        unsupported(field + ".type", type);
    }
    data_.normalizers.push_back(std::move(n));
}

inline void tokenizer_json_reader::read_splitter(value v, const std::string& field) {
    using enum codec::splitter_kind;
    const std::string_view type = text(v, "type", field);
    if(type == "Sequence") {
        need(v, "pretokenizers", field).elements({field, ".pretokenizers"}, [&](value inner) {
            read_splitter(inner, field);
        });
        return;
    }
    codec::splitter_data s;
    if(type == "ByteLevel") {
        s.kind = byte_level;
        s.add_prefix_space = flag(v, "add_prefix_space", field);
        s.use_regex = flag(v, "use_regex", field, true);
    } else if(type == "Split") {
        s.kind = codec::splitter_kind::split;
        s.pattern = pattern(v, field);
        s.behavior = behavior(v, field, false);
        s.invert = flag(v, "invert", field);
    } else if(type == "CharDelimiterSplit") {
        s.kind = codec::splitter_kind::split;
        s.pattern = {character(v, "delimiter", field), false};
        s.behavior = codec::split_behavior::removed;
    } else if(type == "Whitespace") {
        s.kind = whitespace;
    } else if(type == "WhitespaceSplit") {
        s.kind = whitespace_split;
    } else if(type == "BertPreTokenizer") {
        s.kind = bert;
    } else if(type == "Punctuation") {
        s.kind = punctuation;
        s.behavior = behavior(v, field, true);
    } else if(type == "Digits") {
        s.kind = digits;
        s.individual_digits = flag(v, "individual_digits", field);
    } else if(type == "Metaspace") {
        s.kind = metaspace;
        s.replacement = character(v, "replacement", field);
        s.prepend = scheme(v, field);
        s.split = flag(v, "split", field, true);
    } else {
        unsupported(field + ".type", type);
    }
    data_.splitters.push_back(std::move(s));
}

inline void tokenizer_json_reader::read_decoder(value v, const std::string& field) {
    using enum codec::decoder_kind;
    const std::string_view type = text(v, "type", field);
    if(type == "Sequence") {
        need(v, "decoders", field).elements({field, ".decoders"}, [&](value inner) { read_decoder(inner, field); });
        return;
    }
    const auto count = [&](const char* key) {
        constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
        return static_cast<std::size_t>(need(v, key, field).whole({field, ".", key}, most));
    };
    codec::decoder_data d;
    if(type == "ByteLevel") {
        d.kind = byte_level;
    } else if(type == "Metaspace") {
        d.kind = metaspace;
        d.content = character(v, "replacement", field);
        d.prepend = scheme(v, field);
    } else if(type == "WordPiece") {
        d.kind = wordpiece;
        d.content = text(v, "prefix", field);
        d.cleanup = flag(v, "cleanup", field);
    } else if(type == "BPEDecoder") {
        d.kind = bpe;
        d.content = text(v, "suffix", field);
    } else if(type == "ByteFallback") {
        d.kind = byte_fallback;
    } else if(type == "Fuse") {
        d.kind = fuse;
    } else if(type == "Replace") {
        d.kind = replace;
        d.pattern = pattern(v, field);
        d.content = text(v, "content", field);
    } else if(type == "Strip") {
        d.kind = strip;
        d.content = character(v, "content", field);
        d.start = count("start");
        d.stop = count("stop");
    } else {
        unsupported(field + ".type", type);
    }
    data_.decoders.push_back(std::move(d));
}

inline void tokenizer_json_reader::read_post_processor(value v, const std::string& field) {
    const std::string_view type = text(v, "type", field);
    if(type == "ByteLevel") {
        return; // moves offsets, not ids
    }
    if(type == "Sequence") {
        need(v, "processors", field).elements({field, ".processors"}, [&](value inner) {
            read_post_processor(inner, field);
        });
        return;
    }
    if(!data_.single.empty() || !data_.pair.empty()) {
        unsupported(field, "a second template in a sequence");
    }
    if(type == "TemplateProcessing") {
        read_template(v, field);
    } else if(type == "BertProcessing" || type == "RobertaProcessing") {
        read_cls_sep(v, field, type == "RobertaProcessing");
    } else {
        unsupported(field + ".type", type);
    }
}

inline void tokenizer_json_reader::read_template(value v, const std::string& field) {
    using enum codec::template_part::source;
    const value specials = need(v, "special_tokens", field);
    for(const char* const which: {"single", "pair"}) {
        auto& parts = which[0] == 's' ? data_.single : data_.pair;
        const std::string here = field + "." + which;
        need(v, which, field).elements({here}, [&](value piece) {
            codec::template_part part;
            const auto sequence = piece.find("Sequence", {here});
            const value inner = sequence ? *sequence : need(piece, "SpecialToken", here);
            const std::string_view id = text(inner, "id", here);
            part.type = static_cast<std::uint32_t>(need(inner, "type_id", here).whole({here, ".type_id"}, id_most));
            if(sequence) {
                if(id != "A" && id != "B") {
                    unsupported(here, id);
                }
                part.from = id == "A" ? first : second;
            } else {
                part.from = special;
                const auto token = specials.find(id, {field, ".special_tokens"});
                if(!token) {
                    specials.refuse({field, ".special_tokens"},
                                    {"has no \"", tokenworks::detail::escaped(id), "\", which ", which, " needs"});
                }
                need(*token, "ids", here).elements({here, ".ids"}, [&](value number) {
                    part.ids.push_back(static_cast<std::uint32_t>(number.whole({here, ".ids"}, id_most)));
                });
            }
            parts.push_back(std::move(part));
        });
    }
}

inline void tokenizer_json_reader::read_cls_sep(value v, const std::string& field, bool roberta) {
    using enum codec::template_part::source;
    const auto id = [&](const char* key) {
        std::optional<std::uint32_t> found;
        std::size_t place = 0;
        need(v, key, field).elements({field, ".", key}, [&](value part) {
            if(place++ == 1) {
                found = static_cast<std::uint32_t>(part.whole({field, ".", key}, id_most));
            }
        });
        if(!found || place != 2) {
            v.refuse({field, ".", key}, {"is not a token and its id"});
        }
        return *found;
    };
    const std::uint32_t cls = id("cls");
    const std::uint32_t sep = id("sep");
    const std::uint32_t other = roberta ? 0 : 1; // segment of the second text
    data_.single = {{special, {cls}, 0}, {first, {}, 0}, {special, {sep}, 0}};
    data_.pair = data_.single;
    if(roberta) {
        data_.pair.push_back({special, {sep}, 0});
    }
    data_.pair.push_back({second, {}, other});
    data_.pair.push_back({special, {sep}, other});
}

inline void tokenizer_json_reader::read_added(value v) {
    constexpr std::string_view field = "added_tokens";
    v.elements({field}, [&](value token) {
        codec::added_token a;
        a.content = text(token, "content", field);
        a.id = static_cast<std::uint32_t>(need(token, "id", field).whole({field, ".id"}, id_most));
        a.single_word = flag(token, "single_word", field);
        a.lstrip = flag(token, "lstrip", field);
        a.rstrip = flag(token, "rstrip", field);
        a.normalized = flag(token, "normalized", field);
        a.special = flag(token, "special", field);
        if(!a.content.empty()) {
            data_.added.push_back(a);
        }
    });
}

inline void tokenizer_json_reader::read_vocab(value model) {
    const value vocab = need(model, "vocab", "model");
    data_.tokens.reserve(vocab.size());
    vocab.members({"model.vocab"}, [&](std::string_view text, value id) {
        data_.tokens.push_back({text, id.whole({"model.vocab"}, id_most)});
    });
    if(const auto unk = model.find("unk_token", {"model"})) {
        data_.unk_token = unk->string({"model.unk_token"});
    }
}

inline void tokenizer_json_reader::read_bpe(value model) {
    if(const auto dropout = model.find("dropout", {"model"}); dropout && dropout->number({"model.dropout"}) != 0) {
        unsupported("model.dropout", "a part of merges left out at random");
    }
    read_vocab(model);
    const auto optional_text = [&](const char* key) {
        const auto found = model.find(key, {"model"});
        return found ? std::string{found->string({"model.", key})} : std::string{};
    };
    data_.continuing_prefix = optional_text("continuing_subword_prefix");
    data_.word_suffix = optional_text("end_of_word_suffix");
    data_.fuse_unk = flag(model, "fuse_unk", "model", false);
    data_.byte_fallback = flag(model, "byte_fallback", "model", false);
    data_.ignore_merges = flag(model, "ignore_merges", "model", false);
    const value merges = need(model, "merges", "model");
    data_.merges.reserve(merges.size());
    merges.elements({"model.merges"}, [&](value merge) {
        std::string_view parts[2];
        if(merge.is_string()) { // "left right", as files of older versions have it
            const std::string_view both = merge.string({"model.merges"});
            const std::size_t blank = both.find(' ');
            if(blank == both.npos || both.find(' ', blank + 1) != both.npos) {
                merge.refuse({"model.merges[", data_.merges.size(), "]"}, {"has not two parts"});
            }
            parts[0] = both.substr(0, blank);
            parts[1] = both.substr(blank + 1);
        } else {
            if(!merge.is_array() || merge.size() != 2) {
                merge.refuse({"model.merges[", data_.merges.size(), "]"}, {"has not two parts"});
            }
            std::size_t place = 0;
            merge.elements({"model.merges"}, [&](value part) { parts[place++] = part.string({"model.merges"}); });
        }
        data_.merges.push_back({parts[0], parts[1]});
    });
}

inline void tokenizer_json_reader::read_unigram(value model) {
    const value vocab = need(model, "vocab", "model");
    data_.tokens.reserve(vocab.size());
    data_.scores.reserve(vocab.size());
    vocab.elements({"model.vocab"}, [&](value pair) {
        if(!pair.is_array() || pair.size() != 2) {
            pair.refuse({"model.vocab[", data_.tokens.size(), "]"}, {"is not a token and its score"});
        }
        std::size_t place = 0;
        pair.elements({"model.vocab"}, [&](value part) {
            if(place++ == 0) {
                data_.tokens.push_back({part.string({"model.vocab"}), data_.tokens.size()});
            } else {
                const double exact = part.number({"model.vocab"});
                data_.scores.push_back(part.spelling().empty() ? exact : serde_number(part.spelling()));
            }
        });
    });
    if(const auto unk = model.find("unk_id", {"model"})) {
        data_.unk_id = unk->whole({"model.unk_id"}, id_most);
    }
    data_.byte_fallback = flag(model, "byte_fallback", "model", false);
    data_.fuse_unk = true;
}

inline void tokenizer_json_reader::read_model(value model) {
    using enum codec::token_model;
    const auto named = model.find("type", {"model"});
    // Files of older versions do not say the type: it shows in the fields.
    const std::string_view type = named                                                ? named->string({"model.type"})
                                  : model.find("merges", {"model"})                    ? "BPE"
                                  : model.find("continuing_subword_prefix", {"model"}) ? "WordPiece"
                                  : need(model, "vocab", "model").is_array()           ? "Unigram"
                                                                                       : "WordLevel";
    if(type == "BPE") {
        data_.model = bpe;
        read_bpe(model);
    } else if(type == "Unigram") {
        data_.model = unigram;
        read_unigram(model);
    } else if(type == "WordPiece") {
        data_.model = wordpiece;
        read_vocab(model);
        data_.continuing_prefix = text(model, "continuing_subword_prefix", "model");
        data_.longest_word = static_cast<std::size_t>(
            need(model, "max_input_chars_per_word", "model").whole({"model.max_input_chars_per_word"}));
    } else if(type == "WordLevel") {
        data_.model = wordlevel;
        read_vocab(model);
    } else {
        unsupported("model.type", type);
    }
}

inline codec::tokenizer_data tokenizer_json_reader::read() {
    data_.name = tree_.file();
    const value root = tree_.root();
    if(!root.is_object()) {
        root.unexpected({"JSON"}, "an object");
    }
    if(const auto version = root.find("version", {""}); version && version->string({"version"}) != "1.0") {
        unsupported("version", version->string({"version"}));
    }
    if(const auto added = root.find("added_tokens", {""})) {
        read_added(*added);
    }
    if(const auto normalizer = root.find("normalizer", {""})) {
        read_normalizer(*normalizer, "normalizer");
    }
    if(const auto splitter = root.find("pre_tokenizer", {""})) {
        read_splitter(*splitter, "pre_tokenizer");
    }
    if(const auto processor = root.find("post_processor", {""})) {
        read_post_processor(*processor, "post_processor");
    }
    if(const auto decoder = root.find("decoder", {""})) {
        data_.has_decoder = true;
        read_decoder(*decoder, "decoder");
    }
    const auto model = root.find("model", {""});
    if(!model) {
        root.refuse({"model"}, {"is absent"});
    }
    read_model(*model);
    return std::move(data_);
}

} // namespace detail

TOKENWORKS_FUNCTION codec::tokenizer_data tokenizer_data_of(const io::json_tree& tree) {
    return detail::tokenizer_json_reader{tree}.read();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
