// A language model ready to use: weights, tokenizer, chat template and threads, from one file.
//
//   auto model = tokenworks::text_model::load("smollm2.gguf");
//   for(std::string_view piece: model.generate("Why is the sky blue?", {.max_tokens = 64}))
//       std::cout << piece << std::flush;
//
// The parts can be had without this class: models::decoder, codec::tokenizer, generate() on any model.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/chat_template.hpp>
#include <tokenworks/codec/infill.hpp>
#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/gguf.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/gguf.hpp>
#include <tokenworks/models/gguf_vocabulary.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/runtime/generate.hpp>
#include <tokenworks/runtime/grammar_constraint.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/models/packed_cache.hpp>
#include <tokenworks/models/packed_identity.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI {

struct load_options {
    unsigned threads = 0;                ///< of a team the model makes; 0: the usable physical cores
    std::shared_ptr<team> shared_team{}; ///< used instead, where set
    isa set = best_isa();
    /// Bytes of weights packed and in all; false cancels. Called from the loading thread.
    std::function<bool(std::uint64_t done, std::uint64_t total)> on_progress{};
    /// A file for packed weights, or empty: read where it is there and fits this model, otherwise written once the
    /// model is loaded. It never fails a load: see text_model::packed_weights. About as large as the model.
    std::string packed_cache{};
    /// Medium: weights of floating point, of F16 and BF16 files say, are multiplied as bf16, activations rounded to it
    /// too. Faster; logits differ by about a hundredth of their scale. Still bitwise the same in every batch.
    kernels::matmul_precision precision = kernels::matmul_precision::highest;
    /// What is done to the weights on their way, in this order: see models::quantize_on_load.
    std::vector<models::weight_transform> transforms{};
    /// An input that a file carries is run, and what the model makes of it compared with what the file says, in debug
    /// builds (without NDEBUG) unless told otherwise. A difference is a format_error; see runtime/self_check.hpp. Of
    /// weights that are transformed, or multiplied with less precision, nothing is asked.
    bool replay_check = TOKENWORKS_DEBUG != 0;

    [[nodiscard]] bool wants_check() const noexcept {
        return replay_check && transforms.empty() && precision == kernels::matmul_precision::highest;
    }

    /// The shared team, or one of its own.
    [[nodiscard]] std::shared_ptr<team> make_team() const {
        return shared_team ? shared_team : std::make_shared<thread_team>(threads);
    }
};

/// What a text model is made of, wherever it comes from. The weights are not needed once the model is loaded.
struct text_model_parts {
    std::string name; ///< what errors call it
    models::model_config config;
    const models::weight_source* weights = nullptr; ///< not owned
    std::uint64_t weight_bytes = 0;                 ///< in all, for progress
    std::unique_ptr<codec::tokenizer> tokenizer{};  ///< or none
    std::string tokenizer_field = "tokenizer";      ///< what errors call it
    std::optional<std::string> chat_template{};     ///< its source
    models::adapter_names names{};                  ///< how adapters call its matrices
    std::function<std::uint64_t()> identity{};      ///< what a packed cache is of; needed where there is one
};

/// Immutable once loaded: share it by const reference. Every sequence has a state of its own.
class text_model {
public:
    struct state_options {
        std::size_t capacity = 0;      ///< tokens; 0: the model's context length
        dtype cache_type = dtype::f16; ///< one of kv_cache::types: f32, f16, bf16, q8_0 or q4_0
        /// Low-rank adapters of this model (models/lora.hpp), applied in this order. They must outlive the state.
        std::vector<const nn::adapter*> adapters{};
    };

    /// What one sequence remembers. Not for several threads at once.
    class state {
    public:
        state(nn::kv_cache cache, const execution& how, std::vector<const nn::adapter*> adapters = {})
            : context_{how}, cache_{std::move(cache)}, adapters_{std::move(adapters)} {}

        /// Tokens seen so far.
        [[nodiscard]] std::size_t size() const noexcept { return cache_.size(); }
        [[nodiscard]] std::size_t capacity() const noexcept { return cache_.capacity(); }
        /// Forgets all but the first n tokens.
        void truncate(std::size_t n) { cache_.truncate(n); }

        [[nodiscard]] nn::kv_cache& cache() noexcept { return cache_; }
        [[nodiscard]] nn::context& context() noexcept { return context_; }
        [[nodiscard]] std::span<const nn::adapter* const> adapters() const noexcept { return adapters_; }

    private:
        nn::context context_;
        nn::kv_cache cache_;
        std::vector<const nn::adapter*> adapters_;
    };

