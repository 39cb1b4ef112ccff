// One sample of a request inside an engine: its tokens, what was computed of them, and how the next is chosen.
#pragma once

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/runtime/job.hpp>
#include <tokenworks/runtime/request.hpp>
#include <tokenworks/runtime/text_stream.hpp>
#include <tokenworks/sampling/chain.hpp>
#include <tokenworks/sampling/constraint.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail {

/// What the samples of a client that is here have cost.
struct client_account {
    double tokens = 0;
    std::size_t samples = 0;
};

class engine_sequence {
public:
    engine_sequence(std::shared_ptr<job_record> of, std::size_t which, nn::page_pool& pool, std::size_t context)
        : record{std::move(of)}, sample{which}, cache{pool, context}, text{record->what.options.stop} {
        const request& what = record->what;
        const std::size_t room = context - std::min(context, what.prompt.size()) + 1;
        tokens.reserve(what.prompt.size() + std::min(what.options.max_tokens, room));
        tokens.assign(what.prompt.begin(), what.prompt.end());
        if(what.options.chain) {
            chain = *what.options.chain;
        } else {
            sampling::sampler_options settings = what.options.sampling;
            settings.seed += which;
            chain = sampling::make_chain(settings);
        }
        if(what.options.constraint) {
            constraint = what.options.constraint->start(what.options.stop_tokens);
        }
        key = key_of(what);
    }

    /// Of requests that may share what was computed: under different adapters keys and values differ.
    [[nodiscard]] static std::string key_of(const request& what) {
        std::string key = what.cache_salt;
        key.push_back('\0');
        for(const nn::adapter* const with: what.adapters) {
            key += std::to_string(std::bit_cast<std::uintptr_t>(with));
            key.push_back('\0');
        }
        return key;
    }

    [[nodiscard]] const request& what() const noexcept { return record->what; }
    [[nodiscard]] std::size_t prompt() const noexcept { return record->what.prompt.size(); }
    [[nodiscard]] std::size_t generated() const noexcept { return tokens.size() - prompt(); }
    /// Tokens that the model has not seen; the last of them gives the logits of the next.
    [[nodiscard]] std::size_t remaining() const noexcept { return tokens.size() - cache.size(); }
    [[nodiscard]] bool is_in_prompt() const noexcept { return cache.size() < prompt(); }
    /// Whether the highest logit alone is wanted.
    [[nodiscard]] bool lets_model_choose() const noexcept {
        return chain.is_greedy() && !constraint && !what().logprobs && !what().prompt_logprobs;
    }
    /// Whether it may use what was computed of others.
    [[nodiscard]] bool shares_prefixes() const noexcept { return !what().prompt_logprobs; }
    /// Who comes first: higher priority, then who came first.
    [[nodiscard]] bool comes_before(const engine_sequence& other) const noexcept {
        return what().priority != other.what().priority ? what().priority > other.what().priority : order < other.order;
    }

    std::shared_ptr<job_record> record;
    std::size_t sample;
    std::vector<token_id> tokens{}; ///< prompt and what was chosen
    nn::kv_cache cache;
    sampling::chain chain{};
    std::unique_ptr<sampling::token_constraint> constraint{};
    text_stream text;
    std::string key{}; ///< of what may share its prefixes
    std::uint64_t order = 0;
    client_account* account = nullptr;
    std::uint64_t seen_version = std::numeric_limits<std::uint64_t>::max(); ///< of the prefix cache, at the last look
    std::size_t computed = 0; ///< tokens that were run through the model before it was put back
    bool was_admitted = false;
    bool has_ended = false;

    // Of the step.
    token_id chosen = 0;
    std::optional<float> logprob{};
    std::vector<token_logprob> top{};
    std::exception_ptr problem{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail
