// Takes the most likely token.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// The highest logit, the lowest id on a tie.
struct greedy {
    token_id operator()(candidates& c, const step&) const { return c.best().id; }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
