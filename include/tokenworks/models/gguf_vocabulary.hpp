// The tokenizer that a GGUF file carries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/io/gguf_reader.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Whether the file has a vocabulary at all.
[[nodiscard]] inline bool has_vocabulary(const io::gguf_file& file) {
    const auto model = file.get_optional<std::string_view>("tokenizer.ggml.model");
    return model && *model != "none" && *model != "no_vocab";
}

/// The tokenizer.ggml.* entries, typed but not checked against each other; views into the file.
/// @throws format_error naming the key
[[nodiscard]] inline codec::vocabulary_data vocabulary_of(const io::gguf_file& file) {
    codec::vocabulary_data data;
    data.name = file.name();
    data.model = file.get<std::string>("tokenizer.ggml.model");
    data.pre = file.get_or<std::string>("tokenizer.ggml.pre", "");
    data.general_name = file.get_or<std::string>("general.name", "");
    const auto texts = [&](std::string_view key, std::vector<std::string_view>& to) {
        if(const auto array = file.get_optional<io::string_array>(key)) {
            to.reserve(array->size());
            for(const std::string_view text: *array) {
                to.push_back(text);
            }
        }
    };
    texts("tokenizer.ggml.tokens", data.tokens);
    texts("tokenizer.ggml.merges", data.merges);
    data.scores = file.get_or<std::vector<float>>("tokenizer.ggml.scores", {});
    data.types = file.get_or<std::vector<std::int32_t>>("tokenizer.ggml.token_type", {});
    const auto id = [&](std::string_view name) {
        const std::string key = "tokenizer.ggml." + std::string{name} + "_token_id";
        const io::gguf_value* const value = file.find(key);
        // Writers of "none" put -1 or 2^32-1.
        if(value != nullptr && value->to<std::int64_t>() == -1) {
            return std::optional<std::uint32_t>{};
        }
        const auto found = file.get_optional<std::uint32_t>(key);
        return found == std::numeric_limits<std::uint32_t>::max() ? std::nullopt : found;
    };
    data.bos = id("bos");
    data.eos = id("eos");
    data.eot = id("eot");
    data.eom = id("eom");
    data.unk = id("unknown");
    data.sep = id("seperator"); // the format's spelling
    data.pad = id("padding");
    data.mask = id("mask");
    const auto either = [&](std::string_view name, std::string_view older) {
        const auto found = id(name);
        return found ? found : id(older);
    };
    data.fim_prefix = either("fim_pre", "prefix");
    data.fim_suffix = either("fim_suf", "suffix");
    data.fim_middle = either("fim_mid", "middle");
    data.add_bos = file.get_optional<bool>("tokenizer.ggml.add_bos_token");
    data.add_eos = file.get_optional<bool>("tokenizer.ggml.add_eos_token");
    data.add_space_prefix = file.get_optional<bool>("tokenizer.ggml.add_space_prefix");
    data.add_sep = file.get_optional<bool>("tokenizer.ggml.add_sep_token");
    data.remove_extra_blanks = file.get_optional<bool>("tokenizer.ggml.remove_extra_whitespaces");
    data.lowercase = file.get_optional<bool>("tokenizer.ggml.normalizer.lowercase");
    data.strip_accents = file.get_optional<bool>("tokenizer.ggml.normalizer.strip_accents");
    if(const io::gguf_value* const map = file.find("tokenizer.ggml.precompiled_charsmap"); map != nullptr) {
        const auto kind = map->element_kind();
        if(!map->is_array() || (kind != io::gguf_kind::u8 && kind != io::gguf_kind::i8)) {
            tokenworks::detail::raise_format(file.name(), {map->key()}, map->offset(),
                                             {"is of type ", map->type_name(), ", not array of u8"});
        }
        const std::span<const std::byte> bytes = map->payload();
        data.charsmap.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    return data;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
