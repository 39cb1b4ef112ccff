// Guidance in an engine's batch. What it must give is made here by hand: two states, and the logits of both joined.
#include <tokenworks/runtime/engine.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/runtime/guided_model.hpp>
#include <tokenworks/runtime/run_alone.hpp>
#include <tokenworks/sampling/constraint.hpp>
#include <tokenworks/sampling/constraint_copies.hpp>

#include "runtime/engine_runs.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using engine_runs::load;
using engine_runs::run_all;
using engine_runs::run_staggered;
using tw::runtime::engine;
using tw::runtime::finish_reason;
using tw::runtime::job;
using tw::runtime::request;
using tw::runtime::token_id;

namespace {

/// Two sequences that differ in their prompts.
struct pair_model {
    struct state {
        tw::text_model::state with;
        tw::text_model::state without;
        [[nodiscard]] std::size_t size() const { return with.size(); }
        [[nodiscard]] std::size_t capacity() const { return with.capacity(); }
    };
    const tw::text_model& model;
    tw::runtime::guidance how;

    [[nodiscard]] std::size_t vocab_size() const { return model.vocab_size(); }
    void forward(state& s, std::span<const token_id> tokens, std::span<float> logits) const {
        std::vector<float> other(logits.size());
        model.forward(s.with, tokens, logits);
        model.forward(s.without, s.without.size() == 0 ? std::span<const token_id>{how.without} : tokens, other);
        for(std::size_t i = 0; i < logits.size(); ++i) {
            logits[i] = other[i] + how.scale * (logits[i] - other[i]);
        }
    }
};

std::vector<token_id> alone(const tw::text_model& model, request what, std::size_t sample = 0) {
    what.options.sampling.seed += sample;
    what.options.prefill_chunk = 0; // the other prompt is as long as it likes
    std::vector<token_id> ids;
    if(what.is_guided()) {
        pair_model::state both{model.make_state(), model.make_state()};
        tw::runtime::run_alone(pair_model{model, *what.guidance}, both, what, ids);
    } else {
        tw::text_model::state state = model.make_state();
        tw::runtime::run_alone(model, state, what, ids);
    }
    return ids;
}

std::vector<token_id> some_ids(std::size_t count, std::size_t seed) {
    std::vector<token_id> ids;
    for(std::size_t i = 0; i < count; ++i) {
        ids.push_back(static_cast<token_id>(33 + (i * i + seed * 17) % 90));
    }
    return ids;
}

/// Some guided, some not; prompts of one token and of several pages, alike and different.
request mixed(std::size_t i) {
    request what{.prompt = some_ids(1 + i * 37 % 150, i % 3), .options = {.ignore_eos = true}};
    what.options.max_tokens = 5 + i * 11 % 80;
    what.options.sampling.seed = i;
    what.options.sampling.temperature = i % 4 == 0 ? 0.0F : 0.9F;
    if(i % 3 != 2) {
        what.guidance = {.scale = i % 5 == 3 ? 1.0F : 0.5F + static_cast<float>(i % 7),
                         .without = some_ids(1 + i * 53 % 170, i % 2)};
    }
    if(i % 5 == 1) {
        what.samples = 2;
    }
    if(i % 4 == 3) {
        what.options.max_tokens = 100;
        what.options.constraint =
            tw::sampling::copies_of(tw::sampling::exactly{4 + i % 40, [](token_id id) { return id >= 50 && id < 90; }});
    }
    if(i % 6 == 0) {
        what.logprobs = 2;
    }
    what.priority = static_cast<int>(i % 2);
    return what;
}

} // namespace

