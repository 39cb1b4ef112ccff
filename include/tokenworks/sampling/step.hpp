// What a chain knows of a step besides the logits, and what it asks of the parts that a user writes.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/sampling/candidates.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// One step of one sequence.
struct step {
    std::span<const token_id> history{}; ///< tokens so far, prompt included, oldest first
    std::uint64_t position = 0;          ///< of the token to be chosen, from the start of the sequence
};

/// Changes logits or drops candidates: `processor(candidates&, const step&)`. It may keep state from step to step; a
/// chain copies it together with itself.
template <class P>
concept logits_processor = std::copy_constructible<P> && requires(P& p, candidates& c, const step& s) {
    { p(c, s) } -> std::same_as<void>;
};

/// Ends a chain: chooses one of the candidates.
template <class P>
concept token_picker = std::copy_constructible<P> && requires(P& p, candidates& c, const step& s) {
    { p(c, s) } -> std::same_as<token_id>;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
