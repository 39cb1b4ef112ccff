// Fuzzes what a server reads: bytes of HTTP, whole and in pieces, and the bodies of the interfaces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tokenworks/serve/chat_request.hpp>
#include <tokenworks/serve/completion_request.hpp>
#include <tokenworks/serve/http_message.hpp>

namespace {

namespace serve = tokenworks::serve;

struct outcome {
    int status = 0; ///< that it was refused with; 0: it was not
    std::size_t used = 0;
    std::optional<serve::http_request> request{};
};

outcome read(std::string_view bytes, std::size_t piece) {
    outcome out;
    const serve::http_limits limits{.head_bytes = 512, .target_bytes = 64, .fields = 8, .body_bytes = 4096};
    serve::http_reader reader{limits};
    try {
        while(out.used < bytes.size() && !reader.is_complete()) {
            const std::size_t taken = reader.feed(bytes.substr(out.used, piece));
            if(taken == 0 || taken > piece) {
                __builtin_trap(); // it would never end
            }
            out.used += taken;
        }
        if(reader.is_complete()) {
            out.request = reader.take();
        }
    } catch(const serve::api_error& problem) {
        out.status = problem.status();
    }
    return out;
}

void parse(std::string_view body) {
    try {
        static_cast<void>(serve::parse_chat_request(body));
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    try {
        static_cast<void>(serve::parse_completion_request(body));
    } catch(const tokenworks::error&) {
    }
    serve::tool_call_reader calls{true};
    static_cast<void>(calls.push(body));
    static_cast<void>(calls.finish());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view all{reinterpret_cast<const char*>(data), size};
    const outcome whole = read(all, std::max<std::size_t>(size, 1));
    const outcome pieces = read(all, 3);
    if(whole.status != pieces.status || whole.request.has_value() != pieces.request.has_value()) {
        __builtin_trap(); // how bytes come must not matter
    }
    if(whole.request) {
        if(whole.used != pieces.used || whole.request->body != pieces.request->body ||
           whole.request->fields != pieces.request->fields || whole.request->body.size() > 4096) {
            __builtin_trap();
        }
        parse(whole.request->body);
    }
    parse(all);
    return 0;
}
