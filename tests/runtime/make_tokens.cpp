#include <tokenworks/runtime/make_tokens.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::runtime::finish_reason;
using tw::runtime::token_id;

namespace {

/// Likes 1 best, then 3, then 2, then 0.
struct counting_model {
    struct state {
        std::size_t held = 0;
        std::size_t room = 100;
        [[nodiscard]] std::size_t size() const { return held; }
        [[nodiscard]] std::size_t capacity() const { return room; }
    };
    [[nodiscard]] std::size_t vocab_size() const { return 4; }
    void forward(state& s, std::span<const token_id> tokens, std::span<float> logits) const {
        s.held += tokens.size();
        for(std::size_t i = 0; i < logits.size(); ++i) {
            logits[i] = std::vector<float>{0, 3, 1, 2}[i];
        }
    }
};

struct sum_space {
    using data = int;
    [[nodiscard]] std::size_t vocab_size() const { return 4; }
    [[nodiscard]] std::vector<std::int32_t> encode(int value) const { return {value}; }
    [[nodiscard]] int decode(std::span<const std::int32_t> ids) const {
        int sum = 0;
        for(const std::int32_t id: ids) {
            sum += id;
        }
        return sum;
    }
};

const std::vector<token_id> prompt{0, 2};

} // namespace

TEST_CASE("make_tokens: the best that is allowed, until the output is complete", "[runtime]") {
    const sum_space space;
    counting_model::state state;
    tw::runtime::data_sink to{space};
    tw::sampling::exactly large{3, [](token_id id) { return id >= 2; }};
    CHECK(tw::runtime::make_tokens(counting_model{}, state, prompt, large, to, {.sampling = {.temperature = 0}}) ==
          finish_reason::stop);
    CHECK(to.ids() == std::vector<token_id>{3, 3, 3});
    CHECK(to.data() == 9);
    CHECK(state.held == 4); // all but the last
    // Whatever is drawn, it is allowed.
    for(std::uint64_t seed = 0; seed < 20; ++seed) {
        counting_model::state again;
        tw::runtime::data_sink drawn{space};
        tw::sampling::exactly other{5, [](token_id id) { return id == 0 || id == 2; }};
        CHECK(tw::runtime::make_tokens(counting_model{}, again, prompt, other, drawn,
                                       {.sampling = {.temperature = 5, .seed = seed}}) == finish_reason::stop);
        CHECK(drawn.ids().size() == 5);
        CHECK(drawn.data() % 2 == 0);
    }
}

TEST_CASE("make_tokens: an output that ends too early is not finished; one that cannot go on is an error",
          "[runtime]") {
    const sum_space space;
    counting_model::state state{.held = 0, .room = 3};
    tw::runtime::data_sink to{space};
    tw::sampling::exactly many{10, [](token_id) { return true; }};
    CHECK(tw::runtime::make_tokens(counting_model{}, state, prompt, many, to, {.sampling = {.temperature = 0}}) ==
          finish_reason::context_full);
    CHECK(to.ids().size() == 2);
    CHECK(to.data() == 0);
    counting_model::state other;
    tw::sampling::exactly none{1, [](token_id) { return false; }};
    CHECK_THROWS_AS(tw::runtime::make_tokens(counting_model{}, other, prompt, none, to), tw::argument_error);
}
