#include <tokenworks/runtime/engine.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <tokenworks/codec/regex_automaton.hpp>
#include <tokenworks/runtime/grammar_constraint.hpp>

#include "io/files.hpp"
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

std::vector<token_id> words(const tw::text_model& model, const std::string& text) {
    return model.tokenizer().encode(text, {.add_special = true});
}

/// What the request gives where it is alone: ids and text of one sample.
std::pair<std::vector<token_id>, std::string> alone(const tw::text_model& model, const request& what,
                                                    std::size_t sample = 0) {
    tw::generate_options options = what.options;
    options.sampling.seed += sample;
    auto generation = model.continue_ids(what.prompt, options);
    std::string text = generation.text();
    return {{generation.ids().begin(), generation.ids().end()}, text};
}

/// Requests of all kinds: lengths, seeds, greedy ones, penalties, stop strings, grammars, several samples, logprobs.
request mixed(const tw::text_model& model, std::size_t i) {
    request what;
    std::string text = i % 3 == 0 ? "Once upon a time there was a fox who lived in a wood near a river, and it rained. "
                                  : "Question " + std::to_string(i % 5) + ": ";
    text += std::string(i * 7 % 90, static_cast<char>('a' + i % 7));
    what.prompt = words(model, text);
    what.options = {.max_tokens = 3 + i * 13 % 90, .sampling = {.seed = i}, .ignore_eos = i % 4 != 1};
    what.options.sampling.temperature = i % 4 == 0 ? 0.0F : 1.1F;
    if(i % 5 == 1) {
        what.options.sampling.repeat_penalty = 1.3F;
        what.options.sampling.logit_bias = {{static_cast<token_id>(i % 200), 3.0F}};
    }
    if(i % 6 == 2) {
        what.options.stop = {"a", "zz"};
    }
    if(i % 7 == 3) {
        what.options.constraint = model.bind(tw::codec::parse_regex_grammar("[a-z]{3,40}( [0-9]+)?"));
    }
    if(i % 8 == 4) {
        what.samples = 3;
    }
    if(i % 9 == 5) {
        what.logprobs = i % 4;
    }
    what.priority = static_cast<int>(i % 3);
    what.client = i % 2 == 0 ? "even" : "odd";
    return what;
}

} // namespace

TEST_CASE("engine: each of many gets what it would have got alone", "[runtime]") {
    struct way {
        unsigned threads;
        tw::runtime::engine_options options;
    };
    for(const way& each:
        {way{1, {.max_sequences = 8, .max_waiting = 200}},
         way{3, {.max_sequences = 5, .max_waiting = 200, .cache_tokens = 64 * 9, .step_tokens = 50}},
         way{2, {.max_sequences = 30, .max_waiting = 200, .cache_tokens = 64 * 12}},
         way{2, {.max_sequences = 3, .max_waiting = 200, .keep_prefixes = false, .step_tokens_beside = 7}}}) {
        const tw::text_model model = load(each.threads);
        engine many{model, each.options};
        std::vector<job> jobs = run_staggered(many, 64, 5, 100, [&](std::size_t i) { return mixed(model, i); });
        for(std::size_t i = 0; i < jobs.size(); ++i) {
            const request what = mixed(model, i);
            const tw::runtime::completion& all = jobs[i].wait();
            REQUIRE(all.samples.size() == what.samples);
            for(std::size_t s = 0; s < what.samples; ++s) {
                const auto [ids, text] = alone(model, what, s);
                INFO("request " << i << ", sample " << s);
                CHECK(all.samples[s].ids == ids);
                CHECK(all.samples[s].text == text);
            }
            CHECK(all.usage.prompt_tokens == what.prompt.size());
        }
        const tw::runtime::engine_counts counts = many.counts();
        CHECK(counts.running == 0);
        CHECK(counts.waiting == 0);
        CHECK(counts.cache_tokens_used == 0);
        CHECK((counts.cached_tokens > 0) == each.options.keep_prefixes);
        if(each.options.cache_tokens == 64 * 12) {
            CHECK(counts.preemptions > 0);
            CHECK(counts.recomputed_tokens > 0);
        }
    }
}

