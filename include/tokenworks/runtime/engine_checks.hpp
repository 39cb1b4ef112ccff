// What an engine refuses before a request gets into its line, and what it makes of options that are not given.
//
//   runtime::engine_options small{.max_sequences = 1, .max_waiting = 4, .context = 512, .cache_tokens = 1024};
//   runtime::detail::check_request({.prompt = ids}, small, model.vocab_size());   // throws
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/models/model_config.hpp>
#include <tokenworks/nn/page_pool.hpp>
#include <tokenworks/runtime/engine_options.hpp>
#include <tokenworks/runtime/request.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/token_ids.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/runtime/machine_memory.hpp>
#include <utility>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail {

/// With a context and a number of tokens in the cache, in whole pages.
/// @throws argument_error, unsupported_error for options that do not fit the model
[[nodiscard]] TOKENWORKS_FUNCTION engine_options completed(engine_options options, const models::model_config& config);

/// Of the pages of an engine's cache.
[[nodiscard]] TOKENWORKS_FUNCTION nn::page_pool::shape page_shape(const models::model_config& config, dtype type);

/// @param options  complete: with a context and a number of tokens in the cache
/// @param vocab    V
/// @throws argument_error, capacity_error as engine::submit
TOKENWORKS_FUNCTION void check_request(const request& what, const engine_options& options, std::size_t vocab);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION engine_options completed(engine_options options, const models::model_config& config) {
    using tokenworks::detail::raise;
    const auto require = [](bool holds, const char* what) {
        if(!holds) {
            raise<argument_error>({"engine: ", what, " must be at least 1"});
        }
    };
    require(options.max_sequences != 0, "max_sequences");
    require(options.step_tokens != 0, "step_tokens");
    require(options.step_tokens_beside != 0, "step_tokens_beside");
    if(!nn::kv_cache::holds(options.cache_type)) {
        raise<unsupported_error>({"engine: a cache of ", info(options.cache_type).name});
    }
    if(config.memory_width != 0) {
        raise<unsupported_error>({"engine: ", config.architecture, " attends to an encoder"});
    }
    options.context = options.context == 0 ? config.context_length : std::min(options.context, config.context_length);
    require(options.context != 0, "context");
    using pool = nn::page_pool;
    const std::size_t whole = pool::pages_for(options.context) + 1; // pages of a context, and one for a copy
    if(options.cache_tokens == 0) {
        const std::uint64_t page_bytes = pool{page_shape(config, options.cache_type), 0}.page_bytes();
        const std::uint64_t most =
            available_memory().value_or(std::uint64_t{4} << 30) / 4 / std::max<std::uint64_t>(1, page_bytes);
        constexpr std::size_t usual = pool::pages_for(1024); // pages of a sequence
        const auto wanted = checked_mul(std::uint64_t{std::min(whole, usual)}, std::uint64_t{options.max_sequences});
        const std::uint64_t pages = std::min(wanted.value_or(most), most);
        options.cache_tokens = static_cast<std::size_t>(std::max<std::uint64_t>(pages, whole)) * pool::page_tokens;
    }
    options.cache_tokens = pool::pages_for(options.cache_tokens) * pool::page_tokens;
    return options;
}

TOKENWORKS_FUNCTION nn::page_pool::shape page_shape(const models::model_config& config, dtype type) {
    return {.layers = config.layers.size(),
            .kv_heads = config.kv_heads,
            .key_width = config.key_width,
            .value_width = config.value_width,
            .type = type};
}

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
    if(what.joules && !options.joules) {
        raise<argument_error>({"engine: a budget of joules, but there is no meter"});
    }
    if(what.options.on_full == when_full::fail || !what.options.history.empty()) {
        raise<argument_error>({"engine: on_full and history are options of a generation alone"});
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail
