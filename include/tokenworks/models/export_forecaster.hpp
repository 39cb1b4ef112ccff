// Writes a folder of Chronos-Bolt or TimesFM as a GGUF file: there is no such form elsewhere, so architecture and keys
// are this library's own ("chronos-bolt", "timesfm", "timesfm2.5"), and tensors have the names that blocks ask for.
//
// Needs nlohmann-json (through model_folder.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/export_tensors.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/model_folder.hpp>
#include <tokenworks/models/quantization.hpp>
#include <tokenworks/models/quantize_gguf.hpp>
#include <tokenworks/models/tensor_names.hpp>
#include <tokenworks/models/weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// The keys that timesfm_config and timesfm2_5_config read.
inline void set_timesfm_keys(const model_folder& folder, io::gguf_writer& out) {
    const model_config& config = folder.config();
    const series_config& series = *config.series;
    const timesfm_form& form = *series.timesfm;
    const std::string prefix = config.architecture + ".";
    const auto count = [&](const char* key, std::size_t value) {
        out.set(prefix + key, static_cast<std::uint32_t>(value));
    };
    if(form.is_second && config.activation != kernels::activation_kind::silu) {
        tokenworks::detail::raise<unsupported_error>({folder.path(), ": no GGUF file says which activation this is"});
    }
    out.set("general.architecture", std::string_view{config.architecture});
    out.set("general.type", std::string_view{"model"});
    count("context_length", config.context_length);
    count("embedding_length", config.width);
    count("feed_forward_length", config.feed_forward);
    count("block_count", config.layers.size());
    count("attention.head_count", config.heads);
    count("attention.key_length", config.key_width);
    out.set(prefix + "attention.layer_norm_rms_epsilon", config.norm_epsilon);
    count("series.context", series.context);
    count("series.horizon", series.horizon);
    count("series.patch", series.patch);
    out.set_array(prefix + "series.quantiles", series.quantiles);
    if(form.is_second) {
        count("attention.head_count_kv", config.kv_heads);
        out.set(prefix + "rope.freq_base", static_cast<float>(config.rope_configs.front().base));
        out.set(prefix + "series.has_spread", form.spread != 0);
        if(form.spread != 0) {
            count("series.spread", form.spread);
        }
        count("series.point", form.point);
        out.set(prefix + "series.flip", form.flip);
        out.set(prefix + "series.positive", form.positive);
        return;
    }
    count("series.frequencies", form.frequencies);
    out.set(prefix + "series.tolerance", form.tolerance);
    out.set(prefix + "series.waves", form.waves);
    out.set(prefix + "series.least_period", form.least_period);
    out.set(prefix + "series.most_period", form.most_period);
}

/// The keys that t5_config and use_series read.
inline void set_forecaster_keys(const model_folder& folder, io::gguf_writer& out) {
    const std::string architecture = folder.config().architecture;
    const model_config& config = folder.config();
    const series_config& series = *config.series;
    const auto count = [&](const char* key, std::size_t value) {
        out.set(architecture + "." + key, static_cast<std::uint32_t>(value));
    };
    out.set("general.architecture", std::string_view{architecture});
    out.set("general.type", std::string_view{"model"});
    count("vocab_size", config.vocab_size);
    count("context_length", config.context_length);
    count("embedding_length", config.width);
    count("feed_forward_length", config.feed_forward);
    count("block_count", folder.encoder_config()->layers.size());
    count("decoder_block_count", config.layers.size());
    count("attention.head_count", config.heads);
    count("attention.key_length", config.key_width);
    out.set(architecture + ".attention.layer_norm_epsilon", config.norm_epsilon);
    count("attention.relative_buckets_count", config.relative.buckets);
    count("relative_attention_max_distance", config.relative.max_distance);
    out.set(architecture + ".feed_forward_proj",
            std::string_view{folder.parameters().text_or("feed_forward_proj", "relu")});
    count("series.context", series.context);
    count("series.horizon", series.horizon);
    count("series.patch", series.patch);
    count("series.stride", series.stride);
    out.set_array(architecture + ".series.quantiles", series.quantiles);
    out.set(architecture + ".series.summary", series.summary.has_value());
    if(!series.seasons.empty()) {
        std::vector<std::uint32_t> periods;
        periods.reserve(series.seasons.size());
        for(const std::size_t period: series.seasons) {
            periods.push_back(static_cast<std::uint32_t>(period));
        }
        out.set_array(architecture + ".series.seasons", periods);
    }
    count("reg_token_id", static_cast<std::size_t>(series.summary.value_or(0)));
    count("decoder_start_token_id", static_cast<std::size_t>(series.start));
}

/// The blocks' names of all tensors that the folder has.
[[nodiscard]] inline std::vector<std::string> forecaster_tensors(const model_folder& folder) {
    const std::size_t layers =
        std::max(folder.config().layers.size(), folder.encoder_config() ? folder.encoder_config()->layers.size() : 0);
    std::vector<std::string> all;
    for(const tensor_name& row: folder.names()) {
        const std::size_t place = row.name.find('#');
        for(std::size_t layer = 0; layer < (place == row.name.npos ? 1 : layers); ++layer) {
            std::string name = row.name;
            if(place != name.npos) {
                name.replace(place, 1, std::to_string(layer));
            }
            const bool is_whole = name.ends_with(".weight");
            for(const char* const kind: {is_whole ? "" : ".weight", ".bias"}) {
                if(folder.weights().describe(name + kind)) {
                    all.push_back(name + kind);
                }
            }
        }
    }
    return all;
}

} // namespace detail

/// A series that a file can be checked with: a wave on a slope.
[[nodiscard]] inline std::vector<float> check_series() {
    std::vector<float> values;
    values.reserve(60);
    for(int i = 0; i < 60; ++i) {
        values.push_back(static_cast<float>(i) * 0.5F + static_cast<float>((i * i) % 17));
    }
    return values;
}

/// Says in a file what a right model makes of check_series(): its levels, [Q,H].
inline void set_check(io::gguf_writer& out, const std::string& architecture, std::span<const float> output) {
    out.set_array(architecture + ".check.input", check_series());
    out.set_array(architecture + ".check.output", output);
}

/// Adds all metadata and tensors of a folder to a writer, matrices in the types that they get, all else as float32.
/// @param folder  of patches; must stay until the writer has saved, and so must the team
inline void export_forecaster(const model_folder& folder, const quantization& how, io::gguf_writer& out,
                              const execution& where = {}) {
    if(folder.config().series->timesfm) {
        detail::set_timesfm_keys(folder, out);
    } else {
        detail::set_forecaster_keys(folder, out);
    }
    set_quantization(out, how);
    const detail::tensor_exporter exporter{folder, std::make_shared<const quantization>(how), out, where};
    for(const std::string& name: detail::forecaster_tensors(folder)) {
        exporter.add({.name = name, .parts = {name}}, false);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
