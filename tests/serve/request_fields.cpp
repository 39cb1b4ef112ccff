#include <tokenworks/serve/request_fields.hpp>

#include <string>

#include <tokenworks/serve/generation_request.hpp>

#include "serve/support.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace serve = tw::serve;
using serve_test::field_refused;

TEST_CASE("request_fields: types and ranges", "[serve]") {
    const tw::io::json_tree tree =
        serve::parse_body(R"({"s": "abc", "n": 5, "x": 1.5, "b": true, "none": null, "more": 1})");
    serve::request_fields in{tree.root(), "at"};
    CHECK(in.string("s") == "abc");
    CHECK(in.whole("n", 1, 5) == 5U);
    CHECK(in.number("x", 0, 2) == 1.5);
    CHECK(in.number("n", 0, 5) == 5.0);
    CHECK(in.boolean("b") == true);
    CHECK_FALSE(in.string("none"));
    CHECK_FALSE(in.string("absent"));
    CHECK(in.word("s", {"abc", "d"}) == "abc");
    CHECK(field_refused([&] { static_cast<void>(in.string("s", 2)); }) == "at.s");
    CHECK(field_refused([&] { static_cast<void>(in.whole("n", 1, 4)); }) == "at.n");
    CHECK(field_refused([&] { static_cast<void>(in.whole("n", 6, 9)); }) == "at.n");
    CHECK(field_refused([&] { static_cast<void>(in.whole("x", 0, 9)); }) == "at.x");
    CHECK(field_refused([&] { static_cast<void>(in.number("x", 2, 3)); }) == "at.x");
    CHECK(field_refused([&] { static_cast<void>(in.word("s", {"d"})); }) == "at.s");
    CHECK(field_refused([&] { static_cast<void>(in.need("none")); }) == "at.none");
    CHECK(field_refused([&] { in.finish(); }) == "at.more");
    CHECK_NOTHROW(in.finish({"more"}));
}

TEST_CASE("request_fields: values as trees", "[serve]") {
    constexpr const char* text = R"({"b":[1,-2,2.5,true,null,"x"],"a":{"c":{}},"large":18446744073709551615})";
    const tw::io::json_tree tree = serve::parse_body(text);
    CHECK(serve::json_of(tree.root()).dump() == text); // in its order
    const auto value = serve::template_value_of(tree.root());
    REQUIRE(value.entries().size() == 3);
    CHECK(value.entries()[0].second.items().size() == 6);
    CHECK(value.entries()[0].second.items()[1].integer() == -2);
}
