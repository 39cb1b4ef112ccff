// Many requests, one model, one batch loop: each gets exactly what it would have got alone.
//
//   runtime::engine engine{model, {.max_sequences = 16}};
//   runtime::engine_thread works{engine};                     // or call engine.step() yourself
//   runtime::job answer = engine.submit({.prompt = ids, .options = {.max_tokens = 64}});
//   for(const runtime::token_event& event: answer) std::cout << event.text << std::flush;
//
// Requests join and leave at every step. A step runs the next token of every sequence that is being continued, and as
// much of the prompts of others as fits beside them. Keys and values lie in pages that sequences share; where pages run
// out, the sequence that came last waits, and is computed again later. No bit of a result depends on any of this: the
// model gives a sequence the same logits whoever is in the step (models/decoder.hpp), and random numbers depend on the
// seed and the position alone.
//
// The loop has no thread of its own and the engine no globals: engines stand side by side, and a game runs a step a
// frame. Yu et al., "Orca", 2022; Agrawal et al., "Sarathi-Serve", 2024 (prompts in chunks beside decoding).
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/nn/page_pool.hpp>
#include <tokenworks/runtime/engine_model.hpp>
#include <tokenworks/runtime/engine_options.hpp>
#include <tokenworks/runtime/engine_schedule.hpp>
#include <tokenworks/runtime/engine_sequence.hpp>
#include <tokenworks/runtime/job.hpp>
#include <tokenworks/runtime/line_estimate.hpp>
#include <tokenworks/runtime/request.hpp>
#include <tokenworks/runtime/text_model.hpp>

#if TOKENWORKS_DEFINITIONS
#include <iterator>
#include <tokenworks/core/error.hpp>
#include <tokenworks/runtime/engine_checks.hpp>
#include <tokenworks/runtime/saved_prefixes.hpp>
#include <tokenworks/runtime/timings.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

class engine {
public:
    /// Refers to the model, which must outlive it; runs on the model's team.
    /// @throws argument_error, unsupported_error for options that do not fit the model; std::bad_alloc
    explicit engine(const text_model& model, engine_options options = {});
    /// Of a decoder alone: requests of any kind of output, whose constraint says what is well-formed.
    /// @param tokens  makes text of ids and knows which end one; may be null
    engine(const models::decoder& network, const codec::tokenizer* tokens, const execution& how,
           engine_options options);
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;
    /// Cancels what has not ended.
    ~engine();

    /// Checks a request and puts it into the line. Any thread.
    /// @throws argument_error for what generate() refuses, no samples, or guidance without a prompt of its own;
    /// capacity_error for a prompt that fits neither
    ///         the context nor the cache; overload_error where the line is full, or the engine is closed
    [[nodiscard]] job submit(request what);
    /// The same for several that belong together: all get into the line, or none. Those before them in the line alone
    /// tell how long they wait, not they each other.
    [[nodiscard]] std::vector<job> submit_all(std::vector<request> all);
    /// The same for those who want all of it: a future that gives the completion, or throws what job::wait throws.
    [[nodiscard]] std::future<completion> ask(request what);

    /// One step of the batch loop, on the calling thread and the team; one thread at a time. False where there was
    /// nothing to do. After the first steps, one that continues sequences and begins or ends none allocates nothing.
    bool step();
    /// Steps until told to stop; sleeps while there is nothing to do.
    void run(const std::stop_token& stop);

    /// Refuses all that comes from now on. Any thread.
    void close();
    /// Waits until all has ended; whatever has not by then is cancelled. False where something was. Any thread but the
    /// one that steps.
    bool drain(std::chrono::milliseconds most);

    [[nodiscard]] engine_counts counts() const;
    [[nodiscard]] const engine_options& options() const noexcept { return options_; }
    /// Tokens of one sequence.
    [[nodiscard]] std::size_t context() const noexcept { return options_.context; }

    /// Writes what is kept of earlier sequences to a file (see saved_prefixes.hpp). Any thread.
    /// @throws io_error; the file of that name is then as it was
    void save_prefixes(const std::string& path);
    /// Takes in such a file. Any thread.
    /// @return tokens   @throws io_error, format_error for a file that is damaged, or of another model or cache type:
    ///         then nothing has changed
    std::size_t load_prefixes(const std::string& path);

private:
    using sequence = detail::engine_sequence;
    using clock = std::chrono::steady_clock;
    using share = detail::step_share;

    void claim(std::size_t samples);
    [[nodiscard]] std::shared_ptr<detail::job_record> put_in_line(request&& what,
                                                                  std::future<completion>* promised = nullptr);

