#include <tokenworks/codec/grammar_machine.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tokenworks/codec/gbnf.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec;

namespace {

grammar_machine machine_of(const char* gbnf) {
    return grammar_machine{std::make_shared<const grammar>(parse_gbnf(gbnf))};
}

grammar_machine::state_id read(grammar_machine& machine, std::string_view text,
                               grammar_machine::state_id at = grammar_machine::dead) {
    at = at == grammar_machine::dead ? machine.start() : at;
    for(const char c: text) {
        at = machine.next(at, static_cast<std::uint8_t>(c));
    }
    return at;
}

} // namespace

TEST_CASE("grammar_machine: where a text stands") {
    grammar_machine machine = machine_of("root ::= \"ab\" \"c\"?");
    const auto begin = machine.start();
    CHECK_FALSE(machine.may_end(begin));
    CHECK_FALSE(machine.is_last(begin));
    CHECK_FALSE(machine.may_end(read(machine, "a")));
    CHECK(machine.may_end(read(machine, "ab")));
    CHECK_FALSE(machine.is_last(read(machine, "ab")));
    CHECK(machine.may_end(read(machine, "abc")));
    CHECK(machine.is_last(read(machine, "abc")));
    CHECK(read(machine, "b") == grammar_machine::dead);
    CHECK(read(machine, "abcd") == grammar_machine::dead);
    CHECK(machine.next(grammar_machine::dead, 'a') == grammar_machine::dead);
    CHECK_FALSE(machine.may_end(grammar_machine::dead));
}

TEST_CASE("grammar_machine: equal states are one, so that a loop makes no more of them") {
    grammar_machine machine = machine_of("root ::= \"[\" item* \"]\"\nitem ::= [a-z] | \"(\" item* \")\"");
    const auto begun = read(machine, "[");
    CHECK(read(machine, "[abc") == begun);
    CHECK(read(machine, "[a(b(c))d") == begun);
    const std::size_t states = machine.states();
    read(machine, "[" + std::string(10000, 'x'));
    CHECK(machine.states() == states);
    CHECK(read(machine, "[(") != read(machine, "[(("));
    CHECK(read(machine, "[()") == begun);
}

TEST_CASE("grammar_machine: counted rounds, within rules and within each other") {
    grammar_machine machine = machine_of("root ::= pair{2,3} \"!\"\npair ::= [0-9]{2} \",\"{0,2}");
    const auto is_whole = [&](std::string_view text) { return machine.may_end(read(machine, text)); };
    CHECK(is_whole("1122!"));
    CHECK(is_whole("11,22,,33!"));
    CHECK_FALSE(is_whole("11!"));
    CHECK_FALSE(is_whole("11,,,22!"));
    CHECK_FALSE(is_whole("11223344!"));
    CHECK_FALSE(is_whole("112!"));
}

TEST_CASE("grammar_machine: behind() comes back from a rule") {
    grammar_machine machine = machine_of("root ::= \"a\" inner \"z\"\ninner ::= [0-9] [0-9]");
    const auto inside = read(machine, "a1");
    const auto held = machine.configurations(inside);
    REQUIRE(held.size() == 1);
    REQUIRE(held[0].stack != grammar_machine::bottom);
    const auto after = machine.behind(held[0].stack);
    CHECK(after == read(machine, "a12"));
    CHECK(machine.may_end(machine.next(after, 'z')));
}

TEST_CASE("grammar_machine: much that is kept is forgotten, and the text goes on") {
    // Each depth of brackets is a state of its own, and stacks of it.
    grammar_machine machine = machine_of("root ::= \"(\" root \")\" | \"x\"");
    auto at = machine.start();
    std::size_t depth = 0;
    for(; depth < 3 * grammar_machine::most_states; ++depth) {
        at = machine.tidy(machine.next(at, '('));
        REQUIRE(at != grammar_machine::dead);
        REQUIRE(machine.states() <= grammar_machine::most_states + 2);
    }
    at = machine.next(at, 'x');
    for(; depth > 0; --depth) {
        REQUIRE_FALSE(machine.may_end(at));
        at = machine.tidy(machine.next(at, ')'));
    }
    CHECK(machine.may_end(at));
    CHECK(machine.is_last(at));
}

TEST_CASE("grammar_machine: a text that means too much at once is refused") {
    // Every way to cut the text is a configuration.
    grammar_machine machine = machine_of("root ::= (\"a\"{1,9000} \"b\"?){1,9000}");
    CHECK_THROWS_AS(read(machine, std::string(9000, 'a')), tw::limit_error);
}
