// The loop of every kind of output: tokens of a model, those that a constraint allows, into a sink.
//
//   sampling::exactly twelve{12, [&](auto id) { return space.is_value(id); }};
//   runtime::data_sink values{space};
//   runtime::make_tokens(model, state, prompt, twelve, values, {.sampling = {.seed = 7}});
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/runtime/generate_options.hpp>
#include <tokenworks/runtime/sink.hpp>
#include <tokenworks/runtime/token_loop.hpp>
#include <tokenworks/sampling/constraint.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// A model whose logits are -infinity wherever a constraint does not let an id come. Refers to both.
template <causal_model M, sampling::constraint C>
class constrained_model {
public:
    using state = typename M::state;

    constrained_model(const M& model, const C& constraint) noexcept : model_{&model}, constraint_{&constraint} {}

    [[nodiscard]] std::size_t vocab_size() const { return model_->vocab_size(); }
    void forward(state& s, std::span<const token_id> tokens, std::span<float> logits) const {
        model_->forward(s, tokens, logits);
        sampling::leave_allowed(*constraint_, logits);
    }

private:
    const M* model_;
    const C* constraint_;
};

/// Makes tokens until the constraint is done, which the sink then hears of. Where the loop ends before (it was
/// cancelled, the context is full, max_tokens are made), the sink is not finished.
/// @return finish_reason::stop where the output is complete
/// @throws as token_loop; argument_error where the constraint lets nothing follow
template <causal_model M, sampling::constraint C, sink S>
finish_reason make_tokens(const M& model, typename M::state& state, std::span<const token_id> prompt, C& constraint,
                          S& to, generate_options options = {}) {
    const constrained_model<M, C> bound{model, constraint};
    token_loop<constrained_model<M, C>> loop{bound, state, prompt, std::move(options)};
    while(!constraint.done()) {
        const std::optional<token_id> id = loop.next();
        if(!id) {
            return loop.reason();
        }
        constraint.accept(*id);
        to.put(*id);
    }
    to.finish();
    return finish_reason::stop;
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