TEST_CASE("engine: a prefix that many share is computed once", "[runtime]") {
    const tw::text_model model = load();
    engine many{model, {.max_sequences = 32, .max_waiting = 64, .cache_tokens = 64 * 80}};
    const std::vector<token_id> prefix = words(model, std::string(300, 'x'));
    const auto ask = [&](std::size_t i) {
        request what{.prompt = prefix, .options = {.max_tokens = 5, .sampling = {.seed = i}, .ignore_eos = true}};
        what.prompt.push_back(static_cast<token_id>(40 + i));
        return what;
    };
    std::vector<job> jobs;
    for(std::size_t i = 0; i < 32; ++i) {
        jobs.push_back(many.submit(ask(i)));
    }
    run_all(many);
    std::size_t computed = 0;
    for(std::size_t i = 0; i < 32; ++i) {
        const tw::runtime::completion& all = jobs[i].wait();
        CHECK(all.samples[0].ids == alone(model, ask(i)).first);
        computed += all.usage.prompt_tokens - all.usage.cached_tokens;
    }
    CHECK(computed <= prefix.size() + 32);
    // The same once more: all but the last token is there.
    job again = many.submit(ask(3));
    run_all(many);
    CHECK(again.wait().usage.cached_tokens == prefix.size());
    // Not for those of another salt.
    request other = ask(3);
    other.cache_salt = "mine";
    job salted = many.submit(other);
    run_all(many);
    CHECK(salted.wait().usage.cached_tokens == 0);
    CHECK(salted.wait().samples[0].ids == again.wait().samples[0].ids);
}

TEST_CASE("engine: logprobs are those of the model's own logits", "[runtime]") {
    const tw::text_model model = load();
    engine one{model, {.max_sequences = 2}};
    request what{.prompt = words(model, std::string(90, 'q') + " end"),
                 .options = {.max_tokens = 6, .ignore_eos = true}};
    what.logprobs = 3;
    what.prompt_logprobs = 2;
    what.options.constraint = model.bind(tw::codec::parse_regex_grammar("[0-9]{6,}"));
    job asked = one.submit(what);
    run_all(one);
    const tw::runtime::completion all = asked.wait();
    std::vector<token_id> tokens = what.prompt;
    tokens.insert(tokens.end(), all.samples[0].ids.begin(), all.samples[0].ids.end());
    std::vector<tw::runtime::token_event> events;
    for(const tw::runtime::token_event& event: asked) {
        events.push_back(event);
    }
    REQUIRE(events.size() == 6);
    REQUIRE(all.prompt_logprobs.size() == what.prompt.size() - 1);
    auto state = model.make_state();
    std::vector<float> logits(model.vocab_size());
    for(std::size_t t = 0; t + 1 < tokens.size(); ++t) {
        model.forward(state, std::span{tokens}.subspan(t, 1), logits);
        double sum = 0;
        for(const float each: logits) {
            sum += std::exp(static_cast<double>(each));
        }
        const auto of = [&](token_id id) {
            return static_cast<double>(logits[static_cast<std::size_t>(id)]) - std::log(sum);
        };
        if(t + 1 < what.prompt.size()) {
            const tw::runtime::prompt_logprob& told = all.prompt_logprobs[t];
            CHECK(told.logprob == Approx(of(tokens[t + 1])).margin(1e-5));
            std::vector<float> best = logits;
            std::ranges::sort(best, std::greater{});
            CHECK(best[told.rank - 1] == logits[static_cast<std::size_t>(tokens[t + 1])]);
            REQUIRE(told.top.size() == 2);
            for(std::size_t i = 0; i < 2; ++i) {
                CHECK(logits[static_cast<std::size_t>(told.top[i].id)] == best[i]);
                CHECK(told.top[i].logprob == Approx(of(told.top[i].id)).margin(1e-5));
            }
            continue;
        }
        const tw::runtime::token_event& event = events[t + 1 - what.prompt.size()];
        CHECK(event.id == tokens[t + 1]);
        CHECK(event.logprob.value() == Approx(of(tokens[t + 1])).margin(1e-5));
        REQUIRE(event.top.size() == 3);
        std::size_t better = 0;
        for(std::size_t i = 0; i < logits.size(); ++i) {
            better += of(static_cast<token_id>(i)) > static_cast<double>(event.top[2].logprob) + 1e-4 ? 1U : 0U;
        }
        CHECK(better == 2);
        CHECK(event.top[0].logprob >= event.top[1].logprob);
    }
}

