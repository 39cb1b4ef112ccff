// A step of an engine: who takes part, the model, the next tokens, and who hears of them. Part of engine.hpp.
#pragma once

#include <tokenworks/runtime/engine.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/runtime/timings.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

namespace detail {

/// The natural logarithm of the sum of exponentials, in double precision.
[[nodiscard]] inline double log_sum_exp(std::span<const float> logits) {
    const float most = *std::ranges::max_element(logits);
    double sum = 0;
    for(const float each: logits) {
        sum += std::exp(static_cast<double>(each) - static_cast<double>(most));
    }
    return std::log(sum) + static_cast<double>(most);
}

/// The k likeliest tokens, best first, lower ids first among equals. Keeps the vector's memory.
inline void find_likeliest(std::span<const float> logits, double total, std::size_t k,
                           std::vector<token_logprob>& best) {
    best.clear();
    const auto comes_before = [](const token_logprob& a, const token_logprob& b) {
        return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
    };
    for(std::size_t i = 0; i < logits.size() && k != 0; ++i) {
        if(best.size() == k && !(logits[i] > best.back().logprob)) {
            continue;
        }
        const token_logprob next{static_cast<token_id>(i), logits[i]};
        if(best.size() == k) {
            best.pop_back();
        }
        best.insert(std::ranges::upper_bound(best, next, comes_before), next);
    }
    for(token_logprob& each: best) {
        each.logprob = static_cast<float>(static_cast<double>(each.logprob) - total);
    }
}

} // namespace detail

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION bool engine::step() {
    const auto start = clock::now();
    take_incoming();
    drop_ended();
    remove_ended();
    const std::optional<double> joules = options_.joules ? options_.joules() : std::nullopt;
    plan();
    if(shares_.empty()) {
        publish();
        return !running_.empty() || !waiting_.empty();
    }
    {
        const stopwatch in_model{now_.model_seconds};
        run_model();
    }
    {
        const stopwatch choosing{now_.sampling_seconds};
        choose_tokens();
    }
    for(const share& each: shares_) {
        count_tokens(each);
    }
    bill(joules);
    for(const share& each: shares_) {
        deliver(each);
    }
    remove_ended();
    ++now_.steps;
    now_.busy_seconds += std::chrono::duration<double>(clock::now() - start).count();
    publish();
    return true;
}

TOKENWORKS_FUNCTION void engine::take_incoming() {
    const std::scoped_lock lock{mutex_};
    for(std::unique_ptr<sequence>& each: incoming_) {
        const auto [at, is_new] = clients_.try_emplace(each->what().client);
        if(is_new) { // neither before those that are here, nor behind them
            const auto least = std::ranges::min_element(clients_, {}, [&](const auto& of) {
                return of.second.samples == 0 ? std::numeric_limits<double>::infinity() : of.second.tokens;
            });
            at->second.tokens = least->second.samples == 0 ? 0 : least->second.tokens;
        }
        ++at->second.samples;
        each->account = &at->second;
        each->order = arrivals_++;
        waiting_.push_back(std::move(each));
    }
    incoming_.clear();
}

TOKENWORKS_FUNCTION void engine::drop_ended() {
    const auto now = clock::now();
    bool drops_all = false;
    {
        const std::scoped_lock lock{mutex_};
        drops_all = cancel_all_;
    }
    for(auto* const line: {&running_, &waiting_}) {
        for(const std::unique_ptr<sequence>& each: *line) {
            const request& what = each->what();
            const usage& cost = each->record->cost;
            if(drops_all || each->record->cancelled.load(std::memory_order_relaxed) ||
               what.options.cancel.stop_requested()) {
                end_without_token(*each, finish_reason::cancelled);
            } else if(what.deadline && now >= *what.deadline) {
                end_without_token(*each, finish_reason::deadline);
            } else if(what.joules && cost.prefill_joules.value_or(0) + cost.decode_joules.value_or(0) >= *what.joules) {
                end_without_token(*each, finish_reason::budget);
            }
        }
    }
}

