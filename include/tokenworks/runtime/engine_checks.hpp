// What an engine refuses before a request gets into its line.
//
//   runtime::engine_options small{.max_sequences = 1, .max_waiting = 4, .context = 512, .cache_tokens = 1024};
//   runtime::detail::check_request({.prompt = ids}, small, model.vocab_size());   // throws
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/engine_options.hpp>
#include <tokenworks/runtime/request.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cmath>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/token_ids.hpp>
#include <tokenworks/nn/page_pool.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail {

/// @param options  complete: with a context and a number of tokens in the cache
/// @param vocab    V
/// @throws argument_error, capacity_error as engine::submit
TOKENWORKS_FUNCTION void check_request(const request& what, const engine_options& options, std::size_t vocab);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void check_request(const request& what, const engine_options& options, std::size_t vocab) {
    using tokenworks::detail::raise;
    if(what.prompt.empty() || what.samples == 0) {
        raise<argument_error>(
            {"engine: a request of ", what.samples, " samples of a prompt of ", what.prompt.size(), " tokens"});
    }
    if(what.samples > options.max_sequences + options.max_waiting) {
        raise<argument_error>(
            {"engine: ", what.samples, " samples, the line takes ", options.max_sequences + options.max_waiting});
    }
    models::detail::require_ids("engine", what.prompt, vocab);
    if(what.guidance) {
        if(!std::isfinite(what.guidance->scale) || what.guidance->without.empty()) {
            raise<argument_error>({"engine: a guidance of ", what.guidance->scale, " beside a prompt of ",
                                   what.guidance->without.size(), " tokens"});
        }
        models::detail::require_ids("engine: guidance", what.guidance->without, vocab);
    }
    const std::size_t longest = std::max(what.prompt.size(), what.is_guided() ? what.guidance->without.size() : 0);
    if(longest > options.context) {
        raise<capacity_error>({"engine: the prompt has ", longest, " tokens, the context takes ", options.context});
    }
    // All that it may ever hold, and a page a row to copy into.
    const std::size_t answer = std::min(what.options.max_tokens, options.context - longest);
    std::size_t pages = nn::page_pool::pages_for(what.prompt.size() + answer) + 1;
    if(what.is_guided()) {
        pages += nn::page_pool::pages_for(what.guidance->without.size() + answer) + 1;
    }
    if(pages > options.cache_tokens / nn::page_pool::page_tokens) {
        raise<capacity_error>({"engine: ", what.prompt.size(), " tokens and an answer of up to ", answer,
                               what.is_guided() ? ", twice under guidance," : "", " do not fit a cache of ",
                               options.cache_tokens});
    }
    if(what.is_guided() && what.prompt_logprobs) {
        raise<argument_error>({"engine: log probabilities of a prompt, but it has guidance"});
    }
    if(what.joules && !options.joules) {
        raise<argument_error>({"engine: a budget of joules, but there is no meter"});
    }
    if(what.options.on_full == when_full::fail || !what.options.history.empty()) {
        raise<argument_error>({"engine: on_full and history are options of a generation alone"});
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail
