#include <tokenworks/codec/jinja_methods.hpp>

#include <string>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using jinja_run::refusal;
using jinja_run::shown;

namespace {

const value dict = value::dict({{"a", 1}, {"items", 2}, {"1", 3}});
const value list = value::list({"x", "y", value::dict({{"k", value::list({7, 8})}})});

/// What an undefined value says of itself.
std::string hint(machine& m, const value& v) {
    return refusal([&] { m.refuse_undefined(v); });
}

value called(machine& m, const value& method, value::list_type given = {}) {
    const auto& of = static_cast<const method_object&>(*method.shared());
    return of.what.run(m, of.self, bound{m, of.what, {std::move(given), {}}});
}

} // namespace

TEST_CASE("jinja_methods: a dot finds methods before keys, brackets keys before methods", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(get_attribute(m, dict, "a").integer() == 1);
    CHECK(get_item(m, dict, "a").integer() == 1);
    CHECK(get_attribute(m, dict, "items").is(kind::method));
    CHECK(get_item(m, dict, "items").integer() == 2);
    CHECK(get_item(m, dict, "keys").is(kind::method));
    CHECK(shown(m, called(m, get_attribute(m, dict, "items"))) == "dict_items([('a', 1), ('items', 2), ('1', 3)])");
    CHECK(shown(m, called(m, get_attribute(m, dict, "values"))) == "dict_values([1, 2, 3])");
    CHECK(called(m, get_attribute(m, dict, "get"), {"a"}).integer() == 1);
    CHECK(called(m, get_attribute(m, dict, "get"), {"z"}).is(kind::none));
    CHECK(called(m, get_attribute(m, dict, "get"), {"z", 9}).integer() == 9);
    CHECK(called(m, get_attribute(m, list, "index"), {"y"}).integer() == 1);
    CHECK(called(m, get_attribute(m, list, "count"), {"x"}).integer() == 1);
    CHECK(called(m, get_attribute(m, "ab", "upper")).view() == "AB");
}

TEST_CASE("jinja_methods: items by place", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(get_item(m, list, 0).view() == "x");
    CHECK(get_item(m, list, -2).view() == "y");
    CHECK(get_item(m, list, true).view() == "y");
    CHECK(get_item(m, "añb", 1).view() == "ñ");
    CHECK(get_item(m, "añb", -1).view() == "b");
    CHECK(hint(m, get_item(m, list, 3)) == "a value of type list has no item 3");
    CHECK(hint(m, get_item(m, list, -4)) == "a value of type list has no item -4");
    CHECK(hint(m, get_item(m, list, 0.5)) == "a value of type list has no item of type float");
    CHECK(get_item(m, dict, 1).is(kind::undefined)); // the key is a text
}

TEST_CASE("jinja_methods: paths of the filters that take an attribute", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(get_path(m, list, "2.k.1").integer() == 8);
    CHECK(get_path(m, list, 1).view() == "y");
    CHECK(get_path(m, list, nullptr).shared() == list.shared());
    CHECK(get_path(m, list, "2.nope").is(kind::undefined));
    CHECK(refusal([&] { (void)get_path(m, list, "2.nope.more"); }) == "a value of type dict has no attribute nope");
}

TEST_CASE("jinja_methods: what is not to be had", "[codec]") {
    machine m{"t", limits{}, 0};
    for(const char* name: {"__class__", "__init__", "__globals__"}) {
        CHECK(hint(m, get_attribute(m, "x", name)) == std::string{"the attribute "} + name + " is not to be had");
        CHECK(hint(m, get_item(m, dict, name)) == std::string{"the attribute "} + name + " is not to be had");
    }
    for(const char* name: {"append", "pop", "clear", "update", "sort"}) {
        CHECK(hint(m, get_attribute(m, list, name)) ==
              std::string{"a template may not change a value: "} + name + " is not to be had");
    }
    CHECK(hint(m, get_attribute(m, 7, "real")) == "a value of type int has no attribute real");
    const value undefined = m.undefined({"'x' is undefined"});
    CHECK(refusal([&] { (void)get_attribute(m, undefined, "y"); }) == "'x' is undefined");
    CHECK(refusal([&] { (void)get_item(m, undefined, 0); }) == "'x' is undefined");
}
