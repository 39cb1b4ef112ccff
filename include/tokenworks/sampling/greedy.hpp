// Takes the most likely token.
#pragma once

#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/sampling/candidates.hpp>
#include <tokenworks/sampling/scan.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// The highest logit, the lowest id on a tie.
struct greedy {
    token_id operator()(candidates& c, const step&) const { return c.best().id; }
};

/// The same token straight from logits, for a loop that samples nothing.
/// @param logits  [V]
/// @throws argument_error as candidates::load
[[nodiscard]] inline token_id argmax(std::span<const float> logits) {
    const detail::inspected found = detail::inspect(logits);
    detail::require_drawable(found, logits);
    return static_cast<token_id>(detail::find_highest(logits, found.highest));
}

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
