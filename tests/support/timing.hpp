// How long something takes, for tests that compare two ways to do it: the fastest of several runs, which others on the
// machine disturb least.
#pragma once

#include <algorithm>
#include <chrono>

namespace timing {

/// Seconds.
template <class Work>
double fastest_of(int runs, Work work) {
    double best = 0;
    for(int i = 0; i < runs; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
        best = i == 0 ? taken.count() : std::min(best, taken.count());
    }
    return best;
}

} // namespace timing
