// HTTP/1.1 requests out of bytes as they come, and the heads of responses. No sockets here.
//
//   serve::http_reader read{limits};
//   while(!read.is_complete()) { rest.erase(0, read.feed(rest)); ... }       // throws api_error: 400, 413, 414, 431
//   ... const serve::http_request& ask = read.request();
//
// RFC 9112, and strict where leniency has let requests be smuggled past proxies: lines end with CR LF, no blank stands
// before a colon, a header does not go on in the next line, Content-Length stands once and not beside
// Transfer-Encoding. Everything is bounded: the head in bytes and fields, the body before it is read. A library of HTTP
// was rejected: those at hand bound neither the time of a head nor its fields, and do not tell that a client has gone.
//
// Needs nlohmann-json (through api_error.hpp).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/serve/api_error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

struct http_limits {
    std::size_t head_bytes = std::size_t{32} << 10;
    std::size_t target_bytes = 8192;
    std::size_t fields = 100;
    std::size_t body_bytes = std::size_t{4} << 20;
};

struct http_request {
    std::string method{};
    std::string path{};  ///< of the target, up to a question mark, as it was sent
    std::string query{}; ///< behind it
    bool keep_alive = true;
    bool chunked = true; ///< whether the client can read a chunked answer: not those of HTTP/1.0
    std::vector<std::pair<std::string, std::string>> fields{}; ///< names in small letters
    std::string body{};

    /// The value of a header, the first if there are several; nothing where there is none.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept {
        const auto found = std::ranges::find(fields, name, &std::pair<std::string, std::string>::first);
        return found == fields.end() ? std::nullopt : std::optional{std::string_view{found->second}};
    }
};

/// Letters of ASCII made small.
[[nodiscard]] inline std::string small_letters(std::string_view text) {
    std::string out{text};
    for(char& c: out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

/// Reads one request. After a throw it is of no use, and neither is its connection.
class http_reader {
public:
    explicit http_reader(const http_limits& limits = {}) : limits_{limits} {}

    /// Takes bytes. @return how many of them belong to this request: the others are of the next one
    /// @throws api_error with the status that the client is to be told
    [[nodiscard]] std::size_t feed(std::string_view bytes);

    [[nodiscard]] bool has_begun() const noexcept { return at_ != part::head || !line_.empty(); }
    [[nodiscard]] bool has_head() const noexcept { return at_ != part::head; }
    [[nodiscard]] bool is_complete() const noexcept { return at_ == part::done; }
    /// Whether the client waits for "100 Continue" before it sends the body.
    [[nodiscard]] bool wants_continue() const noexcept { return wants_continue_ && has_head() && !is_complete(); }
    /// Complete with is_complete(); what has come so far before that.
    [[nodiscard]] const http_request& request() const noexcept { return request_; }
    [[nodiscard]] http_request take() noexcept { return std::move(request_); }

private:
    enum class part { head, body, chunk_size, chunk, chunk_end, trailer, done };

    void read_head(std::string_view head);
    void read_request_line(std::string_view line);
    void read_field(std::string_view line);
    void read_lengths();
    [[nodiscard]] std::size_t feed_head(std::string_view bytes);
    [[nodiscard]] std::size_t feed_line(std::string_view bytes, std::size_t most);
    void take_chunk_size(std::string_view line);

    http_limits limits_;
    part at_ = part::head;
    std::string line_{}; // the head so far, or a line of a chunked body
    std::uint64_t left_ = 0;
    std::size_t trailer_bytes_ = 0;
    bool is_old_ = false; // HTTP/1.0
    bool wants_continue_ = false;
    http_request request_{};
};

/// What a status is called.
[[nodiscard]] constexpr std::string_view http_reason(int status) noexcept {
    switch(status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 499:
        return "Client Closed Request";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return status < 500 ? "Error" : "Internal Server Error";
    }
}

using http_fields = std::vector<std::pair<std::string, std::string>>;

/// The head of a response, with the empty line behind it.
/// @param length  of the body, bytes; nothing: it is sent in chunks
[[nodiscard]] inline std::string http_response_head(int status, std::string_view type,
                                                    std::optional<std::size_t> length, bool keep_alive,
                                                    const http_fields& more = {}) {
    std::string out = "HTTP/1.1 " + std::to_string(status) + " ";
    out += http_reason(status);
    out += "\r\n";
    if(!type.empty()) {
        out += "Content-Type: " + std::string{type} + "\r\n";
    }
    out += length ? "Content-Length: " + std::to_string(*length) + "\r\n" : "Transfer-Encoding: chunked\r\n";
    out += keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
    for(const auto& [name, value]: more) {
        out.append(name).append(": ").append(value).append("\r\n");
    }
    return out + "\r\n";
}

/// A piece of a chunked body; an empty one ends it.
[[nodiscard]] inline std::string http_chunk(std::string_view bytes) {
    char digits[17];
    const auto [end, problem] = std::to_chars(digits, digits + sizeof digits, bytes.size(), 16);
    static_cast<void>(problem); // sixteen digits fit
    std::string out{digits, end};
    out += "\r\n";
    out += bytes;
    return out + "\r\n";
}

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// A character of a method or of a header's name.
[[nodiscard]] constexpr bool is_http_token(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}
[[nodiscard]] inline bool is_http_token(std::string_view text) noexcept {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return is_http_token(c); });
}

