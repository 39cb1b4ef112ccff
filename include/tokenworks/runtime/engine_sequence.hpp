// One sample of a request inside an engine: its tokens, what was computed of them, and how the next is chosen.
#pragma once

#include <algorithm>
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

/// Tokens, and what was computed of them.
struct engine_row {
    engine_row(std::span<const token_id> prompt, std::size_t max_tokens, nn::page_pool& pool, std::size_t context)
        : cache{pool, context} {
        const std::size_t room = context - std::min(context, prompt.size()) + 1;
        tokens.reserve(prompt.size() + std::min(max_tokens, room));
        tokens.assign(prompt.begin(), prompt.end());
    }

    /// Tokens that the model has not seen; the last of them gives the logits of the next.
    [[nodiscard]] std::size_t remaining() const noexcept { return tokens.size() - cache.size(); }

    std::vector<token_id> tokens{}; ///< prompt and what was chosen
    nn::kv_cache cache;
    std::size_t computed = 0; ///< tokens that were run through the model before the sequence was put back
};

/// Its own row has the prompt that was asked for; under guidance there is another, with the same tokens behind another
/// prompt. Neither is run to its end before both are, so that both end in the same step.
class engine_sequence: public engine_row {
public:
    engine_sequence(std::shared_ptr<job_record> of, std::size_t which, nn::page_pool& pool, std::size_t context)
        : engine_row{of->what.prompt, of->what.options.max_tokens, pool, context},
          record{std::move(of)},
          sample{which},
          text{record->what.options.stop} {
        const request& what = record->what;
        if(what.is_guided()) {
            without.emplace(what.guidance->without, what.options.max_tokens, pool, context);
        }
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
    /// Whether a token a row is all that is left.
    [[nodiscard]] bool is_continued() const noexcept {
        return remaining() == 1 && (!without || without->remaining() == 1);
    }
    /// Tokens of the longer row.
    [[nodiscard]] std::size_t longest() const noexcept {
        return std::max(tokens.size(), without ? without->tokens.size() : 0);
    }
    /// Calls visit(row) for one or two rows.
    template <class Visit>
    void for_each_row(Visit&& visit) {
        visit(static_cast<engine_row&>(*this));
        if(without) {
            visit(*without);
        }
    }
    template <class Visit>
    void for_each_row(Visit&& visit) const {
        visit(static_cast<const engine_row&>(*this));
        if(without) {
            visit(*without);
        }
    }
    [[nodiscard]] bool is_in_prompt() const noexcept { return cache.size() < prompt(); }
    /// Whether the highest logit alone is wanted.
    [[nodiscard]] bool lets_model_choose() const noexcept {
        return chain.is_greedy() && !constraint && !without && !what().logprobs && !what().prompt_logprobs;
    }
    /// Whether it may use what was computed of others.
    [[nodiscard]] bool shares_prefixes() const noexcept { return !what().prompt_logprobs; }
    /// Who comes first: higher priority, then who came first.
    [[nodiscard]] bool comes_before(const engine_sequence& other) const noexcept {
        return what().priority != other.what().priority ? what().priority > other.what().priority : order < other.order;
    }

    std::shared_ptr<job_record> record;
    std::size_t sample;
    std::optional<engine_row> without{}; ///< under guidance
    sampling::chain chain{};
    std::unique_ptr<sampling::token_constraint> constraint{};
    text_stream text;
    std::string key{}; ///< of what may share its prefixes
    std::uint64_t order = 0;
    client_account* account = nullptr;
    std::uint64_t seen_version = std::numeric_limits<std::uint64_t>::max(); ///< of the prefix cache, at the last look
    std::optional<std::chrono::steady_clock::time_point> admitted{};        ///< for the first time
    bool has_ended = false;

    // Of the step.
    token_id chosen = 0;
    std::optional<float> logprob{};
    std::vector<token_logprob> top{};
    std::exception_ptr problem{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail
