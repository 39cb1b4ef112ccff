// Draws a token at random, each with its probability.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/random.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// One uniform number a step, a function of (seed, stream, step.position) alone, looked up in the cumulative
/// probabilities of the candidates in their order. A candidate with a logit of -infinity is never drawn.
class draw {
public:
    /// @param stream  sets sequences of one seed apart
    explicit draw(std::uint64_t seed, std::uint64_t stream = 0) noexcept : numbers_{seed, stream} {}

    /// @throws argument_error without a finite logit
    token_id operator()(candidates& c, const step& s) const {
        const distribution d = c.softmax();
        if(!(d.sum > 0)) {
            tokenworks::detail::raise<argument_error>({"sampling: no finite logit"});
        }
        const double target = numbers_.uniform<double>(s.position) * d.sum;
        double before = 0;
        std::size_t chosen = 0; // the last with a weight, in case that rounding keeps the sums below the target
        for(std::size_t begin = 0; begin < d.weights.size(); begin += detail::block) {
            const auto block = d.weights.subspan(begin, std::min(detail::block, d.weights.size() - begin));
            const double sum = detail::sum_of(block);
            if(sum > 0) {
                double up_to = before;
                for(std::size_t i = 0; before + sum > target && i < block.size(); ++i) {
                    up_to += static_cast<double>(block[i]);
                    if(up_to > target) {
                        return c.id(begin + i);
                    }
                }
                std::size_t last = block.size() - 1;
                while(!(block[last] > 0)) {
                    --last;
                }
                chosen = begin + last;
                before += sum;
            }
        }
        return c.id(chosen);
    }

private:
    philox numbers_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