    /// Opens a GGUF file, maps it, and packs its weights; the file is closed again at the end.
    /// @throws io_error, format_error, limit_error, unsupported_error, cancelled_error
    [[nodiscard]] static text_model load(const std::string& path, const load_options& options = {});

    /// The same from a file in memory, which is not needed afterwards.
    [[nodiscard]] static text_model load(std::span<const std::byte> bytes, std::string name,
                                         const load_options& options = {});

    /// From parts: a format of your own, or weights in memory. runtime/load_text_model.hpp does it for folders.
    /// @throws format_error where tokenizer and weights differ in the number of tokens; as load does
    text_model(text_model_parts parts, const load_options& options);

    [[nodiscard]] const models::decoder& network() const noexcept { return *network_; }
    [[nodiscard]] const models::model_config& config() const noexcept { return network_->config(); }
    [[nodiscard]] bool has_tokenizer() const noexcept { return tokenizer_ != nullptr; }
    /// @throws unsupported_error where the file has no vocabulary
    [[nodiscard]] const codec::tokenizer& tokenizer() const {
        if(!tokenizer_) {
            tokenworks::detail::raise<unsupported_error>({name_, ": the file has no tokenizer"});
        }
        return *tokenizer_;
    }
    /// How adapters call its matrices.
    [[nodiscard]] const models::adapter_names& names() const noexcept { return names_; }
    /// What became of load_options::packed_cache.
    [[nodiscard]] const models::packed_cache_report& packed_weights() const noexcept { return packed_weights_; }
    [[nodiscard]] const execution& how() const noexcept { return how_; }
    [[nodiscard]] std::size_t vocab_size() const noexcept { return network_->vocab_size(); }
    [[nodiscard]] std::size_t context_length() const noexcept { return config().context_length; }

    /// A state for a new sequence. Memory for keys and values is reserved now and touched as tokens come.
    [[nodiscard]] state make_state(const state_options& options) const;
    [[nodiscard]] state make_state() const;

    /// Appends tokens to the state; writes the logits [V] after the last one, or none where the span is empty.
    void forward(state& s, std::span<const codec::token_id> tokens, std::span<float> logits) const;
    /// The same for greedy decoding: the id with the highest logit after the last token, without the logits.
    [[nodiscard]] codec::token_id forward_greedy(state& s, std::span<const codec::token_id> tokens) const;

    /// The last hidden rows [T,C] of some tokens, what their embedding is pooled of.
    /// @param adapters  of this model, applied in this order
    /// @param step      tokens a pass: others who share the team take their turn between two; no effect on the result
    /// @throws argument_error for no tokens, or ids outside of the vocabulary
    [[nodiscard]] std::vector<float> hidden(std::span<const codec::token_id> ids,
                                            std::span<const nn::adapter* const> adapters = {},
                                            std::size_t step = 512) const;

    /// The state that a prompt and what may follow it need, no larger than the model's context.
    /// @param context  capacity to reserve in any case, or 0
    [[nodiscard]] state_options state_options_for(std::size_t prompt, std::size_t max_tokens, std::size_t context = 0,
                                                  dtype cache_type = dtype::f16) const noexcept {
        if(context == 0) {
            context = std::min(context_length(), prompt + std::min(max_tokens, context_length()));
        }
        return {.capacity = context, .cache_type = cache_type};
    }

    /// Continues token ids, in a state of their own.
    [[nodiscard]] auto continue_ids(std::span<const codec::token_id> ids, generate_options options = {}) const {
        const state_options sizes = state_options_for(ids.size(), options.max_tokens);
        return tokenworks::generate(*this, make_state(sizes), tokenizer(), ids, std::move(options));
    }

    /// Continues a text. The special tokens that the model starts a text with are added; nothing in the text is read as
    /// one. See runtime/generate.hpp for what comes back, and for what it throws.
    [[nodiscard]] auto generate(std::string_view prompt, generate_options options = {}) const {
        return continue_ids(tokenizer().encode(prompt, {.add_special = true}), std::move(options));
    }

    /// Answers a conversation, through the model's chat template.
    /// @throws unsupported_error where the file has no template, or one that cannot be read; template_error where it
    ///         refuses the conversation
    [[nodiscard]] auto chat(std::span<const codec::chat_message> messages, generate_options options = {}) const {
        return continue_ids(chat_prompt(messages), std::move(options));
    }
    [[nodiscard]] auto chat(std::string_view question, generate_options options = {}) const {
        const codec::chat_message message{"user", std::string{question}};
        return chat(std::span{&message, 1}, std::move(options));
    }

