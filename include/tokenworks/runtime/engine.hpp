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
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <map>
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
#include <tokenworks/core/dtype.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/page_pool.hpp>
#include <tokenworks/runtime/engine_sequence.hpp>
#include <tokenworks/runtime/job.hpp>
#include <tokenworks/runtime/prefix_cache.hpp>
#include <tokenworks/runtime/request.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/sampling/candidates.hpp>

#if TOKENWORKS_DEFINITIONS
#include <iterator>
#include <tokenworks/core/checked.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/token_ids.hpp>
#include <tokenworks/runtime/machine_memory.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

struct engine_options {
    std::size_t max_sequences = 16; ///< that run at a time
    std::size_t max_waiting = 64;   ///< samples that wait beyond these; a request that would be one more is refused
    std::size_t context = 0;        ///< tokens of one sequence; 0: the model's context
    /// Tokens that the cache has room for, those of sequences that run and what is kept of earlier ones, in pages
    /// of 64. 0: max_sequences contexts, or what a quarter of the free memory holds.
    std::size_t cache_tokens = 0;
    dtype cache_type = dtype::f16;       ///< one of kv_cache::types
    bool keep_prefixes = true;           ///< what was computed of a sequence is kept for others that begin alike
    std::size_t step_tokens = 512;       ///< of prompts in a step, at most
    std::size_t step_tokens_beside = 64; ///< the same where other sequences are continued in the step
    /// Joules so far, or nothing: an energy_meter's joules(). Called by the engine's thread, before and after each
    /// step.
    std::function<std::optional<double>()> joules{};
};

/// Numbers of an engine since it was made, and as it stands.
struct engine_counts {
    std::size_t running = 0;                ///< sequences
    std::size_t waiting = 0;                ///< samples
    std::size_t cache_tokens = 0;           ///< that the cache has room for
    std::size_t cache_tokens_used = 0;      ///< pages of sequences that run
    std::size_t cache_tokens_kept = 0;      ///< pages of earlier ones, given up when there is no other room
    std::uint64_t steps = 0;                ///
    std::uint64_t prompt_tokens = 0;        ///< of requests that were admitted
    std::uint64_t cached_tokens = 0;        ///< of these, found in the cache
    std::uint64_t recomputed_tokens = 0;    ///< run through the model once more after a preemption
    std::uint64_t generated_tokens = 0;     ///
    std::uint64_t preemptions = 0;          ///< sequences that were put back for want of pages
    std::uint64_t finished = 0;             ///< requests that ended, however
    std::uint64_t refused = 0;              ///< with overload_error
    double busy_seconds = 0;                ///< in steps
    double model_seconds = 0;               ///< of these, in the model
    double sampling_seconds = 0;            ///< of these, choosing tokens
    std::optional<double> prefill_joules{}; ///< of prompts; nothing without a meter
    std::optional<double> decode_joules{};  ///< of answers
};

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
    /// @throws argument_error for what generate() refuses, or no samples; capacity_error for a prompt that fits neither
    ///         the context nor the cache; overload_error where the line is full, or the engine is closed
    [[nodiscard]] job submit(request what);
    /// The same for those who want all of it: a future that gives the completion, or throws what job::wait throws.
    [[nodiscard]] std::future<completion> ask(request what);

    /// One step of the batch loop, on the calling thread and the team; one thread at a time. False where there was
    /// nothing to do. After the first steps, one that continues sequences and begins or ends none allocates nothing.
    bool step();
    /// Steps until told to stop; sleeps while there is nothing to do.
    void run(std::stop_token stop);

    /// Refuses all that comes from now on. Any thread.
    void close();
    /// Waits until all has ended; whatever has not by then is cancelled. False where something was. Any thread but the
    /// one that steps.
    bool drain(std::chrono::milliseconds most);

    [[nodiscard]] engine_counts counts() const;
    [[nodiscard]] const engine_options& options() const noexcept { return options_; }
    /// Tokens of one sequence.
    [[nodiscard]] std::size_t context() const noexcept { return options_.context; }

    /// Writes what is kept of earlier sequences to a file (see saved_prefixes.hpp). Between steps.
    /// @throws io_error; the file of that name is then as it was
    void save_prefixes(const std::string& path);
    /// Takes in such a file. Between steps.
    /// @return tokens   @throws io_error, format_error for a file that is damaged, or of another model or cache type:
    /// then
    ///         nothing has changed
    std::size_t load_prefixes(const std::string& path);

