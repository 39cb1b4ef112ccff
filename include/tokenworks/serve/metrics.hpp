// Counters and histograms of a server, as the text that Prometheus reads.
//
//   serve::server_metrics metrics;
//   metrics.finished(record);                        // any thread
//   send(metrics.text(engine.counts(), "measured"));
//
// The names are vLLM's (its docs/usage/metrics.md, 0.19) under the prefix "tokenworks:", with its buckets, and some
// finer ones between tokens; joules are our own. Format: prometheus.io/docs/instrumenting/exposition_formats, text
// 0.0.4.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

/// How many values were at most as large as each bound.
class histogram {
public:
    histogram(std::initializer_list<double> bounds) : bounds_{bounds}, counts_(bounds.size() + 1) {}

    void add(double value) {
        const auto place = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
        ++counts_[static_cast<std::size_t>(place)];
        sum_ += value;
    }
    [[nodiscard]] const std::vector<double>& bounds() const noexcept { return bounds_; }
    /// One more than bounds: the last is of what is above all of them.
    [[nodiscard]] const std::vector<std::uint64_t>& counts() const noexcept { return counts_; }
    [[nodiscard]] double sum() const noexcept { return sum_; }

private:
    std::vector<double> bounds_; // ascending
    std::vector<std::uint64_t> counts_;
    double sum_ = 0;
};

/// Writes metrics one after the other.
class metrics_text {
public:
    using labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    /// Begins one. @param kind  "counter", "gauge" or "histogram"
    void begin(std::string_view name, std::string_view kind, std::string_view help) {
        name_ = "tokenworks:" + std::string{name};
        text_ += "# HELP " + name_ + " " + std::string{help} + "\n# TYPE " + name_ + " " + std::string{kind} + "\n";
    }
    /// A value of the one that was begun.
    void add(double value, labels of = {}, std::string_view ending = {}) {
        text_ += name_;
        text_ += ending;
        for(std::size_t i = 0; i < of.size(); ++i) {
            const auto& [key, content] = of.begin()[i];
            text_ += (i == 0 ? "{" : ",") + std::string{key} + "=\"";
            for(const char c: content) {
                text_ += c == '\n' ? "\\n" : c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
            }
            text_ += '"';
        }
        text_ += (of.size() == 0 ? " " : "} ") + number(value) + "\n";
    }
    void one(std::string_view name, std::string_view kind, std::string_view help, double value) {
        begin(name, kind, help);
        add(value);
    }
    void one(std::string_view name, std::string_view help, const histogram& of) {
        begin(name, "histogram", help);
        std::uint64_t so_far = 0;
        for(std::size_t i = 0; i < of.counts().size(); ++i) {
            so_far += of.counts()[i];
            const std::string bound = i < of.bounds().size() ? number(of.bounds()[i]) : "+Inf";
            add(static_cast<double>(so_far), {{"le", bound}}, "_bucket");
        }
        add(of.sum(), {}, "_sum");
        add(static_cast<double>(so_far), {}, "_count");
    }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    [[nodiscard]] static std::string number(double value) {
        std::array<char, 32> digits{};
        return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
    }

    std::string name_{};
    std::string text_{};
};

/// Of one request that has ended.
struct request_record {
    std::size_t prompt_tokens = 0;
    std::size_t generated_tokens = 0;
    double queue_seconds = 0;
    std::optional<double> first_token_seconds{};
    double total_seconds = 0;
    std::string reason{}; ///< "stop", "length" ...
};

/// What the engine of another kind of output tells of itself.
struct kind_numbers {
    std::string_view kind{}; ///< "image" ...
    double running = 0;
    double waiting = 0;
    double generated_tokens = 0;
    double steps = 0;
    double finished = 0; ///< requests
    double refused = 0;
    double preemptions = 0;
    double joules = 0; ///< of all its work
};

/// What an engine tells of itself; see runtime::engine_counts.
struct engine_numbers {
    double running = 0;
    double waiting = 0;
    double cache_share = 0; ///< 0 to 1
    double prefix_queries = 0;
    double prefix_hits = 0;
    double preemptions = 0;
    double prompt_tokens = 0;
    double generated_tokens = 0;
    double refused = 0;
    std::optional<double> prefill_joules{};
    std::optional<double> decode_joules{};
    std::string_view energy_source = "none"; ///< "measured", "modelled"
    std::vector<kind_numbers> kinds{};       ///< engines beside it
};

/// Any thread may call any of these.
class server_metrics {
public:
    void finished(const request_record& what) {
        const std::lock_guard lock{mutex_};
        queue_.add(what.queue_seconds);
        if(what.first_token_seconds) {
            first_token_.add(*what.first_token_seconds);
        }
        total_.add(what.total_seconds);
        prompt_.add(static_cast<double>(what.prompt_tokens));
        generated_.add(static_cast<double>(what.generated_tokens));
        ++reasons_[what.reason];
    }
    /// Seconds between a token and the next of the same sample.
    void between_tokens(double seconds) {
        const std::lock_guard lock{mutex_};
        between_.add(seconds);
    }
    /// An answer of HTTP.
    void answered(std::string_view route, int status) {
        const std::lock_guard lock{mutex_};
        ++answers_[{std::string{route}, status}];
    }

