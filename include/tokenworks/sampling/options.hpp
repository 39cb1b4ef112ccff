// The usual settings in one struct, and the chain that they stand for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/sampling/chain.hpp>
#include <tokenworks/sampling/draw.hpp>
#include <tokenworks/sampling/logit_bias.hpp>
#include <tokenworks/sampling/min_p.hpp>
#include <tokenworks/sampling/no_repeat_ngram.hpp>
#include <tokenworks/sampling/penalties.hpp>
#include <tokenworks/sampling/temperature.hpp>
#include <tokenworks/sampling/top_k.hpp>
#include <tokenworks/sampling/top_p.hpp>
#include <tokenworks/sampling/typical.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// Defaults as in llama.cpp, but for the seed: it is a fixed one, so that a program gives the same text every time.
struct sampler_options {
    float temperature = 0.8F; ///< 0: greedy
    int top_k = 40;           ///< 0 or below: off
    float top_p = 0.95F;      ///< 1: off
    float min_p = 0.05F;      ///< 0: off
    float typical_p = 1.0F;   ///< 1: off
    float repeat_penalty = 1.0F;
    std::int64_t repeat_last_n = 64; ///< tokens that all three penalties look back on; 0: none, -1: all
    float frequency_penalty = 0.0F;
    float presence_penalty = 0.0F;
    std::size_t no_repeat_ngram = 0; ///< no run of so many tokens occurs twice; 0: off
    std::uint64_t seed = 0;
    std::vector<std::pair<token_id, float>> logit_bias{}; ///< -infinity bans a token
};

/// logit_bias, penalties, no_repeat_ngram, top_k, typical, top_p, min_p, temperature, draw: llama.cpp's order. With a
/// temperature of 0: logit_bias, penalties, no_repeat_ngram, greedy. What is off is left out.
/// @throws argument_error naming the setting that is out of range
[[nodiscard]] TOKENWORKS_FUNCTION chain make_chain(const sampler_options& options);

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION chain make_chain(const sampler_options& options) {
    const top_k k{options.top_k}; // all are made, so that all are checked
    const typical t{options.typical_p};
    const top_p p{options.top_p};
    const min_p m{options.min_p};
    const temperature heat{options.temperature};
    chain c;
    if(!options.logit_bias.empty()) {
        c.add(logit_bias{options.logit_bias});
    }
    const penalty_options penalty{options.repeat_last_n, options.repeat_penalty, options.frequency_penalty,
                                  options.presence_penalty};
    if(const penalties each{penalty}; each.active()) {
        c.add(each);
    }
    if(options.no_repeat_ngram != 0) {
        c.add(no_repeat_ngram{options.no_repeat_ngram});
    }
    if(!(options.temperature > 0)) {
        return c;
    }
    if(options.top_k > 0) {
        c.add(k);
    }
    if(options.typical_p < 1) {
        c.add(t);
    }
    if(options.top_p < 1) {
        c.add(p);
    }
    if(options.min_p > 0) {
        c.add(m);
    }
    return c.add(heat).pick_with(draw{options.seed});
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