TEST_CASE("engine: events tell all of a text, in order, and the last why it ended", "[runtime]") {
    const tw::text_model model = load();
    engine one{model};
    std::size_t heard = 0;
    request what{.prompt = words(model, "abc"), .options = {.max_tokens = 20, .ignore_eos = true}};
    what.on_event = [&](const tw::runtime::token_event&) { ++heard; };
    job asked = one.submit(what);
    CHECK_FALSE(asked.poll());
    std::string text;
    std::size_t events = 0;
    finish_reason last = finish_reason::none;
    while(one.step()) {
        while(const auto event = asked.poll()) {
            CHECK(last == finish_reason::none);
            text += event->text;
            last = event->reason;
            ++events;
        }
    }
    CHECK(asked.finished());
    CHECK(last == finish_reason::length);
    CHECK(events == 20);
    CHECK(heard == 20);
    CHECK(text == asked.wait().samples[0].text);
    CHECK(asked.wait().usage.first_token_seconds > 0);
    CHECK(asked.wait().usage.total_seconds >= asked.wait().usage.first_token_seconds);
    request none = what;
    none.options.max_tokens = 0;
    job empty = one.submit(none);
    run_all(one);
    CHECK(empty.wait().samples[0].ids.empty());
    CHECK(empty.wait().samples[0].reason == finish_reason::length);
    request full = what;
    full.options.max_tokens = tw::generate_options::unlimited;
    job endless = one.submit(full);
    run_all(one);
    CHECK(endless.wait().samples[0].reason == finish_reason::context_full);
    CHECK(endless.wait().samples[0].ids == alone(model, full).first);
}

TEST_CASE("engine: cancelling frees what a request holds, wherever it is", "[runtime]") {
    const tw::text_model model = load();
    engine one{model, {.max_sequences = 2, .max_waiting = 10, .step_tokens = 40, .step_tokens_beside = 10}};
    const request what{.prompt = words(model, std::string(200, 'k')),
                       .options = {.max_tokens = 200, .ignore_eos = true}};
    std::vector<job> jobs;
    for(int i = 0; i < 4; ++i) {
        jobs.push_back(one.submit(what));
    }
    one.step();
    CHECK(one.counts().running == 1); // whose prompt takes all of a step
    CHECK(one.counts().cache_tokens_used > 0);
    jobs[0].cancel(); // between two chunks of its prompt
    jobs[3].cancel(); // in the line
    one.step();
    CHECK(jobs[0].wait().samples[0].reason == finish_reason::cancelled);
    CHECK(jobs[3].wait().samples[0].reason == finish_reason::cancelled);
    jobs.clear(); // a handle that goes cancels its job
    one.step();
    CHECK(one.counts().running == 0);
    CHECK(one.counts().waiting == 0);
    CHECK(one.counts().cache_tokens_used == 0);
    request late = what;
    late.deadline = std::chrono::steady_clock::now() - std::chrono::seconds{1};
    job too_late = one.submit(late);
    run_all(one);
    CHECK(too_late.wait().samples[0].reason == finish_reason::deadline);
    job left;
    {
        engine gone{model};
        left = gone.submit(what);
        gone.step();
    }
    CHECK(left.wait().samples[0].reason == finish_reason::cancelled);
}