    void take_incoming();
    void drop_ended();
    void deliver(const share& each);
    void count_tokens(const share& each);
    [[nodiscard]] finish_reason reason_after(sequence& each) const;
    void show(sequence& each, token_event&& event);
    void end(sequence& each, std::exception_ptr problem = {});
    void end_without_token(sequence& each, finish_reason reason, std::exception_ptr problem = {});
    void remove_ended();
    void bill(std::optional<double> before);
    void publish();

    static constexpr std::size_t most_reserved = 1024; // tokens of an answer that memory is kept for beforehand

    engine_options options_;
    const codec::tokenizer* tokens_;
    detail::engine_schedule schedule_;
    detail::engine_model model_;

    // Of the thread that steps.
    std::size_t ended_samples_ = 0;
    std::vector<double> held_{}; // seconds for which samples that ended in this step had places
    std::size_t places_ = 0;     // that there are while others wait

    std::mutex stepping_;      // held by a step
    mutable std::mutex mutex_; // of what follows
    std::condition_variable_any came_;
    std::condition_variable ended_;
    std::vector<std::unique_ptr<sequence>> incoming_{};
    std::size_t in_flight_ = 0; // samples
    line_estimate line_;
    bool closed_ = false;
    bool cancel_all_ = false;
    std::uint64_t refused_ = 0;
    engine_counts shown_{};
};

