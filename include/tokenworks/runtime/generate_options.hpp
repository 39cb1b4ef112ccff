// What a generation is asked to do, and how it ended.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/sampling/chain.hpp>
#include <tokenworks/sampling/constraint.hpp>
#include <tokenworks/sampling/options.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

using sampling::token_id;

/// Why a generation ended.
enum class finish_reason {
    none,         ///< it has not ended
    stop,         ///< an end token, a stop token or a stop string came, or the constraint is done
    length,       ///< max_tokens were chosen
    context_full, ///< the state holds as many tokens as it can
    cancelled,    ///< by on_progress, the callback, the stop token or job::cancel
    deadline,     ///< the time of a request to an engine was over
    budget,       ///< the energy of a request to an engine was used
};

/// "none", "stop", "length", "context_full", "cancelled", "deadline", "budget".
[[nodiscard]] constexpr std::string_view to_string(finish_reason reason) noexcept {
    constexpr std::string_view names[] = {"none", "stop", "length", "context_full", "cancelled", "deadline", "budget"};
    return names[static_cast<std::size_t>(reason)];
}

/// What happens when another token would not fit into the state. Tokens are never dropped silently: a window that
/// slides belongs to the model (its attention), not to the loop.
enum class when_full {
    finish, ///< the generation ends with finish_reason::context_full
    fail,   ///< capacity_error is thrown
};

struct generate_options {
    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

    std::size_t max_tokens = unlimited;     ///< to be chosen at most; unlimited: until the context is full
    sampling::sampler_options sampling{};   ///< how they are chosen
    std::optional<sampling::chain> chain{}; ///< used in place of `sampling`
    /// What may be written at all (runtime/grammar_constraint.hpp), or none. The generation ends with
    /// finish_reason::stop where nothing more may follow.
    std::shared_ptr<const sampling::constraint_source> constraint{};
    std::vector<std::string> stop{};       ///< the text ends before the first of these; bytes, none empty
    std::vector<token_id> stop_tokens{};   ///< end the generation, beside the tokenizer's end tokens
    bool ignore_eos = false;               ///< the tokenizer's end tokens do not end it
    std::size_t prefill_chunk = 512;       ///< prompt tokens a step, 0: all at once; no effect on the result
    when_full on_full = when_full::finish; ///< see there
    std::span<const token_id> history{};   ///< tokens before the prompt, for the penalties; copied
    std::stop_token cancel{};              ///< looked at before every step
    /// Called after every chunk of the prompt with the tokens done and their total; false cancels.
    std::function<bool(std::size_t, std::size_t)> on_progress{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