TEST_CASE("engine: what it refuses", "[runtime]") {
    const tw::text_model model = load();
    engine one{model, {.max_sequences = 1, .max_waiting = 2, .cache_tokens = 64 * 4}};
    const request fits{.prompt = words(model, "abc"), .options = {.max_tokens = 20, .ignore_eos = true}};
    const auto with = [&](auto change) {
        request what = fits;
        change(what);
        return what;
    };
    CHECK_THROWS_AS(one.submit(with([](request& r) { r.prompt.clear(); })), tw::argument_error);
    CHECK_THROWS_AS(one.submit(with([](request& r) { r.prompt[0] = -1; })), tw::argument_error);
    CHECK_THROWS_AS(one.submit(with([](request& r) { r.samples = 0; })), tw::argument_error);
    CHECK_THROWS_AS(one.submit(with([](request& r) { r.samples = 4; })), tw::argument_error);
    CHECK_THROWS_AS(one.submit(with([](request& r) { r.options.sampling.top_p = 2; })), tw::argument_error);
    CHECK_THROWS_AS(one.submit(with([](request& r) { r.options.stop = {""}; })), tw::argument_error);
    CHECK_THROWS_AS(one.submit(with([](request& r) { r.joules = 1; })), tw::argument_error);
    CHECK_THROWS_AS(one.submit(with([](request& r) { r.prompt.assign(600, 5); })), tw::capacity_error);
    CHECK_THROWS_AS(one.submit(with([](request& r) { r.prompt.assign(200, 5); })), tw::capacity_error);
    CHECK(one.counts().waiting == 0);
    std::vector<job> jobs;
    for(int i = 0; i < 3; ++i) {
        jobs.push_back(one.submit(fits));
    }
    CHECK_THROWS_AS(one.submit(fits), tw::overload_error);
    CHECK(one.counts().refused == 1);
    run_all(one);
    jobs.push_back(one.submit(fits));
    one.close();
    CHECK_THROWS_AS(one.submit(fits), tw::overload_error);
    run_all(one);
    CHECK(jobs.back().wait().samples[0].ids == alone(model, fits).first);
    CHECK_THROWS_AS((engine{model, {.max_sequences = 0}}), tw::argument_error);
    CHECK_THROWS_AS((engine{model, {.cache_type = tw::dtype::q8_0}}), tw::argument_error); // heads of 8
    CHECK_THROWS_AS((engine{model, {.cache_type = tw::dtype::i8}}), tw::unsupported_error);
}

TEST_CASE("engine: the line is as long as its requests are quick", "[runtime]") {
    const tw::text_model model = load();
    const request one_word{.prompt = words(model, "abc"), .options = {.max_tokens = 20, .ignore_eos = true}};
    for(const bool is_patient: {false, true}) {
        engine one{model, {.max_sequences = 8, .max_waiting = 50, .max_wait = is_patient ? 1e6 : 1e-9}};
        const auto taken = [&] {
            std::vector<job> jobs;
            try {
                for(;;) {
                    jobs.push_back(one.submit(one_word));
                }
            } catch(const tw::overload_error&) {
            }
            const std::size_t count = jobs.size();
            run_all(one);
            return count;
        };
        CHECK(taken() == 8 + 8);                         // nothing has been measured yet
        CHECK(taken() == (is_patient ? 8 + 50 : 8 + 2)); // a quarter of the places
        CHECK(one.counts().refused == 2);
    }
}

