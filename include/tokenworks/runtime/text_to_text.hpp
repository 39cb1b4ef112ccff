// Texts to other texts: translations, summaries, answers, by an encoder and a decoder of a Hugging Face folder (T5,
// BART, mBART) or a GGUF file (T5) with its tokenizer.
//
//   auto model = tokenworks::text_to_text::load("flan-t5-small");
//   std::cout << model.rewrite("translate English to German: The house is wonderful.").text;
//
// How is what the folder says: generation_config.json, or config.json where there is none, as `generate` of
// transformers reads them. A GGUF file says what a text begins and ends with, no more. The likeliest text is looked
// for, token by token or with several beams (runtime/beam_search.hpp); `sample` draws one.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
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
#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/models/tokenizer_folder.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/runtime/beam_search.hpp>
#include <tokenworks/runtime/generate.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/runtime/timings.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// How a folder wants its texts made.
struct rewrite_defaults {
    codec::token_id start = 0;                         ///< what the decoder begins with
    beam_options beams{.beams = 1, .max_tokens = 128}; ///< one beam: token by token
};

/// A text that was made.
struct rewritten {
    std::string text{};
    std::vector<codec::token_id> ids{}; ///< an end token included
    runtime::finish_reason reason = runtime::finish_reason::none;
    std::optional<float> score{}; ///< of runtime::beam_result; none where it was drawn
    runtime::timings timings{};   ///< the source counts as prompt
};

namespace detail {

/// What the files of a folder say of generating. A key that the first file lacks is not looked for in the second, but
/// for the token that a decoder begins with.
class generation_settings {
public:
    generation_settings(const std::filesystem::path& folder, const limits& bounds)
        : own_{models::detail::json_beside(folder, "generation_config.json", bounds)},
          config_{models::detail::json_beside(folder, "config.json", bounds)} {}

    /// @param vocab  ids are below it
    /// @throws format_error naming file and key
    [[nodiscard]] rewrite_defaults read(std::size_t vocab) const {
        const io::json_tree* const tree = own_ ? &*own_ : config_ ? &*config_ : nullptr;
        rewrite_defaults out;
        for(const char* const key: {"decoder_start_token_id", "bos_token_id"}) {
            for(const auto* const file: {&own_, &config_}) {
                if(const auto ids =
                       *file ? models::detail::ids_of(**file, key, vocab - 1) : std::vector<codec::token_id>{};
                   !ids.empty()) {
                    out.start = ids.front();
                    return read(std::move(out), *tree, vocab);
                }
            }
        }
        if(tree == nullptr) {
            return out;
        }
        tree->root().refuse({"decoder_start_token_id"}, {"the key is missing"});
    }

private:
    [[nodiscard]] static rewrite_defaults read(rewrite_defaults out, const io::json_tree& tree, std::size_t vocab) {
        constexpr std::uint64_t most = std::uint64_t{1} << 32;
        constexpr std::size_t most_made = 65536; // room is reserved for them; some files say a billion
        const auto count = [&](const char* key) {
            const auto found = tree.root().find(key, {"JSON"});
            return found ? std::optional{static_cast<std::size_t>(found->whole({key}, most))} : std::nullopt;
        };
        beam_options& beams = out.beams;
        beams.beams = count("num_beams").value_or(1);
        if(beams.beams == 0 || beams.beams > beam_options::most_beams) {
            tree.root().refuse({"num_beams"}, {"is ", beams.beams, ", not in 1..", beam_options::most_beams});
        }
        // Lengths count the token that the decoder begins with.
        const auto made = [](std::size_t length) { return length == 0 ? 0 : length - 1; };
        if(const auto length = count("max_length")) {
            beams.max_tokens = made(*length);
        }
        beams.max_tokens = std::min(count("max_new_tokens").value_or(beams.max_tokens), most_made);
        beams.min_tokens = count("min_new_tokens").value_or(made(count("min_length").value_or(0)));
        beams.no_repeat_ngram = count("no_repeat_ngram_size").value_or(0);
        if(const auto found = tree.root().find("repetition_penalty", {"JSON"})) {
            beams.penalties.repeat = static_cast<float>(found->number({"repetition_penalty"}));
            if(!(beams.penalties.repeat > 0) || !std::isfinite(beams.penalties.repeat)) {
                found->refuse({"repetition_penalty"}, {"is ", beams.penalties.repeat, ", must be above 0"});
            }
        }
        if(const auto found = tree.root().find("length_penalty", {"JSON"})) {
            beams.length_penalty = static_cast<float>(found->number({"length_penalty"}));
        }
        if(const auto found = tree.root().find("early_stopping", {"JSON"})) {
            beams.stop = found->is_string()                   ? runtime::beam_stop::never
                         : found->boolean({"early_stopping"}) ? runtime::beam_stop::at_once
                                                              : runtime::beam_stop::unlikely;
        }
        beams.ends = models::detail::ids_of(tree, "eos_token_id", vocab - 1);
        beams.last_tokens = models::detail::ids_of(tree, "forced_eos_token_id", vocab - 1);
        if(const auto first = models::detail::ids_of(tree, "forced_bos_token_id", vocab - 1); !first.empty()) {
            beams.first_token = first.front();
        }
        return out;
    }

