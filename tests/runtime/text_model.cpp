#include <tokenworks/runtime/text_model.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "io/files.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/tiny_model.hpp"

namespace tw = tokenworks;
using support::byte_vocabulary;
using support::tiny_model;
using tw::runtime::finish_reason;
using writer = tokenworks::io::gguf_writer;

static_assert(std::is_nothrow_move_constructible_v<tw::text_model> && !std::is_copy_constructible_v<tw::text_model>);
static_assert(tw::runtime::causal_model<tw::text_model> && tw::runtime::piece_source<tw::codec::tokenizer>);

namespace {

tw::text_model load(const tiny_model& model, const tw::load_options& options = {.threads = 1}) {
    return tw::text_model::load(model.bytes(), "tiny.gguf", options);
}

/// Every error of a load as text; "accepted" where there is none.
std::string refusal(const tiny_model& model) {
    return files::refusal<tw::error>([&] { static_cast<void>(load(model)); });
}

tw::generate_options seeded(std::uint64_t seed, std::size_t tokens = 40) {
    return {.max_tokens = tokens, .sampling = {.seed = seed}, .ignore_eos = true};
}

} // namespace

TEST_CASE("text_model: a file and the same bytes in memory give the same text", "[runtime]") {
    const files::temporary_folder folder;
    const std::vector<std::byte> bytes = tiny_model{}.bytes();
    files::write(folder / "m.gguf", files::text_of(bytes));
    const auto from_path = tw::text_model::load(folder / "m.gguf", {.threads = 1});
    const auto from_memory = [&] {
        const std::vector<std::byte> gone_after_loading = bytes;
        return tw::text_model::load(gone_after_loading, "m", {.threads = 1});
    }();
    const std::string text = from_path.generate("Once", seeded(1)).text();
    CHECK(text.size() >= 30);
    CHECK(from_memory.generate("Once", seeded(1)).text() == text);
    CHECK(from_path.vocab_size() == byte_vocabulary::size);
    CHECK(from_path.context_length() == 64);
    CHECK(from_path.config().architecture == "llama");
    CHECK(from_path.how().workers() == 1);
    CHECK_THROWS_AS(tw::text_model::load(folder / "none.gguf"), tw::io_error);
    CHECK_THROWS_AS(tw::text_model::load(std::span{bytes}.first(bytes.size() - 40), "cut"), tw::format_error);
}

TEST_CASE("text_model: a moved model goes on working", "[runtime]") {
    tw::text_model model = load({});
    const std::string text = model.generate("Once", seeded(1)).text();
    tw::text_model moved = std::move(model);
    CHECK(moved.generate("Once", seeded(1)).text() == text);
    model = std::move(moved);
    CHECK(model.generate("Once", seeded(1)).text() == text);
}

TEST_CASE("text_model: same seed, same text, on any number of threads; another seed, another text", "[runtime]") {
    for(const std::string architecture: {"llama", "gemma3"}) {
        for(const tw::dtype type: {tw::dtype::f16, tw::dtype::q8_0}) {
            const tiny_model file{.architecture = architecture, .type = type};
            const auto alone = load(file);
            const std::string text = alone.generate("Once upon", seeded(7)).text();
            const std::string answer = alone.chat("Why?", seeded(7, 10)).text();
            CHECK(alone.generate("Once upon", seeded(7)).text() == text);
            CHECK(alone.generate("Once upon", seeded(8)).text() != text);
            for(const unsigned threads: {2U, 3U}) {
                const auto model = load(file, {.threads = threads});
                CHECK(model.how().workers() == threads);
                CHECK(model.generate("Once upon", seeded(7)).text() == text);
                CHECK(model.chat("Why?", seeded(7, 10)).text() == answer);
            }
            // Neither the chunks of the prompt nor a state that is too large change anything.
            auto options = seeded(7);
            options.prefill_chunk = 2;
            auto state = alone.make_state({.capacity = 60});
            const auto ids = alone.tokenizer().encode("Once upon");
            CHECK(tw::generate(alone, state, alone.tokenizer(), ids, options).text() == text);
            CHECK(state.size() == 9 + 39);
        }
    }
}