TOKENWORKS_FUNCTION void engine::plan() {
    shares_.clear();
    const bool continues = std::ranges::any_of(running_, [](const auto& each) { return each->remaining() == 1; });
    std::size_t prompt_budget = continues ? options_.step_tokens_beside : options_.step_tokens;
    for(std::size_t i = 0; i < running_.size(); ++i) {
        plan_sequence(*running_[i], prompt_budget, true);
    }
    admit(prompt_budget);
}

/// Makes a sequence take part in the step, with as many tokens as may be.
TOKENWORKS_FUNCTION void engine::plan_sequence(sequence& each, std::size_t& prompt_budget, bool may_preempt) {
    if(each.remaining() > 1 && each.shares_prefixes() && each.seen_version != prefixes_.version()) {
        each.seen_version = prefixes_.version();
        const std::size_t held = each.cache.size();
        prefixes_.restore(each.key, std::span{each.tokens}.first(each.tokens.size() - 1), each.cache);
        if(each.computed == 0 && each.cache.size() > held) {
            const std::size_t found = each.cache.size() - held;
            each.record->cost.cached_tokens += found;
            now_.cached_tokens += found;
        }
    }
    const bool is_long = each.remaining() > 1;
    std::size_t count = 1;
    if(is_long) {
        constexpr std::size_t most_scored = 32; // rows of logits
        count =
            std::min({each.remaining(), prompt_budget, each.what().prompt_logprobs ? most_scored : each.remaining()});
        if(count == 0 || waits_for_another(each)) {
            return;
        }
    }
    if(!make_room(each, count, may_preempt)) {
        return;
    }
    shares_.push_back({.of = &each, .count = count, .is_prompt = each.is_in_prompt()});
    if(is_long) {
        prompt_budget -= count;
    }
}

/// Whether what it would compute is being computed in this step for another: then the next step finds it.
TOKENWORKS_FUNCTION bool engine::waits_for_another(const sequence& each) const {
    if(!options_.keep_prefixes || !each.shares_prefixes()) {
        return false;
    }
    constexpr std::size_t page = prefix_cache::page_tokens;
    return std::ranges::any_of(shares_, [&](const share& other) {
        const sequence& first = *other.of;
        if(other.count == 1 || !first.shares_prefixes() || first.key != each.key) {
            return false;
        }
        const auto [mine, theirs] = std::ranges::mismatch(each.tokens, first.tokens);
        const auto common = static_cast<std::size_t>(mine - each.tokens.begin());
        // Whole pages are kept after each part of a prompt, the last page when the prompt is done.
        const std::size_t useful = common == first.tokens.size() ? common : common / page * page;
        return std::min(useful, each.tokens.size() - 1) > each.cache.size();
    });
}

/// Takes the pages that so many more tokens of a sequence need: free ones, then those of earlier sequences, then those
/// of the sequences that rank last. The first in rank always gets its own.
TOKENWORKS_FUNCTION bool engine::make_room(sequence& each, std::size_t tokens, bool may_preempt) {
    while(each.cache.pages_needed(tokens) > pool_.free_pages()) {
        if(prefixes_.give_up()) {
            continue;
        }
        if(!may_preempt) {
            return false;
        }
        const bool is_last = running_.back().get() == &each;
        preempt(running_.size() - 1);
        if(is_last) {
            return false;
        }
    }
    each.cache.make_room(tokens);
    return true;
}

TOKENWORKS_FUNCTION void engine::preempt(std::size_t place) {
    std::unique_ptr<sequence> victim = std::move(running_[place]);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(place));
    victim->computed = std::max(victim->computed, victim->cache.size());
    keep(*victim); // so that little of it is lost, if others leave soon
    victim->cache.truncate(0);
    victim->seen_version = std::numeric_limits<std::uint64_t>::max();
    ++victim->record->cost.preemptions;
    ++now_.preemptions;
    waiting_.push_back(std::move(victim));
}

