// Nucleus sampling: keeps the most likely tokens that together have probability p.
#pragma once

#include <cmath>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// The shortest row of candidates, most likely first, whose probabilities add up to at least p; at least one. 1 is off.
/// @see Holtzman et al., "The curious case of neural text degeneration" (2019), section 3.1
class top_p {
public:
    /// @throws argument_error unless 0 <= p <= 1
    explicit top_p(float p) : p_{p} {
        if(!(p >= 0 && p <= 1)) {
            tokenworks::detail::raise<argument_error>({"top_p: p is ", p, ", must be in 0 to 1"});
        }
    }

    void operator()(candidates& c, const step&) const {
        if(!(p_ < 1)) {
            return;
        }
        distribution d = c.softmax();
        const double mass = static_cast<double>(p_) * d.sum;
        if(c.dense()) {
            // Entries below (1 - p) / V of the sum make up less than 1 - p of it together: the row ends before them.
            // Half of that leaves room for rounding.
            const double least = 0.5 * (d.sum - mass) / static_cast<double>(c.size());
            c.keep_at_least(d.top + static_cast<float>(std::log(least)));
            d = c.softmax();
        }
        c.keep_mass(d, mass, false, [&](std::size_t i) { return -c.logit(i); });
    }

private:
    float p_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
