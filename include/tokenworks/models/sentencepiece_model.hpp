// SentencePiece's own model files (tokenizer.model, *.model): a message in the wire format of Protocol Buffers.
//
// Read are the fields that decide ids: pieces with score and type, the kind of model, the special ids, and the
// normalizer with its table. Unknown fields are passed over, as that format asks for. Source:
// sentencepiece_model.proto.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/tokenizer_data.hpp>
#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/byte_cursor.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

class sentencepiece_model {
public:
    /// Reads a model. The bytes must outlive what data() gives.
    /// @throws format_error naming field and offset; unsupported_error for models of words or characters
    sentencepiece_model(std::span<const std::byte> bytes, std::string file);

    /// The tokenizer, with the first and the last token of each text as asked.
    [[nodiscard]] codec::tokenizer_data data(bool add_bos, bool add_eos) const;

private:
    /// One field of a message.
    struct field {
        std::uint32_t number = 0, wire = 0;
        std::uint64_t value = 0; ///< of wire types 0, 1 and 5
        std::string_view bytes;  ///< of wire type 2
    };
    /// A message that is being read; offsets are those of the file.
    struct message {
        std::string_view all; ///< the file
        std::size_t at, end;
    };

    [[noreturn]] TOKENWORKS_COLD void refuse(const char* what, std::size_t at,
                                             tokenworks::detail::message_parts why) const {
        tokenworks::detail::raise_format(file_, {what}, at, why);
    }
    [[nodiscard]] std::uint64_t varint(message& m) const;
    [[nodiscard]] bool next(message& m, field& f) const;
    /// The message that a field holds.
    [[nodiscard]] message inside(const message& m, const field& f) const;
    void read_piece(message m);
    void read_trainer(message m);
    void read_normalizer(message m);