TEST_CASE("engine: guided requests among others get what they would have got alone", "[runtime]") {
    struct way {
        unsigned threads;
        tw::runtime::engine_options options;
    };
    for(const way& each:
        {way{1, {.max_sequences = 8, .max_waiting = 100}},
         way{2, {.max_sequences = 12, .max_waiting = 100, .cache_tokens = 64 * 14, .step_tokens = 70}},
         way{2, {.max_sequences = 4, .max_waiting = 100, .keep_prefixes = false, .step_tokens_beside = 3}}}) {
        const tw::text_model model = load(each.threads);
        engine many{model, each.options};
        std::vector<job> jobs = run_staggered(many, 40, 4, 60, mixed);
        for(std::size_t i = 0; i < jobs.size(); ++i) {
            const request what = mixed(i);
            const tw::runtime::completion& all = jobs[i].wait();
            for(std::size_t s = 0; s < what.samples; ++s) {
                INFO("request " << i << ", sample " << s);
                CHECK(all.samples[s].ids == alone(model, what, s));
            }
            CHECK(all.usage.prompt_tokens == what.prompt.size());
            CHECK(all.samples[0].reason == (what.options.constraint ? finish_reason::stop : finish_reason::length));
        }
        const tw::runtime::engine_counts counts = many.counts();
        CHECK(counts.cache_tokens_used == 0);
        CHECK(counts.running + counts.waiting == 0);
        CHECK((counts.cached_tokens > 0) == each.options.keep_prefixes);
        if(each.options.cache_tokens == 64 * 14) {
            CHECK(counts.preemptions > 0);
            CHECK(counts.recomputed_tokens > 0);
        }
    }
}

TEST_CASE("engine: guidance gives what guided_model gives", "[runtime]") {
    const tw::text_model model = load();
    for(const float scale: {0.0F, 1.0F, 3.5F}) {
        request what{.prompt = {40}, .options = {.max_tokens = 100, .ignore_eos = true}};
        what.guidance = {.scale = scale, .without = {41}};
        what.options.sampling.seed = 7;
        tw::nn::context c{model.how()};
        const tw::runtime::guided_model guided{model.network(), scale, 41};
        tw::runtime::guided_model::state state = guided.make_state(c, 200, tw::dtype::f16);
        std::vector<token_id> ids;
        CHECK(tw::runtime::run_alone(guided, state, what, ids) == finish_reason::length);
        engine one{model};
        job asked = one.submit(what);
        run_all(one);
        CHECK(asked.wait().samples[0].ids == ids);
        what.guidance.reset();
        job plain = one.submit(what);
        run_all(one);
        CHECK((plain.wait().samples[0].ids == ids) == (scale == 1));
    }
}

TEST_CASE("engine: both prompts of a guided request are shared, cancelled and paid for", "[runtime]") {
    const tw::text_model model = load();
    double joules = 0;
    engine one{model,
               {.max_sequences = 8, .max_waiting = 8, .joules = [&]() -> std::optional<double> { return joules++; }}};
    request what{.prompt = some_ids(200, 1), .options = {.max_tokens = 9, .ignore_eos = true}, .samples = 6};
    what.guidance = {.scale = 2, .without = some_ids(130, 2)};
    job asked = one.submit(what);
    run_all(one);
    tw::runtime::engine_counts counts = one.counts();
    CHECK(counts.prompt_tokens == 6 * 330);
    // All but the last token of each prompt, and what lies behind its last full page, is computed once.
    CHECK(counts.prompt_tokens - counts.cached_tokens <= 330 + 5 * 2);
    for(std::size_t s = 0; s < 6; ++s) {
        CHECK(asked.wait().samples[s].ids == alone(model, what, s));
    }
    what.samples = 1;
    job again = one.submit(what);
    one.step();
    CHECK(again.poll()); // one step for both prompts, of which but the last tokens are known
    CHECK(one.counts().cache_tokens_used > 0);
    again.cancel();
    one.step();
    CHECK(again.wait().samples[0].reason == finish_reason::cancelled);
    CHECK(one.counts().cache_tokens_used == 0);
    what.joules = 3;
    what.options.max_tokens = 100;
    job bounded = one.submit(what);
    run_all(one);
    CHECK(bounded.wait().samples[0].reason == finish_reason::budget);
    counts = one.counts();
    CHECK(counts.prefill_joules.value() + counts.decode_joules.value() == Approx(static_cast<double>(counts.steps)));
    // Twice the tokens of one who is not guided, in the same steps.
    request plain{.prompt = {40}, .options = {.max_tokens = 30, .ignore_eos = true}};
    request guided = plain;
    guided.guidance = {.scale = 2, .without = {41}};
    job cheap = one.submit(plain);
    job dear = one.submit(guided);
    run_all(one);
    CHECK(dear.wait().usage.decode_joules.value() == Approx(2 * cheap.wait().usage.decode_joules.value()));
}

