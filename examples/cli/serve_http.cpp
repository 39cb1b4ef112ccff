#include "serve_http.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tokenworks/core/error.hpp>
#include <tokenworks/serve/api_error.hpp>
#include <tokenworks/serve/http_message.hpp>

namespace cli {

namespace serve = tw::serve;

namespace {

using clock = std::chrono::steady_clock;

clock::time_point after(double seconds) {
    return clock::now() + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds));
}

/// Waits for one of the events, until then. What came, or 0.
short wait_for(int socket, short events, clock::time_point until) {
    for(;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
        pollfd one{socket, events, 0};
        const int found = ::poll(&one, 1, static_cast<int>(std::clamp<long long>(left, 0, 60000)));
        if(found > 0) {
            return one.revents;
        }
        if((found == 0 && left <= 60000) || (found < 0 && errno != EINTR)) {
            return 0;
        }
    }
}

/// Sends all bytes until then. False: the client has gone, or does not read.
bool send_all(int socket, std::string_view bytes, clock::time_point until) {
    while(!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if(sent > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if(sent < 0 && errno == EINTR) {
            continue;
        } else if(sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            const short events = wait_for(socket, POLLOUT, until);
            if((events & POLLOUT) == 0) {
                return false;
            }
        } else {
            return false;
        }
    }
    return true;
}

/// Bytes of a request, at most so many; nothing at the end of the connection, or where none came by then.
enum class read_result { bytes, late, over };
read_result receive(int socket, std::string& to, clock::time_point until) {
    std::array<char, 16384> buffer;
    for(;;) {
        const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if(got > 0) {
            to.append(buffer.data(), static_cast<std::size_t>(got));
            return read_result::bytes;
        }
        if(got == 0) {
            return read_result::over;
        }
        if(errno == EAGAIN || errno == EWOULDBLOCK) {
            const short events = wait_for(socket, POLLIN, until);
            if(events == 0) {
                return read_result::late;
            }
        } else if(errno != EINTR) {
            return read_result::over;
        }
    }
}

std::string error_answer(const serve::api_error& problem) {
    const std::string body = problem.body();
    serve::http_fields more;
    if(problem.retry_after() > 0) {
        more.emplace_back("Retry-After", std::to_string(static_cast<long>(problem.retry_after() + 0.999)));
    }
    return serve::http_response_head(problem.status(), "application/json", body.size(), false, more) + body;
}

/// Ends a connection of which not all was read, so that the answer arrives: closing at once would cut it off.
void close_gently(int socket) {
    ::shutdown(socket, SHUT_WR);
    const clock::time_point until = after(1);
    std::string ignored;
    for(std::size_t most = 256; most > 0 && receive(socket, ignored, until) == read_result::bytes; --most) {
        ignored.clear();
    }
}

std::string text_of(const sockaddr* address, socklen_t length) {
    std::array<char, NI_MAXHOST> host{};
    return ::getnameinfo(address, length, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) == 0 ? host.data()
                                                                                                     : "unknown";
}

} // namespace

bool exchange::put(std::string_view bytes) {
    if(!is_broken_) {
        const double seconds = how_.write_time + static_cast<double>(bytes.size()) / 65536;
        is_broken_ = !send_all(socket_, bytes, after(seconds));
    }
    return !is_broken_;
}

bool exchange::send(int status, std::string_view type, std::string_view body, const serve::http_fields& more) {
    status_ = status;
    std::string all = serve::http_response_head(status, type, body.size(), keeps_ && request.keep_alive, more);
    if(request.method != "HEAD") {
        all += body;
    }
    return put(all);
}

bool exchange::begin(int status, std::string_view type, const serve::http_fields& more) {
    status_ = status;
    is_open_ = true;
    if(request.chunked) {
        return put(serve::http_response_head(status, type, std::nullopt, keeps_ && request.keep_alive, more));
    }
    keeps_ = false; // of HTTP/1.0: the end of the connection is the end of the answer
    std::string head = serve::http_response_head(status, type, 0, false, more);
    const std::string_view none = "Content-Length: 0\r\n";
    head.erase(head.find(none), none.size());
    return put(head);
}

