// A small HTTP/1.1 server over sockets: a thread a connection, so many at most, and a time limit on all that a client
// can delay. Parsing is the library's (tokenworks/serve/http_message.hpp).
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <tokenworks/serve/http_message.hpp>

#include "options.hpp"

namespace cli {

struct http_options {
    std::string host = "127.0.0.1";
    unsigned port = 8080; ///< 0: the system chooses
    std::size_t connections = 256;
    tw::serve::http_limits limits{};
    // Seconds.
    double head_time = 10;  ///< from the first byte of a request to the end of its head
    double body_time = 30;  ///< from there to the end of its body
    double idle_time = 30;  ///< between requests
    double write_time = 20; ///< for a piece of an answer, and more for large ones
};

/// A request and the way its answer goes.
class exchange {
public:
    exchange(int socket, const http_options& how, tw::serve::http_request asked, std::string from)
        : request{std::move(asked)}, peer{std::move(from)}, socket_{socket}, how_{how} {}

    const tw::serve::http_request request;
    const std::string peer; ///< address of the client

    /// The whole answer. False: the client has gone.
    bool send(int status, std::string_view type, std::string_view body, const tw::serve::http_fields& more = {});
    /// An answer in pieces: begin, any number of write, end.
    bool begin(int status, std::string_view type, const tw::serve::http_fields& more = {});
    bool write(std::string_view piece);
    bool end();
    /// The client has closed its side, or the connection has broken.
    [[nodiscard]] bool is_gone() const;

    /// Of the answer; 0: there is none yet.
    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] bool is_open() const noexcept { return is_open_; }
    /// The connection ends with this answer.
    void close_after() noexcept { keeps_ = false; }
    [[nodiscard]] bool keeps() const noexcept { return keeps_ && request.keep_alive && !is_broken_ && !is_open_; }

private:
    bool put(std::string_view bytes);

    int socket_;
    const http_options& how_;
    int status_ = 0;
    bool is_open_ = false; // between begin and end
    bool keeps_ = true;
    mutable bool is_broken_ = false;
};

class http_server {
public:
    using handler = std::function<void(exchange&)>;
    /// Called where a connection or a request is refused before there is an exchange, with the status.
    using refusal = std::function<void(int)>;

    /// Listens from now on.
    /// @throws tw::io_error naming the address
    http_server(http_options how, handler handle, refusal refused);
    ~http_server();
    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;

    [[nodiscard]] unsigned port() const noexcept { return port_; }
    [[nodiscard]] std::string address() const;

    /// Accepts until stop() is called, from a signal handler say; calls tick() a few times a second.
    void run(const std::function<void()>& tick);
    /// May be called by a signal handler.
    void stop() noexcept;
    /// No more connections and no more requests on those there are; waits until the last answer is out.
    /// @return whether it was, by the deadline
    bool drain(std::chrono::steady_clock::time_point deadline, const std::function<bool()>& hurry);
    /// Breaks what connections there are, and waits for their threads.
    void close();

    [[nodiscard]] bool is_draining() const noexcept { return draining_; }

private:
    struct connection {
        int socket;
        std::string peer;
        std::atomic<bool> is_idle{true};
        std::atomic<bool> is_over{false};
        std::thread thread{};
    };
    struct lingering {
        int socket;
        std::chrono::steady_clock::time_point until;
    };

    void accept_one();
    void reap(bool all);
    void linger();
    void serve(connection& on);
    bool serve_one(connection& on, std::string& rest);

    http_options how_;
    handler handle_;
    refusal refused_;
    int listener_ = -1;
    int wake_[2] = {-1, -1};
    unsigned port_ = 0;
    std::atomic<bool> draining_{false};
    std::list<std::unique_ptr<connection>> connections_{};
    std::vector<lingering> lingering_{}; // refused ones, until they have read why
};

} // namespace cli
