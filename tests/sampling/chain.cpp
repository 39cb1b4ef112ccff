#include "support/catch.hpp"

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <tokenworks/sampling/options.hpp>

#include "reference/sampling.hpp"

namespace tw = tokenworks;
namespace ts = tokenworks::sampling;

namespace {

// The logits of tools/golden/sampling.py.
std::vector<float> golden_logits(std::uint64_t vocab, std::uint64_t seed) {
    std::vector<float> logits;
    for(std::uint64_t i = 0; i < vocab; ++i) {
        std::uint64_t h = ((i + 1) * 2654435761U + seed * 40503U) & 0xFFFFFFFFU;
        h = ((h ^ (h >> 15)) * 2246822519U) & 0xFFFFFFFFU;
        const float x = static_cast<float>(h >> 8) * 0x1p-23F - 1.0F;
        const float squared = x * x;
        const float cubed = squared * x;
        logits.push_back(seed % 2 != 0 ? x * 2.0F : cubed * 12.0F);
    }
    return logits;
}

void apply(const std::string& text, ts::candidates& c) {
    std::istringstream words{text};
    std::string name;
    words >> name;
    std::vector<float> v;
    for(float x = 0; words >> x;) {
        v.push_back(x);
    }
    if(name == "top_k") {
        ts::top_k{static_cast<int>(v.at(0))}(c, {});
    } else if(name == "top_p") {
        ts::top_p{v.at(0)}(c, {});
    } else if(name == "min_p") {
        ts::min_p{v.at(0)}(c, {});
    } else if(name == "typical") {
        ts::typical{v.at(0)}(c, {});
    } else if(name == "temperature") {
        ts::temperature{v.at(0)}(c, {});
    } else if(name == "penalties") {
        std::vector<ts::token_id> history;
        for(std::size_t i = 4; i < v.size(); ++i) {
            history.push_back(static_cast<ts::token_id>(v[i]));
        }
        ts::penalties{{static_cast<std::int64_t>(v.at(0)), v.at(1), v.at(2), v.at(3)}}(c, {history, history.size()});
    } else if(name == "logit_bias") {
        std::vector<std::pair<ts::token_id, float>> biases;
        for(std::size_t i = 0; i + 1 < v.size(); i += 2) {
            biases.emplace_back(static_cast<ts::token_id>(v[i]), v[i + 1]);
        }
        ts::logit_bias{biases}(c, {});
    } else {
        REQUIRE(name == "dist");
    }
}

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts;
    std::istringstream in{text};
    for(std::string part; std::getline(in, part, at);) {
        parts.push_back(part);
    }
    return parts;
}

} // namespace

TEST_CASE("every processor leaves what llama.cpp's leaves") {
    std::ifstream file{std::string{TOKENWORKS_TEST_DATA} + "/sampling/llama_cpp.txt"};
    REQUIRE(file);
    std::string line;
    std::getline(file, line); // the versions
    std::size_t cases = 0;
    while(std::getline(file, line)) {
        INFO(line.substr(0, 100));
        const auto fields = split(line, '|');
        std::istringstream head{fields.at(0)};
        std::uint64_t vocab = 0;
        std::uint64_t seed = 0;
        head >> vocab >> seed;
        ts::candidates c;
        c.load(golden_logits(vocab, seed));
        for(const auto& sampler: split(fields.at(1), ';')) {
            apply(sampler, c);
        }
        const auto left = reference::by_id(c);
        const bool probabilities = fields.at(1).find("dist") != std::string::npos;
        const auto p = reference::probabilities(left);
        std::vector<ts::token_id> expected_ids;
        std::vector<double> expected;
        std::istringstream values{fields.at(2)};
        char colon = 0;
        double value = 0;
        for(ts::token_id id = 0; values >> id >> colon >> value;) {
            expected_ids.push_back(id);
            expected.push_back(value);
        }
        REQUIRE(reference::ids(left) == expected_ids);
        for(std::size_t i = 0; i < left.size(); ++i) {
            const double got = probabilities ? p[i] : static_cast<double>(left[i].logit);
            REQUIRE(std::fabs(got - expected[i]) <= 2e-6 * std::fabs(expected[i]) + 1e-7);
        }
        ++cases;
    }
    CHECK(cases == 80);
}

TEST_CASE("the order of a chain is the user's") {
    const std::vector<float> logits{4.0F, 3.0F, 2.0F, 1.0F};
    ts::candidates work;
    // With temperature 10 first all four are nearly as likely; last, top_p has cut them already.
    std::vector<std::size_t> left;
    const auto look = [&](ts::candidates& c, const ts::step&) { left.push_back(c.size()); };
    ts::chain cut_first{ts::top_p{0.8F}, ts::temperature{10.0F}, look, ts::greedy{}};
    ts::chain flat_first{ts::temperature{10.0F}, ts::top_p{0.8F}, look, ts::greedy{}};
    CHECK(cut_first(logits, {}, work) == 0);
    CHECK(flat_first(logits, {}, work) == 0);
    CHECK(left == std::vector<std::size_t>{2, 4});
}

TEST_CASE("own processors and pickers stand in a chain; copies are independent") {
    const std::vector<float> logits{1, 2, 3, 4};
    ts::candidates work;
    ts::chain c;
    c.add([banned = 3](ts::candidates& entries, const ts::step&) mutable {
        entries.keep_if([&](const ts::candidate& x) { return x.id != banned; });
        --banned; // state: another token at every step
    });
    ts::chain copy = c;
    CHECK(c(logits, {}, work) == 2);
    CHECK(c(logits, {}, work) == 3);
    CHECK(copy(logits, {}, work) == 2);
    c.pick_with([](ts::candidates& entries, const ts::step& s) { return entries.list()[s.position].id; });
    CHECK(c(logits, {{}, 2}, work) == 3); // token 1 was banned
}

TEST_CASE("a chain names what went wrong") {
    ts::candidates work;
    const std::vector<float> logits{1, 2, 3};
    ts::chain all_gone{
        [](ts::candidates& c, const ts::step&) { c.keep_if([](const ts::candidate&) { return false; }); }};
    REQUIRE_THROWS_WITH(all_gone(logits, {}, work), ContainsSubstring("no finite logit"));
    ts::chain all_banned{ts::logit_bias{{{0, -INFINITY}, {1, -INFINITY}, {2, -INFINITY}}}, ts::draw{1}};
    REQUIRE_THROWS_WITH(all_banned(logits, {}, work), ContainsSubstring("no finite logit"));
    for(const float bad: {std::nanf(""), std::numeric_limits<float>::infinity()}) {
        ts::chain broken{ts::top_k{2}, [bad](ts::candidates& c, const ts::step&) { c.list()[0].logit = bad; }};
        REQUIRE_THROWS_WITH(broken(logits, {}, work), ContainsSubstring("processor 1"));
    }
    ts::chain outside{[](ts::candidates&, const ts::step&) { return ts::token_id{3}; }};
    REQUIRE_THROWS_WITH(outside(logits, {}, work), ContainsSubstring("token 3"));
    CHECK_THROWS_AS(ts::chain{}(std::vector<float>{1, std::nanf("")}, {}, work), tw::argument_error);
}