bool exchange::write(std::string_view piece) {
    return piece.empty() || put(request.chunked ? serve::http_chunk(piece) : std::string{piece});
}

bool exchange::end() {
    is_open_ = false;
    return !request.chunked || put(serve::http_chunk({}));
}

bool exchange::is_gone() const {
    if(!is_broken_) {
        pollfd one{socket_, POLLRDHUP, 0};
        is_broken_ = ::poll(&one, 1, 0) > 0 && (one.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
    }
    return is_broken_;
}

http_server::http_server(http_options how, handler handle, refusal refused)
    : how_{std::move(how)}, handle_{std::move(handle)}, refused_{std::move(refused)} {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string where = how_.host + ":" + std::to_string(how_.port);
    if(const int problem = ::getaddrinfo(how_.host.c_str(), std::to_string(how_.port).c_str(), &hints, &found)) {
        throw tw::io_error(where, ::gai_strerror(problem));
    }
    int problem = 0;
    for(const addrinfo* each = found; each != nullptr && listener_ < 0; each = each->ai_next) {
        listener_ = ::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, each->ai_protocol);
        const int yes = 1;
        if(listener_ >= 0) {
            ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        }
        if(listener_ < 0 || ::bind(listener_, each->ai_addr, each->ai_addrlen) != 0 || ::listen(listener_, 512) != 0) {
            problem = errno;
            if(listener_ >= 0) {
                ::close(listener_);
            }
            listener_ = -1;
        }
    }
    ::freeaddrinfo(found);
    if(listener_ < 0) {
        throw tw::io_error(where, "cannot listen: " + std::generic_category().message(problem));
    }
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&own), &length);
    std::array<char, NI_MAXSERV> port{};
    ::getnameinfo(reinterpret_cast<sockaddr*>(&own), length, nullptr, 0, port.data(), port.size(), NI_NUMERICSERV);
    port_ = static_cast<unsigned>(std::atoi(port.data()));
    if(::pipe(wake_) != 0) {
        ::close(listener_);
        throw tw::io_error(where, "cannot make a pipe: " + std::generic_category().message(errno));
    }
}

http_server::~http_server() {
    close();
    for(const int each: {listener_, wake_[0], wake_[1]}) {
        if(each >= 0) {
            ::close(each);
        }
    }
}

std::string http_server::address() const {
    const bool is_v6 = how_.host.find(':') != std::string::npos;
    return "http://" + (is_v6 ? "[" + how_.host + "]" : how_.host) + ":" + std::to_string(port_);
}

void http_server::stop() noexcept {
    const char byte = 0;
    static_cast<void>(!::write(wake_[1], &byte, 1));
}

void http_server::run(const std::function<void()>& tick) {
    for(;;) {
        std::array<pollfd, 2> both{pollfd{listener_, POLLIN, 0}, pollfd{wake_[0], POLLIN, 0}};
        const int found = ::poll(both.data(), both.size(), lingering_.empty() ? 250 : 20);
        if(found > 0 && both[1].revents != 0) {
            return;
        }
        if(found > 0 && both[0].revents != 0) {
            accept_one();
        }
        reap(false);
        linger();
        tick();
    }
}

void http_server::accept_one() {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    const int socket = ::accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC);
    if(socket < 0) {
        if(errno == EMFILE || errno == ENFILE || errno == ENOMEM) { // nothing to be had for a while
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
        }
        return;
    }
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    reap(false);
    const auto refuse = [&] {
        refused_(503);
        const std::string answer =
            error_answer(serve::api_error{503, "the server has as many connections as it takes", {}, "overloaded", 1});
        static_cast<void>(send_all(socket, answer, clock::now()));
        ::shutdown(socket, SHUT_WR);
        if(lingering_.size() < 512) {
            lingering_.push_back({socket, after(1)});
        } else {
            ::close(socket);
        }
    };
    if(connections_.size() >= how_.connections) {
        refuse();
        return;
    }
    auto on = std::make_unique<connection>();
    on->socket = socket;
    on->peer = text_of(reinterpret_cast<sockaddr*>(&peer), length);
    connection& own = *on;
    try {
        own.thread = std::thread{[this, &own] { serve(own); }};
    } catch(const std::system_error&) { // no more threads
        refuse();
        return;
    }
    connections_.push_back(std::move(on));
}

