// What the parts of `serve` share: the line before work that is done one at a time, and what each part offers.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/runtime/any_meter.hpp>
#include <tokenworks/runtime/engine.hpp>
#include <tokenworks/runtime/shared_meter.hpp>
#include <tokenworks/runtime/text_encoder.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/serve/api_error.hpp>
#include <tokenworks/serve/chat_request.hpp>
#include <tokenworks/serve/completion_request.hpp>
#include <tokenworks/serve/form_cache.hpp>
#include <tokenworks/serve/metrics.hpp>
#include <tokenworks/serve/quota.hpp>

#include "options.hpp"
#include "serve_http.hpp"

namespace cli {

using serve_json = tw::serve::json;

/// What a request has cost, for its line in the log.
struct request_log {
    std::string client{}; ///< the name of its key, or its address
    std::size_t prompt_tokens = 0;
    std::size_t generated_tokens = 0;
};

/// What clients may use, and what it takes.
class costs {
public:
    using account = tw::runtime::shared_meter<>::account;

    explicit costs(tw::serve::quota_rates rates) : limit_{rates}, meter_{tw::runtime::best_meter()} {}

    /// A request with so many tokens to be read.
    /// @throws api_error 429 where its client has used up what it may
    void take(const std::string& client, std::size_t tokens) {
        if(const std::optional<double> wait = limit_.take(client, tokens, std::chrono::steady_clock::now())) {
            throw tw::serve::api_error{
                429, "this key has used what it may in a minute", {}, "rate_limit_exceeded", *wait};
        }
    }
    /// Tokens that it has taken beyond these.
    void charge(const std::string& client, std::size_t tokens) {
        limit_.charge(client, tokens, std::chrono::steady_clock::now());
    }
    [[nodiscard]] tw::runtime::shared_meter<>& meter() noexcept { return meter_; }
    /// Of the joules: "measured" or "modelled".
    [[nodiscard]] std::string_view source() const { return to_string(meter_.meter().source()); }

private:
    tw::serve::quota limit_;
    tw::runtime::shared_meter<> meter_;
};

/// The joules of a piece of work, as long as it lives.
class counted_work {
public:
    explicit counted_work(costs::account& of) : of_{of}, begin_{of.turn()} {}
    ~counted_work() {
        if(!is_over_) {
            static_cast<void>(of_.turn());
        }
    }
    counted_work(const counted_work&) = delete;
    counted_work& operator=(const counted_work&) = delete;

    /// Ends it.
    [[nodiscard]] std::optional<double> joules() {
        is_over_ = true;
        const std::optional<double> now = of_.turn();
        return now && begin_ ? std::optional{*now - *begin_} : std::nullopt;
    }

private:
    costs::account& of_;
    std::optional<double> begin_;
    bool is_over_ = false;
};

/// Work that is done one at a time, with so many who wait at most.
class waiting_line {
public:
    explicit waiting_line(std::size_t most) : most_{most} {}

    /// Holds the place until it is destroyed.
    class place {
    public:
        place(waiting_line& of, const exchange& with);
        ~place();
        place(const place&) = delete;
        place& operator=(const place&) = delete;

    private:
        waiting_line& of_;
    };

private:
    std::size_t most_;
    std::size_t inside_ = 0;
    bool is_taken_ = false;
    std::mutex mutex_{};
    std::condition_variable left_{};
};

/// Texts: chat, completions, embeddings, tokens.
class text_service {
public:
    struct settings {
        std::string name{}; ///< of the model, as clients call it
        tw::serve::request_rules rules{};
        double timeout = 600; ///< seconds of a request
        bool separate_caches = false;
    };

    text_service(const tw::text_model& model, tw::runtime::engine& engine, const tw::text_encoder* encoder,
                 tw::serve::server_metrics& metrics, costs& of, settings how);

    void chat(exchange& with, request_log& log);
    void completions(exchange& with, request_log& log);
    void embeddings(exchange& with, request_log& log);
    void tokenize(exchange& with);
    void detokenize(exchange& with);

    [[nodiscard]] const std::string& name() const noexcept { return how_.name; }

private:
    struct asked;

    void check_model(const std::string& name) const;
    void generate(exchange& with, request_log& log, asked what);
    [[nodiscard]] std::vector<tw::serve::token_id> ids_of(const tw::serve::prompt_input& from, bool special) const;
    [[nodiscard]] std::vector<float> embed(const std::vector<tw::serve::token_id>& ids) const;

    const tw::text_model& model_;
    tw::runtime::engine& engine_;
    const tw::text_encoder* encoder_;
    tw::serve::server_metrics& metrics_;
    costs& costs_;
    settings how_;
    tw::serve::form_cache forms_;
    waiting_line embeddings_{16};
    costs::account embedding_energy_; // of whoever has its turn in that line
    std::atomic<std::uint64_t> count_{0};
};

/// Images, forecasts, proteins, meshes and videos, with the models that come with the program.
class kinds_service {
public:
    /// @param timeout  seconds of a request
    kinds_service(const common_options& options, costs& of, double timeout);
    ~kinds_service();

    void images(exchange& with, request_log& log);
    void forecasts(exchange& with, request_log& log);
    void proteins(exchange& with, request_log& log);
    void protein_scores(exchange& with, request_log& log);
    void meshes(exchange& with, request_log& log);
    void videos(exchange& with, request_log& log);

    /// No more is begun.
    void close();
    /// Cancels what has not ended.
    void end_jobs();
    /// Of the engines there are so far.
    [[nodiscard]] std::vector<tw::serve::kind_numbers> numbers() const;

    /// The kinds there are, each with its classes. Loads the models.
    [[nodiscard]] serve_json classes();
    /// The kinds there are.
    [[nodiscard]] std::vector<std::string> names() const;

private:
    struct models;
    std::unique_ptr<models> models_;
    costs& costs_;
    double timeout_;
};

/// The answer of a request that has one document.
inline void send_json(exchange& with, const serve_json& what, int status = 200) {
    with.send(status, "application/json", tw::serve::dump(what));
}

/// The page, put together when the build was configured.
extern const std::string_view serve_page;

} // namespace cli