TOKENWORKS_FUNCTION void engine::admit(std::size_t& prompt_budget) {
    while(!waiting_.empty() && running_.size() < options_.max_sequences && prompt_budget != 0) {
        const std::size_t place = next_in_line();
        if(!running_.empty() && !has_pages_for(*waiting_[place])) {
            return;
        }
        std::unique_ptr<sequence> next = std::move(waiting_[place]);
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(place));
        sequence& each = *next;
        if(!each.was_admitted) {
            each.was_admitted = true;
            each.record->cost.queue_seconds =
                std::max(each.record->cost.queue_seconds,
                         std::chrono::duration<double>(clock::now() - each.record->submitted).count());
            each.record->cost.prompt_tokens = each.prompt();
            now_.prompt_tokens += each.prompt();
        }
        const auto rank = std::ranges::find_if(running_, [&](const auto& other) { return each.comes_before(*other); });
        running_.insert(rank, std::move(next));
        plan_sequence(each, prompt_budget, false);
    }
}

/// Whether all that a waiting sequence has, and all that those that run have yet to compute of theirs, finds room.
TOKENWORKS_FUNCTION bool engine::has_pages_for(const sequence& each) const {
    constexpr std::size_t page = nn::page_pool::page_tokens;
    const std::span<const token_id> tokens{each.tokens};
    const std::size_t found = each.shares_prefixes() ? prefixes_.find(each.key, tokens.first(tokens.size() - 1)) : 0;
    std::size_t needed = (tokens.size() + page) / page - found / page;
    for(const std::unique_ptr<sequence>& other: running_) {
        needed += other->cache.pages_needed(other->remaining());
    }
    // Pages that are found are idle ones too, which it will use.
    return needed + found / page <= pool_.free_pages() + prefixes_.idle_pages();
}

/// Of those of the highest priority, the client's that had least; of one client, what came first.
TOKENWORKS_FUNCTION std::size_t engine::next_in_line() const {
    const auto next = std::ranges::min_element(waiting_, [](const auto& a, const auto& b) {
        if(a->what().priority != b->what().priority) {
            return a->what().priority > b->what().priority;
        }
        if(a->account != b->account && a->account->tokens != b->account->tokens) {
            return a->account->tokens < b->account->tokens;
        }
        return a->order < b->order;
    });
    return static_cast<std::size_t>(next - waiting_.begin());
}

TOKENWORKS_FUNCTION void engine::run_model() {
    using wanted = models::decoder_input::logits;
    inputs_.clear();
    std::size_t rows = 0;
    lets_model_choose_ = true;
    for(share& each: shares_) {
        sequence& of = *each.of;
        const bool is_whole = each.count == of.remaining();
        const bool is_scored = of.what().prompt_logprobs && each.is_prompt;
        each.first_row = rows;
        each.rows = is_scored ? each.count : is_whole ? 1U : 0U;
        rows += each.rows;
        if(each.rows != 0 && !of.lets_model_choose()) {
            lets_model_choose_ = false;
        }
        inputs_.push_back({.cache = &of.cache,
                           .tokens = std::span{of.tokens}.subspan(of.cache.size(), each.count),
                           .want = is_scored  ? wanted::all
                                   : is_whole ? wanted::last
                                              : wanted::none,
                           .adapters = of.what().adapters});
    }
    try {
        if(lets_model_choose_ && rows != 0) {
            ids_.resize(rows);
            try {
                network_->forward_greedy(context_, inputs_, ids_);
                return;
            } catch(const argument_error&) { // logits that are not finite: the logits tell whose
                lets_model_choose_ = false;
            }
        }
        const std::size_t vocab = network_->vocab_size();
        logits_.resize(std::max(logits_.size(), rows * vocab));
        network_->forward(context_, inputs_, nn::rows{logits_.data(), rows, rows == 0 ? 0 : vocab});
    } catch(...) {
        for(const share& each: shares_) {
            each.of->problem = std::current_exception();
        }
    }
}

TOKENWORKS_FUNCTION void engine::choose_tokens() {
    if(lets_model_choose_) {
        for(const share& each: shares_) {
            if(each.rows != 0 && !each.of->problem) {
                each.of->chosen = ids_[each.first_row];
            }
        }
        return;
    }
    parallel_for(context_.how, shares_.size(), 1, [&](work_range range) {
        for(std::size_t i = range.begin; i < range.end; ++i) {
            choose(shares_[i], range.worker);
        }
    });
}

