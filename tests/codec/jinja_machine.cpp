#include <tokenworks/codec/jinja_machine.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using jinja_run::refusal;

namespace {

constexpr builtin callee{"f", "first second third", 2, nullptr};

bound made(value::list_type plain, std::vector<std::pair<std::string, value>> named = {}) {
    const machine m{"t", limits{}, 0};
    return bound{m, callee, {std::move(plain), std::move(named)}};
}

std::string refused(value::list_type plain, std::vector<std::pair<std::string, value>> named = {}) {
    return refusal([&] { (void)made(std::move(plain), std::move(named)); });
}

} // namespace

TEST_CASE("jinja_machine: arguments by place and by name", "[codec]") {
    const bound two = made({1}, {{"second", 2}});
    CHECK(two[0].integer() == 1);
    CHECK(two[1].integer() == 2);
    CHECK(two.has(1));
    CHECK_FALSE(two.has(2));
    CHECK(two[2].is(kind::none));
    CHECK(made({1, 2, nullptr}).has(2)); // None is given too
    CHECK(refused({1}) == "f() needs the argument second");
    CHECK(refused({1, 2, 3, 4}) == "f() takes at most 3 arguments");
    CHECK(refused({1, 2}, {{"first", 3}}) == "f() got two values for argument first");
    CHECK(refused({1, 2}, {{"four\n", 3}}) == "f() takes no argument four\\x0a");
    const machine m{"t", limits{}, 0};
    CHECK(two.integer(m, 0, 9) == 1);
    CHECK(two.integer(m, 2, 9) == 9);
    CHECK(refusal([&] { (void)two.string(m, 0); }) == "a string is needed, not a value of type int");
    CHECK(refusal([&] { (void)made({"a", 1}).integer(m, 0, 9); }) == "a number is needed, not a value of type str");
    const builtin open{"g", "first *", 0, nullptr};
    const bound rest{m, open, {{1, 2, 3}, {{"x", 4}}}};
    CHECK(rest[0].integer() == 1);
    CHECK(rest.rest().plain.size() == 2);
    CHECK(rest.rest().named.front().first == "x");
}

TEST_CASE("jinja_machine: steps, memory, output and depth are bounded", "[codec]") {
    machine m{"file", {10, 1, 1000, 10, 20, 1, 3}, 5};
    m.step(15); // 10, and one for each byte of the input
    CHECK(refusal([&] { m.step(); }) == "the template takes too many steps");
    m.check_output(25);
    CHECK(refusal([&] { m.check_output(26); }) == "the template writes more than 25 bytes");
    m.check(1050);
    CHECK(refusal([&] { m.check(1051); }) == "the template takes more than 1050 bytes of memory");
    CHECK(refusal([&] { m.need(~std::size_t{0}, 16); }) == "the template takes more than 1050 bytes of memory");
    const machine::level one{m};
    const machine::level two{m};
    {
        const machine::level three{m};
        CHECK(refusal([&] { const machine::level four{m}; }) == "the template nests deeper than the limit of 3");
    }
    m.line = 7;
    CHECK_THROWS_WITH(m.fail("why"), "file: tokenizer.chat_template: line 7: why");
    CHECK_THROWS_WITH(m.step(), "file: tokenizer.chat_template: line 7: the template takes too many steps");
}

TEST_CASE("jinja_machine: what values hold is counted until they end", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(m.used().live == 0);
    {
        const value text = m.make(std::string(1000, 'x'), true);
        const std::size_t once = m.used().live;
        CHECK(once >= 1000);
        const value copy = text; // shares it
        CHECK(m.used().live == once);
        const value list = m.make_list({text, text}, false);
        CHECK(m.used().live > once);
        CHECK(m.used().live < once + 1000);
    }
    CHECK(m.used().live == 0);
    CHECK(refusal([&] { m.refuse_undefined(m.undefined({"'", "x", "' is undefined"})); }) == "'x' is undefined");
    m.refuse_undefined(nullptr);
    CHECK(type_name(m.make(text{}, true)) == "Markup");
    CHECK(type_name(value::list({}, flavour::keys)) == "dict_keys");
}