    std::optional<io::json_tree> own_, config_;
};

/// What a GGUF file says.
/// @throws format_error naming the key
[[nodiscard]] inline rewrite_defaults generation_settings_of(const models::hyperparameters& from,
                                                             const codec::tokenizer& tokenizer) {
    rewrite_defaults out;
    const std::uint64_t start = from.whole("decoder_start_token_id");
    if(start >= tokenizer.vocab_size()) {
        from.refuse("decoder_start_token_id", {"is ", start, " in a vocabulary of ", tokenizer.vocab_size()});
    }
    out.start = static_cast<codec::token_id>(start);
    out.beams.ends = tokenizer.vocabulary().ends();
    return out;
}

} // namespace detail

/// Immutable once loaded: share it by const reference.
class text_to_text {
public:
    /// What one text remembers: the source, and the tokens made so far. Not for several threads at once.
    class state {
    public:
        state(nn::context context, nn::kv_cache memory, nn::kv_cache cache)
            : context_{std::move(context)}, memory_{std::move(memory)}, cache_{std::move(cache)} {}

        /// Tokens made so far.
        [[nodiscard]] std::size_t size() const noexcept { return cache_.size(); }
        [[nodiscard]] std::size_t capacity() const noexcept { return cache_.capacity(); }

    private:
        friend class text_to_text;

        nn::context context_;
        nn::kv_cache memory_;
        nn::kv_cache cache_;
        std::vector<float> logits_; // of all tokens of the tables
    };

    /// @param path  a GGUF file or a folder
    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error for a model without an encoder
    ///         and a decoder
    [[nodiscard]] static text_to_text load(const std::string& path, const load_options& options = {},
                                           const limits& bounds = {}) {
        return text_to_text{path, options, bounds};
    }

    [[nodiscard]] const models::encoder_decoder& network() const noexcept { return *network_; }
    [[nodiscard]] const codec::tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    [[nodiscard]] const rewrite_defaults& defaults() const noexcept { return defaults_; }
    [[nodiscard]] const execution& how() const noexcept { return how_; }
    /// Tokens of the tokenizer. Tables of the network may be longer; what is behind these is never made.
    [[nodiscard]] std::size_t vocab_size() const noexcept { return tokenizer_->vocab_size(); }

    /// The ids that the encoder reads, with the special tokens around the text. Where positions are learned, what is
    /// longer is cut: the last id stays what it was.
    [[nodiscard]] std::vector<codec::token_id> encode(std::string_view text) const;

