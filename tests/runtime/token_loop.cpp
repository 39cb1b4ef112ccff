#include <tokenworks/sampling/greedy.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <tokenworks/runtime/token_loop.hpp>

#include "runtime/fake_model.hpp"
#include "support/allocations.hpp"

namespace tw = tokenworks;
namespace rt = tokenworks::runtime;
using rt::finish_reason;
using rt::token_id;

static_assert(rt::causal_model<fake::model>);

namespace {

std::vector<token_id> all(rt::token_loop<fake::model>& loop) {
    std::vector<token_id> ids;
    while(const auto id = loop.next()) {
        ids.push_back(*id);
    }
    return ids;
}

const std::vector<token_id> prompt{5, 6, 7, 8, 9};

} // namespace

TEST_CASE("the loop gives what choosing by hand gives") {
    const fake::model model;
    fake::model::state state{100};
    rt::token_loop loop{model, state, prompt, {.max_tokens = 30, .sampling = {.seed = 3}}};
    const auto ids = all(loop);

    fake::model::state by_hand{100};
    std::vector<float> logits(model.vocab);
    tw::sampling::chain chain = tw::sampling::make_chain({.seed = 3});
    tw::sampling::candidates work;
    std::vector<token_id> expected;
    model.forward(by_hand, prompt, logits);
    for(std::size_t n = 0; n < 30; ++n) {
        expected.push_back(chain(logits, {{}, prompt.size() + n}, work));
        if(n + 1 < 30) {
            model.forward(by_hand, std::span{expected}.last(1), logits);
        }
    }
    CHECK(ids == expected);
    CHECK(std::vector<token_id>{loop.ids().begin(), loop.ids().end()} == expected);
    CHECK(loop.reason() == finish_reason::length);
    CHECK(state.tokens == by_hand.tokens); // prompt and all ids but the last
    CHECK(std::vector<token_id>{loop.prompt_ids().begin(), loop.prompt_ids().end()} == prompt);
    CHECK_FALSE(loop.next());
}

namespace {

/// Chooses by itself, and counts how often.
struct choosing_model: fake::model {
    mutable int choices = 0;

    token_id forward_greedy(state& s, std::span<const token_id> tokens) const {
        std::vector<float> logits(vocab);
        forward(s, tokens, logits);
        ++choices;
        return tw::sampling::argmax(logits);
    }
};

} // namespace

TEST_CASE("a greedy loop lets the model choose where it can, and no other loop does") {
    static_assert(rt::greedy_model<choosing_model> && !rt::greedy_model<fake::model>);
    const choosing_model model;
    const auto ids_of = [&](const auto& m, rt::generate_options options) {
        fake::model::state state{100};
        options.max_tokens = 20;
        options.prefill_chunk = 2;
        rt::token_loop loop{m, state, prompt, std::move(options)};
        std::vector<token_id> ids;
        while(const auto id = loop.next()) {
            ids.push_back(*id);
        }
        return ids;
    };
    const rt::generate_options greedy{.sampling = {.temperature = 0}};
    CHECK(ids_of(model, greedy) == ids_of(fake::model{}, greedy));
    CHECK(model.choices == 20);
    const rt::generate_options biased{.sampling = {.temperature = 0, .logit_bias = {{3, 2.0F}}}};
    CHECK(ids_of(model, biased) == ids_of(fake::model{}, biased));
    const rt::generate_options penalised{.sampling = {.temperature = 0, .repeat_penalty = 1.5F}};
    CHECK(ids_of(model, penalised) == ids_of(fake::model{}, penalised));
    const rt::generate_options drawn{.sampling = {.seed = 4}};
    CHECK(ids_of(model, drawn) == ids_of(fake::model{}, drawn));
    CHECK(model.choices == 20);
}

TEST_CASE("the prompt's cut into chunks changes the calls and not the result") {
    const fake::model model;
    std::vector<std::vector<token_id>> results;
    for(const std::size_t chunk: {0U, 1U, 2U, 3U, 5U, 512U}) {
        fake::model::state state{100};
        std::vector<std::pair<std::size_t, std::size_t>> progress;
        rt::token_loop loop{
            model,
            state,
            prompt,
            {.max_tokens = 5, .prefill_chunk = chunk, .on_progress = [&](std::size_t done, std::size_t total) {
                 progress.emplace_back(done, total);
                 return true;
             }}};
        results.push_back(all(loop));
        const std::size_t calls = chunk == 0 ? 1 : (prompt.size() + chunk - 1) / chunk;
        CHECK(progress.size() == calls);
        CHECK(progress.back() == std::pair{prompt.size(), prompt.size()});
        CHECK(state.chunks.size() == calls + 4);
    }
    for(const auto& r: results) {
        CHECK(r == results[0]);
    }
}

