// Several outputs of one model in step: what make_tokens makes one after the other, with the same ids. Weights are read
// once for all of them, which is most of the time of a step.
//
//   std::vector constraints(states.size(), sampling::exactly{12, [&](auto id) { return space.is_value(id); }});
//   std::vector sinks(states.size(), runtime::data_sink{space});
//   runtime::make_together(model, std::span{states}, start, std::span{constraints}, std::span{sinks}, settings, how);
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/runtime/sink.hpp>
#include <tokenworks/runtime/token_loop.hpp>
#include <tokenworks/sampling/candidates.hpp>
#include <tokenworks/sampling/chain.hpp>
#include <tokenworks/sampling/constraint.hpp>
#include <tokenworks/sampling/options.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// A causal_model that continues several sequences in one step:
///   step(states, tokens, logits)  appends tokens[i] to *states[i]; writes the logits after it to row i of [N,V]
/// A sequence's logits are bitwise those of `forward`, whoever else is in the step.
template <class M>
concept stepping_model = causal_model<M> && requires(const M& m, std::span<typename M::state* const> states,
                                                     std::span<const token_id> tokens, std::span<float> logits) {
    m.step(states, tokens, logits);
};

/// Makes tokens of every sequence behind the token `first` until its constraint is done, which its sink then hears of.
/// @param states, constraints, sinks, settings  one for each sequence
/// @param how  whose team chooses ids of several sequences at once
/// @throws shape_error where there are not as many of one as of another; what model, sampling and constraints throw
template <stepping_model M, sampling::constraint C, sink S>
void make_together(const M& model, std::span<typename M::state> states, token_id first, std::span<C> constraints,
                   std::span<S> sinks, std::span<const sampling::sampler_options> settings, const execution& how = {}) {
    const std::size_t count = states.size();
    if(constraints.size() != count || sinks.size() != count || settings.size() != count) {
        tokenworks::detail::raise<shape_error>({"make_together: ", count, " states, ", constraints.size(),
                                                " constraints, ", sinks.size(), " sinks, ", settings.size(),
                                                " settings"});
    }
    struct sequence {
        std::size_t place = 0;
        sampling::chain chain{};
        sampling::candidates work{};
        std::vector<token_id> tokens{}; ///< the first, and those made
    };
    const std::size_t vocab = model.vocab_size();
    std::vector<sequence> going;
    going.reserve(count);
    const auto end_if_done = [&](std::size_t i) {
        const bool done = constraints[i].done();
        if(done) {
            sinks[i].finish();
        }
        return done;
    };
    for(std::size_t i = 0; i < count; ++i) {
        sampling::chain chain = sampling::make_chain(settings[i]);
        if(!end_if_done(i)) {
            going.push_back({.place = i, .chain = std::move(chain), .tokens = {first}});
        }
    }
    std::vector<float> logits(going.size() * vocab);
    std::vector<typename M::state*> now;
    std::vector<token_id> last;
    while(!going.empty()) {
        now.clear();
        last.clear();
        for(const sequence& each: going) {
            now.push_back(&states[each.place]);
            last.push_back(each.tokens.back());
        }
        const std::span<float> rows = std::span{logits}.first(going.size() * vocab);
        model.step(std::span<typename M::state* const>{now}, last, rows);
        parallel_for(how, going.size(), 1, [&](work_range range) {
            for(std::size_t i = range.begin; i < range.end; ++i) {
                sequence& each = going[i];
                const std::span<float> row = rows.subspan(i * vocab, vocab);
                sampling::leave_allowed(constraints[each.place], row);
                each.tokens.push_back(each.chain(row, {each.tokens, states[each.place].size()}, each.work));
            }
        });
        for(const sequence& each: going) {
            constraints[each.place].accept(each.tokens.back());
            sinks[each.place].put(each.tokens.back());
        }
        std::erase_if(going, [&](const sequence& each) { return end_if_done(each.place); });
    }
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
