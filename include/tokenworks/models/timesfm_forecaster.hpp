// A decoder that reads a series in patches and tells what follows on the last: TimesFM.
//
//   const auto folder = models::model_folder::open("timesfm-2.0-500m");
//   const models::timesfm_forecaster model{folder.config(), folder.weights()};
//   const models::timesfm_input input{.values = series, .frequency = 1};
//   model.forward(c, std::span{&input, 1}, outputs);
//
// The reference pads short series in front up to its context and masks that; here there are no rows for patches without
// a value, which comes to the same. A series' result is bitwise the same whatever else is in the step and however many
// threads run.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/weight_loading.hpp>
#include <tokenworks/models/weights.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/decoder_layer.hpp>
#include <tokenworks/nn/embedding.hpp>
#include <tokenworks/nn/residual_mlp.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/load_layers.hpp>
#include <tokenworks/nn/activations.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::models {

class layer_loader;

/// A series, and the kind that it is of.
struct timesfm_input {
    std::span<const float> values{}; ///< oldest first; NaN where one is not known. The last series().context count
    std::size_t frequency = 0;       ///< see timesfm_form; of more than the model knows, its last
};

/// Immutable after construction; share it by const reference among threads. Each thread needs its own context.
class timesfm_forecaster {
public:
    /// @param config  with `series` of TimesFM
    /// @throws format_error naming a tensor that is missing or of the wrong shape; unsupported_error for a model of
    ///         something else; argument_error for a configuration that does not fit together; cancelled_error
    timesfm_forecaster(model_config config, const weight_source& source, const execution& how = {},
                       const weight_loading& loading = {});

    [[nodiscard]] const model_config& config() const noexcept { return config_; }
    [[nodiscard]] const series_config& series() const noexcept { return *config_.series; }
    /// Values that come out of a step.
    [[nodiscard]] std::size_t horizon() const noexcept { return series().horizon; }
    [[nodiscard]] std::span<const float> levels() const noexcept { return series().quantiles; }
    /// Values that come out of a step, of the forecast and of all levels.
    [[nodiscard]] std::size_t outputs() const noexcept { return (1 + levels().size()) * horizon(); }
    /// Bytes of packed weights in memory.
    [[nodiscard]] std::size_t weight_bytes() const noexcept;

    /// @param outputs  [N, (1+Q) * horizon()]: of each series the forecast (the mean, or the level that the model has
    ///                 for it), then level after level, the values that follow
    /// @throws argument_error for a value that is infinite, and for a series without a known value; shape_error for
    ///         outputs
    void forward(nn::context& c, std::span<const timesfm_input> inputs, nn::rows outputs) const;

    /// A series as the model sees it: unknown values before the first known one are left out, others lie on a line
    /// between their neighbours, or are the last known value. timesfm 1.3, timesfm_base.py.
    /// @throws argument_error as forward
    [[nodiscard]] static std::vector<float> known_values(std::span<const float> values);

private:
    /// A mean and a deviation.
    struct measure {
        double mean = 0;
        double deviation = 1;
    };
    /// The patches of a series.
    struct patched {
        std::size_t count = 0;
        std::vector<float> values{}; ///< [P, 2 * patch]: standardised values, then whether each is missing
        measure last{};              ///< of what comes out
        measure all{};               ///< of version 2.5: of what that is measured in
        bool is_positive = false;
    };

    [[nodiscard]] const timesfm_form& form() const noexcept { return *series().timesfm; }
    [[nodiscard]] nn::decoder_layer layer(layer_loader& load, std::size_t index) const;
    [[nodiscard]] patched patches_of(std::span<const float> values) const;
    void measure_once(std::span<const float> values, patched& out) const;
    void measure_each(std::span<const float> values, patched& out) const;
    template <class Value>
    void fill(std::span<const Value> values, std::size_t patch, const measure& by, patched& out) const;
    void add_waves(nn::rows patches) const;
    /// What a head says behind each series, by level and step, in the series' own units.
    void tell(nn::context& c, const nn::residual_mlp& head, nn::rows last, nn::rows out) const;