    std::string file_;
    std::vector<std::string_view> pieces_;
    std::vector<float> scores_;
    std::vector<codec::token_type> types_;
    std::string_view charsmap_;
    std::uint64_t model_type_ = 1; // 1: unigram, 2: bpe
    std::int32_t unk_ = 0, bos_ = 1, eos_ = 2, pad_ = -1;
    bool byte_fallback_ = false, suffix_ = false;
    bool add_prefix_ = true, remove_extra_blanks_ = true, escape_blanks_ = true;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION sentencepiece_model::sentencepiece_model(std::span<const std::byte> bytes, std::string file)
    : file_{std::move(file)} {
    message whole{io::as_text(bytes), 0, bytes.size()};
    for(field f; next(whole, f);) {
        if(f.wire != 2) {
            continue;
        }
        if(f.number == 1) {
            read_piece(inside(whole, f));
        } else if(f.number == 2) {
            read_trainer(inside(whole, f));
        } else if(f.number == 3) {
            read_normalizer(inside(whole, f));
        }
    }
    if(pieces_.empty()) {
        refuse("pieces", bytes.size(), {"there are none: this is no SentencePiece model"});
    }
    if(model_type_ != 1 && model_type_ != 2) {
        tokenworks::detail::raise<unsupported_error>(
            {file_, ": trainer_spec.model_type: ", model_type_, " (1, unigram, and 2, BPE, are supported)"});
    }
}

TOKENWORKS_FUNCTION std::uint64_t sentencepiece_model::varint(message& m) const {
    std::uint64_t value = 0;
    for(unsigned shift = 0;; shift += 7) {
        if(m.at == m.end) {
            refuse("message", m.at, {"ends within a number"});
        }
        const std::uint64_t byte = codec::detail::byte_at(m.all, m.at++);
        if(shift == 63 && byte > 1) {
            refuse("message", m.at - 1, {"a number of over 64 bits"});
        }
        value |= (byte & 0x7F) << shift;
        if(byte < 0x80) {
            return value;
        }
    }
}

TOKENWORKS_FUNCTION bool sentencepiece_model::next(message& m, field& f) const {
    if(m.at == m.end) {
        return false;
    }
    const std::size_t start = m.at;
    const std::uint64_t key = varint(m);
    f.number = static_cast<std::uint32_t>(std::min<std::uint64_t>(key >> 3, 0xFFFFFFFF));
    f.wire = static_cast<std::uint32_t>(key & 7);
    std::size_t size = 0;
    switch(f.wire) {
    case 0:
        f.value = varint(m);
        return true;
    case 1:
    case 5:
        size = f.wire == 1 ? 8 : 4;
        break;
    case 2: {
        const std::uint64_t length = varint(m);
        if(length > m.end - m.at) {
            refuse("message", start, {"field ", f.number, " of ", length, " bytes; ", m.end - m.at, " are left"});
        }
        size = static_cast<std::size_t>(length);
        break;
    }
    default:
        refuse("message", start, {"field ", f.number, " has wire type ", f.wire});
    }
    if(size > m.end - m.at) {
        refuse("message", start, {"ends within field ", f.number});
    }
    f.bytes = m.all.substr(m.at, size);
    f.value = 0;
    for(std::size_t i = 0; f.wire != 2 && i < size; ++i) {
        f.value |= std::uint64_t{codec::detail::byte_at(m.all, m.at + i)} << (8 * i);
    }
    m.at += size;
    return true;
}

TOKENWORKS_FUNCTION sentencepiece_model::message sentencepiece_model::inside(const message& m, const field& f) const {
    return {m.all, m.at - f.bytes.size(), m.at};
}

TOKENWORKS_FUNCTION void sentencepiece_model::read_piece(message m) {
    const std::size_t start = m.at;
    std::string_view text;
    float score = 0;
    std::uint64_t type = 1;
    for(field f; next(m, f);) {
        if(f.number == 1 && f.wire == 2) {
            text = f.bytes;
        } else if(f.number == 2 && f.wire == 5) {
            const auto bits = static_cast<std::uint32_t>(f.value);
            std::memcpy(&score, &bits, sizeof score);
        } else if(f.number == 3 && f.wire == 0) {
            type = f.value;
        }
    }
    if(text.empty() || !codec::is_valid_utf8(text)) {
        refuse("pieces.piece", start, {"piece ", pieces_.size(), " is empty or no UTF-8"});
    }
    if(type < 1 || type > 6) {
        refuse("pieces.type", start, {"piece ", pieces_.size(), " has type ", type});
    }
    if(!std::isfinite(score)) {
        refuse("pieces.score", start, {"that of piece ", pieces_.size(), " is not finite"});
    }
    pieces_.push_back(text);
    scores_.push_back(score);
    types_.push_back(static_cast<codec::token_type>(type));
}

TOKENWORKS_FUNCTION void sentencepiece_model::read_trainer(message m) {
    for(field f; next(m, f);) {
        if(f.wire != 0) {
            continue;
        }
        const auto number = static_cast<std::int32_t>(static_cast<std::uint32_t>(f.value));
        switch(f.number) {
        case 3:
            model_type_ = f.value;
            break;
        case 24:
            suffix_ = f.value != 0;
            break;
        case 35:
            byte_fallback_ = f.value != 0;
            break;
        case 40:
            unk_ = number;
            break;
        case 41:
            bos_ = number;
            break;
        case 42:
            eos_ = number;
            break;
        case 43:
            pad_ = number;
            break;
        default:
            break;
        }
    }
}

TOKENWORKS_FUNCTION void sentencepiece_model::read_normalizer(message m) {
    for(field f; next(m, f);) {
        if(f.number == 2 && f.wire == 2) {
            charsmap_ = f.bytes;
        } else if(f.wire == 0 && f.number == 3) {
            add_prefix_ = f.value != 0;
        } else if(f.wire == 0 && f.number == 4) {
            remove_extra_blanks_ = f.value != 0;
        } else if(f.wire == 0 && f.number == 5) {
            escape_blanks_ = f.value != 0;
        }
    }
}

TOKENWORKS_FUNCTION codec::tokenizer_data sentencepiece_model::data(bool add_bos, bool add_eos) const {
    codec::tokenizer_data out;
    out.name = file_;
    const bool bpe = model_type_ == 2;
    out.model = bpe ? codec::token_model::sentencepiece_bpe : codec::token_model::unigram;
    out.types = types_;
    out.byte_fallback = byte_fallback_;
    out.fuse_unk = true;
    out.single_precision = true;
    for(std::size_t i = 0; i < pieces_.size(); ++i) {
        out.tokens.push_back({pieces_[i], i});
        out.scores.push_back(static_cast<double>(scores_[i]));
        if(types_[i] == codec::token_type::unknown && !out.unk_id) {
            out.unk_id = i;
            out.unk = static_cast<std::uint32_t>(i);
        }
        // Models of scores keep user-defined pieces apart; in unigram models they are tokens of a high score.
        if(types_[i] == codec::token_type::user_defined && bpe) {
            codec::added_token token;
            token.content = pieces_[i];
            token.id = static_cast<std::uint32_t>(i);
            out.added.push_back(token);
        }
    }
    codec::normalizer_data normalizer;
    normalizer.kind = codec::normalizer_kind::sentencepiece;
    normalizer.charsmap = charsmap_;
    normalizer.remove_extra_blanks = remove_extra_blanks_;
    normalizer.add_prefix = add_prefix_;
    normalizer.blank_as_suffix = suffix_;
    normalizer.escape_blanks = escape_blanks_ && !bpe; // BPE of scores writes U+2581 itself
    out.normalizers.push_back(std::move(normalizer));

    out.has_decoder = true;
    codec::decoder_data step;
    step.kind = codec::decoder_kind::replace;
    step.pattern.text = "\xE2\x96\x81";
    step.content = " ";
    out.decoders.push_back(step);
    step = {};
    step.kind = codec::decoder_kind::byte_fallback;
    out.decoders.push_back(step);
    step.kind = codec::decoder_kind::fuse;
    out.decoders.push_back(step);
    if(add_prefix_ || remove_extra_blanks_) { // the first blank only, also where blanks are suffixes
        step.kind = codec::decoder_kind::strip;
        step.content = " ";
        step.start = 1;
        out.decoders.push_back(step);
    }

    const auto present = [&](std::int32_t id) -> std::optional<std::uint32_t> {
        const bool there = id >= 0 && static_cast<std::size_t>(id) < pieces_.size();
        return there ? std::optional{static_cast<std::uint32_t>(id)} : std::nullopt;
    };
    out.bos = present(bos_);
    out.eos = present(eos_);
    out.pad = present(pad_);
    using enum codec::template_part::source;
    if(add_bos && out.bos) {
        out.single.push_back({special, {*out.bos}, 0});
    }
    out.single.push_back({first, {}, 0});
    if(add_eos && out.eos) {
        out.single.push_back({special, {*out.eos}, 0});
    }
    return out;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
