// The model's part of a step of an engine: logits of all who take part, and the next token of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/runtime/engine_schedule.hpp>
#include <tokenworks/sampling/candidates.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#include <exception>
#include <optional>
#include <tokenworks/core/error.hpp>
#include <tokenworks/runtime/log_sum_exp.hpp>
#include <tokenworks/sampling/guidance.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail {

/// Of the thread that steps. Refers to the network.
class engine_model {
public:
    engine_model(const models::decoder& network, const execution& how, std::size_t most_sequences)
        : context{how}, network_{&network}, work_(how.workers()) {
        inputs_.reserve(2 * most_sequences); // under guidance each has two rows
        ids_.reserve(most_sequences);
    }

    /// Runs the tokens of all shares. What goes wrong becomes the problem of the sequences.
    void run(std::span<step_share> shares);
    /// Chooses the next token of each sequence whose tokens have all been run, on all threads.
    void choose(std::span<const step_share> shares);

    [[nodiscard]] const models::decoder& network() const noexcept { return *network_; }

    nn::context context;

private:
    void choose_one(const step_share& each, unsigned worker) noexcept;
    static void read_likeliest(std::span<const float> logits, double total, std::size_t k, sampling::candidates& work,
                               std::vector<token_logprob>& best);
    void read_prompt_logprobs(const step_share& each, sampling::candidates& work);

    const models::decoder* network_;
    std::vector<models::decoder_input> inputs_{};
    std::vector<float> logits_{}; // [rows,V]
    std::vector<token_id> ids_{};
    std::vector<sampling::candidates> work_; // one a member of the team
    bool lets_model_choose_ = false;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void engine_model::run(std::span<step_share> shares) {
    using wanted = models::decoder_input::logits;
    inputs_.clear();
    std::size_t rows = 0;
    lets_model_choose_ = true;
    for(step_share& each: shares) {
        engine_sequence& of = *each.of;
        const bool is_whole = each.count == of.remaining();
        const bool is_scored = of.what().prompt_logprobs && each.is_prompt;
        each.first_row = rows;
        each.rows = is_scored ? each.count : is_whole ? 1U : 0U;
        rows += each.rows;
        if(each.count != 0) {
            inputs_.push_back({.cache = &of.cache,
                               .tokens = std::span{of.tokens}.subspan(of.cache.size(), each.count),
                               .want = is_scored  ? wanted::all
                                       : is_whole ? wanted::last
                                                  : wanted::none,
                               .adapters = of.what().adapters});
        }
        if(each.without != 0) { // its row of logits follows the last of the others
            engine_row& other = *of.without;
            rows += is_whole ? 1U : 0U;
            inputs_.push_back({.cache = &other.cache,
                               .tokens = std::span{other.tokens}.subspan(other.cache.size(), each.without),
                               .want = is_whole ? wanted::last : wanted::none,
                               .adapters = of.what().adapters});
        }
        if(each.rows != 0 && !of.lets_model_choose()) {
            lets_model_choose_ = false;
        }
    }
    try {
        if(lets_model_choose_ && rows != 0) {
            ids_.resize(rows);
            try {
                network_->forward_greedy(context, inputs_, ids_);
                return;
            } catch(const argument_error&) { // logits that are not finite: the logits tell whose
                lets_model_choose_ = false;
            }
        }
        const std::size_t vocab = network_->vocab_size();
        logits_.resize(std::max(logits_.size(), rows * vocab));
        network_->forward(context, inputs_, nn::rows{logits_.data(), rows, rows == 0 ? 0 : vocab});
    } catch(...) {
        for(const step_share& each: shares) {
            each.of->problem = std::current_exception();
        }
    }
}

TOKENWORKS_FUNCTION void engine_model::choose(std::span<const step_share> shares) {
    if(lets_model_choose_) {
        for(const step_share& each: shares) {
            if(each.rows != 0 && !each.of->problem) {
                each.of->chosen = ids_[each.first_row];
            }
        }
        return;
    }
    parallel_for(context.how, shares.size(), 1, [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            choose_one(shares[i], range.worker);
        }
    });
}

TOKENWORKS_FUNCTION void engine_model::choose_one(const step_share& each, unsigned worker) noexcept {
    engine_sequence& of = *each.of;
    if(each.rows == 0 || of.problem) {
        return;
    }
    try {
        const std::size_t vocab = network_->vocab_size();
        read_prompt_logprobs(each, work_[worker]);
        if(of.remaining() != 0 || of.what().options.max_tokens == 0) { // more of the prompt is to come, or nothing
            return;
        }
        const std::span<float> logits{logits_.data() + (each.first_row + each.rows - 1) * vocab, vocab};
        if(of.without) {
            const std::span<const float> without{logits.data() + vocab, vocab};
            sampling::guide(logits, without, of.what().guidance->scale, logits);
        }
        const std::optional<std::size_t> likeliest = of.what().logprobs;
        sampling::candidates& work = work_[worker];
        double total = 0;
        if(likeliest) {
            total = log_sum_exp(logits);
            read_likeliest(logits, total, *likeliest, work, of.top);
        }
        if(of.constraint) { // the logits of those that it lets come stay as they are
            of.constraint->restrict(logits);
        }
        of.chosen = of.chain(logits, {of.tokens, of.tokens.size()}, work);
        if(of.constraint) {
            of.constraint->accept(of.chosen);
        }
        if(likeliest) {
            const auto logit = static_cast<double>(logits[static_cast<std::size_t>(of.chosen)]);
            of.logprob = static_cast<float>(logit - total);
        }
    } catch(...) {
        of.problem = std::current_exception();
    }
}

/// The k likeliest tokens, best first.
TOKENWORKS_FUNCTION void engine_model::read_likeliest(std::span<const float> logits, double total, std::size_t k,
                                                      sampling::candidates& work, std::vector<token_logprob>& best) {
    best.clear();
    if(k == 0) {
        return;
    }
    work.load(logits);
    work.keep_top(k);
    for(const sampling::candidate& each: work.list()) {
        best.push_back({each.id, static_cast<float>(static_cast<double>(each.logit) - total)});
    }
}

/// Of tokens of a prompt, from the logits after the tokens before them.
TOKENWORKS_FUNCTION void engine_model::read_prompt_logprobs(const step_share& each, sampling::candidates& work) {
    engine_sequence& of = *each.of;
    if(!of.what().prompt_logprobs || !each.is_prompt || of.sample != 0) {
        return;
    }
    const std::size_t vocab = network_->vocab_size();
    const std::size_t first = of.cache.size() - each.count;
    for(std::size_t i = 0; i < each.count && first + i + 1 < of.prompt(); ++i) {
        if(of.record->prompt_logprobs.size() != first + i) { // read before a preemption
            continue;
        }
        const std::span<const float> logits{logits_.data() + (each.first_row + i) * vocab, vocab};
        const auto next = static_cast<std::size_t>(of.tokens[first + i + 1]);
        const double total = log_sum_exp(logits);
        prompt_logprob& told = of.record->prompt_logprobs.emplace_back();
        told.logprob = static_cast<float>(static_cast<double>(logits[next]) - total);
        told.rank = 1 + static_cast<std::size_t>(
                            std::ranges::count_if(logits, [&](float other) { return other > logits[next]; }));
        read_likeliest(logits, total, *of.what().prompt_logprobs, work, told.top);
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime::detail