    /// Makes the text as the folder says.
    [[nodiscard]] rewritten rewrite(std::string_view text) const { return rewrite(encode(text), defaults_.beams); }
    /// Or as told; begin with a copy of defaults().beams. One beam takes the likeliest token each time.
    /// @param source  ids that the encoder reads
    /// @throws as beam_search
    [[nodiscard]] rewritten rewrite(std::span<const codec::token_id> source, beam_options options) const;

    /// Draws a text, token by token: as many tokens as the folder says, where the options say nothing.
    /// @throws as generate()
    [[nodiscard]] rewritten sample(std::span<const codec::token_id> source, generate_options options) const {
        return sample(source, prompt(), std::move(options));
    }
    /// @param begun  ids that the decoder begins with, in place of prompt()
    [[nodiscard]] rewritten sample(std::span<const codec::token_id> source, std::span<const codec::token_id> begun,
                                   generate_options options, dtype cache_type = dtype::f16) const;

    /// Reads the source.
    /// @param tokens  that the decoder may hold, what it begins with included
    [[nodiscard]] state make_state(std::span<const codec::token_id> source, std::size_t tokens,
                                   dtype cache_type = dtype::f16) const;
    /// What a generation with a state of this model begins with: the decoder's start, and the token that must follow.
    [[nodiscard]] std::vector<codec::token_id> prompt() const {
        std::vector<codec::token_id> ids{defaults_.start};
        if(defaults_.beams.first_token) {
            ids.push_back(*defaults_.beams.first_token);
        }
        return ids;
    }
    /// A causal_model: see runtime/token_loop.hpp.
    void forward(state& s, std::span<const codec::token_id> tokens, std::span<float> logits) const {
        using wanted = models::decoder_input::logits;
        const models::decoder_input input{&s.cache_, tokens, logits.empty() ? wanted::none : wanted::last, &s.memory_};
        s.logits_.resize(logits.empty() ? 0 : network_->decoder().vocab_size());
        network_->decoder().forward(
            s.context_, std::span{&input, 1},
            nn::rows{s.logits_.data(), logits.empty() ? std::size_t{0} : std::size_t{1}, s.logits_.size()});
        std::copy_n(s.logits_.begin(), logits.size(), logits.begin());
    }

private:
    text_to_text(const std::string& path, const load_options& options, const limits& bounds);

    /// @param seconds  that it takes are added
    [[nodiscard]] nn::kv_cache read(nn::context& c, std::span<const codec::token_id> source, dtype cache_type,
                                    double& seconds) const {
        const runtime::stopwatch taken{seconds};
        return network_->encode(c, source, cache_type);
    }
    /// Tokens that the decoder may hold.
    [[nodiscard]] std::size_t most_tokens() const noexcept {
        const models::model_config& config = network_->decoder().config();
        return config.position == models::position_kind::learned ? config.context_length
                                                                 : std::numeric_limits<std::size_t>::max();
    }