TEST_CASE("a sequence goes on where its state is") {
    const fake::model model;
    fake::model::state state{100};
    rt::token_loop first{model, state, prompt, {.max_tokens = 4}};
    auto ids = all(first);
    rt::token_loop second{model, state, std::span{ids}.last(1), {.max_tokens = 4}};
    const auto more = all(second);
    ids.insert(ids.end(), more.begin(), more.end());
    fake::model::state fresh{100};
    rt::token_loop whole{model, fresh, prompt, {.max_tokens = 8}};
    CHECK(all(whole) == ids); // the draws depend on the place in the sequence, not on the call
}

TEST_CASE("penalties see the history, the prompt and the tokens so far") {
    const fake::model model;
    std::vector<std::size_t> seen;
    const auto look = [&](tw::sampling::candidates&, const tw::sampling::step& s) {
        seen.push_back(s.history.size());
        CHECK(s.history[0] == 42);
    };
    fake::model::state state{100};
    const std::vector<token_id> history{42, 43};
    rt::token_loop loop{
        model, state, prompt, {.max_tokens = 3, .chain = tw::sampling::chain{look}, .history = history}};
    CHECK(all(loop).size() == 3);
    CHECK(seen == std::vector<std::size_t>{7, 8, 9});
}

TEST_CASE("stop tokens end the loop and are its last token") {
    const fake::model model{.script = {10, 11, 12, 13}, .prompt_size = prompt.size()};
    fake::model::state state{100};
    rt::token_loop loop{model, state, prompt, {.sampling = {.temperature = 0}, .stop_tokens = {99, 12}}};
    CHECK(all(loop) == std::vector<token_id>{10, 11, 12});
    CHECK(loop.reason() == finish_reason::stop);
}

TEST_CASE("a full context ends the loop, or is an error if asked for") {
    const fake::model model;
    fake::model::state state{8};
    rt::token_loop loop{model, state, prompt, {}};
    CHECK(all(loop).size() == 4); // three more fit, and the last is chosen without having to fit
    CHECK(loop.reason() == finish_reason::context_full);
    CHECK(state.size() == 8);

    fake::model::state other{8};
    rt::token_loop failing{model, other, prompt, {.on_full = rt::when_full::fail}};
    for(int i = 0; i < 4; ++i) {
        CHECK(failing.next());
    }
    CHECK_THROWS_AS(failing.next(), tw::capacity_error);
    fake::model::state exact{5};
    rt::token_loop one{model, exact, prompt, {.max_tokens = 1, .on_full = rt::when_full::fail}};
    CHECK(all(one).size() == 1);
    CHECK(one.reason() == finish_reason::length);
}

TEST_CASE("arguments are checked before the model runs") {
    const fake::model model;
    fake::model::state state{8};
    const auto make = [&](std::vector<token_id> ids, rt::generate_options options = {}) {
        rt::token_loop<fake::model>{model, state, ids, std::move(options)};
    };
    REQUIRE_THROWS_WITH(make({}), ContainsSubstring("no tokens"));
    REQUIRE_THROWS_WITH(make({1, -1}), ContainsSubstring("token -1 at place 1"));
    REQUIRE_THROWS_WITH(make({300}), ContainsSubstring("token 300") && ContainsSubstring("has 300"));
    CHECK_THROWS_AS(make({300}), tw::argument_error);
    REQUIRE_THROWS_WITH(make(std::vector<token_id>(9, 1)),
                        ContainsSubstring("9 tokens") && ContainsSubstring("takes 8"));
    CHECK_THROWS_AS(make(std::vector<token_id>(9, 1)), tw::capacity_error);
    CHECK_THROWS_AS(make({1}, {.sampling = {.top_p = 7}}), tw::argument_error);
    CHECK(state.size() == 0);
}