[[noreturn]] inline void refuse_http(int status, const std::string& what) { throw api_error{status, "HTTP: " + what}; }

} // namespace detail

TOKENWORKS_FUNCTION void http_reader::read_request_line(std::string_view line) {
    const std::size_t first = line.find(' ');
    const std::size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
    if(second == line.npos || line.find(' ', second + 1) != line.npos) {
        detail::refuse_http(400, "the first line is not METHOD TARGET VERSION");
    }
    request_.method = line.substr(0, first);
    std::string_view target = line.substr(first + 1, second - first - 1);
    const std::string_view version = line.substr(second + 1);
    if(!detail::is_http_token(request_.method) || request_.method.size() > 32) {
        detail::refuse_http(400, "the method is no word");
    }
    if(target.size() > limits_.target_bytes) {
        detail::refuse_http(414, "the target is longer than " + std::to_string(limits_.target_bytes) + " bytes");
    }
    for(const std::string_view scheme: {"http://", "https://"}) { // as clients of a proxy send it
        if(target.starts_with(scheme)) {
            const std::size_t slash = target.find('/', scheme.size());
            target = slash == target.npos ? std::string_view{"/"} : target.substr(slash);
        }
    }
    if(!target.starts_with('/') || !std::ranges::all_of(target, [](char c) { return c > 0x20 && c < 0x7F; })) {
        detail::refuse_http(400, "the target is no path");
    }
    const std::size_t question = target.find('?');
    request_.path = target.substr(0, question);
    if(question != target.npos) {
        request_.query = target.substr(question + 1);
    }
    if(version != "HTTP/1.1" && version != "HTTP/1.0") {
        detail::refuse_http(version.starts_with("HTTP/") ? 505 : 400, "the version is neither 1.1 nor 1.0");
    }
    is_old_ = version == "HTTP/1.0";
    request_.keep_alive = !is_old_;
    request_.chunked = !is_old_;
}

TOKENWORKS_FUNCTION void http_reader::read_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if(colon == line.npos || !detail::is_http_token(line.substr(0, colon))) {
        detail::refuse_http(400, "a header is not NAME: VALUE");
    }
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    value = value.substr(0, value.find_last_not_of(" \t") + 1);
    if(!std::ranges::all_of(value,
                            [](char c) { return c == '\t' || (c != 0x7F && static_cast<unsigned char>(c) >= 32); })) {
        detail::refuse_http(400, "a header holds a control character");
    }
    if(request_.fields.size() == limits_.fields) {
        detail::refuse_http(431, "there are more than " + std::to_string(limits_.fields) + " headers");
    }
    request_.fields.emplace_back(small_letters(line.substr(0, colon)), std::string{value});
}

TOKENWORKS_FUNCTION void http_reader::read_lengths() {
    const auto count = [&](std::string_view name) {
        return std::ranges::count(request_.fields, name, &std::pair<std::string, std::string>::first);
    };
    if(count("host") > 1 || (count("host") == 0 && !is_old_)) {
        detail::refuse_http(400, "there is not one Host");
    }
    if(const auto connection = request_.find("connection")) {
        const std::string word = small_letters(*connection);
        request_.keep_alive =
            word.find("close") == word.npos && (request_.keep_alive || word.find("keep-alive") != word.npos);
    }
    if(const auto expect = request_.find("expect")) {
        if(small_letters(*expect) != "100-continue") {
            detail::refuse_http(417, "Expect is not 100-continue");
        }
        wants_continue_ = true;
    }
    if(count("transfer-encoding") != 0) {
        if(count("content-length") != 0 || is_old_) {
            detail::refuse_http(400, "Transfer-Encoding does not go with Content-Length, nor with HTTP/1.0");
        }
        if(count("transfer-encoding") > 1 || small_letters(*request_.find("transfer-encoding")) != "chunked") {
            detail::refuse_http(501, "the Transfer-Encoding is not chunked");
        }
        at_ = part::chunk_size;
        return;
    }
    if(count("content-length") > 1) {
        detail::refuse_http(400, "there are several Content-Length");
    }
    if(const auto length = request_.find("content-length")) {
        const char* const end = length->data() + length->size();
        const auto [last, problem] = std::from_chars(length->data(), end, left_);
        const bool is_digits =
            !length->empty() && std::ranges::all_of(*length, [](char c) { return c >= '0' && c <= '9'; });
        if(!is_digits) {
            detail::refuse_http(400, "Content-Length is no number");
        }
        if(problem != std::errc{} || last != end || left_ > limits_.body_bytes) {
            detail::refuse_http(413, "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes");
        }
    }
    at_ = left_ == 0 ? part::done : part::body;
}