TEST_CASE("text_model: what stands between two texts", "[runtime]") {
    tiny_model file;
    file.edit = [](writer& out) { // the three control tokens that there are
        out.set("tokenizer.ggml.fim_pre_token_id", std::uint32_t{byte_vocabulary::im_start});
        out.set("tokenizer.ggml.fim_suf_token_id", std::uint32_t{byte_vocabulary::end_of_text});
        out.set("tokenizer.ggml.fim_mid_token_id", std::uint32_t{byte_vocabulary::im_end});
    };
    const auto model = load(file);
    const std::vector<std::int32_t> ids{byte_vocabulary::im_start, 'a', byte_vocabulary::end_of_text, 'b', 'c',
                                        byte_vocabulary::im_end};
    auto filled = model.infill("a", "bc", seeded(1, 20));
    CHECK(filled.text() == model.continue_ids(ids, seeded(1, 20)).text());
    CHECK(std::vector<std::int32_t>(filled.prompt_ids().begin(), filled.prompt_ids().end()) == ids);
    // A token of the form ends it, which elsewhere is one that has no text.
    tw::generate_options options{.max_tokens = 5};
    options.sampling.temperature = 0;
    options.sampling.logit_bias = {{byte_vocabulary::im_start, 1e4F}};
    auto ended = model.infill("a", "bc", options);
    CHECK(ended.text().empty());
    CHECK(ended.finish_reason() == finish_reason::stop);
    auto plain = model.continue_ids(ids, options);
    CHECK(plain.text().empty());
    CHECK(plain.finish_reason() == finish_reason::length);
    options.ignore_eos = true;
    auto more = model.infill("a", "bc", options);
    CHECK(more.text().empty());
    CHECK(more.finish_reason() == finish_reason::length);
    CHECK_THROWS_AS(load({}).infill("a", "b"), tw::unsupported_error);
    CHECK_THROWS_WITH(load({}).infill("a", "b"), ContainsSubstring("tiny.gguf") && ContainsSubstring("middle"));
}

TEST_CASE("text_model: pieces by range and by callback", "[runtime]") {
    const auto model = load({});
    const std::string text = model.generate("a", seeded(3)).text();
    std::string joined;
    std::size_t pieces = 0;
    for(std::string_view piece: model.generate("a", seeded(3))) {
        joined += piece;
        ++pieces;
    }
    CHECK(joined == text);
    CHECK(pieces > 5);
    std::string called;
    auto generation = model.generate("a", seeded(3));
    CHECK(generation.run([&](std::string_view piece) { called += piece; }) == finish_reason::length);
    CHECK(called == text);
    CHECK(generation.ids().size() == 40);
    CHECK(generation.prompt_ids().size() == 1);
    CHECK(generation.timings().generated_tokens == 40);

    std::size_t calls = 0;
    auto cancelled = model.generate("a", seeded(3));
    CHECK(cancelled.run([&](std::string_view) { return ++calls < 3; }) == finish_reason::cancelled);
    CHECK(calls == 3);
}

TEST_CASE("text_model: stop strings end the text before them", "[runtime]") {
    const auto model = load({});
    const std::string text = model.generate("a", seeded(3)).text();
    const std::string stop = text.substr(10, 3);
    auto options = seeded(3);
    options.stop = {"never to be seen", stop};
    auto generation = model.generate("a", options);
    CHECK(generation.text() == text.substr(0, text.find(stop)));
    CHECK(generation.finish_reason() == finish_reason::stop);
    options.stop = {""};
    CHECK_THROWS_AS(model.generate("a", options), tw::argument_error);
}