TEST_CASE("engine: prompts that are being read leave places", "[runtime]") {
    const tw::text_model model = load();
    engine one{model, {.max_sequences = 8, .max_waiting = 8, .max_wait = 1e-9, .step_tokens = 20}};
    const auto next = [&](int i) {
        return request{.prompt = std::vector<token_id>(40, static_cast<token_id>(i + 5)),
                       .options = {.max_tokens = 30, .ignore_eos = true}};
    };
    static_cast<void>(one.ask(next(0)));
    run_all(one); // now there is a measure
    std::vector<job> jobs;
    for(int i = 0; i < 8; ++i) {
        jobs.push_back(one.submit(next(i)));
    }
    one.step();
    one.step();
    CHECK(one.counts().running < 8);
    jobs[7].cancel();
    one.step();
    CHECK_NOTHROW(jobs.push_back(one.submit(next(8))));
    CHECK_NOTHROW(jobs.push_back(one.submit(next(9)))); // a quarter of the places may wait
    run_all(one);
    CHECK(one.counts().refused == 0);
}

TEST_CASE("engine: several requests get in together or not at all", "[runtime]") {
    const tw::text_model model = load();
    engine one{model, {.max_sequences = 2, .max_waiting = 4, .max_wait = 1e-9}};
    const auto several = [&](std::size_t count) {
        std::vector<request> all;
        for(std::size_t i = 0; i < count; ++i) {
            all.push_back({.prompt = words(model, std::string(i + 1, 'a')),
                           .options = {.max_tokens = 5 + i, .sampling = {.seed = i}, .ignore_eos = true}});
        }
        return all;
    };
    CHECK_THROWS_AS(one.submit_all(several(7)), tw::overload_error);
    std::vector<request> wrong = several(3);
    wrong[2].prompt.clear();
    CHECK_THROWS_AS(one.submit_all(std::move(wrong)), tw::argument_error);
    CHECK(one.counts().waiting == 0);
    CHECK(one.submit_all({}).empty());
    for(int round = 0; round < 2; ++round) { // with and without a measure of how long they take
        std::vector<job> jobs = one.submit_all(several(6));
        CHECK_THROWS_AS(one.submit_all(several(1)), tw::overload_error);
        run_all(one);
        for(std::size_t i = 0; i < jobs.size(); ++i) {
            CHECK(jobs[i].wait().samples[0].ids == alone(model, several(6)[i]).first);
        }
    }
    CHECK(one.counts().refused == 3);
    CHECK(one.counts().waiting == 0);
}

TEST_CASE("engine: how many tokens the cache holds unless told", "[runtime]") {
    const tw::text_model small = load(1, 512);
    CHECK(engine{small, {.max_sequences = 4}}.options().cache_tokens == 4 * (512 + 64));
    const tw::text_model large = load(1, 8192);
    CHECK(engine{large, {.max_sequences = 32}}.options().cache_tokens == 32 * 1024);
    CHECK(engine{large, {.max_sequences = 4}}.options().cache_tokens == 8192 + 64);
}

TEST_CASE("engine: short sequences take a tenth more memory than their tokens at most", "[runtime]") {
    const tw::text_model model = load();
    engine one{model, {.max_sequences = 32, .max_waiting = 1, .cache_tokens = 64 * 300, .step_tokens = 1 << 20}};
    std::vector<job> jobs;
    std::size_t tokens = 0;
    for(std::size_t i = 0; i < 32; ++i) {
        std::vector<token_id> prompt;
        for(std::size_t k = 0; k < 60 + i * 37 % 301; ++k) {
            prompt.push_back(static_cast<token_id>((i * 31 + k * 7) % 200));
        }
        tokens += prompt.size();
        jobs.push_back(one.submit({.prompt = std::move(prompt), .options = {.max_tokens = 90, .ignore_eos = true}}));
    }
    one.step();
    for(std::size_t step = 1; step < 80; ++step) {
        one.step();
        REQUIRE(one.counts().running == 32);
        CHECK(static_cast<double>(one.counts().cache_tokens_used) <= 1.1 * static_cast<double>(tokens + 32 * step));
    }
    run_all(one);
    CHECK(one.counts().cache_tokens_used == 0);
    CHECK(one.counts().preemptions == 0);
}

