// A model that reads a series in patches and tells quantiles of what follows: Chronos-Bolt.
//
//   const auto folder = models::model_folder::open("chronos-bolt-tiny");
//   const models::patch_forecaster model{*folder.encoder_config(), folder.config(), folder.weights()};
//   model.forward(c, series, quantiles);
//
// A series is standardised by its own mean and deviation; values that are not known are NaN. Patches without a known
// value are left out, and the others keep their places. A series' result is bitwise the same whatever else is in the
// step and however many threads run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/residual_mlp.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cmath>
#include <utility>

#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/load_blocks.hpp>
#include <tokenworks/nn/activations.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class patch_forecaster {
public:
    /// @param of_decoder  with `series` of patches
    /// @throws as encoder_decoder; unsupported_error for a model of texts, or of values in bins
    patch_forecaster(model_config of_encoder, model_config of_decoder, const weight_source& source,
                     const execution& how = {}, const weight_loading& loading = {});

    [[nodiscard]] const model_config& config() const noexcept { return network_.decoder().config(); }
    [[nodiscard]] const series_config& series() const noexcept { return *config().series; }
    /// Values that come out of a step.
    [[nodiscard]] std::size_t horizon() const noexcept { return series().horizon; }
    [[nodiscard]] std::span<const float> levels() const noexcept { return series().quantiles; }
    /// Bytes of packed weights in memory.
    [[nodiscard]] std::size_t weight_bytes() const noexcept {
        return network_.encoder().weight_bytes() + network_.decoder().weight_bytes() + in_.bytes() + out_.bytes();
    }

    /// @param inputs     series; NaN where a value is not known. Of long ones the last series().context values count
    /// @param quantiles  [N, Q * horizon()]: of each series, level after level, the values that follow
    /// @throws argument_error for a value that is infinite, and for a series without a known value where the model
    ///         has no token for the whole; shape_error for quantiles
    void forward(nn::context& c, std::span<const std::span<const float>> inputs, nn::rows quantiles) const;

private:
    /// The patches of a series that hold a known value.
    struct patched {
        float mean = 0;
        float deviation = 1;
        std::vector<std::uint32_t> places{};
        std::vector<float> values{}; ///< [P, 2 * patch]: standardised values, then whether each is known
    };

    [[nodiscard]] patched patches_of(std::span<const float> values) const;

    encoder_decoder network_;
    nn::residual_mlp in_, out_;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// The model must be one of patches.
[[nodiscard]] inline model_config patch_config(model_config config) {
    if(!config.series || config.series->patch == 0) {
        tokenworks::detail::raise<unsupported_error>({config.architecture, ": series are not read in patches"});
    }
    return config;
}

} // namespace detail

TOKENWORKS_FUNCTION patch_forecaster::patch_forecaster(model_config of_encoder, model_config of_decoder,
                                                       const weight_source& source, const execution& how,
                                                       const weight_loading& loading)
    : network_{std::move(of_encoder), detail::patch_config(std::move(of_decoder)), source, how, loading} {
    block_loader load{config(), source, how, loading};
    const std::size_t width = config().width;
    in_ = load.residual_mlp("patch_in", 2 * series().patch, width);
    out_ = load.residual_mlp("patch_out", width, series().quantiles.size() * series().horizon);
}

