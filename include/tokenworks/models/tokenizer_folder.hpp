// The tokenizer of a Hugging Face model folder: tokenizer.json, else SentencePiece's tokenizer.model, and from the
// files beside it which tokens begin and end a text.
//
//   tokenizer_config.json, special_tokens_map.json   bos_token, eos_token, unk_token, pad_token: spellings
//   generation_config.json, config.json              eos_token_id, one or several: what generation ends with
//
// A missing file says nothing; a malformed one is refused.
//
// Needs nlohmann-json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>
#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/models/sentencepiece_model.hpp>
#include <tokenworks/models/tokenizer_json.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The tokenizer of a folder, or that of a tokenizer.json or tokenizer.model itself, with the files beside it.
/// @throws io_error where there is none, or a file cannot be read
/// @throws format_error, unsupported_error, limit_error naming file and field
[[nodiscard]] inline codec::tokenizer tokenizer_of(const std::filesystem::path& path,
                                                   const tokenworks::limits& limits = {});

namespace detail {

/// A file beside a tokenizer, if it is there.
[[nodiscard]] inline std::optional<io::json_tree> json_beside(const std::filesystem::path& folder, const char* file,
                                                              const tokenworks::limits& limits) {
    const std::filesystem::path path = folder / file;
    std::error_code none;
    if(!std::filesystem::exists(path, none)) {
        return std::nullopt;
    }
    const io::file_bytes bytes = io::file_bytes::open(path.string(), {.mode = io::open_mode::read, .limits = limits});
    return std::optional<io::json_tree>{std::in_place, bytes.bytes(), path.string(), limits.json_depth};
}

/// The spellings that tokenizer_config.json and special_tokens_map.json give, where they give any.
struct token_spellings {
    std::optional<std::string> bos, eos, unk, pad;
    std::optional<bool> add_bos, add_eos;

    void read(const std::optional<io::json_tree>& tree) {
        if(!tree) {
            return;
        }
        const auto spelling = [&](std::optional<std::string>& out, const char* key) {
            const auto found = tree->root().find(key, {"JSON"});
            if(!found || out) {
                return;
            }
            // "<s>", or {"content": "<s>", ...}
            const auto content = found->is_object() ? found->find("content", {key}) : found;
            if(!content) {
                found->refuse({key}, {"has no content"});
            }
            out = content->string({key});
        };
        spelling(bos, "bos_token");
        spelling(eos, "eos_token");
        spelling(unk, "unk_token");
        spelling(pad, "pad_token");
        const auto flag = [&](std::optional<bool>& out, const char* key) {
            if(const auto found = tree->root().find(key, {"JSON"}); found && !out) {
                out = found->boolean({key});
            }
        };
        flag(add_bos, "add_bos_token");
        flag(add_eos, "add_eos_token");
    }
};

/// The ids that a key gives: one, several, or none, for which some files say -1.
/// @param most  that an id may be
[[nodiscard]] inline std::vector<codec::token_id> ids_of(const io::json_tree& tree, const char* key,
                                                         std::uint64_t most) {
    std::vector<codec::token_id> ids;
    const auto found = tree.root().find(key, {"JSON"});
    const auto add = [&](io::json_value id) { ids.push_back(static_cast<codec::token_id>(id.whole({key}, most))); };
    if(found && found->is_array()) {
        found->elements({key}, add);
    } else if(found && found->type() != io::json_value::kind::negative) {
        add(*found);
    }
    return ids;
}

/// The ids of end tokens that generation_config.json or config.json gives; the first file that gives any counts.
inline void read_ends(std::vector<std::uint32_t>& ends, const std::optional<io::json_tree>& tree) {
    if(tree && ends.empty()) {
        const std::vector<codec::token_id> ids = ids_of(*tree, "eos_token_id", id_most);
        ends.assign(ids.begin(), ids.end());
    }
}

} // namespace detail

/// The same for a model, which may have more tokens than its tokenizer, but not fewer.
/// @throws as above; format_error
[[nodiscard]] inline std::unique_ptr<codec::tokenizer> tokenizer_of(const std::string& folder, std::size_t vocab_size,
                                                                    const tokenworks::limits& limits);

/// Ids cut to at most so many: the last one, which ends a text, stays what it was.
inline void cut_ids(std::vector<codec::token_id>& ids, std::size_t most) {
    if(ids.size() > most) {
        const codec::token_id last = ids.back();
        ids.resize(most);
        ids.back() = last;
    }
}

/// What a folder's tokenizer is built from, and the files that it refers to.
class tokenizer_files {
public:
    /// @throws as tokenizer_of
    explicit tokenizer_files(const std::filesystem::path& path, const tokenworks::limits& limits = {});

    [[nodiscard]] const codec::tokenizer_data& data() const noexcept { return data_; }
    /// Ids that there are: the greatest and one.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    /// tokenizer_config.json, if it is there.
    [[nodiscard]] const std::optional<io::json_tree>& config() const noexcept { return config_; }

private:
    std::optional<io::json_tree> config_;
    std::optional<io::file_bytes> bytes_;
    std::optional<io::json_tree> tree_;
    std::optional<sentencepiece_model> pieces_;
    codec::tokenizer_data data_;
    std::uint64_t size_ = 0;
};

