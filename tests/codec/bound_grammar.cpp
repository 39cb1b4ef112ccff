#include <tokenworks/codec/bound_grammar.hpp>

#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <tokenworks/codec/gbnf.hpp>
#include <tokenworks/codec/json_schema.hpp>
#include <tokenworks/codec/token_walk.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::codec;

namespace {

/// All bytes, texts of signs that grammars use, some of them twice, halves of characters; the last token ends a text.
std::vector<std::string> made_up_tokens() {
    std::mt19937 random{1};
    std::vector<std::string> all;
    for(int byte = 0; byte < 256; ++byte) {
        all.emplace_back(1, static_cast<char>(byte));
    }
    const std::string signs = "{}[]\":,0123456789abtrueflsn\\ \n.-\xC3\xA9";
    for(int i = 0; i < 4000; ++i) {
        std::string text;
        for(std::size_t left = 1 + random() % 6; left > 0; --left) {
            text += signs[random() % signs.size()];
        }
        all.push_back(text);
    }
    all.emplace_back(); // a control token
    all.emplace_back("</s>");
    return all;
}

std::shared_ptr<const token_walk> walk_through(const std::vector<std::string>& tokens) {
    return std::make_shared<const token_walk>(
        tokens.size(), [&](token_id id) { return std::string_view{tokens[static_cast<std::size_t>(id)]}; },
        std::vector<token_id>{static_cast<token_id>(tokens.size() - 1)});
}

std::shared_ptr<const bound_grammar> bound(grammar g, const std::shared_ptr<const token_walk>& walk) {
    return std::make_shared<const bound_grammar>(std::make_shared<const grammar>(std::move(g)), walk);
}

/// Follows texts at random, and compares each mask with what every single token says.
std::size_t compare_masks(const std::shared_ptr<const bound_grammar>& rules, unsigned seed) {
    std::mt19937 random{seed};
    std::size_t steps = 0;
    for(int text = 0; text < 12; ++text) {
        grammar_matcher match{rules};
        for(int i = 0; i < 40 && !match.done(); ++i, ++steps) {
            const bound_grammar::mask mask = match.allowed();
            std::vector<token_id> allowed;
            for(std::size_t id = 0; id < rules->tokens().vocab_size(); ++id) {
                const bool is_in = (mask[id / 64] >> (id % 64) & 1) != 0;
                if(is_in != match.allows(static_cast<token_id>(id))) {
                    FAIL("token " << id << " is " << is_in << " in the mask of step " << i);
                }
                if(is_in) {
                    allowed.push_back(static_cast<token_id>(id));
                }
            }
            REQUIRE_FALSE(allowed.empty());
            match.accept(allowed[random() % allowed.size()]);
        }
    }
    return steps;
}

} // namespace

TEST_CASE("masks say what each token says") {
    const auto tokens = made_up_tokens();
    const auto walk = walk_through(tokens);
    CHECK(compare_masks(bound(parse_json_schema("{}"), walk), 1) > 50);
    CHECK(compare_masks(bound(parse_json_schema(R"({"type":"object","properties":{"a":{"type":"string","maxLength":9},
        "b":{"type":"array","items":{"type":"number"},"minItems":2,"maxItems":5}},"required":["a","b"]})"),
                              walk),
                        2) > 50);
    CHECK(compare_masks(bound(parse_gbnf("root ::= \"[\" ([a-z]{2,5} \",\" ([0-9]?){0,3}){2,4} \"]\""), walk), 3) > 50);
    CHECK(compare_masks(bound(parse_gbnf("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"{\" x{3,} | \".\"\n"
                                         "x ::= [a-z:]{0,2} \",\" | \"[\" x \"]\""),
                              walk),
                        4) > 50);
}

TEST_CASE("end tokens come where the text is complete, and end it") {
    const auto tokens = made_up_tokens();
    const auto end = static_cast<token_id>(tokens.size() - 1);
    grammar_matcher match{bound(parse_gbnf("root ::= \"a\" \"b\"?"), walk_through(tokens)), {'b'}};
    CHECK_FALSE(match.allows(end));
    CHECK_FALSE(match.allows('b'));
    CHECK_THROWS_AS(match.accept('x'), tw::argument_error);
    match.accept('a');
    CHECK(match.complete());
    CHECK_FALSE(match.done());
    CHECK(match.allows(end));
    CHECK(match.allows('b')); // it was said to end the text
    match.accept('b');
    CHECK(match.done());
    CHECK_FALSE(match.allows(end));
}

TEST_CASE("logits of what may not come are -infinity") {
    const auto tokens = made_up_tokens();
    const auto walk = walk_through(tokens);
    grammar_matcher match{bound(parse_gbnf("root ::= [xy] [0-9]"), walk)};
    std::vector<float> logits(tokens.size() + 3, 1.0F); // padded
    match.restrict(logits);
    std::size_t left = 0;
    for(std::size_t i = 0; i < logits.size(); ++i) {
        left += logits[i] > -std::numeric_limits<float>::infinity() ? 1 : 0;
    }
    CHECK(logits['x'] == 1.0F);
    CHECK(left == 2);
    CHECK_THROWS_AS(match.restrict(std::span{logits}.first(7)), tw::argument_error);
    const auto few = walk_through({"x", "</s>"});
    grammar_matcher stuck{bound(parse_gbnf("root ::= \"x\" \"q\""), few)};
    stuck.accept(0);
    std::vector<float> two(2, 0.0F);
    CHECK_THROWS_AS(stuck.restrict(two), tw::argument_error);
}

TEST_CASE("many texts on many threads share a grammar") {
    const auto tokens = made_up_tokens();
    const auto rules = bound(parse_json_schema("{}"), walk_through(tokens));
    const auto hash = [&] {
        std::uint64_t sum = 0;
        std::mt19937 random{9};
        grammar_matcher match{rules};
        for(int i = 0; i < 60 && !match.done(); ++i) {
            const bound_grammar::mask mask = match.allowed();
            std::vector<token_id> allowed;
            for(std::size_t id = 0; id < tokens.size(); ++id) {
                if((mask[id / 64] >> (id % 64) & 1) != 0) {
                    allowed.push_back(static_cast<token_id>(id));
                    sum = sum * 31 + id;
                }
            }
            match.accept(allowed[random() % allowed.size()]);
        }
        return sum;
    };
    std::vector<std::uint64_t> sums(4);
    std::vector<std::thread> threads;
    for(std::uint64_t& sum: sums) {
        threads.emplace_back([&] { sum = hash(); });
    }
    for(std::thread& t: threads) {
        t.join();
    }
    for(const std::uint64_t sum: sums) {
        CHECK(sum == hash());
    }
}

TEST_CASE("long texts forget states, not the place") {
    const auto rules =
        bound(parse_gbnf("root ::= \"(\" root \")\" | [a-z]{0,200000} \".\""), walk_through(made_up_tokens()));
    grammar_matcher match{rules};
    for(int i = 0; i < 1000; ++i) {
        match.accept('(');
    }
    for(int i = 0; i < 150000; ++i) {
        match.accept('a');
    }
    match.accept('.');
    for(int i = 0; i < 1000; ++i) {
        REQUIRE_FALSE(match.complete());
        match.accept(')');
    }
    CHECK(match.done());
}