TOKENWORKS_FUNCTION patch_forecaster::patched patch_forecaster::patches_of(std::span<const float> values) const {
    const std::size_t size = series().patch;
    values = values.last(std::min(values.size(), series().context));
    double sum = 0;
    std::size_t known = 0;
    for(const float value: values) {
        if(std::isinf(value)) {
            tokenworks::detail::raise<argument_error>({"forecast: a value is infinite"});
        }
        sum += std::isnan(value) ? 0.0 : static_cast<double>(value);
        known += std::isnan(value) ? std::size_t{0} : std::size_t{1};
    }
    patched out;
    if(known != 0) {
        const double mean = sum / static_cast<double>(known);
        double squares = 0;
        for(const float value: values) {
            const double distance = std::isnan(value) ? 0.0 : static_cast<double>(value) - mean;
            squares += distance * distance;
        }
        out.mean = static_cast<float>(mean);
        out.deviation = static_cast<float>(std::sqrt(squares / static_cast<double>(known)));
        out.deviation = out.deviation == 0 ? 1e-5F : out.deviation;
    }
    // What a last patch lacks stands before the first value.
    const std::size_t before = (size - values.size() % size) % size;
    const std::size_t length = before + values.size();
    const std::size_t count = length < size ? 0 : (length - size) / series().stride + 1;
    for(std::size_t p = 0; p < count; ++p) {
        const std::size_t first = out.values.size();
        out.values.resize(first + 2 * size);
        bool any = false;
        for(std::size_t i = 0; i < size; ++i) {
            const std::size_t at = p * series().stride + i;
            if(at >= before && !std::isnan(values[at - before])) {
                out.values[first + i] = (values[at - before] - out.mean) / out.deviation;
                out.values[first + size + i] = 1;
                any = true;
            }
        }
        if(any) {
            out.places.push_back(static_cast<std::uint32_t>(p));
        } else {
            out.values.resize(first);
        }
    }
    if(series().summary) {
        out.places.push_back(static_cast<std::uint32_t>(count));
    } else if(out.places.empty()) {
        tokenworks::detail::raise<argument_error>({"forecast: a series without a known value"});
    }
    return out;
}

TOKENWORKS_FUNCTION void patch_forecaster::forward(nn::context& c, std::span<const std::span<const float>> inputs,
                                                   nn::rows quantiles) const {
    const std::size_t width = config().width;
    const std::size_t out_width = levels().size() * horizon();
    if(quantiles.extent(0) != inputs.size() || (!inputs.empty() && quantiles.extent(1) != out_width)) {
        tokenworks::detail::raise<shape_error>({"forecast: quantiles is ", to_string(quantiles.extents()),
                                                ", expected [", inputs.size(), ",", out_width, "]"});
    }
    if(inputs.empty()) {
        return;
    }
    std::vector<patched> all;
    std::vector<encoder_rows> sequences;
    all.reserve(inputs.size());
    sequences.reserve(inputs.size());
    std::size_t count = 0;
    for(const std::span<const float> input: inputs) {
        const patched& one = all.emplace_back(patches_of(input));
        const bool has_gaps = one.places.back() - one.places.front() + 1 != one.places.size();
        sequences.push_back({.count = one.places.size()});
        if(has_gaps) {
            sequences.back().places = one.places;
        }
        count += one.places.size();
    }
    const arena::scope scratch{c.scratch};
    const nn::rows hidden = c.scratch_rows(count, width);
    std::size_t row = 0;
    for(const patched& one: all) {
        const std::size_t patches = one.values.size() / (2 * series().patch);
        if(patches != 0) {
            const nn::const_rows values{one.values.data(), patches, 2 * series().patch};
            in_(c, nn::activations{c, values}, nn::rows{hidden.row(row).data(), patches, width});
        }
        if(series().summary) {
            const std::int32_t id = *series().summary;
            network_.encoder().embed_tokens(c, std::span{&id, 1},
                                            nn::rows{hidden.row(row + patches).data(), std::size_t{1}, width});
        }
        row += one.places.size();
    }
    network_.encoder().forward_rows(c, sequences, hidden);

    // The decoder makes one step, whose row the quantiles come from.
    std::vector<nn::kv_cache> memories;
    std::vector<nn::kv_cache> caches;
    memories.reserve(inputs.size());
    caches.reserve(inputs.size());
    std::vector<decoder_input> steps;
    steps.reserve(inputs.size());
    const std::int32_t start = series().start;
    row = 0;
    for(const encoder_rows& sequence: sequences) {
        const nn::const_rows encoded{hidden.row(row).data(), sequence.count, width};
        memories.push_back(network_.decoder().remember(c, encoded, dtype::f32));
        caches.push_back(network_.decoder().make_cache(1, dtype::f32));
        steps.push_back({&caches.back(), std::span{&start, 1}, decoder_input::logits::last, &memories.back()});
        row += sequence.count;
    }
    const nn::rows last = c.scratch_rows(inputs.size(), width);
    network_.decoder().forward_hidden(c, steps, last);
    out_(c, nn::activations{c, last}, quantiles);
    for(std::size_t i = 0; i < all.size(); ++i) {
        for(float& value: quantiles.row(i).as_span()) {
            value = value * all[i].deviation + all[i].mean;
        }
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
