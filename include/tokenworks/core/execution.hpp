// How a kernel runs: on which instruction set and on which threads. Passed by value to every kernel, so that two
// models, two teams and a test of every instruction set live side by side in one process.
#pragma once

#include <algorithm>
#include <cstddef>

#include <tokenworks/config.hpp>
#include <tokenworks/core/cpu.hpp>
#include <tokenworks/core/thread_team.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

/// The default runs on the calling thread with the machine's best instruction set.
struct execution {
    isa set = best_isa();
    team* threads = nullptr; ///< not owned; nullptr: the calling thread alone

    [[nodiscard]] unsigned workers() const noexcept { return threads == nullptr ? 1U : threads->size(); }
};

/// A half-open range of work items, and which member of the team does it.
struct work_range {
    std::size_t begin;
    std::size_t end;
    unsigned worker;
};

/// Cuts 0 … count into one contiguous range a member, in multiples of grain, and calls body(work_range) on each that
/// is not empty. Work below two grains runs on the caller. The cut depends on the count and the team's size alone.
template <class Body>
void parallel_for(const execution& how, std::size_t count, std::size_t grain, Body&& body) {
    const std::size_t pieces = (count + grain - 1) / grain;
    const std::size_t members = std::min<std::size_t>(how.workers(), pieces);
    if(members <= 1) {
        if(count != 0) {
            body(work_range{0, count, 0});
        }
        return;
    }
    how.threads->run([&](unsigned worker) {
        if(worker < members) {
            const std::size_t begin = pieces * worker / members * grain;
            const std::size_t end = std::min(count, pieces * (worker + 1) / members * grain);
            if(begin < end) {
                body(work_range{begin, end, worker});
            }
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI
