// Adds a number to the logits of chosen tokens; -infinity bans a token.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// logit[id] += bias. Several biases of one token add up.
class logit_bias {
public:
    /// @throws argument_error for a negative id, and for a bias that is NaN or +infinity
    explicit logit_bias(std::vector<std::pair<token_id, float>> biases) {
        std::sort(biases.begin(), biases.end());
        for(const auto& [id, bias]: biases) {
            if(id < 0 || !(bias < detail::infinity)) {
                tokenworks::detail::raise<argument_error>({"logit_bias: token ", id, " with bias ", bias,
                                                           ", needs an id of at least 0 and a bias below +infinity"});
            }
            if(!ids_.empty() && ids_.back() == id) {
                biases_.back() += bias;
            } else {
                ids_.push_back(id);
                biases_.push_back(bias);
            }
        }
    }

    /// @throws argument_error if an id is not in the vocabulary
    void operator()(candidates& c, const step&) const {
        if(!ids_.empty() && static_cast<std::size_t>(ids_.back()) >= c.vocab_size()) {
            tokenworks::detail::raise<argument_error>(
                {"logit_bias: token ", ids_.back(), ", the vocabulary has ", c.vocab_size()});
        }
        c.transform_only(ids_, [&](std::size_t n, float logit) { return logit + biases_[n]; });
    }

private:
    std::vector<token_id> ids_; // ascending
    std::vector<float> biases_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
