#include <tokenworks/serve/completion_request.hpp>

#include <string>
#include <variant>
#include <vector>

#include "serve/support.hpp"
#include "support/catch.hpp"

namespace serve = tokenworks::serve;
using serve_test::field_refused;

namespace {

std::string refused(const std::string& body) {
    return field_refused([&] { static_cast<void>(serve::parse_completion_request(body)); });
}

} // namespace

TEST_CASE("completion_request: prompts of all forms", "[serve]") {
    const auto of = [](const std::string& prompt) {
        return serve::parse_completion_request(R"({"prompt": )" + prompt + "}").prompts;
    };
    CHECK(std::get<std::string>(of(R"("a")")[0]) == "a");
    CHECK(of(R"(["a", "b"])").size() == 2);
    REQUIRE(of("[1, 2]").size() == 1);
    CHECK(std::get<std::vector<serve::token_id>>(of("[1, 2]")[0]) == std::vector<serve::token_id>{1, 2});
    CHECK(of("[[1], [2, 3]]").size() == 2);
    CHECK(refused("{}") == "prompt");
    CHECK(refused(R"({"prompt": []})") == "prompt");
    CHECK(refused(R"({"prompt": 1})") == "prompt");
    CHECK(refused(R"({"prompt": [1, -2]})") == "prompt[1]");
    CHECK(refused(R"({"prompt": [1, 2147483648]})") == "prompt[1]");
    CHECK(refused(R"({"prompt": ["a", 1]})") == "prompt[1]");
    CHECK(refused(R"({"prompt": [[1], [true]]})") == "prompt[1][0]");
}

TEST_CASE("completion_request: fields of its own", "[serve]") {
    const serve::completion_request ask = serve::parse_completion_request(
        R"({"prompt": "a", "echo": true, "logprobs": 3, "n": 2, "best_of": 2, "max_tokens": 5})");
    CHECK(ask.echo);
    CHECK(ask.logprobs == std::size_t{3});
    CHECK(ask.options.max_tokens == 5);
    CHECK(serve::parse_completion_request(R"({"prompt": "a"})").options.max_tokens == 16);
    CHECK(serve::parse_completion_request(R"({"prompt": "a", "suffix": "z"})").suffix == "z");
    CHECK(refused(R"({"prompt": "a", "best_of": 2})") == "best_of");
    CHECK(refused(R"({"prompt": "a", "logprobs": 21})") == "logprobs");
    CHECK(refused(R"({"prompt": "a", "echo": true, "suffix": "b"})") == "suffix");
    CHECK(refused(R"({"prompt": "a", "messages": []})") == "messages");
}
