#include <tokenworks/serve/http_message.hpp>

#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace serve = tokenworks::serve;

namespace {

/// Reads a request that comes in pieces of so many bytes. @param left  what was not taken
serve::http_request read(std::string_view bytes, std::size_t piece, std::string* left = nullptr,
                         const serve::http_limits& limits = {}) {
    serve::http_reader reader{limits};
    std::string rest;
    while(!reader.is_complete()) {
        if(rest.empty()) {
            REQUIRE_FALSE(bytes.empty());
            rest = bytes.substr(0, piece);
            bytes.remove_prefix(rest.size());
        }
        rest.erase(0, reader.feed(rest));
    }
    if(left != nullptr) {
        *left = rest + std::string{bytes};
    }
    return reader.take();
}

/// The status that bytes are refused with; 0: they are not.
int refused(std::string_view bytes, const serve::http_limits& limits = {}) {
    int status = 0;
    for(const std::size_t piece: {std::size_t{1}, bytes.size()}) {
        serve::http_reader reader{limits};
        int now = 0;
        try {
            for(std::size_t at = 0; at < bytes.size() && !reader.is_complete(); at += piece) {
                std::string_view rest = bytes.substr(at, piece);
                while(!rest.empty() && !reader.is_complete()) {
                    rest.remove_prefix(reader.feed(rest));
                }
            }
        } catch(const serve::api_error& problem) {
            now = problem.status();
        }
        CHECK((piece == 1 || now == status)); // however it comes
        status = now;
    }
    return status;
}

constexpr std::string_view post = "POST /v1/x HTTP/1.1\r\nHost: a\r\n";

} // namespace

TEST_CASE("http_message: a request in pieces of any size", "[serve]") {
    const std::string all =
        "\r\nPOST /v1/x?a=b HTTP/1.1\r\nHost: a\r\nContent-Length:  5 \r\nX-Thing:\r\n\r\nhelloGET /";
    for(std::size_t piece = 1; piece <= all.size(); ++piece) {
        std::string left;
        const serve::http_request ask = read(all, piece, &left);
        CHECK(ask.method == "POST");
        CHECK(ask.path == "/v1/x");
        CHECK(ask.query == "a=b");
        CHECK(ask.body == "hello");
        CHECK(ask.find("host") == std::string_view{"a"});
        CHECK(ask.find("x-thing") == std::string_view{""});
        CHECK_FALSE(ask.find("nothing"));
        CHECK(ask.keep_alive);
        CHECK(left == "GET /");
    }
}

TEST_CASE("http_message: a body in chunks", "[serve]") {
    const std::string all = std::string{post} + "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n"
                                                "0\r\nTrailer: 1\r\n\r\nrest";
    for(const std::size_t piece: {1U, 2U, 7U, 1000U}) {
        std::string left;
        CHECK(read(all, piece, &left).body == "abc0123456789");
        CHECK(left == "rest");
    }
}

TEST_CASE("http_message: connections that stay, and those that do not", "[serve]") {
    CHECK_FALSE(read("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 100).keep_alive);
    const serve::http_request old = read("GET / HTTP/1.0\r\n\r\n", 100);
    CHECK_FALSE(old.keep_alive);
    CHECK_FALSE(old.chunked);
    CHECK(read("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 100).keep_alive);
    CHECK(read("GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 100).path == "/b");
    serve::http_reader waits;
    const std::string head = std::string{post} + "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    CHECK(waits.feed(head) == head.size());
    CHECK(waits.wants_continue());
}

TEST_CASE("http_message: what is refused, and with which status", "[serve]") {
    const auto with = [](const std::string& more) { return std::string{post} + more + "\r\n\r\n"; };
    CHECK(refused("hello\r\n\r\n") == 400);
    CHECK(refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(refused("G(T / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(refused("GET x HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
    CHECK(refused("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400);
    CHECK(refused("GET / HTTP/1.1\nHost: a\r\n\r\n") == 400);
    CHECK(refused(with("A : b")) == 400);
    CHECK(refused(with(" folded")) == 400);
    CHECK(refused(with("A: b\x01")) == 400);
    CHECK(refused(with("Content-Length: -1")) == 400);
    CHECK(refused(with("Content-Length: 0x1")) == 400);
    CHECK(refused(with("Content-Length: 1\r\nContent-Length: 1")) == 400);
    CHECK(refused(with("Content-Length: 1\r\nTransfer-Encoding: chunked")) == 400);
    CHECK(refused(with("Transfer-Encoding: gzip")) == 501);
    CHECK(refused(with("Expect: tea")) == 417);
    CHECK(refused(with("Transfer-Encoding: chunked") + "x\r\n") == 400);
    CHECK(refused(with("Transfer-Encoding: chunked") + "-1\r\n") == 400);
    CHECK(refused(with("Transfer-Encoding: chunked") + "1\r\nab\r\n") == 400);
}

TEST_CASE("http_message: limits hold to the byte", "[serve]") {
    const serve::http_limits limits{.head_bytes = 200, .target_bytes = 20, .fields = 3, .body_bytes = 10};
    const auto with = [](const std::string& more) { return std::string{post} + more + "\r\n\r\n"; };
    CHECK(refused(with("Content-Length: 10") + "0123456789", limits) == 0);
    CHECK(refused(with("Content-Length: 11"), limits) == 413);
    CHECK(refused(with("Content-Length: 99999999999999999999999"), limits) == 413);
    CHECK(refused(with("Transfer-Encoding: chunked") + "5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n", limits) == 0);
    CHECK(refused(with("Transfer-Encoding: chunked") + "5\r\n01234\r\n6\r\n", limits) == 413);
    CHECK(refused(with("Transfer-Encoding: chunked") + "fffffffffffffffff\r\n", limits) == 413);
    CHECK(refused(with("A: b\r\nC: d"), limits) == 0);
    CHECK(refused(with("A: b\r\nC: d\r\nE: f"), limits) == 431);
    CHECK(refused("GET /" + std::string(19, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits) == 0);
    CHECK(refused("GET /" + std::string(20, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits) == 414);
    CHECK(refused(with("A: " + std::string(300, 'b')), limits) == 431);
}

TEST_CASE("http_message: heads of answers", "[serve]") {
    CHECK(serve::http_response_head(200, "text/plain", 3, true, {{"A", "b"}}) ==
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\nA: b\r\n\r\n");
    CHECK(serve::http_response_head(503, "", std::nullopt, false) ==
          "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    CHECK(serve::http_chunk("hello, all the world") == "14\r\nhello, all the world\r\n");
    CHECK(serve::http_chunk("") == "0\r\n\r\n");
}
