#include <tokenworks/codec/json_numbers.hpp>

#include <random>
#include <string>

#include "support/catch.hpp"

using namespace tokenworks::codec;

TEST_CASE("decimals are compared exactly") {
    CHECK(decimal::parse("-0.10").compare(decimal::parse("-0.1")) == 0);
    CHECK(decimal::parse("-0.0").compare(decimal{}) == 0);
    CHECK(decimal::parse("-2").compare(decimal::parse("-1.5")) < 0);
    CHECK(decimal::parse("10").compare(decimal::parse("9.99")) > 0);
    CHECK(decimal::of(0.1).compare(decimal::parse("0.1")) == 0);
}

TEST_CASE("numbers between bounds are those that a comparison says") {
    std::mt19937 random{3};
    const auto number = [&](bool whole) {
        std::string digits = std::to_string(random() % (random() % 2 == 0 ? 20U : 1200U));
        if(!whole && random() % 2 == 0) {
            digits += '.';
            for(std::size_t i = 0; i < 1 + random() % 3; ++i) {
                digits += static_cast<char>('0' + random() % (random() % 2 == 0 ? 2U : 10U));
            }
        }
        return (random() % 3 == 0 && digits.find_first_not_of("0.") != digits.npos ? "-" : "") + digits;
    };
    std::size_t inside = 0;
    for(int round = 0; round < 100; ++round) {
        number_rules rules;
        rules.whole = random() % 3 == 0;
        if(random() % 3 != 0) {
            rules.least = decimal::parse(number(false));
        }
        if(random() % 3 != 0) {
            rules.most = decimal::parse(number(false));
        }
        rules.above_least = random() % 2 == 0;
        rules.below_most = random() % 2 == 0;
        const byte_dfa d = numbers_of(rules);
        for(int i = 0; i < 100; ++i) {
            const std::string text = number(rules.whole);
            const decimal x = decimal::parse(text);
            const int least = rules.least ? x.compare(*rules.least) : 1;
            const int most = rules.most ? x.compare(*rules.most) : -1;
            const bool expected =
                (least > 0 || (least == 0 && !rules.above_least)) && (most < 0 || (most == 0 && !rules.below_most));
            inside += expected ? 1 : 0;
            INFO(text);
            REQUIRE(d.contains(text) == expected);
        }
    }
    CHECK(inside > 1000);
}

TEST_CASE("multiples") {
    number_rules rules;
    rules.multiples_of = {decimal::parse("0.25"), decimal::parse("3")};
    const byte_dfa d = numbers_of(rules);
    CHECK(d.contains("-12"));
    CHECK_FALSE(d.contains("12.5"));
    CHECK_FALSE(d.contains("13"));
    rules.multiples_of = {decimal::parse("0.25")};
    CHECK(numbers_of(rules).contains("12.50"));
    CHECK(numbers_of(rules).contains("-0.75"));
    CHECK_FALSE(numbers_of(rules).contains("12.3"));
    rules.multiples_of = {decimal::parse("123456.7")};
    CHECK_THROWS_AS(numbers_of(rules), tokenworks::limit_error);
}