    rewrite_defaults defaults_;
    std::shared_ptr<team> team_;
    execution how_;
    std::unique_ptr<codec::tokenizer> tokenizer_;
    std::unique_ptr<models::encoder_decoder> network_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION text_to_text::text_to_text(const std::string& path, const load_options& options,
                                               const limits& bounds)
    : team_{options.make_team()}, how_{options.set, team_.get()} {
    const models::model_files files = models::model_files::open(path, bounds);
    if(!files.encoder_config()) {
        detail::raise<unsupported_error>(
            {path, ": '", files.config().architecture, "' has no encoder beside a decoder"});
    }
    tokenizer_ = files.tokenizer();
    defaults_ = files.folder() != nullptr ? detail::generation_settings{path, bounds}.read(tokenizer_->vocab_size())
                                          : detail::generation_settings_of(files.parameters(), *tokenizer_);
    defaults_.beams.vocabulary = tokenizer_->vocab_size();
    models::weight_loading loading;
    loading.precision = options.precision;
    // Encoder and decoder count their own bytes.
    std::uint64_t before = 0;
    std::uint64_t last = 0;
    if(options.on_progress) {
        loading.progress = [&, total = files.weight_bytes()](std::uint64_t done) {
            before += done < last ? last : 0;
            last = done;
            return options.on_progress(std::min(before + done, total), total);
        };
    }
    const std::vector<models::weight_transform> transforms =
        models::bound_transforms(options.transforms, files.names());
    const models::transformed_weights weights{files.weights(), transforms, files.config(), how_};
    network_ = std::make_unique<models::encoder_decoder>(*files.encoder_config(), files.config(), weights.get(), how_,
                                                         loading);
}

TOKENWORKS_FUNCTION std::vector<codec::token_id> text_to_text::encode(std::string_view text) const {
    std::vector<codec::token_id> ids = tokenizer_->encode(text, {.add_special = true});
    const models::model_config& config = network_->encoder().config();
    if(config.position == models::position_kind::learned) {
        models::cut_ids(ids, config.context_length);
    }
    return ids;
}

TOKENWORKS_FUNCTION rewritten text_to_text::rewrite(std::span<const codec::token_id> source,
                                                    beam_options options) const {
    rewritten out;
    options.max_tokens = std::min(options.max_tokens, most_tokens() - 1);
    if(options.beams == 1) {
        options.stop = runtime::beam_stop::at_once;
    }
    options.results = 1;
    options.vocabulary = std::min(options.vocabulary, vocab_size());
    options.timings = &out.timings;
    nn::context c{how_};
    double reading = 0;
    const nn::kv_cache memory = read(c, source, options.cache_type, reading);
    std::vector<runtime::beam_result> found =
        beam_search(c, network_->decoder(), std::span{&defaults_.start, 1}, options, &memory);
    out.timings.prompt_tokens += source.size();
    out.timings.prefill_seconds += reading;
    if(!found.empty()) {
        out.ids = std::move(found.front().ids);
        out.score = found.front().score;
    }
    const bool ended = !out.ids.empty() && std::ranges::find(options.ends, out.ids.back()) != options.ends.end();
    out.reason = ended ? runtime::finish_reason::stop : runtime::finish_reason::length;
    out.text = tokenizer_->decode(out.ids);
    return out;
}

TOKENWORKS_FUNCTION text_to_text::state text_to_text::make_state(std::span<const codec::token_id> source,
                                                                 std::size_t tokens, dtype cache_type) const {
    nn::context c{how_};
    nn::kv_cache memory = network_->encode(c, source, cache_type);
    nn::kv_cache cache = network_->decoder().make_cache(std::min(tokens, most_tokens()), cache_type);
    return {std::move(c), std::move(memory), std::move(cache)};
}

TOKENWORKS_FUNCTION rewritten text_to_text::sample(std::span<const codec::token_id> source,
                                                   std::span<const codec::token_id> begun, generate_options options,
                                                   dtype cache_type) const {
    if(options.max_tokens == generate_options::unlimited) {
        options.max_tokens = defaults_.beams.max_tokens;
    }
    const std::size_t tokens = begun.size() + options.max_tokens;
    rewritten out;
    double reading = 0;
    state s = [&] {
        const runtime::stopwatch taken{reading};
        return make_state(source, tokens, cache_type);
    }();
    auto generation = tokenworks::generate(*this, s, *tokenizer_, begun, std::move(options));
    out.text = generation.text();
    out.ids.assign(generation.ids().begin(), generation.ids().end());
    // In the middle of a text the first token may have a blank before it.
    if(out.text.starts_with(' ') && !tokenizer_->decode(out.ids).starts_with(' ')) {
        out.text.erase(0, 1);
    }
    out.reason = generation.finish_reason();
    out.timings = generation.timings();
    out.timings.prompt_tokens += source.size();
    out.timings.prefill_seconds += reading;
    return out;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI
