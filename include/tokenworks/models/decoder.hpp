// A decoder: embeddings, layers, a final norm and a head, made from a configuration and a source of weights.
//
// The forward pass takes the next tokens of any number of sequences at once. Each keeps its own cache, and its logits
// are bitwise the same whoever else is in the step, however its tokens are cut into steps, on however many threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/decoder_layer.hpp>
#include <tokenworks/nn/embedding.hpp>
#include <tokenworks/nn/input_embeddings.hpp>
#include <tokenworks/nn/kv_cache.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/core/arena.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/kernels/matmul_argmax.hpp>
#include <tokenworks/models/load_blocks.hpp>
#include <tokenworks/models/token_ids.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The next tokens of one sequence in a step.
struct decoder_input {
    nn::kv_cache* cache = nullptr;          ///< what came before; extended by the tokens
    std::span<const std::int32_t> tokens{}; ///< ids, each in 0 … V-1
    enum class logits { none, last, all } want = logits::last;
    const nn::kv_cache* memory = nullptr; ///< what decoder::remember has made, for layers that attend to an encoder
    std::span<const nn::adapter* const> adapters{}; ///< of this model, made by models::lora; applied in this order
};

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class decoder {
public:
    /// Packs the weights for the kernels. Progress counts bytes of weights; returning false cancels.
    /// @throws format_error naming a tensor that is missing or of the wrong shape; unsupported_error for a tensor's
    ///         type; argument_error for a configuration that does not fit together; cancelled_error
    decoder(model_config config, const weight_source& source, const execution& how = {}, weight_loading loading = {});

    /// The decoder of a model that has an encoder too: its tensors' names begin with "dec.", and it shares the table of
    /// tokens.
    decoder(model_config config, const weight_source& source, const nn::embedding& tokens, const execution& how = {},
            weight_loading loading = {});

    [[nodiscard]] const model_config& config() const noexcept { return config_; }
    [[nodiscard]] std::size_t vocab_size() const noexcept { return config_.vocab_size; }
    /// The weights of the linear layers by the names that blocks ask for, for adapters.
    [[nodiscard]] const named_matrices& matrices() const noexcept { return matrices_; }

    /// A cache for one sequence of up to `capacity` tokens.
    [[nodiscard]] nn::kv_cache make_cache(std::size_t capacity, dtype type = dtype::f16) const;

    /// Keys and values of an encoder's output, for every layer that attends to it. Share it among sequences that ask
    /// about the same.
    /// @param encoded  [S,M]
    /// @throws argument_error where the configuration has no memory_width; shape_error
    [[nodiscard]] nn::kv_cache remember(nn::context& c, nn::const_rows encoded, dtype type = dtype::f16) const;

    /// Bytes of packed weights in memory.
    [[nodiscard]] std::size_t weight_bytes() const noexcept {
        std::size_t sum = embed_.bytes();
        for(const nn::decoder_layer& layer: layers_) {
            sum += layer.bytes();
        }
        return sum + (config_.tied_embeddings ? 0 : head_.bytes());
    }

    /// Runs the tokens of every input through the model and appends them to its cache.
    /// @param logits  a row [V] for each that the inputs want, input by input, token by token; exactly as many rows
    /// @throws argument_error for an id outside 0 … V-1, an input without tokens, or a cache used twice;
    ///         capacity_error where a cache is full, or learned positions end; shape_error for logits, and for a cache
    ///         of another model's shape. On an error no cache has changed.
    void forward(nn::context& c, std::span<const decoder_input> inputs, nn::rows logits) const;

    /// The same for greedy decoding: the id with the highest logit, the lowest id on a tie, in place of each row of
    /// logits. They are compared where they are made and not kept.
    /// @param ids  one for each row that the inputs want; may be the inputs' tokens
    /// @throws as forward; argument_error where a logit is NaN or +infinity, or none is finite
    void forward_greedy(nn::context& c, std::span<const decoder_input> inputs, std::span<std::int32_t> ids) const;

    /// The same up to the head: what the last norm gives, as an embedding of the text so far.
    /// @param hidden  a row [C] for each that the inputs want
    void forward_hidden(nn::context& c, std::span<const decoder_input> inputs, nn::rows hidden) const;

private:
    struct step {
        std::size_t rows = 0;   ///< tokens of all inputs
        std::size_t wanted = 0; ///< rows of logits
    };

    /// Takes all weights but the table of tokens, and that too where `tokens` is null.
    void load(const weight_source& source, const nn::embedding* tokens, const std::string& part, const execution& how,
              weight_loading loading);

    /// The context's adapters are those of a step, and of nothing else that runs in it.
    struct adapters_of_step {
        nn::context& c;
        explicit adapters_of_step(nn::context& of) noexcept : c{of} { c.adapted.clear(); }
        ~adapters_of_step() { c.adapted.clear(); }
        /// @param count  of an input's rows, which lie input by input
        template <class Count>
        void use(std::span<const decoder_input> inputs, Count count) const {
            c.adapted.clear();
            std::size_t row = 0;
            for(const decoder_input& input: inputs) {
                for(const nn::adapter* const with: input.adapters) {
                    c.adapted.push_back({row, count(input), with});
                }
                row += count(input);
            }
        }
        adapters_of_step(const adapters_of_step&) = delete;
        adapters_of_step& operator=(const adapters_of_step&) = delete;
    };

    /// Checks the inputs.
    [[nodiscard]] step plan_of(std::span<const decoder_input> inputs) const;

    /// Runs the layers, and calls finish(activations [wanted,C]) with the rows whose logits are wanted, if there are.
    template <class Finish>
    void run(nn::context& c, std::span<const decoder_input> inputs, const step& plan, const Finish& finish) const;

    void check(const decoder_input& input) const;

    static std::size_t rows_wanted(const decoder_input& input) noexcept {
        switch(input.want) {
        case decoder_input::logits::none:
            return 0;
        case decoder_input::logits::all:
            return input.tokens.size();
        case decoder_input::logits::last:
            break;
        }
        return 1;
    }

    void embed(nn::context& c, std::span<const decoder_input> inputs, const step& plan, nn::rows x) const;

    /// Gathers the rows whose logits are wanted, so that the head, the largest product of all, sees no others.
    [[nodiscard]] nn::activations final_rows(nn::context& c, std::span<const decoder_input> inputs, const step& plan,
                                             nn::rows x) const;

    model_config config_;
    nn::input_embeddings embed_;
    std::vector<nn::decoder_layer> layers_;
    std::optional<nn::norm> final_norm_;
    nn::linear head_;
    named_matrices matrices_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION decoder::decoder(model_config config, const weight_source& source, const execution& how,
                                     weight_loading loading)
    : config_{std::move(config)} {
    load(source, nullptr, "", how, std::move(loading));
}

TOKENWORKS_FUNCTION decoder::decoder(model_config config, const weight_source& source, const nn::embedding& tokens,
                                     const execution& how, weight_loading loading)
    : config_{std::move(config)} {
    load(source, &tokens, "dec.", how, std::move(loading));
}

TOKENWORKS_FUNCTION void decoder::load(const weight_source& source, const nn::embedding* tokens,
                                       const std::string& part, const execution& how, weight_loading loading) {
    config_.validate();
    if(!config_.causal) {
        tokenworks::detail::raise<argument_error>({config_.architecture, " configuration: an encoder is no decoder"});
    }
    block_loader load{config_, source, how, std::move(loading), part};
    embed_ = load.embeddings(tokens);
    layers_.reserve(config_.layers.size());
    for(std::size_t i = 0; i < config_.layers.size(); ++i) {
        layers_.push_back(load.layer(i));
    }
    final_norm_ = load.final_norm();
    head_ = load.head(embed_.tokens);
    matrices_ = std::move(load.matrices());
}

TOKENWORKS_FUNCTION nn::kv_cache decoder::make_cache(std::size_t capacity, dtype type) const {
    return nn::kv_cache{config_.layers.size(), config_.kv_heads, config_.key_width,
                        config_.value_width,   capacity,         type};
}

template <class Finish>
void decoder::run(nn::context& c, std::span<const decoder_input> inputs, const step& plan, const Finish& finish) const {
    c.begin_step(plan.rows, inputs.size());
    const adapters_of_step adapted{c};
    std::size_t row = 0;
    for(const decoder_input& input: inputs) {
        c.add_sequence({input.cache, row, input.tokens.size(), input.cache->size(), input.memory});
        row += input.tokens.size();
    }
    adapted.use(inputs, [](const decoder_input& input) { return input.tokens.size(); });
    const arena::scope scratch{c.scratch};
    const nn::rows x = c.scratch_rows(plan.rows, config_.width);
    embed(c, inputs, plan, x);
    for(std::size_t i = 0; i < layers_.size(); ++i) {
        c.layer = i;
        layers_[i](c, x);
    }
    if(plan.wanted != 0) {
        adapted.use(inputs, rows_wanted);
        finish(final_rows(c, inputs, plan, x));
    }
    for(const decoder_input& input: inputs) {
        input.cache->advance(input.tokens.size());
    }
}

TOKENWORKS_FUNCTION nn::kv_cache decoder::remember(nn::context& c, nn::const_rows encoded, dtype type) const {
    if(config_.memory_width == 0) {
        tokenworks::detail::raise<argument_error>(
            {"remember: ", config_.architecture, " does not attend to an encoder"});
    }
    kernels::detail::require_equal("remember", "the layers take M", config_.memory_width, "encoded has M",
                                   encoded.extent(1));
    nn::kv_cache memory = make_cache(encoded.extent(0), type);
    const arena::scope scratch{c.scratch};
    const nn::activations input{c, encoded};
    for(std::size_t i = 0; i < layers_.size(); ++i) {
        c.layer = i;
        layers_[i].cross->remember(c, input, memory);
    }
    memory.advance(encoded.extent(0));
    return memory;
}

TOKENWORKS_FUNCTION void decoder::forward(nn::context& c, std::span<const decoder_input> inputs,
                                          nn::rows logits) const {
    const step plan = plan_of(inputs);
    if(logits.extent(0) != plan.wanted || (plan.wanted != 0 && logits.extent(1) != config_.vocab_size)) {
        tokenworks::detail::raise<shape_error>({"forward: logits is ", to_string(logits.extents()), ", expected [",
                                                plan.wanted, ",", config_.vocab_size, "]"});
    }
    run(c, inputs, plan, [&](const nn::activations& x) {
        head_(c, x, logits);
        kernels::scale_and_cap(logits, config_.logit_scale, config_.logit_softcap, c.how);
    });
}

TOKENWORKS_FUNCTION void decoder::forward_hidden(nn::context& c, std::span<const decoder_input> inputs,
                                                 nn::rows hidden) const {
    const step plan = plan_of(inputs);
    if(hidden.extent(0) != plan.wanted || (plan.wanted != 0 && hidden.extent(1) != config_.width)) {
        tokenworks::detail::raise<shape_error>(
            {"forward: hidden is ", to_string(hidden.extents()), ", expected [", plan.wanted, ",", config_.width, "]"});
    }
    run(c, inputs, plan, [&](const nn::activations& x) { std::ranges::copy(x.values().as_span(), hidden.data()); });
}

TOKENWORKS_FUNCTION void decoder::forward_greedy(nn::context& c, std::span<const decoder_input> inputs,
                                                 std::span<std::int32_t> ids) const {
    const step plan = plan_of(inputs);
    if(ids.size() != plan.wanted) {
        tokenworks::detail::raise<shape_error>(
            {"forward_greedy: room for ", ids.size(), " ids, expected ", plan.wanted});
    }
    run(c, inputs, plan, [&](const nn::activations& x) {
        const std::span<kernels::best_column> best = c.scratch.take<kernels::best_column>(plan.wanted);
        head_.argmax(c, x, best, {.scale = config_.logit_scale, .softcap = config_.logit_softcap});
        for(std::size_t i = 0; i < best.size(); ++i) {
            if(!best[i].is_valid()) {
                tokenworks::detail::raise<argument_error>(
                    {"forward_greedy: row ", i, ": a logit is NaN or +infinity, or none is finite"});
            }
        }
        std::ranges::transform(best, ids.begin(), [](const kernels::best_column& each) {
            return static_cast<std::int32_t>(each.column());
        });
    });
}

TOKENWORKS_FUNCTION decoder::step decoder::plan_of(std::span<const decoder_input> inputs) const {
    step plan;
    for(const decoder_input& input: inputs) {
        check(input);
        plan.rows += input.tokens.size();
        plan.wanted += rows_wanted(input);
    }
    for(std::size_t i = 0; i < inputs.size(); ++i) {
        for(std::size_t j = 0; j < i; ++j) {
            if(inputs[i].cache == inputs[j].cache) {
                tokenworks::detail::raise<argument_error>({"forward: inputs ", j, " and ", i, " have the same cache"});
            }
        }
    }
    return plan;
}

TOKENWORKS_FUNCTION void decoder::check(const decoder_input& input) const {
    if(input.cache == nullptr) {
        tokenworks::detail::raise<argument_error>({"forward: an input without a cache"});
    }
    detail::require_ids("forward", input.tokens, config_.vocab_size);
    if(config_.memory_width != 0 && input.memory == nullptr) {
        tokenworks::detail::raise<argument_error>({"forward: an input without a memory of the encoder's output"});
    }
    input.cache->require_room(input.tokens.size());
    if(embed_.positions &&
       input.tokens.size() > config_.context_length - std::min(config_.context_length, input.cache->size())) {
        tokenworks::detail::raise<capacity_error>({"forward: ", input.cache->size(), " tokens and ",
                                                   input.tokens.size(), " more, but positions are learned up to ",
                                                   config_.context_length});
    }
}

TOKENWORKS_FUNCTION void decoder::embed(nn::context& c, std::span<const decoder_input> inputs, const step& plan,
                                        nn::rows x) const {
    const std::span<std::int32_t> ids = c.scratch.take<std::int32_t>(plan.rows);
    std::size_t row = 0;
    for(const decoder_input& input: inputs) {
        std::ranges::copy(input.tokens, ids.begin() + static_cast<std::ptrdiff_t>(row));
        row += input.tokens.size();
    }
    embed_(c, ids, {}, x);
    c.observe("embedding", x);
}

TOKENWORKS_FUNCTION nn::activations decoder::final_rows(nn::context& c, std::span<const decoder_input> inputs,
                                                        const step& plan, nn::rows x) const {
    const nn::rows last = c.scratch_rows(plan.wanted, config_.width);
    std::size_t from = 0;
    std::size_t to = 0;
    for(const decoder_input& input: inputs) {
        const std::size_t count = rows_wanted(input);
        from += input.tokens.size();
        for(std::size_t i = 0; i < count; ++i, ++to) {
            std::ranges::copy(x.row(from - count + i).as_span(), last.row(to).data());
        }
    }
    const nn::activations normed =
        final_norm_ ? (*final_norm_)(c, last, head_.takes_quantized()) : nn::activations{c, last};
    c.observe("final", normed.values());
    return normed;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
