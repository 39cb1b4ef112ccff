#include <tokenworks/runtime/grammar_constraint.hpp>

#include <memory>
#include <string>
#include <vector>

#include <tokenworks/codec/gbnf.hpp>
#include <tokenworks/codec/token_walk.hpp>
#include <tokenworks/runtime/generate.hpp>

#include "runtime/fake_model.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace rt = tokenworks::runtime;
using rt::finish_reason;

namespace {

const std::vector<rt::token_id> prompt{1, 2, 3};
const fake::tokenizer tokenizer;

std::shared_ptr<const rt::grammar_constraint> bound(const std::string& gbnf, std::vector<rt::token_id> ends = {256}) {
    static std::string bytes(256, '\0');
    for(std::size_t i = 0; i < 256; ++i) {
        bytes[i] = static_cast<char>(static_cast<unsigned char>(i));
    }
    const fake::model model;
    return rt::bind(tw::codec::parse_gbnf(gbnf),
                    std::make_shared<const tw::codec::token_walk>(
                        model.vocab_size(),
                        [&](tw::codec::token_id id) {
                            return id < 256 ? std::string_view{bytes}.substr(static_cast<std::size_t>(id), 1)
                                            : std::string_view{};
                        },
                        std::move(ends)));
}

struct made {
    std::string text;
    finish_reason reason;
};

made run(tw::generate_options options, const fake::model& model = {}) {
    fake::model::state state{200};
    auto generation = tw::generate(model, state, tokenizer, prompt, std::move(options));
    std::string text = generation.text();
    return {std::move(text), generation.finish_reason()};
}

} // namespace

TEST_CASE("a generation says what its grammar allows, and ends where nothing may follow") {
    const auto plate = bound("root ::= [A-Z]{2} \"-\" [0-9]{4}");
    for(std::uint64_t seed = 0; seed < 20; ++seed) {
        for(const float temperature: {0.0F, 1.0F}) {
            const made m = run({.sampling = {.temperature = temperature, .seed = seed}, .constraint = plate});
            CHECK(m.reason == finish_reason::stop);
            REQUIRE(m.text.size() == 7);
            CHECK(m.text[2] == '-');
            CHECK((m.text[0] >= 'A' && m.text[0] <= 'Z' && m.text[6] >= '0' && m.text[6] <= '9'));
        }
    }
    CHECK(run({.max_tokens = 7, .constraint = plate}).reason == finish_reason::stop);
    const made cut = run({.max_tokens = 3, .constraint = plate});
    CHECK(cut.text.size() == 3);
    CHECK(cut.reason == finish_reason::length);
}

TEST_CASE("what the model would say is heard where it is allowed") {
    fake::model model;
    model.prompt_size = prompt.size();
    model.script = fake::bytes("yes!");
    model.script.push_back(256);
    const tw::sampling::sampler_options greedy{.temperature = 0};
    CHECK(run({.sampling = greedy}, model).text == "yes!");
    CHECK(run({.sampling = greedy, .constraint = bound("root ::= \"no\" | \"yes\"")}, model).text == "yes");
    const made any = run({.sampling = greedy, .constraint = bound("root ::= [a-z!]+")}, model);
    CHECK(any.text == "yes!");
    CHECK(any.reason == finish_reason::stop); // by the end token
}

TEST_CASE("tokens that were said to end a text do so where it is complete") {
    fake::model model;
    model.prompt_size = prompt.size();
    model.script = fake::bytes("ab.cd");
    const made m =
        run({.sampling = {.temperature = 0}, .constraint = bound("root ::= [a-z]+ "), .stop_tokens = {'.'}}, model);
    CHECK(m.text == "ab");
    CHECK(m.reason == finish_reason::stop);
}

TEST_CASE("a vocabulary that cannot write the text is an error") {
    const auto rules = bound("root ::= \"a\" \"b\"", {256, 'b'});
    CHECK_THROWS_AS(run({.constraint = rules}), tw::argument_error);
}