    /// Writes what stands between two texts, with models that were trained for it: see codec/infill.hpp.
    /// @throws unsupported_error where the vocabulary has no tokens for it
    [[nodiscard]] auto infill(std::string_view before, std::string_view after, generate_options options = {}) const {
        const codec::infill_form form{tokenizer()};
        if(!options.ignore_eos) {
            options.stop_tokens.insert(options.stop_tokens.end(), form.ends().begin(), form.ends().end());
        }
        return continue_ids(form.encode(tokenizer(), before, after), std::move(options));
    }

    /// A grammar over its tokens, for options.constraint. Bind it once and use it often, on any threads.
    /// @throws unsupported_error where the file has no vocabulary
    [[nodiscard]] std::shared_ptr<const runtime::grammar_constraint> bind(codec::grammar rules) const;

    /// The ids of a conversation up to where the answer begins. Text of the messages never becomes a control token.
    [[nodiscard]] std::vector<codec::token_id> chat_prompt(std::span<const codec::chat_message> messages) const;
    /// The same with tools, and with what else the template takes.
    [[nodiscard]] std::vector<codec::token_id> chat_prompt(std::span<const codec::chat_message> messages,
                                                           codec::chat_options options) const;

private:
    /// A template that cannot be read is an error only for those who ask for it.
    void read_template(const std::optional<std::string>& source);

    [[nodiscard]] static text_model from(const io::gguf_file& file, const load_options& options);

