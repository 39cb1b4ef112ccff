#include <tokenworks/io/json_tree.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;
using files::refusal;
using nlohmann::json;

namespace {

json tree(std::string_view text, std::uint64_t most = 1000, std::size_t depth = 5) {
    return io::parse_json_tree(files::bytes_of(text), "f", most, depth);
}

} // namespace

TEST_CASE("a JSON document as a tree", "[io][json]") {
    for(const std::string_view text:
        {"{}", "[]", "null", "true", "false", "-3", "7", "1.5", "\"a\"",
         R"({"a":[1,[2,{"b":null}],{}],"c":{"d":-1.25e3,"e":"x"},"f":18446744073709551615})", "[[[[]]],[[[1]]]]"}) {
        INFO(text);
        CHECK(tree(text) == json::parse(text));
    }
    CHECK(tree("[1]")[0].is_number_unsigned());
    CHECK(tree("[-1]")[0].is_number_integer());
    CHECK(tree("[1.0]")[0].is_number_float());
}

TEST_CASE("what is no JSON, or too much of it, is refused", "[io][json]") {
    CHECK(refusal<tw::format_error>([] { (void)tree(R"({"a":1,"a":2})"); }) ==
          "f: a at offset 13: the key occurs twice in one object");
    CHECK_THAT(refusal<tw::format_error>([] { (void)tree("[1,"); }), ContainsSubstring("f: JSON at offset 3"));
    CHECK_THAT(refusal<tw::format_error>([] { (void)tree("[NaN]"); }), ContainsSubstring("f: JSON"));
    CHECK(refusal<tw::limit_error>([] { (void)tree("[1,2]", 4); }) == "f: JSON of 5 bytes is over the limit of 4");
    CHECK_THAT(refusal<tw::limit_error>([] { (void)tree("[[[[[[]]]]]]"); }), ContainsSubstring("more than 5 deep"));
}
