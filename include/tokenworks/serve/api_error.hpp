// What a client is told when a request fails, in the shape of OpenAI's interface:
//
//   {"error": {"message": "temperature: ...", "type": "invalid_request_error", "param": "temperature", "code": null}}
//
//   try { ... } catch(...) {
//       const serve::api_error said = serve::api_error_of(std::current_exception());
//       send(said.status(), said.body());
//   }
//
// Needs nlohmann-json.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

using json = nlohmann::ordered_json;

/// JSON as bytes; what is no UTF-8 becomes U+FFFD, as in every text that a model may cut in the middle of a character.
[[nodiscard]] inline std::string dump(const json& what) {
    return what.dump(-1, ' ', false, json::error_handler_t::replace);
}

class api_error: public error {
public:
    /// @param status  of HTTP, 400 to 599
    /// @param param   the field of the request that is to blame, or empty
    /// @param code    a word for programs, or empty
    explicit api_error(int status, const std::string& message, std::string param = {}, std::string code = {},
                       double retry_after = 0)
        : error{message},
          status_{status},
          param_{std::move(param)},
          code_{std::move(code)},
          retry_after_{retry_after} {}

    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] const std::string& param() const noexcept { return param_; }
    [[nodiscard]] const std::string& code() const noexcept { return code_; }
    /// Seconds after which it may be tried again; 0: nothing is said of it.
    [[nodiscard]] double retry_after() const noexcept { return retry_after_; }

    [[nodiscard]] std::string_view type() const noexcept {
        switch(status_) {
        case 401:
            return "authentication_error";
        case 403:
            return "permission_error";
        case 404:
            return "not_found_error";
        case 429:
            return "rate_limit_error";
        case 503:
            return "overloaded_error";
        default:
            return status_ < 500 ? "invalid_request_error" : "server_error";
        }
    }

    [[nodiscard]] json to_json() const {
        const auto or_null = [](const std::string& text) { return text.empty() ? json{} : json(text); };
        return {
            {"error", {{"message", what()}, {"type", type()}, {"param", or_null(param_)}, {"code", or_null(code_)}}}};
    }
    [[nodiscard]] std::string body() const { return dump(to_json()); }

private:
    int status_;
    std::string param_;
    std::string code_;
    double retry_after_;
};

/// What an exception of the library means to a client. Nothing is told of errors that are not of this kind: their texts
/// may name files.
[[nodiscard]] inline api_error api_error_of(const std::exception_ptr& problem) {
    try {
        std::rethrow_exception(problem);
    } catch(const api_error& known) {
        return known;
    } catch(const format_error& wrong) {
        return api_error{400, wrong.what(), wrong.field() == "JSON" ? std::string{} : wrong.field()};
    } catch(const capacity_error& wrong) {
        return api_error{400, wrong.what(), {}, "context_length_exceeded"};
    } catch(const limit_error& wrong) {
        return api_error{400, wrong.what(), {}, "limit_exceeded"};
    } catch(const unsupported_error& wrong) {
        return api_error{400, wrong.what(), {}, "unsupported"};
    } catch(const argument_error& wrong) {
        return api_error{400, wrong.what()};
    } catch(const overload_error&) {
        return api_error{503, "the line is full: try again later", {}, "overloaded", 1};
    } catch(const cancelled_error&) {
        return api_error{499, "the request was cancelled"};
    } catch(const std::bad_alloc&) {
        return api_error{503, "out of memory", {}, "overloaded", 5};
    } catch(...) {
        return api_error{500, "the server could not do this; its log says why"};
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
