#include <tokenworks/serve/api_error.hpp>

#include <exception>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"

namespace tw = tokenworks;
namespace serve = tw::serve;

namespace {

template <class Error>
serve::api_error told(const Error& problem) {
    return serve::api_error_of(std::make_exception_ptr(problem));
}

} // namespace

TEST_CASE("api_error: its body", "[serve]") {
    CHECK(serve::api_error{400, "no", "n", "c"}.body() ==
          R"({"error":{"message":"no","type":"invalid_request_error","param":"n","code":"c"}})");
    CHECK(serve::api_error{503, "full \xff"}.body() ==
          "{\"error\":{\"message\":\"full \xEF\xBF\xBD\",\"type\":\"overloaded_error\",\"param\":null,\"code\":null}}");
    CHECK(serve::api_error{429, ""}.type() == "rate_limit_error");
    CHECK(serve::api_error{500, ""}.type() == "server_error");
}

TEST_CASE("api_error: what errors of the library mean to a client", "[serve]") {
    CHECK(told(tw::format_error("request", "n", 3, "is wrong")).param() == "n");
    CHECK(told(tw::format_error("request", "JSON", 3, "is wrong")).param().empty());
    CHECK(told(tw::capacity_error("x")).code() == "context_length_exceeded");
    CHECK(told(tw::limit_error("x")).status() == 400);
    CHECK(told(tw::unsupported_error("x")).status() == 400);
    CHECK(told(tw::argument_error("x")).status() == 400);
    CHECK(told(tw::overload_error("x")).status() == 503);
    CHECK(told(tw::overload_error("x")).retry_after() > 0);
    CHECK(told(tw::cancelled_error("x")).status() == 499);
    CHECK(told(std::bad_alloc{}).status() == 503);
    CHECK(told(serve::api_error{418, "tea"}).status() == 418);
    const serve::api_error hidden = told(std::runtime_error{"/home/x"});
    CHECK(hidden.status() == 500);
    CHECK(std::string{hidden.what()}.find("/home") == std::string::npos);
}
