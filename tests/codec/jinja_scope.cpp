#include <tokenworks/codec/jinja_scope.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using namespace tokenworks::codec::jinja::detail;
using jinja_run::refusal;

namespace {

/// Lets odd numbers through, and counts how often it is asked.
struct odd_host: loop_host {
    int asked = 0;
    bool passes(const node&, const value& item, scope*) override {
        ++asked;
        return item.integer() % 2 != 0;
    }
};

std::string attribute(machine& m, loop_object& loop, std::string_view name) {
    value found;
    return loop.attribute(m, name, found) ? jinja_run::shown(m, found) : "none";
}

value::list_type numbers(int last) {
    value::list_type all;
    for(int i = 1; i <= last; ++i) {
        all.emplace_back(i);
    }
    return all;
}

} // namespace

TEST_CASE("jinja_scope: names, and scopes that end", "[codec]") {
    const reference<scope> outer{new scope{nullptr}};
    scope* current = outer.get();
    current->set(1, "a");
    current->set(1, "b");
    CHECK(current->find(1)->view() == "b");
    CHECK(current->find(2) == nullptr);
    {
        const inner_scope inner{current, outer.get()};
        CHECK(current != outer.get());
        CHECK(current->parent == outer.get());
        CHECK(current->find(1) == nullptr); // the interpreter looks further out
        current->set(1, "c");
        CHECK(outer->find(1)->view() == "b");
    }
    CHECK(current == outer.get());
}

TEST_CASE("jinja_scope: the variable loop", "[codec]") {
    machine m{"t", limits{}, 0};
    odd_host host;
    const node plain;
    const reference<loop_object> loop{new loop_object{host, plain, numbers(3), nullptr}};
    REQUIRE(loop->advance());
    CHECK(attribute(m, *loop.get(), "index") == "1");
    CHECK(attribute(m, *loop.get(), "index0") == "0");
    CHECK(attribute(m, *loop.get(), "first") == "True");
    CHECK(attribute(m, *loop.get(), "last") == "False");
    CHECK(attribute(m, *loop.get(), "length") == "3");
    CHECK(attribute(m, *loop.get(), "previtem") == "Undefined");
    CHECK(attribute(m, *loop.get(), "nextitem") == "2");
    CHECK(attribute(m, *loop.get(), "depth") == "1");
    CHECK(attribute(m, *loop.get(), "nope") == "none");
    REQUIRE(loop->advance());
    REQUIRE(loop->advance());
    CHECK(loop->item().integer() == 3);
    CHECK(attribute(m, *loop.get(), "last") == "True");
    CHECK(attribute(m, *loop.get(), "revindex") == "1");
    CHECK(attribute(m, *loop.get(), "revindex0") == "0");
    CHECK(attribute(m, *loop.get(), "previtem") == "2");
    CHECK(attribute(m, *loop.get(), "nextitem") == "Undefined");
    CHECK_FALSE(loop->advance());
    CHECK(host.asked == 0); // the loop has no test
    CHECK(loop->changed(m, "a"));
    CHECK_FALSE(loop->changed(m, "a"));
    CHECK(loop->changed(m, "b"));
}

TEST_CASE("jinja_scope: a loop with a test asks as late as it can", "[codec]") {
    machine m{"t", limits{}, 0};
    odd_host host;
    node tested;
    tested.c = 1;
    const reference<loop_object> loop{new loop_object{host, tested, numbers(6), nullptr}};
    REQUIRE(loop->advance());
    CHECK(host.asked == 1);
    CHECK(attribute(m, *loop.get(), "nextitem") == "3");
    CHECK(host.asked == 3);
    REQUIRE(loop->advance());
    CHECK(host.asked == 3);
    CHECK(attribute(m, *loop.get(), "length") == "3");
    CHECK(host.asked == 6);
    CHECK(attribute(m, *loop.get(), "revindex") == "2");
    loop->finish(); // nobody is left to ask
    REQUIRE(loop->advance());
    CHECK(loop->item().integer() == 5);
    CHECK_FALSE(loop->advance());
}

TEST_CASE("jinja_scope: a namespace", "[codec]") {
    machine m{"t", limits{}, 0};
    {
        const reference<space_object> space{new space_object{}};
        value found;
        space->set(m, "x", 1);
        space->set(m, "x", 2);
        CHECK(space->attributes.size() == 1);
        CHECK(m.used().live > 0);
        REQUIRE(space->attribute(m, "x", found));
        CHECK(found.integer() == 2);
        CHECK_FALSE(space->attribute(m, "y", found));
        CHECK(refusal([&] { space->set(m, "_y", 1); }) == "a namespace takes no names that begin with an underscore");
    }
    CHECK(m.used().live == 0);
}