    model_config config_;
    nn::residual_mlp in_, out_;
    std::optional<nn::residual_mlp> spread_;
    nn::embedding frequencies_;
    std::shared_ptr<const kernels::rope_table> rope_;
    std::vector<nn::decoder_layer> layers_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION timesfm_forecaster::timesfm_forecaster(model_config config, const weight_source& source,
                                                           const execution& how, const weight_loading& loading)
    : config_{std::move(config)} {
    if(!config_.series || !config_.series->timesfm) {
        tokenworks::detail::raise<unsupported_error>({config_.architecture, ": is no TimesFM"});
    }
    config_.validate();
    layer_loader load{source, how, loading};
    const std::size_t width = config_.width;
    const bool second = form().is_second;
    const std::size_t hidden = second ? width : config_.feed_forward;
    const kernels::activation_kind activation = second ? config_.activation : kernels::activation_kind::silu;
    in_ = load.residual_mlp("patch_in", 2 * series().patch, hidden, width, activation);
    out_ = load.residual_mlp("patch_out", width, hidden, outputs(), activation);
    if(form().spread != 0) {
        spread_ = load.residual_mlp("spread_out", width, hidden, (1 + levels().size()) * form().spread, activation);
    }
    if(form().frequencies != 0) {
        frequencies_ = nn::embedding{std::make_shared<const kernels::packed_matrix>(
            load.matrix("frequency_embd.weight", form().frequencies, width))};
    }
    if(!config_.rope_configs.empty()) {
        rope_ = std::make_shared<const kernels::rope_table>(config_.rope_configs.front(), config_.context_length);
    }
    layers_.reserve(config_.layers.size());
    for(std::size_t i = 0; i < config_.layers.size(); ++i) {
        layers_.push_back(layer(load, i));
    }
}

TOKENWORKS_FUNCTION nn::decoder_layer timesfm_forecaster::layer(layer_loader& load, std::size_t index) const {
    const std::string prefix = tokenworks::detail::message({"blk.", index, "."});
    const std::size_t width = config_.width;
    const std::size_t d = config_.key_width;
    const float epsilon = config_.norm_epsilon;
    nn::linear query = load.linear(prefix + "attn_q", config_.heads * d, width);
    nn::linear key = load.linear(prefix + "attn_k", config_.kv_heads * d, width);
    nn::linear value = load.linear(prefix + "attn_v", config_.kv_heads * d, width);
    nn::linear output = load.linear(prefix + "attn_output", width, config_.heads * d);
    nn::linear up = load.linear(prefix + "ffn_up", config_.feed_forward, width);
    nn::linear down = load.linear(prefix + "ffn_down", width, config_.feed_forward);
    nn::decoder_layer made{.attend = {.query = std::move(query),
                                      .key = std::move(key),
                                      .value = std::move(value),
                                      .output = std::move(output),
                                      .heads = config_.heads,
                                      .kv_heads = config_.kv_heads,
                                      .key_width = d,
                                      .value_width = d,
                                      .scale = config_.attention_scale,
                                      .rope = rope_},
                           .mlp =
                               nn::mlp<kernels::any_activation>{std::move(up), std::move(down), {config_.activation}}};
    made.before_attention = load.rms_norm(prefix + "attn_norm", width, epsilon);
    // Of each of a head's D values in the queries.
    const std::vector<float> logs = load_vector(load.source(), prefix + "attn_q_scale.weight", d);
    for(std::size_t i = 0; i < config_.heads * d; ++i) {
        const auto log = static_cast<double>(logs[i % d]);
        const double soft = std::max(log, 0.0) + std::log1p(std::exp(-std::abs(log)));
        made.attend.query_weight.push_back(static_cast<float>(soft * 1.442695041 / std::sqrt(static_cast<double>(d))));
    }
    if(form().is_second) {
        made.attend.query_norm = load.rms_norm(prefix + "attn_q_norm", d, epsilon);
        made.attend.key_norm = load.rms_norm(prefix + "attn_k_norm", d, epsilon);
        made.attend.turn_before_norm = true;
        made.after_attention = load.rms_norm(prefix + "post_attention_norm", width, epsilon);
        made.before_mlp = load.rms_norm(prefix + "ffn_norm", width, epsilon);
        made.after_mlp = load.rms_norm(prefix + "post_ffw_norm", width, epsilon);
    } else {
        made.before_mlp = load.layer_norm(prefix + "ffn_norm", width, 1e-6F);
    }
    return made;
}

TOKENWORKS_FUNCTION std::size_t timesfm_forecaster::weight_bytes() const noexcept {
    std::size_t sum = in_.bytes() + out_.bytes() + (spread_ ? spread_->bytes() : 0) + frequencies_.bytes();
    for(const nn::decoder_layer& each: layers_) {
        sum += each.bytes();
    }
    return sum;
}

TOKENWORKS_FUNCTION std::vector<float> timesfm_forecaster::known_values(std::span<const float> values) {
    std::vector<float> known;
    known.reserve(values.size());
    std::size_t missing = 0;
    for(const float value: values) {
        if(std::isinf(value)) {
            tokenworks::detail::raise<argument_error>({"forecast: a value is infinite"});
        }
        if(std::isnan(value)) {
            missing += known.empty() ? std::size_t{0} : std::size_t{1};
            continue;
        }
        const double before = known.empty() ? 0 : static_cast<double>(known.back());
        const double step = (static_cast<double>(value) - before) / static_cast<double>(missing + 1);
        for(std::size_t i = 1; i <= missing; ++i) {
            known.push_back(static_cast<float>(before + step * static_cast<double>(i)));
        }
        missing = 0;
        known.push_back(value);
    }
    if(known.empty()) {
        tokenworks::detail::raise<argument_error>({"forecast: a series without a known value"});
    }
    known.resize(known.size() + missing, known.back());
    return known;
}

template <class Value>
void timesfm_forecaster::fill(std::span<const Value> values, std::size_t patch, const measure& by, patched& out) const {
    const std::size_t size = series().patch;
    const std::size_t before = out.count * size - values.size();
    float* const to = out.values.data() + 2 * size * patch;
    for(std::size_t i = 0; i < size; ++i) {
        const std::size_t at = patch * size + i;
        const bool is_missing = at < before;
        to[i] =
            is_missing ? 0.0F : static_cast<float>((static_cast<double>(values[at - before]) - by.mean) / by.deviation);
        to[size + i] = is_missing ? 1.0F : 0.0F;
    }
}

TOKENWORKS_FUNCTION void timesfm_forecaster::measure_once(std::span<const float> values, patched& out) const {
    // The first patch with three values measures all; with fewer values than that, the last one.
    constexpr std::size_t enough = 3;
    const std::size_t size = series().patch;
    const std::size_t first = values.size() - (out.count - 1) * size;
    const bool second = first < enough && size >= enough && out.count > 1;
    const std::span<const float> those = second          ? values.subspan(first, size)
                                         : size < enough ? values.last(std::min(size, values.size()))
                                                         : values.first(first);
    double sum = 0;
    for(const float value: those) {
        sum += static_cast<double>(value);
    }
    out.last.mean = sum / static_cast<double>(those.size());
    double squares = 0;
    for(const float value: those) {
        const double distance = static_cast<double>(value) - out.last.mean;
        squares += distance * distance;
    }
    out.last.deviation =
        std::max(std::sqrt(squares / static_cast<double>(those.size())), static_cast<double>(form().tolerance));
    for(std::size_t p = 0; p < out.count; ++p) {
        fill(values, p, out.last, out);
    }
}

TOKENWORKS_FUNCTION void timesfm_forecaster::measure_each(std::span<const float> values, patched& out) const {
    const auto not_small = [](measure m) {
        m.deviation = m.deviation < 1e-6 ? 1 : m.deviation;
        return m;
    };
    // The whole, and what would stand before it up to the context, as zeros.
    const auto whole = static_cast<double>(series().context);
    double sum = 0;
    for(const float value: values) {
        sum += static_cast<double>(value);
    }
    out.all.mean = sum / whole;
    double squares = (whole - static_cast<double>(values.size())) * out.all.mean * out.all.mean;
    for(const float value: values) {
        const double distance = static_cast<double>(value) - out.all.mean;
        squares += distance * distance;
    }
    out.all.deviation = std::sqrt(squares / (whole - 1));
    const measure outer = not_small(out.all);
    std::vector<double> inner(values.size());
    std::ranges::transform(values, inner.begin(),
                           [&](float value) { return (static_cast<double>(value) - outer.mean) / outer.deviation; });
    // Sums so far; values are near 1, so that none is lost.
    const std::size_t size = series().patch;
    const std::size_t first = values.size() - (out.count - 1) * size;
    double count = 0;
    double total = 0;
    double total_squares = 0;
    for(std::size_t p = 0, at = 0; p < out.count; ++p) {
        for(const std::size_t end = first + p * size; at < end; ++at) {
            count += 1;
            total += inner[at];
            total_squares += inner[at] * inner[at];
        }
        out.last.mean = total / count;
        out.last.deviation = std::sqrt(std::max(0.0, total_squares / count - out.last.mean * out.last.mean));
        fill(std::span<const double>{inner}, p, not_small(out.last), out);
    }
    out.is_positive = form().positive && std::ranges::none_of(values, [](float value) { return value < 0; });
}

TOKENWORKS_FUNCTION timesfm_forecaster::patched timesfm_forecaster::patches_of(std::span<const float> values) const {
    const std::size_t size = series().patch;
    values = values.last(std::min(values.size(), series().context));
    patched out;
    out.count = (values.size() + size - 1) / size;
    out.values.resize(out.count * 2 * size);
    if(form().is_second) {
        measure_each(values, out);
    } else {
        measure_once(values, out);
    }
    return out;
}

TOKENWORKS_FUNCTION void timesfm_forecaster::add_waves(nn::rows patches) const {
    const std::size_t half = config_.width / 2;
    const auto least = static_cast<double>(form().least_period);
    const double ratio = std::log(static_cast<double>(form().most_period) / least) /
                         static_cast<double>(std::max<std::size_t>(half, 2) - 1);
    for(std::size_t i = 0; i < half; ++i) {
        const double turns = least * std::exp(-ratio * static_cast<double>(i));
        for(std::size_t p = 0; p < patches.extent(0); ++p) {
            const double angle = static_cast<double>(p) * turns;
            patches(p, i) += static_cast<float>(std::sin(angle));
            patches(p, half + i) += static_cast<float>(std::cos(angle));
        }
    }
}

TOKENWORKS_FUNCTION void timesfm_forecaster::tell(nn::context& c, const nn::residual_mlp& head, nn::rows last,
                                                  nn::rows out) const {
    const arena::scope scratch{c.scratch};
    const nn::rows steps = c.scratch_rows(out.extent(0), out.extent(1));
    head(c, nn::activations{c, last}, steps); // step by step, all levels of each
    const std::size_t levels_told = 1 + levels().size();
    const std::size_t count = out.extent(1) / levels_told;
    for(std::size_t n = 0; n < out.extent(0); ++n) {
        for(std::size_t t = 0; t < count; ++t) {
            for(std::size_t q = 0; q < levels_told; ++q) {
                out(n, q * count + t) = steps(n, t * levels_told + q);
            }
        }
    }
}

TOKENWORKS_FUNCTION void timesfm_forecaster::forward(nn::context& c, std::span<const timesfm_input> inputs,
                                                     nn::rows outputs) const {
    if(outputs.extent(0) != inputs.size() || (!inputs.empty() && outputs.extent(1) != this->outputs())) {
        tokenworks::detail::raise<shape_error>({"forecast: outputs is ", to_string(outputs.extents()), ", expected [",
                                                inputs.size(), ",", this->outputs(), "]"});
    }
    if(inputs.empty()) {
        return;
    }
    // With its negative where there is one, each series is two.
    const std::size_t signs = form().flip ? 2 : 1;
    std::vector<patched> all;
    all.reserve(inputs.size());
    std::size_t count = 0;
    for(const timesfm_input& input: inputs) {
        all.push_back(patches_of(known_values(input.values)));
        count += signs * all.back().count;
    }
    const std::size_t width = config_.width;
    const std::size_t size = series().patch;
    const arena::scope scratch{c.scratch};
    const nn::rows values = c.scratch_rows(count, 2 * size);
    const nn::rows hidden = c.scratch_rows(count, width);
    const nn::rows last = c.scratch_rows(signs * inputs.size(), width);
    c.begin_step(count, signs * inputs.size());
    std::size_t row = 0;
    for(const patched& one: all) {
        for(std::size_t sign = 0; sign < signs; ++sign) {
            for(std::size_t p = 0; p < one.count; ++p) {
                for(std::size_t i = 0; i < 2 * size; ++i) {
                    const float value = one.values[p * 2 * size + i];
                    values(row + p, i) = sign == 1 && i < size ? -value : value;
                }
            }
            c.add_sequence({.first = row, .count = one.count});
            row += one.count;
        }
    }
    in_(c, nn::activations{c, values}, hidden);
    for(std::size_t s = 0; s < c.sequences().size(); ++s) {
        const nn::sequence_rows& each = c.sequences()[s];
        const nn::rows patches{hidden.row(each.first).data(), each.count, width};
        if(form().waves) {
            add_waves(patches);
        }
        if(form().frequencies != 0) {
            const arena::scope inner{c.scratch};
            const auto id = static_cast<std::int32_t>(form().frequency_of(inputs[s / signs].frequency));
            const nn::rows kind = c.scratch_rows(1, width);
            frequencies_(c, std::span{&id, 1}, kind, 1);
            for(std::size_t p = 0; p < each.count; ++p) {
                for(std::size_t i = 0; i < width; ++i) {
                    patches(p, i) += kind(0, i);
                }
            }
        }
    }
    for(std::size_t i = 0; i < layers_.size(); ++i) {
        c.layer = i;
        layers_[i](c, hidden);
    }
    for(std::size_t s = 0; s < c.sequences().size(); ++s) {
        const nn::sequence_rows& each = c.sequences()[s];
        std::ranges::copy(hidden.row(each.first + each.count - 1).as_span(), last.row(s).data());
    }
    const std::size_t told = 1 + levels().size();
    const nn::rows points = c.scratch_rows(last.extent(0), this->outputs());
    tell(c, out_, last, points);
    const nn::rows spreads = c.scratch_rows(spread_ ? last.extent(0) : 0, told * form().spread);
    if(spread_) {
        tell(c, *spread_, last, spreads);
    }
    const std::size_t steps = horizon();
    for(std::size_t n = 0; n < inputs.size(); ++n) {
        const patched& one = all[n];
        // Of level q and step t, in the deviations of the whole where there are such.
        const auto value_of = [&](nn::rows from, std::size_t each, std::size_t q, std::size_t t) {
            const auto told_of = [&](std::size_t sequence, std::size_t level) {
                return static_cast<double>(from(sequence, level * each + t)) * one.last.deviation;
            };
            if(signs == 1) {
                return told_of(n, q) + one.last.mean;
            }
            // Quantiles of the negative are those from the other end.
            return (told_of(2 * n, q) - told_of(2 * n + 1, q == 0 ? 0 : told - q)) / 2 + one.last.mean;
        };
        const std::size_t point = form().point;
        for(std::size_t t = 0; t < steps; ++t) {
            for(std::size_t row_of = 0; row_of < told; ++row_of) {
                const std::size_t q = row_of == 0 ? point : row_of;
                double value = value_of(points, steps, q, t);
                if(spread_ && t < form().spread && q != point && q != 0) {
                    value = value_of(spreads, form().spread, q, t) - value_of(spreads, form().spread, point, t) +
                            value_of(points, steps, point, t);
                }
                value = value * one.all.deviation + one.all.mean;
                outputs(n, row_of * steps + t) = static_cast<float>(one.is_positive ? std::max(value, 0.0) : value);
            }
        }
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
