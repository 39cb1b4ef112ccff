// The loop that makes tokens: prompt in, then one token at a time, chosen from the logits after the last.
//
// It knows ids only. Text, pictures or tables are made of them by what stands above (runtime/generate.hpp for text),
// so that every kind of output goes through this one loop. After the first step a step allocates nothing.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/runtime/generate_options.hpp>
#include <tokenworks/runtime/timings.hpp>
#include <tokenworks/sampling/candidates.hpp>
#include <tokenworks/sampling/constraint.hpp>
#include <tokenworks/sampling/options.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// A model that continues sequences. `M::state` holds the tokens of one sequence so far (a key/value cache):
///   vocab_size()               V
///   forward(s, tokens, logits) appends the tokens to s; writes the logits after the last one, [V], or none where
///                              `logits` is empty
///   s.size(), s.capacity()     tokens it holds, and can hold
template <class M>
concept causal_model = requires(const M& m, typename M::state& s, const typename M::state& held,
                                std::span<const token_id> tokens, std::span<float> logits) {
    { m.vocab_size() } -> std::convertible_to<std::size_t>;
    m.forward(s, tokens, logits);
    { held.size() } -> std::convertible_to<std::size_t>;
    { held.capacity() } -> std::convertible_to<std::size_t>;
};

/// One that finds the highest logit by itself, for greedy loops: the token that a chain without parts would choose.
template <class M>
concept greedy_model = requires(const M& m, typename M::state& s, std::span<const token_id> tokens) {
    { m.forward_greedy(s, tokens) } -> std::same_as<token_id>;
};

/// Continues one sequence, token by token. Refers to the model and the state, which must outlive it; no one else may
/// use the state meanwhile. The options that are about text (stop, ignore_eos) are left to the caller.
template <causal_model M>
class token_loop {
public:
    /// Checks the arguments; the model first runs in next().
    /// @param state   may hold tokens already: the prompt is appended to them
    /// @throws argument_error for an empty prompt, an id outside of the vocabulary, or a sampling setting out of range;
    ///         capacity_error for a prompt that does not fit into the state
    token_loop(const M& model, typename M::state& state, std::span<const token_id> prompt, generate_options options)
        : model_{&model},
          state_{&state},
          options_{std::move(options)},
          prompt_begin_{options_.history.size()},
          ids_begin_{prompt_begin_ + prompt.size()} {
        check(prompt);
        if(options_.constraint) {
            constraint_ = options_.constraint->start(options_.stop_tokens);
        }
        chain_ = options_.chain ? std::move(*options_.chain) : sampling::make_chain(options_.sampling);
        const std::size_t room = std::min(state.capacity() - state.size() - prompt.size(), most_reserved) + 1;
        tokens_.reserve(options_.history.size() + prompt.size() + std::min(options_.max_tokens, room));
        tokens_.assign(options_.history.begin(), options_.history.end());
        options_.history = {};
        tokens_.insert(tokens_.end(), prompt.begin(), prompt.end());
        if(!lets_model_choose()) {
            logits_.resize(model.vocab_size());
        }
    }

    token_loop(token_loop&&) noexcept = default; // no copies: two loops on one state would disturb each other
    token_loop& operator=(token_loop&&) noexcept = default;

    /// The next token; nothing once the loop has finished. A stop token is returned, and ends it.
    /// @throws capacity_error when the state is full, if the options say so; what the model, the sampling and the
    ///         constraint throw
    [[nodiscard]] std::optional<token_id> next() {
        if(finished()) {
            return std::nullopt;
        }
        if(constraint_ && constraint_->done()) {
            return end(finish_reason::stop);
        }
        if(ids().size() >= options_.max_tokens && prefilled_) {
            return end(finish_reason::length);
        }
        if(options_.cancel.stop_requested() || !(prefilled_ ? append_last() : prefill())) {
            return end(reason_ == finish_reason::none ? finish_reason::cancelled : reason_);
        }
        if(options_.max_tokens == 0) {
            return end(finish_reason::length);
        }
        const stopwatch decoding{timings_.decode_seconds};
        const token_id id = choose();
        tokens_.push_back(id);
        ++timings_.generated_tokens;
        if(std::find(options_.stop_tokens.begin(), options_.stop_tokens.end(), id) != options_.stop_tokens.end()) {
            reason_ = finish_reason::stop;
        }
        return id;
    }

    /// Ends the loop from outside, unless it has ended.
    void finish(finish_reason reason) noexcept {
        if(!finished()) {
            reason_ = reason;
        }
    }