TEST_CASE("cancelling ends the loop: by progress, by stop token, from outside") {
    const fake::model model;
    fake::model::state state{100};
    rt::token_loop progress{
        model, state, prompt, {.prefill_chunk = 2, .on_progress = [](std::size_t done, std::size_t) {
                                   return done < 4;
                               }}};
    CHECK(all(progress).empty());
    CHECK(progress.reason() == finish_reason::cancelled);
    CHECK(state.size() == 4); // what was done stays

    std::stop_source source;
    fake::model::state second{100};
    rt::token_loop stopped{model, second, prompt, {.cancel = source.get_token()}};
    CHECK(stopped.next());
    source.request_stop();
    CHECK_FALSE(stopped.next());
    CHECK(stopped.reason() == finish_reason::cancelled);

    fake::model::state third{100};
    rt::token_loop outside{model, third, prompt, {}};
    CHECK(outside.next());
    outside.finish(finish_reason::stop);
    outside.finish(finish_reason::cancelled); // too late
    CHECK_FALSE(outside.next());
    CHECK(outside.reason() == finish_reason::stop);
}

TEST_CASE("max_tokens of zero runs the prompt and no more") {
    const fake::model model;
    fake::model::state state{100};
    rt::token_loop loop{model, state, prompt, {.max_tokens = 0}};
    CHECK_FALSE(loop.next());
    CHECK(loop.reason() == finish_reason::length);
    CHECK(state.size() == prompt.size());
}

TEST_CASE("after an exception of the model the loop goes on where it was") {
    fake::model model;
    fake::model::state state{100};
    rt::token_loop loop{model, state, prompt, {.max_tokens = 6, .prefill_chunk = 2}};
    model.throws_in = 1; // in the second chunk
    CHECK_THROWS_AS(loop.next(), std::runtime_error);
    std::vector<token_id> ids;
    ids.push_back(loop.next().value());
    model.throws_in = 1;
    ids.push_back(loop.next().value());
    CHECK_THROWS_AS(loop.next(), std::runtime_error);
    const auto rest = all(loop);
    ids.insert(ids.end(), rest.begin(), rest.end());
    fake::model::state fresh{100};
    rt::token_loop undisturbed{model, fresh, prompt, {.max_tokens = 6}};
    CHECK(all(undisturbed) == ids);
    CHECK(fresh.tokens == state.tokens);
}

TEST_CASE("logits that cannot be sampled from are an error") {
    struct broken: fake::model {
        using fake::model::state;
        void forward(state& s, std::span<const token_id> tokens, std::span<float> logits) const {
            fake::model::forward(s, tokens, logits);
            std::fill(logits.begin(), logits.end(), std::nanf(""));
        }
    };
    const broken model;
    fake::model::state state{100};
    rt::token_loop loop{model, state, prompt, {}};
    CHECK_THROWS_AS(loop.next(), tw::argument_error);
}

TEST_CASE("timings count tokens and seconds") {
    const fake::model model;
    fake::model::state state{100};
    rt::token_loop loop{model, state, prompt, {.max_tokens = 7}};
    CHECK(all(loop).size() == 7);
    CHECK(loop.timings().prompt_tokens == 5);
    CHECK(loop.timings().generated_tokens == 7);
    CHECK(loop.timings().prefill_seconds > 0);
    CHECK(loop.timings().decode_seconds > 0);
    CHECK(loop.timings().prefill_tokens_per_second() == Approx(5 / loop.timings().prefill_seconds));
    CHECK(loop.timings().decode_tokens_per_second() == Approx(6 / loop.timings().decode_seconds));
    CHECK(rt::timings{}.decode_tokens_per_second() == 0);
}

TEST_CASE("a step after the first allocates nothing") {
    const fake::model model{.vocab = 5000};
    fake::model::state state{2000};
    rt::token_loop loop{model,
                        state,
                        prompt,
                        {.sampling = {.top_k = 0, .typical_p = 0.9F, .repeat_penalty = 1.1F, .repeat_last_n = -1}}};
    REQUIRE(loop.next());
    CHECK(support::allocations_during([&] {
              for(int i = 0; i < 1000; ++i) {
                  static_cast<void>(loop.next());
              }
          }) == 0);
    CHECK(loop.ids().size() == 1001);
}
