#include "support/catch.hpp"

#include <iterator>
#include <ranges>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/utf8.hpp>
#include <tokenworks/runtime/generate.hpp>

#include "runtime/fake_model.hpp"
#include "support/allocations.hpp"

namespace tw = tokenworks;
namespace rt = tokenworks::runtime;
using rt::finish_reason;
using rt::token_id;

using generation = rt::generation<fake::model, fake::tokenizer>;
static_assert(std::input_iterator<generation::iterator>);
static_assert(std::sentinel_for<std::default_sentinel_t, generation::iterator>);
static_assert(std::ranges::input_range<generation>);
static_assert(std::is_nothrow_move_constructible_v<generation> && !std::is_copy_constructible_v<generation>);

namespace {

const std::vector<token_id> prompt{1, 2, 3};
const fake::tokenizer tokenizer;

fake::model speaks(std::string_view text) {
    auto script = fake::bytes(text);
    script.push_back(256);
    return {.script = script, .prompt_size = prompt.size()};
}

constexpr tw::sampling::sampler_options greedy{.temperature = 0};

} // namespace

TEST_CASE("a generation is a range of pieces") {
    const fake::model model = speaks("Hello, w\xC3\xB6rld \xF0\x9F\x98\x80!");
    fake::model::state state{100};
    std::ostringstream out;
    std::vector<std::string> pieces;
    for(std::string_view piece: tw::generate(model, state, tokenizer, prompt, {.max_tokens = 64, .sampling = greedy})) {
        out << piece << std::flush;
        pieces.emplace_back(piece);
    }
    CHECK(out.str() == "Hello, w\xC3\xB6rld \xF0\x9F\x98\x80!");
    for(const auto& piece: pieces) {
        CHECK_FALSE(piece.empty());
        CHECK(tw::codec::is_valid_utf8(piece));
    }
    CHECK(pieces.size() == 15);
}

TEST_CASE("an end token ends the text, is counted, and has none") {
    const fake::model model = speaks("abc");
    fake::model::state state{100};
    auto run = tw::generate(model, state, tokenizer, prompt, {.sampling = greedy});
    CHECK(run.finish_reason() == finish_reason::none);
    CHECK(run.text() == "abc");
    CHECK(run.finish_reason() == finish_reason::stop);
    CHECK(std::vector<token_id>{run.ids().begin(), run.ids().end()} == std::vector<token_id>{'a', 'b', 'c', 256});
    CHECK(run.prompt_ids().size() == 3);
    CHECK(run.timings().generated_tokens == 4);
    CHECK(state.size() == 6);
    CHECK(run.begin() == run.end()); // and stays ended
}

TEST_CASE("ignore_eos goes on") {
    fake::model model = speaks("abc");
    for(const token_id id: fake::bytes("defgh")) {
        model.script.push_back(id);
    }
    fake::model::state state{100};
    auto run = tw::generate(model, state, tokenizer, prompt, {.max_tokens = 7, .sampling = greedy, .ignore_eos = true});
    CHECK(run.text() == "abcdef");
    CHECK(run.finish_reason() == finish_reason::length);
}

TEST_CASE("a stop token of the options has no text either") {
    const fake::model model = speaks("abc");
    fake::model::state state{100};
    auto run = tw::generate(model, state, tokenizer, prompt, {.sampling = greedy, .stop_tokens = {'c'}});
    CHECK(run.text() == "ab");
    CHECK(run.finish_reason() == finish_reason::stop);
}

TEST_CASE("a stop string ends the text before it, at the token that completes it") {
    const fake::model model = speaks("one two three");
    for(const auto& [stop, text]:
        {std::pair{"two", "one "}, {" t", "one"}, {"never", "one two three"}, {"threes", "one two three"}, {"o", ""}}) {
        fake::model::state state{100};
        auto run = tw::generate(model, state, tokenizer, prompt, {.sampling = greedy, .stop = {stop}});
        std::string shown;
        for(const std::string_view piece: run) {
            shown += piece;
            REQUIRE(std::string_view{text}.starts_with(shown));
        }
        CHECK(shown == text);
        CHECK(run.finish_reason() == finish_reason::stop);
    }
    fake::model::state state{100};
    auto run = tw::generate(model, state, tokenizer, prompt, {.sampling = greedy, .stop = {"two"}});
    CHECK(run.text() == "one ");
    CHECK(run.ids().size() == 7); // nothing is made behind it
    CHECK_THROWS_AS(tw::generate(model, state, tokenizer, prompt, {.stop = {""}}), tw::argument_error);
}

