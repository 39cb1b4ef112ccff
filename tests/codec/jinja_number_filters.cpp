#include <tokenworks/codec/jinja_number_filters.hpp>

#include <cstdint>
#include <limits>
#include <string>

#include <tokenworks/codec/jinja_filters.hpp>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using jinja_run::refusal;

namespace {

std::string made(const value& v, const char* filter, value::list_type given = {}) {
    machine m{"t", limits{}, 0};
    return jinja_run::shown(m, run_filter(m, filter, v, {std::move(given), {}}));
}

std::string refused(const value& v, const char* filter, value::list_type given = {}) {
    machine m{"t", limits{}, 0};
    return refusal([&] { (void)run_filter(m, filter, v, {std::move(given), {}}); });
}

} // namespace

TEST_CASE("jinja_number_filters: int", "[codec]") {
    CHECK(made(" 42\n", "int") == "42");
    CHECK(made("-1_000", "int") == "-1000");
    CHECK(made("3.75e2", "int") == "375");
    CHECK(made("-2.9", "int") == "-2");
    CHECK(made(-2.9, "int") == "-2");
    CHECK(made(true, "int") == "1");
    CHECK(made("ff", "int", {0, 16}) == "255");
    CHECK(made("0xFF", "int", {0, 16}) == "255");
    CHECK(made("0b101", "int", {0, 2}) == "5");
    CHECK(made("z", "int", {0, 36}) == "35");
    for(const char* none: {"", "x", "1__0", "_1", "1_", "--1", "nan", "inf", "0x1F", "1 2"}) {
        CHECK(made(none, "int") == "0");
        CHECK(made(none, "int", {"none"}) == "'none'");
    }
    CHECK(made(value::list({}), "int", {7}) == "7");
    CHECK(refused("1", "int", {0, 37}) == "a base is 2 to 36");
    CHECK(refused("1e300", "int") == "a number has more than 64 bits");
    CHECK(refused(std::numeric_limits<double>::infinity(), "int") == "an infinite number is no whole one");
}

TEST_CASE("jinja_number_filters: float", "[codec]") {
    CHECK(made(" 2.50 ", "float") == "2.5");
    CHECK(made("+1_0.5e-1", "float") == "1.05");
    CHECK(made(".5", "float") == "0.5");
    CHECK(made("5.", "float") == "5.0");
    CHECK(made("1e999", "float") == "inf");
    CHECK(made("-1e-999", "float") == "-0.0");
    CHECK(made("Infinity", "float") == "inf");
    CHECK(made(7, "float") == "7.0");
    for(const char* none: {"", "x", "+-1", "1__0.0", "nan(1)", "0x1p3", "1,5"}) {
        CHECK(made(none, "float") == "0.0");
        CHECK(made(none, "float", {nullptr}) == "None");
    }
}

TEST_CASE("jinja_number_filters: round, half to even on the exact value, and abs", "[codec]") {
    CHECK(made(2.5, "round") == "2.0");
    CHECK(made(3.5, "round") == "4.0");
    CHECK(made(2.675, "round", {2}) == "2.67");
    CHECK(made(0.125, "round", {2}) == "0.12");
    CHECK(made(-0.4, "round") == "-0.0");
    CHECK(made(2.1, "round", {0, "ceil"}) == "3.0");
    CHECK(made(-2.11, "round", {1, "floor"}) == "-2.2");
    CHECK(made(7, "round") == "7");
    CHECK(made(1e300, "round", {100}) == "1e+300");
    CHECK(refused(1.5, "round", {-1}) == "round takes 0 to 100 digits, and common, ceil or floor");
    CHECK(refused(1.5, "round", {0, "up"}) == "round takes 0 to 100 digits, and common, ceil or floor");
    CHECK(refused("1", "round") == "round needs a number, not a value of type str");
    CHECK(made(-7, "abs") == "7");
    CHECK(made(-0.0, "abs") == "0.0");
    CHECK(made(true, "abs") == "1");
    CHECK(refused(std::numeric_limits<std::int64_t>::min(), "abs") == "a number has more than 64 bits");
    CHECK(refused("x", "abs") == "abs needs a number, not a value of type str");
}

TEST_CASE("jinja_number_filters: numbers of a user's text are not trusted", "[codec]") {
    machine m{"t", limits{}, 0};
    CHECK(run_filter(m, "int", "8", {}).tainted());
    CHECK_FALSE(run_filter(m, "int", value::trusted("8"), {}).tainted());
    CHECK(run_filter(m, "float", "8", {}).tainted());
    CHECK_FALSE(run_filter(m, "float", value::trusted("8"), {}).tainted());
}