    [[nodiscard]] std::string text(const engine_numbers& engine) const {
        const std::lock_guard lock{mutex_};
        metrics_text out;
        out.one("num_requests_running", "gauge", "Sequences that are being continued.", engine.running);
        out.one("num_requests_waiting", "gauge", "Samples that wait for a place.", engine.waiting);
        out.one("kv_cache_usage_perc", "gauge", "Share of the key/value cache in use, 1 is all.", engine.cache_share);
        out.one("prefix_cache_queries_total", "counter", "Prompt tokens looked up in the cache.",
                engine.prefix_queries);
        out.one("prefix_cache_hits_total", "counter", "Prompt tokens found there.", engine.prefix_hits);
        out.one("num_preemptions_total", "counter", "Times that a sample was put back for want of memory.",
                engine.preemptions);
        out.one("prompt_tokens_total", "counter", "Prompt tokens taken.", engine.prompt_tokens);
        out.one("generation_tokens_total", "counter", "Tokens generated.", engine.generated_tokens);
        out.one("requests_refused_total", "counter", "Requests refused because the line was full.", engine.refused);
        if(engine.prefill_joules || engine.decode_joules) {
            out.begin("joules_total", "counter", "Energy, by phase and by where the number comes from.");
            out.add(engine.prefill_joules.value_or(0), {{"phase", "prefill"}, {"source", engine.energy_source}});
            out.add(engine.decode_joules.value_or(0), {{"phase", "decode"}, {"source", engine.energy_source}});
        }
        out.one("time_to_first_token_seconds", "From the request to its first token.", first_token_);
        out.one("inter_token_latency_seconds", "From a token to the next of the same sample.", between_);
        out.one("e2e_request_latency_seconds", "From the request to its end.", total_);
        out.one("request_queue_time_seconds", "From the request to the first step with it.", queue_);
        out.one("request_prompt_tokens", "Prompt tokens of a request.", prompt_);
        out.one("request_generation_tokens", "Tokens generated for a request.", generated_);
        out.begin("request_success_total", "counter", "Requests that have ended, by why.");
        for(const auto& [reason, count]: reasons_) {
            out.add(static_cast<double>(count), {{"finished_reason", reason}});
        }
        out.begin("http_responses_total", "counter", "Answers, by route and status.");
        for(const auto& [what, count]: answers_) {
            out.add(static_cast<double>(count), {{"route", what.first}, {"status", std::to_string(what.second)}});
        }
        add_kinds(out, engine);
        return out.text();
    }

private:
    static void add_kinds(metrics_text& out, const engine_numbers& engine) {
        const std::vector<kind_numbers>& kinds = engine.kinds;
        const auto each = [&](std::string_view name, std::string_view kind, std::string_view help,
                              double kind_numbers::*value) {
            if(kinds.empty()) {
                return;
            }
            out.begin(name, kind, help);
            for(const kind_numbers& of: kinds) {
                out.add(of.*value, {{"kind", of.kind}});
            }
        };
        each("kind_sequences_running", "gauge", "Images, films and so on that are being made.", &kind_numbers::running);
        each("kind_samples_waiting", "gauge", "Those that wait for a place.", &kind_numbers::waiting);
        each("kind_generation_tokens_total", "counter", "Tokens of them.", &kind_numbers::generated_tokens);
        each("kind_steps_total", "counter", "Steps in which they were made.", &kind_numbers::steps);
        each("kind_requests_total", "counter", "Requests that have ended.", &kind_numbers::finished);
        each("kind_requests_refused_total", "counter", "Requests refused because the line was full.",
             &kind_numbers::refused);
        each("kind_preemptions_total", "counter", "Times that one was put back for want of memory.",
             &kind_numbers::preemptions);
        if(!kinds.empty() && engine.energy_source != "none") {
            out.begin("kind_joules_total", "counter", "Energy of them, by where the number comes from.");
            for(const kind_numbers& of: kinds) {
                out.add(of.joules, {{"kind", of.kind}, {"source", engine.energy_source}});
            }
        }
    }

    mutable std::mutex mutex_{};
    histogram first_token_{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                           1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
    histogram between_{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3,
                       0.4,   0.5,    0.75,  1,    2.5,   5,    7.5,   10,  20,   40,  80};
    histogram total_{0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1,   1.5, 2,   2.5, 5,    10,
                     15,   20,  30,  40,  50,  60,  120, 240, 480, 960, 1920, 7680};
    histogram queue_{0.005, 0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1,   1.5, 2,   2.5,  5,
                     10,    15,   20,   30,  40,  50,  60,  120, 240, 480, 1920, 7680};
    histogram prompt_{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
    histogram generated_{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
    std::map<std::string, std::uint64_t> reasons_{};
    std::map<std::pair<std::string, int>, std::uint64_t> answers_{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
