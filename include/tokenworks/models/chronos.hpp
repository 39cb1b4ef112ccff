// Chronos: models of language that continue series of numbers. Ansari et al., "Chronos: Learning the Language of Time
// Series", 2024 (values in bins, T5); Chronos-Bolt (patches in, quantiles out, T5's layers); chronos-forecasting 2.3,
// chronos.py and chronos_bolt.py. What they add to T5's config.json stands in `chronos_config`.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/models/tensor_names.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

namespace detail {

/// An id below the size of the vocabulary.
[[nodiscard]] inline std::int32_t series_token(const hyperparameters& from, const char* key, std::uint64_t otherwise,
                                               std::size_t tokens) {
    const std::uint64_t id = from.whole_or(key, otherwise);
    if(id >= tokens) {
        from.refuse(key, {"is ", id, ", the vocabulary has ", tokens});
    }
    return static_cast<std::int32_t>(id);
}

/// The levels that a model tells.
[[nodiscard]] inline std::vector<float> series_quantiles(const hyperparameters& from) {
    std::vector<float> levels = from.numbers("series.quantiles");
    if(levels.empty() || levels.size() > 1000) {
        from.refuse("series.quantiles", {"has ", levels.size(), " levels, not 1..1000"});
    }
    float before = 0;
    for(const float level: levels) {
        if(!(level > before && level < 1)) {
            from.refuse("series.quantiles", {"levels do not rise between 0 and 1"});
        }
        before = level;
    }
    return levels;
}

inline void use_patches(const hyperparameters& from, model_config& config, series_config& series) {
    series.patch = from.count("series.patch", 65536);
    series.stride = from.count("series.stride", 65536);
    series.quantiles = series_quantiles(from);
    series.start = series_token(from, "decoder_start_token_id", 0, config.vocab_size);
    if(from.flag_or("series.summary", false)) {
        series.summary = series_token(from, "reg_token_id", 1, config.vocab_size);
    }
    config.architecture = "chronos-bolt";
}

inline void use_bins(const hyperparameters& from, model_config& config, series_config& series) {
    if(const std::string space = from.text("series.space"); space != "MeanScaleUniformBins") {
        tokenworks::detail::raise<unsupported_error>(
            {from.label(), ": ", from.key("series.space"), " '", tokenworks::detail::escaped(space), "'"});
    }
    if(const std::string kind = from.text_or("series.kind", "seq2seq"); kind != "seq2seq") {
        tokenworks::detail::raise<unsupported_error>(
            {from.label(), ": ", from.key("series.kind"), " '", tokenworks::detail::escaped(kind), "'"});
    }
    series.low = from.real("series.low");
    series.high = from.real("series.high");
    if(!(series.low < series.high)) {
        from.refuse("series.high", {"is not above ", series.low});
    }
    const std::size_t tokens = from.count("series.tokens", config.vocab_size);
    series.special = from.count("series.special", tokens);
    if(tokens < series.special + 3) {
        from.refuse("series.tokens", {"is ", tokens, ", which leaves no bins"});
    }
    series.bins = tokens - series.special - 1;
    series.missing = series_token(from, "series.missing", 0, series.special);
    if(from.flag_or("series.has_end", true)) {
        series.end = series_token(from, "series.end", 1, series.special);
    }
    series.start = series_token(from, "decoder_start_token_id", 0, config.vocab_size);
    series.samples = from.count_or("series.samples", 20, 10000);
    series.temperature = from.real_or("series.temperature", 1);
    series.top_k = static_cast<std::size_t>(from.whole_or("series.top_k", 50));
    series.top_p = from.real_or("series.top_p", 1);
    config.architecture = "chronos";
}

} // namespace detail

/// What a configuration says of series, where it does.
/// @throws format_error naming the key; unsupported_error
inline void use_series(const hyperparameters& from, model_config& config) {
    if(!from.has(from.is_gguf() ? "series.context" : "chronos_config")) {
        return;
    }
    series_config& series = config.series.emplace();
    series.context = from.count("series.context", std::size_t{1} << 24);
    series.horizon = from.count("series.horizon", 65536);
    if(from.has("series.seasons")) {
        for(const std::uint64_t period: from.wholes("series.seasons")) {
            const std::size_t before = series.seasons.empty() ? 1 : series.seasons.back();
            if(period <= before || period > 65536) {
                from.refuse("series.seasons", {"periods do not rise between 2 and 65536"});
            }
            series.seasons.push_back(static_cast<std::size_t>(period));
        }
    }
    if(from.has("series.patch")) {
        detail::use_patches(from, config, series);
    } else {
        detail::use_bins(from, config, series);
    }
}

/// The blocks before and behind T5's layers.
[[nodiscard]] inline tensor_names series_names() {
    return {{"patch_in.up", "input_patch_embedding.hidden_layer"},
            {"patch_in.down", "input_patch_embedding.output_layer"},
            {"patch_in.skip", "input_patch_embedding.residual_layer"},
            {"patch_out.up", "output_patch_embedding.hidden_layer"},
            {"patch_out.down", "output_patch_embedding.output_layer"},
            {"patch_out.skip", "output_patch_embedding.residual_layer"}};
}

/// This library's own GGUF files of patches have the blocks' names.
[[nodiscard]] inline tensor_names series_gguf_names(const hyperparameters&, const model_config&) { return {}; }

} // namespace tokenworks::inline TOKENWORKS_ABI::models
