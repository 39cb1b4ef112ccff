// The engines of the other kinds of output: each with its model, loaded when somebody wants it; and what a request asks
// of one.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/runtime/engine.hpp>
#include <tokenworks/runtime/image_model.hpp>
#include <tokenworks/serve/answer.hpp>

#include "serve.hpp"

namespace cli {

/// An engine of a model, whose artefacts are what the model makes alone.
inline std::unique_ptr<tw::runtime::engine> engine_of(const tw::image_model& model, tw::runtime::engine_options set) {
    return std::make_unique<tw::runtime::engine>(model.decoder(), nullptr, model.how(), model.engine_settings(set));
}
template <class Model>
std::unique_ptr<tw::runtime::engine> engine_of(const Model& model, const tw::runtime::engine_options& set) {
    return std::make_unique<tw::runtime::engine>(model.network().network(), nullptr, model.network().how(), set);
}

/// A model that is loaded when somebody wants it, and its engine.
template <class Model>
class shipped_model {
public:
    shipped_model(const common_options& options, costs& of, std::string file)
        : file_{std::move(file)}, energy_{of.meter()} {
        load_.threads = options.threads;
        load_.set = chosen_isa(options);
        try {
            path_ = model_or_shipped({}, file_);
        } catch(const usage_error&) { // it did not come with this program
        }
    }

    [[nodiscard]] bool is_there() const noexcept { return !path_.empty(); }
    [[nodiscard]] const Model& get() {
        if(path_.empty()) {
            throw tw::serve::api_error{501, "the model " + file_ + " did not come with this server"};
        }
        const std::lock_guard lock{mutex_};
        if(!model_) {
            model_.emplace(Model::load(path_, load_));
        }
        return *model_;
    }
    /// Runs from now on.
    /// @throws overload_error where the server ends
    [[nodiscard]] tw::runtime::engine& engine() {
        const Model& model = get();
        const std::lock_guard lock{mutex_};
        if(!engine_ && is_closed_) {
            throw tw::overload_error("no more is begun");
        }
        if(!engine_) {
            // Nothing that one leaves is of use to another.
            engine_ =
                engine_of(model, {.max_sequences = 16, .max_waiting = 64, .keep_prefixes = false, .joules = [this] {
                                      return energy_.turn();
                                  }});
            thread_.emplace(*engine_);
        }
        return *engine_;
    }
    [[nodiscard]] std::optional<tw::runtime::engine_counts> counts() const {
        const std::lock_guard lock{mutex_};
        return engine_ ? std::optional{engine_->counts()} : std::nullopt;
    }
    void close() {
        const std::lock_guard lock{mutex_};
        is_closed_ = true;
        if(engine_) {
            engine_->close();
        }
    }
    void end_jobs() {
        const std::lock_guard lock{mutex_};
        if(engine_) {
            static_cast<void>(engine_->drain(std::chrono::milliseconds{0}));
        }
    }

private:
    std::string file_;
    std::string path_{};
    tw::load_options load_{};
    mutable std::mutex mutex_{};
    std::optional<Model> model_{};
    costs::account energy_; // of the engine
    std::unique_ptr<tw::runtime::engine> engine_{};
    std::optional<tw::runtime::engine_thread> thread_{};
    bool is_closed_ = false;
};

/// What a request of a client asks of an engine.
class asked_jobs {
public:
    asked_jobs(tw::runtime::engine& of, const exchange& with, request_log& log, costs& paid, double timeout)
        : engine_{of},
          with_{with},
          log_{log},
          costs_{paid},
          until_{clock::now() + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(timeout))} {}

    void add(tw::runtime::request what) {
        std::vector<tw::runtime::request> one;
        one.push_back(std::move(what));
        add(std::move(one));
    }
    /// All of them, or none.
    void add(std::vector<tw::runtime::request> all) {
        std::size_t tokens = 0;
        for(tw::runtime::request& each: all) {
            each.client = log_.client;
            each.deadline = until_;
            tokens += each.prompt.size();
        }
        if(std::exchange(is_first_, false)) {
            costs_.take(log_.client, tokens);
        } else {
            costs_.charge(log_.client, tokens);
        }
        for(tw::runtime::job& each: engine_.submit_all(std::move(all))) {
            jobs_.push_back(std::move(each));
        }
    }
    /// The ids of all samples of all jobs since the last time, in order. Where the client has gone, the jobs go within
    /// a step.
    [[nodiscard]] std::vector<std::vector<tw::runtime::token_id>> wait() {
        std::vector<std::vector<tw::runtime::token_id>> ids;
        for(tw::runtime::job& each: jobs_) {
            clock::time_point looked = clock::now();
            while(!each.finished()) {
                static_cast<void>(each.next_for(every));
                if(const clock::time_point now = clock::now(); now - looked >= every) {
                    looked = now;
                    if(with_.is_gone()) {
                        give_up();
                    }
                }
            }
            const tw::runtime::completion& all = each.wait();
            pay(all.usage);
            for(const tw::runtime::sample_result& sample: all.samples) {
                if(sample.reason == tw::runtime::finish_reason::deadline) {
                    throw tw::serve::api_error{504, "the time was over before all was made", {}, "timeout"};
                }
                if(sample.reason == tw::runtime::finish_reason::cancelled) {
                    throw tw::serve::api_error{503, "the server is shutting down", {}, "shutting_down", 5};
                }
                ids.push_back(sample.ids);
            }
        }
        jobs_.clear();
        return ids;
    }
    /// Of all that has ended.
    [[nodiscard]] serve_json usage() const { return tw::serve::usage_json(sum_, costs_.source()); }

private:
    void pay(const tw::runtime::usage& one) {
        sum_.add(one);
        log_.prompt_tokens += one.prompt_tokens;
        log_.generated_tokens += one.generated_tokens;
        costs_.charge(log_.client, one.generated_tokens);
    }
    /// What was made for a client that has gone is paid for too.
    [[noreturn]] void give_up() {
        for(tw::runtime::job& each: jobs_) {
            each.cancel();
        }
        for(tw::runtime::job& each: jobs_) {
            const tw::runtime::usage cost = each.wait().usage;
            costs_.charge(log_.client, cost.generated_tokens);
            log_.generated_tokens += cost.generated_tokens;
        }
        throw tw::cancelled_error("the client has gone");
    }

    using clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds every{25}; // between looks at the client

    tw::runtime::engine& engine_;
    const exchange& with_;
    request_log& log_;
    costs& costs_;
    clock::time_point until_;
    bool is_first_ = true;
    tw::serve::usage_sum sum_{};
    std::vector<tw::runtime::job> jobs_{};
};

} // namespace cli