/// Runs an engine on a thread of its own, as long as it lives.
class engine_thread {
public:
    explicit engine_thread(engine& of) : thread_{[&of](const std::stop_token& stop) { of.run(stop); }} {}

private:
    std::jthread thread_;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION engine::engine(const models::decoder& network, const codec::tokenizer* tokens, const execution& how,
                                   engine_options options)
    : options_{detail::completed(std::move(options), network.config())},
      tokens_{tokens},
      schedule_{options_, detail::page_shape(network.config(), options_.cache_type)},
      model_{network, how, options_.max_sequences},
      places_{options_.max_sequences},
      line_{options_.max_sequences, options_.max_wait} {
    held_.reserve(options_.max_sequences + options_.max_waiting);
    // A cache of this type and shape: throws what does not fit.
    static_cast<void>(nn::kv_cache{schedule_.pool, 0});
    publish();
}

TOKENWORKS_FUNCTION engine::engine(const text_model& model, engine_options options)
    : engine{model.network(), model.has_tokenizer() ? &model.tokenizer() : nullptr, model.how(), std::move(options)} {}

TOKENWORKS_FUNCTION engine::~engine() {
    take_incoming();
    for(auto* const line: {&schedule_.running, &schedule_.waiting}) {
        for(const auto& each: *line) {
            end_without_token(*each, finish_reason::cancelled);
        }
    }
}

/// Takes places in the line for so many samples.
TOKENWORKS_FUNCTION void engine::claim(std::size_t samples) {
    const std::scoped_lock lock{mutex_};
    const bool is_full = samples > options_.max_waiting + options_.max_sequences - in_flight_;
    if(closed_ || is_full || !line_.takes_one_behind(in_flight_)) {
        ++refused_;
        tokenworks::detail::raise<overload_error>({"engine: ",
                                                   closed_   ? "it is closed"
                                                   : is_full ? "the line is full"
                                                             : "those in the line take too long",
                                                   ", ", in_flight_, " samples are in it"});
    }
    in_flight_ += samples;
}

/// @pre its samples have been claimed; they are given back where it cannot be
TOKENWORKS_FUNCTION std::shared_ptr<detail::job_record> engine::put_in_line(request&& what,
                                                                            std::future<completion>* promised) {
    const std::size_t samples = what.samples;
    std::vector<std::unique_ptr<sequence>> made;
    std::shared_ptr<detail::job_record> record;
    try {
        const std::size_t tokens =
            std::min({what.options.max_tokens, options_.context - what.prompt.size() + 1, most_reserved});
        record = std::make_shared<detail::job_record>(std::move(what), samples * (tokens + 1));
        record->reserve(tokens);
        record->left = samples;
        record->submitted = clock::now();
        if(promised != nullptr) {
            *promised = record->promise.emplace().get_future();
        }
        for(std::size_t i = 0; i < samples; ++i) {
            made.push_back(std::make_unique<sequence>(record, i, schedule_.pool, options_.context));
        }
        const std::scoped_lock lock{mutex_};
        if(closed_) { // meanwhile
            ++refused_;
            tokenworks::detail::raise<overload_error>({"engine: it is closed, ", in_flight_, " samples are in it"});
        }
        incoming_.reserve(incoming_.size() + samples);
        std::ranges::move(made, std::back_inserter(incoming_));
    } catch(...) {
        const std::scoped_lock lock{mutex_};
        in_flight_ -= samples;
        throw;
    }
    came_.notify_all();
    return record;
}

TOKENWORKS_FUNCTION job engine::submit(request what) {
    detail::check_request(what, options_, model_.network().vocab_size());
    claim(what.samples);
    return job{put_in_line(std::move(what))};
}

TOKENWORKS_FUNCTION std::vector<job> engine::submit_all(std::vector<request> all) {
    std::size_t samples = 0;
    for(const request& each: all) {
        detail::check_request(each, options_, model_.network().vocab_size());
        samples += each.samples;
    }
    std::vector<job> jobs;
    jobs.reserve(all.size());
    claim(samples);
    for(request& each: all) {
        samples -= each.samples;
        try {
            jobs.emplace_back(put_in_line(std::move(each)));
        } catch(...) {
            const std::scoped_lock lock{mutex_};
            in_flight_ -= samples;
            throw;
        }
    }
    return jobs;
}

TOKENWORKS_FUNCTION std::future<completion> engine::ask(request what) {
    detail::check_request(what, options_, model_.network().vocab_size());
    claim(what.samples);
    std::future<completion> answer;
    static_cast<void>(put_in_line(std::move(what), &answer));
    return answer;
}

TOKENWORKS_FUNCTION void engine::run(const std::stop_token& stop) {
    while(!stop.stop_requested()) {
        if(!step()) {
            std::unique_lock lock{mutex_};
            came_.wait(lock, stop, [&] { return !incoming_.empty(); });
        }
    }
}

TOKENWORKS_FUNCTION void engine::close() {
    const std::scoped_lock lock{mutex_};
    closed_ = true;
}

TOKENWORKS_FUNCTION bool engine::drain(std::chrono::milliseconds most) {
    std::unique_lock lock{mutex_};
    const auto is_empty = [&] { return in_flight_ == 0; };
    if(ended_.wait_for(lock, most, is_empty)) {
        return true;
    }
    cancel_all_ = true;
    ended_.wait(lock, is_empty);
    cancel_all_ = false;
    return false;
}

TOKENWORKS_FUNCTION void engine::save_prefixes(const std::string& path) {
    const std::scoped_lock lock{stepping_};
    runtime::save_prefixes(path, prefix_identity(model_.network(), model_.context, schedule_.pool),
                           sequence::key_of({}), schedule_.prefixes, schedule_.pool);
}

TOKENWORKS_FUNCTION std::size_t engine::load_prefixes(const std::string& path) {
    const std::scoped_lock lock{stepping_};
    return runtime::load_prefixes(path, prefix_identity(model_.network(), model_.context, schedule_.pool),
                                  sequence::key_of({}), schedule_.prefixes, schedule_.pool);
}

TOKENWORKS_FUNCTION engine_counts engine::counts() const {
    const std::scoped_lock lock{mutex_};
    engine_counts all = shown_;
    all.refused = refused_;
    all.waiting = in_flight_ - std::min(in_flight_, all.running);
    return all;
}

TOKENWORKS_FUNCTION bool engine::step() {
    const std::scoped_lock lock{stepping_};
    const auto start = clock::now();
    take_incoming();
    drop_ended();
    remove_ended();
    schedule_.plan();
    places_ = schedule_.lacks_pages ? schedule_.running.size() : options_.max_sequences;
    if(schedule_.shares.empty()) {
        publish();
        return !schedule_.running.empty() || !schedule_.waiting.empty();
    }
    const std::optional<double> joules = options_.joules ? options_.joules() : std::nullopt;
    {
        const stopwatch in_model{schedule_.counts.model_seconds};
        model_.run(schedule_.shares);
    }
    {
        const stopwatch choosing{schedule_.counts.sampling_seconds};
        model_.choose(schedule_.shares);
    }
    for(const share& each: schedule_.shares) {
        count_tokens(each);
    }
    bill(joules);
    for(const share& each: schedule_.shares) {
        deliver(each);
    }
    remove_ended();
    ++schedule_.counts.steps;
    schedule_.counts.busy_seconds += std::chrono::duration<double>(clock::now() - start).count();
    publish();
    return true;
}

TOKENWORKS_FUNCTION void engine::take_incoming() {
    const std::scoped_lock lock{mutex_};
    for(std::unique_ptr<sequence>& each: incoming_) {
        schedule_.add(std::move(each));
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
    for(auto* const line: {&schedule_.running, &schedule_.waiting}) {
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

TOKENWORKS_FUNCTION void engine::count_tokens(const share& each) {
    sequence& of = *each.of;
    of.account->tokens += static_cast<double>(each.tokens());
    const auto count_again = [&](const detail::engine_row& row, std::size_t count) {
        const std::size_t first = row.cache.size() - std::min(row.cache.size(), count);
        if(first < row.computed) {
            schedule_.counts.recomputed_tokens += std::min(count, row.computed - first);
        }
    };
    count_again(of, each.count);
    if(of.without) {
        count_again(*of.without, each.without);
    }
}

TOKENWORKS_FUNCTION void engine::deliver(const share& each) {
    sequence& of = *each.of;
    if(of.problem) {
        end_without_token(of, finish_reason::cancelled, std::exchange(of.problem, nullptr));
        return;
    }
    if(each.is_prompt) { // whole pages of it as they come, the last page when it is done
        schedule_.keep(of, of.remaining() != 0);
    }
    if(of.remaining() != 0) {
        return;
    }
    if(of.what().options.max_tokens == 0) {
        end_without_token(of, finish_reason::length);
        return;
    }
    of.for_each_row([&](detail::engine_row& row) { row.tokens.push_back(of.chosen); });
    ++schedule_.counts.generated_tokens;
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
    const bool is_last = event.reason != finish_reason::none;
    if(is_last) {
        event.text += of.text.finish();
    }
    show(of, std::move(event));
    if(is_last) {
        end(of);
    }
}

/// Why a sequence ends with its last token, which is none that ends a text.
TOKENWORKS_FUNCTION finish_reason engine::reason_after(sequence& each) const {
    if(each.text.stopped() || (each.constraint && each.constraint->done())) {
        return finish_reason::stop;
    }
    if(each.generated() >= each.what().options.max_tokens) {
        return finish_reason::length;
    }
    return each.longest() > options_.context ? finish_reason::context_full : finish_reason::none;
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
        schedule_.keep(each);
    }
    schedule_.forget(each);
    ++ended_samples_;
    if(each.admitted) {
        held_.push_back(std::chrono::duration<double>(clock::now() - *each.admitted).count());
    }
    detail::job_record& record = *each.record;
    if(problem) { // of one sample, and so of all
        record.cancelled.store(true, std::memory_order_relaxed);
        record.problem = problem;
    }
    if(--record.left == 0) {
        record.cost.total_seconds = std::chrono::duration<double>(clock::now() - record.submitted).count();
        ++schedule_.counts.finished;
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

TOKENWORKS_FUNCTION void engine::remove_ended() {
    const auto has_ended = [](const std::unique_ptr<sequence>& each) { return each->has_ended; };
    if(ended_samples_ == 0) {
        return;
    }
    std::erase_if(schedule_.running, has_ended);
    std::erase_if(schedule_.waiting, has_ended);
    {
        const std::scoped_lock lock{mutex_};
        in_flight_ -= std::exchange(ended_samples_, 0);
        for(const double each: held_) {
            line_.ended(each);
        }
        held_.clear();
    }
    ended_.notify_all();
}

/// Shares out what the step took, by tokens.
TOKENWORKS_FUNCTION void engine::bill(std::optional<double> before) {
    const std::optional<double> after = options_.joules ? options_.joules() : std::nullopt;
    if(!before || !after) {
        return;
    }
    std::size_t tokens = 0;
    for(const share& each: schedule_.shares) {
        tokens += each.tokens();
    }
    for(const share& each: schedule_.shares) {
        const double part = (*after - *before) * static_cast<double>(each.tokens()) / static_cast<double>(tokens);
        usage& cost = each.of->record->cost;
        for(std::optional<double>* const sum:
            {each.is_prompt ? &cost.prefill_joules : &cost.decode_joules,
             each.is_prompt ? &schedule_.counts.prefill_joules : &schedule_.counts.decode_joules}) {
            *sum = sum->value_or(0) + part;
        }
    }
}

TOKENWORKS_FUNCTION void engine::publish() {
    schedule_.counts.running = schedule_.running.size();
    schedule_.counts.cache_tokens = schedule_.pool.pages() * nn::page_pool::page_tokens;
    schedule_.counts.cache_tokens_kept = schedule_.prefixes.idle_tokens();
    schedule_.counts.cache_tokens_used = schedule_.pool.used_tokens() - schedule_.counts.cache_tokens_kept;
    const std::scoped_lock lock{mutex_};
    shown_ = schedule_.counts;
    line_.set_places(places_);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
