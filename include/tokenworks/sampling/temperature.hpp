// Sharpens (below 1) or flattens (above 1) the distribution.
#pragma once

#include <cmath>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// logit /= t. Zero keeps the best candidate alone, and so does a t so small that the division overflows.
class temperature {
public:
    /// @throws argument_error if t is negative, NaN or infinite
    explicit temperature(float t) : t_{t} {
        if(!(t >= 0) || !std::isfinite(t)) {
            tokenworks::detail::raise<argument_error>({"temperature: t is ", t, ", must be at least 0 and finite"});
        }
    }

    void operator()(candidates& c, const step&) const {
        if(!(t_ > 0) || !(std::fabs(c.max_logit() / t_) < detail::infinity)) {
            c.keep_top(1);
        } else if(t_ < 1 || t_ > 1) {
            c.divide(t_);
        }
    }

private:
    float t_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
