// serve: OpenAI's interface over an engine, the other kinds of output, metrics, and a page.
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/runtime/any_meter.hpp>
#include <tokenworks/runtime/engine.hpp>

#include "load.hpp"
#include "output.hpp"
#include "serve.hpp"
#include "serve_command.hpp"

namespace cli {

namespace serve = tw::serve;
using serve::api_error;

namespace {

using clock = std::chrono::steady_clock;

// A signal handler may touch nothing but these.
std::atomic<http_server*> running_server{nullptr};
std::atomic<int> signals{0};
static_assert(std::atomic<http_server*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void on_signal(int) {
    ++signals;
    if(http_server* const server = running_server) {
        server->stop();
    }
}

bool is_loopback(const std::string& host) {
    return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

/// The host of "example.org:80" or "[::1]:80".
std::string host_of(std::string_view authority) {
    const std::size_t bracket = authority.rfind(']');
    const std::size_t colon = authority.rfind(':');
    const bool has_port = colon != authority.npos && (bracket == authority.npos || colon > bracket);
    return serve::small_letters(authority.substr(0, has_port ? colon : authority.npos));
}

/// Everything that the program serves.
class factory {
public:
    factory(const common_options& common, const serve_command& what, const tw::text_model& model,
            const tw::text_encoder* encoder)
        : what_{what},
          costs_{{what.requests_per_minute, what.tokens_per_minute}},
          energy_{costs_.meter()},
          engine_{model, engine_of(what)},
          texts_{model, engine_, encoder, metrics_, costs_, settings_of(what)},
          kinds_{common, costs_, what.timeout} {
        for(const std::string& each: what.api_keys) {
            keys_.add(each);
        }
        if(!what.api_key_file.empty()) {
            for_each_line(what.api_key_file, [&](const std::string& line, const std::string&) {
                if(!line.empty() && line.front() != '#') {
                    keys_.add(line);
                }
            });
        }
        if(!what.prefix_cache.empty() && std::filesystem::exists(what.prefix_cache)) {
            try {
                const std::size_t tokens = engine_.load_prefixes(what.prefix_cache);
                std::cerr << "tokenworks: " << tokens << " tokens of prompts from " << what.prefix_cache << '\n';
            } catch(const tw::error& problem) { // of another model, say: it is made anew
                std::cerr << "tokenworks: note: " << problem.what() << '\n';
            }
        }
        thread_.emplace(engine_);
    }

    void handle(exchange& with, const http_server& server) {
        const clock::time_point begin = clock::now();
        request_log log{.client = with.peer};
        std::string route = "unknown";
        const std::uint64_t id = ++requests_;
        int status = 0;
        try {
            dispatch(with, server, log, route);
            status = with.status();
        } catch(...) {
            const std::exception_ptr problem = std::current_exception();
            const api_error said = serve::api_error_of(problem);
            status = said.status();
            if(with.status() == 0) {
                serve::http_fields more;
                if(said.retry_after() > 0) {
                    more.emplace_back("Retry-After", std::to_string(std::lround(std::ceil(said.retry_after()))));
                }
                if(status == 401) {
                    more.emplace_back("WWW-Authenticate", "Bearer");
                }
                with.send(status, "application/json", said.body(), more);
            } else {
                with.close_after();
            }
            if(status == 500) {
                write_problem(id, problem);
            }
        }
        metrics_.answered(route, status);
        write_log(id, log, route, with.request.method, status, seconds_since(begin));
    }

    void refused(int status) {
        metrics_.answered("none", status);
        write_log(++requests_, {}, "none", "-", status, 0);
    }

    /// A few times a second, of one thread.
    void tick() {
        const tw::runtime::engine_counts counts = engine_.counts();
        const std::lock_guard lock{mutex_};
        const clock::time_point now = clock::now();
        history_.emplace_back(now, counts.generated_tokens);
        while(history_.size() > 2 && now - history_.front().first > std::chrono::seconds{5}) {
            history_.pop_front();
        }
    }

    void close() {
        engine_.close();
        kinds_.close();
    }
    /// Cancels what has not ended.
    void end_jobs() {
        static_cast<void>(engine_.drain(std::chrono::milliseconds{0}));
        kinds_.end_jobs();
    }
    /// Nothing more will be asked.
    void finish() {
        thread_.reset();
        if(!what_.prefix_cache.empty()) {
            engine_.save_prefixes(what_.prefix_cache);
        }
    }

private:
    using action = void (factory::*)(exchange&, request_log&);
    struct endpoint {
        std::string_view method;
        std::string_view path;
        bool is_open; ///< without a key
        action act;
    };

    static tw::runtime::engine_options limits_of(const serve_command& what) {
        tw::runtime::engine_options how;
        how.max_sequences = what.parallel;
        how.max_waiting = what.queue == 0 ? 4 * what.parallel : what.queue;
        how.max_wait = what.queue_seconds.value_or(what.queue == 0 ? 2 : 0);
        how.context = what.context;
        how.cache_tokens = what.cache_tokens;
        how.cache_type = cache_type(what.cache_type);
        return how;
    }
    tw::runtime::engine_options engine_of(const serve_command& what) {
        tw::runtime::engine_options how = limits_of(what);
        how.joules = [this] { return energy_.turn(); };
        return how;
    }
    text_service::settings settings_of(const serve_command& what) {
        text_service::settings how;
        how.name = what.alias;
        how.rules.sampling = what.sampling;
        how.timeout = what.timeout;
        how.separate_caches = what.separate_caches;
        return how;
    }

    void chat(exchange& with, request_log& log) { texts_.chat(with, log); }
    void completions(exchange& with, request_log& log) { texts_.completions(with, log); }
    void embeddings(exchange& with, request_log& log) { texts_.embeddings(with, log); }
    void tokenize(exchange& with, request_log&) { texts_.tokenize(with); }
    void detokenize(exchange& with, request_log&) { texts_.detokenize(with); }
    void images(exchange& with, request_log& log) { kinds_.images(with, log); }
    void forecasts(exchange& with, request_log& log) { kinds_.forecasts(with, log); }
    void proteins(exchange& with, request_log& log) { kinds_.proteins(with, log); }
    void protein_scores(exchange& with, request_log& log) { kinds_.protein_scores(with, log); }
    void meshes(exchange& with, request_log& log) { kinds_.meshes(with, log); }
    void videos(exchange& with, request_log& log) { kinds_.videos(with, log); }
    void health(exchange& with, request_log&) { send_json(with, {{"status", "ok"}}); }
    void page(exchange& with, request_log&) {
        with.send(200, "text/html; charset=utf-8", serve_page,
                  {{"Content-Security-Policy", "default-src 'self' 'unsafe-inline' data:; frame-ancestors 'none'"},
                   {"X-Content-Type-Options", "nosniff"},
                   {"Referrer-Policy", "no-referrer"}});
    }
    void models(exchange& with, request_log&) {
        serve_json list = serve_json::array();
        std::vector<std::string> names = kinds_.names();
        names.insert(names.begin(), texts_.name());
        if(!what_.embed_model.empty()) {
            names.emplace_back("embedding");
        }
        for(const std::string& each: names) {
            list.push_back({{"id", each}, {"object", "model"}, {"created", started_unix_}, {"owned_by", "tokenworks"}});
        }
        send_json(with, {{"object", "list"}, {"data", std::move(list)}});
    }
    void metrics(exchange& with, request_log&) {
        const tw::runtime::engine_counts counts = engine_.counts();
        serve::engine_numbers now;
        now.running = static_cast<double>(counts.running);
        now.waiting = static_cast<double>(counts.waiting);
        now.cache_share = counts.cache_tokens == 0 ? 0
                                                   : static_cast<double>(counts.cache_tokens_used) /
                                                         static_cast<double>(counts.cache_tokens);
        now.prefix_queries = static_cast<double>(counts.prompt_tokens);
        now.prefix_hits = static_cast<double>(counts.cached_tokens);
        now.preemptions = static_cast<double>(counts.preemptions);
        now.prompt_tokens = static_cast<double>(counts.prompt_tokens);
        now.generated_tokens = static_cast<double>(counts.generated_tokens);
        now.refused = static_cast<double>(counts.refused);
        now.prefill_joules = counts.prefill_joules;
        now.decode_joules = counts.decode_joules;
        now.energy_source = costs_.source();
        now.kinds = kinds_.numbers();
        with.send(200, "text/plain; version=0.0.4; charset=utf-8", metrics_.text(now));
    }
    void live_view(exchange& with, request_log&) {
        const tw::runtime::engine_counts counts = engine_.counts();
        double rate = 0;
        {
            const std::lock_guard lock{mutex_};
            if(history_.size() > 1) {
                const double seconds =
                    std::chrono::duration<double>(history_.back().first - history_.front().first).count();
                rate =
                    seconds > 0 ? static_cast<double>(history_.back().second - history_.front().second) / seconds : 0;
            }
        }
        const bool has_joules = counts.prefill_joules || counts.decode_joules;
        send_json(with, {{"model", texts_.name()},
                         {"uptime_seconds", seconds_since(started_)},
                         {"tokens_per_second", rate},
                         {"running", counts.running},
                         {"waiting", counts.waiting},
                         {"cache_tokens", counts.cache_tokens},
                         {"cache_tokens_used", counts.cache_tokens_used},
                         {"cache_tokens_kept", counts.cache_tokens_kept},
                         {"prompt_tokens", counts.prompt_tokens},
                         {"cached_tokens", counts.cached_tokens},
                         {"generated_tokens", counts.generated_tokens},
                         {"finished", counts.finished},
                         {"refused", counts.refused},
                         {"joules",
                          has_joules ? serve_json(counts.prefill_joules.value_or(0) + counts.decode_joules.value_or(0))
                                     : serve_json{}},
                         {"energy_source", has_joules ? costs_.source() : "not measurable here"},
                         {"kinds", kinds_.classes()}});
    }

    /// A page of another site must not use what listens here for this machine alone.
    void check_origin(const serve::http_request& request) const {
        const auto origin = request.find("origin");
        const auto host = request.find("host");
        if(!origin || !host) {
            return;
        }
        const std::size_t scheme = origin->find("://");
        const bool is_same =
            scheme != origin->npos && serve::small_letters(origin->substr(scheme + 3)) == serve::small_letters(*host);
        if(!is_same || (is_loopback(what_.http.host) && !is_loopback(host_of(*host)))) {
            throw api_error{403, "requests of other sites' pages are not answered"};
        }
    }

    void dispatch(exchange& with, const http_server& server, request_log& log, std::string& route) {
        static constexpr std::array<endpoint, 20> all{{
            {"POST", "/v1/chat/completions", false, &factory::chat},
            {"POST", "/v1/completions", false, &factory::completions},
            {"POST", "/v1/embeddings", false, &factory::embeddings},
            {"GET", "/v1/models", false, &factory::models},
            {"POST", "/tokenize", false, &factory::tokenize},
            {"POST", "/detokenize", false, &factory::detokenize},
            {"GET", "/health", true, &factory::health},
            {"GET", "/v1/health", true, &factory::health},
            {"GET", "/metrics", false, &factory::metrics},
            {"GET", "/factory", false, &factory::live_view},
            {"GET", "/", true, &factory::page},
            {"POST", "/v1/images/generations", false, &factory::images},
            {"POST", "/v1/forecasts", false, &factory::forecasts},
            {"POST", "/v1/proteins", false, &factory::proteins},
            {"POST", "/v1/proteins/score", false, &factory::protein_scores},
            {"POST", "/v1/meshes", false, &factory::meshes},
            {"POST", "/v1/videos", false, &factory::videos},
            {"POST", "/chat/completions", false, &factory::chat},
            {"POST", "/completions", false, &factory::completions},
            {"POST", "/embeddings", false, &factory::embeddings},
        }};
        const serve::http_request& request = with.request;
        check_origin(request);
        const std::string_view method = request.method == "HEAD" ? std::string_view{"GET"} : request.method;
        const endpoint* found = nullptr;
        bool is_path = false;
        for(const endpoint& each: all) {
            is_path = is_path || each.path == request.path;
            if(each.path == request.path && each.method == method) {
                found = &each;
            }
        }
        if(found == nullptr) {
            throw is_path ? api_error{405, "this path does not take the method " + tw::printable(request.method)}
                          : api_error{404, "there is nothing at this path"};
        }
        route = found->path;
        if(!keys_.empty() && !found->is_open) {
            const auto given = request.find("authorization");
            const std::optional<std::string> owner = given ? keys_.owner_of(*given) : std::nullopt;
            if(!owner) {
                throw api_error{401, "a valid key is needed: Authorization: Bearer KEY", {}, "invalid_api_key"};
            }
            log.client = *owner;
        }
        if(server.is_draining()) {
            throw api_error{503, "the server is shutting down", {}, "shutting_down", 5};
        }
        (this->*found->act)(with, log);
    }

    void write_log(std::uint64_t id, const request_log& log, const std::string& route, const std::string& method,
                   int status, double seconds) {
        const std::string method_shown = tw::printable(method, 16);
        std::string line;
        if(what_.log == "json") {
            line = serve::dump({{"id", id},
                                {"client", log.client},
                                {"method", method_shown},
                                {"route", route},
                                {"status", status},
                                {"prompt_tokens", log.prompt_tokens},
                                {"generated_tokens", log.generated_tokens},
                                {"seconds", seconds}});
        } else if(what_.log == "text") {
            std::array<char, 32> shown{};
            std::snprintf(shown.data(), shown.size(), "%.3f", seconds);
            line = std::to_string(id) + " " + (log.client.empty() ? "-" : log.client) + " " + method_shown + " " +
                   route + " " + std::to_string(status) + " " + std::to_string(log.prompt_tokens) + "+" +
                   std::to_string(log.generated_tokens) + " tokens " + shown.data() + " s";
        } else {
            return;
        }
        line += '\n';
        std::fputs(line.c_str(), stderr); // one call: lines of several threads do not mix
    }
    static void write_problem(std::uint64_t id, const std::exception_ptr& problem) {
        try {
            std::rethrow_exception(problem);
        } catch(const std::exception& known) {
            const std::string line = "tokenworks: error: request " + std::to_string(id) + ": " + known.what() + "\n";
            std::fputs(line.c_str(), stderr);
        } catch(...) {
            std::fputs("tokenworks: error: of no known kind\n", stderr);
        }
    }

    const serve_command& what_;
    costs costs_;
    costs::account energy_; // of the engine
    tw::runtime::engine engine_;
    serve::server_metrics metrics_{};
    serve::api_keys keys_{};
    text_service texts_;
    kinds_service kinds_;
    std::optional<tw::runtime::engine_thread> thread_{};
    clock::time_point started_ = clock::now();
    std::int64_t started_unix_ =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    std::atomic<std::uint64_t> requests_{0};
    std::mutex mutex_{};
    std::deque<std::pair<clock::time_point, std::uint64_t>> history_{}; // generated tokens
};

} // namespace

int serve_models(const common_options& common, const serve_command& given) {
    serve_command what = given;
    const tw::text_model model = load_model(common);
    static_cast<void>(model.tokenizer()); // says that there is none, before anybody asks
    if(what.alias.empty()) {
        what.alias = std::filesystem::path{common.model}.stem().string();
        if(what.alias.empty()) { // "folder/"
            what.alias = std::filesystem::path{common.model}.parent_path().filename().string();
        }
    }
    std::optional<tw::text_encoder> encoder;
    if(!what.embed_model.empty()) {
        common_options options = common;
        options.model = what.embed_model;
        progress_bar bar{"loading"};
        encoder.emplace(tw::text_encoder::load(options.model, load_options(options, bar)));
    }
    factory all{common, what, model, encoder ? &*encoder : nullptr};
    if(what.http.connections == 0) {
        what.http.connections = 64 + 4 * (what.parallel + (what.queue == 0 ? 4 * what.parallel : what.queue));
    }
    http_server* own = nullptr;
    http_server server{what.http, [&](exchange& with) { all.handle(with, *own); },
                       [&](int status) { all.refused(status); }};
    own = &server;
    running_server = &server;
    struct sigaction act {};
    act.sa_handler = on_signal;
    sigaction(SIGTERM, &act, nullptr);
    sigaction(SIGINT, &act, nullptr);
    std::cout << "tokenworks: listening on " << server.address() << std::endl;
    require_stdout();
    server.run([&] { all.tick(); });

    const int before = signals;
    all.close();
    const auto until =
        clock::now() + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(what.drain));
    const bool in_time = server.drain(until, [&] { return signals > before; });
    if(!in_time) {
        all.end_jobs(); // their clients are told
        static_cast<void>(server.drain(clock::now() + std::chrono::seconds{1}, [] { return false; }));
    }
    running_server = nullptr;
    server.close();
    all.finish();
    std::cerr << "tokenworks: stopped" << (in_time ? "" : "; what had not ended was cancelled") << '\n';
    return 0;
}

} // namespace cli