    [[nodiscard]] bool finished() const noexcept { return reason_ != finish_reason::none; }
    [[nodiscard]] finish_reason reason() const noexcept { return reason_; }
    /// The tokens of the prompt.
    [[nodiscard]] std::span<const token_id> prompt_ids() const noexcept {
        return std::span{tokens_}.subspan(prompt_begin_, ids_begin_ - prompt_begin_);
    }
    /// The tokens chosen so far, an end or stop token included. The state holds the prompt and these, but for the
    /// last: to go on, begin the next prompt with it.
    [[nodiscard]] std::span<const token_id> ids() const noexcept { return std::span{tokens_}.subspan(ids_begin_); }
    [[nodiscard]] const runtime::timings& timings() const noexcept { return timings_; }

private:
    static constexpr std::size_t most_reserved = std::size_t{1} << 20; // tokens, where max_tokens is no bound

    void check(std::span<const token_id> prompt) const {
        const std::size_t vocab = model_->vocab_size();
        if(prompt.empty()) {
            tokenworks::detail::raise<argument_error>({"generate: the prompt has no tokens"});
        }
        for(std::size_t i = 0; i < prompt.size(); ++i) {
            if(prompt[i] < 0 || static_cast<std::size_t>(prompt[i]) >= vocab) {
                tokenworks::detail::raise<argument_error>(
                    {"generate: token ", prompt[i], " at place ", i, " of the prompt, the vocabulary has ", vocab});
            }
        }
        const std::size_t held = state_->size();
        const std::size_t capacity = state_->capacity();
        if(held > capacity || prompt.size() > capacity - held) {
            if(held == 0) {
                tokenworks::detail::raise<capacity_error>(
                    {"generate: the prompt has ", prompt.size(), " tokens, the context takes ", capacity});
            }
            tokenworks::detail::raise<capacity_error>({"generate: the prompt has ", prompt.size(),
                                                       " tokens, the context takes ", capacity, " and holds ", held});
        }
    }

    std::nullopt_t end(finish_reason reason) noexcept {
        reason_ = reason;
        return std::nullopt;
    }

    /// False if cancelled. After an exception a second call goes on behind the last chunk that was done.
    bool prefill() {
        const std::size_t total = prompt_ids().size();
        const std::size_t chunk = options_.prefill_chunk == 0 ? total : options_.prefill_chunk;
        while(!prefilled_) {
            if(options_.cancel.stop_requested()) {
                return false;
            }
            const std::size_t count = std::min(chunk, total - timings_.prompt_tokens);
            run_prompt(count);
            timings_.prompt_tokens += count;
            prefilled_ = timings_.prompt_tokens == total;
            if(options_.on_progress && !options_.on_progress(timings_.prompt_tokens, total)) {
                return false;
            }
        }
        return true;
    }

    void run_prompt(std::size_t count) {
        const stopwatch prefilling{timings_.prefill_seconds};
        const bool last = timings_.prompt_tokens + count == prompt_ids().size();
        const std::span<const token_id> part = prompt_ids().subspan(timings_.prompt_tokens, count);
        if(last) {
            forward_to_choice(part);
        } else {
            model_->forward(*state_, part, {});
        }
    }

    [[nodiscard]] bool lets_model_choose() const noexcept {
        return greedy_model<M> && chain_.is_greedy() && !constraint_;
    }

    /// The token after those in the state, of the logits after them.
    [[nodiscard]] token_id choose() {
        if(lets_model_choose()) {
            return chosen_;
        }
        if(constraint_) {
            constraint_->restrict(logits_);
        }
        const token_id id = chain_(logits_, {tokens_, state_->size()}, work_);
        if(constraint_) {
            constraint_->accept(id);
        }
        return id;
    }

    /// Runs tokens whose successor is wanted.
    void forward_to_choice(std::span<const token_id> tokens) {
        if constexpr(greedy_model<M>) {
            if(lets_model_choose()) {
                chosen_ = model_->forward_greedy(*state_, tokens);
                return;
            }
        }
        model_->forward(*state_, tokens, logits_);
    }

    /// Runs the last token through the model; false if it does not fit.
    bool append_last() {
        if(state_->size() >= state_->capacity()) {
            if(options_.on_full == when_full::fail) {
                tokenworks::detail::raise<capacity_error>(
                    {"generate: the context is full, it takes ", state_->capacity(), " tokens"});
            }
            reason_ = finish_reason::context_full;
            return false;
        }
        const stopwatch decoding{timings_.decode_seconds};
        forward_to_choice(std::span<const token_id>{tokens_}.last(1));
        return true;
    }

    const M* model_;
    typename M::state* state_;
    generate_options options_;
    sampling::chain chain_;
    std::unique_ptr<sampling::token_constraint> constraint_; // or none
    sampling::candidates work_;
    std::vector<token_id> tokens_; // history, prompt, ids
    std::size_t prompt_begin_ = 0;
    std::size_t ids_begin_ = 0;
    std::vector<float> logits_; // [V], after the last token in the state; none where the model chooses
    token_id chosen_ = 0;       // what the model chose after it
    bool prefilled_ = false;
    finish_reason reason_ = finish_reason::none;
    runtime::timings timings_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