private:
    using sequence = detail::engine_sequence;
    using clock = std::chrono::steady_clock;

    /// What a sequence does in a step.
    struct share {
        sequence* of = nullptr;
        std::size_t count = 0;     // tokens
        std::size_t first_row = 0; // of logits
        std::size_t rows = 0;
        bool is_prompt = false;
    };

    [[nodiscard]] std::shared_ptr<detail::job_record> put_in_line(request&& what,
                                                                  std::future<completion>* promised = nullptr);
    [[nodiscard]] static engine_options completed(engine_options options, const models::model_config& config);
    [[nodiscard]] static nn::page_pool::shape shape_of(const models::model_config& config, dtype type);
    void check(const request& what) const;

    void take_incoming();
    void drop_ended();
    void plan();
    void plan_sequence(sequence& each, std::size_t& prompt_budget, bool may_preempt);
    [[nodiscard]] bool waits_for_another(const sequence& each) const;
    [[nodiscard]] bool make_room(sequence& each, std::size_t tokens, bool may_preempt);
    void preempt(std::size_t place);
    void admit(std::size_t& prompt_budget);
    [[nodiscard]] bool has_pages_for(const sequence& each) const;
    [[nodiscard]] std::size_t next_in_line() const;
    void run_model();
    void choose_tokens();
    void choose(const share& each, unsigned worker) noexcept;
    void read_prompt_logprobs(const share& each);
    void deliver(const share& each);
    void count_tokens(const share& each);
    [[nodiscard]] finish_reason reason_after(sequence& each) const;
    void show(sequence& each, token_event&& event);
    void end(sequence& each, std::exception_ptr problem = {});
    void end_without_token(sequence& each, finish_reason reason, std::exception_ptr problem = {});
    void keep(sequence& each);
    void remove_ended();
    void bill(std::optional<double> before);
    void publish();

    static constexpr std::size_t most_reserved = 4096; // tokens of an answer that memory is kept for beforehand

    engine_options options_;
    const models::decoder* network_;
    const codec::tokenizer* tokens_;
    nn::page_pool pool_;
    prefix_cache prefixes_;
    nn::context context_;

    // Of the thread that steps.
    std::vector<std::unique_ptr<sequence>> waiting_{}; // in order of arrival
    std::vector<std::unique_ptr<sequence>> running_{}; // in order of rank
    std::vector<share> shares_{};
    std::vector<models::decoder_input> inputs_{};
    std::vector<float> logits_{};
    std::vector<token_id> ids_{};
    std::vector<sampling::candidates> work_;                  // one a member of the team
    std::map<std::string, detail::client_account> clients_{}; // those that are here
    std::uint64_t arrivals_ = 0;
    bool lets_model_choose_ = false;
    std::size_t ended_jobs_ = 0;
    std::size_t ended_samples_ = 0;
    engine_counts now_{};

    mutable std::mutex mutex_; // of what follows
    std::condition_variable_any came_;
    std::condition_variable ended_;
    std::vector<std::unique_ptr<sequence>> incoming_{};
    std::size_t in_flight_ = 0; // samples
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

TOKENWORKS_FUNCTION engine_options engine::completed(engine_options options, const models::model_config& config) {
    const auto require = [](bool holds, const char* what) {
        if(!holds) {
            tokenworks::detail::raise<argument_error>({"engine: ", what, " must be at least 1"});
        }
    };
    require(options.max_sequences != 0, "max_sequences");
    require(options.step_tokens != 0, "step_tokens");
    require(options.step_tokens_beside != 0, "step_tokens_beside");
    if(!nn::kv_cache::holds(options.cache_type)) {
        tokenworks::detail::raise<unsupported_error>({"engine: a cache of ", info(options.cache_type).name});
    }
    if(config.memory_width != 0) {
        tokenworks::detail::raise<unsupported_error>({"engine: ", config.architecture, " attends to an encoder"});
    }
    options.context = options.context == 0 ? config.context_length : std::min(options.context, config.context_length);
    require(options.context != 0, "context");
    constexpr std::size_t page = nn::page_pool::page_tokens;
    const std::size_t whole = (options.context + page - 1) / page + 1; // pages of a context, and one for a copy
    if(options.cache_tokens == 0) {
        const std::uint64_t page_bytes = nn::page_pool{shape_of(config, options.cache_type), 0}.page_bytes();
        const std::uint64_t most =
            available_memory().value_or(std::uint64_t{4} << 30) / 4 / std::max<std::uint64_t>(1, page_bytes);
        const auto wanted = checked_mul(std::uint64_t{whole}, std::uint64_t{options.max_sequences});
        const std::uint64_t pages = std::min(wanted.value_or(most), most);
        options.cache_tokens = static_cast<std::size_t>(std::max<std::uint64_t>(pages, whole)) * page;
    }
    options.cache_tokens = (options.cache_tokens - 1) / page * page + page;
    return options;
}

TOKENWORKS_FUNCTION nn::page_pool::shape engine::shape_of(const models::model_config& config, dtype type) {
    return {.layers = config.layers.size(),
            .kv_heads = config.kv_heads,
            .key_width = config.key_width,
            .value_width = config.value_width,
            .type = type};
}

