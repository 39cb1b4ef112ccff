// What the parts of `serve` share: the line before work that is done one at a time, and what each part offers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/runtime/engine.hpp>
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
    std::atomic<std::size_t> inside_{0};
    std::timed_mutex turn_{};
};

/// Texts: chat, completions, embeddings, tokens.
class text_service {
public:
    struct settings {
        std::string name{}; ///< of the model, as clients call it
        tw::serve::request_rules rules{};
        double timeout = 600; ///< seconds of a request
        bool separate_caches = false;
        std::function<std::string_view()> energy_source{};
    };

    text_service(const tw::text_model& model, tw::runtime::engine& engine, const tw::text_encoder* encoder,
                 tw::serve::server_metrics& metrics, tw::serve::quota& limit, settings how);

    void chat(exchange& with, request_log& log);
    void completions(exchange& with, request_log& log);
    void embeddings(exchange& with, request_log& log);
    void tokenize(exchange& with);
    void detokenize(exchange& with);

    [[nodiscard]] const std::string& name() const noexcept { return how_.name; }

private:
    struct asked;

    void check_model(const std::string& name) const;
    void charge_prompt(const std::string& client, std::size_t tokens);
    void generate(exchange& with, request_log& log, asked what);
    [[nodiscard]] std::vector<tw::serve::token_id> ids_of(const tw::serve::prompt_input& from, bool special) const;
    [[nodiscard]] std::vector<float> embed(const std::vector<tw::serve::token_id>& ids) const;

    const tw::text_model& model_;
    tw::runtime::engine& engine_;
    const tw::text_encoder* encoder_;
    tw::serve::server_metrics& metrics_;
    tw::serve::quota& limit_;
    settings how_;
    tw::serve::form_cache forms_;
    waiting_line embeddings_{16};
    std::atomic<std::uint64_t> count_{0};
};

/// Images, forecasts, proteins, meshes and videos, with the models that come with the program.
class kinds_service {
public:
    /// @param timeout  seconds of a request
    kinds_service(const common_options& options, double timeout);
    ~kinds_service();

    void images(exchange& with, request_log& log);
    void forecasts(exchange& with);
    void proteins(exchange& with, request_log& log);
    void protein_scores(exchange& with);
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
    double timeout_;
};

/// The answer of a request that has one document.
inline void send_json(exchange& with, const serve_json& what, int status = 200) {
    with.send(status, "application/json", tw::serve::dump(what));
}

/// The page, put together when the build was configured.
extern const std::string_view serve_page;

} // namespace cli