TEST_CASE("engine: log probabilities under guidance are those of the joined logits", "[runtime]") {
    const tw::text_model model = load();
    engine one{model};
    request what{.prompt = {40, 50}, .options = {.max_tokens = 1, .ignore_eos = true}, .logprobs = 1};
    what.guidance = {.scale = 3, .without = {60}};
    job asked = one.submit(what);
    run_all(one);
    pair_model::state both{model.make_state(), model.make_state()};
    std::vector<float> logits(model.vocab_size());
    pair_model{model, *what.guidance}.forward(both, what.prompt, logits);
    double sum = 0;
    for(const float each: logits) {
        sum += std::exp(static_cast<double>(each));
    }
    const tw::runtime::token_event event = asked.next().value();
    CHECK(event.logprob.value() ==
          Approx(static_cast<double>(logits[static_cast<std::size_t>(*event.id)]) - std::log(sum)).margin(1e-5));
}

TEST_CASE("engine: log probabilities of a guided request's prompt are those of the prompt alone", "[runtime]") {
    const tw::text_model model = load();
    request plain{.prompt = some_ids(90, 3),
                  .options = {.max_tokens = 12, .sampling = {.seed = 4}, .ignore_eos = true}};
    plain.options.sampling.temperature = 0.9F;
    plain.prompt_logprobs = 2;
    for(const std::size_t budget: {512U, 64U, 7U}) {
        for(const std::size_t other: {1U, 40U, 200U}) { // shorter and longer than the prompt
            engine one{model, {.step_tokens = budget, .step_tokens_beside = std::min<std::size_t>(budget, 20)}};
            request guided = plain;
            guided.guidance = {.scale = 2.5F, .without = some_ids(other, 8)};
            request unscored = guided;
            unscored.prompt_logprobs.reset();
            job beside = one.submit(plain);
            job asked = one.submit(guided);
            run_all(one);
            const auto& expected = beside.wait().prompt_logprobs;
            const auto& found = asked.wait().prompt_logprobs;
            REQUIRE(found.size() == plain.prompt.size() - 1);
            for(std::size_t i = 0; i < found.size(); ++i) {
                CHECK(found[i].logprob == expected[i].logprob);
                CHECK(found[i].rank == expected[i].rank);
                REQUIRE(found[i].top.size() == 2);
                CHECK(found[i].top[1].id == expected[i].top[1].id);
            }
            CHECK(asked.wait().samples[0].ids == alone(model, unscored));
            CHECK(asked.wait().samples[0].ids != beside.wait().samples[0].ids);
        }
    }
}

TEST_CASE("engine: guidance that it refuses", "[runtime]") {
    const tw::text_model model = load();
    engine one{model, {.max_sequences = 1, .cache_tokens = 64 * 4}};
    const auto guided = [](float scale, std::vector<token_id> without) {
        request what{.prompt = {40}, .options = {.max_tokens = 20, .ignore_eos = true}};
        what.guidance = {.scale = scale, .without = std::move(without)};
        return what;
    };
    CHECK_THROWS_AS(one.submit(guided(2, {})), tw::argument_error);
    CHECK_THROWS_AS(one.submit(guided(2, {-1})), tw::argument_error);
    CHECK_THROWS_AS(one.submit(guided(2, {1 << 20})), tw::argument_error);
    CHECK_THROWS_AS(one.submit(guided(std::numeric_limits<float>::quiet_NaN(), {40})), tw::argument_error);
    CHECK_THROWS_AS(one.submit(guided(2, some_ids(600, 1))), tw::capacity_error);
    CHECK_THROWS_AS(one.submit(guided(2, some_ids(100, 1))), tw::capacity_error); // 5 pages, there are 4
    job fits = one.submit(guided(2, {41}));
    run_all(one);
    CHECK(fits.wait().samples[0].ids == alone(model, guided(2, {41})));
}

TEST_CASE("engine: a step that continues guided sequences allocates nothing", "[runtime]") {
    const tw::text_model model = load(2);
    engine one{model, {.max_sequences = 4}};
    std::vector<job> jobs;
    for(std::uint64_t i = 0; i < 4; ++i) {
        request what{.prompt = {40}, .options = {.max_tokens = 300, .sampling = {.seed = i}, .ignore_eos = true}};
        what.guidance = {.scale = 2, .without = {41, 42}};
        jobs.push_back(one.submit(what));
    }
    for(int i = 0; i < 20; ++i) {
        one.step();
    }
    CHECK(support::allocations_during([&] {
              for(int i = 0; i < 200; ++i) {
                  one.step();
              }
          }) == 0);
    CHECK(one.counts().running == 4);
}
