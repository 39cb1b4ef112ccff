// Texts to vectors: an encoder of a Hugging Face folder with its tokenizer, pooled as the folder says.
//
//   auto encoder = tokenworks::text_encoder::load("all-MiniLM-L6-v2");
//   std::vector<float> vector = encoder.embed("Why is the sky blue?");
//
// Folders of sentence-transformers say in modules.json and 1_Pooling/config.json how rows become one vector; others get
// the mean, not normalised.
//
// Needs nlohmann-json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/runtime/encoder_folder.hpp>
#include <tokenworks/runtime/pooling.hpp>
#include <tokenworks/runtime/text_model.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// How a folder wants its rows made one.
struct embedding_options {
    runtime::pooling pooling = runtime::pooling::mean;
    bool normalize = false;
    std::size_t max_tokens = 0; ///< longer texts are cut to so many; 0: the model's context
};

namespace detail {

/// What the files of sentence-transformers say.
/// @throws format_error, limit_error, io_error; unsupported_error for another way of pooling
[[nodiscard]] inline embedding_options embedding_options_of(const std::filesystem::path& folder, const limits& bounds) {
    embedding_options options;
    const auto with = [&](const std::filesystem::path& where, const char* file, auto take) {
        if(const std::optional<io::json_tree> tree = models::detail::json_beside(where, file, bounds)) {
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
        using enum runtime::pooling;
        options.pooling = is_set("pooling_mode_cls_token")    ? cls
                          : is_set("pooling_mode_lasttoken")  ? last
                          : is_set("pooling_mode_max_tokens") ? max
                                                              : mean;
        if(is_set("pooling_mode_mean_sqrt_len_tokens") || is_set("pooling_mode_weightedmean_tokens")) {
            raise<unsupported_error>({(folder / "1_Pooling/config.json").string(), ": this way of pooling"});
        }
    });
    with(folder, "sentence_bert_config.json", [&](io::json_value root) {
        if(const auto found = root.find("max_seq_length", {"config"})) {
            options.max_tokens = static_cast<std::size_t>(found->whole({"max_seq_length"}, std::uint64_t{1} << 32));
        }
    });
    return options;
}

} // namespace detail

/// Immutable once loaded: share it by const reference.
class text_encoder {
public:
    /// @throws io_error, format_error, limit_error, unsupported_error, cancelled_error
    [[nodiscard]] static text_encoder load(const std::string& path, const load_options& options = {},
                                           const limits& bounds = {}) {
        return load(models::model_folder::open(path, {.limits = bounds}), options, bounds);
    }
    /// The same of a folder that is open, which may be closed afterwards.
    [[nodiscard]] static text_encoder load(const models::model_folder& folder, const load_options& options = {},
                                           const limits& bounds = {}) {
        return text_encoder{folder, options, bounds};
    }

    [[nodiscard]] const models::encoder& network() const noexcept { return base_.network(); }
    [[nodiscard]] const codec::tokenizer& tokenizer() const noexcept { return base_.tokenizer(); }
    [[nodiscard]] const embedding_options& defaults() const noexcept { return defaults_; }
    [[nodiscard]] const execution& how() const noexcept { return base_.how(); }
    /// C.
    [[nodiscard]] std::size_t width() const noexcept { return network().width(); }

    /// The ids of a text with the special tokens around it, cut to the longest that the model takes: the last one
    /// stays what it was.
    [[nodiscard]] std::vector<codec::token_id> encode(std::string_view text) const {
        return base_.encode(text, base_.most_tokens(defaults_.max_tokens));
    }

    /// The vector of a text, [C].
    [[nodiscard]] std::vector<float> embed(std::string_view text) const {
        return std::move(embed(std::span{&text, 1}).front());
    }
    /// Of many, computed together. Each is bitwise the same whatever else is asked for.
    [[nodiscard]] std::vector<std::vector<float>> embed(std::span<const std::string_view> texts) const;
    /// The vector of ids, pooled and normalised as asked.
    [[nodiscard]] std::vector<float> embed(std::span<const codec::token_id> ids, const embedding_options& as) const;
    /// The rows of all tokens, [T,C].
    [[nodiscard]] std::vector<float> hidden(std::span<const codec::token_id> ids) const {
        nn::context c{how()};
        std::vector<float> rows(ids.size() * width());
        const models::encoder_input input{ids};
        network().forward(c, std::span{&input, 1}, nn::rows{rows.data(), ids.size(), width()});
        return rows;
    }

private:
    [[nodiscard]] static std::vector<float> vector_of(nn::const_rows hidden, const embedding_options& as) {
        std::vector<float> out(hidden.extent(1));
        runtime::pool(as.pooling, hidden, out);
        if(as.normalize) {
            runtime::normalize(out);
        }
        return out;
    }

    text_encoder(const models::model_folder& folder, const load_options& options, const limits& bounds)
        : defaults_{detail::embedding_options_of(folder.path(), bounds)}, base_{folder, options, bounds} {}

    embedding_options defaults_;
    runtime::encoder_folder base_;
};

inline std::vector<float> text_encoder::embed(std::span<const codec::token_id> ids, const embedding_options& as) const {
    const std::vector<float> rows = hidden(ids);
    return vector_of(nn::const_rows{rows.data(), ids.size(), width()}, as);
}

inline std::vector<std::vector<float>> text_encoder::embed(std::span<const std::string_view> texts) const {
    std::vector<std::vector<codec::token_id>> ids;
    for(const std::string_view text: texts) {
        ids.push_back(encode(text));
    }
    std::vector<models::encoder_input> inputs;
    inputs.reserve(ids.size());
    for(const std::vector<codec::token_id>& each: ids) {
        inputs.push_back({each});
    }
    std::vector<std::vector<float>> out;
    nn::context c{how()};
    std::vector<float> rows;
    runtime::for_each_step(inputs, [&](std::size_t, std::span<const models::encoder_input> step, std::size_t tokens) {
        rows.resize(tokens * width());
        network().forward(c, step, nn::rows{rows.data(), tokens, width()});
        std::size_t row = 0;
        for(const models::encoder_input& each: step) {
            const std::size_t count = each.tokens.size();
            out.push_back(vector_of(nn::const_rows{rows.data() + row * width(), count, width()}, defaults_));
            row += count;
        }
    });
    return out;
}

} // namespace tokenworks::inline TOKENWORKS_ABI