    std::string name_;
    models::adapter_names names_;
    std::optional<codec::chat_template> template_;
    std::string no_template_;
    std::shared_ptr<team> team_;
    execution how_;
    std::unique_ptr<codec::tokenizer> tokenizer_;
    struct shared_walk {
        std::mutex mutex;
        std::shared_ptr<const codec::token_walk> made; // of the tokenizer, once it is asked for
    };
    std::unique_ptr<shared_walk> walk_ = std::make_unique<shared_walk>();
    std::unique_ptr<models::decoder> network_;
    models::packed_cache_report packed_weights_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION text_model::text_model(text_model_parts parts, const load_options& options)
    : name_{std::move(parts.name)}, names_{std::move(parts.names)}, tokenizer_{std::move(parts.tokenizer)} {
    team_ = options.make_team();
    how_ = execution{options.set, team_.get()};
    if(tokenizer_ && tokenizer_->vocab_size() != parts.config.vocab_size) {
        tokenworks::detail::raise_format(
            name_, {parts.tokenizer_field}, format_error::no_offset,
            {"has ", tokenizer_->vocab_size(), " tokens, the model has ", parts.config.vocab_size});
    }
    read_template(parts.chat_template);
    models::load_progress progress;
    if(options.on_progress) {
        progress = [&](std::uint64_t done) {
            // Weights from a cache may be larger than those that they were made of.
            return options.on_progress(std::min(done, parts.weight_bytes), parts.weight_bytes);
        };
    }
    const std::vector<models::weight_transform> transforms = models::bound_transforms(options.transforms, names_);
    std::optional<models::packed_cache> cache;
    if(!options.packed_cache.empty() && parts.identity) {
        std::uint64_t identity = parts.identity();
        for(const models::weight_transform& transform: transforms) {
            identity = (identity ^ transform.identity) * 0x100000001B3;
        }
        cache.emplace(options.packed_cache, identity);
    }
    const models::transformed_weights weights{*parts.weights, transforms, parts.config, how_};
    network_ = std::make_unique<models::decoder>(
        std::move(parts.config), weights.get(), how_,
        models::weight_loading{progress, cache ? &*cache : nullptr, options.precision});
    if(cache) {
        cache->finish([&] { return !progress || progress(parts.weight_bytes); });
        packed_weights_ = cache->report();
    }
    // Norms and biases are not counted one by one.
    if(progress && !progress(parts.weight_bytes)) {
        tokenworks::detail::raise<cancelled_error>({"loading ", name_, ": cancelled"});
    }
}

TOKENWORKS_FUNCTION text_model text_model::from(const io::gguf_file& file, const load_options& options) {
    text_model_parts parts{.name = file.name(), .config = models::config_of(file)};
    if(!parts.config.causal || models::encoder_config_of(file)) {
        tokenworks::detail::raise<unsupported_error>(
            {parts.name, ": '", parts.config.architecture, "' is no decoder alone"});
    }
    if(models::has_vocabulary(file)) {
        parts.tokenizer = std::make_unique<codec::tokenizer>(models::vocabulary_of(file));
        parts.tokenizer_field = "tokenizer.ggml.tokens";
    }
    if(const auto source = file.get_optional<std::string_view>("tokenizer.chat_template")) {
        parts.chat_template = *source;
    }
    for(const io::gguf_tensor& tensor: file.tensors()) {
        parts.weight_bytes += tensor.bytes;
    }
    parts.identity = [&] { return models::packed_identity(file, options.precision); };
    parts.names = models::adapter_names_of(file);
    const std::unique_ptr<models::weight_source> weights = models::weights_of(file);
    parts.weights = weights.get();
    return text_model{std::move(parts), options};
}

TOKENWORKS_FUNCTION text_model text_model::load(const std::string& path, const load_options& options) {
    return from(io::gguf_file::open(path), options);
}

TOKENWORKS_FUNCTION text_model text_model::load(std::span<const std::byte> bytes, std::string name,
                                                const load_options& options) {
    return from(io::gguf_file::from_memory(bytes, std::move(name)), options);
}

TOKENWORKS_FUNCTION void text_model::forward(state& s, std::span<const codec::token_id> tokens,
                                             std::span<float> logits) const {
    using wanted = models::decoder_input::logits;
    const models::decoder_input input{.cache = &s.cache(),
                                      .tokens = tokens,
                                      .want = logits.empty() ? wanted::none : wanted::last,
                                      .adapters = s.adapters()};
    network_->forward(s.context(), std::span{&input, 1},
                      nn::rows{logits.data(), logits.empty() ? std::size_t{0} : std::size_t{1}, logits.size()});
}

TOKENWORKS_FUNCTION codec::token_id text_model::forward_greedy(state& s,
                                                               std::span<const codec::token_id> tokens) const {
    const models::decoder_input input{.cache = &s.cache(), .tokens = tokens, .adapters = s.adapters()};
    codec::token_id id = 0;
    network_->forward_greedy(s.context(), std::span{&input, 1}, std::span{&id, 1});
    return id;
}

TOKENWORKS_FUNCTION std::vector<float> text_model::hidden(std::span<const codec::token_id> ids,
                                                          std::span<const nn::adapter* const> adapters,
                                                          std::size_t step) const {
    if(ids.empty()) {
        tokenworks::detail::raise<argument_error>({name_, ": hidden rows of no tokens"});
    }
    const std::size_t width = config().width;
    std::vector<float> rows(ids.size() * width);
    nn::context c{how_};
    nn::kv_cache cache = network_->make_cache(ids.size());
    for(std::size_t at = 0; at < ids.size(); at += step) {
        const std::span<const codec::token_id> part = ids.subspan(at, std::min(step, ids.size() - at));
        const models::decoder_input next{
            .cache = &cache, .tokens = part, .want = models::decoder_input::logits::all, .adapters = adapters};
        network_->forward_hidden(c, std::span{&next, 1}, nn::rows{rows.data() + at * width, part.size(), width});
    }
    return rows;
}

TOKENWORKS_FUNCTION text_model::state text_model::make_state(const state_options& options) const {
    const std::size_t capacity = options.capacity == 0 ? context_length() : options.capacity;
    return state{network_->make_cache(capacity, options.cache_type), how_, options.adapters};
}

TOKENWORKS_FUNCTION text_model::state text_model::make_state() const { return make_state({}); }

TOKENWORKS_FUNCTION std::vector<codec::token_id>
text_model::chat_prompt(std::span<const codec::chat_message> messages) const {
    return chat_prompt(messages, codec::chat_options{});
}

TOKENWORKS_FUNCTION std::vector<codec::token_id> text_model::chat_prompt(std::span<const codec::chat_message> messages,
                                                                         codec::chat_options options) const {
    if(!template_) {
        tokenworks::detail::raise<unsupported_error>({no_template_});
    }
    return template_->encode(tokenizer(), messages, std::move(options));
}

TOKENWORKS_FUNCTION std::shared_ptr<const runtime::grammar_constraint> text_model::bind(codec::grammar rules) const {
    const codec::tokenizer& tokens = tokenizer();
    const std::scoped_lock lock{walk_->mutex};
    if(!walk_->made) {
        walk_->made = std::make_shared<const codec::token_walk>(codec::walk_of(tokens));
    }
    return runtime::bind(std::move(rules), walk_->made);
}

TOKENWORKS_FUNCTION void text_model::read_template(const std::optional<std::string>& source) {
    no_template_ = name_ + ": the file has no chat template";
    if(source) {
        try {
            template_.emplace(*source, name_);
        } catch(const error& problem) {
            no_template_ = problem.what();
        }
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI
