#include <tokenworks/codec/jinja_arithmetic.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "codec/jinja_run.hpp"
#include "support/catch.hpp"

using namespace tokenworks::codec::jinja;
using jinja_run::refusal;
using jinja_run::shown;

namespace {

std::string made(const value& a, op what, const value& b) {
    machine m{"t", limits{}, 0};
    return shown(m, arithmetic(m, what, a, b));
}

std::string refused(const value& a, op what, const value& b) {
    machine m{"t", limits{}, 0};
    return refusal([&] { (void)arithmetic(m, what, a, b); });
}

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

} // namespace

TEST_CASE("jinja_arithmetic: numbers as Python has them", "[codec]") {
    CHECK(made(7, op::add, -3) == "4");
    CHECK(made(7, op::multiply, true) == "7");
    CHECK(made(7, op::divide, 2) == "3.5");
    CHECK(made(6, op::divide, 2) == "3.0");
    CHECK(made(7, op::floor, -2) == "-4");
    CHECK(made(-7, op::floor, 2) == "-4");
    CHECK(made(-7, op::floor, -2) == "3");
    CHECK(made(7, op::modulo, -2) == "-1");
    CHECK(made(-7, op::modulo, 2) == "1");
    CHECK(made(-6, op::modulo, 2) == "0");
    CHECK(made(-7.5, op::floor, 2) == "-4.0");
    CHECK(made(-7.5, op::modulo, 2) == "0.5");
    CHECK(made(0.0, op::modulo, -2) == "-0.0");
    CHECK(made(2, op::power, 10) == "1024");
    CHECK(made(2, op::power, -1) == "0.5");
    CHECK(made(-1, op::power, most) == "-1");
    CHECK(made(0, op::power, 0) == "1");
    CHECK(made(2.0, op::subtract, 1) == "1.0");
    machine m{"t", limits{}, 0};
    CHECK(negative(m, true).integer() == -1);
    CHECK(std::signbit(negative(m, 0.0).real()));
}

TEST_CASE("jinja_arithmetic: what 64 bits do not hold is refused", "[codec]") {
    const std::string large = "a number has more than 64 bits";
    CHECK(made(most, op::add, 0) == "9223372036854775807");
    CHECK(made(least, op::modulo, -1) == "0");
    CHECK(made(most, op::floor, -1) == "-9223372036854775807");
    CHECK(refused(most, op::add, 1) == large);
    CHECK(refused(least, op::subtract, 1) == large);
    CHECK(refused(least, op::multiply, -1) == large);
    CHECK(refused(least, op::floor, -1) == large);
    CHECK(refused(2, op::power, 63) == large);
    CHECK(refused(3, op::power, most) == large); // at once
    machine m{"t", limits{}, 0};
    CHECK(refusal([&] { (void)negative(m, least); }) == large);
}

TEST_CASE("jinja_arithmetic: texts and lists", "[codec]") {
    CHECK(made("a", op::add, "b") == "'ab'");
    CHECK(made(3, op::multiply, "ab") == "'ababab'");
    CHECK(made("ab", op::multiply, -1) == "''");
    CHECK(made(value::list({1}), op::add, value::list({2, 3})) == "[1, 2, 3]");
    CHECK(made(value::list({1}), op::multiply, 3) == "[1, 1, 1]");
    CHECK(made(value::list({1}, flavour::tuple), op::multiply, 2) == "(1, 1)");
    machine m{"t", limits{}, 0};
    const value joined = arithmetic(m, op::add, value::trusted("<s>"), "user");
    CHECK(jinja_run::trust(joined.string().content) == "<s>[user]");
    CHECK_FALSE(arithmetic(m, op::add, made_of(std::int64_t{1}), made_of(std::int64_t{1})).tainted());
    CHECK(arithmetic(m, op::add, made_of(std::int64_t{1}), 1).tainted());
    // What is no markup is escaped where it meets some.
    const value markup = m.make(text{"<b>", true}, true);
    CHECK(arithmetic(m, op::add, markup, "<").view() == "<b>&lt;");
}

TEST_CASE("jinja_arithmetic: what has no such operation", "[codec]") {
    CHECK(refused(1, op::add, "a") == "there is no + between int and str");
    CHECK(refused("a", op::subtract, "b") == "there is no - between str and str");
    CHECK(refused(value::list({}), op::add, value::list({}, flavour::tuple)) == "there is no + between list and tuple");
    CHECK(refused("a", op::multiply, 1.5) == "there is no * between str and float");
    CHECK(refused(nullptr, op::power, 1) == "there is no ** between NoneType and int");
    for(const op what: {op::divide, op::floor, op::modulo}) {
        CHECK(refused(1, what, 0) == "division by zero");
        CHECK(refused(1.5, what, 0.0) == "division by zero");
    }
    CHECK(refused(-8, op::power, 0.5) == "a power that is no real number");
    CHECK(refused(0, op::power, -1) == "a power that is no real number");
    machine m{"t", limits{}, 0};
    CHECK(refusal([&] { (void)negative(m, "a"); }) == "a value of type str has no negative");
    CHECK(refusal([&] { (void)arithmetic(m, op::add, m.undefined({"'x' is undefined"}), 1); }) == "'x' is undefined");
}