TOKENWORKS_FUNCTION void engine::choose(const share& each, unsigned worker) noexcept {
    sequence& of = *each.of;
    if(each.rows == 0 || of.problem) {
        return;
    }
    try {
        const std::size_t vocab = network_->vocab_size();
        read_prompt_logprobs(each);
        if(of.remaining() != 0 || of.what().options.max_tokens == 0) { // more of the prompt is to come, or nothing
            return;
        }
        const std::span<float> logits{logits_.data() + (each.first_row + each.rows - 1) * vocab, vocab};
        const std::optional<std::size_t> likeliest = of.what().logprobs;
        std::vector<float> own;
        double total = 0;
        if(likeliest) {
            total = detail::log_sum_exp(logits);
            detail::find_likeliest(logits, total, std::min(*likeliest, vocab), of.top);
            if(of.constraint) { // which changes them
                own.assign(logits.begin(), logits.end());
            }
        }
        if(of.constraint) {
            of.constraint->restrict(logits);
        }
        of.chosen = of.chain(logits, {of.tokens, of.tokens.size()}, work_[worker]);
        if(of.constraint) {
            of.constraint->accept(of.chosen);
        }
        if(likeliest) {
            const float logit =
                own.empty() ? logits[static_cast<std::size_t>(of.chosen)] : own[static_cast<std::size_t>(of.chosen)];
            of.logprob = static_cast<float>(static_cast<double>(logit) - total);
        }
    } catch(...) {
        of.problem = std::current_exception();
    }
}

/// Of tokens of a prompt, from the logits after the tokens before them.
TOKENWORKS_FUNCTION void engine::read_prompt_logprobs(const share& each) {
    sequence& of = *each.of;
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
        of.record->prompt_logprobs.push_back(
            static_cast<float>(static_cast<double>(logits[next]) - detail::log_sum_exp(logits)));
    }
}

TOKENWORKS_FUNCTION void engine::count_tokens(const share& each) {
    sequence& of = *each.of;
    of.account->tokens += static_cast<double>(each.count);
    const std::size_t first = of.cache.size() - std::min(of.cache.size(), each.count);
    if(first < of.computed) {
        now_.recomputed_tokens += std::min(each.count, of.computed - first);
    }
}

TOKENWORKS_FUNCTION void engine::deliver(const share& each) {
    sequence& of = *each.of;
    if(of.problem) {
        end_without_token(of, finish_reason::cancelled, std::exchange(of.problem, nullptr));
        return;
    }
    if(each.is_prompt && of.shares_prefixes() && options_.keep_prefixes) {
        constexpr std::size_t page = prefix_cache::page_tokens;
        const std::size_t done = of.remaining() == 0 ? of.cache.size() : of.cache.size() / page * page;
        prefixes_.keep(of.key, std::span{of.tokens}.first(done), of.cache);
    }
    if(of.remaining() != 0) {
        return;
    }
    if(of.what().options.max_tokens == 0) {
        end_without_token(of, finish_reason::length);
        return;
    }
    of.tokens.push_back(of.chosen);
    ++now_.generated_tokens;
    usage& cost = of.record->cost;
    ++cost.generated_tokens;
    token_event event{.sample = of.sample, .id = of.chosen, .logprob = of.logprob, .at = clock::now()};
    if(of.what().logprobs) {
        event.top = of.top;
    }
    if(cost.first_token_seconds == 0) {
        cost.first_token_seconds = std::chrono::duration<double>(event.at - of.record->submitted).count();
    }
    const request& what = of.what();
    const bool is_end = tokens_ != nullptr && !what.options.ignore_eos && tokens_->is_end(of.chosen);
    const bool is_stop = std::ranges::find(what.options.stop_tokens, of.chosen) != what.options.stop_tokens.end();
    if(is_end || is_stop) {
        event.reason = finish_reason::stop;
    } else if(tokens_ != nullptr) {
        event.text = of.text.push([&](std::string& text) { tokens_->append_piece(of.chosen, text); });
    }
    if(event.reason == finish_reason::none) {
        event.reason = reason_after(of);
    }
    if(event.reason != finish_reason::none) {
        event.text += of.text.finish();
        show(of, std::move(event));
        end(of);
        return;
    }
    show(of, std::move(event));
}