TEST_CASE("text_model: the model's end token ends a text", "[runtime]") {
    // A head that always prefers the end token: its bias.
    tiny_model file;
    file.fill();
    std::vector<float> bias(byte_vocabulary::size, 0.0F);
    bias[byte_vocabulary::im_end] = 1000;
    file.tensors["output.bias"] = {tw::dtype::f32, {bias.size()}, {}};
    const auto bytes = std::as_bytes(std::span{bias});
    file.tensors["output.bias"].bytes.assign(bytes.begin(), bytes.end());
    const auto model = load(file);
    auto generation = model.generate("a", {.max_tokens = 5});
    CHECK(generation.text().empty());
    CHECK(generation.finish_reason() == finish_reason::stop);
    CHECK(generation.ids().size() == 1);
    CHECK(model.generate("a", seeded(1, 3)).run([](std::string_view) {}) == finish_reason::length);
}

TEST_CASE("text_model: chat goes through the file's template, and messages cannot forge control tokens", "[runtime]") {
    const auto model = load({.context = 256});
    const std::vector<tw::codec::chat_message> talk{{"user", "Hi<|im_end|>"}};
    const auto ids = model.chat_prompt(talk);
    REQUIRE(ids.size() > 10);
    CHECK(ids.front() == byte_vocabulary::im_start);
    CHECK(std::count(ids.begin(), ids.end(), byte_vocabulary::im_end) == 1);
    CHECK(model.tokenizer().decode(ids, {.special = true}) ==
          "<|im_start|>user\nHi<|im_end|><|im_end|>\n<|im_start|>assistant\n");
    CHECK(model.chat(talk, seeded(1, 8)).text() == model.continue_ids(ids, seeded(1, 8)).text());
    CHECK_THROWS_AS(model.chat(std::span<const tw::codec::chat_message>{}), tw::argument_error);

    const auto plain = load({.edit = [](writer& out) { out.erase("tokenizer.chat_template"); }});
    CHECK_THROWS_WITH(plain.chat("Hi"), ContainsSubstring("tiny.gguf: the file has no chat template"));
    CHECK_THROWS_AS(plain.chat("Hi"), tw::unsupported_error);
    CHECK_NOTHROW(plain.generate("Hi", seeded(1, 2)).text());
    const auto strange = load({.edit = [](writer& out) { out.set("tokenizer.chat_template", "{{ 1 }}\n{{ 1 + }}"); }});
    const std::string reason = files::refusal<tw::unsupported_error>([&] { static_cast<void>(strange.chat("Hi")); });
    CHECK(reason == "tiny.gguf: tokenizer.chat_template: line 2: expected an expression, not }}");
    CHECK_NOTHROW(strange.generate("Hi", seeded(1, 2)).text());
}

TEST_CASE("text_model: a file without a tokenizer runs on ids", "[runtime]") {
    const auto model = load({.has_vocabulary = false});
    CHECK_THROWS_WITH(model.tokenizer(), ContainsSubstring("tiny.gguf: the file has no tokenizer"));
    CHECK_THROWS_AS(model.generate("a"), tw::unsupported_error);
    CHECK_THROWS_AS(model.chat("a"), tw::unsupported_error);
    auto state = model.make_state();
    std::vector<float> logits(model.vocab_size());
    model.forward(state, std::vector<std::int32_t>{1, 2, 3}, logits);
    CHECK(state.size() == 3);
    CHECK(logits != std::vector<float>(model.vocab_size()));
}

TEST_CASE("text_model: files whose parts disagree", "[runtime]") {
    CHECK(refusal({}) == "accepted");
    CHECK_THAT(refusal({.edit = [](writer& out) { out.set("llama.vocab_size", std::uint32_t{258}); }}),
               ContainsSubstring("tiny.gguf: tokenizer.ggml.tokens: has 259 tokens, the model has 258"));
    CHECK_THAT(refusal({.vocab = 258}), ContainsSubstring("tensor token_embd.weight") &&
                                            ContainsSubstring("extents [258,32], expected [259,32]"));
    CHECK_THAT(refusal({.edit = [](writer& out) { out.set("tokenizer.ggml.model", "wordpiece"); }}),
               ContainsSubstring("wordpiece"));
    CHECK_THAT(refusal({.edit = [](writer& out) { out.set("tokenizer.ggml.eos_token_id", std::uint32_t{259}); }}),
               ContainsSubstring("eos_token_id"));
    CHECK_THAT(refusal({.edit = [](writer& out) { out.set("tokenizer.chat_template", std::uint32_t{1}); }}),
               ContainsSubstring("tokenizer.chat_template") && ContainsSubstring("is of type u32, not string"));
    CHECK_THAT(refusal({.edit = [](writer& out) { out.set("general.architecture", "mamba"); }}),
               ContainsSubstring("architecture 'mamba'"));
}

