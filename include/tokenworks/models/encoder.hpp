// An encoder: embeddings and layers whose rows see the whole text, made from a configuration and a source of weights.
//
// Texts of a step do not see each other, and each one's result is bitwise the same whatever else is in the step and
// however many threads run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/decoder_layer.hpp>
#include <tokenworks/nn/input_embeddings.hpp>
#include <tokenworks/nn/linear.hpp>
#include <tokenworks/nn/norm.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/core/arena.hpp>
#include <tokenworks/models/load_blocks.hpp>
#include <tokenworks/models/token_ids.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// A text of a step.
struct encoder_input {
    std::span<const std::int32_t> tokens{}; ///< ids, each in 0 … V-1
    std::span<const std::int32_t> types{};  ///< which part of the text each belongs to; empty: the first
};

/// A sequence of a step that is no text: rows that the caller has made.
struct encoder_rows {
    std::size_t count = 0;
    /// [count], rising, or empty: where they stand, where something is left out between them. Of models that know
    /// positions by biases of distances.
    std::span<const std::uint32_t> places{};
};

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class encoder {
public:
    /// Packs the weights for the kernels. Progress counts bytes of weights; returning false cancels.
    /// @param config  with causal == false
    /// @param part    in front of the tensors' names, but for those of tokens: "enc." where the model has a decoder too
    /// @throws format_error naming a tensor that is missing or of the wrong shape; unsupported_error for a tensor's
    ///         type; argument_error for a configuration that does not fit together; cancelled_error
    encoder(model_config config, const weight_source& source, const execution& how = {}, weight_loading loading = {},
            const std::string& part = {});

    [[nodiscard]] const model_config& config() const noexcept { return config_; }
    [[nodiscard]] std::size_t width() const noexcept { return config_.width; }
    [[nodiscard]] std::size_t vocab_size() const noexcept { return config_.vocab_size; }
    /// The table of tokens, for a decoder that shares it.
    [[nodiscard]] const nn::embedding& token_table() const noexcept { return embed_.tokens; }
    /// Bytes of packed weights in memory.
    [[nodiscard]] std::size_t weight_bytes() const noexcept;

    /// The last layer's output, normalised where the model does so.
    /// @param hidden  [T,C], a row for each token of each input
    /// @throws argument_error for an id or type that there is not, or an input without tokens; capacity_error where
    ///         learned positions end; shape_error for hidden
    void forward(nn::context& c, std::span<const encoder_input> inputs, nn::rows hidden) const;

    /// The same of rows that stand in place of tokens' embeddings.
    /// @param x  [T,C], sequence after sequence; the result comes in their place
    /// @throws argument_error for a sequence without rows, or places that do not fit; shape_error for x
    void forward_rows(nn::context& c, std::span<const encoder_rows> inputs, nn::rows x) const;

    /// The embeddings of ids, as the layers take them.
    /// @param x  [T,C]
    /// @throws argument_error for an id that there is not; shape_error for x
    void embed_tokens(nn::context& c, std::span<const std::int32_t> tokens, nn::rows x) const;

    /// Whether the weights have a head that tells which token is at each place.
    [[nodiscard]] bool has_head() const noexcept { return head_.has_value(); }
    /// The logits of what stands, or is masked, at each place.
    /// @param logits  [T,V]
    /// @throws as forward; unsupported_error where there is no head
    void forward_logits(nn::context& c, std::span<const encoder_input> inputs, nn::rows logits) const;

    /// Whether the weights have a head that tells the class of a text.
    [[nodiscard]] bool has_classifier() const noexcept { return classifier_.has_value(); }
    /// K, 0 where there is no such head. Their names are config().classifier->labels.
    [[nodiscard]] std::size_t class_count() const noexcept {
        return has_classifier() ? config_.classifier->labels.size() : 0;
    }
    /// The logits of the classes, as the head makes them.
    /// @param logits  [N,K], a row for each input
    /// @throws as forward; unsupported_error where there is no head
    void forward_classes(nn::context& c, std::span<const encoder_input> inputs, nn::rows logits) const;

private:
    struct masked_head {
        std::optional<nn::linear> transform{};
        std::optional<nn::norm> norm{};
        nn::linear output;
    };

    struct class_head {
        nn::linear transform;
        std::optional<nn::norm> norm{};
        nn::linear output;
    };

    /// @return T
    std::size_t check(std::span<const encoder_input> inputs) const;
    void embed(nn::context& c, std::span<const encoder_input> inputs, nn::rows x) const;
    void run_layers(nn::context& c, nn::rows hidden) const;
    void drop_masks(std::span<const encoder_input> inputs, nn::rows x) const;
    /// The row of each text that its class is told from.
    void gather_texts(std::span<const encoder_input> inputs, nn::const_rows hidden, nn::rows texts) const;

    model_config config_;
    nn::input_embeddings embed_;
    std::vector<nn::decoder_layer> layers_;
    std::optional<nn::norm> final_norm_;
    std::optional<masked_head> head_;
    std::optional<class_head> classifier_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION encoder::encoder(model_config config, const weight_source& source, const execution& how,
                                     weight_loading loading, const std::string& part)
    : config_{std::move(config)} {
    config_.validate();
    if(config_.causal) {
        tokenworks::detail::raise<argument_error>({config_.architecture, " configuration: a decoder is no encoder"});
    }
    if(config_.image) {
        tokenworks::detail::raise<unsupported_error>({config_.architecture, ": images are read, not texts"});
    }
    loading.precision = kernels::precision_for_many_rows(loading.precision, how.set);
    block_loader load{config_, source, how, std::move(loading), part};
    embed_ = load.embeddings();
    layers_.reserve(config_.layers.size());
    for(std::size_t i = 0; i < config_.layers.size(); ++i) {
        layers_.push_back(load.layer(i));
    }
    final_norm_ = load.final_norm();
    if(config_.head_transform && source.describe("output_transform.weight")) {
        head_.emplace(masked_head{load.head_transform(), load.head_norm(), load.head(embed_.tokens)});
    }
    if(config_.classifier) {
        classifier_.emplace(class_head{.transform = load.class_transform(), .output = load.class_head()});
        if(config_.classifier->norm) {
            classifier_->norm = load.class_norm();
        }
    }
}

TOKENWORKS_FUNCTION std::size_t encoder::weight_bytes() const noexcept {
    std::size_t sum = embed_.bytes();
    for(const nn::decoder_layer& layer: layers_) {
        sum += layer.bytes();
    }
    if(head_) {
        sum += head_->transform ? head_->transform->bytes() : 0;
        sum += config_.tied_embeddings ? 0 : head_->output.bytes();
    }
    sum += classifier_ ? classifier_->transform.bytes() + classifier_->output.bytes() : 0;
    return sum;
}

TOKENWORKS_FUNCTION std::size_t encoder::check(std::span<const encoder_input> inputs) const {
    std::size_t count = 0;
    for(const encoder_input& input: inputs) {
        detail::require_ids("encode", input.tokens, config_.vocab_size);
        if(!input.types.empty() && input.types.size() != input.tokens.size()) {
            tokenworks::detail::raise<argument_error>(
                {"encode: ", input.types.size(), " types for ", input.tokens.size(), " tokens"});
        }
        for(const std::int32_t type: input.types) {
            if(type < 0 || static_cast<std::size_t>(type) >= std::max<std::size_t>(1, config_.token_types)) {
                tokenworks::detail::raise<argument_error>(
                    {"encode: type ", type, ", the model has ", std::max<std::size_t>(1, config_.token_types)});
            }
        }
        if(embed_.positions && input.tokens.size() > config_.context_length) {
            tokenworks::detail::raise<capacity_error>(
                {"encode: ", input.tokens.size(), " tokens, but positions are learned up to ", config_.context_length});
        }
        count += input.tokens.size();
    }
    return count;
}

TOKENWORKS_FUNCTION void encoder::forward(nn::context& c, std::span<const encoder_input> inputs,
                                          nn::rows hidden) const {
    const std::size_t count = check(inputs);
    if(hidden.extent(0) != count || (count != 0 && hidden.extent(1) != config_.width)) {
        tokenworks::detail::raise<shape_error>(
            {"encode: hidden is ", to_string(hidden.extents()), ", expected [", count, ",", config_.width, "]"});
    }
    c.begin_step(count, inputs.size());
    std::size_t row = 0;
    for(const encoder_input& input: inputs) {
        c.add_sequence({.first = row, .count = input.tokens.size()});
        row += input.tokens.size();
    }
    const arena::scope scratch{c.scratch};
    embed(c, inputs, hidden);
    run_layers(c, hidden);
}

TOKENWORKS_FUNCTION void encoder::run_layers(nn::context& c, nn::rows hidden) const {
    for(std::size_t i = 0; i < layers_.size(); ++i) {
        c.layer = i;
        layers_[i](c, hidden);
    }
    if(final_norm_) {
        (*final_norm_)(c, hidden, hidden);
    }
    c.observe("final", hidden);
}

TOKENWORKS_FUNCTION void encoder::forward_rows(nn::context& c, std::span<const encoder_rows> inputs, nn::rows x) const {
    std::size_t count = 0;
    for(const encoder_rows& input: inputs) {
        if(input.count == 0) {
            tokenworks::detail::raise<argument_error>({"encode: a sequence without rows"});
        }
        if(!input.places.empty() &&
           (config_.position != position_kind::relative || input.places.size() != input.count ||
            std::ranges::adjacent_find(input.places, std::greater_equal{}) != input.places.end())) {
            tokenworks::detail::raise<argument_error>(
                {"encode: ", input.places.size(), " places for ", input.count,
                 " rows; they must rise, and the model must know positions by biases of distances"});
        }
        count += input.count;
    }
    if(x.extent(0) != count || (count != 0 && x.extent(1) != config_.width)) {
        tokenworks::detail::raise<shape_error>(
            {"encode: the rows are ", to_string(x.extents()), ", expected [", count, ",", config_.width, "]"});
    }
    c.begin_step(count, inputs.size());
    std::size_t row = 0;
    for(const encoder_rows& input: inputs) {
        c.add_sequence({.first = row, .count = input.count, .places = input.places});
        row += input.count;
    }
    const arena::scope scratch{c.scratch};
    run_layers(c, x);
}

TOKENWORKS_FUNCTION void encoder::embed_tokens(nn::context& c, std::span<const std::int32_t> tokens, nn::rows x) const {
    detail::require_ids("encode", tokens, config_.vocab_size);
    if(x.extent(0) != tokens.size() || x.extent(1) != config_.width) {
        tokenworks::detail::raise<shape_error>(
            {"encode: the rows are ", to_string(x.extents()), ", expected [", tokens.size(), ",", config_.width, "]"});
    }
    c.begin_step(tokens.size(), 1);
    c.add_sequence({.first = 0, .count = tokens.size()});
    embed_(c, tokens, {}, x);
}

TOKENWORKS_FUNCTION void encoder::embed(nn::context& c, std::span<const encoder_input> inputs, nn::rows x) const {
    const std::size_t count = x.extent(0);
    const std::span<std::int32_t> ids = c.scratch.take<std::int32_t>(count);
    const std::span<std::int32_t> types = c.scratch.take<std::int32_t>(count);
    std::size_t row = 0;
    for(const encoder_input& input: inputs) {
        std::ranges::copy(input.tokens, ids.begin() + static_cast<std::ptrdiff_t>(row));
        for(std::size_t t = 0; t < input.tokens.size(); ++t) {
            types[row + t] = input.types.empty() ? 0 : input.types[t];
        }
        row += input.tokens.size();
    }
    embed_(c, ids, types, x);
    if(config_.dropped_mask) {
        drop_masks(inputs, x);
    }
    c.observe("embedding", x);
}

/// In training an eighth of the places are masked (0.15 * 0.8), and their embeddings dropped; what is left is scaled
/// to the same expectation. Lin et al., "Evolutionary-scale prediction of atomic-level protein structure", 2023.
TOKENWORKS_FUNCTION void encoder::drop_masks(std::span<const encoder_input> inputs, nn::rows x) const {
    constexpr float masked_in_training = 0.15F * 0.8F;
    std::size_t row = 0;
    for(const encoder_input& input: inputs) {
        const auto masks = static_cast<float>(std::ranges::count(input.tokens, *config_.dropped_mask));
        const float share = masks / static_cast<float>(input.tokens.size());
        const float scale = share < 1 ? (1 - masked_in_training) / (1 - share) : 0;
        for(std::size_t t = 0; t < input.tokens.size(); ++t, ++row) {
            const float factor = input.tokens[t] == *config_.dropped_mask ? 0 : scale;
            for(float& value: x.row(row).as_span()) {
                value *= factor;
            }
        }
    }
}

TOKENWORKS_FUNCTION void encoder::forward_logits(nn::context& c, std::span<const encoder_input> inputs,
                                                 nn::rows logits) const {
    if(!head_) {
        tokenworks::detail::raise<unsupported_error>(
            {config_.architecture, ": these weights have no head for masked tokens"});
    }
    const std::size_t count = check(inputs);
    if(logits.extent(0) != count || (count != 0 && logits.extent(1) != config_.vocab_size)) {
        tokenworks::detail::raise<shape_error>(
            {"encode: logits is ", to_string(logits.extents()), ", expected [", count, ",", config_.vocab_size, "]"});
    }
    const arena::scope scratch{c.scratch};
    const nn::rows hidden = c.scratch_rows(count, config_.width);
    forward(c, inputs, hidden);
    nn::rows x = hidden;
    if(head_->transform) {
        x = c.scratch_rows(count, config_.width);
        (*head_->transform)(c, nn::activations{c, hidden}, x);
        kernels::activate(kernels::any_activation{config_.head_transform->activation}, x, x, c.how);
        (*head_->norm)(c, x, x);
    }
    head_->output(c, nn::activations{c, x}, logits);
}

TOKENWORKS_FUNCTION void encoder::gather_texts(std::span<const encoder_input> inputs, nn::const_rows hidden,
                                               nn::rows texts) const {
    std::size_t row = 0;
    for(std::size_t i = 0; i < inputs.size(); ++i) {
        const std::size_t count = inputs[i].tokens.size();
        for(std::size_t k = 0; k < config_.width; ++k) {
            double sum = 0;
            const std::size_t taken = config_.classifier->mean ? count : 1;
            for(std::size_t t = 0; t < taken; ++t) {
                sum += static_cast<double>(hidden(row + t, k));
            }
            texts(i, k) = static_cast<float>(sum / static_cast<double>(taken));
        }
        row += count;
    }
}

TOKENWORKS_FUNCTION void encoder::forward_classes(nn::context& c, std::span<const encoder_input> inputs,
                                                  nn::rows logits) const {
    if(!classifier_) {
        tokenworks::detail::raise<unsupported_error>(
            {config_.architecture, ": these weights have no head for the classes of texts"});
    }
    const std::size_t count = check(inputs);
    if(logits.extent(0) != inputs.size() || (!inputs.empty() && logits.extent(1) != class_count())) {
        tokenworks::detail::raise<shape_error>({"encode: logits is ", to_string(logits.extents()), ", expected [",
                                                inputs.size(), ",", class_count(), "]"});
    }
    if(inputs.empty()) {
        return;
    }
    const arena::scope scratch{c.scratch};
    const nn::rows hidden = c.scratch_rows(count, config_.width);
    forward(c, inputs, hidden);
    const nn::rows texts = c.scratch_rows(inputs.size(), config_.width);
    gather_texts(inputs, hidden, texts);
    const nn::rows x = c.scratch_rows(inputs.size(), config_.width);
    classifier_->transform(c, nn::activations{c, texts}, x);
    kernels::activate(kernels::any_activation{config_.classifier->activation}, x, x, c.how);
    if(classifier_->norm) {
        (*classifier_->norm)(c, x, x);
    }
    classifier_->output(c, nn::activations{c, x}, logits);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
