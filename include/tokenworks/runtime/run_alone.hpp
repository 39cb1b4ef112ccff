// A request by itself: the ids that an engine would give it among others.
//
//   std::vector<runtime::token_id> ids;
//   text_model::state state = model.make_state();
//   runtime::run_alone(model, state, what, ids);
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/generate_options.hpp>
#include <tokenworks/runtime/request.hpp>
#include <tokenworks/runtime/token_loop.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// Makes the first sample of a request, as far as it is about ids: end tokens of a tokenizer and stop strings end
/// nothing here, and guidance is the model's part (runtime/guided_model.hpp). What an engine does besides (deadlines,
/// budgets, log probabilities) is left out.
/// @param state  as for token_loop
/// @param ids    what comes is put behind those that are there
/// @param heard  called behind each, heard(made): so many have come
/// @return finish_reason::stop where the constraint is done   @throws as token_loop
template <causal_model M, class Heard>
finish_reason run_alone(const M& model, typename M::state& state, const request& what, std::vector<token_id>& ids,
                        const Heard& heard) {
    token_loop<M> loop{model, state, what.prompt, what.options};
    while(const std::optional<token_id> id = loop.next()) {
        ids.push_back(*id);
        heard(loop.ids().size());
    }
    return loop.reason();
}
template <causal_model M>
finish_reason run_alone(const M& model, typename M::state& state, const request& what, std::vector<token_id>& ids) {
    return run_alone(model, state, what, ids, [](std::size_t) {});
}

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