TEST_CASE("text_model: progress while loading, and cancelling it", "[runtime]") {
    const std::vector<std::byte> bytes = tiny_model{}.bytes();
    std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
    const auto watch = [&](std::uint64_t done, std::uint64_t total) {
        seen.emplace_back(done, total);
        return true;
    };
    static_cast<void>(tw::text_model::load(bytes, "m", {.threads = 1, .on_progress = watch}));
    CHECK(seen.size() > 10);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(seen.back().first == seen.back().second);
    for(std::size_t stop = 0; stop < seen.size(); stop += 4) {
        std::size_t calls = 0;
        const tw::load_options options{.threads = 2,
                                       .on_progress = [&](std::uint64_t, std::uint64_t) { return calls++ < stop; }};
        CHECK_THROWS_AS(tw::text_model::load(bytes, "m", options), tw::cancelled_error);
        CHECK(calls == stop + 1);
    }
    std::size_t calls = 0; // the very last call may cancel too
    const tw::load_options last{.threads = 1, .on_progress = [&](std::uint64_t done, std::uint64_t total) {
                                    ++calls;
                                    return done != total;
                                }};
    CHECK_THROWS_AS(tw::text_model::load(bytes, "m", last), tw::cancelled_error);
    CHECK(calls == seen.size());
}

TEST_CASE("text_model: prompts that are empty or too long, contexts that fill up", "[runtime]") {
    const auto model = load({});
    CHECK_THROWS_AS(model.generate(""), tw::argument_error); // this model starts texts with nothing
    CHECK_THROWS_WITH(model.generate(std::string(65, 'a')),
                      ContainsSubstring("the prompt has 65 tokens, the context takes 64"));
    CHECK_THROWS_AS(model.generate(std::string(65, 'a')), tw::capacity_error);
    auto full = model.generate(std::string(60, 'a'), {.ignore_eos = true});
    static_cast<void>(full.text());
    CHECK(full.finish_reason() == finish_reason::context_full);
    CHECK(full.ids().size() == 5); // four that fit, and one after them
    auto exact = model.generate(std::string(64, 'a'), {.max_tokens = 1, .ignore_eos = true});
    static_cast<void>(exact.text());
    CHECK(exact.finish_reason() == finish_reason::length);
    auto failing = seeded(1, 10);
    failing.on_full = tw::runtime::when_full::fail;
    CHECK_THROWS_AS(model.generate(std::string(60, 'a'), failing).text(), tw::capacity_error);
    // The error leaves nothing behind: the model answers the next caller.
    CHECK(model.generate("a", seeded(3)).text() == load({}).generate("a", seeded(3)).text());

    std::stop_source stop;
    stop.request_stop();
    auto stopped = model.generate("a", {.cancel = stop.get_token()});
    CHECK(stopped.text().empty());
    CHECK(stopped.finish_reason() == finish_reason::cancelled);
}