TOKENWORKS_FUNCTION void http_reader::read_head(std::string_view head) {
    bool first = true;
    while(!head.empty()) {
        const std::size_t end = head.find("\r\n");
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(std::min(end + 2, head.size()));
        if(line.find_first_of(std::string_view{"\r\n\0", 3}) != line.npos) {
            detail::refuse_http(400, "a line of the head does not end with CR LF");
        }
        if(first) {
            read_request_line(line);
        } else {
            read_field(line);
        }
        first = false;
    }
    read_lengths();
}

TOKENWORKS_FUNCTION std::size_t http_reader::feed_head(std::string_view bytes) {
    std::size_t skipped = 0;
    if(line_.empty()) { // empty lines before a request are passed over
        while(skipped < bytes.size() && (bytes[skipped] == '\r' || bytes[skipped] == '\n')) {
            ++skipped;
        }
    }
    const std::string_view rest = bytes.substr(skipped);
    const std::size_t before = line_.size();
    line_.append(rest.substr(0, limits_.head_bytes + 4 - std::min(before, limits_.head_bytes)));
    const std::size_t end = line_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if(end == line_.npos) {
        if(line_.size() > limits_.head_bytes) {
            detail::refuse_http(431, "the head is larger than " + std::to_string(limits_.head_bytes) + " bytes");
        }
        return bytes.size();
    }
    line_.resize(end + 2);
    const std::string head = std::exchange(line_, {});
    read_head(head);
    return skipped + end + 4 - before;
}

/// Takes bytes up to the end of a line; line_ ends with LF once it is complete.
TOKENWORKS_FUNCTION std::size_t http_reader::feed_line(std::string_view bytes, std::size_t most) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size() - 1) + 1;
    line_.append(bytes.substr(0, end));
    if(line_.size() > most) {
        detail::refuse_http(400, "a line of a chunked body is too long");
    }
    if(line_.ends_with('\n') && !line_.ends_with("\r\n")) {
        detail::refuse_http(400, "a line of a chunked body does not end with CR LF");
    }
    return end;
}

TOKENWORKS_FUNCTION void http_reader::take_chunk_size(std::string_view line) {
    const std::string_view digits = line.substr(0, line.find_first_of(";\r \t"));
    std::uint64_t size = 0;
    const auto [last, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
    if(digits.empty() || problem == std::errc::invalid_argument || last != digits.data() + digits.size()) {
        detail::refuse_http(400, "the size of a chunk is no number");
    }
    if(problem != std::errc{} || size > limits_.body_bytes - request_.body.size()) {
        detail::refuse_http(413, "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes");
    }
    left_ = size;
    at_ = size == 0 ? part::trailer : part::chunk;
}

TOKENWORKS_FUNCTION std::size_t http_reader::feed(std::string_view bytes) {
    std::size_t used = 0;
    while(used < bytes.size() && at_ != part::done) {
        const std::string_view rest = bytes.substr(used);
        if(at_ == part::head) {
            used += feed_head(rest);
        } else if(at_ == part::body || at_ == part::chunk) {
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
            request_.body.append(rest.substr(0, count));
            used += count;
            left_ -= count;
            if(left_ == 0) {
                at_ = at_ == part::body ? part::done : part::chunk_end;
            }
        } else {
            used += feed_line(rest, 4096);
            if(!line_.ends_with('\n')) {
                continue;
            }
            const std::string line = std::exchange(line_, {});
            if(at_ == part::chunk_size) {
                take_chunk_size(line);
            } else if(at_ == part::chunk_end) {
                if(line != "\r\n") {
                    detail::refuse_http(400, "a chunk does not end where it should");
                }
                at_ = part::chunk_size;
            } else {
                trailer_bytes_ += line.size();
                if(trailer_bytes_ > limits_.head_bytes) {
                    detail::refuse_http(431,
                                        "the trailer is larger than " + std::to_string(limits_.head_bytes) + " bytes");
                }
                at_ = line == "\r\n" ? part::done : part::trailer;
            }
        }
    }
    return used;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
