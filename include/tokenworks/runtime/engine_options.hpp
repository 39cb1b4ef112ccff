// How an engine is set up, and what it counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

struct engine_options {
    std::size_t max_sequences = 16; ///< that run at a time
    std::size_t max_waiting = 64;   ///< samples that wait beyond these; a request that would be one more is refused
    /// Seconds that a request is expected to wait at most, as long as those before it take (runtime/line_estimate.hpp):
    /// one that would wait longer is refused too, but for the first max_sequences / 4 in the line. 0: no bound.
    double max_wait = 0;
    std::size_t context = 0; ///< tokens of one sequence; 0: the model's context
    /// Tokens that the cache has room for, those of sequences that run and what is kept of earlier ones, in pages
    /// of 64. 0: 1,024 for each of max_sequences, or less where a context or a quarter of the free memory is; a whole
    /// context always.
    std::size_t cache_tokens = 0;
    dtype cache_type = dtype::f16;       ///< one of kv_cache::types
    bool keep_prefixes = true;           ///< what was computed of a sequence is kept for others that begin alike
    std::size_t step_tokens = 512;       ///< of prompts in a step, at most
    std::size_t step_tokens_beside = 64; ///< the same where other sequences are continued in the step
    /// Joules so far, or nothing: an energy_meter's joules(), or shared_meter::account's where there is more than one
    /// engine. Called by the engine's thread, before and after the model's part of each step, in turn.
    std::function<std::optional<double>()> joules{};
};

/// Numbers of an engine since it was made, and as it stands.
struct engine_counts {
    std::size_t running = 0;                ///< sequences
    std::size_t waiting = 0;                ///< samples
    std::size_t cache_tokens = 0;           ///< that the cache has room for
    std::size_t cache_tokens_used = 0;      ///< pages of sequences that run
    std::size_t cache_tokens_kept = 0;      ///< pages of earlier ones, given up when there is no other room
    std::uint64_t steps = 0;                ///
    std::uint64_t prompt_tokens = 0;        ///< of requests that were admitted, those of guidance too
    std::uint64_t cached_tokens = 0;        ///< of these, found in the cache
    std::uint64_t recomputed_tokens = 0;    ///< run through the model once more after a preemption
    std::uint64_t generated_tokens = 0;     ///
    std::uint64_t preemptions = 0;          ///< sequences that were put back for want of pages
    std::uint64_t finished = 0;             ///< requests that ended, however
    std::uint64_t refused = 0;              ///< with overload_error
    double busy_seconds = 0;                ///< in steps
    double model_seconds = 0;               ///< of these, in the model
    double sampling_seconds = 0;            ///< of these, choosing tokens
    std::optional<double> prefill_joules{}; ///< of prompts; nothing without a meter
    std::optional<double> decode_joules{};  ///< of answers
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