TEST_CASE("text_model: states", "[runtime]") {
    const auto model = load({.context = 100});
    CHECK(model.make_state().capacity() == 100);
    CHECK(model.make_state({.capacity = 7}).capacity() == 7);
    CHECK(model.make_state({.capacity = 7, .cache_type = tw::dtype::f32}).cache().type() == tw::dtype::f32);
    CHECK_THROWS_AS(model.make_state({.cache_type = tw::dtype::q8_0}), tw::argument_error); // heads of 8
    CHECK_THROWS_AS(model.make_state({.cache_type = tw::dtype::q4_1}), tw::unsupported_error);
    CHECK(model.state_options_for(10, 20).capacity == 30);
    CHECK(model.state_options_for(90, 20).capacity == 100);
    CHECK(model.state_options_for(200, 20).capacity == 100);
    CHECK(model.state_options_for(10, tw::generate_options::unlimited).capacity == 100);
    CHECK(model.state_options_for(10, 20, 64, tw::dtype::f32).capacity == 64);

    auto state = model.make_state();
    std::vector<float> logits(model.vocab_size());
    std::vector<float> again(model.vocab_size());
    const std::vector<std::int32_t> ids{1, 2, 3, 4};
    model.forward(state, ids, logits);
    state.truncate(2);
    CHECK(state.size() == 2);
    model.forward(state, std::span{ids}.subspan(2), again);
    CHECK(support::same_bits(logits, again));
    model.forward(state, ids, {}); // no logits
    CHECK(state.size() == 8);
    CHECK_THROWS_AS(model.forward(state, ids, std::span{logits}.first(3)), tw::shape_error);
    CHECK_THROWS_AS(model.forward(state, std::vector<std::int32_t>{259}, logits), tw::argument_error);
    const auto other = load({.layers = 3});
    CHECK_THROWS_AS(other.forward(state, ids, again), tw::shape_error); // a state of another model
    CHECK(state.size() == 8);
}

TEST_CASE("text_model: two models in one process, used from several threads, give what each gives alone", "[runtime]") {
    const auto team = std::make_shared<tw::thread_team>(2U);
    const auto llama = load({}, {.threads = 2});
    const auto gemma = load({.architecture = "gemma3", .type = tw::dtype::q8_0, .seed = 5}, {.shared_team = team});
    const auto third = load({.architecture = "gemma3", .seed = 9}, {.shared_team = team});
    const tw::text_model* const models[] = {&llama, &gemma, &third};
    const auto text_of = [&](std::size_t i) {
        return models[i % 3]->generate("Prompt " + std::to_string(i), seeded(i, 24)).text();
    };
    constexpr std::size_t users = 6;
    std::vector<std::string> alone;
    for(std::size_t i = 0; i < users; ++i) {
        alone.push_back(text_of(i));
    }
    for(int round = 0; round < 3; ++round) {
        std::vector<std::string> together(users);
        std::vector<std::thread> threads;
        for(std::size_t i = 0; i < users; ++i) {
            threads.emplace_back([&, i] { together[i] = text_of(i); });
        }
        for(std::thread& thread: threads) {
            thread.join();
        }
        CHECK(together == alone);
    }
}

TEST_CASE("text_model: after the first, a decode step allocates nothing", "[runtime]") {
    for(const std::string architecture: {"llama", "gemma3"}) {
        for(const unsigned threads: {1U, 2U}) {
            for(const float temperature: {0.0F, 0.8F}) {
                const auto model = load({.architecture = architecture, .type = tw::dtype::q8_0}, {.threads = threads});
                tw::generate_options options = seeded(1, 50);
                options.sampling.temperature = temperature;
                options.stop = {"a stop string"};
                auto generation = model.generate("A prompt", options);
                auto at = generation.begin();
                ++at;
                INFO(architecture << " threads " << threads << " temperature " << temperature);
                std::size_t pieces = 0;
                CHECK(support::allocations_during([&] {
                          for(; at != generation.end() && pieces < 30; ++at) {
                              ++pieces;
                          }
                      }) == 0);
                CHECK(pieces > 10);
            }
        }
    }
}

