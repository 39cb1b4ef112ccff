// Classifier-free guidance: what a condition changes is made larger. Ho and Salimans, "Classifier-Free Diffusion
// Guidance", 2022.
#pragma once

#include <cstddef>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// out = without + scale * (with - without)
/// @param with     what a model says under the condition   @param without  what it says under none
/// @param scale    1: the condition as it is; above 1 more of it
/// @param out      as long as both; may be either of them
/// @throws shape_error where the lengths differ
inline void guide(std::span<const float> with, std::span<const float> without, float scale, std::span<float> out) {
    if(with.size() != without.size() || with.size() != out.size()) {
        tokenworks::detail::raise<shape_error>(
            {"guide: with has ", with.size(), ", without ", without.size(), ", out ", out.size()});
    }
    for(std::size_t i = 0; i < out.size(); ++i) {
        out[i] = without[i] + scale * (with[i] - without[i]);
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