/// Why a sequence ends with its last token, which is none that ends a text.
TOKENWORKS_FUNCTION finish_reason engine::reason_after(sequence& each) const {
    if(each.text.stopped() || (each.constraint && each.constraint->done())) {
        return finish_reason::stop;
    }
    if(each.generated() >= each.what().options.max_tokens) {
        return finish_reason::length;
    }
    return each.tokens.size() > options_.context ? finish_reason::context_full : finish_reason::none;
}

TOKENWORKS_FUNCTION void engine::show(sequence& each, token_event&& event) {
    if(each.what().on_event) {
        try {
            each.what().on_event(event);
        } catch(...) {
            each.problem = std::current_exception();
        }
    }
    each.record->add(std::move(event));
}

/// Nothing more comes of a sequence, whose last event said so.
TOKENWORKS_FUNCTION void engine::end(sequence& each, std::exception_ptr problem) {
    if(each.has_ended) {
        return;
    }
    each.has_ended = true;
    if(!problem) {
        problem = std::exchange(each.problem, nullptr);
    }
    if(!problem) {
        keep(each);
    }
    if(--each.account->samples == 0) {
        clients_.erase(each.what().client);
    }
    ++ended_samples_;
    detail::job_record& record = *each.record;
    if(problem) { // of one sample, and so of all
        record.cancelled.store(true, std::memory_order_relaxed);
        record.problem = problem;
    }
    if(--record.left == 0) {
        record.cost.total_seconds = std::chrono::duration<double>(clock::now() - record.submitted).count();
        ++now_.finished;
        record.end();
    }
}

TOKENWORKS_FUNCTION void engine::end_without_token(sequence& each, finish_reason reason, std::exception_ptr problem) {
    if(each.has_ended) {
        return;
    }
    token_event last{.sample = each.sample, .at = clock::now(), .reason = reason};
    last.text = each.text.finish();
    show(each, std::move(last));
    end(each, std::move(problem));
}

/// Leaves what was computed of a sequence to others.
TOKENWORKS_FUNCTION void engine::keep(sequence& each) {
    if(options_.keep_prefixes && each.shares_prefixes()) {
        prefixes_.keep(each.key, std::span{each.tokens}.first(each.cache.size()), each.cache);
    }
}

TOKENWORKS_FUNCTION void engine::remove_ended() {
    const auto has_ended = [](const std::unique_ptr<sequence>& each) { return each->has_ended; };
    if(ended_samples_ == 0) {
        return;
    }
    std::erase_if(running_, has_ended);
    std::erase_if(waiting_, has_ended);
    {
        const std::scoped_lock lock{mutex_};
        in_flight_ -= std::exchange(ended_samples_, 0);
    }
    ended_.notify_all();
}

/// Shares out what the step took, by tokens.
TOKENWORKS_FUNCTION void engine::bill(std::optional<double> before) {
    const std::optional<double> after = before ? options_.joules() : std::nullopt;
    if(!after) {
        return;
    }
    std::size_t tokens = 0;
    for(const share& each: shares_) {
        tokens += each.count;
    }
    for(const share& each: shares_) {
        const double part = (*after - *before) * static_cast<double>(each.count) / static_cast<double>(tokens);
        usage& cost = each.of->record->cost;
        for(std::optional<double>* const sum: {each.is_prompt ? &cost.prefill_joules : &cost.decode_joules,
                                               each.is_prompt ? &now_.prefill_joules : &now_.decode_joules}) {
            *sum = sum->value_or(0) + part;
        }
    }
}

TOKENWORKS_FUNCTION void engine::publish() {
    now_.running = running_.size();
    now_.cache_tokens = pool_.pages() * nn::page_pool::page_tokens;
    const std::size_t idle = prefixes_.idle_pages();
    now_.cache_tokens_kept = idle * nn::page_pool::page_tokens;
    now_.cache_tokens_used = (pool_.pages() - pool_.free_pages() - idle) * nn::page_pool::page_tokens;
    const std::scoped_lock lock{mutex_};
    shown_ = now_;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