TEST_CASE("what is held back comes out at the end") {
    const fake::model model = speaks("ab ST\xF0\x9F");
    fake::model::state state{100};
    auto run = tw::generate(model, state, tokenizer, prompt, {.max_tokens = 5, .sampling = greedy, .stop = {"STOP"}});
    CHECK(run.text() == "ab ST");
    CHECK(run.finish_reason() == finish_reason::length);
    fake::model::state other{100};
    auto bytes = tw::generate(model, other, tokenizer, prompt, {.sampling = greedy});
    CHECK(bytes.text() == "ab ST\xF0\x9F");
    fake::model::state small{6};
    auto full = tw::generate(model, small, tokenizer, prompt, {.sampling = greedy, .stop = {" S!"}});
    CHECK(full.text() == "ab S");
    CHECK(full.finish_reason() == finish_reason::context_full);
}

TEST_CASE("the callback gets the same pieces and may cancel") {
    const fake::model model = speaks("abcdef");
    fake::model::state state{100};
    std::string all;
    CHECK(tw::generate(model, state, tokenizer, prompt, {.sampling = greedy}).run([&](std::string_view piece) {
        all += piece;
    }) == finish_reason::stop);
    CHECK(all == "abcdef");
    fake::model::state other{100};
    std::string some;
    CHECK(tw::generate(model, other, tokenizer, prompt, {.sampling = greedy}).run([&](std::string_view piece) {
        some += piece;
        return some.size() < 3;
    }) == finish_reason::cancelled);
    CHECK(some == "abc");
    CHECK(other.size() == 5); // nothing was run ahead
}

TEST_CASE("a loop that was left can be taken up again, and a generation moved") {
    const fake::model model = speaks("abcdef");
    fake::model::state state{100};
    auto run = tw::generate(model, state, tokenizer, prompt, {.sampling = greedy});
    for(const std::string_view piece: run) {
        if(piece == "b") {
            break;
        }
    }
    CHECK(run.finish_reason() == finish_reason::none);
    auto moved = std::move(run);
    CHECK(moved.text() == "cdef");
    CHECK(moved.ids().size() == 7);
}

TEST_CASE("a generation can keep the state itself") {
    const fake::model model = speaks("abc");
    auto run = tw::generate(model, fake::model::state{50}, tokenizer, prompt, {.sampling = greedy});
    auto moved = std::move(run);
    CHECK(moved.text() == "abc");
}

TEST_CASE("the prompt may be a temporary, and empty or wrong prompts are refused") {
    const fake::model model = speaks("abc");
    fake::model::state state{10};
    std::string text;
    for(const std::string_view piece:
        tw::generate(model, state, tokenizer, fake::bytes("xyz"), {.max_tokens = 2, .sampling = greedy})) {
        text += piece;
    }
    CHECK(text == "ab");
    CHECK_THROWS_AS(tw::generate(model, state, tokenizer, {}), tw::argument_error);
    CHECK_THROWS_AS(tw::generate(model, state, tokenizer, fake::bytes("too long for what is left")),
                    tw::capacity_error);
}

TEST_CASE("cancelled while the prompt runs: no text") {
    const fake::model model = speaks("abc");
    fake::model::state state{10};
    auto run = tw::generate(model, state, tokenizer, prompt,
                            {.prefill_chunk = 1, .on_progress = [](std::size_t done, std::size_t total) {
                                 CHECK(total == 3);
                                 return done < 2;
                             }});
    CHECK(run.text().empty());
    CHECK(run.finish_reason() == finish_reason::cancelled);
    CHECK(to_string(run.finish_reason()) == "cancelled");
    CHECK(to_string(finish_reason::context_full) == "context_full");
}

TEST_CASE("after the first piece, a piece allocates nothing") {
    const fake::model model{.vocab = 256};
    fake::model::state state{4000};
    auto run = tw::generate(model, state, tokenizer, prompt, {.max_tokens = 3000, .stop = {"never this"}});
    auto at = run.begin();
    std::size_t shown = 0;
    CHECK(support::allocations_during([&] {
              for(int i = 0; i < 1000 && at != run.end(); ++i, ++at) {
                  shown += (*at).size();
              }
          }) == 0);
    CHECK(shown >= 1000);
}