inline tokenizer_files::tokenizer_files(const std::filesystem::path& path, const tokenworks::limits& limits) {
    std::error_code none;
    const bool is_folder = std::filesystem::is_directory(path, none);
    const std::filesystem::path folder = is_folder ? path : path.parent_path();
    std::filesystem::path file = path;
    if(is_folder) {
        file = path / "tokenizer.json";
        if(!std::filesystem::exists(file, none)) {
            file = path / "tokenizer.model";
        }
        if(!std::filesystem::exists(file, none)) {
            tokenworks::detail::raise_io(path.string(), {"holds neither tokenizer.json nor tokenizer.model"});
        }
    }
    detail::token_spellings spellings;
    config_ = detail::json_beside(folder, "tokenizer_config.json", limits);
    spellings.read(config_);
    spellings.read(detail::json_beside(folder, "special_tokens_map.json", limits));
    std::vector<std::uint32_t> ends;
    detail::read_ends(ends, detail::json_beside(folder, "generation_config.json", limits));
    detail::read_ends(ends, detail::json_beside(folder, "config.json", limits));

    bytes_.emplace(io::file_bytes::open(file.string(), {.mode = io::open_mode::read, .limits = limits}));
    codec::tokenizer_data& data = data_;
    if(file.extension() == ".model") {
        pieces_.emplace(bytes_->bytes(), file.string());
        data = pieces_->data(spellings.add_bos.value_or(true), spellings.add_eos.value_or(false));
    } else {
        tree_.emplace(bytes_->bytes(), file.string(), limits.json_depth);
        data = tokenizer_data_of(*tree_);
    }
    const auto consider = [&](std::string_view text, std::uint64_t id) {
        const auto take = [&](std::optional<std::uint32_t>& out, const std::optional<std::string>& spelling) {
            if(spelling && *spelling == text) {
                out = static_cast<std::uint32_t>(id);
            }
        };
        take(data.bos, spellings.bos);
        take(data.eos, spellings.eos);
        take(data.unk, spellings.unk);
        take(data.pad, spellings.pad);
        size_ = std::max(size_, id + 1);
    };
    for(const codec::tokenizer_data::entry& e: data.tokens) {
        consider(e.text, e.id);
    }
    for(const codec::added_token& token: data.added) {
        consider(token.content, token.id);
    }
    // The model may have more ids than its tokenizer; these never end a text.
    std::erase_if(ends, [&](std::uint32_t id) { return id >= size_; });
    if(!data.eos && !ends.empty()) {
        data.eos = ends.front();
    }
    data.ends.insert(data.ends.end(), ends.begin(), ends.end());
}

inline codec::tokenizer tokenizer_of(const std::filesystem::path& path, const tokenworks::limits& limits) {
    return codec::make_tokenizer(tokenizer_files{path, limits}.data());
}

/// The same from files that are open.
[[nodiscard]] inline std::unique_ptr<codec::tokenizer> tokenizer_of(const tokenizer_files& files,
                                                                    const std::string& folder, std::size_t vocab_size) {
    auto made = std::make_unique<codec::tokenizer>(codec::make_tokenizer(files.data()));
    if(made->vocab_size() > vocab_size) {
        tokenworks::detail::raise_format(folder, {"tokenizer"}, format_error::no_offset,
                                         {"has ", made->vocab_size(), " tokens, the model has ", vocab_size});
    }
    return made;
}

inline std::unique_ptr<codec::tokenizer> tokenizer_of(const std::string& folder, std::size_t vocab_size,
                                                      const tokenworks::limits& limits) {
    return tokenizer_of(tokenizer_files{folder, limits}, folder, vocab_size);
}

/// The source of a folder's chat template: a file of its own, or a text in tokenizer_config.json, or the one of several
/// there that is called "default".
/// @param config  tokenizer_config.json, if it is there
/// @throws format_error, limit_error, io_error
[[nodiscard]] inline std::optional<std::string> chat_template_of(const std::filesystem::path& folder,
                                                                 const std::optional<io::json_tree>& config,
                                                                 const limits& bounds) {
    const std::filesystem::path file = folder / "chat_template.jinja";
    std::error_code none;
    if(std::filesystem::exists(file, none)) {
        const io::file_bytes bytes =
            io::file_bytes::open(file.string(), {.mode = io::open_mode::read, .limits = bounds});
        return std::string{reinterpret_cast<const char*>(bytes.bytes().data()), bytes.bytes().size()};
    }
    const auto found = config ? config->root().find("chat_template", {"JSON"}) : std::nullopt;
    if(!found) {
        return std::nullopt;
    }
    if(!found->is_array()) {
        return std::string{found->string({"chat_template"})};
    }
    std::optional<std::string> source;
    found->elements({"chat_template"}, [&](io::json_value each) {
        const auto name = each.find("name", {"chat_template"});
        const auto text = each.find("template", {"chat_template"});
        if(name && text && name->string({"chat_template name"}) == "default") {
            source = text->string({"chat_template template"});
        }
    });
    return source;
}

[[nodiscard]] inline std::optional<std::string> chat_template_of(const std::filesystem::path& folder,
                                                                 const limits& bounds) {
    return chat_template_of(folder, detail::json_beside(folder, "tokenizer_config.json", bounds), bounds);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
