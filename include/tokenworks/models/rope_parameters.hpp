// Rotary position parameters as GGUF files give them: rope.* keys, and tensors with a factor for every pair.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/decoder_config.hpp>
#include <tokenworks/models/gguf_source.hpp>
#include <tokenworks/models/weights.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Reads what the file says about rotary positions.
/// @param base  where the file names none
/// @throws format_error naming the key, unsupported_error for a scaling that is not known
[[nodiscard]] inline kernels::rope_config rope_parameters(const gguf_hyperparameters& from,
                                                          const decoder_config& config, float base,
                                                          kernels::rope_pairing pairing) {
    kernels::rope_config rope;
    rope.width = from.count_or("rope.dimension_count", config.key_width);
    if(rope.width % 2 != 0 || rope.width > config.key_width) {
        from.refuse("rope.dimension_count",
                    {"is ", rope.width, ", not an even number up to the head's ", config.key_width});
    }
    rope.base = static_cast<double>(from.real_or("rope.freq_base", base));
    if(!(rope.base > 0)) {
        from.refuse("rope.freq_base", {"is ", rope.base, ", not above 0"});
    }
    rope.pairing = pairing;

    const auto factors = [&](const std::string& name) -> std::vector<float> {
        const gguf_weights weights{from.file()};
        const std::optional<weight> found = weights.find(name);
        if(!found) {
            return {};
        }
        std::vector<float> values = load_vector(weights, name, rope.width / 2);
        for(const float value: values) {
            if(!std::isfinite(value) || !(value > 0)) {
                raise_weight(weights, name, found->offset, {"has a factor that is not above 0"});
            }
        }
        return values;
    };
    rope.factors = factors("rope_freqs.weight");

    kernels::rope_scaling& scaling = rope.scaling;
    scaling.factor = static_cast<double>(from.real_or("rope.scaling.factor", from.real_or("rope.scale_linear", 1)));
    if(!(scaling.factor > 0)) {
        from.refuse("rope.scaling.factor", {"is not above 0"});
    }
    scaling.original_context =
        from.count_or("rope.scaling.original_context_length", config.context_length, std::size_t{1} << 40);
    scaling.attention_factor = static_cast<double>(from.real_or("rope.scaling.attn_factor", 0));
    scaling.beta_fast = static_cast<double>(from.real_or("rope.scaling.yarn_beta_fast", 32));
    scaling.beta_slow = static_cast<double>(from.real_or("rope.scaling.yarn_beta_slow", 1));
    const std::string kind = from.text_or("rope.scaling.type", scaling.factor == 1 ? "none" : "linear");
    std::vector<float> long_factors = factors("rope_factors_long.weight");
    if(kind == "none") {
        scaling.kind = kernels::rope_scaling_kind::none;
    } else if(kind == "linear") {
        scaling.kind = kernels::rope_scaling_kind::linear;
    } else if(kind == "yarn") {
        scaling.kind = kernels::rope_scaling_kind::yarn;
    } else if(kind != "longrope") {
        tokenworks::detail::raise<unsupported_error>(
            {from.file().name(), ": ", from.key("rope.scaling.type"), " '", tokenworks::detail::escaped(kind), "'"});
    }
    if(kind == "longrope" || !long_factors.empty()) {
        scaling.kind = kernels::rope_scaling_kind::longrope;
        scaling.long_factors = std::move(long_factors);
        scaling.short_factors = factors("rope_factors_short.weight");
        if(scaling.factor == 1) {
            scaling.factor = static_cast<double>(config.context_length) / static_cast<double>(scaling.original_context);
        }
    }
    return rope;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
