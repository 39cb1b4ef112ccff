// Rotary position parameters, from the keys rope.* of a GGUF file or from what config.json says in their place.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/kernels/rope_table.hpp>
#include <tokenworks/models/hyperparameters.hpp>
#include <tokenworks/models/model_config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// Reads what the file says about rotary positions.
/// @param base  where the file names none
/// @throws format_error naming the key, unsupported_error for a scaling that is not known
[[nodiscard]] inline kernels::rope_config rope_parameters(const hyperparameters& from, const model_config& config,
                                                          float base, kernels::rope_pairing pairing) {
    kernels::rope_config rope;
    // A share of the head, which is how config.json tells it, is cut to whole values as Python's int() does.
    const double share = from.has("rope.partial") ? from.number("rope.partial") : 1.0;
    if(!(share >= 0 && share <= 1)) {
        from.refuse("rope.partial", {"is ", share, ", not in 0..1"});
    }
    rope.width = from.count_or("rope.dimension_count",
                               static_cast<std::size_t>(share * static_cast<double>(config.key_width) + 1e-9));
    if(rope.width % 2 != 0 || rope.width > config.key_width) {
        const bool by_share = from.has("rope.partial") && !from.has("rope.dimension_count");
        from.refuse(
            by_share ? "rope.partial" : "rope.dimension_count",
            {by_share ? "turns " : "is ", rope.width, ", not an even number up to the head's ", config.key_width});
    }
    rope.base = static_cast<double>(from.real_or("rope.freq_base", base));
    if(!(rope.base > 0)) {
        from.refuse("rope.freq_base", {"is ", rope.base, ", not above 0"});
    }
    rope.pairing = pairing;
    rope.factors = from.factors("rope_freqs", rope.width / 2);

    const auto real_or = [&](const char* name, double otherwise) {
        return from.has(name) ? static_cast<double>(from.real(name)) : otherwise;
    };
    kernels::rope_scaling& scaling = rope.scaling;
    scaling.factor = real_or("rope.scaling.factor", real_or("rope.scale_linear", 1));
    if(!(scaling.factor > 0)) {
        from.refuse("rope.scaling.factor", {"is not above 0"});
    }
    scaling.original_context =
        from.count_or("rope.scaling.original_context_length", config.context_length, std::size_t{1} << 40);
    scaling.attention_factor = real_or("rope.scaling.attn_factor", 0);
    scaling.beta_fast = real_or("rope.scaling.yarn_beta_fast", 32);
    scaling.beta_slow = real_or("rope.scaling.yarn_beta_slow", 1);
    scaling.mscale = real_or("rope.scaling.mscale", 0);
    scaling.mscale_all_dim = real_or("rope.scaling.mscale_all_dim", 0);
    scaling.truncate = from.flag_or("rope.scaling.truncate", true);
    scaling.low_freq_factor = real_or("rope.scaling.low_freq_factor", 1);
    scaling.high_freq_factor = real_or("rope.scaling.high_freq_factor", 4);
    const std::string kind = from.text_or("rope.scaling.type", scaling.factor == 1 ? "none" : "linear");
    std::vector<float> long_factors = from.factors("rope_factors_long", rope.width / 2);
    using enum kernels::rope_scaling_kind;
    if(kind == "none" || kind == "default") {
        scaling.kind = none;
    } else if(kind == "linear") {
        scaling.kind = linear;
    } else if(kind == "dynamic") {
        scaling.kind = dynamic_ntk;
    } else if(kind == "yarn") {
        scaling.kind = yarn;
    } else if(kind == "llama3") {
        scaling.kind = llama3;
    } else if(kind != "longrope" && kind != "su") { // the latter in Phi-3's first files
        tokenworks::detail::raise<unsupported_error>(
            {from.label(), ": ", from.key("rope.scaling.type"), " '", tokenworks::detail::escaped(kind), "'"});
    }
    if(kind == "longrope" || kind == "su" || !long_factors.empty()) {
        scaling.kind = longrope;
        scaling.long_factors = std::move(long_factors);
        scaling.short_factors = from.factors("rope_factors_short", rope.width / 2);
        if(scaling.factor == 1) {
            scaling.factor = static_cast<double>(config.context_length) / static_cast<double>(scaling.original_context);
        }
    }
    return rope;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::models