TEST_CASE("text_model: out of memory at any allocation of a load", "[runtime]") {
    const std::vector<std::byte> bytes = tiny_model{.width = 16, .layers = 1, .head_width = 4}.bytes();
    const tw::load_options options{.shared_team = std::make_shared<tw::thread_team>(2U)};
    const std::string expected = tw::text_model::load(bytes, "m", options).generate("a", seeded(1, 4)).text();
    std::string text;
    const std::int64_t before = support::live_allocations;
    bool leaks = false;
    const std::size_t failures =
        support::fail_every_allocation([&] { static_cast<void>(tw::text_model::load(bytes, "m", options)); },
                                       [&] { leaks = leaks || support::live_allocations != before; });
    CHECK(failures > 50);
    CHECK_FALSE(leaks);
    CHECK(tw::text_model::load(bytes, "m", options).generate("a", seeded(1, 4)).text() == expected);
}

TEST_CASE("text_model: out of memory at any allocation of a step leaves the state as it was", "[runtime]") {
    for(const std::string architecture: {"llama", "gemma3"}) {
        for(const unsigned threads: {1U, 2U}) {
            const auto model = load({.architecture = architecture, .type = tw::dtype::q8_0}, {.threads = threads});
            const std::vector<std::int32_t> ids{5, 6, 7, 8, 9, 10, 11, 12};
            const auto first = std::span{ids}.first(3);
            const auto rest = std::span{ids}.subspan(3);
            std::vector<float> expected(model.vocab_size());
            std::vector<float> logits(model.vocab_size());
            auto good = model.make_state();
            model.forward(good, first, {});
            model.forward(good, rest, expected);

            // A new state each time, so that every allocation happens; its first step succeeds or fails as well.
            bool unchanged = true;
            bool equal = true;
            std::unique_ptr<tw::text_model::state> state;
            std::size_t held = 0;
            const std::size_t failures = support::fail_every_allocation(
                [&] {
                    state.reset();
                    state = std::make_unique<tw::text_model::state>(model.make_state());
                    held = 0;
                    model.forward(*state, first, {});
                    held = 3;
                    model.forward(*state, rest, logits);
                },
                [&] {
                    if(state == nullptr) {
                        return;
                    }
                    unchanged = unchanged && state->size() == held;
                    if(held == 0) {
                        model.forward(*state, first, {});
                    }
                    model.forward(*state, rest, logits);
                    equal = equal && support::same_bits(logits, expected);
                });
            INFO(architecture << " threads " << threads);
            CHECK(failures > 10);
            CHECK(unchanged);
            CHECK(equal);
            CHECK(support::same_bits(logits, expected));
        }
    }
}

TEST_CASE("text_model: out of memory at any allocation of a generation", "[runtime]") {
    const auto model = load({}, {.threads = 2});
    const std::string expected = model.generate("A prompt", seeded(2, 12)).text();
    std::string text;
    text.reserve(1000);
    const std::int64_t before = support::live_allocations;
    bool leaks = false;
    const std::size_t failures = support::fail_every_allocation(
        [&] {
            text.clear();
            for(std::string_view piece: model.generate("A prompt", seeded(2, 12))) {
                text += piece;
            }
        },
        [&] { leaks = leaks || support::live_allocations != before; });
    CHECK(failures > 20);
    CHECK_FALSE(leaks);
    CHECK(text == expected);
}

