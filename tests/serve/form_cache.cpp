#include <tokenworks/serve/form_cache.hpp>

#include <memory>
#include <string>

#include "support/catch.hpp"

namespace tw = tokenworks;
namespace serve = tw::serve;
using kind = serve::answer_form::kind;

namespace {

struct no_constraint: tw::sampling::constraint_source {
    [[nodiscard]] std::unique_ptr<tw::sampling::token_constraint>
    start(std::span<const tw::sampling::token_id>) const override {
        return nullptr;
    }
};

} // namespace

TEST_CASE("form_cache: what was compiled is kept, the latest of it", "[serve]") {
    int made = 0;
    serve::form_cache forms{[&](tw::codec::grammar) {
                                ++made;
                                return std::make_shared<const no_constraint>();
                            },
                            2};
    const auto regex = [](const char* text) { return serve::answer_form{kind::regex, text}; };
    CHECK(forms.get({}) == nullptr);
    const auto first = forms.get(regex("a"));
    CHECK(forms.get(regex("a")) == first);
    CHECK(made == 1);
    static_cast<void>(forms.get(regex("b")));
    CHECK(forms.get(regex("a")) == first);
    static_cast<void>(forms.get(regex("c"))); // b goes
    CHECK(forms.get(regex("a")) == first);
    CHECK(made == 3);
    static_cast<void>(forms.get(regex("b")));
    CHECK(made == 4);
}

TEST_CASE("form_cache: grammars of all forms, and refusals", "[serve]") {
    CHECK(serve::grammar_of({kind::gbnf, "root ::= \"a\""}).size() > 0);
    CHECK(serve::grammar_of({kind::json_schema, R"({"type": "object"})"}).size() > 0);
    CHECK(serve::grammar_of({kind::choices, "", {"yes", "no"}}).size() > 0);
    CHECK_THROWS_AS(serve::grammar_of({kind::gbnf, "root ::= root"}), tw::argument_error);
    CHECK_THROWS_AS(serve::grammar_of({kind::json_schema, R"({"not": {}})"}), tw::unsupported_error);
    CHECK_THROWS_AS(serve::grammar_of({kind::regex, "("}), tw::error);
}