void http_server::reap(bool all) {
    for(auto at = connections_.begin(); at != connections_.end();) {
        if(all || (*at)->is_over) {
            (*at)->thread.join();
            ::close((*at)->socket);
            at = connections_.erase(at);
        } else {
            ++at;
        }
    }
}

/// Lets refused clients read why: closing at once would cut the answer off.
void http_server::linger() {
    std::erase_if(lingering_, [](const lingering& each) {
        std::array<char, 16384> ignored;
        ssize_t got = 1;
        for(int i = 0; i < 16 && got > 0; ++i) {
            got = ::recv(each.socket, ignored.data(), ignored.size(), MSG_DONTWAIT);
        }
        const bool waits = got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
        if(waits && clock::now() < each.until) {
            return false;
        }
        ::close(each.socket);
        return true;
    });
}

void http_server::serve(connection& on) {
    try {
        std::string rest;
        while(!draining_ && serve_one(on, rest)) {
        }
    } catch(const std::exception&) { // out of memory: this connection ends, the others go on
    }
    ::shutdown(on.socket, SHUT_RDWR);
    on.is_over = true;
}

bool http_server::serve_one(connection& on, std::string& rest) {
    on.is_idle = true;
    serve::http_reader reader{how_.limits};
    clock::time_point until = after(how_.idle_time);
    bool begun = false;
    bool has_head = false;
    try {
        while(!reader.is_complete()) {
            if(rest.empty()) {
                const read_result got = receive(on.socket, rest, until);
                if(got == read_result::over) {
                    return false;
                }
                if(got == read_result::late) {
                    if(!begun) {
                        return false;
                    }
                    throw serve::api_error{408, "HTTP: the request did not arrive in time"};
                }
            }
            rest.erase(0, reader.feed(rest));
            if(!begun && reader.has_begun()) {
                begun = true;
                on.is_idle = false;
                until = after(how_.head_time);
            }
            if(!has_head && reader.has_head()) {
                has_head = true;
                until = after(how_.body_time);
                if(reader.wants_continue() && rest.empty()) {
                    static_cast<void>(send_all(on.socket, "HTTP/1.1 100 Continue\r\n\r\n", until));
                }
            }
        }
    } catch(const serve::api_error& problem) {
        refused_(problem.status());
        static_cast<void>(send_all(on.socket, error_answer(problem), after(how_.write_time)));
        close_gently(on.socket);
        return false;
    }
    exchange one{on.socket, how_, reader.take(), on.peer};
    if(draining_) {
        one.close_after();
    }
    handle_(one);
    return one.keeps() && !draining_;
}

bool http_server::drain(clock::time_point deadline, const std::function<bool()>& hurry) {
    draining_ = true;
    ::close(listener_);
    listener_ = -1;
    for(const std::unique_ptr<connection>& each: connections_) {
        if(each->is_idle) {
            ::shutdown(each->socket, SHUT_RD);
        }
    }
    while(clock::now() < deadline && !hurry()) {
        reap(false);
        linger();
        if(connections_.empty()) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return connections_.empty();
}

void http_server::close() {
    draining_ = true;
    for(const std::unique_ptr<connection>& each: connections_) {
        ::shutdown(each->socket, SHUT_RDWR);
    }
    reap(true);
    for(const lingering& each: lingering_) {
        ::close(each.socket);
    }
    lingering_.clear();
}

} // namespace cli
