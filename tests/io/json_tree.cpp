#include <tokenworks/io/json_tree.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using tokenworks::io::json_tree;
using tokenworks::io::json_value;

namespace {

json_tree tree(std::string_view text) { return {files::bytes_of(text), "a.json"}; }

template <class Call>
std::string refusal(Call&& call) {
    return files::refusal<tw::format_error>(std::forward<Call>(call));
}

} // namespace

TEST_CASE("json_tree: values of every kind", "[io]") {
    const json_tree t = tree(R"({"n":null,"t":true,"f":false,"w":18446744073709551615,"m":-5,"r":-1.5e1,"s":"a\u00e9\n",
        "a":[1,[2,{}],"x"],"o":{"p":{"q":1}}})");
    const json_value root = t.root();
    CHECK(root.is_object());
    CHECK(root.size() == 9);
    CHECK_FALSE(root.find("n", {"n"})); // null counts as absent
    CHECK_FALSE(root.find("none", {"none"}));
    CHECK(root.find("t", {"t"})->boolean({"t"}));
    CHECK_FALSE(root.find("f", {"f"})->boolean({"f"}));
    CHECK(root.find("w", {"w"})->whole({"w"}) == std::numeric_limits<std::uint64_t>::max());
    CHECK(root.find("m", {"m"})->number({"m"}) == -5);
    CHECK(root.find("r", {"r"})->number({"r"}) == -15);
    CHECK(root.find("r", {"r"})->spelling() == "-1.5e1");
    CHECK(root.find("m", {"m"})->spelling().empty());
    CHECK(root.find("s", {"s"})->string({"s"}) == "a\xC3\xA9\n");
    std::vector<json_value::kind> kinds;
    root.find("a", {"a"})->elements({"a"}, [&](json_value v) { kinds.push_back(v.type()); });
    CHECK(kinds == std::vector{json_value::kind::whole, json_value::kind::array, json_value::kind::string});
    std::string names;
    root.members({"JSON"}, [&](std::string_view key, json_value) { names += key; });
    CHECK(names == "ntfwmrsao");
    CHECK(root.find("o", {"o"})->find("p", {"o.p"})->find("q", {"o.p.q"})->whole({"o.p.q"}) == 1);
    CHECK(tree("1e-999").root().number({"JSON"}) == 0);
    CHECK(tree("7").root().whole({"JSON"}) == 7);
    CHECK(tree("[]").root().size() == 0);
}

TEST_CASE("json_tree: what a value is not", "[io]") {
    const json_tree t = tree(R"([true,-1,1.5,"s",{},300])");
    std::vector<json_value> v;
    t.root().elements({"a"}, [&](json_value value) { v.push_back(value); });
    CHECK(refusal([&] { static_cast<void>(v[0].whole({"x.y"})); }) == "a.json: x.y: is a bool, not a whole number");
    CHECK(refusal([&] { static_cast<void>(v[1].whole({"x"})); }) ==
          "a.json: x: is a negative number, not a whole number");
    CHECK(refusal([&] { static_cast<void>(v[2].boolean({"x"})); }) == "a.json: x: is a number, not a bool");
    CHECK(refusal([&] { static_cast<void>(v[3].number({"x"})); }) == "a.json: x: is a string, not a number");
    CHECK(refusal([&] { static_cast<void>(v[4].string({"x"})); }) == "a.json: x: is an object, not a string");
    CHECK(refusal([&] {
              static_cast<void>(v[5].whole({"x[", 1, "]"}, 255));
          }) == "a.json: x[1]: is 300; the most is 255");
    CHECK(refusal([&] { static_cast<void>(v[3].find("k", {"x"})); }) == "a.json: x: is a string, not an object");
    CHECK(refusal([&] { v[4].elements({"x"}, [](json_value) {}); }) == "a.json: x: is an object, not an array");
}

TEST_CASE("json_tree: malformed and hostile documents", "[io]") {
    for(const char* text: {"", "{", "[1,]", "nul", "{\"a\":1,\"a\":2}", "1 2", "[NaN]", "\"\xFF\"", "{a:1}", "1e999"}) {
        INFO(text);
        CHECK_THROWS_AS(tree(text), tw::format_error);
    }
    CHECK_THROWS_AS(tree(std::string(129, '[') + std::string(129, ']')), tw::limit_error);
    CHECK_NOTHROW(tree(std::string(128, '[') + std::string(128, ']')));
    CHECK_THROWS_AS((json_tree{files::bytes_of("[[1]]"), "a.json", 1}), tw::limit_error);
}