TEST_CASE("engine: a request that goes wrong harms no other", "[runtime]") {
    const tw::text_model model = load();
    engine one{model};
    request wrong{.prompt = words(model, "abc"), .options = {.max_tokens = 20, .ignore_eos = true}};
    const request right = wrong;
    wrong.options.chain.emplace(tw::sampling::chain{
        [](tw::sampling::candidates&, const tw::sampling::step&) { throw tw::limit_error{"no more"}; }});
    job bad = one.submit(wrong);
    job good = one.submit(right);
    request loud = right;
    loud.on_event = [](const tw::runtime::token_event&) { throw tw::argument_error{"not heard"}; };
    job deaf = one.submit(loud);
    run_all(one);
    CHECK_THROWS_WITH(bad.wait(), "no more");
    CHECK(good.wait().samples[0].ids == alone(model, right).first);
    CHECK_THROWS_WITH(deaf.wait(), "not heard");
    CHECK(one.counts().running == 0);
}

TEST_CASE("engine: higher priorities come first, and among equals the client that had least", "[runtime]") {
    const tw::text_model model = load();
    engine one{model, {.max_sequences = 1, .max_waiting = 20, .keep_prefixes = false}};
    std::vector<std::string> order;
    const auto ask = [&](const std::string& name, const std::string& client, int priority) {
        request what{.prompt = words(model, "abc"), .options = {.max_tokens = 4, .ignore_eos = true}};
        what.client = client;
        what.priority = priority;
        what.on_event = [&order, name](const tw::runtime::token_event& event) {
            if(event.reason != finish_reason::none) {
                order.push_back(name);
            }
        };
        return one.submit(what);
    };
    std::vector<job> jobs;
    for(int i = 0; i < 3; ++i) {
        jobs.push_back(ask("a" + std::to_string(i), "a", 0));
    }
    jobs.push_back(ask("b", "b", 0));
    jobs.push_back(ask("urgent", "a", 5));
    run_all(one);
    CHECK(order == std::vector<std::string>{"urgent", "b", "a0", "a1", "a2"});
}

