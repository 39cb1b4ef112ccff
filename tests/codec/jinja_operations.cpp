#include <tokenworks/codec/jinja_operations.hpp>

#include <limits>
#include <string>
#include <string_view>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using jinja_run::refusal;
using jinja_run::shown;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
const value list = value::list({1, 2, 3});
const value tuple = value::list({1, 2, 3}, flavour::tuple);
const value dict = value::dict({{"a", 1}, {"b", 2}});

} // namespace

TEST_CASE("jinja_operations: truth", "[codec]") {
    for(const value& v: {value{true}, value{-1}, value{0.5}, value{not_a_number}, value{"0"}, list, dict}) {
        CHECK(is_true(v));
    }
    for(const value& v: {value{}, value{false}, value{0}, value{-0.0}, value{""}, value::list({}), value::dict({})}) {
        CHECK_FALSE(is_true(v));
    }
    CHECK(is_true(value::list({}, flavour::generator))); // which has no length
}

TEST_CASE("jinja_operations: equality and order", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(equal(m, 1, 1.0));
    CHECK(equal(m, true, 1));
    CHECK_FALSE(equal(m, "1", 1));
    CHECK_FALSE(equal(m, not_a_number, not_a_number));
    CHECK_FALSE(equal(m, list, tuple));
    CHECK(equal(m, list, value::list({1.0, 2, 3})));
    CHECK(equal(m, dict, value::dict({{"b", 2}, {"a", 1}}))); // in any order
    CHECK_FALSE(equal(m, dict, value::dict({{"a", 1}})));
    CHECK(equal(m, nullptr, nullptr));
    CHECK(order(m, 1, 2.5) == -1);
    CHECK(order(m, "b", "a") == 1);
    CHECK(order(m, "a", "a") == 0);
    CHECK(order(m, 1, not_a_number) == 2);
    CHECK(order(m, list, value::list({1, 2})) == 1);
    CHECK(order(m, list, value::list({1, 3})) == -1);
    CHECK(compare(m, op::less_equal, 2, 2));
    CHECK_FALSE(compare(m, op::less_equal, not_a_number, 2));
    CHECK(compare(m, op::not_in, 4, list));
    CHECK(refusal([&] { (void)order(m, 1, "a"); }) != "accepted");
    CHECK(refusal([&] { (void)order(m, dict, dict); }) != "accepted");
    // 2^53 + 1 is no double.
    CHECK_FALSE(equal(m, std::int64_t{9007199254740993}, 9007199254740992.0));
    CHECK(order(m, std::int64_t{9007199254740993}, 9007199254740992.0) == 1);
}

TEST_CASE("jinja_operations: what is in what", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(contains(m, "abc", "bc"));
    CHECK(contains(m, "abc", ""));
    CHECK(contains(m, list, 2.0));
    CHECK_FALSE(contains(m, list, "2"));
    CHECK(contains(m, dict, "a"));
    CHECK_FALSE(contains(m, dict, 1));
    CHECK(refusal([&] { (void)contains(m, "abc", 1); }) != "accepted");
    CHECK(refusal([&] { (void)contains(m, 7, 1); }) != "accepted");
    CHECK(find(m, dict, std::string_view{"b"})->integer() == 2);
    CHECK(find(m, dict, value{"c"}) == nullptr);
    CHECK(length(m, "añ") == 2);
    CHECK(length(m, dict) == 2);
    CHECK(refusal([&] { (void)length(m, 7); }) != "accepted");
    CHECK(refusal([&] { (void)length(m, value::list({1}, flavour::generator)); }) != "accepted");
    CHECK(items_of(m, "añ")[1].view() == "ñ");
    CHECK(items_of(m, dict)[1].view() == "b");
    const value generator = m.make_list({1, 2}, false, flavour::generator);
    CHECK(items_of(m, generator).size() == 2);
    CHECK(items_of(m, generator).empty());
}

TEST_CASE("jinja_operations: slices", "[codec]") {
    machine m{"t", limits{}, 0};
    const auto cut = [&](const value& v, value first, value last, value step) {
        return shown(m, slice(m, v, first, last, step));
    };
    const value word{"añcdé"};
    CHECK(cut(word, 1, 3, nullptr) == "'ñc'");
    CHECK(cut(word, -2, nullptr, nullptr) == "'dé'");
    CHECK(cut(word, nullptr, nullptr, -1) == "'édcña'");
    CHECK(cut(word, 4, 0, -2) == "'éc'");
    CHECK(cut(word, 9, 99, nullptr) == "''");
    CHECK(cut(list, -99, 2, nullptr) == "[1, 2]");
    CHECK(cut(tuple, nullptr, nullptr, 2) == "(1, 3)");
    CHECK(cut(list, nullptr, nullptr, std::numeric_limits<std::int64_t>::min()) == "[3]");
    CHECK(cut(list, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
              std::numeric_limits<std::int64_t>::max()) == "[1]");
    CHECK(refusal([&] { (void)slice(m, list, {}, {}, 0); }) != "accepted");
    CHECK(slice(m, dict, {}, {}, 1).is(kind::undefined));
    CHECK(refusal([&] { (void)slice(m, list, "a", {}, 1); }) != "accepted");
}

TEST_CASE("jinja_operations: markup", "[codec]") {
    text mixed{"<a", true};
    mixed.append("&b>", false);
    CHECK(jinja_run::trust(escape_markup(mixed)) == "&lt;a[&amp;b&gt;]");
    text out;
    append_part(out, string_object{text{"<", false}, false}, true);
    append_part(out, string_object{text{"<", true}, true}, true);
    append_part(out, string_object{text{"<", false}, false}, false);
    CHECK(jinja_run::trust(out) == "[&lt;]<[<]");
}
