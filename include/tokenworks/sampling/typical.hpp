// Locally typical sampling: keeps the tokens whose information is nearest to what is expected here.
#pragma once

#include <cmath>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// Orders the candidates by |-ln(probability) - entropy|, smallest first, and keeps the shortest row whose
/// probabilities add up to more than p. 1 is off.
/// @see Meister et al., "Locally typical sampling" (2022), section 4
class typical {
public:
    /// @throws argument_error unless 0 <= p <= 1
    explicit typical(float p) : p_{p} {
        if(!(p >= 0 && p <= 1)) {
            tokenworks::detail::raise<argument_error>({"typical: p is ", p, ", must be in 0 to 1"});
        }
    }

    void operator()(candidates& c, const step&) const {
        if(!(p_ < 1)) {
            return;
        }
        const distribution d = c.softmax();
        // With w = exp(logit - top) and Z their sum: -ln(probability) = ln Z - (logit - top),
        // entropy = ln Z - sum(w * (logit - top)) / Z; their difference is free of ln Z.
        double expected = 0;
        for(std::size_t i = 0; i < d.weights.size(); ++i) {
            if(d.weights[i] > 0) {
                expected += static_cast<double>(d.weights[i]) * static_cast<double>(c.logit(i) - d.top);
            }
        }
        const auto mean = static_cast<float>(expected / d.sum);
        c.keep_mass(d, static_cast<double>(p_) * d.sum, true,
                    [&](std::size_t i) { return std::fabs(mean - (c.logit(i) - d.top)); });
    }

private:
    float p_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
