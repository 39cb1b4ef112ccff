#include <tokenworks/serve/generation_request.hpp>

#include <string>

#include "serve/support.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace serve = tw::serve;

TEST_CASE("generation_request: what is shared starts from the server's own settings", "[serve]") {
    const tw::io::json_tree tree = serve::parse_body(R"({"top_k": 3})");
    serve::request_fields in{tree.root()};
    serve::request_rules rules;
    rules.sampling.top_p = 0.25F;
    rules.sampling.top_k = 9;
    serve::generation_request to;
    serve::parse_shared_fields(in, to, rules);
    CHECK(to.options.sampling.top_p == 0.25F);
    CHECK(to.options.sampling.top_k == 3);
    CHECK_NOTHROW(in.finish());
}

TEST_CASE("generation_request: bodies are bounded in depth", "[serve]") {
    CHECK_NOTHROW(serve::parse_body("[[[]]]", 3));
    CHECK_THROWS_AS(serve::parse_body("[[[[]]]]", 3), tw::limit_error);
}
