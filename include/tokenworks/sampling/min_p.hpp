// Keeps the tokens that are at least p times as likely as the most likely one.
#pragma once

#include <cmath>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// A candidate stays if logit >= highest logit + ln p: no softmax is needed. 0 is off.
/// @see Nguyen et al., "Turning up the heat: min-p sampling" (2024), section 3
class min_p {
public:
    /// @throws argument_error unless 0 <= p <= 1
    explicit min_p(float p) : p_{p} {
        if(!(p >= 0 && p <= 1)) {
            tokenworks::detail::raise<argument_error>({"min_p: p is ", p, ", must be in 0 to 1"});
        }
    }

    void operator()(candidates& c, const step&) const {
        if(p_ > 0) {
            c.keep_at_least(c.max_logit() + std::log(p_));
        }
    }

private:
    float p_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
