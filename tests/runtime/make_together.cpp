#include <tokenworks/runtime/make_together.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/runtime/make_tokens.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::runtime::token_id;

namespace {

/// Logits that follow from all that a sequence holds.
struct hashing_model {
    struct state {
        std::vector<token_id> held{};
        [[nodiscard]] std::size_t size() const { return held.size(); }
        [[nodiscard]] std::size_t capacity() const { return 100; }
    };
    [[nodiscard]] std::size_t vocab_size() const { return 12; }
    void forward(state& s, std::span<const token_id> tokens, std::span<float> logits) const {
        s.held.insert(s.held.end(), tokens.begin(), tokens.end());
        for(std::size_t i = 0; i < logits.size(); ++i) {
            float sum = static_cast<float>(i);
            for(const token_id id: s.held) {
                sum = sum * 1.7F + static_cast<float>(id);
            }
            logits[i] = std::sin(sum);
        }
    }
    void step(std::span<state* const> states, std::span<const token_id> tokens, std::span<float> logits) const {
        ++steps;
        for(std::size_t i = 0; i < states.size(); ++i) {
            forward(*states[i], tokens.subspan(i, 1), logits.subspan(i * vocab_size(), vocab_size()));
        }
    }
    mutable std::size_t steps = 0;
};

struct list_space {
    using data = std::vector<token_id>;
    [[nodiscard]] std::size_t vocab_size() const { return 12; }
    [[nodiscard]] std::vector<std::int32_t> encode(const data& ids) const { return ids; }
    [[nodiscard]] data decode(std::span<const std::int32_t> ids) const { return {ids.begin(), ids.end()}; }
};

} // namespace

TEST_CASE("make_together: the ids of make_tokens, of outputs of different lengths", "[runtime]") {
    const list_space space;
    const auto is_even = [](token_id id) { return id % 2 == 0; };
    const std::vector<std::size_t> lengths{5, 0, 9, 1, 9, 3};
    const token_id first = 7;
    std::vector<tw::sampling::sampler_options> settings(lengths.size());
    std::vector<tw::sampling::exactly<decltype(is_even)>> constraints;
    for(std::size_t i = 0; i < lengths.size(); ++i) {
        settings[i] = {.temperature = i == 4 ? 0.0F : 1.0F, .repeat_penalty = i == 2 ? 1.5F : 1.0F, .seed = i};
        constraints.emplace_back(lengths[i], is_even);
    }
    tw::thread_team team{3};
    for(const tw::execution& how: {tw::execution{}, tw::execution{.threads = &team}}) {
        const hashing_model model;
        std::vector<hashing_model::state> states(lengths.size());
        std::vector own = constraints;
        std::vector sinks(lengths.size(), tw::runtime::data_sink{space});
        tw::runtime::make_together(model, std::span{states}, first, std::span{own}, std::span{sinks}, settings, how);
        CHECK(model.steps == 9);
        for(std::size_t i = 0; i < lengths.size(); ++i) {
            INFO("output " << i);
            hashing_model::state state;
            tw::sampling::exactly alone{lengths[i], is_even};
            tw::runtime::data_sink to{space};
            tw::runtime::make_tokens(hashing_model{}, state, std::span{&first, 1}, alone, to,
                                     {.sampling = settings[i]});
            CHECK(sinks[i].data() == to.data());
            CHECK(sinks[i].data().size() == lengths[i]);
            CHECK(states[i].held == state.held);
        }
    }
}

TEST_CASE("make_together: as many of one as of another, and something that may come", "[runtime]") {
    const list_space space;
    std::vector<hashing_model::state> states(2);
    std::vector sinks(2, tw::runtime::data_sink{space});
    std::vector constraints(2, tw::sampling::exactly{2, [](token_id) { return false; }});
    std::vector<tw::sampling::sampler_options> settings(1);
    const auto run = [&] {
        tw::runtime::make_together(hashing_model{}, std::span{states}, token_id{0}, std::span{constraints},
                                   std::span{sinks}, settings);
    };
    CHECK_THROWS_WITH(run(), ContainsSubstring("2 states, 2 constraints, 2 sinks, 1 settings"));
    settings.resize(2);
    CHECK_THROWS_AS(run(), tw::argument_error);
    CHECK(sinks[0].data().empty());
}