TEST_CASE("engine: a step that continues sequences allocates nothing", "[runtime]") {
    for(const unsigned threads: {1U, 2U}) {
        const tw::text_model model = load(threads);
        engine one{model, {.max_sequences = 4}};
        std::vector<job> jobs;
        for(std::uint64_t i = 0; i < 4; ++i) {
            request what{.prompt = words(model, "abc"),
                         .options = {.max_tokens = 300, .sampling = {.seed = i}, .ignore_eos = true}};
            what.options.sampling.temperature = threads == 1 ? 0.9F : static_cast<float>(i);
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
}

TEST_CASE("engine: asked from several threads, with a thread of its own", "[runtime]") {
    const tw::text_model model = load(2);
    engine one{model, {.max_sequences = 6, .max_waiting = 100, .cache_tokens = 64 * 14}};
    const tw::runtime::engine_thread works{one};
    std::atomic<std::size_t> right{0};
    {
        std::vector<std::jthread> clients;
        for(std::size_t c = 0; c < 4; ++c) {
            clients.emplace_back([&, c] {
                for(std::size_t i = 0; i < 5; ++i) {
                    const request what = mixed(model, c * 16 + i);
                    std::future<tw::runtime::completion> answer = one.ask(what);
                    job streamed = one.submit(what);
                    std::map<std::size_t, std::string> texts;
                    for(const tw::runtime::token_event& event: streamed) {
                        texts[event.sample] += event.text;
                    }
                    job dropped = one.submit(what);
                    static_cast<void>(one.counts());
                    const tw::runtime::completion all = answer.get();
                    right += all.samples[0].text == texts[0] ? 1U : 0U;
                }
            });
        }
    }
    CHECK(right == 20);
    one.close();
    CHECK(one.drain(std::chrono::seconds{60}));
    CHECK(one.counts().cache_tokens_used == 0);
}

TEST_CASE("engine: draining cancels what takes too long", "[runtime]") {
    const tw::text_model model = load();
    engine one{model};
    const tw::runtime::engine_thread works{one};
    job asked = one.submit({.prompt = words(model, "abc"), .options = {.ignore_eos = true}});
    one.close();
    static_cast<void>(one.drain(std::chrono::milliseconds{0}));
    const finish_reason reason = asked.wait().samples[0].reason;
    CHECK((reason == finish_reason::cancelled || reason == finish_reason::context_full));
    CHECK(one.counts().waiting == 0);
}

TEST_CASE("engine: shares of energy add up to the meter, and a budget ends a request", "[runtime]") {
    const tw::text_model model = load();
    double joules = 0;
    engine one{model, {.max_sequences = 3, .joules = [&]() -> std::optional<double> { return joules += 0.25; }}};
    std::vector<job> jobs;
    for(std::size_t i = 0; i < 5; ++i) {
        jobs.push_back(one.submit(mixed(model, i)));
    }
    run_all(one);
    double sum = 0;
    for(job& each: jobs) {
        const tw::runtime::usage& cost = each.wait().usage;
        sum += cost.prefill_joules.value() + cost.decode_joules.value_or(0);
    }
    const tw::runtime::engine_counts counts = one.counts();
    CHECK(sum == Approx(0.25 * static_cast<double>(counts.steps)));
    CHECK(counts.prefill_joules.value() + counts.decode_joules.value() == Approx(sum));
    request bounded{.prompt = words(model, "abc"), .options = {.ignore_eos = true}};
    bounded.joules = 2;
    job last = one.submit(bounded);
    run_all(one);
    CHECK(last.wait().samples[0].reason == finish_reason::budget);
    CHECK(last.wait().samples[0].ids.size() == 8);
}

TEST_CASE("engine: what is kept of prompts survives the engine", "[runtime]") {
    const tw::text_model model = load();
    const files::temporary_folder folder;
    const std::string path = folder / "prefixes";
    const request what{.prompt = words(model, std::string(150, 'p') + "rest"),
                       .options = {.max_tokens = 30, .ignore_eos = true}};
    {
        engine first{model};
        request salted = what;
        salted.cache_salt = "secret";
        salted.prompt[3] = 7;
        job asked = first.submit(what);
        job hidden = first.submit(salted);
        run_all(first);
        first.save_prefixes(path);
    }
    engine second{model};
    CHECK(second.load_prefixes(path) == what.prompt.size() + 29);
    job asked = second.submit(what);
    run_all(second);
    CHECK(asked.wait().usage.cached_tokens == what.prompt.size() - 1);
    CHECK(asked.wait().samples[0].ids == alone(model, what).first);
    // Another model, another type, a damaged file: nothing is taken in.
    const tw::text_model other =
        tw::text_model::load(support::tiny_model{.context = 512, .seed = 9}.bytes(), "o", {.threads = 1});
    engine of_other{other};
    CHECK_THROWS_AS(of_other.load_prefixes(path), tw::format_error);
    engine of_type{model, {.cache_type = tw::dtype::f32}};
    CHECK_THROWS_AS(of_type.load_prefixes(path), tw::format_error);
    CHECK_THROWS_AS(second.load_prefixes(folder / "none"), tw::io_error);
    const std::string good = files::read(path);
    for(std::size_t at = 0; at < good.size(); at += 1 + good.size() / 300) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 4);
        files::write(folder / "bad", bad);
        engine fresh{model, {.cache_tokens = 64 * 12}};
        try { // padding between the parts may be anything
            static_cast<void>(fresh.load_prefixes(folder / "bad"));
        } catch(const tw::format_error&) {
            CHECK(fresh.counts().cache_tokens_kept == 0);
        }
        files::write(folder / "bad", good.substr(0, at));
        CHECK_THROWS_AS(fresh.load_prefixes(folder / "bad"), tw::error);
    }
    // Only what fits is taken in.
    engine small{model, {.context = 64, .cache_tokens = 128}};
    CHECK(small.load_prefixes(path) == 128);
}
