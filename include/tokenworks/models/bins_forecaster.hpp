// A model that reads a series as values in bins and continues it token by token: Chronos-T5.
//
//   const auto folder = models::model_folder::open("chronos-t5-tiny");
//   const models::bins_forecaster model{*folder.encoder_config(), folder.config(), folder.weights()};
//   auto memory = model.read(c, series);
//
// It has the form of a runtime::causal_model, whose state is one continuation of a series.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/codec/value_bins.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cmath>

#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class bins_forecaster {
public:
    /// A continuation. Refers to a context and to a memory that `read` has made. Not for several threads at once.
    class state {
    public:
        state(nn::context& c, const nn::kv_cache& memory, nn::kv_cache cache)
            : context_{&c}, memory_{&memory}, cache_{std::move(cache)} {}
        [[nodiscard]] std::size_t size() const noexcept { return cache_.size(); }
        [[nodiscard]] std::size_t capacity() const noexcept { return cache_.capacity(); }

    private:
        friend class bins_forecaster;
        nn::context* context_;
        const nn::kv_cache* memory_;
        nn::kv_cache cache_;
    };

    /// @param of_decoder  with `series` of values in bins
    /// @throws as encoder_decoder; unsupported_error for a model of texts, or of patches
    bins_forecaster(model_config of_encoder, model_config of_decoder, const weight_source& source,
                    const execution& how = {}, const weight_loading& loading = {});

    [[nodiscard]] const model_config& config() const noexcept { return network_.decoder().config(); }
    [[nodiscard]] const series_config& series() const noexcept { return *config().series; }
    [[nodiscard]] const codec::value_bins& bins() const noexcept { return bins_; }
    [[nodiscard]] std::size_t vocab_size() const noexcept { return network_.decoder().vocab_size(); }
    [[nodiscard]] std::size_t weight_bytes() const noexcept {
        return network_.encoder().weight_bytes() + network_.decoder().weight_bytes();
    }

    /// The values that are looked at.
    [[nodiscard]] std::span<const float> seen(std::span<const float> values) const noexcept {
        return values.last(values.size() < series().context ? values.size() : series().context);
    }
    /// What the decoder needs to know of a series: its values' tokens, those that are known, and an end.
    /// @param values  of which the last series().context count; NaN where one is not known
    /// @throws argument_error where nothing is left to read
    [[nodiscard]] nn::kv_cache read(nn::context& c, std::span<const float> values, dtype type = dtype::f32) const;

    /// A continuation of up to so many values.
    [[nodiscard]] state make_state(nn::context& c, const nn::kv_cache& memory, std::size_t values) const {
        return {c, memory, network_.decoder().make_cache(values + 1, dtype::f32)};
    }
    void forward(state& s, std::span<const std::int32_t> tokens, std::span<float> logits) const {
        using wanted = decoder_input::logits;
        const decoder_input input{&s.cache_, tokens, logits.empty() ? wanted::none : wanted::last, s.memory_};
        network_.decoder().forward(
            *s.context_, std::span{&input, 1},
            nn::rows{logits.data(), logits.empty() ? std::size_t{0} : std::size_t{1}, logits.size()});
    }

    /// The same of several continuations, a token each, in one step. They may have different memories.
    /// @param logits  [N,V]
    void step(std::span<state* const> states, std::span<const std::int32_t> tokens, std::span<float> logits) const;

    [[nodiscard]] const models::encoder_decoder& network() const noexcept { return network_; }

private:
    encoder_decoder network_;
    codec::value_bins bins_;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// The model must be one of values in bins.
[[nodiscard]] inline model_config bins_config(model_config config) {
    if(!config.series || config.series->patch != 0) {
        tokenworks::detail::raise<unsupported_error>({config.architecture, ": series are not read as values in bins"});
    }
    return config;
}

} // namespace detail

TOKENWORKS_FUNCTION bins_forecaster::bins_forecaster(model_config of_encoder, model_config of_decoder,
                                                     const weight_source& source, const execution& how,
                                                     const weight_loading& loading)
    : network_{std::move(of_encoder), detail::bins_config(std::move(of_decoder)), source, how, loading},
      bins_{{.low = series().low,
             .high = series().high,
             .bins = series().bins,
             .special = series().special,
             .missing = series().missing}} {}

TOKENWORKS_FUNCTION void bins_forecaster::step(std::span<state* const> states, std::span<const std::int32_t> tokens,
                                               std::span<float> logits) const {
    if(tokens.size() != states.size()) {
        tokenworks::detail::raise<shape_error>(
            {"forecast: ", tokens.size(), " tokens for ", states.size(), " continuations"});
    }
    if(states.empty()) {
        return;
    }
    std::vector<decoder_input> inputs;
    inputs.reserve(states.size());
    for(std::size_t i = 0; i < states.size(); ++i) {
        inputs.push_back({&states[i]->cache_, tokens.subspan(i, 1), decoder_input::logits::last, states[i]->memory_});
    }
    network_.decoder().forward(*states.front()->context_, inputs,
                               nn::rows{logits.data(), states.size(), logits.size() / states.size()});
}

TOKENWORKS_FUNCTION nn::kv_cache bins_forecaster::read(nn::context& c, std::span<const float> values,
                                                       dtype type) const {
    values = seen(values);
    const float scale = codec::value_bins::scale_of(values);
    std::vector<std::int32_t> ids;
    std::vector<std::uint32_t> places;
    ids.reserve(values.size() + 1);
    places.reserve(values.size() + 1);
    for(std::size_t i = 0; i < values.size(); ++i) {
        if(!std::isnan(values[i])) {
            ids.push_back(bins_.encode(values[i], scale));
            places.push_back(static_cast<std::uint32_t>(i));
        }
    }
    if(series().end) {
        ids.push_back(*series().end);
        places.push_back(static_cast<std::uint32_t>(values.size()));
    }
    if(ids.empty()) {
        tokenworks::detail::raise<argument_error>({"forecast: a series without a known value"});
    }
    const arena::scope scratch{c.scratch};
    const nn::rows hidden = c.scratch_rows(ids.size(), config().width);
    network_.encoder().embed_tokens(c, ids, hidden);
    encoder_rows input{.count = ids.size()};
    if(places.back() - places.front() + 1 != places.size()) {
        input.places = places;
    }
    network_.encoder().forward_rows(c, std::span{&input, 1}, hidden);
    return network_.decoder().remember(c, hidden, type);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
