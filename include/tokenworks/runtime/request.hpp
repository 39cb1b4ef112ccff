// What an engine is asked for, and what it answers.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/generate_options.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::nn {
class adapter;
}

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// A token and the natural logarithm of its probability, of the model's own logits, or the guided ones: before bias,
/// penalties, temperature and constraint.
struct token_logprob {
    token_id id = 0;
    float logprob = 0;
};

/// One step of one sample, in the order in which they come.
struct token_event {
    std::size_t sample = 0;                     ///< 0 … samples - 1
    std::optional<token_id> id{};               ///< nothing where the event only ends the sample
    std::string text{};                         ///< what may be shown now, whole characters, maybe none
    std::optional<float> logprob{};             ///< of the token, where the request asked
    std::vector<token_logprob> top{};           ///< the likeliest, best first: request::logprobs of them
    std::chrono::steady_clock::time_point at{}; ///< when it was chosen
    finish_reason reason = finish_reason::none; ///< of the last event of a sample
};

/// Classifier-free guidance: what comes is continued behind another prompt too, and the logits behind both are joined
/// before a token is chosen (sampling/guidance.hpp). It takes twice the work and twice the cache. Log probabilities of
/// the prompt are those without guidance, for there is nothing to join a prompt's logits with before the answer begins.
struct guidance {
    float scale = 1;                 ///< how much more than the prompt asks for; 1: none, and nothing is run twice
    std::vector<token_id> without{}; ///< the prompt without what is asked for, at least one id; as long as it likes
};

/// A token of a prompt, given those before it.
struct prompt_logprob {
    float logprob = 0;
    std::size_t rank = 1;             ///< 1 where none is likelier
    std::vector<token_logprob> top{}; ///< the likeliest in its place, best first: request::prompt_logprobs of them
};

/// A request. What `options` says of one generation holds here too, but for prefill_chunk, on_full, history and
/// on_progress, which are the engine's.
struct request {
    std::vector<token_id> prompt{}; ///< ids, at least one
    generate_options options{};
    std::optional<runtime::guidance> guidance{};
    std::size_t samples = 1; ///< answers to the same prompt: sample i draws with options.sampling.seed + i
    int priority = 0;        ///< higher ones are admitted first
    std::string client{};    ///< whose it is: among equals of priority, who had least comes first
    /// Requests share what was computed of their prompts only with those of the same salt: without one, how fast the
    /// first token comes tells whether another has asked the same.
    std::string cache_salt{};
    /// Of the engine's model, applied in this order. They must outlive the engine, which tells what it keeps of prompts
    /// apart by them.
    std::vector<const nn::adapter*> adapters{};
    std::optional<std::size_t>
        logprobs{}; ///< so many of the likeliest tokens beside the chosen one; nothing: none at all
    std::optional<std::size_t>
        prompt_logprobs{}; ///< the same for each token of the prompt after the first, given those before it
    std::optional<std::chrono::steady_clock::time_point> deadline{}; ///< ends with finish_reason::deadline
    std::optional<double> joules{};                                  ///< ends with finish_reason::budget; needs a meter
    /// Called by the engine's thread with every event. It must be quick, and must not call the engine.
    std::function<void(const token_event&)> on_event{};

    /// Whether it takes two rows.
    [[nodiscard]] bool is_guided() const noexcept { return guidance && guidance->scale != 1; }
};

/// One answer.
struct sample_result {
    std::vector<token_id> ids{}; ///< an end or stop token included
    std::string text{};          ///< of an engine with a tokenizer
    finish_reason reason = finish_reason::none;
};

/// What a request has cost.
struct usage {
    std::size_t prompt_tokens = 0;    ///< without those of guidance
    std::size_t cached_tokens = 0;    ///< of the prompt, found in the cache at first
    std::size_t generated_tokens = 0; ///< of all samples
    std::size_t preemptions = 0;      ///< times that a sample was put back for want of memory
    double queue_seconds = 0;         ///< from submit to the first step with it
    double first_token_seconds = 0;   ///< from submit to the first token; 0: there was none
    double total_seconds = 0;         ///< from submit to the end
    /// Its share of what the meter counted, prompt and answer apart; nothing without a meter.
    std::optional<double> prefill_joules{};
    std::optional<double> decode_joules{};
};

/// All of an answer.
struct completion {
    std::vector<sample_result> samples{};
    std::vector<prompt_logprob> prompt_logprobs{}; ///< [prompt - 1], where asked for
    runtime::usage usage{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
