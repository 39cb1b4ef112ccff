// What a model says of tokens that stand already.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/sampling/candidates.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/core/tensor.hpp>
#include <tokenworks/runtime/log_sum_exp.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// The natural logarithm of the probability of each token but the first, those before it given.
/// @throws argument_error for no tokens; capacity_error for more than the context takes
[[nodiscard]] TOKENWORKS_FUNCTION std::vector<float> log_likelihoods(const text_model& model,
                                                                     std::span<const sampling::token_id> ids);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION std::vector<float> log_likelihoods(const text_model& model,
                                                       std::span<const sampling::token_id> ids) {
    if(ids.empty()) {
        tokenworks::detail::raise<argument_error>({"log_likelihoods: no tokens"});
    }
    const std::span<const sampling::token_id> before = ids.first(ids.size() - 1);
    std::vector<float> found;
    if(before.empty()) {
        return found;
    }
    if(before.size() > model.context_length()) {
        tokenworks::detail::raise<capacity_error>(
            {"log_likelihoods: ", before.size(), " tokens, the context takes ", model.context_length()});
    }
    text_model::state state = model.make_state({.capacity = before.size()});
    tensor<float, extents<dyn, dyn>> logits{before.size(), model.vocab_size()};
    const models::decoder_input input{
        .cache = &state.cache(), .tokens = before, .want = models::decoder_input::logits::all};
    model.network().forward(state.context(), std::span{&input, 1}, logits.view());
    found.reserve(before.size());
    for(std::size_t t = 0; t < before.size(); ++t) {
        const std::span<const float> row{&logits(t, 0), model.vocab_size()};
        const auto logit = static_cast<double>(row[static_cast<std::size_t>(ids[t + 1])]);
        found.push_back(static_cast<float>(logit - log_sum_exp(row)));
    }
    return found;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
