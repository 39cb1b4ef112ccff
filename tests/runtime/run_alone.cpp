#include <tokenworks/runtime/run_alone.hpp>

#include <cstddef>
#include <span>
#include <stop_token>
#include <vector>

#include <tokenworks/sampling/constraint.hpp>
#include <tokenworks/sampling/constraint_copies.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::runtime::finish_reason;
using tw::runtime::request;
using tw::runtime::token_id;

namespace {

/// Of ten ids it holds the one after the last for the likeliest.
struct counting_model {
    struct state {
        std::size_t held = 0;
        [[nodiscard]] std::size_t size() const { return held; }
        [[nodiscard]] std::size_t capacity() const { return 30; }
    };
    [[nodiscard]] std::size_t vocab_size() const { return 10; }
    void forward(state& s, std::span<const token_id> tokens, std::span<float> logits) const {
        s.held += tokens.size();
        for(std::size_t i = 0; i < logits.size(); ++i) {
            logits[i] = i == (static_cast<std::size_t>(tokens.back()) + 1) % 10 ? 5.0F : 0.0F;
        }
    }
};

request counting(std::vector<token_id> prompt) {
    request what{.prompt = std::move(prompt)};
    what.options.sampling.temperature = 0;
    return what;
}

} // namespace

TEST_CASE("run_alone: ids come behind those that are there, until something ends them", "[runtime]") {
    request what = counting({3, 4});
    what.options.max_tokens = 3;
    std::vector<token_id> ids{0};
    std::vector<std::size_t> heard;
    counting_model::state state;
    CHECK(tw::runtime::run_alone(counting_model{}, state, what, ids,
                                 [&](std::size_t made) { heard.push_back(made); }) == finish_reason::length);
    CHECK(ids == std::vector<token_id>{0, 5, 6, 7});
    CHECK(heard == std::vector<std::size_t>{1, 2, 3});

    what = counting({3});
    what.options.constraint = tw::sampling::copies_of(tw::sampling::exactly{4, [](token_id id) { return id != 5; }});
    counting_model::state other;
    ids.clear();
    CHECK(tw::runtime::run_alone(counting_model{}, other, what, ids) == finish_reason::stop);
    CHECK(ids == std::vector<token_id>{4, 0, 1, 2}); // 5 may not come: the first of the others

    what = counting({3});
    counting_model::state full;
    ids.clear();
    CHECK(tw::runtime::run_alone(counting_model{}, full, what, ids) == finish_reason::context_full);
    CHECK(ids.size() == 30);
}

TEST_CASE("run_alone: cancelling ends it before the next token", "[runtime]") {
    std::stop_source stop;
    request what = counting({3});
    what.options.cancel = stop.get_token();
    counting_model::state state;
    std::vector<token_id> ids;
    const auto heard = [&](std::size_t made) {
        if(made == 2) {
            stop.request_stop();
        }
    };
    CHECK(tw::runtime::run_alone(counting_model{}, state, what, ids, heard) == finish_reason::cancelled);
    CHECK(ids.size() == 2);
}