TOKENWORKS_FUNCTION engine::engine(const models::decoder& network, const codec::tokenizer* tokens, const execution& how,
                                   engine_options options)
    : options_{completed(std::move(options), network.config())},
      network_{&network},
      tokens_{tokens},
      pool_{shape_of(network.config(), options_.cache_type), options_.cache_tokens / nn::page_pool::page_tokens},
      prefixes_{pool_},
      context_{how},
      work_(how.workers()) {
    // A cache of this type and shape: throws what does not fit.
    static_cast<void>(nn::kv_cache{pool_, 0});
    running_.reserve(options_.max_sequences);
    shares_.reserve(options_.max_sequences);
    inputs_.reserve(options_.max_sequences);
    ids_.reserve(options_.max_sequences);
    waiting_.reserve(options_.max_waiting + options_.max_sequences);
    publish();
}

TOKENWORKS_FUNCTION engine::engine(const text_model& model, engine_options options)
    : engine{model.network(), model.has_tokenizer() ? &model.tokenizer() : nullptr, model.how(), std::move(options)} {}

TOKENWORKS_FUNCTION engine::~engine() {
    take_incoming();
    for(auto* const line: {&running_, &waiting_}) {
        for(const auto& each: *line) {
            end_without_token(*each, finish_reason::cancelled);
        }
    }
}

TOKENWORKS_FUNCTION void engine::check(const request& what) const {
    if(what.prompt.empty() || what.samples == 0) {
        tokenworks::detail::raise<argument_error>(
            {"engine: a request of ", what.samples, " samples of a prompt of ", what.prompt.size(), " tokens"});
    }
    models::detail::require_ids("engine", what.prompt, network_->vocab_size());
    if(what.prompt.size() > options_.context) {
        tokenworks::detail::raise<capacity_error>(
            {"engine: the prompt has ", what.prompt.size(), " tokens, the context takes ", options_.context});
    }
    // All that it may ever hold, and a page to copy into.
    constexpr std::size_t page = nn::page_pool::page_tokens;
    const std::size_t most =
        std::min(what.options.max_tokens, options_.context - what.prompt.size()) + what.prompt.size();
    if((most + page - 1) / page + 1 > pool_.pages()) {
        tokenworks::detail::raise<capacity_error>({"engine: ", what.prompt.size(), " tokens and an answer of up to ",
                                                   most - what.prompt.size(), " do not fit a cache of ",
                                                   options_.cache_tokens});
    }
    if(what.joules && !options_.joules) {
        tokenworks::detail::raise<argument_error>({"engine: a budget of joules, but there is no meter"});
    }
    if(what.options.on_full == when_full::fail || !what.options.history.empty()) {
        tokenworks::detail::raise<argument_error>({"engine: on_full and history are options of a generation alone"});
    }
}

TOKENWORKS_FUNCTION std::shared_ptr<detail::job_record> engine::put_in_line(request&& what,
                                                                            std::future<completion>* promised) {
    check(what);
    const std::size_t samples = what.samples;
    const auto refuse = [&] {
        ++refused_;
        tokenworks::detail::raise<overload_error>(
            {"engine: ", closed_ ? "it is closed" : "the line is full", ", ", in_flight_, " samples are in it"});
    };
    {
        const std::scoped_lock lock{mutex_};
        if(closed_ || samples > options_.max_waiting + options_.max_sequences - in_flight_) {
            refuse();
        }
        in_flight_ += samples; // taken now, so that what follows is done by those alone who get in
    }
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
            made.push_back(std::make_unique<sequence>(record, i, pool_, options_.context));
        }
    } catch(...) {
        const std::scoped_lock lock{mutex_};
        in_flight_ -= samples;
        throw;
    }
    {
        const std::scoped_lock lock{mutex_};
        if(closed_) {
            in_flight_ -= samples;
            refuse();
        }
        std::ranges::move(made, std::back_inserter(incoming_));
    }
    came_.notify_all();
    return record;
}

TOKENWORKS_FUNCTION job engine::submit(request what) { return job{put_in_line(std::move(what))}; }

TOKENWORKS_FUNCTION std::future<completion> engine::ask(request what) {
    std::future<completion> answer;
    static_cast<void>(put_in_line(std::move(what), &answer));
    return answer;
}

TOKENWORKS_FUNCTION void engine::run(std::stop_token stop) {
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

TOKENWORKS_FUNCTION engine_counts engine::counts() const {
    const std::scoped_lock lock{mutex_};
    engine_counts all = shown_;
    all.refused = refused_;
    all.waiting = in_flight_ - std::min(in_flight_, all.running);
    return all;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/runtime/engine_step.hpp>
#endif