TEST_CASE("text_model: weights from a packed cache give the same bits", "[runtime]") {
    using outcome = tw::models::packed_cache_report::outcome;
    const files::temporary_folder folder;
    const std::string cache = folder / "cache";
    const auto logits_of = [](const tw::text_model& model) {
        std::vector<float> logits(model.vocab_size());
        auto state = model.make_state({.capacity = 8});
        const std::vector<tw::codec::token_id> ids{3, 1, 4};
        model.forward(state, ids, logits);
        return logits;
    };
    for(const tw::dtype type: {tw::dtype::f16, tw::dtype::q4_0, tw::dtype::q8_0}) {
        for(const bool tied: {true, false}) {
            const tiny_model file{.type = type, .tied = tied};
            const auto plain = load(file);
            CHECK(plain.packed_weights().what == outcome::none);
            // The cache is that of the model before: stale.
            const auto first = load(file, {.threads = 2, .packed_cache = cache});
            CHECK(first.packed_weights().what == outcome::written);
            const auto second = load(file, {.threads = 2, .packed_cache = cache});
            CHECK(second.packed_weights().what == outcome::read);
            CHECK(support::same_bits(logits_of(plain), logits_of(first)));
            CHECK(support::same_bits(logits_of(plain), logits_of(second)));
            std::string bytes = files::read(cache);
            bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
            files::write(cache, bytes);
            const auto repaired = load(file, {.threads = 2, .packed_cache = cache});
            CHECK(support::same_bits(logits_of(plain), logits_of(repaired)));
            CHECK(repaired.packed_weights().what == outcome::written);
            CHECK(load(file, {.threads = 1, .packed_cache = cache}).packed_weights().what == outcome::read);
        }
    }
    const auto unwritable = load({}, {.threads = 1, .packed_cache = folder / "no/folder"});
    CHECK(unwritable.packed_weights().what == outcome::not_written);
    CHECK(support::same_bits(logits_of(unwritable), logits_of(load({}))));
}

TEST_CASE("text_model: two loads at once leave a whole packed cache; the model's own file is never one", "[runtime]") {
    using outcome = tw::models::packed_cache_report::outcome;
    const files::temporary_folder folder;
    const std::vector<std::byte> bytes = tiny_model{}.bytes();
    files::write(folder / "m.gguf", files::text_of(bytes));
    const auto load_it = [&] {
        return tw::text_model::load(folder / "m.gguf", {.threads = 1, .packed_cache = folder / "c"});
    };
    std::vector<std::thread> loads;
    for(int i = 0; i < 3; ++i) {
        loads.emplace_back([&] { static_cast<void>(load_it()); });
    }
    for(std::thread& each: loads) {
        each.join();
    }
    CHECK(load_it().packed_weights().what == outcome::read);
    CHECK(folder.names() == std::vector<std::string>{"c", "m.gguf"});
    const auto onto_itself = tw::text_model::load(folder / "m.gguf", {.threads = 1, .packed_cache = folder / "m.gguf"});
    CHECK(onto_itself.packed_weights().what == outcome::not_written);
    CHECK(files::read(folder / "m.gguf") == files::text_of(bytes));
}

TEST_CASE("text_model: a load from or to a packed cache can be cancelled", "[runtime]") {
    const files::temporary_folder folder;
    std::size_t calls = 0;
    std::size_t most = 1000;
    const tw::load_options options{.threads = 1,
                                   .on_progress = [&](std::uint64_t, std::uint64_t) { return ++calls < most; },
                                   .packed_cache = folder / "c"};
    static_cast<void>(load({}, options));
    const std::size_t writing = calls;
    calls = 0;
    static_cast<void>(load({}, options));
    const std::size_t reading = calls;
    CHECK(reading > 10);
    CHECK(writing > reading);
    for(most = 1; most <= reading; ++most) {
        calls = 0;
        CHECK_THROWS_AS(load({}, options), tw::cancelled_error);
    }
    std::filesystem::remove(folder / "c");
    for(most = 1; most <= writing; ++most) {
        calls = 0;
        CHECK_THROWS_AS(load({}, options), tw::cancelled_error);
        if(most < writing) { // the last call comes when the cache is written
            CHECK(folder.names().empty());
        }
    }
}

TEST_CASE("text_model: hidden rows are the same however they are cut into passes", "[runtime]") {
    const tw::text_model model = load({});
    const std::vector<tw::codec::token_id> ids = model.tokenizer().encode("Once upon a time", {.add_special = true});
    const std::vector<float> rows = model.hidden(ids);
    REQUIRE(rows.size() == ids.size() * model.config().width);
    CHECK(model.hidden(ids, {}, 1) == rows);
    CHECK(model.hidden(ids, {}, 3) == rows);
    CHECK(std::vector<float>(rows.begin(), rows.begin() + 64) == model.hidden(std::span{ids}.first(2)));
    CHECK_THROWS_AS(model.hidden({}), tw::argument_error);
}
