// A request on its way through an engine, as the one who asked sees it.
//
//   runtime::job answer = engine.submit({.prompt = ids, .options = {.max_tokens = 64}});
//   for(const runtime::token_event& event: answer) std::cout << event.text << std::flush;
//   const runtime::completion& all = answer.wait();
//
// The engine writes, the job's owner reads whenever it likes: a slow reader holds nothing up. What is kept for it is
// bounded by max_tokens, as the answer is.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/request.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

namespace detail {

/// What the engine writes and the owner reads.
class job_record {
public:
    job_record(request&& asked, std::size_t most_events) : what{std::move(asked)} {
        events_.reserve(most_events);
        result_.samples.resize(what.samples);
    }

    const request what;
    std::atomic<bool> cancelled = false;
    std::optional<std::promise<completion>> promise{}; ///< of engine::ask

    // Of the engine's thread alone.
    usage cost{};
    std::vector<prompt_logprob> prompt_logprobs{};
    std::size_t left = 0;         ///< samples that have not ended
    std::exception_ptr problem{}; ///< what ended one of them
    std::chrono::steady_clock::time_point submitted{};

    /// An event, for whoever reads.
    void add(token_event&& event) {
        {
            const std::scoped_lock lock{mutex_};
            if(event.sample == 0 && result_.prompt_logprobs.empty()) { // read by now, and maybe read again later
                result_.prompt_logprobs = prompt_logprobs;
            }
            sample_result& sample = result_.samples[event.sample];
            if(event.id) {
                sample.ids.push_back(*event.id);
            }
            sample.text += event.text;
            sample.reason = event.reason;
            events_.push_back(std::move(event));
        }
        came_.notify_all();
    }

    /// Room for so many tokens of every sample, so that adding them allocates nothing.
    void reserve(std::size_t tokens) {
        for(sample_result& each: result_.samples) {
            each.ids.reserve(tokens);
            each.text.reserve(8 * tokens);
        }
    }

    /// The end. Where there is a problem, the job's owner gets it in place of the result.
    void end() {
        {
            const std::scoped_lock lock{mutex_};
            result_.usage = cost;
            problem_ = problem;
            ended_ = true;
        }
        came_.notify_all();
        if(promise && problem_) {
            promise->set_exception(problem_);
        } else if(promise) {
            promise->set_value(result_);
        }
    }

    /// @param until  waits so long, or for ever
    [[nodiscard]] std::optional<token_event>
    next(std::optional<std::chrono::steady_clock::time_point> until = std::nullopt) {
        std::unique_lock lock{mutex_};
        const auto ready = [&] { return read_ < events_.size() || ended_; };
        if(!until) {
            came_.wait(lock, ready);
        } else if(!came_.wait_until(lock, *until, ready)) {
            return std::nullopt;
        }
        if(read_ < events_.size()) {
            return std::move(events_[read_++]);
        }
        if(problem_) {
            std::rethrow_exception(problem_);
        }
        return std::nullopt;
    }

    [[nodiscard]] bool all_read() const {
        const std::scoped_lock lock{mutex_};
        return ended_ && read_ == events_.size() && !problem_;
    }

    [[nodiscard]] std::vector<prompt_logprob> prompt() const {
        const std::scoped_lock lock{mutex_};
        return result_.prompt_logprobs;
    }

    [[nodiscard]] const completion& wait() {
        std::unique_lock lock{mutex_};
        came_.wait(lock, [&] { return ended_; });
        if(problem_) {
            std::rethrow_exception(problem_);
        }
        return result_;
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable came_;
    std::vector<token_event> events_; // those before read_ are moved from
    std::size_t read_ = 0;
    completion result_{};
    std::exception_ptr problem_{};
    bool ended_ = false;
};

} // namespace detail

/// A handle. The last one to go cancels the job, unless it was detached. A moved-from or default one is empty, and may
/// only be assigned to. One thread at a time reads; cancel() may be called from any.
class job {
public:
    job() = default;
    explicit job(std::shared_ptr<detail::job_record> record) noexcept : record_{std::move(record)} {}
    job(job&&) noexcept = default;
    job& operator=(job&& other) noexcept {
        cancel();
        record_ = std::exchange(other.record_, nullptr);
        return *this;
    }
    ~job() { cancel(); }

    /// Ends it within a step, wherever it is, and frees what it holds. No effect where it has ended.
    void cancel() noexcept {
        if(record_) {
            record_->cancelled.store(true, std::memory_order_relaxed);
        }
    }
    /// Lets it go on without anyone who reads: its callback still hears of it.
    void detach() noexcept { record_.reset(); }

    /// The next event; waits for it. Nothing once all samples have ended.
    /// @throws what ended the job, where that was an error of this request: argument_error for logits that are not
    ///         finite, or a constraint that lets nothing follow
    [[nodiscard]] std::optional<token_event> next() { return record_->next(); }
    /// The next event if it is there.
    [[nodiscard]] std::optional<token_event> poll() { return next_for(std::chrono::milliseconds{0}); }
    /// Waits at most so long. Nothing where none came: finished() tells whether one may come.
    [[nodiscard]] std::optional<token_event> next_for(std::chrono::milliseconds most) {
        return record_->next(std::chrono::steady_clock::now() + most);
    }
    /// Whether all events have been read, and no more will come.
    [[nodiscard]] bool finished() const { return record_->all_read(); }

    /// Waits for the end. Events need not have been read.
    /// @throws as next()
    [[nodiscard]] const completion& wait() { return record_->wait(); }

    /// What was asked of the prompt's tokens, [prompt - 1]: there once an event of sample 0 has been read, empty
    /// before. Fewer where that event ended the sample before its prompt was read.
    [[nodiscard]] std::vector<prompt_logprob> prompt_logprobs() const { return record_->prompt(); }

    /// The events as an input range.
    class iterator {
    public:
        using value_type = token_event;
        using difference_type = std::ptrdiff_t;
        [[nodiscard]] const token_event& operator*() const noexcept { return *event_; }
        iterator& operator++() {
            event_ = of_->next();
            return *this;
        }
        void operator++(int) { ++*this; }
        [[nodiscard]] friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept {
            return !at.event_;
        }

    private:
        friend class job;
        explicit iterator(job& of) : of_{&of}, event_{of.next()} {}
        job* of_;
        std::optional<token_event> event_;
    };
    [[nodiscard]] iterator begin() { return iterator{*this}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    std::shared_ptr<detail::job_record> record_{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
