// Keeps the k most likely tokens.
#pragma once

#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/sampling/step.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::sampling {

/// The k candidates with the highest logits are left, best first; of equal ones those with the lower ids.
/// k <= 0 is off, as in llama.cpp.
class top_k {
public:
    explicit top_k(int k) noexcept : k_{k} {}

    void operator()(candidates& c, const step&) const {
        if(k_ > 0) {
            c.keep_top(static_cast<std::size_t>(k_));
        }
    }

private:
    int k_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::sampling
