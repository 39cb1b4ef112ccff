// How a kernel runs: on which instruction set and on which threads. Passed by value to every kernel, so that two
// models, two teams and a test of every instruction set live side by side in one process.
#pragma once

#include <algorithm>
#include <atomic>
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

/// Cuts 0 … count into contiguous ranges, in multiples of grain, and calls body(work_range) on each. Work below two
/// grains runs on the caller. A few grains are shared out evenly beforehand, one range a member. Many are taken from a
/// common heap, in ranges that get smaller towards the end, so that a core that is slower, or busy with another
/// program, does less of them. Results must not depend on who does which range.
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
    const auto run = [&](std::size_t begin, std::size_t end, unsigned worker) {
        if(begin < end) {
            body(work_range{begin * grain, std::min(count, end * grain), worker});
        }
    };
    if(pieces < 8 * members) {
        how.threads->run([&](unsigned worker) {
            if(worker < members) {
                run(pieces * worker / members, pieces * (worker + 1) / members, worker);
            }
        });
        return;
    }
    alignas(64) std::atomic<std::size_t> taken{0};
    how.threads->run([&](unsigned worker) {
        std::size_t first = taken.load(std::memory_order_relaxed);
        while(first < pieces) {
            const std::size_t some = std::max<std::size_t>(1, (pieces - first) / (2 * members));
            if(taken.compare_exchange_weak(first, first + some, std::memory_order_relaxed)) {
                run(first, first + some, worker);
                first = taken.load(std::memory_order_relaxed);
            }
        }
    });
}

} // namespace tokenworks::inline TOKENWORKS_ABI
