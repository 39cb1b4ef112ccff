// What files say of texts that go into an encoder, and of how its rows, one for every token, become one vector: what
// the files of sentence-transformers say in a Hugging Face folder, and the keys of a GGUF file.
//
//   folder  modules.json, 1_Pooling/config.json, sentence_bert_config.json
//   GGUF    {arch}.pooling_type as llama.cpp has it; tokenworks.normalize, tokenworks.max_tokens and
//           tokenworks.pair_types, which this library alone writes. Without them vectors get the length 1, as
//           llama.cpp's programs give it to them.
//
// Needs nlohmann-json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/models/gguf_source.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// How a model wants its rows made one.
struct embedding_options {
    models::pooling pooling = models::pooling::mean;
    bool normalize = false;
    std::size_t max_tokens = 0; ///< longer texts are cut to so many; 0: the model's context
};

/// What the files of sentence-transformers say.
/// @throws format_error, limit_error, io_error; unsupported_error for another way of pooling
[[nodiscard]] inline embedding_options embedding_options_of(const std::filesystem::path& folder, const limits& bounds) {
    embedding_options options;
    const auto with = [&](const std::filesystem::path& where, const char* file, auto take) {
        if(const std::optional<io::json_tree> tree = detail::json_beside(where, file, bounds)) {
            take(tree->root());
        }
    };
    with(folder, "modules.json", [&](io::json_value root) {
        root.elements({"modules"}, [&](io::json_value each) {
            const auto type = each.find("type", {"modules"});
            options.normalize |= type && type->string({"type"}).ends_with("Normalize");
        });
    });
    with(folder / "1_Pooling", "config.json", [&](io::json_value root) {
        const auto is_set = [&](std::string_view key) {
            const auto found = root.find(key, {"pooling"});
            return found && found->boolean({key});
        };
        using enum models::pooling;
        options.pooling = is_set("pooling_mode_cls_token")    ? cls
                          : is_set("pooling_mode_lasttoken")  ? last
                          : is_set("pooling_mode_max_tokens") ? max
                                                              : mean;
        if(is_set("pooling_mode_mean_sqrt_len_tokens") || is_set("pooling_mode_weightedmean_tokens")) {
            tokenworks::detail::raise<unsupported_error>(
                {(folder / "1_Pooling/config.json").string(), ": this way of pooling"});
        }
    });
    with(folder, "sentence_bert_config.json", [&](io::json_value root) {
        if(const auto found = root.find("max_seq_length", {"config"})) {
            options.max_tokens = static_cast<std::size_t>(found->whole({"max_seq_length"}, std::uint64_t{1} << 32));
        }
    });
    return options;
}

/// What tokenizer_config.json says of the texts that a classifier reads.
struct classifier_input {
    std::size_t max_tokens = 0; ///< longer ones are cut; 0: the model's context
    bool types = true;          ///< the model is told which of two texts a token is of
};

/// @throws format_error, limit_error, io_error
[[nodiscard]] inline classifier_input classifier_input_of(const std::filesystem::path& folder, const limits& bounds) {
    classifier_input input;
    const std::optional<io::json_tree> tree = detail::json_beside(folder, "tokenizer_config.json", bounds);
    if(!tree) {
        return input;
    }
    // A number as large as 1e30 stands for none.
    const auto told = tree->root().find("model_max_length", {"JSON"});
    if(told && told->type() == io::json_value::kind::whole) {
        input.max_tokens = static_cast<std::size_t>(told->whole({"model_max_length"}));
    }
    if(const auto names = tree->root().find("model_input_names", {"JSON"})) {
        input.types = false;
        names->elements({"model_input_names"}, [&](io::json_value name) {
            input.types |= name.string({"model_input_names"}) == "token_type_ids";
        });
    }
    return input;
}

/// llama.h, enum llama_pooling_type: none, mean, cls, last, rank.
/// @throws argument_error for the largest of each column, which it lacks
[[nodiscard]] inline std::uint32_t gguf_pooling(pooling how) {
    switch(how) {
    case pooling::mean:
        return 1;
    case pooling::cls:
        return 2;
    case pooling::last:
        return 3;
    case pooling::max:
        break;
    }
    tokenworks::detail::raise<argument_error>({"no GGUF file takes the largest of each column"});
}

/// What a GGUF file says.
/// @throws format_error naming the key
[[nodiscard]] inline embedding_options embedding_options_of(const io::gguf_file& file) {
    const gguf_hyperparameters from{file};
    constexpr std::uint64_t most = 4; // the classes of texts, whose rows are pooled as those of no pooling
    const std::uint64_t kind = from.whole_or("pooling_type", 0);
    if(kind > most) {
        from.refuse("pooling_type", {"is ", kind, ", not in 0..", most});
    }
    embedding_options options;
    options.pooling = kind == 2 ? pooling::cls : kind == 3 ? pooling::last : pooling::mean;
    options.normalize = from.flag_or("tokenworks.normalize", true);
    options.max_tokens = static_cast<std::size_t>(from.whole_or("tokenworks.max_tokens", 0));
    return options;
}
[[nodiscard]] inline classifier_input classifier_input_of(const io::gguf_file& file) {
    const gguf_hyperparameters from{file};
    return {static_cast<std::size_t>(from.whole_or("tokenworks.max_tokens", 0)),
            from.flag_or("tokenworks.pair_types", true)};
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
